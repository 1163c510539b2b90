"""Managed objects as they are sent: key blocks, certificates, opaque data (KMIP 2.1 §2, §3).

In the canonical tree an object stands under its own tag (SymmetricKey, …); the codec translates the
clients' `Object`. A repr never shows key material.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated

from ..errors import FeatureNotSupported, InvalidField, KMIPError, MissingData
from .attributes import Attributes
from .codecs import binary_codec
from .enums import (
    CertificateType,
    CryptographicAlgorithm,
    EncodingOption,
    KeyFormatType,
    ObjectType,
    SecretDataType,
    WrappingMethod,
)
from .key_material import TRANSPARENT_KEYS, TransparentKey, read_material, write_material
from .key_material import KeyMaterialField as KeyMaterialField
from .schema import Custom, EnumerationNumber, Tag, from_node, to_node
from .structures import CryptographicParameters as CryptographicParameters
from .tables import ENUMERATIONS, TAG_NUMBERS
from .ttlv import ItemType, Node, children_of

# --- key values ---------------------------------------------------------------------------------


def _read_octets(node: Node) -> KeyMaterialField | TransparentKey:
    return read_material(node, None)


@dataclass(frozen=True, slots=True)
class KeyValue:
    """The key material and, where they are sent inside it, attributes of the object (§3.2)."""

    key_material: Annotated[KeyMaterialField | TransparentKey, Custom(_read_octets, write_material)]
    attributes: Attributes | None = None


@dataclass(frozen=True, slots=True)
class EncodedKeyValue:
    """A KeyValue, attributes included, in binary TTLV and then wrapped (§7.10, EncodingOption)."""

    octets: bytes = field(repr=False)


def _read_key_value(
    node: Node, key_format: KeyFormatType | None = None
) -> KeyValue | EncodedKeyValue:
    if isinstance(node.value, bytes):
        return EncodedKeyValue(node.value)
    return from_node(KeyValue, node, key_material=partial(read_material, key_format=key_format))


def _write_key_value(tag: str, value: KeyValue | EncodedKeyValue) -> Node:
    if isinstance(value, EncodedKeyValue):
        return Node(tag, ItemType.BYTE_STRING, value.octets)
    return to_node(value, tag)


def encode_key_value(value: KeyValue) -> bytes:
    """The octets to wrap for the Encoding Option TTLV Encoding, which is the default; a multiple of 8 bytes."""
    return binary_codec.format(to_node(value, "KeyValue"))


def _read_as_is(node: Node) -> Node:
    return node


_KEY_VALUE_HEADER = TAG_NUMBERS["KeyValue"].to_bytes(3, "big") + bytes([ItemType.STRUCTURE])


def is_encoded_key_value(octets: bytes) -> bool:
    """Whether the octets begin and end like a KeyValue in TTLV. One in 2^64 random texts does."""
    return octets[:4] == _KEY_VALUE_HEADER and int.from_bytes(octets[4:8], "big") == len(octets) - 8


def decode_key_value(
    octets: bytes, key_format: KeyFormatType, translate: Callable[[Node], Node] = _read_as_is
) -> KeyValue:
    """The inverse of `encode_key_value`, for octets that were unwrapped. Raises InvalidField.

    translate: converts it to the form of KMIP 2, if it is from a client that uses KMIP 1.
    """
    try:
        node = translate(binary_codec.parse(octets))
        value = _read_key_value(node, key_format) if node.tag == "KeyValue" else None
    except KMIPError:
        value = None  # the text of the error would reveal something about the unwrapped octets
    if not isinstance(value, KeyValue):
        raise InvalidField("the unwrapped octets are not a KeyValue in TTLV encoding")
    return value


# --- wrapping -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EncryptionKeyInformation:
    unique_identifier: str
    cryptographic_parameters: CryptographicParameters | None = None


@dataclass(frozen=True, slots=True)
class MACSignatureKeyInformation:
    unique_identifier: str
    cryptographic_parameters: CryptographicParameters | None = None


@dataclass(frozen=True, slots=True)
class KeyWrappingData:
    """How a key value is wrapped (§3.1)."""

    wrapping_method: WrappingMethod
    encryption_key_information: EncryptionKeyInformation | None = None
    mac_signature_key_information: MACSignatureKeyInformation | None = None
    mac_signature: bytes | None = None
    iv_counter_nonce: bytes | None = None
    encoding_option: EncodingOption | None = None


@dataclass(frozen=True, slots=True)
class KeyWrappingSpecification:
    """How the client wants a key value to be wrapped (§7.10)."""

    wrapping_method: WrappingMethod
    encryption_key_information: EncryptionKeyInformation | None = None
    mac_signature_key_information: MACSignatureKeyInformation | None = None
    attribute_names: Annotated[tuple[str, ...], Tag("AttributeName")] = ()
    encoding_option: EncodingOption | None = None


@dataclass(frozen=True, slots=True)
class KeyBlock:
    """The key and its form (§3).

    key_compression_type: a number of KeyCompressionType, or a vendor's. key_value: None for a key whose
    material was destroyed.
    """

    key_format_type: KeyFormatType
    key_compression_type: EnumerationNumber | None = None
    key_value: Annotated[
        KeyValue | EncodedKeyValue | None, Custom(_read_key_value, _write_key_value)
    ] = None
    cryptographic_algorithm: CryptographicAlgorithm | None = None
    cryptographic_length: int | None = None
    key_wrapping_data: KeyWrappingData | None = None


def _read_key_block(node: Node) -> KeyBlock:
    """Read a key block. The format comes first, because it determines the shape of the key value."""
    numbers = [child.value for child in children_of(node) if child.tag == "KeyFormatType"]
    key_format = next(
        (transparent for transparent in TRANSPARENT_KEYS if transparent in numbers), None
    )
    return from_node(KeyBlock, node, key_value=partial(_read_key_value, key_format=key_format))


def _write_key_block(tag: str, block: KeyBlock) -> Node:
    return to_node(block, tag)


def encode_key_block(block: KeyBlock) -> bytes:
    """The key block in binary TTLV, for the store; `decode_key_block` reads it."""
    return binary_codec.format(to_node(block, "KeyBlock"))


def decode_key_block(octets: bytes) -> KeyBlock:
    """The inverse of `encode_key_block`."""
    return _read_key_block(binary_codec.parse(octets))


_KeyBlockField = Annotated[KeyBlock, Custom(_read_key_block, _write_key_block)]


# --- objects ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SymmetricKey:
    key_block: _KeyBlockField


@dataclass(frozen=True, slots=True)
class PublicKey:
    key_block: _KeyBlockField


@dataclass(frozen=True, slots=True)
class PrivateKey:
    key_block: _KeyBlockField


@dataclass(frozen=True, slots=True)
class SecretData:
    """secret_data_type: first, as binary clients expect it (§2.7); None where Cosmian's `Object` does not have it."""

    secret_data_type: SecretDataType | None = None
    key_block: _KeyBlockField = field(kw_only=True)


