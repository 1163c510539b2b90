"""Builds Settings from the values of the options, or notes how they contradict each other.

A plain option needs no line here: its row in `groups` says which field it fills, and each class of settings takes the
fields that it has.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from ..auth.issuers.issuer import RefreshPolicy, TrustSettings
from ..auth.tokens.token_policy import TokenPolicy
from ..errors import ConfigurationError
from ..settings.faults import InconsistentSettings
from ..settings.kmip import KMIPSettings
from ..settings.server import Settings
from ..settings.service import ServiceSettings
from .issuer_tables import TRUST_OPTIONS, IssuerTable
from .issuers import ConfiguredIssuer, collect_issuers, note, note_missing_namespace
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
    """The settings; None where the options contradict each other, which is noted.

    values: {name: its value} of every option.
    tables: of issuers, in the file.
    checks_tokens: as in `Settings`.
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
    configured = collect_issuers(values, tables, faults, checks_tokens=checks_tokens)
    if not configured:
        return None
    issuers = tuple(one.issuer for one in configured)
    if len({one.uri for issuer in issuers for one in issuer.list_tenants()}) > 1:
        note_missing_namespace(values, faults)

    def make(count: int) -> TrustSettings:
        """Of the first of them."""
        return TrustSettings(
            issuers[:count], fields["policy"], fields["refresh"], fields["cache_size"]
        )

    try:
        return make(len(issuers))
    except ConfigurationError:  # such as the same issuer twice
        _note_first_fault(configured, make, faults)
        return None


def _note_first_fault(
    configured: Sequence[ConfiguredIssuer], make: Callable[[int], object], faults: Faults
) -> None:
    """Tell which issuer it is that does not go together with those before it, or with the policy."""
    for count, one in enumerate(configured, 1):
        try:
            make(count)
        except ConfigurationError as exc:
            if faults.unusable.isdisjoint(TRUST_OPTIONS):  # otherwise this may only follow from it
                faults.add(one.label, one.place, exc.text, *TRUST_OPTIONS)
            return
