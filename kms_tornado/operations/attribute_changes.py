"""AddAttribute, SetAttribute, ModifyAttribute, DeleteAttribute (KMIP 2.1 §6.1).

What may become of an attribute is decided in `domain.attribute_changes`; here an object is fetched,
its tags joined to the attributes and taken off again, and the outcome written.
"""

from __future__ import annotations

import dataclasses

from ..domain.attribute_changes import (
    add_instance,
    delete_instances,
    delete_vendor_instance,
    modify_instance,
    set_instance,
)
from ..domain.attribute_rules import AttributeState
from ..domain.dates import apply_dates
from ..domain.lifecycle import Use
from ..domain.managed_object import ManagedObject
from ..errors import InvalidAttributeValue, InvalidField, MissingData
from ..kmip.attribute_instance import AttributeInstance
from ..kmip.attributes import Attributes, parse_user_tags, with_user_tags, without_tags
from ..kmip.enums import Operation
from ..kmip.payloads import (
    AddAttributeRequest,
    AddAttributeResponse,
    DeleteAttributeRequest,
    DeleteAttributeResponse,
    ModifyAttributeRequest,
    ModifyAttributeResponse,
    SetAttributeRequest,
    SetAttributeResponse,
)
from ..kmip.schema import field_of_tag
from ..store.base import Replace
from .attributes import check_length, check_vendor_attribute, user_tags_of
from .common.call import Call


async def add_attribute(call: Call, request: AddAttributeRequest) -> AddAttributeResponse:
    """One value more, where there is room for one."""
    target = await call.fetch_for(request.unique_identifier, Use.CHANGE)
    await _check_new(call, request.new_attribute)
    await _write(call, target, add_instance(_attribute_state(call, target), request.new_attribute))
    return AddAttributeResponse(unique_identifier=target.uid)


async def set_attribute(call: Call, request: SetAttributeRequest) -> SetAttributeResponse:
    """This value, whether there was one or not."""
    target = await call.fetch_for(request.unique_identifier, Use.CHANGE)
    await _check_new(call, request.new_attribute)
    await _write(call, target, set_instance(_attribute_state(call, target), request.new_attribute))
    return SetAttributeResponse(unique_identifier=target.uid)


async def modify_attribute(call: Call, request: ModifyAttributeRequest) -> ModifyAttributeResponse:
    """Another value in place of one that is there."""
    target = await call.fetch_for(request.unique_identifier, Use.CHANGE)
    await _check_new(call, request.new_attribute)
    after = modify_instance(
        _attribute_state(call, target), request.new_attribute, request.current_attribute
    )
    await _write(call, target, after)
    return ModifyAttributeResponse(unique_identifier=target.uid)


async def delete_attribute(call: Call, request: DeleteAttributeRequest) -> DeleteAttributeResponse:
    """CurrentAttribute takes one value away, AttributeReference all of a name."""
    target = await call.fetch_for(request.unique_identifier, Use.CHANGE)
    await _write(call, target, _deleted(_attribute_state(call, target), request))
    return DeleteAttributeResponse(unique_identifier=target.uid)


def _deleted(state: AttributeState, request: DeleteAttributeRequest) -> Attributes:
    current, reference = request.current_attribute, request.attribute_reference
    if current is not None and reference is not None:
        raise InvalidField("CurrentAttribute and AttributeReference exclude one another")
    if current is not None:
        return delete_instances(state, current.field, current.value)
    if reference is None:
        raise MissingData("CurrentAttribute or AttributeReference is missing")
    if reference.vendor_identification is not None:
        return delete_vendor_instance(
            state, reference.vendor_identification, reference.attribute_name
        )
    field = field_of_tag(Attributes, reference.attribute_name)
    if (
        field is None or field == "vendor_attributes"
    ):  # of all vendors at once: hardly what is meant
        raise InvalidField("AttributeReference names no attribute that could be deleted")
    return delete_instances(state, field)


def _attribute_state(call: Call, target: ManagedObject) -> AttributeState:
    attributes = with_user_tags(target.attributes, user_tags_of(target.tags))
    return AttributeState(attributes, target.state, call.now)


async def _check_new(call: Call, new: AttributeInstance) -> None:
    """What the rules cannot know: whether a link leads to an object that the caller may know of."""
    if new.field == "vendor_attributes":
        check_vendor_attribute(new.value)
    elif new.field == "links":
        linked = new.value.linked_object_identifier
        if linked.startswith("["):
            raise InvalidAttributeValue("a link names an object by its identifier")
        await call.for_operation(Operation.GET_ATTRIBUTES).fetch_for(linked, Use.INSPECT)


async def _write(call: Call, target: ManagedObject, attributes: Attributes) -> None:
    """The attributes, with the tags among them, as what the object has from now on."""
    system_tags = target.tags - user_tags_of(target.tags)
    after = dataclasses.replace(
        target,
        attributes=without_tags(attributes).replace(last_change_date=call.now),
        tags=parse_user_tags(attributes) | system_tags,
    )
    check_length(after.attributes, after.tags)
    # A date that was set may have come already: the state that is stored is the one that follows.
    await call.commit(Replace(apply_dates(after, call.now), seen=target.generation))
