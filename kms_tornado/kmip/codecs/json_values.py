"""The values of TTLV items in JSON, item type by item type.

KMIP JSON profile; docs/dialects.md, "JSON TTLV".

A reader takes (tag, JSON value) and returns the item's value, or raises InvalidField; a writer returns
the JSON value. Error texts name the tag and the expected form. They never quote a value, which may be
secret; the one exception is an unknown name of an enumeration, which they shorten.
"""

from __future__ import annotations

import re
from binascii import unhexlify
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from ...errors import InvalidField
from ..suggestions import UnknownName, suggest_value
from ..tables import ENUMERATIONS, MASKS
from ..ttlv import MAX_BIG_INTEGER_OCTETS, TYPE_NAMES, Dialect, ItemType, Value

#: Beyond it the profile requires hexadecimal, because a double does not hold every larger integer exactly.
MAX_SAFE_NUMBER = 2**52

#: Characters of a mask that is written by names: five times as many as all its names have together.
MAX_MASK_LENGTH = 1000

_HEX_SLICE = 128 * 1024  # digits, an even number, in 0.1 ms

MAX_QUOTED = 60  # characters of a client's word in an error text: enough to recognise a typo


def quote(name: str) -> str:
    """A client's word for an error text: one line, shortened."""
    quoted = repr(name[:MAX_QUOTED])  # escapes line breaks and other characters that do not print
    return quoted if len(quoted) <= MAX_QUOTED else quoted[: MAX_QUOTED - 1] + "…"


# --- readers ------------------------------------------------------------------------------------


def _read_integer(tag: str, value: Any) -> int:
    if type(value) is int:  # not isinstance, which accepts True
        number = value
    elif isinstance(value, str) and tag in MASKS:
        number = _read_mask(tag, value)
    else:
        number = _read_signed_hex(tag, value, 8)
    if not -(2**31) <= number < 2**31:
        raise InvalidField(f"{tag} does not fit an Integer of 32 bits")
    return number


def _read_long_integer(tag: str, value: Any) -> int:
    if type(value) is not int:
        return _read_signed_hex(tag, value, 16)
    if abs(value) > MAX_SAFE_NUMBER:
        raise InvalidField(f'{tag} must be "0x" and 16 hexadecimal digits beyond 2^52')
    return value


def _read_interval(tag: str, value: Any) -> int:
    seconds = value if type(value) is int else _read_unsigned_hex(tag, value)
    if not 0 <= seconds < 2**32:
        raise InvalidField(f"{tag} does not fit an Interval of 32 bits")
    return seconds


def _read_big_integer(tag: str, value: Any) -> int:
    if type(value) is int and abs(value) <= MAX_SAFE_NUMBER:
        return value
    digits = len(value) - 2 if isinstance(value, str) else 0
    if digits > 2 * MAX_BIG_INTEGER_OCTETS:
        raise InvalidField(f"{tag} is too long a BigInteger")
    if not digits or not _HEX.fullmatch(value):
        raise InvalidField(f'{tag} must be a BigInteger: "0x" and hexadecimal digits')
    number = int(value, 16)
    # A number whose length is a multiple of 8 bytes, as the profile requires, is signed. Those of
    # other lengths, which cloudproof_kms_js sends, are not.
    negative = digits % 16 == 0 and number >> (4 * digits - 1)
    return number - (1 << 4 * digits) if negative else number


def _read_enumeration(tag: str, value: Any) -> int:
    if type(value) is int:
        number: int | None = value
    elif not isinstance(value, str):
        raise InvalidField(f"{tag} must be a name or a number")
    elif value[:2] == "0x":
        number = _read_unsigned_hex(tag, value)
    else:
        enumeration = ENUMERATIONS.get(tag)
        number = enumeration.number(value) if enumeration else None
    if number is None:
        raise UnknownName(f"{tag} has no value {quote(value)}", suggest_value, tag, value)
    if not 0 <= number < 2**32:
        raise InvalidField(f"{tag} does not fit an Enumeration of 32 bits")
    return number


