"""Keys and certificates as the KMIP objects that Import, Register, Get and Export carry.

There is one form for each: raw octets for symmetric keys and secret data, PKCS#8 for private keys, SPKI (KMIP's X.509)
for public ones, DER for certificates. Only JSON TTLV files contain other forms, which do not change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import (
    dsa,
    ec,
    ed448,
    ed25519,
    rsa,
    x448,
    x25519,
)
from cryptography.hazmat.primitives.asymmetric.types import (
    PrivateKeyTypes,
    PublicKeyTypes,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
)

from ...kmip.enums import (
    CertificateType,
    CryptographicAlgorithm,
    KeyFormatType,
    SecretDataType,
)
from ...kmip.key_material import KeyMaterialField
from ...kmip.objects import (
    Certificate,
    KeyBlock,
    KeyValue,
    Object,
    OpaqueObject,
    PrivateKey,
    PublicKey,
    SecretData,
    SymmetricKey,
)
from .der import find_key_algorithm
from .errors import KeyFileError
from .loading import load_der

_A = CryptographicAlgorithm

#: The algorithm of a key, by the class that `cryptography` loads it as.
_ALGORITHMS: Mapping[type, CryptographicAlgorithm] = {
    rsa.RSAPrivateKey: _A.RSA,
    rsa.RSAPublicKey: _A.RSA,
    ec.EllipticCurvePrivateKey: _A.EC,
    ec.EllipticCurvePublicKey: _A.EC,
    ed25519.Ed25519PrivateKey: _A.ED25519,
    ed25519.Ed25519PublicKey: _A.ED25519,
    ed448.Ed448PrivateKey: _A.ED448,
    ed448.Ed448PublicKey: _A.ED448,
    x25519.X25519PrivateKey: _A.ECDH,
    x25519.X25519PublicKey: _A.ECDH,
    x448.X448PrivateKey: _A.ECDH,
    x448.X448PublicKey: _A.ECDH,
    dsa.DSAPrivateKey: _A.DSA,
    dsa.DSAPublicKey: _A.DSA,
}

#: The noun of the command line that a key belongs to, by its algorithm.
_FAMILIES: Mapping[CryptographicAlgorithm, str] = {
    _A.RSA: "RSA",
    _A.DSA: "DSA",
    _A.DH: "Diffie-Hellman",
    **dict.fromkeys((_A.EC, _A.ECDSA, _A.ECDH, _A.ED25519, _A.ED448), "elliptic-curve"),
}


# --- make ---------------------------------------------------------------------------------------


def make_symmetric_key(octets: bytes, algorithm: CryptographicAlgorithm = _A.AES) -> SymmetricKey:
    return SymmetricKey(_make_block(KeyFormatType.RAW, octets, algorithm, 8 * len(octets)))


def make_secret_data(
    octets: bytes, secret_type: SecretDataType = SecretDataType.PASSWORD
) -> SecretData:
    return SecretData(secret_type, key_block=_make_block(KeyFormatType.RAW, octets))


def make_private_key(key: PrivateKeyTypes) -> PrivateKey:
    octets = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return enclose_private_key(octets, determine_algorithm(key))


def make_public_key(key: PublicKeyTypes) -> PublicKey:
    octets = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return enclose_public_key(octets, determine_algorithm(key))


def enclose_private_key(pkcs8: bytes, algorithm: CryptographicAlgorithm) -> PrivateKey:
    return PrivateKey(_make_block(KeyFormatType.PKCS8, pkcs8, algorithm))


def enclose_public_key(spki: bytes, algorithm: CryptographicAlgorithm) -> PublicKey:
    return PublicKey(_make_block(KeyFormatType.X509, spki, algorithm))


def make_certificate(octets: bytes) -> Certificate:
    """The object for a certificate in DER.

    The server reports its faults, since it reads more than `cryptography` does.
    """
    return Certificate(CertificateType.X509, octets)


def _make_block(
    key_format: KeyFormatType,
    octets: bytes,
    algorithm: CryptographicAlgorithm | None = None,
    length: int | None = None,
) -> KeyBlock:
    return KeyBlock(
        key_format_type=key_format,
        key_value=KeyValue(KeyMaterialField(octets)),
        cryptographic_algorithm=algorithm,
        cryptographic_length=length,
    )


# --- look into ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ObjectSummary:
    """What an object is, in words for people.

    family: "RSA", "elliptic-curve", "DSA", "Diffie-Hellman", or "" for others.
    """

    text: str
    family: str = ""


def summarise_object(managed: Object) -> ObjectSummary:
    """A description of the object, as far as it describes itself."""
    match managed:
        case Certificate():
            return ObjectSummary("a certificate")
        case OpaqueObject():
            return ObjectSummary("an opaque object")
        case SecretData():
            return ObjectSummary("secret data")
        case SymmetricKey():
            return ObjectSummary("a symmetric key")
    algorithm = managed.key_block.cryptographic_algorithm
    family = _FAMILIES.get(algorithm, "") if algorithm else ""
    kind = "private key" if isinstance(managed, PrivateKey) else "public key"
    article = "an" if family[:1] in {"R", "e"} else "a"
    return ObjectSummary(" ".join(filter(None, (article, family, kind))), family)


def is_wrapped(managed: Object) -> bool:
    return (
        not isinstance(managed, Certificate | OpaqueObject)
        and managed.key_block.key_wrapping_data is not None
    )


def octets_of(managed: Object) -> bytes:
    """The octets of the object: its key material, wrapped or not, or its value.

    Raises KeyFileError for the numbers of a transparent key, and where the material has been destroyed.
    """
    match managed:
        case Certificate():
            return managed.certificate_value
        case OpaqueObject():
            return managed.opaque_data_value
    value = managed.key_block.key_value
    if value is None:
        raise KeyFileError("the object has no key material: it was destroyed")
    octets = getattr(value, "octets", None)  # those of a KeyValue that was wrapped as a whole
    if isinstance(octets, bytes):
        return octets
    material = getattr(value, "key_material", None)
    if not isinstance(material, KeyMaterialField):
        raise KeyFileError("the key is in a transparent format, which only json-ttlv can hold")
    return material.octets


def determine_algorithm(key: PrivateKeyTypes | PublicKeyTypes) -> CryptographicAlgorithm:
    """KMIP's algorithm for the key. Raises KeyFileError where KMIP has no name for it."""
    for cls, algorithm in _ALGORITHMS.items():
        if isinstance(key, cls):
            return algorithm
    raise KeyFileError("the key is of a type that KMIP 2.1 has no name for")


def load_asymmetric_key(managed: PrivateKey | PublicKey) -> PrivateKeyTypes | PublicKeyTypes:
    """The key of an object in PKCS#8 or SPKI. Raises KeyFileError for any other."""
    octets = octets_of(managed)
    if find_key_algorithm(octets) is _A.DH:  # the library warns of each of them
        raise KeyFileError("a Diffie-Hellman key is written as pkcs8-pem, spki-pem or in DER")
    try:
        if isinstance(managed, PrivateKey):
            return load_der(octets, None)
        return load_der_public_key(octets)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyFileError("the key is in a format that only json-ttlv and raw can hold") from None
