"""The result: the settings, and each option as it took effect, for --print-config."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..auth.issuers.issuer import default_jwks_uri
from ..errors import ConfigurationError
from ..settings.server import Settings
from .issuer_tables import IssuerTable
from .option import Option
from .option_value import OptionValue, Source, name_default
from .table import find_options


@dataclass(frozen=True, slots=True)
class EffectiveOption:
    """One option as it took effect.

    name: in the file, or the variable's name for an option that is not a flag.
    value: in TOML, secrets masked, or a few words where is_set is False.
    is_set: whether the value can stand in a configuration file.
    """

    name: str
    value: str
    source: Source
    is_set: bool


@dataclass(frozen=True, slots=True)
class ParsedOptions:
    """The result of parsing.

    issuer_tables: from the file.
    warnings: for the log at start.
    print_config: whether --print-config was given.
    arguments: {field: value} of the command's arguments.
    """

    settings: Settings
    effective: tuple[EffectiveOption, ...]
    warnings: tuple[str, ...]
    print_config: bool
    arguments: Mapping[str, Any] = field(default_factory=dict)
    issuer_tables: tuple[IssuerTable, ...] = ()


def format_effective(parsed: ParsedOptions) -> str:
    """``option = value # source`` lines. After a line ``[kms]``, they form a configuration file.

    What cannot stand in a file (no value, the default of another option, a secret) becomes a comment, and so do the
    warnings at the end, for example about misspelt variables.
    """
    options = [
        f"{'' if e.is_set else '# '}{e.name} = {e.value}  # {e.source}\n" for e in parsed.effective
    ]
    tables = [_format_table(table) for table in parsed.issuer_tables]
    warnings = [f"# warning: {warning}\n" for warning in parsed.warnings]
    return "".join([*options, *tables, *warnings])


def _format_table(table: IssuerTable) -> str:
    """An issuer's table. Tables follow the options, since all keys after a table's name belong to that table."""
    keys = [
        f"{name} = {_format_toml(value.as_toml)}  # {value.source}\n"
        for name, value in table.values.items()
    ]
    return "".join(["[[kms.issuer]]\n", *keys])


def format_fault(error: ConfigurationError, parsed: ParsedOptions) -> str:
    """``--option (source): text`` for a fault that is found after parsing; the bare text without a setting."""
    if error.field is None or not (options := find_options(error.field)):
        return str(error)
    option = options[0]
    name = option.name if option.is_flag else option.variable
    source = next(e.source for e in parsed.effective if e.name == name)
    place = name_default(option) if source == "default" else source
    return f"{option.label} ({place}): {error.text}"


def make_effective(
    option: Option, values: Mapping[str, OptionValue], settings: Settings
) -> EffectiveOption:
    value = values[option.name]
    name = option.name if option.is_flag else option.variable
    if option.name == "data-dir" and settings.service.data_dir is None:
        return EffectiveOption(name, "a temporary directory", value.source, False)
    if value.as_toml is not None:
        return EffectiveOption(name, _format_toml(value.as_toml), value.source, option.in_file)
    unset = option.unset
    issuer_uri = values["jwt-issuer-uri"].value
    if option.name == "jwks-uri" and issuer_uri is not None:
        # A comment, because it does not mean the same: where the default answers 404, discovery is tried,
        # and a configured one fails.
        unset = _format_toml(default_jwks_uri(issuer_uri))
    return EffectiveOption(name, unset, value.source, False)


def _format_toml(value: Any) -> str:
    """A value as TOML. Control characters never get here, so JSON's escapes are TOML's."""
    if isinstance(value, list):
        return f"[{', '.join(map(_format_toml, value))}]"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, ensure_ascii=False)
