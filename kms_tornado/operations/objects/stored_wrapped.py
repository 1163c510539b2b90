"""Keys that are stored wrapped by another key, which this server may or may not have (KMIP 2.1 §6.1.25).

The envelope contains the KeyBlock as it came, in binary TTLV. It can be given out as it is. For any use, and
to be given out in another form, it is unwrapped each time, for which the caller needs a right to the wrapping
key: without that key, or once it is destroyed, nobody can use the wrapped one.
"""

from __future__ import annotations

import dataclasses

from ...crypto.material import KeyMaterial
from ...domain.managed_object import STORED_WRAPPED_TAG, ManagedObject
from ...domain.wrapped_rights import (
    WrappedRights,
    bind_rights,
    check_comes_back,
    restore_object,
)
from ...errors import (
    InvalidAttributeValue,
    InvalidField,
    MissingData,
    NotExtractable,
)
from ...kmip.attributes import Attributes
from ...kmip.enums import (
    EncodingOption,
    KeyFormatType,
    LinkType,
    ObjectType,
    WrappingMethod,
)
from ...kmip.objects import (
    OBJECT_CLASSES,
    Certificate,
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
from ...kmip.tables import format_name
from ..common.call import Call
from ..common.usable_key import UsableKey
from .completion import complete_numbers
from .incoming import (
    SECRET_TYPE_TAGS,
    ParsedObject,
    check_compression_type,
    merge_inner_attributes,
    parse_object,
)
from .outgoing import enclose_key_block, render_inner_attributes
from .unwrapping import determine_encoding, read_wrapped_octets, unwrap_key_block
from .wrapping import wrap_key_block
from .wrapping_policy import check_comes_back_without_rights, is_generated_here
from .wrapping_schemes import require_encryption_key

#: The vendor attribute by which cosmian_kms asks for a new key that is stored wrapped.
WRAPPING_KEY_ID = "wrapping_key_id"


def is_stored_wrapped(target: ManagedObject) -> bool:
    """Whether the object's envelope contains a wrapped KeyBlock."""
    return STORED_WRAPPED_TAG in target.tags


# --- in -----------------------------------------------------------------------------------------


def parse_wrapped_object(
    object_type: ObjectType,
    incoming: Object,
    requested: Attributes,
    structure_default: EncodingOption,
) -> ParsedObject:
    """Parse an object that stays wrapped. The server knows about its content only what the client states.

    structure_default: as for `determine_encoding`. Raises MissingData, InvalidField, FeatureNotSupported,
    KeyWrapTypeNotSupported, KeyCompressionTypeNotSupported.
    """
    if not isinstance(incoming, OBJECT_CLASSES[object_type]):
        raise MissingData(f"Object is missing, or not of the type {format_name(object_type)}")
    assert not isinstance(incoming, Certificate | OpaqueObject)  # they have no KeyBlock
    block = incoming.key_block
    if block.key_wrapping_data is None or block.key_value is None:
        raise MissingData("KeyWrappingData and KeyValue go together")
    check_compression_type(block.key_compression_type)
    information = require_encryption_key(block.key_wrapping_data)
    if information.unique_identifier.startswith("["):
        # It would mean another key for each caller who uses the object.
        raise InvalidField("what is stored wrapped names the wrapping key by its identifier")
    read_wrapped_octets(block.key_value)
    requested = merge_inner_attributes(block, requested)
    algorithm = requested.cryptographic_algorithm or block.cryptographic_algorithm
    if algorithm is None and object_type is not ObjectType.SECRET_DATA:
        raise MissingData("CryptographicAlgorithm is missing")
    tags = {STORED_WRAPPED_TAG}
    if isinstance(incoming, SecretData) and incoming.secret_data_type in SECRET_TYPE_TAGS:
        tags.add(SECRET_TYPE_TAGS[incoming.secret_data_type])
    return ParsedObject(
        KeyMaterial(encode_key_block(_complete_block(block, structure_default))),
        requested,
        Attributes(
            cryptographic_algorithm=algorithm,
            cryptographic_length=requested.cryptographic_length or block.cryptographic_length,
            key_format_type=block.key_format_type,
            links=_link_to(information.unique_identifier, requested.links),
        ),
        frozenset(tags),
    )


def extract_wrapping_key_id(requested: Attributes) -> tuple[str | None, Attributes]:
    """The key that cosmian_kms's vendor attribute names, and the attributes without it.

    See docs/dialects.md, "Identifiers, tags and links". Raises InvalidAttributeValue.
    """
    naming = [
        attribute
        for attribute in requested.vendor_attributes
        if attribute.attribute_name == WRAPPING_KEY_ID
    ]
    if not naming:
        return None, requested
    others = tuple(
        attribute for attribute in requested.vendor_attributes if attribute not in naming
    )
    try:
        (octets,) = {attribute.octets for attribute in naming}
        uid = (octets or b"").decode()
    except ValueError:  # several values, or octets that are not UTF-8
        uid = ""
    if not uid or uid.startswith("["):
        raise InvalidAttributeValue(f"{WRAPPING_KEY_ID} is the identifier of one key")
    return uid, requested.replace(vendor_attributes=others)


async def wrap_new_object(call: Call, plain: ManagedObject, wrapping_uid: str) -> ManagedObject:
    """The new object, wrapped by the key `wrapping_uid` before it is first stored.

    plain: the new object, not yet in the store. Raises the errors of `wrap_key_block`.
    """
    specification = KeyWrappingSpecification(
        WrappingMethod.ENCRYPT,
        EncryptionKeyInformation(wrapping_uid, call.client.default_wrapping_parameters),
    )
    # The key does not leave the server here, so it is wrapped even if it is not Extractable.
    extractable = dataclasses.replace(plain, attributes=plain.attributes.replace(extractable=True))
    block = await wrap_key_block(
        call, call.as_usable(extractable), specification, KeyFormatType.RAW
    )
    wrapped = parse_wrapped_object(
        plain.object_type,
        enclose_key_block(plain, block),
        plain.attributes,
        call.client.default_encoding_option,
    )
    attributes = dataclasses.replace(
        plain.attributes,
        links=wrapped.server_attributes.links,
        key_format_type=block.key_format_type,
    )
    return dataclasses.replace(
        plain,
        attributes=attributes,
        tags=plain.tags | wrapped.system_tags,
        sealed=call.seal(plain, wrapped.material),
    )


def _complete_block(block: KeyBlock, structure_default: EncodingOption) -> KeyBlock:
    """The block to store. Attributes are stored elsewhere, and a Structure without an EncodingOption gets one.

    Without it, what the sending client meant would depend on the client that uses the key.
    """
    value, data = block.key_value, block.key_wrapping_data
    if not isinstance(value, KeyValue) or data is None:
        return block
    return dataclasses.replace(
        block,
        key_value=KeyValue(value.key_material),
        key_wrapping_data=dataclasses.replace(
            data, encoding_option=determine_encoding(block, structure_default)
        ),
    )


def _link_to(wrapping_uid: str, links: tuple[Link, ...]) -> tuple[Link, ...]:
    others = (link for link in links if link.link_type is not LinkType.WRAPPING_KEY_LINK)
    return (*others, Link(LinkType.WRAPPING_KEY_LINK, wrapping_uid))


# --- out, or in use -----------------------------------------------------------------------------


def render_as_registered(
    call: Call, target: ManagedObject, request: GetRequest | ExportRequest
) -> Object:
    """The wrapped object as it came. Raises NotExtractable, InvalidField."""
    if target.attributes.extractable is False:
        raise NotExtractable("the object is not Extractable")
    if request.key_wrapping_specification is not None:
        raise InvalidField(
            "the object is wrapped already: KeyWrapType Not Wrapped unwraps it first"
        )
    block = _read_stored_block(call, target)
    if request.key_format_type not in {None, block.key_format_type}:
        raise InvalidField("a wrapped key has the format that it came in")
    return enclose_key_block(target, _adapt_to_client(call, target, block))


async def unwrap_stored(call: Call, target: ManagedObject) -> UsableKey:
    """The object, unwrapped with the caller's own right to its wrapping key.

    An object wrapped by a Sensitive key is Sensitive, whatever the client stated when it came in, and the rights that
    were wrapped with it are binding. The returned target has them, so that an operation which writes the object stores
    them; its state and usage mask may allow less than those of the stored one.
    Raises the errors of fetching the wrapping key, PermissionDenied where the material is not its owner's,
    CryptographicFailure, InvalidField.
    """
    # Blocks of older versions do not state the encoding of a Structure: it was that of bare operations.
    block = _read_stored_block(call, target)
    unwrapped = await unwrap_key_block(call, block, EncodingOption.NO_ENCODING)
    if unwrapped.rights is not None:
        target = _bind_target(call, target, unwrapped.rights)
    elif not is_generated_here(target):
        # A key that was made here has all its rights in its attributes.
        check_comes_back_without_rights(unwrapped.wrapping_key, target.owner)
    material = await _parse_material(call, target, unwrapped.block)
    if unwrapped.is_sensitive:
        attributes = target.attributes.replace(sensitive=True)
        target = dataclasses.replace(target, attributes=attributes)
    return UsableKey(target, lambda: material)


def _bind_target(call: Call, target: ManagedObject, rights: WrappedRights) -> ManagedObject:
    check_comes_back(rights, target.owner, target.object_type)
    if is_generated_here(target):
        return (
            target  # it was wrapped as it was made: its own attributes have all changes since then
        )
    attributes = bind_rights(target.attributes, rights)
    bound = dataclasses.replace(target, attributes=attributes)
    return restore_object(bound, rights, attributes, call.now)


def _read_stored_block(call: Call, target: ManagedObject) -> KeyBlock:
    return decode_key_block(call.open_envelope(target).reveal())


async def _parse_material(call: Call, target: ManagedObject, block: KeyBlock) -> KeyMaterial:
    """The material of an unwrapped block in canonical form, as in objects that are not stored wrapped."""
    stated = Attributes(
        cryptographic_algorithm=target.attributes.cryptographic_algorithm,
        key_format_type=target.attributes.key_format_type,
    )
    incoming = await complete_numbers(call, enclose_key_block(target, block))
    return parse_object(target.object_type, incoming, stated).material


def _adapt_to_client(call: Call, target: ManagedObject, block: KeyBlock) -> KeyBlock:
    """The block with the parts that the client needs, and without those that it cannot parse."""
    if call.client.attributes_in_key_value:
        value = block.key_value
        if isinstance(value, KeyValue):
            inner = render_inner_attributes(target, block.key_format_type)
            value = KeyValue(value.key_material, inner)
        block = dataclasses.replace(
            block,
            key_compression_type=None,
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
