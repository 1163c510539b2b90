"""What the cryptographic operations share: parameters, threads, and the way of a part to its stream.

Access, state, mask, dates and limits are `Call.fetch_to_use` and `Call.consume_usage`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, TypeVar

from ...crypto.keys.certificates import extract_public_key
from ...domain.managed_object import ManagedObject
from ...errors import InvalidCorrelationValue, MissingData, Unavailable
from ...kmip.enums import ObjectType
from ...kmip.structures import CryptographicParameters
from ...store.base import Change, Conflict
from .call import Call, UsableKey
from .streams import Part, Stage, Stream, determine_stage

T = TypeVar("T")

#: Bytes above which a computation is worth a thread: AES-GCM does about 1 MiB in a millisecond.
OFFLOAD_BYTES = 256 * 1024
#: Bits of an RSA key above which a signature takes more than a millisecond.
_QUICK_BITS = 2048
#: What a part that is held back costs beside its bytes.
_OVERHEAD = 64


class DataPart(Part, Protocol):
    """A part with its data."""

    @property
    def data(self) -> bytes | None: ...


def choose_parameters(
    target: ManagedObject, wanted: CryptographicParameters | None
) -> CryptographicParameters | None:
    """The request's parameters; where it gives none, the key's own (KMIP 2.1 §6.1)."""
    return target.attributes.cryptographic_parameters if wanted is None else wanted


def require_data(data: bytes | None, stage: Stage) -> bytes:
    """Raises MissingData; a later part may come without data, to end the stream."""
    if data is None and stage in {Stage.WHOLE, Stage.FIRST}:
        raise MissingData("Data is missing")
    return data or b""


async def run_maybe_offloaded(call: Call, size: int, work: Callable[[], T]) -> T:
    """The result of the work, on a thread where so many bytes take long."""
    return await call.offload(work) if size > OFFLOAD_BYTES else work()


async def run_offloaded_or_inline(call: Call, size: int, work: Callable[[], T]) -> T:
    """As `run_maybe_offloaded`, for what is paid already: where no thread is free, right here.

    Unavailable says that nothing was changed, and a stream out of the table would be lost.
    """
    try:
        return await run_maybe_offloaded(call, size, work)
    except Unavailable:
        return work()


async def run_with_private_key(call: Call, target: ManagedObject, work: Callable[[], T]) -> T:
    """The result of a private key's work, on a thread where the key is a long one."""
    if (target.attributes.cryptographic_length or 0) > _QUICK_BITS:
        return await call.offload(work)
    return work()


def open_public_key(key: UsableKey) -> bytes:
    """The SPKI of a public key, or of the key in a certificate."""
    octets = key.open().reveal()
    if key.target.object_type is ObjectType.CERTIFICATE:
        return extract_public_key(octets)
    return octets


async def start_stream(
    call: Call,
    target: ManagedObject | None,
    cost: int | None,
    work: Callable[[], Any],
    *changes: Change,
    aad: bytes = b"",
) -> Stream:
    """A stream, once its first part is paid. cost: bytes to protect; None: nothing is protected.

    work: makes the cipher, which has seen aad then.

    Paid and on disk first: if another request came in between, everything is decided anew, and a
    cipher cannot be made to forget what it has seen. Raises FeatureNotSupported within Undo.
    """
    await _pay(call, target, cost, *changes)
    stream = _stream(call, target, await run_offloaded_or_inline(call, len(aad), work))
    stream.kept = len(aad)
    return stream


async def resume_stream(
    call: Call, target: ManagedObject | None, correlation_value: bytes | None, cost: int | None
) -> Stream:
    """The stream, out of the table, once its next part is paid. cost: as of `start_stream`.

    Raises InvalidCorrelationValue.
    """
    if not correlation_value:
        raise InvalidCorrelationValue("CorrelationValue is empty")
    stream = call.streams.take(
        correlation_value, call.principal, call.operation, target, now=call.now
    )
    try:
        await _pay(call, target, cost)
    except (Conflict, Unavailable):  # nothing happened: the same part may come again
        call.streams.keep(stream, now=call.now)
        raise
    return stream


async def update_stream(call: Call, stream: Stream, data: bytes) -> bytes:
    """What the stream's cipher gives for the data."""
    update = partial(stream.work.update, data)
    output: bytes = await run_offloaded_or_inline(call, len(data), update)
    held = len(data) - len(output)
    if held > 0:
        stream.kept += held + _OVERHEAD
    return output


async def feed_stream(
    call: Call,
    request: DataPart,
    target: ManagedObject | None,
    start: Callable[[], Any],
    *,
    protects: bool,
) -> Stream:
    """A stream that has seen the request's data; for whole data, one that is kept nowhere.

    start: makes what takes the data (`update`) and gives the result (`finish`).
    protects: the use is counted by the target's limit.
    """
    stage = determine_stage(request)
    data = require_data(request.data, stage)
    cost = len(data) if protects else None
    if stage is Stage.WHOLE:
        stream = _stream(call, target, start())
    elif stage is Stage.FIRST:
        stream = await start_stream(call, target, cost, start)
    else:
        stream = await resume_stream(call, target, request.correlation_value, cost)
    update = partial(stream.work.update, data)
    await (run_maybe_offloaded if stage is Stage.WHOLE else run_offloaded_or_inline)(
        call, len(data), update
    )
    if stage is Stage.WHOLE and target is not None and cost is not None:
        await call.consume_usage(target, cost)
    return stream


def _stream(call: Call, target: ManagedObject | None, work: Any) -> Stream:
    uid, version = (None, 0) if target is None else (target.uid, target.version)
    return Stream(call.principal, call.operation, uid, version, work)


async def _pay(
    call: Call, target: ManagedObject | None, cost: int | None, *changes: Change
) -> None:
    if target is not None and cost is not None:
        await call.consume_usage(target, cost, *changes)
    await call.commit_now()
