"""The value of one option with its source and place, or the fault in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from ..errors import ConfigurationError
from ..wording import make_printable, name_toml_type
from .option import Option

Source = Literal["flag", "environment", "file", "credential", "default"]


@dataclass(frozen=True, slots=True)
class OptionValue:
    """The value of one option.

    value: for Settings; a collection where the option is repeatable.
    as_toml: the same for TOML, with secrets masked; None where the option is not set.
    place: of the source, for messages.
    """

    value: Any
    as_toml: Any
    source: Source
    place: str


@dataclass(slots=True)
class Faults:
    """Everything that is wrong with the options, collected so that all of it is reported at once.

    lines: one text for each fault.
    unusable: options without a known value, so that no contradiction with them is reported.
    """

    lines: list[str] = field(default_factory=list)
    unusable: set[str] = field(default_factory=set)

    def add(self, label: str, place: str, text: str, *unusable: str) -> None:
        line = make_printable(f"{label} ({place}): {text}")
        if line not in self.lines:
            self.lines.append(line)
        self.unusable.update(unusable)


def name_default(option: Option) -> str:
    """The place of a value that nobody set."""
    return "not set" if option.default is None or option.default is False else "default"


def make_default(option: Option) -> OptionValue:
    if option.default is None:
        value = option.collect(()) if option.repeatable else None
        return OptionValue(value, None, "default", name_default(option))
    return convert(option, option.default, "default", "default", Faults())


def convert(option: Option, raw: Any, source: Source, place: str, faults: Faults) -> OptionValue:
    """Turn the contents of a source into values. If there is a fault, it is noted, and the default is returned instead.

    raw: the list of a flag's texts, the text of a variable, or a TOML value.
    """
    is_text = source in {"flag", "environment"}
    from_entry = option.kind.from_text if is_text else option.kind.from_toml
    values: list[Any] = []
    as_toml: list[Any] = []
    texts: list[str] = []
    try:
        entries = _split_entries(option, raw, source)
    except ConfigurationError as exc:
        entries, texts = [], [exc.text]
    for entry in entries:
        try:
            values.append(from_entry(entry))
            as_toml.append(_to_toml(option, values[-1], entry))
        except ConfigurationError as exc:
            texts.append(exc.text)
    if texts:
        for text in texts:
            faults.add(option.label, place, text, option.name)
        return make_default(option)
    if option.repeatable:
        return OptionValue(option.collect(values), as_toml, source, place)
    return OptionValue(values[0], as_toml[0], source, place)


def _split_entries(option: Option, raw: Any, source: Source) -> list[Any]:
    """The single values in the contents of a source. A wrong number of them is refused."""
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
            raise ConfigurationError("contains no value")
        return entries
    if option.may_be_single and isinstance(raw, str):
        return [raw]
    if not isinstance(raw, list | tuple):
        raise ConfigurationError(f"needs a list of strings, not {name_toml_type(raw)}")
    if not raw and option.needs_entry:
        raise ConfigurationError("at least one is needed")
    return list(raw)


def _to_toml(option: Option, value: Any, entry: Any) -> Any:
    """The value in TOML: numbers and switches as they were understood, everything else as it was written."""
    if option.mask is not None:
        return option.mask(entry)
    return value if isinstance(value, bool | int | float | str) else entry
