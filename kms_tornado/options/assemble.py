"""Builds Settings from the values of the options, or notes how they contradict each other.

A plain option needs no line here: its row in `table` says which field it fills, and each class of
settings takes the fields that it has.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

from ..auth.issuer import RefreshPolicy, TrustedIssuer, TrustSettings
from ..auth.token_policy import TokenPolicy
from ..errors import ConfigurationError
from ..settings import InconsistentSettings, ServiceSettings, Settings
from .option_value import Faults, OptionValue
from .table import BY_NAME, find_options

S = TypeVar("S")


def assemble(
    values: Mapping[str, OptionValue], faults: Faults, *, checks_tokens: bool = True
) -> Settings | None:
    """Settings, or None where the options contradict each other, which is noted.

    values: {name: its value} of every option. checks_tokens: as of `Settings`.
    """
    fields = {BY_NAME[name].field: value.value for name, value in values.items()}
    fields["checks_tokens"] = checks_tokens
    fields["namespace_by_issuer"] = values["jwt-user-namespace"].value == "issuer"
    if fields["dev"] and values["data-dir"].source == "default":
        fields["data_dir"] = None  # a temporary directory
    fields["public_url"] = fields["public_url"] or ""
    fields["policy"] = _fill(TokenPolicy, fields)
    fields["refresh"] = _fill(RefreshPolicy, fields)
    fields["trust"] = _make_trust(values, fields, faults)
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
            _note(values, faults, fault.text, *names)
        return None


def _make_trust(
    values: Mapping[str, OptionValue], fields: Mapping[str, Any], faults: Faults
) -> TrustSettings | None:
    issuers = _collect_issuers(values, fields, faults)
    if not issuers:
        return None
    try:
        return TrustSettings(issuers, fields["policy"], fields["refresh"], fields["cache_size"])
    except ConfigurationError as exc:  # the same issuer twice
        _note(values, faults, exc.text, "jwt-auth-provider", "jwt-issuer-uri")
        faults.unusable.update(option.name for option in find_options("trust"))
        return None


def _collect_issuers(
    values: Mapping[str, OptionValue], fields: Mapping[str, Any], faults: Faults
) -> tuple[TrustedIssuer, ...]:
    """The issuer of --jwt-issuer-uri and those of --jwt-auth-provider."""
    uri, jwks_uri = values["jwt-issuer-uri"].value, values["jwks-uri"].value
    audiences = values["jwt-audience"].value
    first: tuple[TrustedIssuer, ...] = ()
    if uri is not None:
        first = (TrustedIssuer(uri, jwks_uri, audiences),)
    elif fields["checks_tokens"]:
        if jwks_uri is not None:
            _note(values, faults, "needs --jwt-issuer-uri", "jwks-uri", "jwt-issuer-uri")
        if audiences:
            # Whoever sets it expects a check that would not be made.
            text = (
                "belongs to --jwt-issuer-uri, which is not set; "
                "--jwt-auth-provider has its own audiences"
            )
            _note(values, faults, text, "jwt-audience", "jwt-issuer-uri")
    issuers = (*first, *values["jwt-auth-provider"].value)
    if len({issuer.uri for issuer in issuers}) > 1 and values["jwt-user-namespace"].value is None:
        text = "must be shared or issuer when there is more than one issuer"
        names = ("jwt-user-namespace", "jwt-issuer-uri", "jwt-auth-provider")
        _note(values, faults, text, *names)
    return issuers


def _note(values: Mapping[str, OptionValue], faults: Faults, text: str, *names: str) -> None:
    """Note how these options contradict each other; the one to change comes first."""
    if faults.unusable.isdisjoint(names):  # otherwise this may only follow from another fault
        faults.add(BY_NAME[names[0]].label, values[names[0]].place, text)
