"""A lenient JSON parser, for the documents of an issuer: oddities are marked, and affect only those who read them.

One document contains many keys of many versions, and an oddity in one of them must not make the others unusable. So
duplicate members, NaN, huge numbers, lone surrogates, wrong UTF-8 and deep nesting are no errors here: whoever reads a
member calls `find_oddity` first. Tokens and requests are parsed by `strict_json`.
"""

from __future__ import annotations

import codecs
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

_MAX_DEPTH = 16  # of a value that is read; nothing that counts in these documents has more than 2

#: A string (up to the end of the text, where it does not end), or a bracket. It matches at every quotation
#: mark that it meets, so a text of many of them takes no longer.
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)


class LenientObject(dict[str, Any]):
    """A JSON object. repeated: {a name that occurs more than once: whether always with the same text}."""

    __slots__ = ("repeated",)

    def __init__(self, pairs: Iterable[tuple[str, Any]] = ()) -> None:
        pairs = list(pairs)
        super().__init__(pairs)
        self.repeated: dict[str, bool] = {}
        if len(self) != len(pairs):
            members: dict[str, Any] = {}
            for name, value in pairs:
                if name in members:
                    is_same = isinstance(value, str) and value == members[name]
                    self.repeated[name] = is_same and self.repeated.get(name, True)
                members[name] = value


@dataclass(frozen=True, slots=True)
class Oddity:
    """Stands for a value that JSON does not have, or Python cannot hold. why: what is wrong with it."""

    why: str


def _parse_integer(text: str) -> int | Oddity:
    try:
        return int(text)
    except ValueError:  # more than 4300 digits
        return Oddity("a number with too many digits")


def _parse_number(text: str) -> float | Oddity:
    number = float(text)
    return Oddity("a number that is too large") if math.isinf(number) else number


_decoder = json.JSONDecoder(
    object_pairs_hook=LenientObject,
    parse_constant=lambda name: Oddity(f"{name}, which is not JSON"),
    parse_int=_parse_integer,
    parse_float=_parse_number,
    strict=False,  # control characters in strings are taken
)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


#: Knows the grammar alone: numbers of any size are well-formed.
_json_decoder = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=str, parse_float=str)


def loads(data: bytes) -> Any:
    """Parse one JSON text; all objects in it are LenientObjects.

    Raises ValueError where the values of the text are ambiguous; it quotes nothing of the text.
    """
    # Octets that are no UTF-8 become lone surrogates, and are found as those.
    text = data.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")
    try:
        try:
            return _decoder.decode(text)
        except RecursionError:
            return _decoder.decode(_empty_deep_values(text))
    except json.JSONDecodeError as exc:
        raise ValueError(f"not JSON: {exc.msg} at character {exc.pos}") from None


def find_oddity(members: Mapping[str, Any], name: str) -> str | None:
    """What is wrong with a member that is about to be read; None where nothing is, or the member is absent."""
    if isinstance(members, LenientObject) and name in members.repeated:
        return f"its member {name} occurs more than once"
    level = [members.get(name)]
    for _ in range(_MAX_DEPTH):
        inner: list[Any] = []
        for value in level:
            if isinstance(value, Oddity):
                return f"its member {name} has {value.why}"
            if isinstance(value, str) and has_surrogate(value):
                return f"its member {name} has characters that are not Unicode"
            if isinstance(value, LenientObject) and value.repeated:
                return f"its member {name} has a member that occurs more than once"
            if isinstance(value, dict):
                inner += [*value, *value.values()]
            elif isinstance(value, list):
                inner += value
        if not inner:
            return None
        level = inner
    return f"its member {name} is nested too deep"


def is_well_formed(data: bytes) -> bool:
    """Whether the text is JSON by the grammar of RFC 8259, apart from a byte order mark."""
    try:
        _json_decoder.decode(data.removeprefix(codecs.BOM_UTF8).decode("utf-8"))
    except (ValueError, RecursionError):
        return False
    return True


def has_surrogate(text: str) -> bool:
    """Whether the text contains a lone surrogate, which no encoding can represent, or an octet that was not UTF-8."""
    return not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text)


def _empty_deep_values(text: str) -> str:
    """The text without what is nested more deeply than any value that is read, and too deeply for Python's parser."""
    parts: list[str] = []
    depth = start = 0
    for token in _TOKEN.finditer(text):
        character = token[0]
        if character in {"[", "{"}:
            depth += 1
            if depth == 2 * _MAX_DEPTH:
                parts.append(text[start : token.end()])
        elif character in {"]", "}"}:
            if depth == 2 * _MAX_DEPTH:
                start = token.start()
            depth -= 1
    if depth < 2 * _MAX_DEPTH:
        parts.append(text[start:])
    return "".join(parts)
