"""Wrapping of keys that leave the server (KMIP 2.1 §7.10, §3.1).

The caller needs the right `encrypt` to the wrapping key as well. The wrapping key's state, dates, usage mask and
usage limit are checked, too. docs/dialects.md, "Operations of the published clients", tells how the clients differ.
"""

from __future__ import annotations

import dataclasses
from functools import partial

from ...crypto.encryption.key_wrapping import WrapAlgorithm, WrappingScheme, wrap_key
from ...domain.key_parameters import fill_parameters
from ...domain.lifecycle import Use
from ...domain.managed_object import ManagedObject
from ...domain.nonces import check_server_may_choose
from ...domain.wrapped_rights import describe_rights
from ...errors import EncodingOptionRefused, InvalidField, InvalidObjectType, NotExtractable
from ...kmip.attributes import Attributes
from ...kmip.enums import (
    CryptographicUsageMask,
    EncodingOption,
    KeyFormatType,
    ObjectType,
    Operation,
    WrappingMethod,
)
from ...kmip.key_material import KeyMaterialField
from ...kmip.kmip1 import key_values
from ...kmip.objects import (
    EncodedKeyValue,
    EncryptionKeyInformation,
    KeyBlock,
    KeyValue,
    KeyWrappingData,
    KeyWrappingSpecification,
    encode_key_value,
)
from ...kmip.schema import tag_of
from ...kmip.versions import ProtocolVersion
from ..common.call import Call
from ..common.key_use import run_maybe_offloaded
from ..common.nonces import take_server_nonce
from ..common.object_attributes import describe_object, merge_attributes
from ..common.usable_key import UsableKey
from .outgoing import render_key_block
from .wrapping_policy import (
    check_key_may_leave,
    check_rights_are_wrapped,
    check_scheme_protects,
    check_wrapping_key_protects,
)
from .wrapping_schemes import OFFLOAD_BYTES, choose_scheme, require_encryption_key

_WRAPPING_TYPES = frozenset({ObjectType.SYMMETRIC_KEY, ObjectType.PUBLIC_KEY})


async def wrap_key_block(
    call: Call,
    key: UsableKey,
    specification: KeyWrappingSpecification,
    requested_format: KeyFormatType | None,
) -> KeyBlock:
    """The key's KeyBlock, wrapped as the specification says.

    Raises the errors of fetching the wrapping key, SensitiveObject where `wrapping_policy` refuses it, and
    NotExtractable, FeatureNotSupported, InvalidField, UnsupportedCryptographicParameters.
    """
    target = key.target
    information = require_encryption_key(specification)
    if target.attributes.extractable is False:
        raise NotExtractable("the object is not Extractable")
    wrapping_key = await _fetch_to_wrap(call, key, specification, information)
    scheme = choose_scheme(call, wrapping_key.target, information, Use.PROTECT)
    if target.attributes.sensitive:
        check_scheme_protects(scheme)
    requested = specification.encoding_option or call.client.default_encoding_option
    encoding = EncodingOption.TTLV_ENCODING if target.attributes.sensitive else requested
    if encoding is EncodingOption.NO_ENCODING and requested_format is None:
        requested_format = _choose_bare_format(target)
    plain = render_key_block(target, key.open(), requested_format, call.client)
    attributes = _select_attributes(target, specification)
    # What a Sensitive object takes along is for this server, whatever the client speaks.
    version = None if target.attributes.sensitive else call.client.kmip1_version
    octets = _encode_key_value(plain, encoding, attributes, version)
    wrapped = await _wrap_octets(call, wrapping_key, scheme, octets)
    await call.consume_usage(wrapping_key.target, len(octets))
    return dataclasses.replace(
        plain,
        key_value=_make_wrapped_value(call, plain, requested, wrapped),
        key_wrapping_data=_describe_wrapping(
            call, wrapping_key.target, information, scheme, encoding
        ),
    )


async def _fetch_to_wrap(
    call: Call,
    key: UsableKey,
    specification: KeyWrappingSpecification,
    information: EncryptionKeyInformation,
) -> UsableKey:
    """The wrapping key, if it may wrap this key as the specification says. Raises as `wrap_key_block`."""
    wrapping_key = await call.for_operation(Operation.ENCRYPT).fetch_to_use(
        information.unique_identifier,
        Use.PROTECT,
        CryptographicUsageMask.WRAP_KEY,
        types=_WRAPPING_TYPES,
        unsuitable=InvalidObjectType,
    )
    if wrapping_key.target.uid == key.target.uid:
        raise InvalidField("a key does not wrap itself")
    if key.target.attributes.sensitive:
        check_key_may_leave(key.target)
        check_rights_are_wrapped(specification)
        await check_wrapping_key_protects(call, wrapping_key, key)
    return wrapping_key


