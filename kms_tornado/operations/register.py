"""Register and Import, which store objects from outside the server (KMIP 2.1 §6.1.39, §6.1.25).

`operations.objects` shows the steps from the request to the stored object. The two differ in the identifier and
in the attributes that a client may set: Register leaves to the server what Import takes (`domain.import_rules`).
"""

from __future__ import annotations

import dataclasses

from ..crypto.material import KeyMaterial
from ..domain.access import identifier_taken, is_owner
from ..domain.import_rules import is_supplied_destroyed
from ..domain.lifecycle import Use
from ..domain.managed_object import ManagedObject
from ..domain.protection_storage import check_protection_storage
from ..domain.storage import check_storage
from ..domain.wrapped_rights import bind_rights, check_comes_back, restore_object
from ..errors import FeatureNotSupported, ObjectAlreadyExists
from ..kmip.attributes import Attributes
from ..kmip.enums import KeyWrapType, ObjectType
from ..kmip.objects import OBJECT_CLASSES, Certificate, Object, OpaqueObject, PrivateKey
from ..kmip.payloads import ImportRequest, ImportResponse, RegisterRequest, RegisterResponse
from ..kmip.tables import format_name
from ..store.interface.changes import Conflict, Insert, Replace
from .common.call import Call
from .common.identifiers import new_identifier
from .common.new_object import check_object_type, make_object
from .objects.completion import complete_numbers
from .objects.imported import make_destroyed_object, make_imported_object
from .objects.incoming import ParsedObject, parse_object, parse_sent_object
from .objects.pkcs12 import ParsedPKCS12, is_pkcs12, make_certificates, parse_pkcs12
from .objects.stored_wrapped import parse_wrapped_object
from .objects.unwrapping import unwrap_key_block
from .objects.wrapping_policy import check_comes_back_without_rights


async def register(call: Call, request: RegisterRequest) -> RegisterResponse:
    """Store an object from outside under a new identifier."""
    call.check_may_create()
    check_protection_storage(request.protection_storage_masks)
    _check_object_type(request.object_type, request.attributes)
    parsed, file = await _parse_all(call, request, None)
    uid = new_identifier(parsed.requested.unique_identifier)
    new = make_object(
        call,
        uid,
        request.object_type,
        parsed.requested,
        parsed.material,
        parsed.server_attributes,
        system_tags=parsed.system_tags,
    )
    insert = Insert(new, is_uid_random=not parsed.requested.unique_identifier)
    await call.commit(insert, *await _insert_certificates(call, file, new))
    return RegisterResponse(unique_identifier=uid)


async def import_(call: Call, request: ImportRequest) -> ImportResponse:
    """Store an object from outside under the identifier that the client chose, or under a new one for "".

    An object that was destroyed elsewhere comes without an Object; what is known about it is stored, and that it is
    destroyed.
    """
    call.check_may_create()
    _check_object_type(request.object_type, request.attributes)
    new, material, beside = await _make_imported(call, request)
    existing = await call.store.get(new.uid)  # regardless of owner
    if existing is None:
        try:
            await call.commit(Insert(new), *beside)
        except ObjectAlreadyExists:
            # Added in between, perhaps by the caller, who may replace it; or an object had the identifier
            # that is gone, and was another owner's.
            if request.replace_existing and await call.store.get(new.uid) is not None:
                raise Conflict from None
            raise
    elif request.replace_existing and is_owner(call.principal, existing):
        check_storage(existing, Use.CHANGE)
        replacement = _replace(call, existing, new, material)
        await call.commit(Replace(replacement, existing.generation), *beside)
    else:
        # The same text for every owner; that the identifier is taken cannot be hidden.
        raise identifier_taken()
    return ImportResponse(unique_identifier=new.uid)


