"""What one option was given: the value in its source and the place, or the mistake in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from ..errors import ConfigurationError
from .table import Option
from .wording import printable, toml_type

Source = Literal["flag", "environment", "file", "default"]


@dataclass(frozen=True, slots=True)
class Given:
    """value: for Settings, a tuple where the option is repeatable. shown: the same for TOML."""

    value: Any
    shown: Any
    source: Source
    place: str


@dataclass(slots=True)
class Mistakes:
    """What is found on the way. names: options whose value is not known, so not to be judged."""

    texts: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)

    def add(self, label: str, place: str, text: str, *names: str) -> None:
        line = printable(f"{label} ({place}): {text}")
        if line not in self.texts:
            self.texts.append(line)
        self.names.update(names)


def default(option: Option) -> Given:
    if option.default is None:
        return Given(() if option.repeatable else None, None, "default", "not set")
    return convert(option, option.default, "default", "default", Mistakes())


def convert(option: Option, raw: Any, source: Source, place: str, mistakes: Mistakes) -> Given:
    """Turn what a source holds into values. A mistake is noted, and the default goes on for it.

    raw: the list of texts of a flag, the text of a variable, or a TOML value.
    """
    from_entry = option.kind.from_toml if source in {"file", "default"} else option.kind.from_text
    values: list[Any] = []
    shown: list[Any] = []
    faults: list[str] = []
    try:
        entries = _entries(option, raw, source)
    except ConfigurationError as exc:
        entries, faults = [], [str(exc)]
    for entry in entries:
        try:
            values.append(from_entry(entry))
            shown.append(_shown(option, values[-1], entry))
        except ConfigurationError as exc:
            faults.append(str(exc))
    if faults:
        for fault in faults:
            mistakes.add(option.label, place, fault, option.name)
        return default(option)
    if option.repeatable:
        return Given(tuple(values), shown, source, place)
    return Given(values[0], shown[0], source, place)


def _entries(option: Option, raw: Any, source: Source) -> list[Any]:
    """The single values in what a source holds. Refuses a wrong number of them."""
    if source == "flag":
        # The last one could win, but two issuers, say, would read as if both were trusted.
        if len(raw) > 1 and not option.repeatable:
            raise ConfigurationError("given more than once")
        return list(raw)
    if not option.repeatable:
        return [raw]
    if source == "environment":
        entries = [entry.strip() for entry in raw.split(option.separator) if entry.strip()]
        if not entries:  # as "not set" it might switch a check off
            raise ConfigurationError("holds no value")
        return entries
    if not isinstance(raw, list | tuple):
        raise ConfigurationError(f"needs a list of strings, not {toml_type(raw)}")
    if not raw and option.default:
        raise ConfigurationError("at least one is needed")
    return list(raw)


def _shown(option: Option, value: Any, entry: Any) -> Any:
    """Numbers and switches as they were understood, the rest as it was written."""
    if option.mask is not None:
        return option.mask(entry)
    return value if isinstance(value, bool | int | float | str) else entry
