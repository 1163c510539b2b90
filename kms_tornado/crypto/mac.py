"""MACs: HMAC (RFC 2104) with SHA-1, SHA-2 and SHA-3, and AES-CMAC (RFC 4493)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC
from cryptography.hazmat.primitives.constant_time import bytes_eq
from cryptography.hazmat.primitives.hmac import HMAC

from ..errors import UnsupportedCryptographicParameters
from ..kmip.enums import BlockCipherMode, CryptographicAlgorithm, HashingAlgorithm
from ..kmip.structures import CryptographicParameters
from ..kmip.tables import format_name
from .hashes import BLOCK_BYTES, find_hash
from .material import KeyMaterial
from .policy import Technique

_A, _H = CryptographicAlgorithm, HashingAlgorithm

HMACS: Mapping[CryptographicAlgorithm, HashingAlgorithm] = MappingProxyType(
    {
        _A.HMAC_SHA1: _H.SHA_1,
        _A.HMAC_SHA224: _H.SHA_224,
        _A.HMAC_SHA256: _H.SHA_256,
        _A.HMAC_SHA384: _H.SHA_384,
        _A.HMAC_SHA512: _H.SHA_512,
        _A.HMAC_SHA3_224: _H.SHA3_224,
        _A.HMAC_SHA3_256: _H.SHA3_256,
        _A.HMAC_SHA3_384: _H.SHA3_384,
        _A.HMAC_SHA3_512: _H.SHA3_512,
    }
)


@dataclass(frozen=True, slots=True)
class MACSuite:
    """One MAC algorithm. hash: of the HMAC; None for AES-CMAC."""

    hash: HashingAlgorithm | None

    @property
    def technique(self) -> Technique:
        return Technique.AES_CMAC if self.hash is None else Technique.HMAC


def choose_mac_suite(
    algorithm: CryptographicAlgorithm | None, parameters: CryptographicParameters | None
) -> MACSuite:
    """The MAC that the parameters ask for with a key of the algorithm.

    A named HMAC works with any symmetric key (OASIS case CS-AC-M-4 uses an AES key). Where none is
    named, an HMAC key is used for its own HMAC, and an AES key for AES-CMAC.
    Raises UnsupportedCryptographicParameters.
    """
    requested = parameters or CryptographicParameters()
    named_algorithm = requested.cryptographic_algorithm or algorithm
    mode = requested.block_cipher_mode
    if named_algorithm is not None and named_algorithm in HMACS and mode is None:
        if requested.hashing_algorithm not in {None, HMACS[named_algorithm]}:
            raise UnsupportedCryptographicParameters("HashingAlgorithm is not that of the HMAC")
        return MACSuite(HMACS[named_algorithm])
    if named_algorithm is algorithm is _A.AES and mode in {None, BlockCipherMode.CMAC}:
        if requested.hashing_algorithm is not None:
            raise UnsupportedCryptographicParameters("AES-CMAC has no hash: name an HMAC algorithm")
        return MACSuite(None)
    raise UnsupportedCryptographicParameters("the parameters name no HMAC and no AES-CMAC")


def check_hmac_key(algorithm: HashingAlgorithm, key: KeyMaterial) -> None:
    """Raises UnsupportedCryptographicParameters for a key that is empty, or longer than a block of the hash.

    HMAC would hash a longer key, so that the hash becomes the key. A hash is not kept secret elsewhere, and whoever
    sees it could use it in the key's place.
    """
    find_hash(algorithm)
    if not key.bits:
        raise UnsupportedCryptographicParameters("the key is empty")
    longest = BLOCK_BYTES[algorithm]
    if key.bits > 8 * longest:
        raise UnsupportedCryptographicParameters(
            f"an HMAC with {format_name(algorithm)} takes keys of at most {longest} bytes"
        )


class MACContext:
    """The MAC of data that comes in parts."""

    def __init__(self, suite: MACSuite, key: KeyMaterial) -> None:
        """Raises UnsupportedCryptographicParameters where the key does not fit the algorithm."""
        octets = key.reveal()
        self._context: HMAC | CMAC
        if suite.hash is not None:
            check_hmac_key(suite.hash, key)
            self._context = HMAC(octets, find_hash(suite.hash))
        elif len(octets) in {16, 24, 32}:
            self._context = CMAC(AES(octets))
        else:
            raise UnsupportedCryptographicParameters("the key's length does not fit the algorithm")

    def update(self, data: bytes) -> None:
        self._context.update(data)

    def finish(self) -> bytes:
        return self._context.finalize()


def compute_mac(suite: MACSuite, key: KeyMaterial, data: bytes) -> bytes:
    """The MAC of data, in full length. Raises UnsupportedCryptographicParameters."""
    context = MACContext(suite, key)
    context.update(data)
    return context.finish()


def is_same_mac(computed: bytes, received: bytes) -> bool:
    """Compare in constant time.

    A truncated MAC never matches: of a single byte, every 256th guess would pass.
    """
    return bytes_eq(computed, received)
