"""Objects as they come in, to what the server keeps of them (KMIP 2.1 §2, §3; KMIP.md §5, §8).

What is kept has one form per object type: raw octets of symmetric keys, secret data and opaque objects,
PKCS#8, SPKI and X.509 in DER of the others; the attribute KeyFormatType says how it is given out, which
`given_objects` does.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ...crypto.keys import formats as key_formats
from ...crypto.keys.asymmetric import normalize_key
from ...crypto.keys.numbers import (
    PrivateNumbers,
    PublicNumbers,
    determine_algorithm,
    measure_key_length,
)
from ...crypto.keys.symmetric import check_key_length
from ...crypto.keys.transparent import parse_transparent
from ...crypto.material import KeyMaterial
from ...errors import (
    FeatureNotSupported,
    InvalidField,
    KeyFormatTypeNotSupported,
    MissingData,
)
from ...kmip.attributes import Attributes
from ...kmip.enums import (
    CertificateType,
    CryptographicAlgorithm,
    KeyFormatType,
    ObjectType,
    SecretDataType,
)
from ...kmip.key_material import TRANSPARENT_KEYS, KeyMaterialField, TransparentKey
from ...kmip.objects import (
    OBJECT_CLASSES,
    Certificate,
    EncodedKeyValue,
    KeyBlock,
    KeyValue,
    Object,
    OpaqueObject,
    SecretData,
    SymmetricKey,
)
from ...kmip.structures import Digest
from ..common.new_object import digest, merged
from .certificate_attributes import certificate_attributes

#: The secret data's type has no attribute of its own: the server keeps it as a tag of its own.
SECRET_TYPE_TAGS = {SecretDataType.PASSWORD: "_password", SecretDataType.SEED: "_seed"}
SYMMETRIC_FORMATS = frozenset({KeyFormatType.RAW, KeyFormatType.TRANSPARENT_SYMMETRIC_KEY})
SECRET_FORMATS = frozenset({KeyFormatType.RAW, KeyFormatType.OPAQUE})


@dataclass(frozen=True, slots=True)
class Taken:
    """What was in an object. wanted: the client's attributes, those inside the key value included.
    computed: what the server found out. tags: of the server's own."""

    material: KeyMaterial
    wanted: Attributes
    computed: Attributes
    tags: frozenset[str] = field(default_factory=frozenset)


def taken(object_type: ObjectType, given: Object | None, wanted: Attributes) -> Taken:
    """The material of an object that is not wrapped, in the form that is kept.

    Raises MissingData, InvalidField, KeyFormatTypeNotSupported, UnsupportedCryptographicParameters.
    """
    if not isinstance(given, OBJECT_CLASSES[object_type]):
        raise MissingData(f"Object is missing, or not of the type {object_type.name}")
    match given:
        case Certificate():
            return _certificate(given, wanted)
        case OpaqueObject():
            return _opaque(given, wanted)
        case SecretData():
            return _secret(given, wanted)
        case SymmetricKey():
            return _symmetric(given.key_block, wanted)
    return _asymmetric(object_type, given.key_block, wanted)


def stated_attributes(block: KeyBlock, wanted: Attributes) -> Attributes:
    """Those of the request, and where it says nothing, those inside the key value."""
    value = block.key_value
    inner = value.attributes if isinstance(value, KeyValue) else None
    return wanted if inner is None else merged(wanted, inner)


def _certificate(given: Certificate, wanted: Attributes) -> Taken:
    if given.certificate_type is not CertificateType.X509:
        raise FeatureNotSupported("certificates are X.509 here")
    octets = given.certificate_value
    return Taken(KeyMaterial(octets), wanted, certificate_attributes(octets))


def _opaque(given: OpaqueObject, wanted: Attributes) -> Taken:
    return Taken(
        KeyMaterial(given.opaque_data_value),
        wanted,
        Attributes(opaque_data_type=given.opaque_data_type),
    )


def _secret(given: SecretData, wanted: Attributes) -> Taken:
    block = given.key_block
    material = _octets(block, SECRET_FORMATS, "secret data is Raw or Opaque")
    tag = SECRET_TYPE_TAGS.get(given.secret_data_type or SecretDataType.PASSWORD)
    return Taken(
        material,
        stated_attributes(block, wanted),
        Attributes(key_format_type=block.key_format_type),
        frozenset({tag} if tag else ()),
    )


