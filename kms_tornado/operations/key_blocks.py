"""Objects as they travel, to and from what the server keeps of them (KMIP 2.1 §2, §3; KMIP.md §5, §8).

What is kept has one form per object type: raw octets of symmetric keys, secret data and opaque objects,
PKCS#8, SPKI and X.509 in DER of the others; the attribute KeyFormatType says how it is given out.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..crypto import key_formats
from ..crypto.asymmetric import checked
from ..crypto.key_values import PrivateValue, PublicValue, algorithm_of, length_of
from ..crypto.material import KeyMaterial
from ..crypto.symmetric import check_key_length
from ..crypto.transparent import from_transparent, to_transparent
from ..domain.managed_object import ManagedObject
from ..errors import (
    FeatureNotSupported,
    InvalidField,
    KeyFormatTypeNotSupported,
    MissingData,
)
from ..kmip.attributes import Attributes, with_user_tags
from ..kmip.enums import (
    CertificateType,
    CryptographicAlgorithm,
    KeyFormatType,
    ObjectType,
    OpaqueDataType,
    SecretDataType,
)
from ..kmip.key_material import TRANSPARENT_KEYS, TransparentKey
from ..kmip.key_material import KeyMaterial as MaterialField
from ..kmip.objects import (
    OBJECT_CLASSES,
    Certificate,
    EncodedKeyValue,
    KeyBlock,
    KeyValue,
    Object,
    OpaqueObject,
    PrivateKey,
    PublicKey,
    SecretData,
    SymmetricKey,
)
from ..kmip.structures import Digest
from .attributes import user_tags_of
from .certificate_attributes import certificate_attributes
from .new_object import digest, merged

#: The secret data's type has no attribute of its own: the server keeps it as a tag of its own.
SECRET_TYPE_TAGS = {SecretDataType.PASSWORD: "_password", SecretDataType.SEED: "_seed"}
_SYMMETRIC = frozenset({KeyFormatType.RAW, KeyFormatType.TRANSPARENT_SYMMETRIC_KEY})
_SECRET = frozenset({KeyFormatType.RAW, KeyFormatType.OPAQUE})


@dataclass(frozen=True, slots=True)
class Taken:
    """What was in an object. wanted: the client's attributes, those inside the key value included.
    computed: what the server found out. tags: of the server's own."""

    material: KeyMaterial
    wanted: Attributes
    computed: Attributes
    tags: frozenset[str] = field(default_factory=frozenset)


# --- in -----------------------------------------------------------------------------------------


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
    material = _octets(block, _SECRET, "secret data is Raw or Opaque")
    tag = SECRET_TYPE_TAGS.get(given.secret_data_type or SecretDataType.PASSWORD)
    return Taken(
        material,
        stated_attributes(block, wanted),
        Attributes(key_format_type=block.key_format_type),
        frozenset({tag} if tag else ()),
    )


def _symmetric(block: KeyBlock, wanted: Attributes) -> Taken:
    material = _octets(block, _SYMMETRIC, "a symmetric key is Raw or TransparentSymmetricKey")
    stated = stated_attributes(block, wanted)
    algorithm = stated.cryptographic_algorithm or block.cryptographic_algorithm
    if algorithm is None:
        raise MissingData("CryptographicAlgorithm is missing")
    length = symmetric_length(algorithm, material)  # the key's own; clients state other lengths
    check_key_length(algorithm, length)
    if stated.key_format_type not in {None, *_SYMMETRIC}:
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
    if block.key_format_type not in allowed or not isinstance(found, MaterialField):
        raise KeyFormatTypeNotSupported(words)
    return KeyMaterial(found.octets)


def _asymmetric(object_type: ObjectType, block: KeyBlock, wanted: Attributes) -> Taken:
    stated = stated_attributes(block, wanted)
    algorithm = stated.cryptographic_algorithm or block.cryptographic_algorithm
    found, key_format = _material(block), block.key_format_type
    key: PrivateValue | PublicValue
    if not isinstance(found, MaterialField):
        key = from_transparent(found, algorithm)
    elif key_format in TRANSPARENT_KEYS:
        raise InvalidField(f"KeyMaterial must be the parts of a {key_format.name}")
    elif object_type is ObjectType.PRIVATE_KEY:
        key = key_formats.import_private(found.octets, key_format, algorithm)
    else:
        key = key_formats.import_public(found.octets, key_format, algorithm)
    is_private = isinstance(key, PrivateValue)
    if is_private is not (object_type is ObjectType.PRIVATE_KEY):
        raise InvalidField("a public key is no private key, nor the other way round")
    key = checked(key)
    return Taken(
        key_formats.canonical(key), stated, asymmetric_attributes(key, key_format, algorithm)
    )


def _material(block: KeyBlock) -> MaterialField | TransparentKey:
    if block.key_compression_type is not None:
        raise FeatureNotSupported("KeyCompressionType is not supported")
    if block.key_value is None:
        raise MissingData("KeyValue is missing in KeyBlock")
    if isinstance(block.key_value, EncodedKeyValue):
        raise InvalidField("a KeyValue is a ByteString only where it is wrapped")
    return block.key_value.key_material


def asymmetric_attributes(
    key: PrivateValue | PublicValue,
    key_format: KeyFormatType,
    algorithm: CryptographicAlgorithm | None = None,
) -> Attributes:
    """algorithm: as stated. Raises InvalidField where the key is of another one."""
    return Attributes(
        cryptographic_algorithm=algorithm_of(key, algorithm),
        cryptographic_length=length_of(key),
        key_format_type=key_format,
        digests=(_digest(key, key_format),),
    )


