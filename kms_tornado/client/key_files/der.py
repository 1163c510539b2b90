"""What DER shows without being loaded: whether it is a certificate, PKCS#7, #8 or #12, or SPKI, and a key's algorithm.

Keys in PKCS#8 and SPKI are sent to the server, and written to files, as the octets that they are. If they were loaded
and written again, an RSA-PSS key would become an RSA key, and a key on a curve that the library lacks would be refused.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...kmip.enums import CryptographicAlgorithm

_A = CryptographicAlgorithm
_INTEGER, _BIT_STRING, _OCTET_STRING, _SEQUENCE = 0x02, 0x03, 0x04, 0x30

#: The OID of an AlgorithmIdentifier, in DER → KMIP's algorithm.
_ALGORITHMS: Mapping[bytes, CryptographicAlgorithm] = {
    bytes.fromhex(oid): algorithm
    for oid, algorithm in (
        ("06092a864886f70d010101", _A.RSA),
        ("06092a864886f70d01010a", _A.RSA),  # RSASSA-PSS
        ("06072a8648ce3d0201", _A.EC),
        ("06072a8648ce380401", _A.DSA),
        ("06092a864886f70d010301", _A.DH),  # PKCS#3
        ("06072a8648ce3e0201", _A.DH),  # X9.42
        ("06032b656e", _A.ECDH),  # X25519
        ("06032b656f", _A.ECDH),  # X448
        ("06032b6570", _A.ED25519),
        ("06032b6571", _A.ED448),
    )
}


def is_pkcs8(octets: bytes) -> bool:
    """Whether the octets have the shape of a PKCS#8 that is not encrypted."""
    tags = [tag for tag, _ in _read_elements(octets)]
    return tags[:3] == [_INTEGER, _SEQUENCE, _OCTET_STRING]


def is_spki(octets: bytes) -> bool:
    """Whether the octets have the shape of a SubjectPublicKeyInfo."""
    return [tag for tag, _ in _read_elements(octets)] == [_SEQUENCE, _BIT_STRING]


def find_key_algorithm(octets: bytes) -> CryptographicAlgorithm | None:
    """The algorithm of a PKCS#8 or SPKI; None for one that has no name in KMIP 2.1."""
    identifier = next((body for tag, body in _read_elements(octets) if tag == _SEQUENCE), b"")
    return next((name for oid, name in _ALGORITHMS.items() if identifier.startswith(oid)), None)


def is_der(octets: bytes) -> bool:
    """Whether the octets are exactly one SEQUENCE; in BER, it may have an end mark."""
    if len(octets) < 2 or octets[0] != _SEQUENCE:
        return False
    content_at, length = _measure(octets)
    if length is None:
        return octets.endswith(b"\0\0")
    return len(octets) == content_at + length


def is_certificate(octets: bytes) -> bool:
    """Whether a DER file begins like a certificate: signed, and with a version, or a number and an OID.

    `cryptography` cannot read all certificates, so it is not asked.
    """
    body = octets[_measure(octets)[0] :]
    if body[:1] != bytes((_SEQUENCE,)):
        return False
    first = body[_measure(body)[0] :]
    if first[:1] == b"\xa0":
        return True
    content_at, length = _measure(first)
    algorithm = first[content_at + (length or 0) :]
    return (
        first[:1] == b"\x02"
        and algorithm[:1] == bytes((_SEQUENCE,))
        and algorithm[_measure(algorithm)[0] :][:1] == b"\x06"
    )


def is_pkcs12(octets: bytes) -> bool:
    """Whether a DER file begins like a PFX: with the version 3 (RFC 7292 §4), where keys have 0 or 1."""
    header = _measure(octets)[0]
    return octets[header : header + 3] == b"\x02\x01\x03"


def is_pkcs7(octets: bytes) -> bool:
    """Whether a DER file begins like PKCS#7: with an OBJECT IDENTIFIER, as no key does (RFC 2315 §7)."""
    header = _measure(octets)[0]
    return octets[header : header + 1] == b"\x06"


def _measure(element: bytes) -> tuple[int, int | None]:
    """(where the content begins, its length) of an element; the length is None where there is an end mark."""
    length = element[1] if len(element) > 1 else 0
    if length == 0x80:
        return 2, None
    if length < 0x80:
        return 2, length
    content_at = 2 + length - 0x80
    return content_at, int.from_bytes(element[2:content_at], "big")


def _read_elements(octets: bytes) -> list[tuple[int, bytes]]:
    """Tag and content of each element in the SEQUENCE; none where the octets are something else."""
    outer = _read_element(octets)
    if outer is None or outer[0] != _SEQUENCE or outer[2]:
        return []
    elements, rest = [], outer[1]
    while rest:
        element = _read_element(rest)
        if element is None:
            return []
        tag, content, rest = element
        elements.append((tag, content))
    return elements


def _read_element(octets: bytes) -> tuple[int, bytes, bytes] | None:
    """Tag and content of the first element, and the octets after it."""
    if len(octets) < 2:
        return None
    length, start = octets[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(octets[2:start], "big")
    end = start + length
    return None if end > len(octets) else (octets[0], octets[start:end], octets[end:])
