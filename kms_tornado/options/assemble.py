"""Builds Settings from the values of the options, or notes how they contradict each other.

A plain option needs no line here: its row in `groups` says which field it fills, and each class of
settings takes the fields that it has.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from ..auth.issuers.issuer import RefreshPolicy, TrustSettings
from ..auth.tokens.token_policy import TokenPolicy
from ..errors import ConfigurationError
from ..kmip_settings import KMIPSettings
from ..settings import InconsistentSettings, ServiceSettings, Settings
from .issuer_tables import IssuerTable
from .issuers import collect_issuers, note, note_missing_namespace
from .option_value import Faults, OptionValue
from .table import BY_NAME, find_options

S = TypeVar("S")


def assemble(
    values: Mapping[str, OptionValue],
    tables: Sequence[IssuerTable],
    faults: Faults,
    *,
    checks_tokens: bool = True,
) -> Settings | None:
    """Settings, or None where the options contradict each other, which is noted.

    values: {name: its value} of every option. tables: of issuers, in the file. checks_tokens: as of `Settings`.
    """
    fields = {BY_NAME[name].field: value.value for name, value in values.items()}
    fields["checks_tokens"] = checks_tokens
    fields["namespace_by_issuer"] = values["jwt-user-namespace"].value == "issuer"
    if fields["dev"] and values["data-dir"].source == "default":
        fields["data_dir"] = None  # a temporary directory
    fields["public_url"] = fields["public_url"] or ""
    fields["policy"] = _fill(TokenPolicy, fields)
    fields["refresh"] = _fill(RefreshPolicy, fields)
    fields["kmip"] = _fill(KMIPSettings, fields)
    fields["trust"] = _make_trust(values, tables, fields, faults)
    settings = _fill_or_note(Settings, fields, values, faults)
    service = _fill_or_note(ServiceSettings, fields, values, faults)
    if settings is None or service is None:
        return None
    return dataclasses.replace(settings, service=service)


def _fill(cls: type[S], fields: Mapping[str, Any]) -> S:
    names = {field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    return cls(**{name: value for name, value in fields.items() if name in names})


def _fill_or_note(
    cls: type[S], fields: Mapping[str, Any], values: Mapping[str, OptionValue], faults: Faults
) -> S | None:
    try:
        return _fill(cls, fields)
    except InconsistentSettings as exc:
        for fault in exc.faults:
            names = [option.name for field in fault.fields for option in find_options(field)]
            note(values, faults, fault.text, *names)
        return None


def _make_trust(
    values: Mapping[str, OptionValue],
    tables: Sequence[IssuerTable],
    fields: Mapping[str, Any],
    faults: Faults,
) -> TrustSettings | None:
    checks_tokens = fields["checks_tokens"]
    issuers = collect_issuers(values, tables, faults, checks_tokens=checks_tokens)
    if not issuers:
        return None
    if len({one.uri for issuer in issuers for one in issuer.list_tenants()}) > 1:
        note_missing_namespace(values, faults)
    try:
        return TrustSettings(issuers, fields["policy"], fields["refresh"], fields["cache_size"])
    except ConfigurationError as exc:  # such as the same issuer twice
        if tables and values["jwt-auth-provider"].source == "default":
            faults.add("uri", tables[-1].place, exc.text)
        else:
            note(values, faults, exc.text, "jwt-auth-provider", "jwt-issuer-uri")
        faults.unusable.update(option.name for option in find_options("trust"))
        return None
