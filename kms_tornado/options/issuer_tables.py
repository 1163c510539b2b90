"""The tables [[kms.issuer]] of the file: issuers with settings of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..wording import find_closest, mask_queries, name_toml_type, suggest
from .converters import (
    parse_issuer_uri,
    parse_name,
    parse_readable_file,
    parse_required_claim,
    parse_token_type,
)
from .kinds import Text
from .option import Option
from .option_value import Faults, OptionValue, convert
from .table import BY_NAME, find_options


class IssuerKey(Option):
    """A key of the table, and the field of TrustedIssuer that it fills. help: the flag of the corresponding option."""

    @property
    def label(self) -> str:
        return self.name

    @property
    def option(self) -> str:
        """The name of the option that says the same for all issuers."""
        return self.help.removeprefix("--")

    @property
    def needs_entry(self) -> bool:
        return BY_NAME[self.option].needs_entry


#: As the options of these names say, for the tokens of this issuer alone.
ISSUER_KEYS: tuple[IssuerKey, ...] = (
    IssuerKey("uri", Text("URI", parse_issuer_uri), "--jwt-issuer-uri"),
    IssuerKey("jwks-uri", Text("URI"), "--jwks-uri", mask=mask_queries),
    IssuerKey(
        "audience",
        Text("AUD", parse_name),
        "--jwt-audience",
        setting="audiences",
        repeatable=True,
        collect=frozenset,
    ),
    IssuerKey("audience-claim", Text("CLAIM", parse_name), "--jwt-audience-claim", repeatable=True),
    IssuerKey(
        "user-claim",
        Text("CLAIM", parse_name),
        "--jwt-user-claim",
        repeatable=True,
        may_be_single=True,
    ),
    IssuerKey(
        "required-claim",
        Text("NAME=VALUE", parse_required_claim),
        "--jwt-required-claim",
        setting="required_claims",
        repeatable=True,
    ),
    IssuerKey(
        "token-types",
        Text("TYP", parse_token_type),
        "--jwt-token-types",
        repeatable=True,
        collect=frozenset,
    ),
    IssuerKey(
        "jwks-token-file",
        Text("FILE", lambda text: str(parse_readable_file(text))),
        "--jwks-token-file",
    ),
)
#: Options that name issuers, too: without what is wrong, there might be issuers enough.
TRUST_OPTIONS = [option.name for option in find_options("trust")]
_BY_NAME = {key.name: key for key in ISSUER_KEYS}


@dataclass(frozen=True, slots=True)
class IssuerTable:
    """One table. place: for messages. values: {key: its value} for the keys that it sets."""

    place: str
    values: Mapping[str, OptionValue]

    @property
    def fields(self) -> dict[str, Any]:
        """{field of TrustedIssuer: value}."""
        return {_BY_NAME[name].field: value.value for name, value in self.values.items()}


def read_issuer_tables(raw: object, place: str, faults: Faults) -> tuple[IssuerTable, ...]:
    """The tables. Faults are noted. raw: the value of the key `issuer`. place: of the file."""
    if not isinstance(raw, list) or not all(isinstance(table, dict) for table in raw):
        text = f"needs tables [[kms.issuer]], not {name_toml_type(raw)}"
        faults.add("issuer", place, text, *TRUST_OPTIONS)
        return ()
    tables = [
        _read_table(table, f"[[kms.issuer]] {number} of {place}", faults)
        for number, table in enumerate(raw, 1)
    ]
    return tuple(table for table in tables if table is not None)


def _read_table(raw: Mapping[str, Any], place: str, faults: Faults) -> IssuerTable | None:
    own = Faults()
    values = {}
    for name, value in raw.items():
        if name in _BY_NAME:
            values[name] = convert(_BY_NAME[name], value, "file", place, own)
        else:
            own.add(name, place, _describe_unknown(name))
    if "uri" not in raw:
        own.add("uri", place, "is missing")
    if not own.lines:
        return IssuerTable(place, values)
    faults.lines += own.lines
    faults.unusable.update(TRUST_OPTIONS)
    return None


def _describe_unknown(name: str) -> str:
    """The text for a key that no table of an issuer has."""
    meant = [key.name for key in ISSUER_KEYS if key.option == name]
    meant = meant or list(find_closest(name.lower(), _BY_NAME))
    if name in BY_NAME and not meant:
        return "unknown key; this option is one for all issuers, and stands above the first [[kms.issuer]]"
    return f"unknown key{suggest(meant)}"
