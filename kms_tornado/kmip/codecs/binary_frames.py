"""Where the items of a message in binary TTLV begin and end, even if their contents are damaged (KMIP 2.1 §10)."""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct

from ...errors import InvalidMessage
from ..tables import name_tag
from ..ttlv import MAX_DEPTH, MAX_ITEMS, ItemType

#: Tag (3 bytes) and item type (1), then the length of the value (4).
_HEADER = Struct(">II")

_STRUCTURE = int(ItemType.STRUCTURE)

_TYPES = frozenset(map(int, ItemType))


def find_tag_of(octets: bytes) -> str | None:
    """The tag of the item; None where there is none of this number."""
    return name_tag(int.from_bytes(octets[:3], "big"))


def split(octets: bytes) -> Sequence[bytes]:
    """The items in a structure, in a frame that has passed `check_frame`. Raises InvalidMessage."""
    if octets[3:4] != bytes([_STRUCTURE]):
        raise InvalidMessage(f"{find_tag_of(octets)} must be a Structure")
    items = []
    position, end = _HEADER.size, _HEADER.size + _length_at(octets, 0)
    while position < end:
        if end - position < _HEADER.size:
            raise InvalidMessage(f"{find_tag_of(octets)} ends within an item")
        stop = position + _HEADER.size + _pad_length(_length_at(octets, position))
        items.append(octets[position:stop])
        position = stop
    return items


def check_frame(octets: bytes, root: str) -> None:
    """Raises InvalidMessage where it is uncertain where the items of the message begin and end.

    root: the tag that the message must have.
    The lengths of the message, of the structures directly in it, and of the items in those must fit. Deeper inside, a
    malformed header, or an item that is longer than the structure around it, is the fault of that structure alone, as
    long as no length leaves the structure directly in the message.
    """
    if find_tag_of(octets) != root or octets[3:4] != bytes([_STRUCTURE]):
        raise InvalidMessage(f"the octets are no {root}")
    end = _HEADER.size + _length_at(octets, 0) if len(octets) >= _HEADER.size else -1
    if end != len(octets):
        raise InvalidMessage(f"the length of {root} is not that of its octets")
    count, position = 1, _HEADER.size
    while position < end:
        stop = _find_end(octets, position, end)
        if octets[position + 3] == _STRUCTURE:
            if _length_at(octets, position) % 8:
                raise InvalidMessage("the length of a structure is not a multiple of 8")
            count = _check_structure(octets, position + _HEADER.size, stop, count)
        position = stop
        count += 1
    if count > MAX_ITEMS:
        raise InvalidMessage("the message has too many items")


def _check_structure(octets: bytes, start: int, end: int, count: int) -> int:
    """Check the contents of a structure directly in the message. count: of the items so far; returns the new count."""
    outer: list[int] = []  # the ends of the structures around the one at which the position is
    position, inner_end = start, end
    while True:
        while position >= inner_end:
            if not outer:
                return count
            position, inner_end = inner_end, outer.pop()
        if outer and not _is_header_at(octets, position, inner_end):
            position = inner_end
            continue
        count += 1
        if count > MAX_ITEMS:
            raise InvalidMessage("the message has too many items")
        stop = _find_end(octets, position, end)
        start, length = position + _HEADER.size, _length_at(octets, position)
        position = stop
        if octets[start - 5] == _STRUCTURE and not length % 8 and stop <= inner_end:
            if len(outer) + 3 > MAX_DEPTH:
                raise InvalidMessage("the message is nested too deep")
            outer.append(inner_end)
            position, inner_end = start, stop


def _is_header_at(octets: bytes, position: int, end: int) -> bool:
    """Whether the header of an item stands there, whatever its tag."""
    if end - position < _HEADER.size:
        return False
    return octets[position] in _TAG_STARTS and octets[position + 3] in _TYPES


_TAG_STARTS = (0x42, 0x54)


def _find_end(octets: bytes, position: int, end: int) -> int:
    """The end of the item with its padding. Raises InvalidMessage where it lies beyond the given end."""
    if end - position < _HEADER.size:
        raise InvalidMessage("the message ends within an item")
    stop = position + _HEADER.size + _pad_length(_length_at(octets, position))
    if stop > end:
        raise InvalidMessage("an item is longer than what is around it")
    return stop


def _length_at(octets: bytes, position: int) -> int:
    length: int = _HEADER.unpack_from(octets, position)[1]
    return length


def _pad_length(length: int) -> int:
    return length + -length % 8
