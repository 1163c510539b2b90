"""The port of --metrics-listen, where only the metrics are served, over plain HTTP."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
from collections.abc import AsyncIterator, Collection

from ...transport.connections import Connections
from ...transport.in_flight import InFlight
from ..app import make_metrics_app
from ..server_context import ServerContext
from .http_front import HTTPFront

# Places of their own: the metrics are wanted most when all others are taken. Whoever scrapes sends a
# short request without a body every few seconds, and reads the answer at once.
_MOST = 32
_MOST_BYTES = 16 * 1024
_SEND_TIMEOUT_S = 10.0
_CLOSING_S = 0.5


@contextlib.asynccontextmanager
async def serve_metrics(
    context: ServerContext, sockets: Collection[socket.socket]
) -> AsyncIterator[None]:
    """Serve the metrics on the sockets, which are closed at the end."""
    connections = Connections(_MOST, _SEND_TIMEOUT_S, lambda address: True)
    in_flight = InFlight(connections)
    front = HTTPFront(
        make_metrics_app(dataclasses.replace(context, in_flight=in_flight)),
        connections,
        tls=None,
        max_body_size=_MOST_BYTES,
        send_timeout_s=_SEND_TIMEOUT_S,
    )
    front.start(sockets)
    try:
        yield
    finally:
        await front.stop(in_flight, _CLOSING_S)
