"""Get and Export (KMIP 2.1 §6.1.17, §6.1.16; KMIP.md §5, §8)."""

from __future__ import annotations

from ..crypto.material import KeyMaterial
from ..domain.lifecycle import GONE, Use
from ..domain.managed_object import ManagedObject
from ..errors import (
    FeatureNotSupported,
    KeyFormatTypeNotSupported,
    KeyWrapTypeNotSupported,
    NotExtractable,
    SensitiveObject,
)
from ..kmip.attributes import Attributes, with_user_tags
from ..kmip.enums import KeyFormatType, ObjectType
from ..kmip.objects import KeyBlock, KeyValue, SymmetricKey
from ..kmip.objects import KeyMaterial as KeyMaterialField
from ..kmip.payloads import (
    ExportRequest,
    ExportResponse,
    GetRequest,
    GetResponse,
)
from .attributes import described, user_tags_of
from .call import Call


async def get(call: Call, request: GetRequest) -> GetResponse:
    """The key, in the clear, to who may have it."""
    _check_plain(request)
    target = await call.fetch_for(
        request.unique_identifier, Use.READ, kind=ObjectType.SYMMETRIC_KEY
    )
    return GetResponse(
        object_type=target.object_type,
        unique_identifier=target.uid,
        object=_in_the_clear(call, target, request.key_format_type),
    )


async def export(call: Call, request: ExportRequest) -> ExportResponse:
    """As Get, with all attributes and in any state; what is destroyed has no key any more."""
    _check_plain(request)
    target = await call.fetch_for(
        request.unique_identifier, Use.INSPECT, kind=ObjectType.SYMMETRIC_KEY
    )
    is_gone = target.state in GONE
    return ExportResponse(
        object_type=target.object_type,
        unique_identifier=target.uid,
        attributes=described(target),
        object=None if is_gone else _in_the_clear(call, target, request.key_format_type),
    )


def _check_plain(request: GetRequest | ExportRequest) -> None:
    if request.key_wrapping_specification is not None:
        raise KeyWrapTypeNotSupported("wrapping a key on its way out is not supported")
    if request.key_compression_type is not None:
        raise FeatureNotSupported("KeyCompressionType is not supported")


def _in_the_clear(call: Call, target: ManagedObject, wanted: KeyFormatType | None) -> SymmetricKey:
    if target.attributes.sensitive:
        raise SensitiveObject("the object is Sensitive and leaves the server only wrapped")
    if target.attributes.extractable is False:
        raise NotExtractable("the object is not Extractable")
    return _symmetric_key(target, call.open(target), wanted or KeyFormatType.RAW)


def _symmetric_key(
    target: ManagedObject, material: KeyMaterial, wanted: KeyFormatType
) -> SymmetricKey:
    """The key block that both published clients can read (KMIP.md §5, R4 to R11)."""
    if wanted not in {KeyFormatType.RAW, KeyFormatType.TRANSPARENT_SYMMETRIC_KEY}:
        raise KeyFormatTypeNotSupported("a symmetric key is Raw or TransparentSymmetricKey")
    kept = target.attributes
    shown = Attributes(
        cryptographic_algorithm=kept.cryptographic_algorithm,
        cryptographic_length=kept.cryptographic_length,
        cryptographic_usage_mask=kept.cryptographic_usage_mask,
        key_format_type=wanted,  # cloudproof_kms_js picks its parser by it
        object_type=target.object_type,
        links=kept.links,
        vendor_attributes=kept.vendor_attributes,
    )
    return SymmetricKey(
        KeyBlock(
            key_format_type=wanted,
            key_value=KeyValue(
                KeyMaterialField(
                    material.reveal(),
                    transparent=wanted is KeyFormatType.TRANSPARENT_SYMMETRIC_KEY,
                ),
                with_user_tags(shown, user_tags_of(target)),
            ),
            cryptographic_algorithm=kept.cryptographic_algorithm,
            cryptographic_length=kept.cryptographic_length,
        )
    )
