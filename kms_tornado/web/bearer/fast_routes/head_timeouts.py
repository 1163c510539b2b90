"""HeadTimeouts: closes connections on which no request arrives, without a timer for each request.

Tornado sets a timer for each head and cancels it when the head has arrived, which costs an eighth of a small request.
Here one timer looks at all connections from time to time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

#: The share of the timeout after which the connections are looked at again. A connection is closed at most that much
#: later than by Tornado's own timer.
_PART = 1 / 8


class AwaitedHead:
    """The head for which one connection waits.

    since: when the wait began, on the monotonic clock, in seconds; None while the request is being answered.
    timeout_s: how long the whole head may take.
    """

    __slots__ = ("since", "timeout_s")

    def __init__(self, timeout_s: float) -> None:
        self.since: float | None = None
        self.timeout_s = timeout_s


class HeadTimeouts:
    """The waits of all connections of an application, whose servers may have timeouts of their own."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        #: {connection of a server: what it waits for}. One that is closed goes by itself.
        self._heads: WeakKeyDictionary[Any, AwaitedHead] = WeakKeyDictionary()
        #: {parameters of a server: seconds}; taken from there, so that Tornado sets no timers.
        self._timeouts_s: WeakKeyDictionary[Any, float] = WeakKeyDictionary()
        #: {timeout in seconds: the loop that has a timer for the connections which have it}
        self._timers: dict[float, asyncio.AbstractEventLoop] = {}

    def start(self, server_conn: Any, request_conn: Any) -> AwaitedHead | None:
        """Note that a connection waits for the head of a request. Whoever receives the head sets `since` to None.

        server_conn, request_conn: Tornado's objects for the connection and for this request.
        None where there is no timeout, and where the head has already been read by something in front, such as a
        router: that does not tell when it waits for the next head.
        """
        if request_conn._request_start_line is not None:
            return None
        head = self._heads.get(server_conn)
        if head is None:
            head = self._add(server_conn, request_conn.params)
            if head is None:
                return None
        head.since = self._clock()
        return head

    def _add(self, server_conn: Any, parameters: Any) -> AwaitedHead | None:
        if parameters.header_timeout is not None:
            self._timeouts_s[parameters] = parameters.header_timeout
            parameters.header_timeout = None
        timeout_s = self._timeouts_s.get(parameters)
        if timeout_s is None:
            return None
        head = self._heads[server_conn] = AwaitedHead(timeout_s)
        if self._timers.get(timeout_s) is not asyncio.get_running_loop():
            self._set_timer(timeout_s)
        return head

    def _set_timer(self, timeout_s: float) -> None:
        loop = self._timers[timeout_s] = asyncio.get_running_loop()
        loop.call_later(timeout_s * _PART, self._look, timeout_s)

    def _look(self, timeout_s: float) -> None:
        self.close_overdue()
        if any(head.timeout_s == timeout_s for head in self._heads.values()):
            self._set_timer(timeout_s)
        else:
            del self._timers[timeout_s]

    def close_overdue(self) -> None:
        """Close the connections that have waited too long."""
        now = self._clock()
        for server_conn, head in list(self._heads.items()):
            if head.since is not None and now >= head.since + head.timeout_s:
                server_conn.stream.close()
