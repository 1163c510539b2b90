"""The row of `server_state` that remembers how the owners of a database's objects were named."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select

from ....domain.user_naming import UserNaming
from ...interface.changes import Conflict
from ..queries import any_object
from ..statements import NO_VALUES, Runner, Statement
from .row_macs import AlteredRow, RowAuthenticator
from .schema import objects, server_state

_NAME = "user_naming"
_SUBJECT = "the naming of users"

select_naming = select(server_state.c.value).where(server_state.c.name == _NAME)
_select_naming = Statement(select_naming)
_delete_naming = Statement(delete(server_state).where(server_state.c.name == bindparam("of_name")))
_insert_naming = Statement(insert(server_state), server_state.columns.keys())
_any_object = Statement(any_object)
_any_owner_of_issuer = Statement(
    select(objects.c.serial)
    .where(func.substr(objects.c.owner, 1, bindparam("length")) == bindparam("prefix"))
    .limit(1)
)


def settle_naming(
    runner: Runner,
    authenticator: RowAuthenticator,
    configured: UserNaming,
    issuers: Collection[str],
) -> UserNaming:
    """The naming of the database's objects. If it has none yet, the configured one is stored and returned.

    issuers: the configured ones.
    An older version stored no naming. If it wrote objects, their owners' names show whether they begin with an issuer;
    the claim is assumed to be the configured one. Raises AlteredRow.
    """
    rows = runner.select(_select_naming, NO_VALUES)
    stored = parse_naming(rows[0][0], authenticator) if rows else None
    if stored == configured:  # another server was faster
        return stored
    if runner.select(_any_object, NO_VALUES):
        if stored is None:
            stored = UserNaming(_has_owner_of(runner, issuers), configured.claim)
        if stored != configured:
            return stored
    runner.change(_delete_naming, {"of_name": _NAME})
    value = _format_naming(configured, authenticator)
    runner.change(_insert_naming, {"name": _NAME, "value": value})
    return configured


def parse_naming(value: Any, authenticator: RowAuthenticator) -> UserNaming:
    """The naming in a row's value. Raises AlteredRow where something other than this server wrote it."""
    try:
        mac, text = value.split(b"|", 1)
        code = bytes.fromhex(mac.decode("ascii"))
    except (AttributeError, TypeError, ValueError):
        raise AlteredRow(_SUBJECT) from None
    authenticator.check_row(_SUBJECT, code, server_state.name, _NAME, text)
    by_issuer, claim, *rest = json.loads(text)
    own = rest.pop() if rest and isinstance(rest[-1], dict) else {}
    former = None
    if rest:
        former = UserNaming(rest[0], rest[1], own=_parse_own(own, "former"))
    return UserNaming(by_issuer, claim, former, _parse_own(own, "now"))


def _parse_own(own: dict[str, Any], when: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(own.get(when, {}).items()))


def change_naming(
    runner: Runner, authenticator: RowAuthenticator, seen: UserNaming, new: UserNaming
) -> None:
    """Store the new naming in place of the given one. Raises Conflict where the stored one differs."""
    rows = runner.select(_select_naming, NO_VALUES)
    if rows and parse_naming(rows[0][0], authenticator) != seen:
        raise Conflict
    runner.change(_delete_naming, {"of_name": _NAME})
    value = _format_naming(new, authenticator)
    runner.change(_insert_naming, {"name": _NAME, "value": value})


def _format_naming(naming: UserNaming, authenticator: RowAuthenticator) -> bytes:
    fields: list[Any] = [naming.by_issuer, naming.claim]
    own = {"now": dict(naming.own)}
    if naming.former is not None:
        fields += [naming.former.by_issuer, naming.former.claim]
        own["former"] = dict(naming.former.own)
    if any(own.values()):  # what older versions cannot read, only where it is needed
        fields.append(own)
    text = json.dumps(fields).encode()
    return authenticator.row_mac(server_state.name, _NAME, text).hex().encode() + b"|" + text


def _has_owner_of(runner: Runner, issuers: Collection[str]) -> bool:
    prefixes = [f"{issuer}#" for issuer in issuers]
    return any(
        runner.select(_any_owner_of_issuer, {"prefix": prefix, "length": len(prefix)})
        for prefix in prefixes
    )
