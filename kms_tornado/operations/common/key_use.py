"""Code that the cryptographic operations share: parameters, threads, and the feeding of streams.

`Call.fetch_to_use` and `Call.consume_usage` check access, state, usage mask, dates and limits. `streams`
explains how data in parts is processed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, TypeVar

from ...crypto.keys.certificates import extract_public_key
from ...domain.access import is_owner
from ...domain.managed_object import ManagedObject
from ...errors import InvalidCorrelationValue, MissingData, PermissionDenied, Unavailable
from ...kmip.enums import ObjectType, Operation
from ...store.interface.changes import Change, Conflict
from .call import Call
from .streams import FIRST, WHOLE, Part, Stage, Stream, determine_stage
from .usable_key import UsableKey

T = TypeVar("T")

#: Bytes of data above which a computation is worth a thread: AES-GCM does about 1 MiB in a millisecond.
OFFLOAD_BYTES = 256 * 1024
#: Bits of an RSA key above which a signature takes more than a millisecond.
_QUICK_BITS = 2048
#: Memory that a part takes beyond its own bytes while it is held back.
_OVERHEAD_BYTES = 64


class DataPart(Part, Protocol):
    """The fields of a request whose data may come in parts."""

    @property
    def data(self) -> bytes | None: ...


async def check_also_allowed(
    call: Call, target: ManagedObject, operation: Operation, subject: str
) -> None:
    """Raises PermissionDenied unless the caller may perform this operation on the target, too.

    It is for an operation that could have the effect of that one. subject: for the message, what needs the further
    right.
    """
    if is_owner(call.principal, target):
        return
    if not await call.is_allowed(target, operation):
        raise PermissionDenied(f"{subject} needs the right {operation.name.lower()} as well")


def require_data(data: bytes | None, stage: Stage) -> bytes:
    """The request's data; b"" for a later part without data, which may end the stream.

    Raises MissingData for whole data or a first part without data.
    """
    if data is None and (stage is WHOLE or stage is FIRST):
        raise MissingData("Data is missing")
    return data or b""


# --- threads ------------------------------------------------------------------------------------


async def run_maybe_offloaded(
    call: Call, size: int, work: Callable[[], T], *, above: int = OFFLOAD_BYTES
) -> T:
    """Run the work; on a thread, if its size is `above` what takes a millisecond.

    size: in bytes. Raises Unavailable where no thread is free: call it before anything is changed.
    """
    return await call.offload(work, size=size) if size > above else work()


async def run_surely(call: Call, size: int, work: Callable[[], T]) -> T:
    """As `run_maybe_offloaded`, but if the queue is full, on a thread outside of the pool.

    For work after usage is consumed.
    Unavailable would tell the client that nothing was changed, and the stream that was taken out of the table would be
    lost.
    """
    try:
        return await run_maybe_offloaded(call, size, work)
    except Unavailable:
        return await asyncio.to_thread(work)


async def run_with_private_key(call: Call, target: ManagedObject, work: Callable[[], T]) -> T:
    """Run work with a private key, on a thread if the key is longer than _QUICK_BITS. Raises Unavailable."""
    if (target.attributes.cryptographic_length or 0) > _QUICK_BITS:
        return await call.offload(work)
    return work()


def open_public_key(key: UsableKey) -> bytes:
    """The SPKI in DER of a public key, or of the public key in a certificate."""
    octets = key.open().reveal()
    if key.target.object_type is ObjectType.CERTIFICATE:
        return extract_public_key(octets)
    return octets


# --- streams ------------------------------------------------------------------------------------


async def start_stream(
    call: Call,
    target: ManagedObject | None,
    protected_bytes: int | None,
    start: Callable[[], Any],
    *changes: Change,
    aad: bytes = b"",
) -> Stream:
    """A new stream, after the usage of its first part was consumed and that is on disk.

    protected_bytes: the length of the part; None where nothing is protected.
    changes: committed together with the usage.
    start: creates the computation, and feeds it aad, which counts as protected, too.
    Raises PermissionDenied (the limit), Conflict, and FeatureNotSupported within a batch that could be undone.
    """
    if protected_bytes is not None:
        protected_bytes += len(aad)
    await _consume_now(call, target, protected_bytes, *changes)
    stream = _make_stream(call, target, await run_surely(call, len(aad), start))
    stream.held_bytes = len(aad)
    return stream


async def resume_stream(
    call: Call,
    target: ManagedObject | None,
    correlation_value: bytes | None,
    protected_bytes: int | None,
) -> Stream:
    """The stream, taken out of the table, after the usage of its next part was consumed and that is on disk.

    protected_bytes: as for `start_stream`. Raises InvalidCorrelationValue, and the errors of `start_stream`.
    """
    if not correlation_value:
        raise InvalidCorrelationValue("CorrelationValue is empty")
    stream = call.streams.take(
        correlation_value, call.principal, call.operation, target, now=call.now
    )
    try:
        await _consume_now(call, target, protected_bytes)
    except (Conflict, Unavailable):  # nothing was consumed: the same part may come again
        call.streams.keep(stream, now=call.now)
        raise
    return stream


async def update_stream(call: Call, stream: Stream, data: bytes) -> bytes:
    """Feed the data to the stream's cipher, and return the output that this gives."""
    update = partial(stream.computation.update, data)
    output: bytes = await run_surely(call, len(data), update)
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
    """A stream that has received the request's data. It is in no table until `Streams.keep`.

    It is for computations that have no output before their end: MAC, hash, signature.
    start: creates the computation.
    protects: whether the data counts against the target's usage limit.
    """
    stage = determine_stage(request)
    data = require_data(request.data, stage)
    protected_bytes = len(data) if protects else None
    if stage is WHOLE:
        stream = _make_stream(call, target, start())
        await run_maybe_offloaded(call, len(data), partial(stream.computation.update, data))
        if target is not None and protected_bytes is not None:
            await call.consume_usage(target, protected_bytes)
        return stream
    if stage is FIRST:
        stream = await start_stream(call, target, protected_bytes, start)
    else:
        stream = await resume_stream(call, target, request.correlation_value, protected_bytes)
    await run_surely(call, len(data), partial(stream.computation.update, data))
    return stream


def _make_stream(call: Call, target: ManagedObject | None, computation: Any) -> Stream:
    uid, version = (None, 0) if target is None else (target.uid, target.version)
    return Stream(call.principal, call.operation, uid, version, computation)


async def _consume_now(
    call: Call, target: ManagedObject | None, protected_bytes: int | None, *changes: Change
) -> None:
    """Consume the usage of a part and make that durable, so that the operation is not run again."""
    if target is not None and protected_bytes is not None:
        await call.consume_usage(target, protected_bytes, *changes)
    await call.commit_now()