def _digest(key: PrivateValue | PublicValue, key_format: KeyFormatType) -> Digest:
    """Over the octets in their format; of a transparent key, over PKCS#8 or SPKI."""
    is_private = isinstance(key, PrivateValue)
    if key_format in TRANSPARENT_KEYS:
        key_format = KeyFormatType.PKCS8 if is_private else KeyFormatType.X509
    if isinstance(key, PrivateValue):
        return digest(key_formats.export_private(key, key_format), key_format)
    return digest(key_formats.export_public(key, key_format), key_format)


# --- out ----------------------------------------------------------------------------------------


def given(
    target: ManagedObject, material: KeyMaterial, wanted: KeyFormatType | None, *, bare: bool
) -> Object:
    """The object in the clear, in the format asked for, else as registered.

    bare: for the published clients, which want attributes in the key value (KMIP.md §5, R4 to R11).
    Raises KeyFormatTypeNotSupported.
    """
    kept = target.attributes
    match target.object_type:
        case ObjectType.CERTIFICATE:
            _check_only(wanted, KeyFormatType.X509, "a certificate is X.509")
            return Certificate(CertificateType.X509, material.reveal())
        case ObjectType.OPAQUE_OBJECT:
            _check_only(wanted, KeyFormatType.OPAQUE, "an opaque object has no format")
            return OpaqueObject(kept.opaque_data_type or OpaqueDataType.UNKNOWN, material.reveal())
    return with_block(target, key_block(target, material, wanted, bare=bare))


def with_block(target: ManagedObject, block: KeyBlock) -> Object:
    """The object around its KeyBlock, wrapped or not."""
    if target.object_type is ObjectType.SECRET_DATA:
        return SecretData(secret_data_type(target), key_block=block)
    if target.object_type is ObjectType.PRIVATE_KEY:
        return PrivateKey(block)
    return PublicKey(block) if target.object_type is ObjectType.PUBLIC_KEY else SymmetricKey(block)


def key_block(
    target: ManagedObject, material: KeyMaterial, wanted: KeyFormatType | None, *, bare: bool
) -> KeyBlock:
    """The KeyBlock of any object that has one."""
    kept = target.attributes
    if wanted is None and not (bare and target.object_type is ObjectType.SYMMETRIC_KEY):
        wanted = kept.key_format_type  # bare: cosmian_kms means Raw, whatever it asked for once
    key_format = wanted or KeyFormatType.RAW
    return KeyBlock(
        key_format_type=key_format,
        key_value=KeyValue(
            material_field(target.object_type, material, key_format),
            shown_attributes(target, key_format) if bare else None,
        ),
        cryptographic_algorithm=kept.cryptographic_algorithm,
        cryptographic_length=kept.cryptographic_length,
    )


def material_field(
    object_type: ObjectType, material: KeyMaterial, key_format: KeyFormatType
) -> MaterialField | TransparentKey:
    """Raises KeyFormatTypeNotSupported where the object has no such format."""
    match object_type:
        case ObjectType.SYMMETRIC_KEY:
            if key_format not in _SYMMETRIC:
                raise KeyFormatTypeNotSupported("a symmetric key is Raw or TransparentSymmetricKey")
            transparent = key_format is KeyFormatType.TRANSPARENT_SYMMETRIC_KEY
            return MaterialField(material.reveal(), transparent=transparent)
        case ObjectType.SECRET_DATA:
            if key_format not in _SECRET:
                raise KeyFormatTypeNotSupported("secret data is Raw or Opaque")
            return MaterialField(material.reveal())
        case ObjectType.PRIVATE_KEY:
            private = key_formats.read_private(material)
            if key_format in TRANSPARENT_KEYS:
                return to_transparent(private, key_format)
            return MaterialField(key_formats.export_private(private, key_format))
    public = key_formats.read_public(material.reveal())
    if key_format in TRANSPARENT_KEYS:
        return to_transparent(public, key_format)
    return MaterialField(key_formats.export_public(public, key_format))


def shown_attributes(target: ManagedObject, key_format: KeyFormatType) -> Attributes:
    """What both published clients read (KMIP.md §5, R4): cloudproof_kms_js picks its parser by the
    format, and knows none for PKCS#8 and the like but Raw (R6)."""
    kept = target.attributes
    is_plain = (
        key_format is KeyFormatType.TRANSPARENT_SYMMETRIC_KEY or key_format in TRANSPARENT_KEYS
    )
    shown = Attributes(
        cryptographic_algorithm=kept.cryptographic_algorithm,
        cryptographic_length=kept.cryptographic_length,
        cryptographic_usage_mask=kept.cryptographic_usage_mask,
        key_format_type=key_format if is_plain else KeyFormatType.RAW,
        object_type=target.object_type,
        links=kept.links,
        vendor_attributes=kept.vendor_attributes,
    )
    return with_user_tags(shown, user_tags_of(target))


def secret_data_type(target: ManagedObject) -> SecretDataType:
    if SECRET_TYPE_TAGS[SecretDataType.SEED] in target.tags:
        return SecretDataType.SEED
    return SecretDataType.PASSWORD


def _check_only(wanted: KeyFormatType | None, only: KeyFormatType, words: str) -> None:
    if wanted not in {None, only}:
        raise KeyFormatTypeNotSupported(words)
