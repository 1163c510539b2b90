"""Wrapping of keys that leave the server, and unwrapping of keys that come in (KMIP 2.1 §7.10, §3.1).

The caller needs a right to the wrapping key as well: `encrypt` to wrap and `decrypt` to unwrap. The wrapping
key's state, dates, usage mask and usage limit are checked, too. docs/dialects.md, "Operations of the
published clients", tells how the clients differ.
"""

from __future__ import annotations

import dataclasses
from functools import partial

from ...crypto.encryption.key_wrapping import (
    WrapAlgorithm,
    WrappingScheme,
    choose_wrapping_scheme,
    unwrap_key,
    wrap_key,
)
from ...domain.key_parameters import bind_parameters
from ...domain.lifecycle import Use
from ...domain.managed_object import STORED_WRAPPED_TAG, ManagedObject
from ...domain.nonces import check_server_may_choose
from ...domain.wrapped_rights import WrappedRights, describe_rights, split_rights
from ...errors import (
    EncodingOptionRefused,
    FeatureNotSupported,
    InvalidField,
    KeyWrapTypeNotSupported,
    MissingData,
    NotExtractable,
)
from ...kmip.attributes import Attributes
from ...kmip.enums import (
    BlockCipherMode,
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
    decode_key_value,
    encode_key_value,
    is_encoded_key_value,
)
from ...kmip.schema import tag_of
from ...kmip.structures import CryptographicParameters
from ...kmip.versions import ProtocolVersion
from ..common.call import Call
from ..common.key_use import run_maybe_offloaded, run_with_private_key
from ..common.new_object import MAX_OBJECT_BYTES
from ..common.nonces import take_server_nonce
from ..common.object_attributes import describe_object, merge_attributes
from ..common.usable_key import UsableKey
from .outgoing import render_key_block
from .wrapping_policy import (
    check_key_may_leave,
    check_rights_are_wrapped,
    check_scheme_protects,
    check_wrapping_key_protects,
    fetch_private_key_of,
)

#: Most bytes of a wrapped object: its material, and what may be wrapped with it, such as attributes.
MAX_WRAPPED_BYTES = 2 * MAX_OBJECT_BYTES
#: Bytes above which wrapping or unwrapping is worth a thread: AES-KW takes a millisecond for them.
_OFFLOAD_BYTES = 8 * 1024

_WRAPPING_TYPES = frozenset({ObjectType.SYMMETRIC_KEY, ObjectType.PUBLIC_KEY})
_UNWRAPPING_TYPES = frozenset(
    {ObjectType.SYMMETRIC_KEY, ObjectType.PUBLIC_KEY, ObjectType.PRIVATE_KEY}
)


# --- out ----------------------------------------------------------------------------------------


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
    scheme = _choose_scheme(call, wrapping_key.target, information, Use.PROTECT)
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
    return await run_maybe_offloaded(call, len(octets), work, above=_OFFLOAD_BYTES)


def require_encryption_key(
    wrapping: KeyWrappingSpecification | KeyWrappingData,
) -> EncryptionKeyInformation:
    """The EncryptionKeyInformation. Only encryption is supported, without a MAC or signature beside it.

    Raises KeyWrapTypeNotSupported, FeatureNotSupported, MissingData.
    """
    if wrapping.wrapping_method is not WrappingMethod.ENCRYPT:
        raise KeyWrapTypeNotSupported("the WrappingMethod is Encrypt")
    if wrapping.mac_signature_key_information is not None:
        raise FeatureNotSupported("wrapping with a MAC or signature is not supported")
    if wrapping.encryption_key_information is None:
        raise MissingData("EncryptionKeyInformation is missing")
    return wrapping.encryption_key_information


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
    parameters = information.cryptographic_parameters or scheme.parameters
    return KeyWrappingData(
        WrappingMethod.ENCRYPT,
        EncryptionKeyInformation(wrapping_key.uid, parameters),
        encoding_option=None if encoding is EncodingOption.TTLV_ENCODING else encoding,
    )


# --- in -----------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class UnwrappedBlock:
    """What came out of a wrapped KeyBlock.

    block: the KeyBlock, unwrapped.
    wrapping_key: the object that unwrapped it.
    rights: the ones that were wrapped with the key; None where there were none.
    """

    block: KeyBlock
    wrapping_key: ManagedObject
    rights: WrappedRights | None

    @property
    def is_sensitive(self) -> bool:
        """Whether the wrapping key is Sensitive, which makes this key Sensitive, too."""
        return bool(self.wrapping_key.attributes.sensitive)


def determine_encoding(block: KeyBlock, structure_default: EncodingOption) -> EncodingOption:
    """How the KeyValue of a wrapped block is encoded: as its EncodingOption says, in whatever form it came.

    structure_default: the encoding of a Structure without that option. A ByteString is in TTLV by default (KMIP 2.1
    §3.2).
    """
    data = block.key_wrapping_data
    if data is not None and data.encoding_option is not None:
        return data.encoding_option
    if isinstance(block.key_value, EncodedKeyValue):
        return EncodingOption.TTLV_ENCODING
    return structure_default


