"""How a message quotes what the user wrote: on one line, and shortened where it is long."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Collection, Sequence

#: The longest value from a client in a line of the log, in characters.
MAX_VALUE_LENGTH = 300

# What begins a value in a query, with or without its name, and the value, with what follows a URL in a line.
_QUERY_VALUE = re.compile(r"([?&](?:[^=&#\s]{1,100}+=)?+)([^&#\s]++)")
_AFTER_QUERY = "'\")]},>:;."  # what follows a URL in a sentence
_NEEDS_NO_QUOTES = re.compile(r"[\w.@:#/+-]+")


def cut(text: str, length: int = 40) -> str:
    return text if len(text) <= length else text[:length] + "…"


def cut_value(value: str) -> str:
    """A text from a client, shortened for a line of the log: a path may have 64 KiB."""
    return value if len(value) <= MAX_VALUE_LENGTH else cut(value, MAX_VALUE_LENGTH)


def format_value(value: str) -> str:
    """The value of ``name=value``, shortened, and quoted where it could be read as several of them."""
    return quote_value(cut_value(value))


def quote_value(value: str) -> str:
    """As `format_value`, for a value that is already shortened."""
    if value.isalnum() or _NEEDS_NO_QUOTES.fullmatch(value):
        return value
    return json.dumps(value)


def quote(text: str) -> str:
    return repr(cut(text))


def make_printable(text: str) -> str:
    """The text on one line, without anything that a terminal would execute."""
    return "".join(c if c.isprintable() else "?" for c in text)


def mask_queries(text: str) -> str:
    """The text without the values in the queries of its URLs, any of which may be an API key."""

    def mask(match: re.Match[str]) -> str:
        name, value = match.groups()
        return f"{name}***{value[len(value.rstrip(_AFTER_QUERY)) :]}"

    return _QUERY_VALUE.sub(mask, text) if "?" in text else text


def format_size(octets: int) -> str:
    """A number of bytes in the largest unit in which it is a whole number: ``16 MiB``, ``100,000 bytes``."""
    for unit, shift in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if octets and octets % (1 << shift) == 0:
            return f"{octets >> shift:,} {unit}"
    return "1 byte" if octets == 1 else f"{octets:,} bytes"


def format_count(number: int, noun: str, plural: str | None = None) -> str:
    """``1 object``, ``1,000 objects``. plural: where it is not the noun and an s, or where a verb stands with them."""
    return f"1 {noun}" if number == 1 else f"{number:,} {plural or f'{noun}s'}"


def name_toml_type(value: object) -> str:
    names = {bool: "a boolean", int: "an integer", float: "a float", str: "a string"}
    names |= {list: "a list", dict: "a table"}
    return names.get(type(value), "a date or time")


def find_closest(name: str, known: Collection[str]) -> Sequence[str]:
    """The known name that was probably meant, or none."""
    return difflib.get_close_matches(name[:60], known, 1, 0.8)


def suggest(meant: Sequence[str], prefix: str = "") -> str:
    """The end of a message, from what `find_closest` found."""
    return f"; did you mean {prefix}{meant[0]}?" if meant else ""
