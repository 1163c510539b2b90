"""HTTPFront: the listening sockets of a server, its connections, and Tornado's HTTP on them."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Collection, Sized
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPServerConnectionDelegate

from ...settings.server import Settings
from ...transport.accepting import Acceptor
from ...transport.connections import Connections
from ...transport.descriptors import count_free, count_open, read_limit
from ...transport.in_flight import wait_for_answers
from ...transport.streams import ServedStream, TLSStream, prepare_socket
from ..answers import JSON_ERROR, render_error_body
from ..trusted_proxies import TrustedProxies

log = logging.getLogger("kms_tornado.server")

_CLOSING_S = 0.5  # time for the last connections to notice that they are closed


def limit_connections(
    settings: Settings, trusted_proxies: TrustedProxies, *, is_told: bool
) -> Connections:
    """As many connections as the settings say and the descriptors allow.

    is_told: whether the log reports the latter. KMIP over TLS, if it is on, has as many of its own.
    """
    most = count_free(count_open())
    if settings.has_kmip:
        most = max(1, most // 2)
    if most < settings.max_connections and is_told:
        log.warning(
            "--max-connections %d: the limit of %d file descriptors leaves room for %d connections; "
            "raise it (LimitNOFILE in a unit, ulimit -Hn in a shell)",
            settings.max_connections, read_limit(), most,
        )  # fmt: skip
    return Connections(
        min(most, settings.max_connections), settings.send_timeout_s, trusted_proxies.is_trusted
    )


def _render_refusal() -> bytes:
    body = render_error_body(
        "temporarily_unavailable", "the server has as many connections as it may have: try again"
    )
    return (
        "HTTP/1.1 503 Service Unavailable\r\nServer: kms-tornado\r\nRetry-After: 1\r\n"
        f"Content-Type: {JSON_ERROR}\r\nCache-Control: no-store\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    ).encode() + body


_REFUSAL = _render_refusal()


class HTTPFront:
    """Passes the requests of all clients to a delegate, from `start` to `stop`.

    tls: for handshakes from now on; None without TLS. Another context may be assigned.
    """

    def __init__(
        self,
        delegate: HTTPServerConnectionDelegate,
        connections: Connections,
        *,
        tls: ssl.SSLContext | None,
        max_body_size: int,
        send_timeout_s: float,
    ) -> None:
        self.tls = tls
        self._connections = connections
        self._send_timeout_s = send_timeout_s
        self._max_buffer_size = max(max_body_size, 1024 * 1024) + 64 * 1024
        self._server = HTTPServer(delegate, max_body_size=max_body_size, max_header_size=64 * 1024)
        # Tornado makes a timer for each head; the sweep of `Connections` does without.
        self._server.conn_params.header_timeout = None
        self._acceptor: Acceptor | None = None
        self._closing: asyncio.Task[None] | None = None

    def start(self, sockets: Collection[socket.socket]) -> None:
        self._acceptor = Acceptor(
            sockets,
            self._connections,
            self._serve,
            refusal=_REFUSAL if self.tls is None else None,
            in_use=count_open(),
        )
        self._acceptor.start()
        self._connections.start_sweeping()

    async def stop(self, in_flight: Sized, timeout_s: float) -> None:
        """Accept no more connections, wait at most timeout_s for the requests in flight, and close everything."""
        if self._acceptor is not None:
            self._acceptor.stop()
        # A client that ignores `Connection: close` would otherwise be served until the time is over.
        self._server.conn_params.no_keep_alive = True
        await wait_for_answers(in_flight, timeout_s)
        self._connections.stop_sweeping()
        self._connections.close_all()  # at once: Tornado closes the next one when the last one has ended
        # Closing its connection does not wake a request that waits for an issuer's keys. Stopping
        # the token layer does, and that comes next, so this waits for a moment only. Cancelling
        # the task instead would log a fault for each such request.
        self._closing = asyncio.create_task(self._server.close_all_connections())
        await asyncio.wait({self._closing}, timeout=_CLOSING_S)

    def _serve(self, connection: socket.socket, address: Any, client: str | None) -> None:
        try:
            stream = self._make_stream(connection, client)
        except OSError:  # the client has left again
            connection.close()
            return
        self._connections.add(stream)
        self._server.handle_stream(stream, address)

    def _make_stream(self, connection: socket.socket, client: str | None) -> ServedStream:
        prepare_socket(connection, self._send_timeout_s)
        options: dict[str, Any] = {
            "client": client,
            "on_close": self._connections.remove,
            "max_buffer_size": self._max_buffer_size,
        }
        if self.tls is None:
            return ServedStream(connection, **options)
        secured = self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return TLSStream(secured, ssl_options=self.tls, **options)