@dataclass(frozen=True, slots=True)
class Certificate:
    """certificate_value: DER for an X.509 certificate."""

    certificate_type: CertificateType
    certificate_value: bytes


@dataclass(frozen=True, slots=True)
class OpaqueObject:
    """opaque_data_type: a vendor's number, since KMIP defines none (§11.35)."""

    opaque_data_type: EnumerationNumber
    opaque_data_value: bytes = field(repr=False)


Object = SymmetricKey | PublicKey | PrivateKey | SecretData | Certificate | OpaqueObject

#: Object types without a class (SplitKey, PGPKey, CertificateRequest) are refused by name.
OBJECT_CLASSES: Mapping[ObjectType, type[Object]] = {
    ObjectType.CERTIFICATE: Certificate,
    ObjectType.SYMMETRIC_KEY: SymmetricKey,
    ObjectType.PUBLIC_KEY: PublicKey,
    ObjectType.PRIVATE_KEY: PrivateKey,
    ObjectType.SECRET_DATA: SecretData,
    ObjectType.OPAQUE_OBJECT: OpaqueObject,
}

_CLASSES_BY_TAG: Mapping[str, type[Object]] = {cls.__name__: cls for cls in OBJECT_CLASSES.values()}
_OBJECT_TAGS = tuple(ENUMERATIONS["ObjectType"].oasis.values())


def _read_object(node: Node) -> Object:
    if node.tag == "Object":  # the codec renames it wherever there is an ObjectType
        raise MissingData("ObjectType is missing or has no such value")
    cls = _CLASSES_BY_TAG.get(node.tag)
    if cls is None:
        raise FeatureNotSupported(f"objects of type {node.tag} are not supported")
    return from_node(cls, node)


def _write_object(tag: str, value: Object) -> Node:
    return to_node(value, type(value).__name__)


#: The declaration of a payload's field that holds an object of any type.
ObjectField = Annotated[Object, Tag("Object", _OBJECT_TAGS), Custom(_read_object, _write_object)]
