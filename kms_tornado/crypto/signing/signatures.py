"""Signatures: RSASSA-PSS and PKCS#1 v1.5 (RFC 8017 §8), ECDSA (RFC 3279), Ed25519 and
Ed448 (RFC 8032).

`schemes` decides which of them a key and a request select.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, utils

from ...errors import (
    CryptographicFailure,
    InvalidField,
    MissingData,
)
from ...kmip.structures import CryptographicParameters
from ...kmip.tables import format_name
from ..hashes import HASHES
from ..keys.library_keys import PublicKey
from ..keys.loading import load_signing_key, load_verifying_key
from ..material import KeyMaterial
from .pss_keys import choose_pss_scheme, read_pss_limits
from .schemes import SignatureAlgorithm, SignatureScheme, choose_signature_scheme


class Signer:
    """A private key and a scheme that fits it. Creating one loads and checks the key."""

    __slots__ = ("_key", "scheme")

    def __init__(self, private: KeyMaterial, requested: CryptographicParameters) -> None:
        self._key, pss = load_signing_key(private)
        self.scheme = (
            choose_signature_scheme(self._key, requested)
            if pss is None
            else choose_pss_scheme(self._key, requested, read_pss_limits(pss), is_signing=True)
        )

    def sign(self, data: bytes, *, is_digest: bool = False) -> bytes:
        """The signature of data; is_digest: data is the digest of what is signed.

        Raises InvalidField for a digest of the wrong length, CryptographicFailure for a key whose
        signatures do not verify: they would reveal the primes of an RSA key.
        """
        scheme, key = self.scheme, self._key
        hash_algorithm = _choose_hash(scheme, data, is_digest=is_digest)
        try:
            if isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey):
                return key.sign(data)
            if isinstance(key, ec.EllipticCurvePrivateKey):
                return key.sign(data, ec.ECDSA(_require_hash(hash_algorithm)))
            signature = key.sign(
                data, _make_padding(scheme, is_signing=True), _require_hash(hash_algorithm)
            )
        except ValueError:  # the modulus is too short for salt and hash, or the numbers make no key
            raise CryptographicFailure("the key cannot sign with these parameters") from None
        if not _is_valid(key.public_key(), scheme, data, signature, hash_algorithm):
            raise CryptographicFailure("the key's numbers do not make a key that works")
        return signature

    def __repr__(self) -> str:
        return f"Signer({self.scheme.algorithm.value})"


class Verifier:
    """A public key (SPKI) and a scheme that fits it."""

    __slots__ = ("_key", "scheme")

    def __init__(self, spki: bytes, requested: CryptographicParameters) -> None:
        self._key, pss = load_verifying_key(spki)
        self.scheme = (
            choose_signature_scheme(self._key, requested)
            if pss is None
            else choose_pss_scheme(self._key, requested, read_pss_limits(pss), is_signing=False)
        )

    def is_valid(self, data: bytes, signature: bytes, *, is_digest: bool = False) -> bool:
        """Whether the signature is valid for data; is_digest: data is the digest of what was signed."""
        hash_algorithm = _choose_hash(self.scheme, data, is_digest=is_digest)
        return _is_valid(self._key, self.scheme, data, signature, hash_algorithm)


_Hash = hashes.HashAlgorithm | utils.Prehashed


def _choose_hash(scheme: SignatureScheme, data: bytes, *, is_digest: bool) -> _Hash | None:
    if scheme.hashing is None:
        if is_digest:
            raise InvalidField(f"{scheme.algorithm.value} signs the data itself, not its digest")
        return None
    hashing = HASHES[scheme.hashing]
    if not is_digest:
        return hashing
    if len(data) != hashing.digest_size:
        raise InvalidField(
            f"a digest by {format_name(scheme.hashing)} has {hashing.digest_size} bytes"
        )
    return utils.Prehashed(hashing)


def _require_hash(hash_algorithm: _Hash | None) -> _Hash:
    if hash_algorithm is None:  # only the schemes of Ed25519 and Ed448 have none
        raise MissingData("HashingAlgorithm is missing")
    return hash_algorithm


def _is_valid(
    key: PublicKey,
    scheme: SignatureScheme,
    data: bytes,
    signature: bytes,
    hash_algorithm: _Hash | None,
) -> bool:
    try:
        if isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
            key.verify(signature, data)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, data, ec.ECDSA(_require_hash(hash_algorithm)))
        else:
            key.verify(
                signature,
                data,
                _make_padding(scheme, is_signing=False),
                _require_hash(hash_algorithm),
            )
    except (InvalidSignature, ValueError):
        return False
    return True


def _make_padding(scheme: SignatureScheme, *, is_signing: bool) -> padding.PSS | padding.PKCS1v15:
    if scheme.algorithm is SignatureAlgorithm.PKCS1 or scheme.mask_hashing is None:
        return padding.PKCS1v15()
    salt: object = scheme.salt_length
    if salt is None:
        salt = padding.PSS.DIGEST_LENGTH if is_signing else padding.PSS.AUTO
    return padding.PSS(padding.MGF1(HASHES[scheme.mask_hashing]), salt)  # type: ignore[arg-type]
