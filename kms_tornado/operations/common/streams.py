"""Data in parts: what this process remembers between two of them (KMIP 2.1 §6.1, "streaming").

A stream belongs to one caller, operation, object and version of its material. It lives in the memory
of the process that began it, for LIFETIME_S after its last part: no ciphers of the library can be
written down and read again. After a restart, on another server, or when it was given up to make room,
its correlation value is as unknown as one that never was.

A part that fails for what is in it ends its stream; data cannot be taken back out of a cipher.
"""

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
#: Of one principal; the oldest makes room for a new one, so that lost ones lock nobody out.
MAX_OF_A_PRINCIPAL = 32
MAX_STREAMS = 8192
#: Bytes that are held back: a decryption gives nothing before its tag was verified.
MAX_KEPT_BYTES_OF_A_PRINCIPAL = 32 * 1024 * 1024
MAX_KEPT_BYTES = 256 * 1024 * 1024

_CORRELATION_BYTES = 16


class Stage(Enum):
    """Which part of the data a request has."""

    WHOLE = "all of it"
    FIRST = "InitIndicator"
    MIDDLE = "CorrelationValue"
    LAST = "CorrelationValue and FinalIndicator"

    @property
    def is_last(self) -> bool:
        """The result is due."""
        return self in {Stage.WHOLE, Stage.LAST}


# Python 3.11 looks a member of an enumeration up in a function.
WHOLE, FIRST, MIDDLE, LAST = Stage


class Part(Protocol):
    """What every request that may come in parts has."""

    @property
    def correlation_value(self) -> bytes | None: ...

    @property
    def init_indicator(self) -> bool | None: ...

    @property
    def final_indicator(self) -> bool | None: ...


def determine_stage(request: Part) -> Stage:
    """Raises InvalidField for indicators that contradict one another."""
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
    """work: the cipher, MAC or hash with what it has seen. kept: bytes that it holds back.

    target, version: None and 0 where there is no object. touched: seconds since the Unix epoch.
    """

    principal: str
    operation: Operation
    target: UniqueIdentifier | None
    version: int
    work: Any
    kept: int = 0
    touched: int = 0
    correlation_value: bytes = b""

    def belongs_to(
        self, principal: str, operation: Operation, target: ManagedObject | None
    ) -> bool:
        return (self.principal, self.operation) == (principal, operation) and (
            (self.target, self.version)
            == ((None, 0) if target is None else (target.uid, target.version))
        )


class Streams:
    """Correlation value → stream. While a part is worked on, its stream is not here."""

    def __init__(self) -> None:
        #: Longest untouched first.
        self._streams: OrderedDict[bytes, Stream] = OrderedDict()
        self._of: dict[str, OrderedDict[bytes, Stream]] = {}
        self._kept = 0

    def __len__(self) -> int:
        return len(self._streams)

    def keep(self, stream: Stream, *, now: int) -> bytes:
        """The correlation value under which the stream waits for its next part.

        now: seconds since the Unix epoch. Raises ServerLimitExceeded; the stream is gone then.
        """
        self._forget_old(now)
        self._make_room(stream)
        if not stream.correlation_value:
            stream.correlation_value = secrets.token_bytes(_CORRELATION_BYTES)
        stream.touched = now
        self._streams[stream.correlation_value] = stream
        self._of.setdefault(stream.principal, OrderedDict())[stream.correlation_value] = stream
        self._kept += stream.kept
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
        """The stream, for one part. Raises InvalidCorrelationValue, whatever does not fit."""
        self._forget_old(now)
        stream = self._streams.get(correlation_value)
        if stream is None or not stream.belongs_to(principal, operation, target):
            # Left where it is: nobody can end the stream of another with a value that leaked.
            raise InvalidCorrelationValue(
                "no data in parts is known under this CorrelationValue (any more): "
                "begin anew, all parts on one connection"
            )
        self._remove(stream)
        return stream

    def _make_room(self, stream: Stream) -> None:
        if stream.kept > MAX_KEPT_BYTES_OF_A_PRINCIPAL:
            raise ServerLimitExceeded(
                f"at most {MAX_KEPT_BYTES_OF_A_PRINCIPAL} bytes are decrypted in parts"
            )
        own: Mapping[bytes, Stream] = self._of.get(stream.principal, {})
        kept = sum(each.kept for each in own.values())
        for each in list(own.values()):
            if (
                len(own) < MAX_OF_A_PRINCIPAL
                and kept + stream.kept <= MAX_KEPT_BYTES_OF_A_PRINCIPAL
            ):
                break
            kept -= each.kept
            self._remove(each)
        if len(self._streams) >= MAX_STREAMS or self._kept + stream.kept > MAX_KEPT_BYTES:
            raise ServerLimitExceeded("too much data in parts is under way: try again later")

    def _forget_old(self, now: int) -> None:
        while self._streams:
            oldest = next(iter(self._streams.values()))
            if oldest.touched + LIFETIME_S > now:
                break
            self._remove(oldest)

    def _remove(self, stream: Stream) -> None:
        del self._streams[stream.correlation_value]
        own = self._of[stream.principal]
        del own[stream.correlation_value]
        if not own:
            del self._of[stream.principal]
        self._kept -= stream.kept
