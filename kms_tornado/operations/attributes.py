"""The operations on an object's attributes, which are read and changed one by one (KMIP 2.1 §6.1).

They are GetAttributes, GetAttributeList, AddAttribute, SetAttribute, ModifyAttribute, AdjustAttribute and
DeleteAttribute. `domain.attribute_changes` decides which changes of an attribute are allowed, and `attribute_rules`
which of them are the owner's. This module fetches the object, adds its tags to the attributes, takes them out again
after the change, and commits the result.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from ..domain.access import is_owner
from ..domain.adjustment import adjust_attribute, adjust_vendor_attribute
from ..domain.attribute_changes import (
    add_instance,
    delete_instances,
    delete_numbered,
    delete_vendor_instance,
    index_of,
    modify_instance,
    modify_numbered,
    retire_indices,
    set_instance,
)
from ..domain.attribute_rules import AttributeState, check_grantee, is_multi_instance, is_set
from ..domain.dates import apply_dates
from ..domain.lifecycle import Use
from ..domain.managed_object import ManagedObject
from ..errors import InvalidField, MissingData
from ..kmip.attribute_instance import AttributeInstance
from ..kmip.attributes import Attributes, parse_user_tags, with_user_tags, without_tags
from ..kmip.enums import Operation
from ..kmip.payloads import (
    AddAttributeRequest,
    AddAttributeResponse,
    AdjustAttributeRequest,
    AdjustAttributeResponse,
    AttributeReference,
    DeleteAttributeRequest,
    DeleteAttributeResponse,
    GetAttributeListRequest,
    GetAttributeListResponse,
    GetAttributesRequest,
    GetAttributesResponse,
    ModifyAttributeRequest,
    ModifyAttributeResponse,
    SetAttributeRequest,
    SetAttributeResponse,
)
from ..kmip.schema import field_of_tag, tag_of
from ..store.interface.changes import Replace
from .common.call import Call
from .common.identifiers import check_tag_lengths
from .common.key_use import check_also_allowed
from .common.object_attributes import (
    check_attributes_length,
    check_link,
    check_vendor_attribute,
    describe_object,
    select_user_tags,
)
from .objects.digests import read_digests

# --- reading ------------------------------------------------------------------------------------


async def get_attributes(call: Call, request: GetAttributesRequest) -> GetAttributesResponse:
    """All attributes, or those of the referenced ones that are set; also of a destroyed object."""
    target = await call.fetch_for(request.unique_identifier, Use.INSPECT)
    attributes = describe_object(target)
    names = {reference.attribute_name for reference in request.attribute_references}
    if not names or "Digest" in names:
        attributes = attributes.replace(digests=await read_digests(call, target))
    if names:
        attributes = _select(attributes, request)
    return GetAttributesResponse(target.uid, attributes, target.retired_indices)


async def get_attribute_list(
    call: Call, request: GetAttributeListRequest
) -> GetAttributeListResponse:
    """The names of the attributes that GetAttributes would return."""
    target = await call.fetch_for(request.unique_identifier, Use.INSPECT)
    attributes = describe_object(target).replace(digests=await read_digests(call, target))
    vendor_references = {
        AttributeReference(attribute.attribute_name, attribute.vendor_identification): None
        for attribute in attributes.vendor_attributes
    }
    references = (
        AttributeReference(tag_of(Attributes, field.name))
        for field in dataclasses.fields(attributes)
        if field.name != "vendor_attributes" and is_set(attributes, field.name)
    )
    return GetAttributeListResponse(target.uid, (*references, *vendor_references), attributes)


def _select(attributes: Attributes, request: GetAttributesRequest) -> Attributes:
    """The attributes that the request refers to."""
    names = {
        reference.attribute_name
        for reference in request.attribute_references
        if not reference.vendor_identification
    }
    vendor_names = {
        (reference.vendor_identification, reference.attribute_name)
        for reference in request.attribute_references
        if reference.vendor_identification
    }
    selected = {
        field.name: getattr(attributes, field.name)
        for field in dataclasses.fields(attributes)
        if tag_of(Attributes, field.name) in names
    }
    if "vendor_attributes" not in selected:
        selected["vendor_attributes"] = tuple(
            attribute
            for attribute in attributes.vendor_attributes
            if (attribute.vendor_identification, attribute.attribute_name) in vendor_names
        )
    return Attributes(**selected)


# --- changing -----------------------------------------------------------------------------------


async def add_attribute(call: Call, request: AddAttributeRequest) -> AddAttributeResponse:
    """Add a value. `add_instance` refuses a second one of a single-valued attribute."""
    target = await call.fetch_for(request.unique_identifier, Use.CHANGE)
    await _check_new(call, target, request.new_attribute)
    after = add_instance(_state_of(call, target), request.new_attribute)
    await _write(call, target, after)
    return AddAttributeResponse(target.uid, *_describe_change(target, after, request.new_attribute))


async def set_attribute(call: Call, request: SetAttributeRequest) -> SetAttributeResponse:
    """Set a single-valued attribute, whether it had a value or not."""
    target = await call.fetch_for(request.unique_identifier, Use.CHANGE)
    await _check_new(call, target, request.new_attribute)
    await _write(call, target, set_instance(_state_of(call, target), request.new_attribute))
    return SetAttributeResponse(unique_identifier=target.uid)


async def modify_attribute(call: Call, request: ModifyAttributeRequest) -> ModifyAttributeResponse:
    """Replace an existing value."""
    target = await call.fetch_for(request.unique_identifier, Use.CHANGE)
    await _check_new(call, target, request.new_attribute)
    state, new = _state_of(call, target), request.new_attribute
    if request.attribute_index is None:
        after = modify_instance(state, new, request.current_attribute)
    else:
        after = modify_numbered(state, new, request.attribute_index)
    await _write(call, target, after)
    return ModifyAttributeResponse(target.uid, *_describe_change(target, after, new))


def _describe_change(
    target: ManagedObject, after: Attributes, new: AttributeInstance
) -> tuple[AttributeInstance, int]:
    """(the value as it is stored, its number), for the answer of KMIP 1.

    after: the object's attributes after the change.
    """
    if is_multi_instance(new.field):
        return new, index_of(after, target.retired_indices, new)
    return AttributeInstance(new.field, getattr(after, new.field)), 0


async def adjust_attribute_value(
    call: Call, request: AdjustAttributeRequest
) -> AdjustAttributeResponse:
    """Add to a number, subtract from it, or negate a value. An attribute that is not set counts as 0 or false."""
    target = await call.fetch_for(request.unique_identifier, Use.CHANGE)
    field, vendor = _find_referenced(request.attribute_reference)
    # Before the value is looked at, which the caller may be unable to read: even a refusal would tell of it.
    await _check_caller(call, target, field, None, vendor)
    state = _state_of(call, target)
    how = request.adjustment_type, request.adjustment_value
    if vendor is None:
        new = adjust_attribute(state.attributes, field, *how)
    else:
        name = request.attribute_reference.attribute_name
        new = adjust_vendor_attribute(state.attributes, vendor, name, *how)
    await _check_new(call, target, new)
    await _write(call, target, set_instance(state, new))
    return AdjustAttributeResponse(unique_identifier=target.uid)


async def delete_attribute(call: Call, request: DeleteAttributeRequest) -> DeleteAttributeResponse:
    """Delete one value (CurrentAttribute, or in KMIP 1 its index), or all values of a name (AttributeReference)."""
    target = await call.fetch_for(request.unique_identifier, Use.CHANGE)
    field, vendor = _find_deleted(request)
    await _check_caller(call, target, field, None, vendor)
    state = _state_of(call, target)
    if request.attribute_index is None:
        after = _delete(state, request, field, vendor)
        await _write(call, _retire(target, after, field), after)
        return DeleteAttributeResponse(unique_identifier=target.uid)
    return await _delete_by_index(call, target, request, field, request.attribute_index)


async def _delete_by_index(
    call: Call, target: ManagedObject, request: DeleteAttributeRequest, field: str, index: int
) -> DeleteAttributeResponse:
    """Delete one value. The answer contains it, if the caller may read it."""
    state, reference = _state_of(call, target), request.attribute_reference
    key = None
    if reference is not None and reference.vendor_identification is not None:
        key = reference.vendor_identification, reference.attribute_name
    after, deleted = delete_numbered(state, field, index, key)
    await _write(call, _retire(target, after, field), after)
    may_read = is_owner(call.principal, target) or await call.is_allowed(
        target, Operation.GET_ATTRIBUTES
    )
    return DeleteAttributeResponse(target.uid, deleted if may_read else None, index)


def _retire(target: ManagedObject, after: Attributes, field: str) -> ManagedObject:
    """The object, with the numbers of the deleted values retired. after: its attributes without these values."""
    retired = retire_indices(target.retired_indices, target.attributes, after, field)
    return dataclasses.replace(target, retired_indices=retired)


def _find_deleted(request: DeleteAttributeRequest) -> tuple[str, str | None]:
    """(field, vendor of a vendor attribute) that the request names. Raises InvalidField, MissingData."""
    current, reference = request.current_attribute, request.attribute_reference
    if current is not None and reference is not None:
        raise InvalidField("CurrentAttribute and AttributeReference exclude one another")
    if current is not None:
        return current.field, _vendor_of(current)
    if reference is None:
        raise MissingData("CurrentAttribute or AttributeReference is missing")
    return _find_referenced(reference)


def _find_referenced(reference: AttributeReference) -> tuple[str, str | None]:
    """(field, vendor of a vendor attribute) of the attribute that is to be changed. Raises InvalidField."""
    if reference.vendor_identification is not None:
        return "vendor_attributes", reference.vendor_identification
    field = field_of_tag(Attributes, reference.attribute_name)
    # Changing the attributes of all vendors at once is hardly what a client means.
    if field is None or field == "vendor_attributes":
        raise InvalidField("AttributeReference names no attribute that could be changed")
    return field, None


def _delete(
    state: AttributeState, request: DeleteAttributeRequest, field: str, vendor: str | None
) -> Attributes:
    """The attributes without what the request names. field, vendor: as `_find_deleted` returns them."""
    if request.current_attribute is not None:
        return delete_instances(state, field, request.current_attribute.value)
    if vendor is not None and request.attribute_reference is not None:
        return delete_vendor_instance(state, vendor, request.attribute_reference.attribute_name)
    return delete_instances(state, field)


def _state_of(call: Call, target: ManagedObject) -> AttributeState:
    attributes = with_user_tags(target.attributes, select_user_tags(target.tags))
    return AttributeState(attributes, target.state, call.now, target.retired_indices)


def _vendor_of(instance: AttributeInstance) -> str | None:
    is_vendor_attribute = instance.field == "vendor_attributes"
    return instance.value.vendor_identification if is_vendor_attribute else None


async def _check_caller(
    call: Call, target: ManagedObject, field: str, value: Any, vendor: str | None
) -> None:
    """Check that the caller may change this attribute, before the answer reveals anything about its values.

    value: the new one, None to delete it. Raises PermissionDenied.
    """
    if is_owner(call.principal, target):
        return
    right = check_grantee(_state_of(call, target), field, value, vendor)
    if right is not None:
        await check_also_allowed(call, target, right, f"this {tag_of(Attributes, field)}")


async def _check_new(call: Call, target: ManagedObject, new: AttributeInstance) -> None:
    """Check that the caller may set the value, and everything that `domain.attribute_rules` cannot know.

    The caller must be allowed to know of the object to which a link leads.
    """
    await _check_caller(call, target, new.field, new.value, _vendor_of(new))
    if new.field == "vendor_attributes":
        check_vendor_attribute(new.value)
    elif new.field == "links":
        check_link(new.value)
        linked_uid = new.value.linked_object_identifier
        await call.for_operation(Operation.GET_ATTRIBUTES).fetch_for(linked_uid, Use.INSPECT)


async def _write(call: Call, target: ManagedObject, attributes: Attributes) -> None:
    """Commit the attributes, which include the user's tags, in place of the object's former ones."""
    system_tags = target.tags - select_user_tags(target.tags)
    after = dataclasses.replace(
        target,
        attributes=without_tags(attributes).replace(last_change_date=call.now),
        tags=parse_user_tags(attributes) | system_tags,
    )
    check_tag_lengths(after.tags - target.tags)
    check_attributes_length(after.attributes, after.tags)
    # A date that was set may have passed already, so the state is stored as of now.
    await call.commit(Replace(apply_dates(after, call.now), seen=target.generation))
