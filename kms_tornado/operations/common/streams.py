"""Streams: computations over data that comes in parts, which this process keeps between two parts.

KMIP 2.1 §6.1 calls it "streaming"; Encrypt, Decrypt, Sign, SignatureVerify, MAC, MACVerify and Hash
support it.
"""

# How data in parts is processed.
#
#     request                                 what happens to the stream
#     InitIndicator                           FIRST: start, keep     → a correlation value
#     CorrelationValue                        MIDDLE: take, feed, keep again under the same value
#     CorrelationValue, FinalIndicator        LAST: take, feed, finish  → the result
#     none of them, or both indicators        WHOLE: no stream is kept at all
#
# Start. The first part chooses everything: parameters, IV, additional data. The computation (a
# cipher, MAC, hash or signature) is created with the key, and the part is fed to it.
#
# Keep. `Streams.keep` puts the stream into the table, under a random correlation value of 16 bytes,
# and the answer carries the value. The table is in the memory of the process that started the
# stream: the library's ciphers cannot be serialized. So all parts must come over one connection;
# after a restart, or in another process, the value is unknown.
#
# Take. `Streams.take` removes the stream from the table and returns it for the next part: of two
# parts that come at once, only one finds it, so that no cipher is used by two requests. A stream
# belongs to its caller, operation, object and version of the object's material. To any other it is
# unknown, and it stays in the table: a caller who learns the value of another can neither use nor end
# the stream. Access, state, dates, usage mask and limit are checked again for every part, as for a
# separate request (`Call.fetch_to_use`).
#
# Consume, then feed. A cipher cannot undo an update, but an operation runs again from its start when
# another request changed the same object in between (Conflict). So the usage of a part is consumed,
# its nonce recorded, and both are on disk before the part is fed to the computation (`key_use`). A
# conflict before that changes nothing: the stream returns to the table, and the operation runs again
# with the same part. After that the part must not fail for lack of a thread; it is computed on the
# event loop if need be. A part with a fault in its data ends the stream. No stream is accepted within
# a batch that could be undone.
#
# Hold back. An authenticated decryption returns nothing before its tag is verified, with the last
# part. Until then the ciphertext is held in memory, and counts against the limits below.
#
# Expire. A stream is dropped LIFETIME_S after its last part. Beyond the limits of one caller, a new
# stream replaces the caller's oldest, so that streams which a client has abandoned never lock it out.
# Beyond the limits of all callers together, new streams are refused.

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from ...domain.managed_object import ManagedObject, UniqueIdentifier
from ...errors import InvalidCorrelationValue, InvalidField, ServerLimitExceeded
from ...kmip.enums import Operation

LIFETIME_S = 300
MAX_STREAMS_OF_A_PRINCIPAL = 32
MAX_STREAMS = 8192
#: Bytes that authenticated decryptions hold back until the tag arrives.
MAX_HELD_BYTES_OF_A_PRINCIPAL = 32 * 1024 * 1024
MAX_HELD_BYTES = 256 * 1024 * 1024

_CORRELATION_BYTES = 16


class Stage(Enum):
    """Which part of the data a request carries. The values name the fields that say so."""

    WHOLE = "all of it"
    FIRST = "InitIndicator"
    MIDDLE = "CorrelationValue"
    LAST = "CorrelationValue and FinalIndicator"

    @property
    def is_last(self) -> bool:
        """Whether the data is complete, so that the answer contains the result."""
        return self in {Stage.WHOLE, Stage.LAST}


# In Python 3.11 an enumeration's member is looked up by a function call, which these constants save.
WHOLE, FIRST, MIDDLE, LAST = Stage


class Part(Protocol):
    """The fields of every request whose data may come in parts."""

    @property
    def correlation_value(self) -> bytes | None: ...

    @property
    def init_indicator(self) -> bool | None: ...

    @property
    def final_indicator(self) -> bool | None: ...


def determine_stage(request: Part) -> Stage:
    """The stage of the request. Raises InvalidField for indicators that contradict one another."""
    if request.correlation_value is not None:
        if request.init_indicator:
            raise InvalidField("InitIndicator begins a stream, CorrelationValue goes on with one")
        return LAST if request.final_indicator else MIDDLE
    if request.init_indicator:
        return WHOLE if request.final_indicator else FIRST
    if request.final_indicator is False:
        raise InvalidField("the first of several parts has InitIndicator")
    return WHOLE


