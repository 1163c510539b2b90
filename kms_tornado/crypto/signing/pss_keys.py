"""Keys of id-RSASSA-PSS, which make no other signatures, and may state their parameters (RFC 4055 §3.1).

The signatures of such a key use the hashes that it names, and a salt of at least the length that it names. The library
does not tell a verifier how long the salt of a signature is. So that limit is enforced when the server signs, and when
a request to verify states a length.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ...errors import UnsupportedCryptographicParameters
from ...kmip.enums import HashingAlgorithm
from ...kmip.structures import CryptographicParameters
from ...kmip.tables import format_name
from ..keys.der import NULL, OID, DERReader, malformed_key_error, read_sequence
from ..keys.library_keys import PrivateKey, PublicKey
from .schemes import SignatureAlgorithm, SignatureScheme, choose_signature_scheme

_H = HashingAlgorithm

_MGF1 = bytes.fromhex("2a864886f70d010108")
_NIST_HASHES = bytes.fromhex("6086480165030402")
#: Object identifier → hash.
_HASHES: Mapping[bytes, HashingAlgorithm] = MappingProxyType(
    {
        bytes.fromhex("2b0e03021a"): _H.SHA_1,
        **{
            _NIST_HASHES + bytes([last]): hashing
            for last, hashing in enumerate(
                (_H.SHA_256, _H.SHA_384, _H.SHA_512, _H.SHA_224, _H.SHA_512_224, _H.SHA_512_256,
                 _H.SHA3_224, _H.SHA3_256, _H.SHA3_384, _H.SHA3_512),
                start=1,
            )
        },
    }
)  # fmt: skip
#: [0] hashAlgorithm, [1] maskGenAlgorithm, [2] saltLength, [3] trailerField
_HASH, _MASK, _SALT, _TRAILER = 0xA0, 0xA1, 0xA2, 0xA3


@dataclass(frozen=True, slots=True)
class PSSLimits:
    """The limits that a key states. salt_length: the least one, in bytes."""

    hashing: HashingAlgorithm
    mask_hashing: HashingAlgorithm
    salt_length: int


def read_pss_limits(parameters: bytes) -> PSSLimits | None:
    """The limits in the parameters; None for b"", which sets none.

    parameters: RSASSA-PSS-params in DER. Raises MalformedKey, UnsupportedCryptographicParameters.
    """
    if not parameters:
        return None
    fields = read_sequence(parameters)
    # What is left out has its default (RFC 8017 appendix A.2.3).
    hashing = mask_hashing = HashingAlgorithm.SHA_1
    salt_length = 20
    if fields.has_next(_HASH):
        hashing = _read_hash(DERReader(fields.read(_HASH)))
    if fields.has_next(_MASK):
        mask = DERReader(fields.read(_MASK)).read_sequence()
        if mask.read(OID) != _MGF1:
            raise UnsupportedCryptographicParameters("the mask generator of the key is not MGF1")
        mask_hashing = _read_hash(mask)
    if fields.has_next(_SALT):
        salt_length = DERReader(fields.read(_SALT)).read_integer()
    if fields.has_next(_TRAILER) and DERReader(fields.read(_TRAILER)).read_integer() != 1:
        raise UnsupportedCryptographicParameters("the trailer field of the key is not 1")
    fields.check_end()
    return PSSLimits(hashing, mask_hashing, salt_length)


def _read_hash(algorithm: DERReader) -> HashingAlgorithm:
    fields = algorithm.read_sequence()
    oid = fields.read(OID)
    if fields.has_next(NULL) and fields.read(NULL):
        raise malformed_key_error()
    fields.check_end()
    if oid not in _HASHES:
        raise UnsupportedCryptographicParameters("the hash of the key is not offered")
    return _HASHES[oid]


def choose_pss_scheme(
    key: PrivateKey | PublicKey,
    requested: CryptographicParameters,
    limits: PSSLimits | None,
    *,
    is_signing: bool,
) -> SignatureScheme:
    """As `choose_signature_scheme`, for a key for PSS alone. Whatever is not requested follows the key's limits.

    Raises UnsupportedCryptographicParameters for a request beyond these limits.
    """
    if limits is None:
        scheme = choose_signature_scheme(key, requested)
        if scheme.algorithm is not SignatureAlgorithm.PSS:
            raise UnsupportedCryptographicParameters("the key is for RSASSA-PSS signatures alone")
        return scheme
    scheme = choose_signature_scheme(
        key,
        dataclasses.replace(
            requested,
            hashing_algorithm=requested.hashing_algorithm or limits.hashing,
            mask_generator_hashing_algorithm=(
                requested.mask_generator_hashing_algorithm or limits.mask_hashing
            ),
        ),
    )
    if is_signing and scheme.salt_length is None:
        scheme = dataclasses.replace(scheme, salt_length=limits.salt_length)
    is_within = (
        scheme.algorithm is SignatureAlgorithm.PSS
        and (scheme.hashing, scheme.mask_hashing) == (limits.hashing, limits.mask_hashing)
        and (scheme.salt_length is None or scheme.salt_length >= limits.salt_length)
    )
    if not is_within:
        raise UnsupportedCryptographicParameters(
            f"the key is for RSASSA-PSS with {format_name(limits.hashing)}, MGF1 with "
            f"{format_name(limits.mask_hashing)} and a salt of at least {limits.salt_length} bytes"
        )
    return scheme
