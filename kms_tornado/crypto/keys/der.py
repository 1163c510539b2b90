"""DER (ITU-T X.690), as far as keys and certificates need it: a strict reader, and a writer."""

# Why the DER of keys is read and written by hand.
#
# `cryptography` reads keys, too, but its loaders answer another question: whether a key can be
# used. This server stores keys that it would not use, and has to return what was registered:
#
# - OASIS profile case BL-M-9 registers an RSA key whose primes are not prime, and gets it back.
# - DSA keys, and RSA keys of lengths that no operation uses, are stored as well.
# - The library tests the primes of every RSA private key that it loads: 90 ms at 2048 bits, which
#   would block the event loop although nobody has asked to use the key.
#
# So reading a key and converting it to another format take no arithmetic, and only microseconds,
# whether or not the numbers make a key that works. `normalising` checks a point or a scalar before it
# is stored, which is cheap, and `loading` every key when it is used; from there on the library computes.
#
# What is checked here, so that one key has exactly one encoding:
#
# - the tag of each element, and that it occurs where it belongs;
# - a length in its shortest form, of at most 4 bytes, that does not run past the enclosing element;
# - integers that are not negative, without needless leading zeros;
# - bit strings of whole octets;
# - that nothing is left over after the last element.
#
# The reader does not recurse, so that nested input cannot exhaust the stack. Every fault raises the
# same InvalidField, which reveals nothing of the octets.

from __future__ import annotations

from collections.abc import Iterator

from ...errors import MalformedKey

INTEGER, BIT_STRING, OCTET_STRING, NULL, OID, SEQUENCE = 0x02, 0x03, 0x04, 0x05, 0x06, 0x30


def malformed_key_error() -> MalformedKey:
    """The same error for every fault of an encoding."""
    return MalformedKey("the key material is not what its KeyFormatType says")


class DERReader:
    """The elements of one constructed value, one after the other.

    Every method may raise InvalidField.
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
        start = self._at
        self.read(tag)
        return self._octets[start : self._at]

    def read_sequence(self) -> DERReader:
        """A reader of the next element, a SEQUENCE."""
        return DERReader(self.read(SEQUENCE))

    def read_integer(self) -> int:
        """The next element, an integer that is not negative."""
        content = self.read(INTEGER)
        if not content or content[0] & 0x80:
            raise malformed_key_error()
        if len(content) > 1 and content[0] == 0 and not content[1] & 0x80:
            raise malformed_key_error()
        return int.from_bytes(content, "big")

    def read_bits(self) -> bytes:
        """The next element, a bit string of whole octets."""
        content = self.read(BIT_STRING)
        if not content or content[0]:
            raise malformed_key_error()
        return content[1:]

    def has_next(self, tag: int) -> bool:
        """Whether an element with this tag comes next."""
        return self._at < self._end and self._octets[self._at] == tag

    def read_rest(self) -> Iterator[bytes]:
        """The remaining elements, each with its header, whatever their tags."""
        while self._at != self._end:
            yield self.read_raw(self._octets[self._at])

    def check_end(self) -> None:
        """Raises InvalidField where an element is left."""
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
    """A reader of the single SEQUENCE that the octets are.

    Raises InvalidField if anything follows it.
    """
    outer = DERReader(octets)
    inner = outer.read_sequence()
    outer.check_end()
    return inner


def encode(tag: int, content: bytes) -> bytes:
    """One element, with its length in the shortest form."""
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
