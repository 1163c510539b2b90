"""The lines of the access log for every transport: one for each request, or one for each operation of a message."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from ..wording import cut_value, quote_value

log = logging.getLogger("kms_tornado.access")


def log_request(
    level: int,
    line: str,
    common: Mapping[str, Any],
    principal: Any,
    entries: Sequence[Mapping[str, Any]],
) -> None:
    """Write one line for each entry of the request.

    line: how all lines of the request begin. common: the same as fields.
    principal: None where nobody was authenticated. An application may have assigned some other value.
    entries: [{field: value}].
    """
    fields_of_all = dict(common)
    name = getattr(principal, "name", None)
    if name is not None:
        fields_of_all["user"] = user = cut_value(name)
        line += f" user={quote_value(user)}"
        if issuer := getattr(principal, "issuer", ""):
            fields_of_all["issuer"] = issuer
        if key_id := getattr(principal, "key_id", ""):
            fields_of_all["key_id"] = key_id
    for entry in entries:
        fields = {name: cut_value(value) for name, value in entry.items()}
        field_text = "".join([f" {name}={quote_value(value)}" for name, value in fields.items()])
        log.log(level, "%s%s", line, field_text, extra={"fields": {**fields_of_all, **fields}})
