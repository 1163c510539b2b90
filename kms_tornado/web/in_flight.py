"""InFlight: the requests whose answers have not been sent."""

from __future__ import annotations

from typing import Any

from .connections import Connections


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