def _symmetric(block: KeyBlock, wanted: Attributes) -> Taken:
    material = _octets(
        block, SYMMETRIC_FORMATS, "a symmetric key is Raw or TransparentSymmetricKey"
    )
    stated = stated_attributes(block, wanted)
    algorithm = stated.cryptographic_algorithm or block.cryptographic_algorithm
    if algorithm is None:
        raise MissingData("CryptographicAlgorithm is missing")
    length = symmetric_length(algorithm, material)  # the key's own; clients state other lengths
    check_key_length(algorithm, length)
    if stated.key_format_type not in {None, *SYMMETRIC_FORMATS}:
        raise KeyFormatTypeNotSupported("a symmetric key is Raw or TransparentSymmetricKey")
    return Taken(
        material,
        stated,
        Attributes(
            cryptographic_algorithm=algorithm,
            cryptographic_length=length,
            key_format_type=stated.key_format_type or block.key_format_type,
        ),
    )


def symmetric_length(algorithm: CryptographicAlgorithm, material: KeyMaterial) -> int:
    """Bits; of 3DES without the parity, as KMIP counts them (profile case SKFF-M-12)."""
    if algorithm is CryptographicAlgorithm.THREE_DES:
        return material.bits // 8 * 7
    return material.bits


def _octets(block: KeyBlock, allowed: frozenset[KeyFormatType], words: str) -> KeyMaterial:
    found = _material(block)
    if block.key_format_type not in allowed or not isinstance(found, KeyMaterialField):
        raise KeyFormatTypeNotSupported(words)
    return KeyMaterial(found.octets)


def _asymmetric(object_type: ObjectType, block: KeyBlock, wanted: Attributes) -> Taken:
    stated = stated_attributes(block, wanted)
    algorithm = stated.cryptographic_algorithm or block.cryptographic_algorithm
    found, key_format = _material(block), block.key_format_type
    key: PrivateNumbers | PublicNumbers
    if not isinstance(found, KeyMaterialField):
        key = parse_transparent(found, algorithm)
    elif key_format in TRANSPARENT_KEYS:
        raise InvalidField(f"KeyMaterial must be the parts of a {key_format.name}")
    elif object_type is ObjectType.PRIVATE_KEY:
        key = key_formats.import_private(found.octets, key_format, algorithm)
    else:
        key = key_formats.import_public(found.octets, key_format, algorithm)
    is_private = isinstance(key, PrivateNumbers)
    if is_private is not (object_type is ObjectType.PRIVATE_KEY):
        raise InvalidField("a public key is no private key, nor the other way round")
    key = normalize_key(key)
    return Taken(
        key_formats.encode_canonical(key), stated, asymmetric_attributes(key, key_format, algorithm)
    )


def _material(block: KeyBlock) -> KeyMaterialField | TransparentKey:
    if block.key_compression_type is not None:
        raise FeatureNotSupported("KeyCompressionType is not supported")
    if block.key_value is None:
        raise MissingData("KeyValue is missing in KeyBlock")
    if isinstance(block.key_value, EncodedKeyValue):
        raise InvalidField("a KeyValue is a ByteString only where it is wrapped")
    return block.key_value.key_material


def asymmetric_attributes(
    key: PrivateNumbers | PublicNumbers,
    key_format: KeyFormatType,
    algorithm: CryptographicAlgorithm | None = None,
) -> Attributes:
    """algorithm: as stated. Raises InvalidField where the key is of another one."""
    return Attributes(
        cryptographic_algorithm=determine_algorithm(key, algorithm),
        cryptographic_length=measure_key_length(key),
        key_format_type=key_format,
        digests=(_digest(key, key_format),),
    )


def _digest(key: PrivateNumbers | PublicNumbers, key_format: KeyFormatType) -> Digest:
    """Over the octets in their format; of a transparent key, over PKCS#8 or SPKI."""
    is_private = isinstance(key, PrivateNumbers)
    if key_format in TRANSPARENT_KEYS:
        key_format = KeyFormatType.PKCS8 if is_private else KeyFormatType.X509
    if isinstance(key, PrivateNumbers):
        return digest(key_formats.export_private(key, key_format), key_format)
    return digest(key_formats.export_public(key, key_format), key_format)
