"""The port of --metrics-listen, where nothing is served but the metrics, over plain HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Collection

from tornado.httpserver import HTTPServer

from ..app import make_metrics_app
from ..service_handler import ServerContext

# Whoever scrapes sends a short request without a body every few seconds.
_IDLE_S = 120.0
_BODY_S = 5.0
_MOST_BYTES = 16 * 1024
_CLOSING_S = 0.5


@contextlib.asynccontextmanager
async def serve_metrics(
    context: ServerContext, sockets: Collection[socket.socket]
) -> AsyncIterator[None]:
    """Serve the metrics on the sockets, which are closed at the end."""
    server = HTTPServer(
        make_metrics_app(context),
        max_body_size=_MOST_BYTES,
        max_header_size=_MOST_BYTES,
        max_buffer_size=2 * _MOST_BYTES,
        idle_connection_timeout=_IDLE_S,
        body_timeout=_BODY_S,
    )
    server.add_sockets(sockets)
    try:
        yield
    finally:
        server.stop()
        closing = asyncio.create_task(server.close_all_connections())
        await asyncio.wait({closing}, timeout=_CLOSING_S)
