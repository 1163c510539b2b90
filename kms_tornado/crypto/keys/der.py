"""DER (X.690) as far as keys need it: strict to read, so that one key has one encoding.

Reading takes no arithmetic and no library: a key that is registered is looked through in
microseconds, whatever its numbers are worth. Every fault is the same InvalidField and says nothing
of the octets.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...errors import InvalidField

INTEGER, BIT_STRING, OCTET_STRING, NULL, OID, SEQUENCE = 0x02, 0x03, 0x04, 0x05, 0x06, 0x30


def malformed_key_error() -> InvalidField:
    return InvalidField("the key material is not what its KeyFormatType says")


class DERReader:
    """The elements of one constructed value, one after the other.

    Raises InvalidField for another tag, a length that is not the shortest or runs over the end, and
    octets that are left over.
    """

    __slots__ = ("_at", "_end", "_octets")

    def __init__(self, octets: bytes) -> None:
        self._octets, self._at, self._end = octets, 0, len(octets)

    def read(self, tag: int) -> bytes:
        """The content of the next element, which must have this tag."""
        content_at, content_end = self._read_header(tag)
        self._at = content_end
        return self._octets[content_at:content_end]

    def read_raw(self, tag: int) -> bytes:
        """The next element whole, header and content."""
        begin = self._at
        self.read(tag)
        return self._octets[begin : self._at]

    def read_sequence(self) -> DERReader:
        return DERReader(self.read(SEQUENCE))

    def read_integer(self) -> int:
        """A number that is not negative; the keys of this world have no other."""
        content = self.read(INTEGER)
        if not content or content[0] & 0x80:
            raise malformed_key_error()
        if len(content) > 1 and content[0] == 0 and not content[1] & 0x80:
            raise malformed_key_error()
        return int.from_bytes(content, "big")

    def read_bits(self) -> bytes:
        """A bit string of whole octets."""
        content = self.read(BIT_STRING)
        if not content or content[0]:
            raise malformed_key_error()
        return content[1:]

    def has_next(self, tag: int) -> bool:
        """Whether an element with this tag comes next."""
        return self._at < self._end and self._octets[self._at] == tag

    def read_rest(self) -> Iterator[bytes]:
        """What is left, element by element, whole and whatever their tags."""
        while self._at != self._end:
            yield self.read_raw(self._octets[self._at])

    def check_end(self) -> None:
        if self._at != self._end:
            raise malformed_key_error()

    def _read_header(self, tag: int) -> tuple[int, int]:
        at, octets = self._at, self._octets
        if self._end - at < 2 or octets[at] != tag:
            raise malformed_key_error()
        length, at = octets[at + 1], at + 2
        if length & 0x80:
            size = length & 0x7F
            if not 1 <= size <= 4 or self._end - at < size:
                raise malformed_key_error()
            length = int.from_bytes(octets[at : at + size], "big")
            if length < 0x80 or length >> 8 * (size - 1) == 0:
                raise malformed_key_error()
            at += size
        if length > self._end - at:
            raise malformed_key_error()
        return at, at + length


def read_sequence(octets: bytes) -> DERReader:
    """What is in the one SEQUENCE that the octets are, and nothing behind it."""
    outer = DERReader(octets)
    inner = outer.read_sequence()
    outer.check_end()
    return inner


def encode(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    size = (length.bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + length.to_bytes(size, "big") + content


def encode_sequence(*elements: bytes) -> bytes:
    return encode(SEQUENCE, b"".join(elements))


def encode_integer(number: int) -> bytes:
    """number: not negative."""
    return encode(INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def encode_bits(octets: bytes) -> bytes:
    return encode(BIT_STRING, b"\0" + octets)
