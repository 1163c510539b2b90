"""A strict JSON parser (RFC 8259; RFC 7515 §10.12 says why strictness matters).

Where two parsers read a text differently, a check made with one does not hold for the other. So whatever
is ambiguous is refused: duplicate members, NaN, Infinity and numbers that would overflow to it, a byte
order mark, encodings other than UTF-8, lone surrogates, and nesting deeper than the caller allows.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, AnyStr, NoReturn

try:  # the extra `fast`
    import orjson
except ImportError:
    _is_fast = False
else:
    _is_fast = True

# The most bytes, and the most objects and arrays, in a text that `orjson` reads within a millisecond or two: it holds
# the interpreter's lock all that time.
_MOST_AT_ONCE, _MOST_NESTED = 256 * 1024, 4096

#: {the first bytes of what is sent in place of JSON by mistake: what it is}
_STARTS = {
    b"\xef\xbb\xbf": "it begins with a byte order mark: send UTF-8 without one",
    b"\xff\xfe": "it is UTF-16: send UTF-8",
    b"\xfe\xff": "it is UTF-16: send UTF-8",
    b"\x1f\x8b": "it is compressed: send it as it is",  # gzip, RFC 1952 §2.3.1
}

_WINDOW = (
    512  # characters that `occurs_more_than` counts in one call; they may hold many occurrences
)


def _make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate member")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


def _parse_integer(text: str) -> int:
    # A function of Python's lets other threads run between two numbers: a long one takes 0.1 ms.
    return int(text)


def _parse_number(text: str) -> float:
    number = float(text)
    if math.isinf(number):  # 1e400 is JSON, but would be written back as Infinity
        raise ValueError("a number is too large")
    return number


_Pairs = list[tuple[str, Any]]


def _make_decoder(
    make_object: Callable[[_Pairs], dict[str, Any]],
    parse_int: Callable[[str], int] = _parse_integer,
) -> json.JSONDecoder:
    return json.JSONDecoder(
        object_pairs_hook=make_object,
        parse_constant=_refuse_constant,
        parse_float=_parse_number,
        parse_int=parse_int,
    )


_decoder = _make_decoder(_make_object)
#: For texts in which only a few long numbers have room, so that no other thread has to be let in between.
_short_decoder = _make_decoder(_make_object, int)
_SHORT = 16 * 1024


def _decode(text: str, put_back: Callable[[Any], Any] | None) -> Any:
    decoder = _short_decoder if len(text) <= _SHORT else _decoder
    if put_back is not None:
        replace = put_back

        def make_object(pairs: _Pairs) -> dict[str, Any]:
            return _make_object([(replace(name), replace(value)) for name, value in pairs])

        decoder = _make_decoder(make_object)
    if text.startswith("{"):
        # Nearly every text is one object with nothing around it, so white space need not be looked for.
        value, end = decoder.raw_decode(text)
        if end == len(text):
            return value
    return decoder.decode(text)


def loads(data: bytes, *, max_depth: int) -> Any:
    """Parse one JSON text.

    max_depth: the number of arrays and objects that may stand inside one another; a scalar has depth 0.
    Raises ValueError for anything but strict JSON, with a text that quotes nothing of the input.
    """
    value = read_plain(data, max_depth=max_depth)
    return read_any(data, max_depth=max_depth) if value is None else value


def read_plain(data: bytes, *, max_depth: int) -> Any:
    """The value of a text that is written exactly as its value would be, apart from spaces; else None.

    Such a text is strict: a duplicate member would not be written again, nor a number that overflows or loses digits,
    and `orjson` refuses the rest itself. Nearly all programs write such texts. Reading one, and writing it for the
    comparison, takes a third of the time that `json` takes with its hooks, and less where strings are long. Without
    `orjson`, the result is always None. Raises ValueError where the text is nested more deeply than max_depth.
    """
    if not _is_fast or len(data) > _MOST_AT_ONCE:
        return None
    objects, arrays = data.count(b"{"), data.count(b"[")
    if objects + arrays > _MOST_NESTED:
        return None
    try:
        value = orjson.loads(data)
        written = orjson.dumps(value)
        is_plain = written == data or written.replace(b" ", b"") == data.replace(b" ", b"")
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return None
    if not is_plain:
        return None
    if max(objects, arrays) > max_depth // 2:
        _check_depth(value, max_depth)
    return value


def read_any(data: bytes, *, max_depth: int, put_back: Callable[[Any], Any] | None = None) -> Any:
    """As `loads`, for any text. put_back: called with each name and value of an object; returns the value to use."""
    try:
        text = data.decode("utf-8")  # refuses encoded surrogates, and does not skip a BOM
        value = _decode(text, put_back)
        # Counting brackets is far cheaper than measuring the depth, and is enough for every short text.
        if occurs_more_than(max_depth // 2, "[", text) or occurs_more_than(
            max_depth // 2, "{", text
        ):
            _check_depth(value, max_depth)
        if "\\" in text and "\\u" in text:  # one character is found ten times as fast as two
            _check_surrogates(text, value)
    except RecursionError:
        raise ValueError("nested too deep") from None
    except json.JSONDecodeError as exc:
        at = f"{exc.msg} at character {exc.pos}"
        raise ValueError(f"not JSON: {recognise(data) or at}") from None
    except UnicodeDecodeError:
        form = recognise(data)
        raise ValueError("not UTF-8" if form is None else f"not JSON: {form}") from None
    except ValueError as exc:
        if "digits" in str(exc):  # Python's own text tells how to lift its limit of 4300
            raise ValueError("a number has too many digits") from None
        raise
    return value


def recognise(data: bytes) -> str | None:
    """What a text that is not JSON looks like, if its first bytes show it; None where they do not."""
    if not data.strip():
        return "nothing is there"
    for start, text in _STARTS.items():
        if data.startswith(start):
            return text
    return None


def occurs_more_than(times: int, character: AnyStr, text: AnyStr) -> bool:
    """Whether the character (in bytes: the byte) stands in the text more than `times` times.

    Unlike `count` alone it stops as soon as the answer is certain, and it passes quickly over long stretches
    without the character: `find` takes a tenth of the time of `count`.
    """
    if len(text) <= _WINDOW:
        return text.count(character) > times
    occurrences, position = 0, text.find(character)
    while position >= 0:
        end = position + _WINDOW
        occurrences += text.count(character, position, end)
        if occurrences > times:
            return True
        position = text.find(character, end)
    return False


_NESTED = frozenset({dict, list})  # a JSON parser makes these, never subclasses


def _check_depth(value: Any, max_depth: int) -> None:
    """Raises ValueError beyond max_depth. It walks level by level, so that no depth exhausts the stack."""
    level = [value] if type(value) in _NESTED else []
    for _ in range(max_depth):
        if not level:
            return
        level = [
            child
            for item in level
            for child in (item.values() if type(item) is dict else item)
            if type(child) in _NESTED
        ]
    if level:
        raise ValueError("nested too deep")


def _check_surrogates(text: str, value: Any) -> None:
    r"""Refuse strings such as "\ud800", which neither UTF-8 nor a database can hold."""
    if "\\ud" not in text.lower():
        return
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            try:
                item.encode("utf-8")
            except UnicodeEncodeError:
                raise ValueError("lone surrogate") from None
        elif isinstance(item, dict):
            stack.extend(item)
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
