"""The rights of a Sensitive object, which leave and come back with it under one wrap.

Pure. A key that is wrapped is worth what the party that unwraps it may do with it. So the KeyValue that is
wrapped has, beside the key, Attributes with the usage mask, dates, limits and flags of the object, and a
vendor attribute with its owner, for which KMIP has no attribute. What comes back has them, whatever the
request says: a request only tightens them, and only the owner brings the object back.

Who can wrap with the same key by other means (a public key, or NoEncoding) can write such attributes beside
key material that they know, never beside the material of somebody else's object. Therefore they only
take away from what a request may ask for: AlwaysSensitive, say, is never raised by them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ..errors import InvalidField, PermissionDenied
from ..kmip.attributes import Attributes
from ..kmip.enums import CryptographicUsageMask, ObjectType, State
from ..kmip.structures import CryptographicParameters, UsageLimits, VendorAttribute
from .dates import apply_dates
from .managed_object import ManagedObject
from .usage import remaining_units

#: The vendor whose attributes are the server's own: clients set none of them.
SERVER_VENDOR = "kms_tornado"
_OWNER_NAME = "owner"

#: States that an object keeps when it leaves and comes back.
_ENDED = frozenset({State.DEACTIVATED, State.COMPROMISED})


@dataclass(frozen=True, slots=True)
class WrappedRights:
    """The rights that were wrapped together with a key. attributes: those of RIGHTS, and of _SERVER_RIGHTS."""

    owner: str
    attributes: Attributes


# --- out ----------------------------------------------------------------------------------------


def describe_rights(target: ManagedObject) -> Attributes:
    """The attributes to wrap beside the key of a Sensitive object."""
    known = target.attributes.set_fields()
    values = {field: known[field] for field in (*RIGHTS, *_SERVER_RIGHTS) if field in known}
    owner = VendorAttribute.of_bytes(SERVER_VENDOR, _OWNER_NAME, target.owner.encode())
    return Attributes(**values).replace(
        object_type=target.object_type,
        # An imported object may be Deactivated without a date by which one could tell.
        state=target.state if target.state in _ENDED else None,
        vendor_attributes=(owner,),
    )


# --- in -----------------------------------------------------------------------------------------


def split_rights(inner: Attributes | None) -> tuple[WrappedRights | None, Attributes | None]:
    """The rights among the attributes of an unwrapped KeyValue, if there are any, and the other attributes."""
    if inner is None:
        return None, None
    owners = [
        attribute
        for attribute in inner.vendor_attributes
        if attribute.key == (SERVER_VENDOR, _OWNER_NAME)
    ]
    if not owners:
        return None, inner
    if len(owners) > 1 or owners[0].octets is None:
        raise InvalidField("the rights wrapped with the key name no owner")
    names = {*RIGHTS, *_SERVER_RIGHTS, "state", "object_type"}
    values = inner.set_fields()
    others = tuple(each for each in inner.vendor_attributes if each not in owners)
    return (
        WrappedRights(
            owners[0].octets.decode(errors="replace"),
            Attributes(**{name: value for name, value in values.items() if name in names}),
        ),
        Attributes(**{name: value for name, value in values.items() if name not in names}).replace(
            vendor_attributes=others
        ),
    )


def check_comes_back(rights: WrappedRights, owner: str, object_type: ObjectType) -> None:
    """Check that the key comes back to its owner, and as what it was.

    owner, object_type: of the object that it is unwrapped for. Raises PermissionDenied, InvalidField.
    """
    if rights.owner != owner:
        raise PermissionDenied(
            "the wrapped object is somebody else's: only its owner brings it back"
        )
    if rights.attributes.object_type not in {None, object_type}:
        raise InvalidField("the wrapped object is of another ObjectType")


def bind_rights(requested: Attributes, rights: WrappedRights) -> Attributes:
    """The attributes of the request, restricted to what the object had."""
    wrapped = rights.attributes
    values: dict[str, Any] = {}
    for field, tightest in RIGHTS.items():
        had, wants = getattr(wrapped, field), getattr(requested, field)
        if had is not None:
            values[field] = had if wants is None else tightest(had, wants)
    return requested.replace(**values)


def restore_object(
    target: ManagedObject, rights: WrappedRights, bound: Attributes, now: int
) -> ManagedObject:
    """The object with what no client may state: the rest of its limits, flags, a compromise.

    bound: what `bind_rights` returned, with which the object was made. now: seconds since the Unix epoch.
    """
    wrapped, attributes = rights.attributes, target.attributes
    values: dict[str, Any] = {
        # What was not always so before is not now; the reverse is not taken on a client's word.
        "always_sensitive": bool(wrapped.always_sensitive and attributes.always_sensitive),
        "never_extractable": bool(wrapped.never_extractable and attributes.never_extractable),
    }
    if wrapped.usage_limits is not None:
        values["usage_limits"] = bound.usage_limits
    state = target.state
    if wrapped.state is State.COMPROMISED:
        state = State.COMPROMISED
        values["compromise_date"] = wrapped.compromise_date or attributes.compromise_date
    elif wrapped.state is State.DEACTIVATED and state is not State.COMPROMISED:
        state = State.DEACTIVATED
    restored = dataclasses.replace(target, attributes=attributes.replace(**values), state=state)
    return apply_dates(restored, now)


# --- the tighter of two values ------------------------------------------------------------------

_UNRESTRICTED = int(CryptographicUsageMask.UNRESTRICTED)


def _choose_narrower_mask(had: int, wants: int) -> int:
    """The bits that both have; where there are none, those that the object had."""
    if had & _UNRESTRICTED:
        return wants
    return had if wants & _UNRESTRICTED else (had & wants or had)


def _choose_fewer_uses(had: UsageLimits, wants: UsageLimits) -> UsageLimits:
    """What the object had left, or less, of the same total and unit."""
    left = remaining_units(had)
    if wants.usage_limits_unit is had.usage_limits_unit:
        left = min(left, remaining_units(wants))
    return dataclasses.replace(had, usage_limits_count=left)


def _overlay_parameters(
    had: CryptographicParameters, wants: CryptographicParameters
) -> CryptographicParameters:
    own = {field: value for field, value in vars(had).items() if value is not None}
    return CryptographicParameters(**{**vars(wants), **own})


def _keep(had: Any, _: Any) -> Any:
    return had


#: Attribute → the function that chooses the tighter of what the object had and what the request wants.
RIGHTS: Mapping[str, Callable[[Any, Any], Any]] = MappingProxyType(
    {
        "activation_date": max,
        "cryptographic_algorithm": _keep,
        "cryptographic_parameters": _overlay_parameters,
        "cryptographic_usage_mask": _choose_narrower_mask,
        "deactivation_date": min,
        "extractable": lambda had, wants: had and wants,
        "process_start_date": max,
        "protect_stop_date": min,
        "sensitive": lambda had, wants: had or wants,
        "usage_limits": _choose_fewer_uses,
    }
)
#: Attributes that no client states, besides State and Object Type; `restore_object` sets them.
_SERVER_RIGHTS = ("always_sensitive", "compromise_date", "never_extractable")
