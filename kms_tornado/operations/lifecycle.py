"""Activate, Check, Obtain Lease, Get Usage Allocation, Revoke and Destroy (KMIP 2.1 §6.1)."""

from __future__ import annotations

import dataclasses

from ..domain.computed_attributes import lease_time_of
from ..domain.dates import check_date_range, check_use_dates, has_come, limit_lease
from ..domain.lifecycle import Event, Use, check_state, next_state
from ..domain.managed_object import ManagedObject
from ..domain.usage import (
    PROTECTING,
    allocate_usage,
    check_protects,
    check_units_left,
    check_usage_mask,
    split_usage_mask,
)
from ..errors import InvalidField, PermissionDenied, WrongKeyLifecycleState
from ..kmip.enums import ObjectType, RevocationReasonCode, State
from ..kmip.payloads import (
    ActivateRequest,
    ActivateResponse,
    CheckRequest,
    CheckResponse,
    DestroyRequest,
    DestroyResponse,
    GetUsageAllocationRequest,
    GetUsageAllocationResponse,
    ObtainLeaseRequest,
    ObtainLeaseResponse,
    RevokeRequest,
    RevokeResponse,
)
from ..kmip.structures import RevocationReason
from ..store.interface.changes import Remove, Replace
from .common.call import Call
from .common.object_attributes import check_revocation_message

_PROTECTING_TYPES = frozenset(ObjectType) - {ObjectType.OPAQUE_OBJECT}
_COMPROMISES = frozenset({RevocationReasonCode.KEY_COMPROMISE, RevocationReasonCode.CA_COMPROMISE})


async def activate(call: Call, request: ActivateRequest) -> ActivateResponse:
    """Make a Pre-Active object Active. Its Activation Date is then now, in place of a planned one."""
    target = await call.fetch_for(request.unique_identifier, Use.ACTIVATE)
    state = next_state(target.state, Event.ACTIVATE)
    if has_come(target.attributes.deactivation_date, call.now):
        raise WrongKeyLifecycleState("the object's Deactivation Date has passed")
    attributes = target.attributes.replace(activation_date=call.now, last_change_date=call.now)
    after = dataclasses.replace(target, state=state, attributes=attributes)
    await call.commit(Replace(after, seen=target.generation))
    return ActivateResponse(unique_identifier=target.uid)


async def check(call: Call, request: CheckRequest) -> CheckResponse:
    """Check that the object may now be used as the client intends, without reserving any usage.

    Raises IncompatibleCryptographicUsageMask, UsageLimitExceeded, WrongKeyLifecycleState, and
    PermissionDenied for a longer lease than `obtain_lease` would give.
    """
    target = await call.fetch_for(request.unique_identifier, Use.READ)
    attributes = target.attributes
    for needed in split_usage_mask(request.cryptographic_usage_mask or 0):
        check_usage_mask(target, needed)
        use = Use.PROTECT if needed in PROTECTING else Use.PROCESS
        check_state(target.state, use)
        check_use_dates(attributes, use, now=call.now)
    check_units_left(attributes.usage_limits, request.usage_limits_count or 0)
    lease_time = _lease_time_now(call, target)
    if lease_time and (request.lease_time or 0) > lease_time:
        raise PermissionDenied(f"a lease lasts {lease_time} seconds")
    return CheckResponse(unique_identifier=target.uid)


async def obtain_lease(call: Call, request: ObtainLeaseRequest) -> ObtainLeaseResponse:
    """How long, and since which change, the client may rely on what it knows about the object.

    No lease is recorded: it binds only the client, which asks for another one when it has ended. Its length is the
    attribute Lease Time, or the time until a known end of a use. A compromised object has no lease, so that its users
    notice. Raises PermissionDenied for such an object, and ObjectDestroyed.
    """
    target = await call.fetch_for(request.unique_identifier, Use.READ)
    if target.state is State.COMPROMISED:
        raise PermissionDenied("the object is Compromised: no lease is given for it")
    changed_at = target.attributes.last_change_date
    assert changed_at is not None  # every object has it from the start
    return ObtainLeaseResponse(target.uid, _lease_time_now(call, target), changed_at)


def _lease_time_now(call: Call, target: ManagedObject) -> int:
    return limit_lease(lease_time_of(target), target.attributes, now=call.now)


async def get_usage_allocation(
    call: Call, request: GetUsageAllocationRequest
) -> GetUsageAllocationResponse:
    """Take units off the object's Usage Limits for a client that applies the protection itself.

    All of them count as used, and none can be given back. Raises WrongKeyLifecycleState where the object does not
    protect now, IncompatibleCryptographicUsageMask where it never does, AttributeNotFound, InvalidField,
    UsageLimitExceeded.
    """
    target = await call.fetch_for(request.unique_identifier, Use.PROTECT, types=_PROTECTING_TYPES)
    check_use_dates(target.attributes, Use.PROTECT, now=call.now)
    check_protects(target)
    limits = allocate_usage(target.attributes.usage_limits, request.usage_limits_count)
    attributes = target.attributes.replace(usage_limits=limits)
    after = dataclasses.replace(target, attributes=attributes)
    await call.commit(Replace(after, seen=target.generation))
    return GetUsageAllocationResponse(target.uid)


async def revoke(call: Call, request: RevokeRequest) -> RevokeResponse:
    """Deactivate an object, or record that it was compromised. A repetition succeeds without any effect."""
    check_revocation_message(request.message)
    if request.compromise_occurrence_date is not None:
        if request.reason not in _COMPROMISES:
            raise InvalidField("CompromiseOccurrenceDate goes with a compromise only")
        if request.compromise_occurrence_date > call.now:
            raise InvalidField("CompromiseOccurrenceDate lies in the future")
        check_date_range(request.compromise_occurrence_date, "CompromiseOccurrenceDate")
    target = await call.fetch_for(request.unique_identifier, Use.REVOKE)
    compromised = request.reason in _COMPROMISES
    state = next_state(target.state, Event.COMPROMISE if compromised else Event.REVOKE)
    if state is not target.state:
        attributes = target.attributes.replace(
            revocation_reason=RevocationReason(
                request.reason or RevocationReasonCode.UNSPECIFIED, request.message
            ),
            last_change_date=call.now,
        )
        if compromised:
            attributes = attributes.replace(
                compromise_date=call.now,
                compromise_occurrence_date=request.compromise_occurrence_date or call.now,
            )
        else:
            attributes = attributes.replace(deactivation_date=call.now)
        after = dataclasses.replace(target, state=state, attributes=attributes)
        await call.commit(Replace(after, seen=target.generation))
    return RevokeResponse(unique_identifier=target.uid)


async def destroy(call: Call, request: DestroyRequest) -> DestroyResponse:
    """Delete the key material and its digest; the attributes stay unless the request has Remove."""
    target = await call.fetch_for(request.unique_identifier, Use.DESTROY)
    state = next_state(target.state, Event.DESTROY)
    if request.remove:
        await call.commit(Remove(target.uid, seen=target.generation))
    elif state is not target.state:
        attributes = target.attributes.replace(
            destroy_date=call.now, last_change_date=call.now, digests=()
        )
        await call.commit(
            Replace(
                dataclasses.replace(target, state=state, sealed=None, attributes=attributes),
                seen=target.generation,
            )
        )
    return DestroyResponse(unique_identifier=target.uid)
