"""InFlight: the requests whose answers have not been sent."""

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
    """A server that stops waits for them.

    connections: is told which of them are busy; None where the server is an application's own.
    """

    def __init__(self, connections: Connections | None = None) -> None:
        self.connections = connections
        self._requests: set[object] = set()

    def __len__(self) -> int:
        return len(self._requests)

    def begin(self, request: object, connection: Any, *, takes_body: bool = True) -> None:
        """The head of the request has come. connection: Tornado's, of this request.

        takes_body: whether anything is done with its body.
        """
        self._requests.add(request)
        if self.connections is not None:
            self.connections.mark_busy(connection.stream, takes_body=takes_body)

    def end(self, request: object, connection: Any) -> None:
        """Its answer was sent, or nobody will read it. The second time, this does nothing."""
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
