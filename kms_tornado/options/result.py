"""The result: the settings, and each option as it took effect, for --print-config."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..auth.issuer import default_jwks_uri
from ..settings import Settings
from .option_value import Given, Source
from .table import Option


@dataclass(frozen=True, slots=True)
class Effective:
    """One option as it took effect. value: TOML, secrets masked, or a few words where not is_set.

    is_set: whether the value can stand in a configuration file.
    """

    name: str
    value: str
    source: Source
    is_set: bool


@dataclass(frozen=True, slots=True)
class Parsed:
    """warnings: for the log at start. print_config: --print-config was given."""

    settings: Settings
    effective: tuple[Effective, ...]
    warnings: tuple[str, ...]
    print_config: bool


def format_effective(parsed: Parsed) -> str:
    """``option = value  # source`` lines; below a line ``[kms]`` they are a configuration file.

    What cannot stand in a file (no value, the default of another option, a secret) is a comment.
    """
    return "".join(
        f"{'' if e.is_set else '# '}{e.name} = {e.value}  # {e.source}\n" for e in parsed.effective
    )


def effective(option: Option, given: Mapping[str, Given], settings: Settings) -> Effective:
    one = given[option.name]
    name = option.name if option.is_flag else option.variable
    if option.name == "data-dir" and settings.data_dir is None:
        return Effective(name, "a temporary directory", one.source, False)
    if one.shown is not None:
        return Effective(name, _format_toml(one.shown), one.source, option.in_file)
    words = option.unset
    issuer_uri = given["jwt-issuer-uri"].value
    if option.name == "jwks-uri" and issuer_uri is not None:
        # A comment: where this one answers 404 discovery is tried, a configured one fails.
        words = _format_toml(default_jwks_uri(issuer_uri))
    return Effective(name, words, one.source, False)


def _format_toml(value: Any) -> str:
    """A value as TOML. Control characters never get here, so JSON's escapes are TOML's."""
    if isinstance(value, list):
        return f"[{', '.join(map(_format_toml, value))}]"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, ensure_ascii=False)
