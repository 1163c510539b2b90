"""Keys that are kept wrapped by another key of this server's, or of anybody's (KMIP 2.1 §6.1.21).

Under the envelope lies the KeyBlock as it came, in binary TTLV. It is given out as it is; to be used,
or given out otherwise, it is unwrapped each time, with the caller's right to the wrapping key: without
that key, or once it is destroyed, what it wraps is of no use to anybody.
"""

from __future__ import annotations

import dataclasses

from ...crypto.material import KeyMaterial
from ...domain.managed_object import STORED_WRAPPED_TAG, ManagedObject
from ...errors import (
    FeatureNotSupported,
    InvalidAttributeValue,
    InvalidField,
    MissingData,
    NotExtractable,
)
from ...kmip.attributes import Attributes
from ...kmip.enums import (
    KeyFormatType,
    LinkType,
    ObjectType,
    WrappingMethod,
)
from ...kmip.key_material import KeyMaterialField
from ...kmip.objects import (
    OBJECT_CLASSES,
    Certificate,
    EncodedKeyValue,
    EncryptionKeyInformation,
    KeyBlock,
    KeyValue,
    KeyWrappingData,
    KeyWrappingSpecification,
    Object,
    OpaqueObject,
    SecretData,
    decode_key_block,
    encode_key_block,
)
from ...kmip.payloads import ExportRequest, GetRequest
from ...kmip.structures import Link
from ..common.call import Call, UsableKey
from .incoming import SECRET_TYPE_TAGS, Taken, stated_attributes, taken
from .outgoing import shown_attributes, with_block
from .wrapping import encryption_only, unwrapped, wrapped_block

#: The vendor attribute that asks for it.
WRAPPING_KEY_ID = "wrapping_key_id"


def is_stored_wrapped(target: ManagedObject) -> bool:
    return STORED_WRAPPED_TAG in target.tags


def taken_wrapped(object_type: ObjectType, given: Object, wanted: Attributes) -> Taken:
    """What is kept of an object that stays wrapped; of what is inside, only what was stated is known.

    Raises MissingData, InvalidField, FeatureNotSupported, KeyWrapTypeNotSupported.
    """
    if not isinstance(given, OBJECT_CLASSES[object_type]):
        raise MissingData(f"Object is missing, or not of the type {object_type.name}")
    assert not isinstance(given, Certificate | OpaqueObject)  # they have no KeyBlock
    block = given.key_block
    if block.key_wrapping_data is None or block.key_value is None:
        raise MissingData("KeyWrappingData and KeyValue go together")
    if block.key_compression_type is not None:
        raise FeatureNotSupported("KeyCompressionType is not supported")
    information = encryption_only(block.key_wrapping_data)
    _check_octets(block)
    stated = stated_attributes(block, wanted)
    algorithm = stated.cryptographic_algorithm or block.cryptographic_algorithm
    if algorithm is None and object_type is not ObjectType.SECRET_DATA:
        raise MissingData("CryptographicAlgorithm is missing")
    tags = {STORED_WRAPPED_TAG}
    if isinstance(given, SecretData) and given.secret_data_type in SECRET_TYPE_TAGS:
        tags.add(SECRET_TYPE_TAGS[given.secret_data_type])
    value = block.key_value
    kept = KeyValue(value.key_material) if isinstance(value, KeyValue) else value
    return Taken(
        KeyMaterial(encode_key_block(dataclasses.replace(block, key_value=kept))),
        stated,
        Attributes(
            cryptographic_algorithm=algorithm,
            cryptographic_length=stated.cryptographic_length or block.cryptographic_length,
            key_format_type=block.key_format_type,
            links=_links(stated, information.unique_identifier),
        ),
        frozenset(tags),
    )


def wrapping_key_id(wanted: Attributes) -> tuple[str | None, Attributes]:
    """What the vendor attribute of cosmian_kms names, and the attributes without it (KMIP.md §7).

    Raises InvalidAttributeValue.
    """
    found = [each for each in wanted.vendor_attributes if each.attribute_name == WRAPPING_KEY_ID]
    if not found:
        return None, wanted
    others = tuple(each for each in wanted.vendor_attributes if each not in found)
    try:
        (octets,) = {each.octets for each in found}
        uid = (octets or b"").decode()
    except ValueError:  # UnicodeDecodeError is one, and several values are another
        uid = ""
    if not uid or uid.startswith("["):
        raise InvalidAttributeValue(f"{WRAPPING_KEY_ID} is the identifier of one key")
    return uid, wanted.replace(vendor_attributes=others)


