"""The issuers that flags, environment and file together name, or how these contradict each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..auth.issuers.issuer import TrustedIssuer
from ..auth.issuers.issuer_urls import TENANT_PLACE, find_origin
from ..errors import ConfigurationError
from ..wording import cut, mask_queries
from .converters import mask_url
from .issuer_tables import TRUST_OPTIONS, IssuerTable
from .option_value import Faults, OptionValue
from .table import BY_NAME

#: What the text of a fault of a TrustedIssuer begins with → the option that is at fault, and the key of a table.
_AT_FAULT = {
    "issuer URI: ": ("jwt-issuer-uri", "uri"),
    "key set URI: ": ("jwks-uri", "jwks-uri"),
    "tenant: ": ("jwt-tenants", None),
}


class ConfiguredIssuer(NamedTuple):
    """An issuer, and what names it: label and place for messages."""

    issuer: TrustedIssuer
    label: str
    place: str


def collect_issuers(
    values: Mapping[str, OptionValue],
    tables: Sequence[IssuerTable],
    faults: Faults,
    *,
    checks_tokens: bool = True,
) -> tuple[ConfiguredIssuer, ...]:
    """The issuer of --jwt-issuer-uri, those of the tables, and those of --jwt-auth-provider.

    checks_tokens: as in `Settings`. If no token is checked, options of an issuer may be set without the issuer.
    """
    issuers: list[ConfiguredIssuer] = []
    if values["jwt-issuer-uri"].value is not None:
        issuers += _make_first(values, faults)
    elif checks_tokens:
        _note_options_without_issuer(values, tables, faults)
    for table in tables:
        issuers += _make_of_table(table, values, faults)
    for fields in values["jwt-auth-provider"].value:
        issuers += _make_of_provider(fields, values, faults)
    _note_shared_token(values, [one.issuer for one in issuers], faults)
    return tuple(issuers)


def note_missing_namespace(values: Mapping[str, OptionValue], faults: Faults) -> None:
    """Note that --jwt-user-namespace is missing. Only the operator knows whether a name means one person everywhere."""
    if values["jwt-user-namespace"].value is None:
        text = "must be shared or issuer when there is more than one issuer"
        names = ("jwt-user-namespace", "jwt-issuer-uri", "jwt-auth-provider")
        note(values, faults, text, *names)


def note(values: Mapping[str, OptionValue], faults: Faults, text: str, *names: str) -> None:
    """Note how these options contradict each other; the one to change comes first."""
    if faults.unusable.isdisjoint(names):  # otherwise this may only follow from another fault
        faults.add(BY_NAME[names[0]].label, values[names[0]].place, text)


def _find_common(uri: str, values: Mapping[str, OptionValue]) -> dict[str, Any]:
    """{field: value} for what holds for every issuer."""
    has_tenants = TENANT_PLACE in uri
    return {
        "jwks_allow_http": values["jwks-allow-http"].value,
        "tenants": values["jwt-tenants"].value if has_tenants else frozenset(),
    }


def _make_first(values: Mapping[str, OptionValue], faults: Faults) -> list[ConfiguredIssuer]:
    uri = values["jwt-issuer-uri"].value
    if not faults.unusable.isdisjoint({"jwks-uri", "jwt-tenants"}):
        return []
    try:
        issuer = TrustedIssuer(
            uri,
            values["jwks-uri"].value,
            values["jwt-audience"].value,
            jwks_token_file=values["jwks-token-file"].value,
            **_find_common(uri, values),
        )
    except ConfigurationError as exc:
        prefix, name, _ = _find_place(exc)
        note(values, faults, exc.text.removeprefix(prefix), name or "jwt-audience")
        faults.unusable.update(TRUST_OPTIONS)
        return []
    return [ConfiguredIssuer(issuer, "--jwt-issuer-uri", values["jwt-issuer-uri"].place)]


def _find_place(error: ConfigurationError) -> tuple[str, str | None, str | None]:
    """(how the text begins; the option at fault; the key of a table at fault), for the fault of a TrustedIssuer."""
    for prefix, (name, key) in _AT_FAULT.items():
        if error.text.startswith(prefix):
            return prefix, name, key
    return "", None, None


def _make_of_table(
    table: IssuerTable, values: Mapping[str, OptionValue], faults: Faults
) -> list[ConfiguredIssuer]:
    fields = {
        "audiences": values["jwt-audience"].value,
        "jwks_token_file": values["jwks-token-file"].value,
        **table.fields,
    }
    try:
        issuer = TrustedIssuer(**fields, **_find_common(fields["uri"], values))
    except ConfigurationError as exc:
        prefix, name, key = _find_place(exc)
        if name is not None and key is None:  # a table has no such key, and the option is at fault
            note(values, faults, exc.text.removeprefix(prefix), name)
        else:
            faults.add(key or "issuer", table.place, exc.text.removeprefix(prefix))
        faults.unusable.update(TRUST_OPTIONS)
        return []
    return [ConfiguredIssuer(issuer, "uri", table.place)]


def _make_of_provider(
    fields: Mapping[str, Any], values: Mapping[str, OptionValue], faults: Faults
) -> list[ConfiguredIssuer]:
    providers = values["jwt-auth-provider"]
    try:
        issuer = TrustedIssuer(**fields, **_find_common(fields["uri"], values))
    except ConfigurationError as exc:
        text = exc.text
        if len(providers.value) > 1:  # which of them
            text += f" (issuer {cut(mask_queries(mask_url(fields['uri'])))})"
        note(values, faults, text, "jwt-auth-provider")
        faults.unusable.update(TRUST_OPTIONS)
        return []
    return [ConfiguredIssuer(issuer, "--jwt-auth-provider", providers.place)]


def _note_options_without_issuer(
    values: Mapping[str, OptionValue], tables: Sequence[IssuerTable], faults: Faults
) -> None:
    """Note options for a check, or a fetch, that will not be made without an issuer."""
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
    """Note a token for one issuer's keys that would also be sent to another issuer."""
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
