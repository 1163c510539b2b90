"""Calls that bring, fetch, find and end objects."""

from __future__ import annotations

from collections.abc import Sequence

from ...kmip.attributes import Attributes
from ...kmip.enums import (
    KeyFormatType,
    KeyWrapType,
    ObjectType,
    RevocationReasonCode,
)
from ...kmip.objects import OBJECT_CLASSES, KeyWrappingSpecification, Object
from ...kmip.payloads import (
    ActivateRequest,
    ActivateResponse,
    DestroyRequest,
    DestroyResponse,
    ExportRequest,
    ExportResponse,
    GetRequest,
    GetResponse,
    ImportRequest,
    ImportResponse,
    LocateCriteria,
    LocateRequest,
    LocateResponse,
    RegisterRequest,
    RegisterResponse,
    RevokeRequest,
    RevokeResponse,
)
from ...kmip.schema import to_node
from ...kmip.structures import (
    RevocationReason,
)
from ...kmip.ttlv import children_of
from ..exchanges import Exchange, perform
from .arguments import Key, describe, find_value, identify, new_identifier


def import_object(
    value: Object | None,
    *,
    unique_identifier: str | None = None,
    replace_existing: bool = False,
    key_wrap_type: KeyWrapType | None = None,
    name: str | None = None,
    tags: Sequence[str] = (),
    attributes: Attributes | None = None,
) -> Exchange[str]:
    """Bring an object of one's own, under an identifier of one's own; its identifier.

    value: None for one that was destroyed; its attributes then have State and ObjectType. attributes: those of
    an ExportResponse are kept as they are, State and dates too.
    replace_existing: the object that has the identifier, if it is the caller's, is replaced.
    key_wrap_type: As Registered keeps a wrapped key wrapped.
    """
    uid = unique_identifier or new_identifier()
    request = ImportRequest(
        unique_identifier=uid,
        object_type=_type_of(value) if value is not None else _find_stated_type(attributes),
        replace_existing=replace_existing or None,
        key_wrap_type=key_wrap_type,
        attributes=describe(attributes, name=name, tags=tags),
        object=value,
    )
    created = None if unique_identifier else ImportResponse(uid)
    return perform(request, ImportResponse, created=created).then(
        lambda response: response.unique_identifier
    )


def register(
    value: Object,
    *,
    name: str | None = None,
    tags: Sequence[str] = (),
    attributes: Attributes | None = None,
) -> Exchange[str]:
    """Bring an object of one's own, as KMIP 2.1 §6.1.39 has it; its identifier."""
    uid = new_identifier()
    described = describe(attributes, name=name, tags=tags, unique_identifier=uid)
    request = RegisterRequest(_type_of(value), described, value)
    return perform(request, RegisterResponse, created=RegisterResponse(uid)).then(
        lambda response: response.unique_identifier
    )


def get(
    key: Key,
    *,
    key_format_type: KeyFormatType | None = None,
    key_wrap_type: KeyWrapType | None = None,
    wrapping: KeyWrappingSpecification | None = None,
) -> Exchange[GetResponse]:
    """Fetch an object. wrapping: the key to wrap it with, and how."""
    request = GetRequest(
        unique_identifier=identify(key),
        key_format_type=key_format_type,
        key_wrap_type=key_wrap_type,
        key_wrapping_specification=wrapping,
    )
    return perform(request, GetResponse)


def export(
    key: Key,
    *,
    key_format_type: KeyFormatType | None = None,
    key_wrap_type: KeyWrapType | None = None,
    wrapping: KeyWrappingSpecification | None = None,
) -> Exchange[ExportResponse]:
    """Fetch an object, revoked ones too, together with its attributes."""
    request = ExportRequest(
        unique_identifier=identify(key),
        key_format_type=key_format_type,
        key_wrap_type=key_wrap_type,
        key_wrapping_specification=wrapping,
    )
    return perform(request, ExportResponse)


def activate(key: Key) -> Exchange[str]:
    """Make an object Active that is Pre-Active; its identifier."""
    return perform(ActivateRequest(identify(key)), ActivateResponse).then(
        lambda response: response.unique_identifier
    )


def revoke(
    key: Key, reason: RevocationReasonCode | str = "Unspecified", message: str | None = None
) -> Exchange[str]:
    """End the use of an object; its identifier. With "Key Compromise" it counts as compromised."""
    code = find_value(RevocationReasonCode, reason)
    request = RevokeRequest(identify(key), RevocationReason(code, message))
    return perform(request, RevokeResponse).then(lambda response: response.unique_identifier)


def destroy(key: Key, remove: bool = False) -> Exchange[str]:
    """Destroy the material of a revoked object; its identifier. remove: also what is known of it."""
    request = DestroyRequest(identify(key), remove or None)
    return perform(request, DestroyResponse).then(lambda response: response.unique_identifier)


def locate(
    attributes: Attributes | None = None,
    *,
    name: str | None = None,
    tags: Sequence[str] = (),
    maximum_items: int | None = None,
    offset_items: int | None = None,
) -> Exchange[list[str]]:
    """The identifiers of the objects that have all of these, the caller's own first.

    Without any attribute: of all objects that are not destroyed and that the caller may know of.
    """
    described = describe(attributes, name=name, tags=tags)
    request = LocateRequest(
        LocateCriteria(children_of(to_node(described, "Attributes"))),
        maximum_items=maximum_items,
        offset_items=offset_items,
    )
    return perform(request, LocateResponse).then(lambda response: list(response.unique_identifiers))


def _find_stated_type(attributes: Attributes | None) -> ObjectType:
    if attributes is None or attributes.object_type is None:
        raise TypeError("without an object, its attributes say of what ObjectType it was")
    return attributes.object_type


def _type_of(value: Object) -> ObjectType:
    for object_type, cls in OBJECT_CLASSES.items():
        if isinstance(value, cls):
            return object_type
    raise TypeError(f"{type(value).__name__} is no object of kms_tornado.kmip.objects")
