"""Get and Export (KMIP 2.1 §6.1.19, §6.1.18).

`operations.objects` shows the steps from the stored object to the answer.
"""

from __future__ import annotations

import dataclasses

from ..domain.lifecycle import DESTROYED_STATES, Use
from ..domain.managed_object import ManagedObject
from ..errors import (
    InvalidObjectType,
    NotExtractable,
    SensitiveObject,
    Unavailable,
)
from ..kmip.enums import KeyFormatType, KeyWrapType, ObjectType
from ..kmip.objects import Object
from ..kmip.payloads import ExportRequest, ExportResponse, GetRequest, GetResponse
from ..store.interface.changes import Replace
from .common.call import Call
from .common.object_attributes import describe_object
from .objects.digests import read_digests
from .objects.incoming import check_compression_type
from .objects.outgoing import enclose_key_block, render_object
from .objects.outgoing_pkcs12 import fetch_key_of, render_pkcs12
from .objects.stored_wrapped import is_stored_wrapped, render_as_registered, unwrap_stored
from .objects.wrapping import wrap_key_block

_PKCS12_OF_KEY = ObjectType.PRIVATE_KEY, KeyFormatType.PKCS12
_PKCS12_OF_CERTIFICATE = ObjectType.CERTIFICATE, KeyFormatType.PKCS12


async def get(call: Call, request: GetRequest) -> GetResponse:
    """The object, wrapped or in the clear as requested. Raises SensitiveObject, NotExtractable."""
    check_compression_type(request.key_compression_type)
    target, certificate = await call.fetch_for(request.unique_identifier, Use.READ), None
    if (target.object_type, request.key_format_type) == _PKCS12_OF_CERTIFICATE:
        target, certificate = await fetch_key_of(call, target, Use.READ), target
    rendered = await _render(call, target, request, certificate)
    response = GetResponse(target.object_type, target.uid, rendered)
    if target.attributes.fresh:
        await _clear_fresh(call, target)
    return response


async def export(call: Call, request: ExportRequest) -> ExportResponse:
    """As Get, with all attributes and in any state; without the object's material once it is destroyed."""
    check_compression_type(request.key_compression_type)
    target, certificate = await call.fetch_for(request.unique_identifier, Use.EXPORT), None
    if (target.object_type, request.key_format_type) == _PKCS12_OF_CERTIFICATE:
        target, certificate = await fetch_key_of(call, target, Use.EXPORT), target
    is_destroyed = target.state in DESTROYED_STATES
    attributes = describe_object(target).replace(digests=await read_digests(call, target))
    response = ExportResponse(
        object_type=target.object_type,
        unique_identifier=target.uid,
        # Whoever imports it elsewhere has an object that was given out: by this answer.
        attributes=attributes if is_destroyed else attributes.replace(fresh=False),
        object=None if is_destroyed else await _render(call, target, request, certificate),
        retired_indices=target.retired_indices,
    )
    if not is_destroyed and target.attributes.fresh:
        await _clear_fresh(call, target)
    return response


async def _clear_fresh(call: Call, target: ManagedObject) -> None:
    """Set Fresh to false, because the object is given out for the first time (KMIP 2.1 §4.23).

    Only for a member of a group, Unavailable is raised, since that must not be given out as Fresh twice. It is better
    to give out any other object than to keep it back while the database takes no changes (a full disk).
    """
    after = dataclasses.replace(target, attributes=target.attributes.replace(fresh=False))
    try:
        await call.commit(Replace(after, seen=target.generation))
    except Unavailable:
        if target.attributes.object_groups:
            raise


async def _render(
    call: Call,
    target: ManagedObject,
    request: GetRequest | ExportRequest,
    certificate: ManagedObject | None,
) -> Object:
    """The object as requested: wrapped, or in the clear.

    certificate: of the key, if a PKCS#12 was asked for by its identifier.
    """
    if is_stored_wrapped(target):
        if request.key_wrap_type is not KeyWrapType.NOT_WRAPPED:
            return render_as_registered(call, target, request)
        key = await unwrap_stored(call, target)
    else:
        key = call.as_usable(target)
    specification = request.key_wrapping_specification
    if specification is None:
        _check_leaves_in_the_clear(key.target)
        if (key.target.object_type, request.key_format_type) == _PKCS12_OF_KEY:
            return await render_pkcs12(call, key, certificate)
        return render_object(key.target, key.open(), request.key_format_type, call.client)
    if key.target.object_type in {ObjectType.CERTIFICATE, ObjectType.OPAQUE_OBJECT}:
        raise InvalidObjectType("an object without a KeyBlock cannot be wrapped")
    block = await wrap_key_block(call, key, specification, request.key_format_type)
    return enclose_key_block(key.target, block)


def _check_leaves_in_the_clear(target: ManagedObject) -> None:
    """Check that the object may leave in the clear. Raises SensitiveObject, NotExtractable.

    A PKCS#12 counts as in the clear, because its password is the caller's.
    """
    if target.attributes.sensitive:
        raise SensitiveObject("the object is Sensitive and leaves the server only wrapped")
    if target.attributes.extractable is False:
        raise NotExtractable("the object is not Extractable")