@dataclass(slots=True, eq=False)
class Stream:
    """One computation that has been fed some parts of its data.

    target, version: the object's identifier and version; None and 0 for a Hash, which has no object.
    computation: the cipher, MAC, hash or signature, with the methods `update` and `finish`.
    held_bytes: memory for data that the computation holds back. last_used: seconds since the Unix epoch.
    correlation_value: b"" until the stream is kept for the first time.
    """

    principal: str
    operation: Operation
    target: UniqueIdentifier | None
    version: int
    computation: Any
    held_bytes: int = 0
    last_used: int = 0
    correlation_value: bytes = b""

    def belongs_to(
        self, principal: str, operation: Operation, target: ManagedObject | None
    ) -> bool:
        return (self.principal, self.operation) == (principal, operation) and (
            (self.target, self.version)
            == ((None, 0) if target is None else (target.uid, target.version))
        )


class Streams:
    """The table of streams that wait for their next part: correlation value → stream."""

    def __init__(self) -> None:
        #: Least recently used first, here and for each principal.
        self._streams: OrderedDict[bytes, Stream] = OrderedDict()
        self._by_principal: dict[str, OrderedDict[bytes, Stream]] = {}
        self._held_bytes = 0

    def __len__(self) -> int:
        return len(self._streams)

    def keep(self, stream: Stream, *, now: int) -> bytes:
        """Keep the stream for its next part, and return its correlation value.

        now: seconds since the Unix epoch. Raises ServerLimitExceeded; the stream is lost then.
        """
        self._forget_expired(now)
        self._make_room(stream)
        if not stream.correlation_value:
            stream.correlation_value = secrets.token_bytes(_CORRELATION_BYTES)
        stream.last_used = now
        self._streams[stream.correlation_value] = stream
        own = self._by_principal.setdefault(stream.principal, OrderedDict())
        own[stream.correlation_value] = stream
        self._held_bytes += stream.held_bytes
        return stream.correlation_value

    def take(
        self,
        correlation_value: bytes,
        principal: str,
        operation: Operation,
        target: ManagedObject | None,
        *,
        now: int,
    ) -> Stream:
        """Remove the stream from the table and return it, for one part.

        Raises InvalidCorrelationValue, with the same text whether no such stream exists, or it belongs to another
        principal, operation, object or version.
        """
        self._forget_expired(now)
        stream = self._streams.get(correlation_value)
        if stream is None or not stream.belongs_to(principal, operation, target):
            raise InvalidCorrelationValue(
                "no data in parts is known under this CorrelationValue (any more): "
                "begin anew, all parts on one connection"
            )
        self._remove(stream)
        return stream

    def _make_room(self, new: Stream) -> None:
        """Drop the principal's oldest streams until the new one fits the limits of a principal.

        Raises ServerLimitExceeded where it does not fit, or the limits of all callers are reached.
        """
        if new.held_bytes > MAX_HELD_BYTES_OF_A_PRINCIPAL:
            raise ServerLimitExceeded(
                f"at most {MAX_HELD_BYTES_OF_A_PRINCIPAL} bytes are decrypted in parts"
            )
        own: Mapping[bytes, Stream] = self._by_principal.get(new.principal, {})
        own_held_bytes = sum(stream.held_bytes for stream in own.values())
        for oldest in list(own.values()):
            if (
                len(own) < MAX_STREAMS_OF_A_PRINCIPAL
                and own_held_bytes + new.held_bytes <= MAX_HELD_BYTES_OF_A_PRINCIPAL
            ):
                break
            own_held_bytes -= oldest.held_bytes
            self._remove(oldest)
        is_full = len(self._streams) >= MAX_STREAMS
        if is_full or self._held_bytes + new.held_bytes > MAX_HELD_BYTES:
            raise ServerLimitExceeded("too much data in parts is under way: try again later")

    def _forget_expired(self, now: int) -> None:
        while self._streams:
            oldest = next(iter(self._streams.values()))
            if oldest.last_used + LIFETIME_S > now:
                break
            self._remove(oldest)

    def _remove(self, stream: Stream) -> None:
        del self._streams[stream.correlation_value]
        own = self._by_principal[stream.principal]
        del own[stream.correlation_value]
        if not own:
            del self._by_principal[stream.principal]
        self._held_bytes -= stream.held_bytes
