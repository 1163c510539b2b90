"""Get and Export (KMIP 2.1 §6.1.17, §6.1.16; KMIP.md §5, §8)."""

from __future__ import annotations

import dataclasses

from ..domain.lifecycle import DESTROYED_STATES, Use
from ..domain.managed_object import ManagedObject
from ..errors import (
    FeatureNotSupported,
    KeyWrapTypeNotSupported,
    NotExtractable,
    SensitiveObject,
)
from ..kmip.enums import KeyFormatType, KeyWrapType, ObjectType
from ..kmip.objects import Object
from ..kmip.payloads import ExportRequest, ExportResponse, GetRequest, GetResponse
from ..store.base import Replace
from .attributes import described
from .common.call import Call, UsableKey
from .objects.outgoing import given, with_block
from .objects.stored_wrapped import as_registered, is_stored_wrapped, unwrap_stored
from .objects.wrapping import wrapped_block


async def get(call: Call, request: GetRequest) -> GetResponse:
    """The object, wrapped or in the clear, to who may have it so."""
    _check_format(request)
    target = await call.fetch_for(request.unique_identifier, Use.READ)
    answer = GetResponse(target.object_type, target.uid, await _given(call, target, request))
    if target.attributes.fresh:
        await _note_served(call, target)
    return answer


async def export(call: Call, request: ExportRequest) -> ExportResponse:
    """As Get, with all attributes and in any state; what is destroyed has no key any more."""
    _check_format(request)
    target = await call.fetch_for(request.unique_identifier, Use.INSPECT)
    is_gone = target.state in DESTROYED_STATES
    answer = ExportResponse(
        object_type=target.object_type,
        unique_identifier=target.uid,
        attributes=described(target),
        object=None if is_gone else await _given(call, target, request),
    )
    if not is_gone and target.attributes.fresh:
        await _note_served(call, target)
    return answer


async def _note_served(call: Call, target: ManagedObject) -> None:
    """What was registered as Fresh is so until it is first given out (KMIP 2.1 §4.23)."""
    after = dataclasses.replace(target, attributes=target.attributes.replace(fresh=False))
    await call.commit(Replace(after, seen=target.generation))


def _check_format(request: GetRequest | ExportRequest) -> None:
    if request.key_compression_type is not None:
        raise FeatureNotSupported("KeyCompressionType is not supported")


async def _given(call: Call, target: ManagedObject, request: GetRequest | ExportRequest) -> Object:
    """The object as the request wants it: wrapped, or in the clear."""
    if is_stored_wrapped(target):
        if request.key_wrap_type is not KeyWrapType.NOT_WRAPPED:
            return as_registered(call, target, request)
        key = await unwrap_stored(call, target)
    else:
        key = call.as_usable(target)
    specification = request.key_wrapping_specification
    if specification is None:
        return _in_the_clear(call, key, request.key_format_type)
    if key.target.object_type in {ObjectType.CERTIFICATE, ObjectType.OPAQUE_OBJECT}:
        raise KeyWrapTypeNotSupported("an object without a KeyBlock cannot be wrapped")
    block = await wrapped_block(call, key, specification, request.key_format_type)
    return with_block(key.target, block)


def _in_the_clear(call: Call, key: UsableKey, wanted: KeyFormatType | None) -> Object:
    target = key.target
    if target.attributes.sensitive:
        raise SensitiveObject("the object is Sensitive and leaves the server only wrapped")
    if target.attributes.extractable is False:
        raise NotExtractable("the object is not Extractable")
    return given(target, key.open(), wanted, call.client)
