"""BER to DER (ITU-T X.690 §8, §10), as far as PKCS#12 files need it: some programs write indefinite lengths.

What is DER already does not change. Each element is looked at once, so that deep nesting costs no more than any other
file of the same size. `ber_reader` is for values that are kept as they came.
"""

from __future__ import annotations

from ..keys.der import OCTET_STRING, encode, malformed_key_error

_CONSTRUCTED = 0x20
_MAX_DEPTH = 24
_INDEFINITE = 0x80


def convert_to_der(octets: bytes) -> bytes:
    """The first element, in DER. Anything after it is left out: some files end with zeros.

    An OCTET STRING in parts becomes a whole one; its content does not change. Raises MalformedKey.
    """
    return _convert(octets, 0, len(octets), 0)[0]


def _convert(octets: bytes, at: int, end: int, depth: int) -> tuple[bytes, int]:
    """The element at this place, in DER, and where the next one begins."""
    if depth > _MAX_DEPTH or end - at < 2 or octets[at] & 0x1F == 0x1F:
        raise malformed_key_error()
    tag, length, at = octets[at], octets[at + 1], at + 2
    if length == _INDEFINITE and not tag & _CONSTRUCTED:
        raise malformed_key_error()
    is_indefinite = length == _INDEFINITE
    if not is_indefinite:
        if length & 0x80:
            size = length & 0x7F
            length = int.from_bytes(octets[at : at + size], "big")
            at += size
        if length > end - at:
            raise malformed_key_error()
        end = at + length
        if not tag & _CONSTRUCTED:
            return encode(tag, octets[at:end]), end
    parts = []
    while at < end and not (is_indefinite and octets[at : at + 2] == b"\0\0"):
        part, at = _convert(octets, at, end, depth + 1)
        parts.append(part)
    if is_indefinite:
        if at >= end:
            raise malformed_key_error()
        at += 2
    if tag == OCTET_STRING | _CONSTRUCTED:
        return encode(OCTET_STRING, join_parts(parts)), at
    return encode(tag, b"".join(parts)), at


def join_parts(parts: list[bytes]) -> bytes:
    """The content of an OCTET STRING that came in parts; these are OCTET STRINGs in DER."""
    contents = []
    for part in parts:
        if part[0] != OCTET_STRING:
            raise malformed_key_error()
        header = 2 + (part[1] & 0x7F if part[1] & 0x80 else 0)
        contents.append(part[header:])
    return b"".join(contents)
