"""Strict JSON of long texts (`strict_json`), parsed without holding the interpreter's lock for long.

`json` parses a text in one call, during which every other thread waits, also that of the event loop: 30 ms for 16 MiB
of data in hexadecimal, ten times that for as many digits. So long parts are removed first: strings of more than a few
KiB, each of which is checked and decoded in slices. The rest is short, or refused.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from typing import Any

from ... import strict_json

#: Bytes of what is left beside the long strings. The largest message of sense has half of it.
MAX_REST_BYTES = 4 * 1024 * 1024
#: Bytes of a string with escapes or characters beyond ASCII, which cannot be decoded in slices.
MAX_TEXT_BYTES = 1024 * 1024

_LONG = 4096  # bytes of a string that is taken out
_SLICE = 128 * 1024  # bytes: 0.1 ms, for which a thread may keep the lock
_MAX_QUOTES = 400_000  # a well-formed text with so many has too many items, too

_BACKSLASH = ord("\\")
_CONTROL = re.compile(rb"[\x00-\x1f]")


def read_any(data: bytes, *, max_depth: int) -> Any:
    """As `strict_json.read_any`; refuses also what goes beyond the limits above."""
    rest, strings, mark = _take_out(data)
    if len(rest) > MAX_REST_BYTES:
        raise ValueError(f"more than {MAX_REST_BYTES} bytes beside its long values")
    if not strings:
        return strict_json.read_any(rest, max_depth=max_depth)

    def put_back(value: Any) -> Any:
        if type(value) is str and value.startswith(mark):
            return strings[int(value[len(mark) :])]
        if type(value) is list:  # an object in it has been here itself
            value[:] = map(put_back, value)
        return value

    return put_back(strict_json.read_any(rest, max_depth=max_depth, put_back=put_back))


def _take_out(data: bytes) -> tuple[bytes, list[str], str]:
    """(the text with a mark and a number in place of each long string, those strings, the mark).

    Nobody can guess the mark, so no string in the text begins with it.
    """
    mark = secrets.token_hex(16)
    parts: list[bytes] = []
    strings: list[str] = []
    begin = 0
    for first, end in _find_strings(data):
        if end - first > _LONG:
            parts += data[begin:first], f"{mark}{len(strings)}".encode()
            strings.append(_decode(data[first:end]))
            begin = end
    parts.append(data[begin:])
    return b"".join(parts), strings, mark


def _find_strings(data: bytes) -> Iterator[tuple[int, int]]:
    """Where the contents of each string begin and end. Raises ValueError for too many quotation marks."""
    quotes = 0
    quote = data.find(b'"')
    while quote >= 0:
        first, searched = quote + 1, quote + 1
        while True:
            quotes += 1
            if quotes > _MAX_QUOTES:
                raise ValueError("it has too many strings")
            end = data.find(b'"', searched)
            if end < 0:
                return  # the parser says so
            if end - first > MAX_TEXT_BYTES and data[end - 1] == _BACKSLASH:
                raise _too_long()
            before = data[searched:end]
            if (len(before) - len(before.rstrip(b"\\"))) % 2 == 0:
                break
            searched = end + 1  # an escaped quotation mark
        yield first, end
        quote = data.find(b'"', end + 1)


def _decode(octets: bytes) -> str:
    """The text of a long string. Raises ValueError."""
    if b"\\" not in octets and octets.isascii():
        for part in (octets[place : place + _SLICE] for place in range(0, len(octets), _SLICE)):
            if not part.isalnum() and _CONTROL.search(part):
                raise ValueError("not JSON: Invalid control character in a long string")
        return octets.decode("ascii")
    if len(octets) > MAX_TEXT_BYTES:
        raise _too_long()
    text: str = strict_json.loads(b'"' + octets + b'"', max_depth=0)
    return text


def _too_long() -> ValueError:
    return ValueError(
        f"a text of more than {MAX_TEXT_BYTES} bytes with escapes or characters beyond ASCII"
    )