async def unwrap_key_block(
    call: Call, block: KeyBlock, structure_default: EncodingOption
) -> UnwrappedBlock:
    """Unwrap a KeyBlock that came with KeyWrappingData. structure_default: as for `determine_encoding`.

    Raises the errors of fetching the wrapping key, MissingData, CryptographicFailure,
    FeatureNotSupported, InvalidField.
    """
    data, value = block.key_wrapping_data, block.key_value
    if data is None or value is None:
        raise MissingData("KeyWrappingData and KeyValue go together")
    information = require_encryption_key(data)
    if data.iv_counter_nonce is not None:
        raise FeatureNotSupported("the nonce stands in front of a key wrapped by AES-GCM")
    wrapping_key = await _fetch_to_unwrap(call, information.unique_identifier)
    scheme = _choose_scheme(call, wrapping_key.target, information, Use.PROCESS)
    if wrapping_key.target.attributes.sensitive:
        check_scheme_protects(scheme)
    octets = read_wrapped_octets(value)
    encoding = determine_encoding(block, structure_default)
    unwrap = partial(unwrap_key, scheme, wrapping_key.open(), octets)

    def work() -> tuple[KeyValue, WrappedRights | None]:
        return _decode_plain_value(block, value, unwrap(), encoding)

    if scheme.rsa is not None and len(octets) <= _OFFLOAD_BYTES:
        plain_value, rights = await run_with_private_key(call, wrapping_key.target, work)
    else:
        plain_value, rights = await run_maybe_offloaded(
            call, len(octets), work, above=_OFFLOAD_BYTES
        )
    return UnwrappedBlock(
        dataclasses.replace(block, key_value=plain_value, key_wrapping_data=None),
        wrapping_key.target,
        rights,
    )


async def _fetch_to_unwrap(call: Call, identifier: str) -> UsableKey:
    """The key to unwrap with: the named one, or the private key that belongs to a named public key.

    A list of tags is resolved once, so that the key that is used is the one that was checked.
    """
    unwrapping = call.for_operation(Operation.DECRYPT)
    named = await unwrapping.fetch_for(identifier, Use.INSPECT, types=_UNWRAPPING_TYPES)
    if named.object_type is ObjectType.PUBLIC_KEY:
        private = await fetch_private_key_of(call, named)
        if private is None:
            raise InvalidField("the private key of the wrapping key is not at hand")
        named = private
    if STORED_WRAPPED_TAG in named.tags:  # otherwise keys could wrap one another in a circle
        raise FeatureNotSupported("the wrapping key is kept wrapped itself")
    return await unwrapping.fetch_to_use(
        named.uid, Use.PROCESS, CryptographicUsageMask.UNWRAP_KEY, types=_UNWRAPPING_TYPES
    )


def read_wrapped_octets(value: KeyValue | EncodedKeyValue) -> bytes:
    """The octets of a wrapped block. Raises InvalidField for more than MAX_WRAPPED_BYTES, and for no octets."""
    if isinstance(value, EncodedKeyValue):
        octets = value.octets
    elif isinstance(value.key_material, KeyMaterialField):
        octets = value.key_material.octets
    else:
        raise InvalidField("a wrapped key is a ByteString")
    if len(octets) > MAX_WRAPPED_BYTES:
        raise InvalidField(f"a wrapped object has at most {MAX_WRAPPED_BYTES} bytes")
    return octets


def _decode_plain_value(
    block: KeyBlock, value: KeyValue | EncodedKeyValue, plain: bytes, encoding: EncodingOption
) -> tuple[KeyValue, WrappedRights | None]:
    """The KeyValue, and the rights that were wrapped with the key. Rights beside it in the clear do not count."""
    clear = value.attributes if isinstance(value, KeyValue) else None
    # Whatever the request calls it: otherwise it could strip the rights from a key that was wrapped with them.
    if encoding is EncodingOption.TTLV_ENCODING or is_encoded_key_value(plain):
        decoded = decode_key_value(plain, block.key_format_type, key_values.read_unwrapped)
        rights, others = split_rights(decoded.attributes)
        if clear is not None:  # the client's, as those of the request
            others = clear if others is None else merge_attributes(others, clear)
        return KeyValue(decoded.key_material, others), rights
    transparent = block.key_format_type is KeyFormatType.TRANSPARENT_SYMMETRIC_KEY
    return KeyValue(KeyMaterialField(plain, transparent=transparent), clear), None


# --- both ---------------------------------------------------------------------------------------


def _choose_scheme(
    call: Call, wrapping_key: ManagedObject, information: EncryptionKeyInformation, use: Use
) -> WrappingScheme:
    """The scheme for the parameters of the wrapping key and of the request. The key's parameters are binding.

    Raises BadCryptographicParameters, and UnsupportedCryptographicParameters also where the policy refuses the scheme.
    """
    own, requested = (
        _translate_nist_key_wrap(call, parameters)
        for parameters in (
            wrapping_key.attributes.cryptographic_parameters,
            information.cryptographic_parameters,
        )
    )
    parameters = bind_parameters(own, requested)
    scheme = choose_wrapping_scheme(wrapping_key.attributes.cryptographic_algorithm, parameters)
    call.check_allowed(scheme.technique, use)
    return scheme


def _translate_nist_key_wrap(
    call: Call, parameters: CryptographicParameters | None
) -> CryptographicParameters | None:
    """The parameters, with the mode that this client means by NISTKeyWrap; applied to the key's and the request's."""
    if parameters is None or parameters.block_cipher_mode is not BlockCipherMode.NIST_KEY_WRAP:
        return parameters
    return dataclasses.replace(parameters, block_cipher_mode=call.client.nist_key_wrap)
