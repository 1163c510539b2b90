"""The configuration file: the table [kms] of a TOML file, checked as a whole with its overridden keys."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import ConfigurationError
from ..wording import cut, find_closest, name_toml_type, quote, suggest
from .issuer_tables import TRUST_OPTIONS, IssuerTable, read_issuer_tables
from .option_value import Faults, OptionValue, convert
from .table import BY_NAME, find_closest_option

_MAX_FILE_BYTES = 1024 * 1024
_MOST_NAMES = 5  # of the keys in one fault


def read_file(
    config: OptionValue, faults: Faults
) -> tuple[dict[str, OptionValue], tuple[IssuerTable, ...]]:
    """({option: its value in the file}, the tables of issuers).

    config: the option --config, with a path as its value.
    """
    place = f"file {config.as_toml}"
    try:
        document = _load(config.value)
    except ConfigurationError as exc:
        faults.add("--config", config.place, f"cannot read {config.as_toml}: {exc}", *BY_NAME)
        return {}, ()
    table = document.pop("kms", {})
    _note_outside(document, place, faults)
    if not isinstance(table, dict):
        faults.add("kms", place, f"needs a table [kms], not {name_toml_type(table)}", *BY_NAME)
        return {}, ()
    issuers = read_issuer_tables(table.pop("issuer", []), place, faults)

    values = {}
    for key, value in table.items():
        option = BY_NAME.get(key)
        if option is None:
            _note_unknown(key, value, place, faults)
        elif option.in_file:
            values[key] = convert(option, value, "file", place, faults)
        else:
            how = f"{option.flag} or {option.variable}" if option.is_flag else option.variable
            faults.add(key, place, f"cannot be set in the file, only by {how}")
    return values, issuers


def _load(path: Path) -> dict[str, Any]:
    try:
        with open(path, "rb") as stream:
            content = stream.read(_MAX_FILE_BYTES + 1)
    except OSError as exc:
        raise ConfigurationError(exc.strerror or "input/output error") from None
    if len(content) > _MAX_FILE_BYTES:
        raise ConfigurationError("larger than 1 MiB")
    try:
        # Editors of Windows put a byte order mark in front.
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ConfigurationError("not UTF-8") from None
    except tomllib.TOMLDecodeError as exc:
        # Its text may quote a key, never a value.
        raise ConfigurationError(f"not valid TOML: {cut(str(exc), 120)}") from None
    except (ValueError, RecursionError):  # ValueError: digits that int() refuses
        text = "not valid TOML: nested too deeply, or a number too long"
        raise ConfigurationError(text) from None


def _note_unknown(key: str, value: object, place: str, faults: Faults) -> None:
    """A key that is no option, or a table with keys in it."""
    tables = value if isinstance(value, list) else [value]
    inner = [name for table in tables if isinstance(table, dict) for name in table]
    if not inner:
        meant = find_closest_option(key)
        faults.add(_format_key(key), place, f"unknown key{suggest(meant)}", *meant)
    elif meant := find_closest(key.lower(), ("issuer",)):
        faults.add(_format_key(key), place, f"unknown key{suggest(meant)}", *TRUST_OPTIONS)
    else:
        names = [f"{_format_key(key)}.{_format_key(name)}" for name in inner]
        faults.unusable.update(name for one in inner for name in find_closest_option(one))
        text = "unknown key: options stand in [kms] itself, not in a table below it"
        faults.add(_list_names(names), place, text)


def _list_names(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMES])
    return shown if len(names) <= _MOST_NAMES else f"{shown} and {len(names) - _MOST_NAMES} more"


def _note_outside(document: Mapping[str, Any], place: str, faults: Faults) -> None:
    """Note one fault for all keys outside of the table. The usual cause is one missing or misspelt line above them."""
    names, hints = [], []
    for key, value in document.items():
        for inner in value if isinstance(value, dict) and value else [None]:
            name = _format_key(key) if inner is None else f"{_format_key(key)}.{_format_key(inner)}"
            names.append(name)
            faults.unusable.update(find_closest_option(inner or key))
        if isinstance(value, dict) and (hint := suggest(find_closest(key.lower(), ("kms",)), "[")):
            hints.append(hint.replace("?", "]?"))
    if not names:
        return
    verb = "stands" if len(names) == 1 else "stand"
    faults.add(_list_names(names), place, f"{verb} outside the table [kms]{''.join(hints[:1])}")


def _format_key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]{1,60}", key) else quote(key)
