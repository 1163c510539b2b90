"""Connections: how many clients may be connected, and how long each may wait for which thing.

A connection is *busy* from the head of a request to the end of its answer, and *quiet* otherwise. If all places are
taken, a new connection takes the place of one that has been quiet for a second: the oldest that never sent a request,
else the one that has been quiet for longest, else one whose body has been arriving for seconds. So neither silent nor
idle nor slow connections keep anybody out. If all others are busy, the new one is refused. The same rules apply among
the connections from one address, which gets half of the places at most.

No timer is set for a single wait: a sweep looks at all connections every second, and ends those that have waited too
long for their client. A timer for each request would cost more than everything else here.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv6Network
from typing import Protocol

from ..networks import parse_address

log = logging.getLogger("kms_tornado.server")

_QUIET_S = 1.0  # a client that connects, or has an answer, sends within that time
_STALLED_S = 5.0  # a body that takes longer gives its place to others, where there is none

HANDSHAKE_S = 10.0
HEAD_S = 20.0  # from its first byte
BODY_S = 60.0  # a client that takes longer to send a body is holding the connection on purpose
IDLE_S = 120.0  # longer than the 90 s for which clients' pools keep a connection
_SWEEP_S = 1.0

#: The most bytes of incomplete heads, of all connections together. Heads usually come at once, so even a busy site
#: has few.
MOST_UNREAD = 32 * 1024 * 1024

#: Addresses whose client is remembered: to read one takes as long as to accept its connection.
_REMEMBERED = 1024

_CALM_S = 60.0  # between two lines of the log about refused connections

#: What a connection may be closed for, as in metrics and log.
DROPS = {
    "quiet": "another one needed its place",
    "handshake": "its TLS handshake took too long",
    "head": "the head of its request took too long",
    "body": "the body of its request took too long",
    "idle": "no request came",
    "answer": "nobody read its answer",
}
#: Waits that count from the last change of state, not from the last progress.
_WHOLE = {"handshake", "body", "idle"}


class Stream(Protocol):
    """What this module needs to know about a connection (`streams.ServedStream`)."""

    client: str | None
    is_busy: bool
    takes_body: bool
    has_asked: bool
    changed_at: float
    waiting: tuple[object, float]

    @property
    def is_shaking_hands(self) -> bool: ...
    @property
    def unread(self) -> int: ...
    @property
    def sent(self) -> tuple[int, int]: ...
    def reading(self) -> bool: ...
    def writing(self) -> bool: ...
    def closed(self) -> bool: ...
    def close(self) -> None: ...
    def abort(self) -> None: ...


@dataclass(slots=True)
class _Share:
    """The connections from one address. quiet: the quiet ones, the one that has been quiet for longest first."""

    count: int = 0
    quiet: dict[Stream, None] = field(default_factory=dict)


class Connections:
    """All connections of one process.

    most: how many there may be.
    send_timeout_s: how long an answer may wait for its reader.
    is_trusted: whether an address is a trusted proxy's. Such an address may have all places, as loopback may.
    idle_s: how long a connection may be quiet, if it is not IDLE_S.
    refused: {"full", "address", or the reason given to `refuse`: number}.
    dropped: {a key of DROPS: number}.
    accept_pauses: how often there were no descriptors left.
    """

    def __init__(
        self,
        most: int,
        send_timeout_s: float,
        is_trusted: Callable[[str], bool],
        idle_s: float | None = None,
    ) -> None:
        self.most = most
        self.refused = {"full": 0, "address": 0}
        self.dropped = dict.fromkeys(DROPS, 0)
        self.accept_pauses = 0
        self._send_timeout_s = send_timeout_s
        self._find_client = functools.lru_cache(_REMEMBERED)(
            functools.partial(_find_client, is_trusted=is_trusted)
        )
        self._idle_s = idle_s
        self._open: dict[Stream, None] = {}
        #: The quiet connections, in the order in which they became quiet.
        self._fresh: dict[Stream, None] = {}
        self._idle: dict[Stream, None] = {}
        #: Connections whose body takes long, the longest first. Empty while there are free places.
        self._stalled: deque[Stream] = deque()
        self._of_client: dict[str, _Share] = {}
        self._sweeping: asyncio.TimerHandle | None = None
        self._told_at = dict.fromkeys(self.refused, -_CALM_S)

    def __len__(self) -> int:
        return len(self._open)

    @property
    def quiet(self) -> int:
        """How many connections are not busy."""
        return len(self._fresh) + len(self._idle)

    @property
    def most_of_client(self) -> int:
        """How many connections one address may have."""
        return max(1, self.most // 2)

    # --- coming and going -----------------------------------------------------------------------

    def find_client(self, address: str) -> str | None:
        """The client for whom a connection from the address counts; None: for nobody.

        It is the address, or for IPv6 its /64, since a site or a device has at least a /64, of which its computers may
        choose any address.
        """
        return self._find_client(address)

    def admit(self, client: str | None) -> bool:
        """Whether there is a place for another connection of the client. A quiet one may be closed for it."""
        if client is not None:
            share = self._of_client.get(client)
            if (
                share is not None
                and share.count >= self.most_of_client
                and not self._drop_quiet(itertools.islice(share.quiet, 1))
            ):
                self.refuse("address", f"{client} has {share.count:,} connections open")
                return False
        if len(self._open) >= self.most and not self.make_room():
            self.refuse("full", f"all {self.most:,} that there may be are busy (--max-connections)")
            return False
        return True

    def make_room(self, count: int = 1) -> int:
        """Close this many quiet connections, or if there are none, stalled ones; how many were closed."""
        return sum(
            self._drop_quiet(
                next(iter(streams)) for streams in (self._fresh, self._idle) if streams
            )
            or self._drop_stalled()
            for _ in range(count)
        )

    def add(self, stream: Stream) -> None:
        self._open[stream] = self._fresh[stream] = None
        if stream.client is not None:
            share = self._of_client.setdefault(stream.client, _Share())
            share.count += 1
            share.quiet[stream] = None

    def remove(self, stream: Stream) -> None:
        """Forget a stream that was closed."""
        if stream not in self._open:
            return
        for streams in (self._open, self._fresh, self._idle):
            streams.pop(stream, None)
        if stream.client is not None:
            share = self._of_client[stream.client]
            share.count -= 1
            share.quiet.pop(stream, None)
            if not share.count:
                del self._of_client[stream.client]

    def close_all(self) -> None:
        for stream in list(self._open):
            stream.close()

    def mark_busy(self, stream: Stream, *, takes_body: bool) -> None:
        """Note that a request has begun.

        takes_body: whether its body is used at all; anybody may send one to /health.
        """
        (self._idle if stream.has_asked else self._fresh).pop(stream, None)
        if stream.client is not None and (share := self._of_client.get(stream.client)) is not None:
            share.quiet.pop(stream, None)
        stream.is_busy = stream.has_asked = True
        stream.takes_body = takes_body
        stream.changed_at = time.monotonic()

    def mark_quiet(self, stream: Stream) -> None:
        """Note that the answer was sent."""
        stream.is_busy = False
        stream.changed_at = time.monotonic()
        if stream in self._open:
            self._idle[stream] = None
            if stream.client is not None:
                self._of_client[stream.client].quiet[stream] = None

    def _drop_quiet(self, streams: Iterable[Stream]) -> bool:
        """Close the first stream that has been quiet for long enough; whether there was one."""
        since = time.monotonic() - _QUIET_S
        for stream in streams:
            if not stream.is_busy and stream.changed_at <= since:
                self._drop(stream, "quiet")
                return True
        return False

    def _drop_stalled(self) -> bool:
        while self._stalled:
            stream = self._stalled.popleft()
            if stream.is_busy and stream.reading() and not stream.closed():
                self._drop(stream, "body")
                return True
        return False

    def _drop(self, stream: Stream, reason: str) -> None:
        self.dropped[reason] += 1
        log.debug("a connection was closed: %s", DROPS[reason])
        stream.abort()

    def refuse(self, reason: str, why: str) -> None:
        """Count a connection for which there is no place. Now and then, a log line says so."""
        self.refused[reason] = self.refused.get(reason, 0) + 1
        now = time.monotonic()
        if now - self._told_at.get(reason, -_CALM_S) >= _CALM_S:
            self._told_at[reason] = now
            log.warning("connections are refused: %s", why)

    # --- waiting --------------------------------------------------------------------------------

    def start_sweeping(self) -> None:
        interval_s = min(_SWEEP_S, self._send_timeout_s / 4)
        loop = asyncio.get_running_loop()

        def sweep() -> None:
            self._sweeping = loop.call_later(interval_s, sweep)
            self.sweep(time.monotonic())

        self._sweeping = loop.call_later(interval_s, sweep)

    def stop_sweeping(self) -> None:
        if self._sweeping is not None:
            self._sweeping.cancel()

    def sweep(self, now: float) -> None:
        """End the connections whose clients have taken too long. now: by the monotonic clock."""
        for stream, reason in tuple(self._find_overdue(now)):
            if reason == "answer":
                log.warning("an answer was dropped: %s", DROPS[reason])
            self._drop(stream, reason)

        self._drop_long_heads()
        self._stalled = deque(self._find_stalled(now))

    def _find_stalled(self, now: float) -> list[Stream]:
        """The connections that make no progress.

        This is done here, not for each new connection, because it looks at all of them.
        """
        if len(self._open) < self.most:
            return []
        since = {True: now - _STALLED_S, False: now - _QUIET_S}
        stalled = [
            stream
            for stream in self._open
            if stream.is_busy and stream.changed_at < since[stream.takes_body] and stream.reading()
        ]
        return sorted(stalled, key=lambda stream: stream.changed_at)

    def _drop_long_heads(self) -> None:
        """If incomplete heads take too much memory, end the longest ones until half of it is free."""
        heads = [stream for stream in itertools.chain(self._fresh, self._idle) if stream.unread]
        size = sum([stream.unread for stream in heads])
        if size <= MOST_UNREAD:
            return
        for stream in sorted(heads, key=lambda stream: stream.unread, reverse=True):
            if size <= MOST_UNREAD // 2:
                return
            size -= stream.unread
            self._drop(stream, "head")

    def _find_overdue(self, now: float) -> Iterator[tuple[Stream, str]]:
        """The connections that have waited too long.

        A wait without progress began at the latest sweep that saw some.
        """
        for stream in self._open:
            reason, progress, limit_s = self._find_wait(stream)
            if reason in _WHOLE:
                since = stream.changed_at
            elif stream.waiting[0] == (reason, progress):
                since = stream.waiting[1]
            else:
                stream.waiting = ((reason, progress), now)
                continue
            if now - since > limit_s:
                yield stream, reason

    def _find_wait(self, stream: Stream) -> tuple[str, object, float]:
        """What the connection waits for, how far that has come, and how long it may take."""
        if stream.is_shaking_hands:
            return "handshake", 0, HANDSHAKE_S
        if stream.writing():
            return "answer", stream.sent, self._send_timeout_s
        if stream.is_busy:
            return "body", 0, BODY_S if stream.reading() else float("inf")
        if stream.unread:
            return "head", stream.changed_at, HEAD_S  # bytes that drip in are no progress
        return "idle", 0, IDLE_S if self._idle_s is None else self._idle_s


def _find_client(address: str, *, is_trusted: Callable[[str], bool]) -> str | None:
    ip = parse_address(address)
    if ip is None or ip.is_loopback or is_trusted(address):
        return None
    return str(ip) if ip.version == 4 else str(IPv6Network((ip, 64), strict=False))
