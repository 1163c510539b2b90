"""Managed objects as they travel: key blocks, certificates, opaque data (KMIP 2.1 §2, §3).

In the canonical tree an object stands under its own tag (SymmetricKey, …); the clients' `Object`
is the codec's affair. Key material never shows in a repr.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated

from ..errors import FeatureNotSupported, InvalidField, KMIPError, MissingData
from . import binary_codec
from .attributes import Attributes
from .enums import (
    CertificateType,
    CryptographicAlgorithm,
    EncodingOption,
    KeyCompressionType,
    KeyFormatType,
    ObjectType,
    SecretDataType,
    WrappingMethod,
)
from .key_material import TRANSPARENT_KEYS, TransparentKey, read_material, write_material
from .key_material import KeyMaterialField as KeyMaterialField
from .schema import Custom, EnumerationNumber, Tag, from_node, to_node
from .structures import CryptographicParameters as CryptographicParameters
from .tables import ENUMERATIONS
from .ttlv import ItemType, Node, children_of

# --- key values ---------------------------------------------------------------------------------


def _read_octets(node: Node) -> KeyMaterialField | TransparentKey:
    return read_material(node, None)


@dataclass(frozen=True, slots=True)
class KeyValue:
    key_material: Annotated[KeyMaterialField | TransparentKey, Custom(_read_octets, write_material)]
    attributes: Attributes | None = None


@dataclass(frozen=True, slots=True)
class EncodedKeyValue:
    """A KeyValue in binary TTLV and then wrapped, attributes and all (§7.10, EncodingOption)."""

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
    """What is wrapped where Encoding Option is TTLV Encoding, which is the default: a multiple of 8 bytes."""
    return binary_codec.format(to_node(value, "KeyValue"))


def decode_key_value(octets: bytes, key_format: KeyFormatType) -> KeyValue:
    """The twin of `encode_key_value`. Raises InvalidField: it is a part of a message, whatever it holds."""
    try:
        node = binary_codec.parse(octets)
        value = _read_key_value(node, key_format) if node.tag == "KeyValue" else None
    except KMIPError:
        value = None  # its text would tell about what was unwrapped
    if not isinstance(value, KeyValue):
        raise InvalidField("what was unwrapped is no KeyValue in TTLV encoding")
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
    """How the key material is wrapped (§3.1)."""

    wrapping_method: WrappingMethod
    encryption_key_information: EncryptionKeyInformation | None = None
    mac_signature_key_information: MACSignatureKeyInformation | None = None
    mac_signature: bytes | None = None
    iv_counter_nonce: bytes | None = None
    encoding_option: EncodingOption | None = None


@dataclass(frozen=True, slots=True)
class KeyWrappingSpecification:
    """How the client wants it wrapped (§7.10)."""

    wrapping_method: WrappingMethod
    encryption_key_information: EncryptionKeyInformation | None = None
    mac_signature_key_information: MACSignatureKeyInformation | None = None
    attribute_names: Annotated[tuple[str, ...], Tag("AttributeName")] = ()
    encoding_option: EncodingOption | None = None


@dataclass(frozen=True, slots=True)
class KeyBlock:
    """§3: key_value is None for a key whose material is gone."""

    key_format_type: KeyFormatType
    key_compression_type: KeyCompressionType | None = None
    key_value: Annotated[
        KeyValue | EncodedKeyValue | None, Custom(_read_key_value, _write_key_value)
    ] = None
    cryptographic_algorithm: CryptographicAlgorithm | None = None
    cryptographic_length: int | None = None
    key_wrapping_data: KeyWrappingData | None = None


def _read_key_block(node: Node) -> KeyBlock:
    """The format first: what the key value looks like hangs on it."""
    numbers = [each.value for each in children_of(node) if each.tag == "KeyFormatType"]
    key_format = next((each for each in TRANSPARENT_KEYS if each in numbers), None)
    return from_node(KeyBlock, node, key_value=partial(_read_key_value, key_format=key_format))


def _write_key_block(tag: str, block: KeyBlock) -> Node:
    return to_node(block, tag)


def encode_key_block(block: KeyBlock) -> bytes:
    """Binary TTLV, for a store; `decode_key_block` reads it."""
    return binary_codec.format(to_node(block, "KeyBlock"))


def decode_key_block(octets: bytes) -> KeyBlock:
    """What `encode_key_block` wrote."""
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
    """The type stands in front (§2.7), which counts in binary; Cosmian's `Object` may lack it."""

    secret_data_type: SecretDataType | None = None
    key_block: _KeyBlockField = field(kw_only=True)


@dataclass(frozen=True, slots=True)
class Certificate:
    """certificate_value: DER for an X.509 certificate."""

    certificate_type: CertificateType
    certificate_value: bytes


@dataclass(frozen=True, slots=True)
class OpaqueObject:
    """opaque_data_type: the vendor's number; KMIP defines none (§11.35)."""

    opaque_data_type: EnumerationNumber
    opaque_data_value: bytes = field(repr=False)


Object = SymmetricKey | PublicKey | PrivateKey | SecretData | Certificate | OpaqueObject

#: Those that are missing (SplitKey, PGPKey, CertificateRequest) are refused by name.
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
    if node.tag == "Object":  # the codec names it wherever there is an ObjectType
        raise MissingData("ObjectType is missing or has no such value")
    cls = _CLASSES_BY_TAG.get(node.tag)
    if cls is None:
        raise FeatureNotSupported(f"objects of type {node.tag} are not supported")
    return from_node(cls, node)


def _write_object(tag: str, value: Object) -> Node:
    return to_node(value, type(value).__name__)


#: The type of a payload's field that holds an object of any type.
ObjectField = Annotated[Object, Tag("Object", _OBJECT_TAGS), Custom(_read_object, _write_object)]