_BOOLEANS = {"0x0000000000000001": True, "0x0000000000000000": False}


def _read_boolean(tag: str, value: Any) -> bool:
    if isinstance(value, str):
        value = _BOOLEANS.get(value)
    if not isinstance(value, bool):
        raise InvalidField(f"{tag} must be true or false")
    return value


def _read_text_string(tag: str, value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidField(f"{tag} must be a TextString")
    if "\0" in value:  # PostgreSQL cannot store it, and C libraries stop reading there
        raise InvalidField(f"{tag} may not contain the null character")
    return value


def _read_byte_string(tag: str, value: Any) -> bytes:
    try:
        if isinstance(value, str):
            return _read_hex(value)
    except ValueError:
        pass
    raise InvalidField(f"{tag} must be a ByteString: an even number of hexadecimal digits")


def _read_hex(text: str) -> bytes:
    """Raises ValueError. A long text is read in slices: each holds the interpreter's lock."""
    if len(text) <= _HEX_SLICE:
        # Not bytes.fromhex, which skips white space.
        return unhexlify(text)
    slices = (text[place : place + _HEX_SLICE] for place in range(0, len(text), _HEX_SLICE))
    return b"".join(map(unhexlify, slices))


def _read_date_time(tag: str, value: Any) -> int:
    if isinstance(value, str) and value[:2] == "0x":
        return _read_signed_hex(tag, value, 16)
    return _read_microseconds(tag, value) // 1_000_000


def _read_date_time_extended(tag: str, value: Any) -> int:
    if isinstance(value, str) and value[:2] == "0x":
        return _read_signed_hex(tag, value, 16)
    return _read_microseconds(tag, value)


#: The text of "type" → (item type, the reader of "value"). Structures are read by the codec.
READERS: Mapping[str, tuple[ItemType, Callable[[str, Any], Value]]] = {
    "Integer": (ItemType.INTEGER, _read_integer),
    "LongInteger": (ItemType.LONG_INTEGER, _read_long_integer),
    "BigInteger": (ItemType.BIG_INTEGER, _read_big_integer),
    "Enumeration": (ItemType.ENUMERATION, _read_enumeration),
    "Boolean": (ItemType.BOOLEAN, _read_boolean),
    "TextString": (ItemType.TEXT_STRING, _read_text_string),
    "ByteString": (ItemType.BYTE_STRING, _read_byte_string),
    "DateTime": (ItemType.DATE_TIME, _read_date_time),
    "Interval": (ItemType.INTERVAL, _read_interval),
    "DateTimeExtended": (ItemType.DATE_TIME_EXTENDED, _read_date_time_extended),
}

_HEX = re.compile(r"0x[0-9A-Fa-f]+", re.ASCII)


def _read_signed_hex(tag: str, value: Any, digits: int) -> int:
    """A number in two's complement; all its digits must be present, or the sign would be a guess."""
    if not isinstance(value, str) or len(value) != digits + 2 or not _HEX.fullmatch(value):
        raise InvalidField(f'{tag} must be a whole number, or "0x" and {digits} hexadecimal digits')
    number = int(value, 16)
    return number - (1 << 4 * digits) if number >> (4 * digits - 1) else number


def _read_unsigned_hex(tag: str, value: Any) -> int:
    if not isinstance(value, str) or len(value) > 10 or not _HEX.fullmatch(value):
        raise InvalidField(f'{tag} must be a whole number, or "0x" and 8 hexadecimal digits')
    return int(value, 16)


def _read_mask(tag: str, value: str) -> int:
    """``Encrypt|Decrypt``; a space between names, as in the XML profile, is accepted too."""
    if len(value) > MAX_MASK_LENGTH:
        raise InvalidField(f"{tag} is too long")
    bits = 0
    for name in value.replace("|", " ").split() or [""]:
        if name[:2] == "0x":
            bit: int | None = _read_signed_hex(tag, name, 8)
        else:
            bit = ENUMERATIONS[tag].number(name)
        if bit is None:
            raise UnknownName(f"{tag} has no value {quote(name)}", suggest_value, tag, name)
        bits |= bit
    return bits


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


def _read_microseconds(tag: str, value: Any) -> int:
    # The pattern is checked first: fromisoformat also accepts week dates, and times without an offset,
    # which would mean a different moment on every server.
    try:
        if isinstance(value, str) and _RFC_3339.fullmatch(value):
            return (datetime.fromisoformat(value.upper()) - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError):
        pass
    raise InvalidField(f'{tag} must be a date and time with an offset, or "0x" and 16 digits')


# --- writers ------------------------------------------------------------------------------------


def _write_hex_64(tag: str, value: int) -> str:
    return f"0x{value & (2**64 - 1):016X}"


def _write_big_integer(tag: str, value: int) -> str:
    octets = (value.bit_length() // 64 + 1) * 8
    return "0x" + value.to_bytes(octets, "big", signed=True).hex().upper()


def _write_byte_string(tag: str, value: bytes) -> str:
    return value.hex().upper()


def _write_date_time(tag: str, value: int) -> str:
    try:
        return (_EPOCH + timedelta(seconds=value)).isoformat()
    except OverflowError:  # a 64-bit date outside the years 1 to 9999
        return _write_hex_64(tag, value)


def _make_enumeration_writer(
    names: Mapping[str, Mapping[int, str]],
) -> Callable[[str, Any], str]:
    no_names: Mapping[int, str] = {}

    def write(tag: str, value: Any) -> str:
        name = names.get(tag, no_names).get(value)
        if name is None:  # a text is an operation of that name, which the client has made up
            return value if isinstance(value, str) else f"0x{value:08X}"
        return name

    return write


def _write_integer_or_mask(tag: str, value: Any) -> Any:
    """The profile writes masks by name, or as a number where a bit has no name."""
    if tag not in MASKS or value <= 0:
        return value
    names = ENUMERATIONS[tag].oasis
    unnamed = value & ~sum(names)
    return value if unnamed else "|".join(name for bit, name in names.items() if value & bit)


#: The function that writes "value"; None where JSON has the value unchanged.
_Writer = Callable[[str, Any], Any] | None

_COMMON_WRITERS: Mapping[ItemType, _Writer] = {
    ItemType.INTEGER: None,
    ItemType.LONG_INTEGER: _write_hex_64,
    ItemType.BIG_INTEGER: _write_big_integer,
    ItemType.BOOLEAN: None,
    ItemType.TEXT_STRING: None,
    ItemType.BYTE_STRING: _write_byte_string,
    ItemType.DATE_TIME: _write_date_time,
    ItemType.INTERVAL: None,
    ItemType.DATE_TIME_EXTENDED: _write_hex_64,
}

_COSMIAN_WRITERS: Mapping[ItemType, _Writer] = {
    **_COMMON_WRITERS,
    ItemType.ENUMERATION: _make_enumeration_writer(
        {tag: enumeration.cosmian for tag, enumeration in ENUMERATIONS.items()}
    ),
}

_OASIS_WRITERS: Mapping[ItemType, _Writer] = {
    **_COMMON_WRITERS,
    ItemType.INTEGER: _write_integer_or_mask,
    ItemType.ENUMERATION: _make_enumeration_writer(
        {tag: enumeration.oasis for tag, enumeration in ENUMERATIONS.items()}
    ),
}


def _with_type_names(writers: Mapping[ItemType, _Writer]) -> Mapping[ItemType, tuple[str, _Writer]]:
    return {item_type: (TYPE_NAMES[item_type], write) for item_type, write in writers.items()}


#: Dialect → item type → (the text of "type", the writer of "value").
WRITERS: Mapping[Dialect, Mapping[ItemType, tuple[str, _Writer]]] = {
    Dialect.COSMIAN: _with_type_names(_COSMIAN_WRITERS),
    Dialect.OASIS: _with_type_names(_OASIS_WRITERS),
    Dialect.OASIS_UNTYPED: _with_type_names(_OASIS_WRITERS),
}
