"""Unwrapping of keys that come in (KMIP 2.1 §7.10, §3.1).

The caller needs the right `decrypt` to the wrapping key as well. The wrapping key's state, dates and usage mask are
checked, too. docs/dialects.md, "Operations of the published clients", tells how the clients differ.
"""

from __future__ import annotations

import dataclasses
from functools import partial

from ...crypto.encryption.key_wrapping import unwrap_key
from ...domain.lifecycle import Use
from ...domain.managed_object import STORED_WRAPPED_TAG, ManagedObject
from ...domain.wrapped_rights import WrappedRights, split_rights
from ...errors import FeatureNotSupported, InvalidField, InvalidObjectType, MissingData
from ...kmip.enums import (
    CryptographicUsageMask,
    EncodingOption,
    KeyFormatType,
    ObjectType,
    Operation,
)
from ...kmip.key_material import KeyMaterialField
from ...kmip.kmip1 import key_values
from ...kmip.objects import (
    EncodedKeyValue,
    KeyBlock,
    KeyValue,
    decode_key_value,
    is_encoded_key_value,
)
from ..common.call import Call
from ..common.key_use import run_maybe_offloaded, run_with_private_key
from ..common.new_object import MAX_OBJECT_BYTES
from ..common.object_attributes import merge_attributes
from ..common.usable_key import UsableKey
from .wrapping_policy import check_scheme_protects, fetch_private_key_of
from .wrapping_schemes import OFFLOAD_BYTES, choose_scheme, require_encryption_key

#: Most bytes of a wrapped object: its material, and what may be wrapped with it, such as attributes.
MAX_WRAPPED_BYTES = 2 * MAX_OBJECT_BYTES

_UNWRAPPING_TYPES = frozenset(
    {ObjectType.SYMMETRIC_KEY, ObjectType.PUBLIC_KEY, ObjectType.PRIVATE_KEY}
)


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
    scheme = choose_scheme(call, wrapping_key.target, information, Use.PROCESS)
    if wrapping_key.target.attributes.sensitive:
        check_scheme_protects(scheme)
    octets = read_wrapped_octets(value)
    encoding = determine_encoding(block, structure_default)
    unwrap = partial(unwrap_key, scheme, wrapping_key.open(), octets)

    def work() -> tuple[KeyValue, WrappedRights | None]:
        return _decode_plain_value(block, value, unwrap(), encoding)

    if scheme.rsa is not None and len(octets) <= OFFLOAD_BYTES:
        plain_value, rights = await run_with_private_key(call, wrapping_key.target, work)
    else:
        plain_value, rights = await run_maybe_offloaded(
            call, len(octets), work, above=OFFLOAD_BYTES
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
    key = await unwrapping.fetch_for(
        identifier, Use.INSPECT, types=_UNWRAPPING_TYPES, unsuitable=InvalidObjectType
    )
    if key.object_type is ObjectType.PUBLIC_KEY:
        private = await fetch_private_key_of(call, key)
        if private is None:
            raise InvalidField("the private key of the wrapping key is not at hand")
        key = private
    if STORED_WRAPPED_TAG in key.tags:  # otherwise keys could wrap one another in a circle
        raise FeatureNotSupported("the wrapping key is kept wrapped itself")
    return await unwrapping.fetch_to_use(
        key.uid, Use.PROCESS, CryptographicUsageMask.UNWRAP_KEY, types=_UNWRAPPING_TYPES
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
