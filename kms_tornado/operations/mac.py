"""MAC, MACVerify and Hash (KMIP 2.1 §6.1), whole or in parts."""

from __future__ import annotations

from collections.abc import Callable

from ..crypto.hashes import Hasher
from ..crypto.mac import MACContext, choose_mac_suite, is_same_mac
from ..crypto.policy import Technique
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
from .common.call import Call, UsableKey
from .common.key_use import choose_parameters, feed_stream
from .common.streams import determine_stage

#: A Secret Data object is as good a key for HMAC as a symmetric key.
KEYS = frozenset({ObjectType.SYMMETRIC_KEY, ObjectType.SECRET_DATA})


async def mac(call: Call, request: MACRequest) -> MACResponse:
    """The MAC of the data."""
    key = await call.fetch_to_use(
        request.unique_identifier, Use.PROTECT, CryptographicUsageMask.MAC_GENERATE, types=KEYS
    )
    target = key.target
    start = _authenticator(call, key, request, Use.PROTECT)
    stream = await feed_stream(call, request, target, start, protects=True)
    if determine_stage(request).is_last:
        return MACResponse(target.uid, mac_data=stream.work.finish())
    correlation_value = call.streams.keep(stream, now=call.now)
    return MACResponse(target.uid, correlation_value=correlation_value)


async def mac_verify(call: Call, request: MACVerifyRequest) -> MACVerifyResponse:
    """Whether the MAC, which comes with the last part, is that of the data."""
    is_last = determine_stage(request).is_last
    if is_last and request.mac_data is None:
        raise MissingData("MACData is missing")
    key = await call.fetch_to_use(
        request.unique_identifier, Use.PROCESS, CryptographicUsageMask.MAC_VERIFY, types=KEYS
    )
    target = key.target
    start = _authenticator(call, key, request, Use.PROCESS)
    stream = await feed_stream(call, request, target, start, protects=False)
    if not is_last:
        correlation_value = call.streams.keep(stream, now=call.now)
        return MACVerifyResponse(target.uid, correlation_value=correlation_value)
    is_valid = is_same_mac(stream.work.finish(), request.mac_data or b"")
    return MACVerifyResponse(
        target.uid,
        validity_indicator=ValidityIndicator.VALID if is_valid else ValidityIndicator.INVALID,
    )


async def hash_(call: Call, request: HashRequest) -> HashResponse:
    """The hash of the data; no object takes part in it."""
    call.check_allowed(Technique.HASH, Use.PROTECT)

    def start() -> Hasher:
        algorithm = request.cryptographic_parameters.hashing_algorithm
        if algorithm is None:
            raise MissingData("HashingAlgorithm is missing in CryptographicParameters")
        return Hasher(algorithm)

    stream = await feed_stream(call, request, None, start, protects=False)
    if determine_stage(request).is_last:
        return HashResponse(data=stream.work.finish())
    return HashResponse(correlation_value=call.streams.keep(stream, now=call.now))


def _authenticator(
    call: Call, key: UsableKey, request: MACRequest | MACVerifyRequest, use: Use
) -> Callable[[], MACContext]:
    """Parameters count where the data begins."""

    def start() -> MACContext:
        wanted = choose_parameters(key.target, request.cryptographic_parameters)
        suite = choose_mac_suite(key.target.attributes.cryptographic_algorithm, wanted)
        call.check_allowed(suite.technique, use)
        return MACContext(suite, key.open())

    return start
