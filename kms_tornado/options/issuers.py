"""The issuers that flags, environment and file name together, or how they contradict each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..auth.issuers.issuer import TrustedIssuer
from ..auth.issuers.issuer_urls import TENANT_PLACE, find_origin
from ..errors import ConfigurationError
from .issuer_tables import TRUST_OPTIONS, IssuerTable
from .option_value import Faults, OptionValue
from .table import BY_NAME

#: What the text of a fault of a TrustedIssuer begins with → the option that is at fault.
_OPTION_OF = {
    "issuer URI: ": "jwt-issuer-uri",
    "key set URI: ": "jwks-uri",
    "tenant: ": "jwt-tenants",
}


def collect_issuers(
    values: Mapping[str, OptionValue],
    tables: Sequence[IssuerTable],
    faults: Faults,
    *,
    checks_tokens: bool = True,
) -> tuple[TrustedIssuer, ...]:
    """The issuer of --jwt-issuer-uri, those of the tables, and those of --jwt-auth-provider.

    checks_tokens: as of `Settings`: where none is checked, options of an issuer may stand there without it.
    """
    issuers: list[TrustedIssuer] = []
    if values["jwt-issuer-uri"].value is not None:
        issuers += _make_first(values, faults)
    elif checks_tokens:
        _note_options_without_issuer(values, tables, faults)
    for table in tables:
        issuers += _make_of_table(table, values, faults)
    for fields in values["jwt-auth-provider"].value:
        try:
            issuers.append(TrustedIssuer(**fields, **_find_common(fields["uri"], values)))
        except ConfigurationError as exc:
            note(values, faults, exc.text, "jwt-auth-provider")
            faults.unusable.update(TRUST_OPTIONS)
    _note_shared_token(values, issuers, faults)
    return tuple(issuers)


def note_missing_namespace(values: Mapping[str, OptionValue], faults: Faults) -> None:
    """Nobody but the operator knows whether a name means the same person at every issuer."""
    if values["jwt-user-namespace"].value is None:
        text = "must be shared or issuer when there is more than one issuer"
        names = ("jwt-user-namespace", "jwt-issuer-uri", "jwt-auth-provider")
        note(values, faults, text, *names)


def note(values: Mapping[str, OptionValue], faults: Faults, text: str, *names: str) -> None:
    """Note how these options contradict each other; the one to change comes first."""
    if faults.unusable.isdisjoint(names):  # otherwise this may only follow from another fault
        faults.add(BY_NAME[names[0]].label, values[names[0]].place, text)


def _find_common(uri: str, values: Mapping[str, OptionValue]) -> dict[str, Any]:
    """{field: value} of what holds for every issuer."""
    has_tenants = TENANT_PLACE in uri
    return {
        "jwks_allow_http": values["jwks-allow-http"].value,
        "tenants": values["jwt-tenants"].value if has_tenants else frozenset(),
    }


def _make_first(values: Mapping[str, OptionValue], faults: Faults) -> list[TrustedIssuer]:
    uri = values["jwt-issuer-uri"].value
    if not faults.unusable.isdisjoint({"jwks-uri", "jwt-tenants"}):
        return []
    try:
        return [
            TrustedIssuer(
                uri,
                values["jwks-uri"].value,
                values["jwt-audience"].value,
                jwks_token_file=values["jwks-token-file"].value,
                **_find_common(uri, values),
            )
        ]
    except ConfigurationError as exc:
        prefix = next((each for each in _OPTION_OF if exc.text.startswith(each)), "")
        name = _OPTION_OF.get(prefix, "jwt-audience")
        note(values, faults, exc.text.removeprefix(prefix), name)
        faults.unusable.update(TRUST_OPTIONS)
        return []


def _make_of_table(
    table: IssuerTable, values: Mapping[str, OptionValue], faults: Faults
) -> list[TrustedIssuer]:
    fields = {
        "audiences": values["jwt-audience"].value,
        "jwks_token_file": values["jwks-token-file"].value,
        **table.fields,
    }
    try:
        return [TrustedIssuer(**fields, **_find_common(fields["uri"], values))]
    except ConfigurationError as exc:
        faults.add("issuer", table.place, exc.text)
        faults.unusable.update(TRUST_OPTIONS)
        return []


def _note_options_without_issuer(
    values: Mapping[str, OptionValue], tables: Sequence[IssuerTable], faults: Faults
) -> None:
    """Whoever sets them expects a check, or a fetch, that would not be made."""
    if (jwks_uri := values["jwks-uri"].value) is not None:
        text = "needs --jwt-issuer-uri"
        try:
            TrustedIssuer("http://localhost", jwks_uri, **_find_common("", values))
        except ConfigurationError as exc:
            text = exc.text.removeprefix("key set URI: ")
        note(values, faults, text, "jwks-uri", "jwt-issuer-uri")
    if values["jwt-audience"].value and all("audience" in table.values for table in tables):
        text = (
            "belongs to --jwt-issuer-uri, which is not set; "
            "--jwt-auth-provider has its own audiences"
        )
        note(values, faults, text, "jwt-audience", "jwt-issuer-uri")
    if values["jwks-token-file"].value is not None and not tables:
        note(values, faults, "needs --jwt-issuer-uri", "jwks-token-file", "jwt-issuer-uri")


def _note_shared_token(
    values: Mapping[str, OptionValue], issuers: Sequence[TrustedIssuer], faults: Faults
) -> None:
    """A token for one issuer's keys is nothing that another issuer should get."""
    file = values["jwks-token-file"].value
    if file is None:
        return
    origins = {
        find_origin(issuer.jwks_uri or issuer.uri)
        for issuer in issuers
        if issuer.jwks_token_file == file
    }
    if len(origins) > 1:
        text = "would be sent to several issuers: name it in the [[kms.issuer]] that it is for"
        note(values, faults, text, "jwks-token-file")
