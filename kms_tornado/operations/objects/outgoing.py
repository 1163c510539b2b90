"""Objects as they are given out, in the clear, from what the server keeps of them (KMIP.md §5, §8).

The way in, and the forms in which material is kept, are in `key_blocks`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

from ...crypto.keys import formats as key_formats
from ...crypto.keys.transparent import render_transparent
from ...crypto.material import KeyMaterial
from ...domain.managed_object import ManagedObject
from ...errors import KeyFormatTypeNotSupported
from ...kmip.attributes import Attributes, with_user_tags
from ...kmip.enums import (
    CertificateType,
    CryptographicAlgorithm,
    KeyFormatType,
    ObjectType,
    OpaqueDataType,
    SecretDataType,
)
from ...kmip.key_material import TRANSPARENT_KEYS, KeyMaterialField, TransparentKey
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
from ...kmip.structures import Link, VendorAttribute
from ..attributes import user_tags_of
from ..common.client_profile import ClientProfile
from .incoming import SECRET_FORMATS, SECRET_TYPE_TAGS, SYMMETRIC_FORMATS

# What nearly every call is about; Python 3.11 looks a member up in a function.
_SYMMETRIC_KEY, _RAW = ObjectType.SYMMETRIC_KEY, KeyFormatType.RAW


def given(
    target: ManagedObject,
    material: KeyMaterial,
    wanted: KeyFormatType | None,
    client: ClientProfile,
) -> Object:
    """The object in the clear, in the format asked for, else as registered.

    Raises KeyFormatTypeNotSupported.
    """
    object_type = target.object_type
    if object_type in _HOLDERS:
        return with_block(target, key_block(target, material, wanted, client))
    if object_type is ObjectType.CERTIFICATE:
        _check_only(wanted, KeyFormatType.X509, "a certificate is X.509")
        return Certificate(CertificateType.X509, material.reveal())
    _check_only(wanted, KeyFormatType.OPAQUE, "an opaque object has no format")
    data_type = target.attributes.opaque_data_type or OpaqueDataType.UNKNOWN
    return OpaqueObject(data_type, material.reveal())


def with_block(target: ManagedObject, block: KeyBlock) -> Object:
    """The object around its KeyBlock, wrapped or not."""
    return _HOLDERS[target.object_type](target, block)


def key_block(
    target: ManagedObject,
    material: KeyMaterial,
    wanted: KeyFormatType | None,
    client: ClientProfile,
) -> KeyBlock:
    """The KeyBlock of any object that has one."""
    kept = target.attributes
    if wanted is None and target.object_type is _SYMMETRIC_KEY:
        wanted = client.default_symmetric_format
    key_format = wanted or kept.key_format_type or _RAW
    return KeyBlock(
        key_format_type=key_format,
        key_value=KeyValue(
            material_field(target.object_type, material, key_format),
            shown_attributes(target, key_format) if client.attributes_in_key_value else None,
        ),
        cryptographic_algorithm=kept.cryptographic_algorithm,
        cryptographic_length=kept.cryptographic_length,
    )


def material_field(
    object_type: ObjectType, material: KeyMaterial, key_format: KeyFormatType
) -> KeyMaterialField | TransparentKey:
    """Raises KeyFormatTypeNotSupported where the object has no such format."""
    return _MATERIAL_FIELDS[object_type](material, key_format)


def _symmetric_field(material: KeyMaterial, key_format: KeyFormatType) -> KeyMaterialField:
    if key_format not in SYMMETRIC_FORMATS:
        raise KeyFormatTypeNotSupported("a symmetric key is Raw or TransparentSymmetricKey")
    return KeyMaterialField(material.reveal(), transparent=key_format is not _RAW)


def _secret_field(material: KeyMaterial, key_format: KeyFormatType) -> KeyMaterialField:
    if key_format not in SECRET_FORMATS:
        raise KeyFormatTypeNotSupported("secret data is Raw or Opaque")
    return KeyMaterialField(material.reveal())


def _private_field(
    material: KeyMaterial, key_format: KeyFormatType
) -> KeyMaterialField | TransparentKey:
    private = key_formats.read_private(material)
    if key_format in TRANSPARENT_KEYS:
        return render_transparent(private, key_format)
    return KeyMaterialField(key_formats.export_private(private, key_format))


def _public_field(
    material: KeyMaterial, key_format: KeyFormatType
) -> KeyMaterialField | TransparentKey:
    public = key_formats.read_public(material.reveal())
    if key_format in TRANSPARENT_KEYS:
        return render_transparent(public, key_format)
    return KeyMaterialField(key_formats.export_public(public, key_format))


#: Object type → what is given out of the material of an object with a KeyBlock.
_MATERIAL_FIELDS: Mapping[
    ObjectType, Callable[[KeyMaterial, KeyFormatType], KeyMaterialField | TransparentKey]
] = {
    _SYMMETRIC_KEY: _symmetric_field,
    ObjectType.SECRET_DATA: _secret_field,
    ObjectType.PRIVATE_KEY: _private_field,
    ObjectType.PUBLIC_KEY: _public_field,
}

#: Object type → what is around its KeyBlock.
_HOLDERS: Mapping[ObjectType, Callable[[ManagedObject, KeyBlock], Object]] = {
    _SYMMETRIC_KEY: lambda target, block: SymmetricKey(block),
    ObjectType.SECRET_DATA: lambda target, block: SecretData(
        secret_data_type(target), key_block=block
    ),
    ObjectType.PRIVATE_KEY: lambda target, block: PrivateKey(block),
    ObjectType.PUBLIC_KEY: lambda target, block: PublicKey(block),
}


def shown_attributes(target: ManagedObject, key_format: KeyFormatType) -> Attributes:
    """What both published clients read (KMIP.md §5, R4): cloudproof_kms_js picks its parser by the
    format, and knows none for PKCS#8 and the like but Raw (R6)."""
    kept = target.attributes
    return _shown(
        kept.cryptographic_algorithm,
        kept.cryptographic_length,
        kept.cryptographic_usage_mask,
        key_format,
        target.object_type,
        kept.links,
        kept.vendor_attributes,
        target.tags,
    )


@lru_cache(maxsize=256)  # of most keys they are the same
def _shown(
    algorithm: CryptographicAlgorithm | None,
    length: int | None,
    usage_mask: int | None,
    key_format: KeyFormatType,
    object_type: ObjectType,
    links: tuple[Link, ...],
    vendor_attributes: tuple[VendorAttribute, ...],
    tags: frozenset[str],
) -> Attributes:
    is_plain = (
        key_format is KeyFormatType.TRANSPARENT_SYMMETRIC_KEY or key_format in TRANSPARENT_KEYS
    )
    shown = Attributes(
        cryptographic_algorithm=algorithm,
        cryptographic_length=length,
        cryptographic_usage_mask=usage_mask,
        key_format_type=key_format if is_plain else KeyFormatType.RAW,
        object_type=object_type,
        links=links,
        vendor_attributes=vendor_attributes,
    )
    return with_user_tags(shown, user_tags_of(tags))


def secret_data_type(target: ManagedObject) -> SecretDataType:
    if SECRET_TYPE_TAGS[SecretDataType.SEED] in target.tags:
        return SecretDataType.SEED
    return SecretDataType.PASSWORD


def _check_only(wanted: KeyFormatType | None, only: KeyFormatType, words: str) -> None:
    if wanted not in {None, only}:
        raise KeyFormatTypeNotSupported(words)
