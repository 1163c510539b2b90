"""InFlight: the requests whose answers have not been sent yet."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sized
from typing import Any

from ..wording import format_count
from .connections import Connections

log = logging.getLogger("kms_tornado.server")

_UNREAD_S = 0.05  # for requests that have been sent, but not read yet
_POLL_S = 0.02


class InFlight:
    """The requests for which a server waits when it stops.

    connections: is told which connections are busy; None where the server is an application's own.
    """

    def __init__(self, connections: Connections | None = None) -> None:
        self.connections = connections
        self._requests: set[object] = set()

    def __len__(self) -> int:
        return len(self._requests)

    def begin(self, request: object, connection: Any, *, takes_body: bool = True) -> None:
        """Note that the head of a request has arrived.

        connection: Tornado's, of this request. takes_body: whether the body of the request is used at all.
        """
        self._requests.add(request)
        if self.connections is not None:
            self.connections.mark_busy(connection.stream, takes_body=takes_body)

    def end(self, request: object, connection: Any) -> None:
        """Note that the answer was sent, or that nobody will read it. A second call does nothing."""
        if request in self._requests:
            self._requests.discard(request)
            if self.connections is not None:
                self.connections.mark_quiet(connection.stream)


async def wait_for_answers(in_flight: Sized, timeout_s: float) -> None:
    """Wait until no request is in flight, for at most timeout_s."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    await asyncio.sleep(min(_UNREAD_S, timeout_s))
    while in_flight:
        if loop.time() >= deadline:
            log.warning(
                "%s still in flight when the wait ended",
                format_count(len(in_flight), "request was", "requests were"),
            )
            return
        await asyncio.sleep(_POLL_S)