def _choose_bare_format(target: ManagedObject) -> KeyFormatType | None:
    """Raw for a key that was stored as a Structure, which has no bare octets to wrap; None for no change."""
    stored = target.attributes.key_format_type
    is_structure = stored is KeyFormatType.TRANSPARENT_SYMMETRIC_KEY
    return KeyFormatType.RAW if is_structure else None


async def _wrap_octets(
    call: Call, wrapping_key: UsableKey, scheme: WrappingScheme, octets: bytes
) -> bytes:
    """The wrapped octets. For AES-GCM the server makes the nonce, if it makes the nonces of that key."""
    material = wrapping_key.open()
    if scheme.algorithm is WrapAlgorithm.GCM:
        check_server_may_choose(wrapping_key.target.nonce_source, instead="wrap with AES-KWP")
        await take_server_nonce(call, wrapping_key.target, material)
    work = partial(wrap_key, scheme, material, octets)
    return await run_maybe_offloaded(call, len(octets), work, above=OFFLOAD_BYTES)


def _select_attributes(
    target: ManagedObject, specification: KeyWrappingSpecification
) -> Attributes | None:
    """The attributes to wrap together with the key: a Sensitive object's rights, and the requested ones, if any."""
    rights = describe_rights(target) if target.attributes.sensitive else None
    if not specification.attribute_names:
        return rights
    attributes = describe_object(target)
    names = {name.replace(" ", "") for name in specification.attribute_names}
    requested = Attributes(
        **{
            field.name: getattr(attributes, field.name)
            for field in dataclasses.fields(attributes)
            if tag_of(Attributes, field.name) in names
        }
    )
    return requested if rights is None else merge_attributes(rights, requested)


def _encode_key_value(
    plain: KeyBlock,
    encoding: EncodingOption,
    attributes: Attributes | None,
    version: ProtocolVersion | None,
) -> bytes:
    """The octets to wrap: the KeyValue in TTLV, or the bare key. Raises InvalidField, EncodingOptionRefused.

    version: of KMIP 1, whose attributes the client reads; None for those of KMIP 2.
    """
    value = plain.key_value
    assert isinstance(value, KeyValue)  # `render_key_block` made it
    if encoding is EncodingOption.TTLV_ENCODING:
        whole = KeyValue(value.key_material, attributes)
        if version is None:
            return encode_key_value(whole)
        return key_values.encode_key_value(whole, version)
    if attributes is not None:
        raise EncodingOptionRefused("attributes are wrapped with TTLVEncoding only")
    material = value.key_material
    if not isinstance(material, KeyMaterialField) or material.transparent:
        raise InvalidField(
            "a transparent key is wrapped with TTLVEncoding only: ask for it, or for another KeyFormatType"
        )
    return material.octets


def _make_wrapped_value(
    call: Call, plain: KeyBlock, requested: EncodingOption, wrapped: bytes
) -> KeyValue | EncodedKeyValue:
    """A wrapped value: a ByteString (KMIP 2.1 §3.2).

    A client whose keys are Structures by default reads a wrapped one as a Structure, too.
    """
    if EncodingOption.TTLV_ENCODING in {requested, call.client.default_encoding_option}:
        return EncodedKeyValue(wrapped)
    inner = plain.key_value.attributes if isinstance(plain.key_value, KeyValue) else None
    return KeyValue(KeyMaterialField(wrapped), inner)


def _describe_wrapping(
    call: Call,
    wrapping_key: ManagedObject,
    information: EncryptionKeyInformation,
    scheme: WrappingScheme,
    encoding: EncodingOption,
) -> KeyWrappingData:
    """The data that the unwrapping party needs, as far as the client can parse it."""
    if not call.client.returns_wrapping_parameters:
        return KeyWrappingData(WrappingMethod.ENCRYPT, EncryptionKeyInformation(wrapping_key.uid))
    parameters = fill_parameters(information.cryptographic_parameters, scheme.parameters)
    return KeyWrappingData(
        WrappingMethod.ENCRYPT,
        EncryptionKeyInformation(wrapping_key.uid, parameters),
        encoding_option=None if encoding is EncodingOption.TTLV_ENCODING else encoding,
    )