def _replace(
    call: Call, existing: ManagedObject, new: ManagedObject, material: KeyMaterial | None
) -> ManagedObject:
    """The new object as the next version of the existing one, sealed anew: the envelope binds the version."""
    new = dataclasses.replace(new, version=existing.version + 1)
    sealed = None if material is None else call.seal(new, material)
    return dataclasses.replace(new, sealed=sealed)


async def _make_imported(
    call: Call, request: ImportRequest
) -> tuple[ManagedObject, KeyMaterial | None, tuple[Insert, ...]]:
    """(the new object; its material, which a destroyed one lacks; the objects that are inserted beside it)."""
    object_type, attributes = request.object_type, request.attributes
    if request.object is None and is_supplied_destroyed(attributes):
        uid = new_identifier(request.unique_identifier or attributes.unique_identifier)
        return make_destroyed_object(call, uid, object_type, attributes), None, ()
    parsed, file = await _parse_all(call, request, request.key_wrap_type)
    uid = new_identifier(request.unique_identifier or parsed.requested.unique_identifier)
    new = make_imported_object(call, uid, object_type, parsed, request.object)
    if parsed.rights is not None:
        new = restore_object(new, parsed.rights, parsed.requested, call.now)
    return new, parsed.material, await _insert_certificates(call, file, new)


async def _parse_all(
    call: Call, request: RegisterRequest | ImportRequest, wrap_type: KeyWrapType | None
) -> tuple[ParsedObject, ParsedPKCS12 | None]:
    """The object and, if it came as a PKCS#12, the other objects in that file."""
    incoming = request.object
    if isinstance(incoming, PrivateKey) and is_pkcs12(request.object_type, incoming):
        file = await parse_pkcs12(call, incoming, request.attributes)
        return file.key, file
    parsed = await _parse(call, request.object_type, incoming, request.attributes, wrap_type)
    return parsed, None


async def _insert_certificates(
    call: Call, file: ParsedPKCS12 | None, key: ManagedObject
) -> tuple[Insert, ...]:
    return () if file is None else tuple(map(Insert, await make_certificates(call, file, key)))


async def _parse(
    call: Call,
    object_type: ObjectType,
    incoming: Object | None,
    requested: Attributes,
    wrap_type: KeyWrapType | None,
) -> ParsedObject:
    """Parse the object.

    If it is wrapped, it is unwrapped for KeyWrapType Not Wrapped, and otherwise stored as it came.
    """
    if incoming is None or isinstance(incoming, Certificate | OpaqueObject):
        return parse_object(object_type, incoming, requested)
    if incoming.key_block.key_wrapping_data is None:
        incoming = await complete_numbers(call, incoming)
        return parse_sent_object(object_type, incoming, requested)
    structure_default = call.client.default_encoding_option
    if wrap_type is not KeyWrapType.NOT_WRAPPED:  # §6.1.25: else it is stored as provided
        return parse_wrapped_object(object_type, incoming, requested, structure_default)
    unwrapped = await unwrap_key_block(call, incoming.key_block, structure_default)
    plain = await complete_numbers(call, dataclasses.replace(incoming, key_block=unwrapped.block))
    if unwrapped.rights is not None:
        check_comes_back(unwrapped.rights, call.principal, object_type)
        requested = bind_rights(requested, unwrapped.rights)
    else:
        check_comes_back_without_rights(unwrapped.wrapping_key, call.principal)
    parsed = parse_object(object_type, plain, requested)
    parsed = dataclasses.replace(parsed, rights=unwrapped.rights)
    if not unwrapped.is_sensitive:
        return parsed
    # Otherwise a Sensitive key could be exported wrapped, imported again, and then exported in the clear.
    return dataclasses.replace(
        parsed, requested=dataclasses.replace(parsed.requested, sensitive=True)
    )


def _check_object_type(object_type: ObjectType, attributes: Attributes) -> None:
    if object_type not in OBJECT_CLASSES:
        raise FeatureNotSupported(f"objects of type {format_name(object_type)} are not supported")
    check_object_type(object_type, attributes)
