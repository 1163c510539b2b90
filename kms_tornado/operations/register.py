"""Register and Import: objects from outside, in every format (KMIP 2.1 §6.1.39, §6.1.21; KMIP.md §8)."""

from __future__ import annotations

import dataclasses

from ..crypto.material import KeyMaterial
from ..domain.access import is_owner
from ..domain.managed_object import ManagedObject, UniqueIdentifier
from ..errors import FeatureNotSupported, ObjectAlreadyExists
from ..kmip.attributes import Attributes
from ..kmip.enums import KeyWrapType, ObjectType
from ..kmip.objects import OBJECT_CLASSES, Certificate, Object, OpaqueObject
from ..kmip.payloads import ImportRequest, ImportResponse, RegisterRequest, RegisterResponse
from ..store.base import Conflict, Insert, Replace
from .common.call import Call
from .common.identifiers import new_identifier
from .common.new_object import check_object_type, new_object
from .objects.incoming import Taken, taken
from .objects.stored_wrapped import taken_wrapped
from .objects.wrapping import unwrapped


async def register(call: Call, request: RegisterRequest) -> RegisterResponse:
    """Take an object from outside under a new identifier."""
    call.check_may_create()
    _check_object_type(request.object_type, request.attributes)
    found = await _taken(call, request.object_type, request.object, request.attributes, None)
    uid = new_identifier(found.wanted.unique_identifier)
    await call.commit(Insert(_new(call, uid, request.object_type, found)))
    return RegisterResponse(unique_identifier=uid)


async def import_(call: Call, request: ImportRequest) -> ImportResponse:
    """Take an object from outside under the identifier that the client chose, or a new one for ""."""
    call.check_may_create()
    _check_object_type(request.object_type, request.attributes)
    found = await _taken(
        call, request.object_type, request.object, request.attributes, request.key_wrap_type
    )
    uid = new_identifier(request.unique_identifier or found.wanted.unique_identifier)
    new = _new(call, uid, request.object_type, found)
    known = await call.store.get(uid)
    if known is None:
        try:
            await call.commit(Insert(new))
        except ObjectAlreadyExists:
            if request.replace_existing:  # it came in between, and may be the caller's to replace
                raise Conflict from None
            raise
    elif request.replace_existing and is_owner(call.principal, known):
        await call.commit(Replace(_replacing(call, known, new, found.material), known.generation))
    else:
        # The same words whoever owns it; that the identifier is taken cannot be hidden.
        raise ObjectAlreadyExists("the identifier is taken")
    return ImportResponse(unique_identifier=uid)


def _replacing(
    call: Call, known: ManagedObject, new: ManagedObject, material: KeyMaterial
) -> ManagedObject:
    """The new object in the known one's place; its envelope names the version that it is."""
    new = dataclasses.replace(new, version=known.version + 1)
    return dataclasses.replace(new, sealed=call.seal(new, material))


def _new(call: Call, uid: UniqueIdentifier, object_type: ObjectType, found: Taken) -> ManagedObject:
    return new_object(
        call, uid, object_type, found.wanted, found.material, found.computed, tags=found.tags
    )


async def _taken(
    call: Call,
    object_type: ObjectType,
    given: Object | None,
    wanted: Attributes,
    wrap_type: KeyWrapType | None,
) -> Taken:
    if given is None or isinstance(given, Certificate | OpaqueObject):
        return taken(object_type, given, wanted)
    if given.key_block.key_wrapping_data is None:
        return taken(object_type, given, wanted)
    if wrap_type is not KeyWrapType.NOT_WRAPPED:  # §6.1.21: else it is stored as provided
        return taken_wrapped(object_type, given, wanted)
    found = await unwrapped(call, given.key_block)
    result = taken(object_type, dataclasses.replace(given, key_block=found.block), wanted)
    if not found.sensitive:
        return result
    # Else a Sensitive key, wrapped on its way out, would be plain after its way back in.
    return dataclasses.replace(result, wanted=dataclasses.replace(result.wanted, sensitive=True))


def _check_object_type(object_type: ObjectType, attributes: Attributes) -> None:
    if object_type not in OBJECT_CLASSES:
        raise FeatureNotSupported(f"objects of type {object_type.name} are not supported")
    check_object_type(object_type, attributes)
