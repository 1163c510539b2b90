"""Hash functions under their KMIP numbers: SHA-1, SHA-2, SHA-3 (KMIP 2.1 §11.21)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from cryptography.hazmat.primitives import hashes

from ..errors import UnsupportedCryptographicParameters
from ..kmip.enums import HashingAlgorithm
from ..kmip.tables import format_name

_H = HashingAlgorithm

HASHES: Mapping[HashingAlgorithm, hashes.HashAlgorithm] = MappingProxyType(
    {
        _H.SHA_1: hashes.SHA1(),  # noqa: S303  signatures over it are refused elsewhere
        _H.SHA_224: hashes.SHA224(),
        _H.SHA_256: hashes.SHA256(),
        _H.SHA_384: hashes.SHA384(),
        _H.SHA_512: hashes.SHA512(),
        _H.SHA_512_224: hashes.SHA512_224(),
        _H.SHA_512_256: hashes.SHA512_256(),
        _H.SHA3_224: hashes.SHA3_224(),
        _H.SHA3_256: hashes.SHA3_256(),
        _H.SHA3_384: hashes.SHA3_384(),
        _H.SHA3_512: hashes.SHA3_512(),
    }
)

#: Bytes of a block of the hash. HMAC replaces a longer key by its hash (RFC 2104 §2).
BLOCK_BYTES: Mapping[HashingAlgorithm, int] = MappingProxyType(
    {
        **dict.fromkeys((_H.SHA_1, _H.SHA_224, _H.SHA_256), 64),
        **dict.fromkeys((_H.SHA_384, _H.SHA_512, _H.SHA_512_224, _H.SHA_512_256), 128),
        _H.SHA3_224: 144,
        _H.SHA3_256: 136,
        _H.SHA3_384: 104,
        _H.SHA3_512: 72,
    }
)


def find_hash(algorithm: HashingAlgorithm) -> hashes.HashAlgorithm:
    """The library's hash. Raises UnsupportedCryptographicParameters."""
    function = HASHES.get(algorithm)
    if function is None:
        raise UnsupportedCryptographicParameters(
            f"the hash {format_name(algorithm)} is not offered"
        )
    return function


class Hasher:
    """The hash value of data that comes in parts."""

    def __init__(self, algorithm: HashingAlgorithm) -> None:
        """Raises UnsupportedCryptographicParameters."""
        self._context = hashes.Hash(find_hash(algorithm))

    def update(self, data: bytes) -> None:
        self._context.update(data)

    def finish(self) -> bytes:
        return self._context.finalize()


def compute_digest(algorithm: HashingAlgorithm, data: bytes) -> bytes:
    """The hash value of data. Raises UnsupportedCryptographicParameters."""
    hasher = Hasher(algorithm)
    hasher.update(data)
    return hasher.finish()
