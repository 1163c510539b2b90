"""New asymmetric key pairs."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from ...errors import InvalidAttributeValue, UnsupportedCryptographicParameters
from ..material import KeyMaterial
from .curves import Curve
from .library_keys import (
    AGREEMENT_CLASSES,
    EDWARDS_CLASSES,
    SIGNING_CURVES,
    AgreementPrivateKey,
    PrivateKey,
    encode_spki,
)
from .loading import MAX_RSA_BITS, MIN_RSA_BITS

#: Bits of the modulus.
RSA_LENGTHS = (MIN_RSA_BITS, 3072, MAX_RSA_BITS)
DEFAULT_RSA_LENGTH = 3072  # as strong as AES-128 (NIST SP 800-57 part 1, table 2)
RSA_EXPONENT = 65537

#: Curves on which a pair can be made, the usual one first.
GENERATED_CURVES = (*SIGNING_CURVES, *EDWARDS_CLASSES, *AGREEMENT_CLASSES)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """private: PKCS#8; public: SPKI."""

    private: KeyMaterial
    public: KeyMaterial


def check_rsa_length(bits: int) -> None:
    """Check the length of a new key, in bits. Raises InvalidAttributeValue."""
    if bits not in RSA_LENGTHS:
        *others, last = map(str, RSA_LENGTHS)
        raise InvalidAttributeValue(
            f"an RSA key that is made here has {', '.join(others)} or {last} bits"
        )


def generate_rsa(bits: int) -> KeyPair:
    """A new RSA pair, in 50 ms to seconds; it releases the GIL: run it in a thread.

    bits: of the modulus. Raises InvalidAttributeValue.
    """
    check_rsa_length(bits)
    return _encode_pair(rsa.generate_private_key(RSA_EXPONENT, bits))


def generate_ec(curve: Curve) -> KeyPair:
    """A new pair on one of GENERATED_CURVES, in a fraction of a millisecond.

    Raises UnsupportedCryptographicParameters for another curve.
    """
    if curve not in GENERATED_CURVES:
        raise UnsupportedCryptographicParameters(
            f"no key pair is made on {curve.name}: take {', '.join(one.name for one in GENERATED_CURVES)}"
        )
    if curve in SIGNING_CURVES:
        return _encode_pair(ec.generate_private_key(SIGNING_CURVES[curve]))
    return _encode_pair((EDWARDS_CLASSES.get(curve) or AGREEMENT_CLASSES[curve]).generate())


def _encode_pair(key: PrivateKey | AgreementPrivateKey) -> KeyPair:
    return KeyPair(
        KeyMaterial(
            key.private_bytes(
                serialization.Encoding.DER,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        ),
        KeyMaterial(encode_spki(key.public_key())),
    )
