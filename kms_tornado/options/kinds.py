"""The kinds of option values: a switch, a boolean, an integer, a number of seconds or a text.

A kind turns one flag, variable or list entry (text) or one TOML value into the value that
Settings is made of. It raises ConfigurationError that says what is wrong, and nothing else.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..errors import ConfigurationError
from ..wording import name_toml_type, quote

_MAX_SECONDS = 10**9  # 31 years: "for ever" that timers and dates can still add to now


def _but_not(value: float) -> str:
    """The end of a text about a number; "" for one of more digits than anybody reads, or Python writes."""
    return f", not {value:.15g}" if abs(value) < 10**15 else ""


@dataclass(frozen=True, slots=True)
class Switch:
    """On or off: a bare flag; true/false or 1/0 elsewhere."""

    metavar: None = None

    def from_text(self, text: str) -> bool:
        try:
            return {"true": True, "1": True, "false": False, "0": False}[text.strip().lower()]
        except KeyError:
            raise ConfigurationError(f"{quote(text)} is none of true, false, 1, 0") from None

    def from_toml(self, value: object) -> bool:
        if isinstance(value, int) and value in (0, 1):
            return bool(value)
        raise ConfigurationError(f"needs true or false, not {name_toml_type(value)}")


@dataclass(frozen=True, slots=True)
class Boolean:
    """On or off. The flag takes a word, too; for options that are on unless they are turned off."""

    metavar: str = "true|false"

    def from_text(self, text: str) -> bool:
        return Switch().from_text(text)

    def from_toml(self, value: object) -> bool:
        return Switch().from_toml(value)


@dataclass(frozen=True, slots=True)
class Integer:
    low: int
    high: int
    metavar: str = "N"

    def from_text(self, text: str) -> int:
        if not re.fullmatch(r"[+-]?[0-9]+", text.strip(), re.ASCII):
            raise ConfigurationError(f"{quote(text)} is not an integer ({self.low} to {self.high})")
        if len(text.strip()) > 20:  # int() refuses thousands of digits with a ValueError
            raise ConfigurationError(f"out of range: {self.low} to {self.high}")
        return self._check_range(int(text))

    def from_toml(self, value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ConfigurationError(f"needs an integer, not {name_toml_type(value)}")
        return self._check_range(value)

    def _check_range(self, value: int) -> int:
        if not self.low <= value <= self.high:
            raise ConfigurationError(f"out of range: {self.low} to {self.high}{_but_not(value)}")
        return value


@dataclass(frozen=True, slots=True)
class Seconds:
    """A finite number from low to high; if `above` is set, greater than low."""

    low: int = 0
    high: int = _MAX_SECONDS
    above: bool = False
    metavar: str = "SECONDS"

    def from_text(self, text: str) -> float:
        # Not all that float() takes: "nan", "infinity" and "1_0" are typing mistakes here.
        number = r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?"
        if not re.fullmatch(number, text.strip(), re.ASCII):
            raise ConfigurationError(f"{quote(text)} is not a number of seconds ({self._range})")
        return self._check_range(float(text))

    def from_toml(self, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ConfigurationError(f"needs a number of seconds, not {name_toml_type(value)}")
        return self._check_range(value)

    def _check_range(self, value: float) -> float:
        # A comparison with nan is False.
        if self.low <= value <= self.high and not (self.above and value == self.low):
            return float(value)
        raise ConfigurationError(f"out of range: {self._range}{_but_not(value)}")

    @property
    def _range(self) -> str:
        if self.above:
            return f"more than {self.low} and at most {self.high} seconds"
        return f"{self.low} to {self.high} seconds"


@dataclass(frozen=True, slots=True)
class Text:
    """A string, which `convert` turns into a value. An empty string and control characters are refused first."""

    metavar: str
    convert: Callable[[str], object] = str

    def from_text(self, text: str) -> object:
        if not text.strip():
            raise ConfigurationError("the value is empty")
        # Cs: bytes of a flag or variable that are not UTF-8. Zl, Zp: line breaks to some readers.
        if any(unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} for c in text):
            raise ConfigurationError("the value contains control characters or is not UTF-8")
        return self.convert(text)

    def from_toml(self, value: object) -> object:
        if not isinstance(value, str):
            raise ConfigurationError(f"needs a string, not {name_toml_type(value)}")
        return self.from_text(value)


OptionKind = Switch | Boolean | Integer | Seconds | Text


def make_choice(words: Sequence[str]) -> Text:
    def convert(text: str) -> str:
        if text.strip().lower() not in words:
            raise ConfigurationError(f"{quote(text)} is none of {', '.join(words)}")
        return text.strip().lower()

    return Text("|".join(words), convert)
