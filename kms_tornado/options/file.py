"""The configuration file: the table [kms] of a TOML file, checked whole, overridden keys too."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ConfigurationError
from .option_value import Given, Mistakes, convert
from .table import BY_NAME, closest_option
from .wording import cut, did_you_mean, quoted, toml_type

_MAX_FILE_BYTES = 1024 * 1024


def read_file(config: Given, mistakes: Mistakes) -> dict[str, Given]:
    """{option: what the file gives it}. config: the option --config, with a path as its value."""
    place = f"file {config.shown}"
    try:
        document = _load(config.value)
    except ConfigurationError as exc:
        mistakes.add("--config", config.place, f"cannot read {config.shown}: {exc}", *BY_NAME)
        return {}
    table = document.pop("kms", {})
    _refuse_outside(document, place, mistakes)
    if not isinstance(table, dict):
        mistakes.add("kms", place, f"needs a table [kms], not {toml_type(table)}", *BY_NAME)
        return {}

    known = {}
    for key, value in table.items():
        option = BY_NAME.get(key)
        if option is None:
            meant = closest_option(key)
            mistakes.add(_key(key), place, f"unknown key{did_you_mean(meant)}", *meant)
        elif option.in_file:
            known[key] = convert(option, value, "file", place, mistakes)
        else:
            mistakes.add(key, place, "cannot be set in the file")
    return known


def _load(path: Path) -> dict[str, Any]:
    try:
        with open(path, "rb") as stream:
            content = stream.read(_MAX_FILE_BYTES + 1)
        if len(content) > _MAX_FILE_BYTES:
            raise ConfigurationError("larger than 1 MiB")
        return tomllib.loads(content.decode("utf-8"))
    except OSError as exc:
        raise ConfigurationError(exc.strerror or "input/output error") from None
    except UnicodeDecodeError:
        raise ConfigurationError("no UTF-8") from None
    except tomllib.TOMLDecodeError as exc:
        # Its text may quote a key, never a value.
        raise ConfigurationError(f"no valid TOML: {cut(str(exc), 120)}") from None
    except (ValueError, RecursionError):  # ValueError: digits that int() refuses
        text = "no valid TOML: nested too deeply, or a number too long"
        raise ConfigurationError(text) from None


def _refuse_outside(document: Mapping[str, Any], place: str, mistakes: Mistakes) -> None:
    for key, value in document.items():
        for inner in value if isinstance(value, dict) and value else [None]:
            name = _key(key) if inner is None else f"{_key(key)}.{_key(inner)}"
            meant = closest_option(inner or key)
            mistakes.add(name, place, "stands outside the table [kms]", *meant)


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]{1,60}", key) else quoted(key)
