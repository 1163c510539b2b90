"""What the cryptographic operations share: parameters, threads, and the feeding of streams.

`Call.fetch_to_use` and `Call.consume_usage` check access, state, usage mask, dates and limits. How
data in parts lives is told in `streams`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, TypeVar

from ...crypto.keys.certificates import extract_public_key
from ...domain.managed_object import ManagedObject
from ...errors import InvalidCorrelationValue, MissingData, Unavailable
from ...kmip.attributes import Attributes
from ...kmip.enums import ObjectType
from ...kmip.structures import CryptographicParameters
from ...store.base import Change, Conflict
from .call import Call, UsableKey
from .streams import FIRST, WHOLE, Part, Stage, Stream, determine_stage

T = TypeVar("T")

#: Bytes above which a computation is worth a thread: AES-GCM does about 1 MiB in a millisecond.
OFFLOAD_BYTES = 256 * 1024
#: Bits of an RSA key above which a signature takes more than a millisecond.
_QUICK_BITS = 2048
#: Memory that a part takes besides its bytes while it is held back.
_OVERHEAD_BYTES = 64


class DataPart(Part, Protocol):
    """A request with a part of the data."""

    @property
    def data(self) -> bytes | None: ...


def choose_parameters(
    attributes: Attributes, requested: CryptographicParameters | None
) -> CryptographicParameters | None:
    """The request's parameters; where it has none, the key's own (KMIP 2.1 §6.1)."""
    return attributes.cryptographic_parameters if requested is None else requested


def require_data(data: bytes | None, stage: Stage) -> bytes:
    """The data of a request. A later part may come without data, to end the stream.

    Raises MissingData.
    """
    if data is None and (stage is WHOLE or stage is FIRST):
        raise MissingData("Data is missing")
    return data or b""


# --- threads ------------------------------------------------------------------------------------


async def run_maybe_offloaded(call: Call, size: int, work: Callable[[], T]) -> T:
    """The result of the work, on a thread where so many bytes take long.

    Raises Unavailable where no thread is free: run it before anything is changed.
    """
    return await call.offload(work) if size > OFFLOAD_BYTES else work()


async def run_offloaded_or_inline(call: Call, size: int, work: Callable[[], T]) -> T:
    """As `run_maybe_offloaded`, after usage was consumed: without a free thread, on the event loop.

    Unavailable would tell the client that nothing was changed, and a stream that was taken out of
    the table would be lost.
    """
    try:
        return await run_maybe_offloaded(call, size, work)
    except Unavailable:
        return work()


async def run_with_private_key(call: Call, target: ManagedObject, work: Callable[[], T]) -> T:
    """The result of work with a private key, on a thread where the key is a long one."""
    if (target.attributes.cryptographic_length or 0) > _QUICK_BITS:
        return await call.offload(work)
    return work()


def open_public_key(key: UsableKey) -> bytes:
    """The SPKI of a public key, or of the key in a certificate."""
    octets = key.open().reveal()
    if key.target.object_type is ObjectType.CERTIFICATE:
        return extract_public_key(octets)
    return octets


# --- streams ------------------------------------------------------------------------------------


async def start_stream(
    call: Call,
    target: ManagedObject | None,
    cost: int | None,
    start: Callable[[], Any],
    *changes: Change,
    aad: bytes = b"",
) -> Stream:
    """A new stream, once the usage of its first part is consumed and on disk.

    cost: bytes that the part protects; None where nothing is protected. changes: are committed with
    the usage. start: creates the computation, which takes aad at once.
    Raises PermissionDenied (the limit), Conflict, and FeatureNotSupported within a batch that could
    be undone.
    """
    await _pay(call, target, cost, *changes)
    stream = _make_stream(call, target, await run_offloaded_or_inline(call, len(aad), start))
    stream.held_bytes = len(aad)
    return stream


async def resume_stream(
    call: Call, target: ManagedObject | None, correlation_value: bytes | None, cost: int | None
) -> Stream:
    """The stream, taken out of the table, once the usage of its next part is consumed and on disk.

    cost: as of `start_stream`. Raises InvalidCorrelationValue, and the errors of `start_stream`.
    """
    if not correlation_value:
        raise InvalidCorrelationValue("CorrelationValue is empty")
    stream = call.streams.take(
        correlation_value, call.principal, call.operation, target, now=call.now
    )
    try:
        await _pay(call, target, cost)
    except (Conflict, Unavailable):  # nothing has happened: the same part may come again
        call.streams.keep(stream, now=call.now)
        raise
    return stream


async def update_stream(call: Call, stream: Stream, data: bytes) -> bytes:
    """Feed the data to the stream's cipher, and return its output so far."""
    update = partial(stream.computation.update, data)
    output: bytes = await run_offloaded_or_inline(call, len(data), update)
    held_back = len(data) - len(output)
    if held_back > 0:
        stream.held_bytes += held_back + _OVERHEAD_BYTES
    return output


async def feed_stream(
    call: Call,
    request: DataPart,
    target: ManagedObject | None,
    start: Callable[[], Any],
    *,
    protects: bool,
) -> Stream:
    """A stream that has seen the request's data; for whole data, one that is in no table.

    For computations without output before their end: MAC, hash, signature.
    start: creates the computation. protects: the target's usage limit counts the data.
    """
    stage = determine_stage(request)
    data = require_data(request.data, stage)
    cost = len(data) if protects else None
    if stage is WHOLE:
        stream = _make_stream(call, target, start())
        await run_maybe_offloaded(call, len(data), partial(stream.computation.update, data))
        if target is not None and cost is not None:
            await call.consume_usage(target, cost)
        return stream
    if stage is FIRST:
        stream = await start_stream(call, target, cost, start)
    else:
        stream = await resume_stream(call, target, request.correlation_value, cost)
    await run_offloaded_or_inline(call, len(data), partial(stream.computation.update, data))
    return stream


def _make_stream(call: Call, target: ManagedObject | None, computation: Any) -> Stream:
    uid, version = (None, 0) if target is None else (target.uid, target.version)
    return Stream(call.principal, call.operation, uid, version, computation)


async def _pay(
    call: Call, target: ManagedObject | None, cost: int | None, *changes: Change
) -> None:
    """Consume the usage of a part. From then on nothing sends the operation back to its start."""
    if target is not None and cost is not None:
        await call.consume_usage(target, cost, *changes)
    await call.commit_now()
