"""How a message names what the user wrote: on one line, not long."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence


def cut(text: str, length: int = 40) -> str:
    return text if len(text) <= length else text[:length] + "…"


def quoted(text: str) -> str:
    return repr(cut(text))


def printable(text: str) -> str:
    """The text on one line, without anything that a terminal would act on."""
    return "".join(c if c.isprintable() else "?" for c in text)


def toml_type(value: object) -> str:
    words = {bool: "a boolean", int: "an integer", float: "a float", str: "a string"}
    words |= {list: "a list", dict: "a table"}
    return words.get(type(value), "a date or time")


def closest(name: str, known: Collection[str]) -> Sequence[str]:
    """The one of the known names that was probably meant, or none."""
    return difflib.get_close_matches(name[:60], known, 1, 0.8)


def did_you_mean(meant: Sequence[str], prefix: str = "") -> str:
    """The end of a message, from what `closest` found."""
    return f"; did you mean {prefix}{meant[0]}?" if meant else ""
