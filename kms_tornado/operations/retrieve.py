"""Get, Export and Locate (KMIP 2.1 §6.1.17, §6.1.16, §6.1.24; KMIP.md §5, §8)."""

from __future__ import annotations

import dataclasses

from ..crypto.material import KeyMaterial
from ..domain.lifecycle import GONE, Use
from ..domain.managed_object import ManagedObject, ObjectFilter
from ..errors import (
    FeatureNotSupported,
    InvalidField,
    KeyFormatTypeNotSupported,
    KeyWrapTypeNotSupported,
    NotExtractable,
    SensitiveObject,
)
from ..kmip.attributes import Attributes, tags_sought, with_user_tags, without_tags
from ..kmip.enums import KeyFormatType, ObjectType
from ..kmip.objects import KeyBlock, KeyValue, SymmetricKey
from ..kmip.objects import KeyMaterial as KeyMaterialField
from ..kmip.payloads import (
    ExportRequest,
    ExportResponse,
    GetRequest,
    GetResponse,
    LocateRequest,
    LocateResponse,
)
from ..kmip.schema import tag_of
from .attributes import described, user_tags_of
from .call import Call

MAX_LOCATED = 1000  # as Cosmian; a client pages with OffsetItems
_FILTERS = frozenset(
    {
        "unique_identifier",
        "object_type",
        "cryptographic_algorithm",
        "cryptographic_length",
        "cryptographic_usage_mask",
        "key_format_type",
        "state",
        "vendor_attributes",
    }
)


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


async def locate(call: Call, request: LocateRequest) -> LocateResponse:
    """What matches of the objects that the caller owns or has any right on, newest first."""
    _check_filters(request)
    wanted = request.attributes
    total, found = await call.store.locate(
        ObjectFilter(
            tags=tags_sought(wanted),
            uid=wanted.unique_identifier,
            object_type=wanted.object_type,
            algorithm=wanted.cryptographic_algorithm,
            length=wanted.cryptographic_length,
            usage_mask=wanted.cryptographic_usage_mask,
            key_format=wanted.key_format_type,
            states=None if wanted.state is None else frozenset({wanted.state}),
        ),
        principal=call.principal,
        offset=request.offset_items or 0,
        maximum=min(
            MAX_LOCATED, MAX_LOCATED if not request.maximum_items else request.maximum_items
        ),
    )
    return LocateResponse(located_items=total, unique_identifiers=tuple(found))


def _check_plain(request: GetRequest | ExportRequest) -> None:
    if request.key_wrapping_specification is not None:
        raise KeyWrapTypeNotSupported("wrapping a key on its way out is not supported")
    if request.key_compression_type is not None:
        raise FeatureNotSupported("KeyCompressionType is not supported")


def _check_filters(request: LocateRequest) -> None:
    """A filter that is not understood must not find everything."""
    for field in dataclasses.fields(request.attributes):
        if field.name in _FILTERS or getattr(request.attributes, field.name) in (None, ()):
            continue
        raise FeatureNotSupported(f"Locate by {tag_of(Attributes, field.name)} is not supported")
    if without_tags(request.attributes).vendor_attributes:
        raise FeatureNotSupported("Locate by vendor attributes other than tags is not supported")
    if request.date_ranges:
        raise FeatureNotSupported("Locate by a range of dates is not supported")
    for value in (request.maximum_items, request.offset_items):
        if value is not None and value < 0:
            raise InvalidField("MaximumItems and OffsetItems may not be negative")
    if request.storage_status_mask not in {None, 1}:
        raise FeatureNotSupported("only online storage is searched")
    if request.object_group_member is not None:
        raise FeatureNotSupported("ObjectGroupMember is not supported")


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
