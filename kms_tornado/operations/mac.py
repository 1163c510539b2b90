"""MAC, MACVerify and Hash (KMIP 2.1 §6.1), whole or in parts."""

from __future__ import annotations

from functools import partial

from ..crypto.hashes import Hasher
from ..crypto.mac import MACContext, choose_mac_suite, is_same_mac
from ..crypto.policy import Technique
from ..domain.key_parameters import bind_parameters
from ..domain.lifecycle import Use
from ..errors import MissingData
from ..kmip.enums import CryptographicUsageMask, ObjectType, ValidityIndicator
from ..kmip.payloads import (
    HashRequest,
    HashResponse,
    MACRequest,
    MACResponse,
    MACVerifyRequest,
    MACVerifyResponse,
)
from .common.call import Call
from .common.key_use import feed_stream
from .common.streams import determine_stage
from .common.usable_key import UsableKey

#: Secret Data may be the key of an HMAC as well.
MAC_TYPES = frozenset({ObjectType.SYMMETRIC_KEY, ObjectType.SECRET_DATA})


async def mac(call: Call, request: MACRequest) -> MACResponse:
    """The MAC of the data, or for a part that is not the last, a correlation value."""
    key = await call.fetch_to_use(
        request.unique_identifier, Use.PROTECT, CryptographicUsageMask.MAC_GENERATE, types=MAC_TYPES
    )
    start = partial(_start_mac, call, key, request, Use.PROTECT)
    stream = await feed_stream(call, request, key.target, start, protects=True)
    if determine_stage(request).is_last:
        return MACResponse(key.target.uid, mac_data=stream.computation.finish())
    correlation_value = call.streams.keep(stream, now=call.now)
    return MACResponse(key.target.uid, correlation_value=correlation_value)


async def mac_verify(call: Call, request: MACVerifyRequest) -> MACVerifyResponse:
    """Verify the MAC, which comes with the last part of the data."""
    is_last = determine_stage(request).is_last
    if is_last and request.mac_data is None:
        raise MissingData("MACData is missing")
    key = await call.fetch_to_use(
        request.unique_identifier, Use.PROCESS, CryptographicUsageMask.MAC_VERIFY, types=MAC_TYPES
    )
    start = partial(_start_mac, call, key, request, Use.PROCESS)
    stream = await feed_stream(call, request, key.target, start, protects=False)
    if not is_last:
        correlation_value = call.streams.keep(stream, now=call.now)
        return MACVerifyResponse(key.target.uid, correlation_value=correlation_value)
    is_valid = is_same_mac(stream.computation.finish(), request.mac_data or b"")
    return MACVerifyResponse(
        key.target.uid,
        validity_indicator=ValidityIndicator.VALID if is_valid else ValidityIndicator.INVALID,
    )


async def hash_(call: Call, request: HashRequest) -> HashResponse:
    """The hash of the data; no managed object is involved."""
    call.check_allowed(Technique.HASH, Use.PROTECT)
    stream = await feed_stream(call, request, None, partial(_start_hash, request), protects=False)
    if determine_stage(request).is_last:
        return HashResponse(data=stream.computation.finish())
    return HashResponse(correlation_value=call.streams.keep(stream, now=call.now))


def _start_mac(
    call: Call, key: UsableKey, request: MACRequest | MACVerifyRequest, use: Use
) -> MACContext:
    """The MAC computation. request: the one with all of the data or its first part, whose parameters count."""
    attributes = key.target.attributes
    requested = bind_parameters(
        attributes.cryptographic_parameters, request.cryptographic_parameters
    )
    suite = choose_mac_suite(attributes.cryptographic_algorithm, requested)
    call.check_allowed(suite.technique, use)
    return MACContext(suite, key.open())


def _start_hash(request: HashRequest) -> Hasher:
    algorithm = request.cryptographic_parameters.hashing_algorithm
    if algorithm is None:
        raise MissingData("HashingAlgorithm is missing in CryptographicParameters")
    return Hasher(algorithm)
