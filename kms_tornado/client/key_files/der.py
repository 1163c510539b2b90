"""What the DER of a key shows without loading the key: whether it is PKCS#8 or SPKI, and its algorithm.

Keys in these two forms are sent to the server, and written to files, as the octets that they are. If they were loaded
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
