"""Revoke and Destroy (KMIP 2.1 §6.1.38, §6.1.12; KMIP.md §8, §10)."""

from __future__ import annotations

import dataclasses

from ..domain.lifecycle import Event, Use, next_state
from ..errors import InvalidField
from ..kmip.enums import RevocationReasonCode
from ..kmip.payloads import DestroyRequest, DestroyResponse, RevokeRequest, RevokeResponse
from ..kmip.structures import RevocationReason
from ..store.base import Remove, Replace
from .call import Call

_COMPROMISES = frozenset({RevocationReasonCode.KEY_COMPROMISE, RevocationReasonCode.CA_COMPROMISE})


async def revoke(call: Call, request: RevokeRequest) -> RevokeResponse:
    """End the use of an object, or say that it was compromised. Again: no effect, same answer."""
    if request.compromise_occurrence_date is not None:
        if request.reason not in _COMPROMISES:
            raise InvalidField("CompromiseOccurrenceDate goes with a compromise only")
        if request.compromise_occurrence_date > call.now:
            raise InvalidField("CompromiseOccurrenceDate lies in the future")
    target = await call.fetch_for(request.unique_identifier, Use.REVOKE)
    compromised = request.reason in _COMPROMISES
    state = next_state(target.state, Event.COMPROMISE if compromised else Event.REVOKE)
    if state is not target.state:
        attributes = dataclasses.replace(
            target.attributes,
            revocation_reason=RevocationReason(
                request.reason or RevocationReasonCode.UNSPECIFIED, request.message
            ),
            last_change_date=call.now,
        )
        if compromised:
            attributes = dataclasses.replace(
                attributes,
                compromise_date=call.now,
                compromise_occurrence_date=request.compromise_occurrence_date or call.now,
            )
        else:
            attributes = dataclasses.replace(attributes, deactivation_date=call.now)
        after = dataclasses.replace(target, state=state, attributes=attributes)
        await call.commit(Replace(after, seen=target.generation))
    return RevokeResponse(unique_identifier=target.uid)


async def destroy(call: Call, request: DestroyRequest) -> DestroyResponse:
    """Wipe the key material; what is known of the object stays, unless the client asks to Remove it."""
    target = await call.fetch_for(request.unique_identifier, Use.DESTROY)
    state = next_state(target.state, Event.DESTROY)
    if request.remove:
        await call.commit(Remove(target.uid, seen=target.generation))
    elif state is not target.state:
        attributes = dataclasses.replace(
            target.attributes, destroy_date=call.now, last_change_date=call.now
        )
        await call.commit(
            Replace(
                dataclasses.replace(target, state=state, sealed=None, attributes=attributes),
                seen=target.generation,
            )
        )
    return DestroyResponse(unique_identifier=target.uid)
