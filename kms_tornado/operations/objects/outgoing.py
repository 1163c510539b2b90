"""Outgoing objects in the clear, rendered from the canonical form that the server stores.

`incoming` defines the canonical forms. The `ClientProfile` says what a client needs in a KeyBlock, and
docs/dialects.md, "What an answer may contain", explains why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

from ...crypto.keys import formats as key_formats
from ...crypto.keys.transparent import render_transparent
from ...crypto.material import KeyMaterial
from ...domain.managed_object import ManagedObject
from ...domain.usage import is_opaque_key
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
from ..common.client_profile import ClientProfile
from ..common.object_attributes import select_user_tags
from .incoming import SECRET_FORMATS, SECRET_TYPE_TAGS, SYMMETRIC_FORMATS

# Used by nearly every call: in Python 3.11 an enumeration's member is looked up by a function call.
_SYMMETRIC_KEY, _RAW = ObjectType.SYMMETRIC_KEY, KeyFormatType.RAW


def render_object(
    target: ManagedObject,
    material: KeyMaterial,
    requested_format: KeyFormatType | None,
    client: ClientProfile,
) -> Object:
    """The object in the clear, in the requested format, or by default in the one in which it was registered.

    Raises KeyFormatTypeNotSupported where the object cannot have the format.
    """
    object_type = target.object_type
    if object_type in _ENCLOSING_OBJECTS:
        block = render_key_block(target, material, requested_format, client)
        return enclose_key_block(target, block)
    if object_type is ObjectType.CERTIFICATE:
        _check_only_format(requested_format, KeyFormatType.X509, "a certificate is X.509")
        return Certificate(CertificateType.X509, material.reveal())
    _check_only_format(requested_format, KeyFormatType.OPAQUE, "an opaque object has no format")
    data_type = target.attributes.opaque_data_type or OpaqueDataType.UNKNOWN
    return OpaqueObject(data_type, material.reveal())


def enclose_key_block(target: ManagedObject, block: KeyBlock) -> Object:
    """The object that contains the KeyBlock, which may be wrapped."""
    return _ENCLOSING_OBJECTS[target.object_type](target, block)


def render_key_block(
    target: ManagedObject,
    material: KeyMaterial,
    requested_format: KeyFormatType | None,
    client: ClientProfile,
) -> KeyBlock:
    """The KeyBlock, in the clear, of an object that has one. Raises KeyFormatTypeNotSupported."""
    attributes = target.attributes
    if target.object_type is _SYMMETRIC_KEY:
        requested_format = _choose_symmetric_format(target, requested_format, client)
    key_format = requested_format or attributes.key_format_type or _RAW
    return KeyBlock(
        key_format_type=key_format,
        key_value=KeyValue(
            render_material(target.object_type, material, key_format),
            render_inner_attributes(target, key_format) if client.attributes_in_key_value else None,
        ),
        cryptographic_algorithm=attributes.cryptographic_algorithm,
        cryptographic_length=attributes.cryptographic_length,
    )


def _choose_symmetric_format(
    target: ManagedObject, requested_format: KeyFormatType | None, client: ClientProfile
) -> KeyFormatType | None:
    """The format in which to give out a symmetric key; None for the one in which it was registered."""
    if not is_opaque_key(target):
        if requested_format is KeyFormatType.OPAQUE:
            raise _symmetric_format_error()
        return requested_format or client.default_symmetric_format
    _check_only_format(
        requested_format,
        KeyFormatType.OPAQUE,
        "the key is Opaque, and only its client knows what its octets mean: leave KeyFormatType out, or ask for Opaque",
    )
    return KeyFormatType.OPAQUE


def render_material(
    object_type: ObjectType, material: KeyMaterial, key_format: KeyFormatType
) -> KeyMaterialField | TransparentKey:
    """The material in the format. Raises KeyFormatTypeNotSupported where the object cannot have it."""
    return _RENDERERS[object_type](material, key_format)


def _render_symmetric_key(material: KeyMaterial, key_format: KeyFormatType) -> KeyMaterialField:
    if key_format not in {*SYMMETRIC_FORMATS, KeyFormatType.OPAQUE}:
        raise _symmetric_format_error()
    return KeyMaterialField(
        material.reveal(), transparent=key_format is KeyFormatType.TRANSPARENT_SYMMETRIC_KEY
    )


def _symmetric_format_error() -> KeyFormatTypeNotSupported:
    return KeyFormatTypeNotSupported("a symmetric key is Raw or TransparentSymmetricKey")


def _render_secret_data(material: KeyMaterial, key_format: KeyFormatType) -> KeyMaterialField:
    if key_format not in SECRET_FORMATS:
        raise KeyFormatTypeNotSupported("secret data is Raw or Opaque")
    return KeyMaterialField(material.reveal())


def _render_private_key(
    material: KeyMaterial, key_format: KeyFormatType
) -> KeyMaterialField | TransparentKey:
    private = key_formats.read_private(material)
    if key_format in TRANSPARENT_KEYS:
        return render_transparent(private, key_format)
    return KeyMaterialField(key_formats.export_private(private, key_format))


def _render_public_key(
    material: KeyMaterial, key_format: KeyFormatType
) -> KeyMaterialField | TransparentKey:
    public = key_formats.read_public(material.reveal())
    if key_format in TRANSPARENT_KEYS:
        return render_transparent(public, key_format)
    return KeyMaterialField(key_formats.export_public(public, key_format))


#: Object type → the function that renders the material of an object with a KeyBlock.
_RENDERERS: Mapping[
    ObjectType, Callable[[KeyMaterial, KeyFormatType], KeyMaterialField | TransparentKey]
] = {
    _SYMMETRIC_KEY: _render_symmetric_key,
    ObjectType.SECRET_DATA: _render_secret_data,
    ObjectType.PRIVATE_KEY: _render_private_key,
    ObjectType.PUBLIC_KEY: _render_public_key,
}

#: Object type → the function that makes the object around its KeyBlock.
_ENCLOSING_OBJECTS: Mapping[ObjectType, Callable[[ManagedObject, KeyBlock], Object]] = {
    _SYMMETRIC_KEY: lambda target, block: SymmetricKey(block),
    ObjectType.SECRET_DATA: lambda target, block: SecretData(
        _secret_data_type(target), key_block=block
    ),
    ObjectType.PRIVATE_KEY: lambda target, block: PrivateKey(block),
    ObjectType.PUBLIC_KEY: lambda target, block: PublicKey(block),
}


def render_inner_attributes(target: ManagedObject, key_format: KeyFormatType) -> Attributes:
    """The attributes inside the key value, which both published clients read.

    cloudproof_kms_js chooses its parser by their KeyFormatType, of which it knows only Raw for PKCS#8 and other formats
    in DER.
    """
    attributes = target.attributes
    values = len(attributes.links) + len(attributes.vendor_attributes) + len(target.tags)
    render = _render_common if values <= _MAX_COMMON_VALUES else _render_inner_attributes
    return render(
        attributes.cryptographic_algorithm,
        attributes.cryptographic_length,
        attributes.cryptographic_usage_mask,
        key_format,
        target.object_type,
        attributes.links,
        attributes.vendor_attributes,
        target.tags,
    )


def _render_inner_attributes(
    algorithm: CryptographicAlgorithm | None,
    length: int | None,
    usage_mask: int | None,
    key_format: KeyFormatType,
    object_type: ObjectType,
    links: tuple[Link, ...],
    vendor_attributes: tuple[VendorAttribute, ...],
    tags: frozenset[str],
) -> Attributes:
    is_transparent = (
        key_format is KeyFormatType.TRANSPARENT_SYMMETRIC_KEY or key_format in TRANSPARENT_KEYS
    )
    attributes = Attributes(
        cryptographic_algorithm=algorithm,
        cryptographic_length=length,
        cryptographic_usage_mask=usage_mask,
        key_format_type=key_format if is_transparent else KeyFormatType.RAW,
        object_type=object_type,
        links=links,
        vendor_attributes=vendor_attributes,
    )
    return with_user_tags(attributes, select_user_tags(tags))


#: Most keys have the same ones. Those with many values are not common, and 256 of them would take much memory.
_render_common = lru_cache(maxsize=256)(_render_inner_attributes)
_MAX_COMMON_VALUES = 16


def _secret_data_type(target: ManagedObject) -> SecretDataType:
    if SECRET_TYPE_TAGS[SecretDataType.SEED] in target.tags:
        return SecretDataType.SEED
    return SecretDataType.PASSWORD


def _check_only_format(
    requested_format: KeyFormatType | None, only: KeyFormatType, text: str
) -> None:
    if requested_format not in {None, only}:
        raise KeyFormatTypeNotSupported(text)
