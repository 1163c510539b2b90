"""Calls on the attributes of an object."""

from __future__ import annotations

from collections.abc import Sequence

from ...kmip.attribute_instance import AttributeInstance
from ...kmip.attributes import Attributes
from ...kmip.payloads import (
    AddAttributeRequest,
    AddAttributeResponse,
    AttributeReference,
    DeleteAttributeRequest,
    DeleteAttributeResponse,
    GetAttributesRequest,
    GetAttributesResponse,
    ModifyAttributeRequest,
    ModifyAttributeResponse,
    SetAttributeRequest,
    SetAttributeResponse,
)
from ..exchanges import Exchange, perform
from .arguments import Key, identify


def get_attributes(key: Key, references: Sequence[AttributeReference] = ()) -> Exchange[Attributes]:
    """The attributes of an object; those that the references name, or all."""
    request = GetAttributesRequest(identify(key), tuple(references))
    return perform(request, GetAttributesResponse).then(lambda response: response.attributes)


def add_attribute(key: Key, attribute: AttributeInstance) -> Exchange[str]:
    """Add a value; the object's identifier."""
    request = AddAttributeRequest(attribute, identify(key))
    return perform(request, AddAttributeResponse).then(lambda response: response.unique_identifier)


def set_attribute(key: Key, attribute: AttributeInstance) -> Exchange[str]:
    """Set an attribute that has one value, whatever it had before; the object's identifier."""
    request = SetAttributeRequest(attribute, identify(key))
    return perform(request, SetAttributeResponse).then(lambda response: response.unique_identifier)


def modify_attribute(
    key: Key, attribute: AttributeInstance, current: AttributeInstance | None = None
) -> Exchange[str]:
    """Change a value that is there; the object's identifier.

    current: the value to change, where the attribute has several.
    """
    request = ModifyAttributeRequest(attribute, current, identify(key))
    return perform(request, ModifyAttributeResponse).then(
        lambda response: response.unique_identifier
    )


def delete_attribute(key: Key, attribute: AttributeInstance | AttributeReference) -> Exchange[str]:
    """Delete one value, or all values of the attribute that is referred to; the object's identifier."""
    if isinstance(attribute, AttributeReference):
        request = DeleteAttributeRequest(identify(key), attribute_reference=attribute)
    else:
        request = DeleteAttributeRequest(identify(key), attribute)
    return perform(request, DeleteAttributeResponse).then(
        lambda response: response.unique_identifier
    )
