"""BER (ITU-T X.690) as certificates in practice are encoded: a reader that demands only what it needs.

`der` reads keys, which the server converts into other formats; it demands the one encoding that DER has. A certificate
is kept as the octets in which it came, whether or not its maker followed the rules. OpenSSL and Java accept lengths
that are not in the shortest form and lengths that are not stated, and so does this reader.
"""

from __future__ import annotations

from typing import NamedTuple

CONSTRUCTED = 0x20
#: Low bits of a first octet that say that more octets with the number of the tag follow.
_LONG_TAG = 0x1F
_END_OF_CONTENTS = b"\0\0"
#: Types that are never in parts (X.690 §8.3.1, §8.19.1): INTEGER, OBJECT IDENTIFIER.
_PRIMITIVE_TAGS = frozenset({0x02, 0x06})
#: Elements that one reader passes over to find ends that are marked, and parts of a string: certificates have
#: dozens. A thousand take two milliseconds, and the event loop waits.
MAX_STEPS = 1000


class MalformedBER(ValueError):
    """The octets are not elements of BER."""


class Element(NamedTuple):
    """One element. tag: the first octet. raw: header, content and end. content: the octets in between."""

    tag: int
    raw: bytes
    content: bytes

    def read_string(self) -> bytes:
        """The octets of a string; if it came in parts, joined (X.690 §8.7.3)."""
        if not self.tag & CONSTRUCTED:
            return self.content
        parts = BERReader(self.content).read_all(most=MAX_STEPS)
        if any(part.tag & CONSTRUCTED for part in parts):
            raise MalformedBER  # parts of parts, which nobody makes
        return b"".join(part.content for part in parts)


class BERReader:
    """The elements of one constructed value, one after the other.

    It does not recurse, so that nested input cannot exhaust the stack. Every method may raise MalformedBER.
    """

    __slots__ = ("_at", "_octets", "_steps_left")

    def __init__(self, octets: bytes) -> None:
        self._octets, self._at, self._steps_left = octets, 0, MAX_STEPS

    @property
    def remaining(self) -> int:
        """How many octets were not read yet."""
        return len(self._octets) - self._at

    def read_any(self) -> Element:
        """The next element, whatever its tag."""
        start = self._at
        tag, content_at, length = _read_header(self._octets, start)
        if length is None:
            content_end = self._find_end(content_at)
            self._at = content_end + len(_END_OF_CONTENTS)
        else:
            content_end = self._at = content_at + length
        return Element(tag, self._octets[start : self._at], self._octets[content_at:content_end])

    def read(self, tag: int) -> Element:
        """The next element, which must have this tag. A string may be in parts."""
        if not self.has_next(tag):
            raise MalformedBER
        return self.read_any()

    def has_next(self, tag: int) -> bool:
        """Whether an element with this tag comes next. A string may be in parts."""
        if not self.remaining:
            return False
        next_tag = self._octets[self._at]
        return next_tag == tag or (
            next_tag | CONSTRUCTED == tag | CONSTRUCTED and tag not in _PRIMITIVE_TAGS
        )

    def read_all(self, most: int | None = None) -> list[Element]:
        """The remaining elements. most: how many there may be."""
        elements: list[Element] = []
        while self.remaining:
            if len(elements) == most:
                raise MalformedBER
            elements.append(self.read_any())
        return elements

    def _find_end(self, at: int) -> int:
        """The position of the end mark of the contents that begin here."""
        octets, open_ends = self._octets, 1
        while self._steps_left:
            self._steps_left -= 1
            if octets[at : at + 2] == _END_OF_CONTENTS:
                open_ends -= 1
                if not open_ends:
                    return at
                at += len(_END_OF_CONTENTS)
                continue
            _, content_at, length = _read_header(octets, at)
            if length is None:
                open_ends += 1
            at = content_at + (length or 0)
        raise MalformedBER


def _read_header(octets: bytes, at: int) -> tuple[int, int, int | None]:
    """(tag, where the content begins, its length; None where an end mark follows it instead)."""
    try:
        tag = octets[at]
        at += 1
        if tag & _LONG_TAG == _LONG_TAG:
            while octets[at] & 0x80:
                at += 1
            at += 1
        length = octets[at]
        at += 1
    except IndexError:
        raise MalformedBER from None
    if length == 0x80:
        if not tag & CONSTRUCTED:
            raise MalformedBER
        return tag, at, None
    if length & 0x80:
        size = length & 0x7F
        length, at = int.from_bytes(octets[at : at + size], "big"), at + size
    if at + length > len(octets):
        raise MalformedBER
    return tag, at, length


def read_single(octets: bytes, tag: int) -> BERReader:
    """A reader of the content of the one element that the octets are. Raises MalformedBER."""
    outer = BERReader(octets)
    element = outer.read(tag)
    if outer.remaining:
        raise MalformedBER
    return BERReader(element.content)


def encode_oid(dotted: str) -> bytes:
    """The content of an OBJECT IDENTIFIER, for comparison."""
    first, second, *others = map(int, dotted.split("."))
    encoded = bytearray()
    for arc in (40 * first + second, *others):
        octets = [arc & 0x7F]
        while arc := arc >> 7:
            octets.append(arc & 0x7F | 0x80)
        encoded += bytes(reversed(octets))
    return bytes(encoded)