async def made_wrapped(call: Call, plain: ManagedObject, wrapping_uid: str) -> ManagedObject:
    """A new object, from its beginning kept wrapped by that key.

    plain: the new object, not in the store. Raises as `wrapped_block`.
    """
    specification = KeyWrappingSpecification(
        WrappingMethod.ENCRYPT,
        EncryptionKeyInformation(wrapping_uid, call.client.default_wrapping_parameters),
    )
    may_leave = dataclasses.replace(plain, attributes=plain.attributes.replace(extractable=True))
    block = await wrapped_block(call, call.as_usable(may_leave), specification, KeyFormatType.RAW)
    found = taken_wrapped(plain.object_type, with_block(plain, block), plain.attributes)
    attributes = dataclasses.replace(
        plain.attributes, links=found.computed.links, key_format_type=block.key_format_type
    )
    return dataclasses.replace(
        plain,
        attributes=attributes,
        tags=plain.tags | found.tags,
        sealed=call.seal(plain, found.material),
    )


def as_registered(call: Call, target: ManagedObject, request: GetRequest | ExportRequest) -> Object:
    """The wrapped object as it came. Raises NotExtractable, InvalidField."""
    if target.attributes.extractable is False:
        raise NotExtractable("the object is not Extractable")
    if request.key_wrapping_specification is not None:
        raise InvalidField(
            "the object is wrapped already: KeyWrapType Not Wrapped unwraps it first"
        )
    block = stored_block(call, target)
    if request.key_format_type not in {None, block.key_format_type}:
        raise InvalidField("a wrapped key has the format that it came in")
    return with_block(target, _shown(call, target, block))


def stored_block(call: Call, target: ManagedObject) -> KeyBlock:
    return decode_key_block(call.open_envelope(target).reveal())


async def unwrap_stored(call: Call, target: ManagedObject) -> UsableKey:
    """The object unwrapped, by the caller's own right to its wrapping key.

    What a Sensitive key protects is Sensitive, whatever was said of it when it came in; an operation
    that writes the object then writes that down.
    Raises what the wrapping key refuses, CryptographicFailure, InvalidField.
    """
    found = await unwrapped(call, stored_block(call, target))
    material = _material(target, found.block)
    if found.sensitive:
        target = dataclasses.replace(target, attributes=target.attributes.replace(sensitive=True))
    return UsableKey(target, lambda: material)


def _material(target: ManagedObject, block: KeyBlock) -> KeyMaterial:
    """In the form that plain objects are kept in."""
    kept = target.attributes
    stated = Attributes(
        cryptographic_algorithm=kept.cryptographic_algorithm, key_format_type=kept.key_format_type
    )
    return taken(target.object_type, with_block(target, block), stated).material


def _shown(call: Call, target: ManagedObject, block: KeyBlock) -> KeyBlock:
    """The block as the client can read it: with attributes inside, and of the wrapping only the key."""
    if call.client.attributes_in_key_value:
        value = block.key_value
        if isinstance(value, KeyValue):
            value = KeyValue(value.key_material, shown_attributes(target, block.key_format_type))
        block = dataclasses.replace(
            block,
            key_value=value,
            cryptographic_algorithm=target.attributes.cryptographic_algorithm,
            cryptographic_length=target.attributes.cryptographic_length,
        )
    if call.client.returns_wrapping_parameters:
        return block
    data = block.key_wrapping_data
    information = data.encryption_key_information if data else None
    uid = information.unique_identifier if information else ""
    return dataclasses.replace(
        block,
        key_wrapping_data=KeyWrappingData(WrappingMethod.ENCRYPT, EncryptionKeyInformation(uid)),
    )


def _check_octets(block: KeyBlock) -> None:
    value = block.key_value
    if isinstance(value, EncodedKeyValue):
        return
    if not isinstance(value, KeyValue) or not isinstance(value.key_material, KeyMaterialField):
        raise InvalidField("a wrapped key is a ByteString")


def _links(stated: Attributes, wrapping_uid: str) -> tuple[Link, ...]:
    others = (each for each in stated.links if each.link_type is not LinkType.WRAPPING_KEY_LINK)
    return (*others, Link(LinkType.WRAPPING_KEY_LINK, wrapping_uid))
