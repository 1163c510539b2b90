"""KMIPListener: the listening sockets of KMIP over TLS, and the connections on them.

Tornado's streams stand below, as below HTTP: unlike asyncio's, they let a client close its sending side over TLS and
still read its answer, and what bounds connections and their waits is there already (`transport`).
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Collection
from typing import Any

from ..transport.accepting import Acceptor
from ..transport.connections import Connections
from ..transport.descriptors import count_open
from ..transport.in_flight import wait_for_answers
from ..transport.streams import TLSStream, prepare_socket
from .connection import KMIPConnection
from .context import KMIPContext

log = logging.getLogger("kms_tornado.server")

#: Seconds between two messages of a connection. Agents of storage keep one open, and ask every few minutes.
IDLE_S = 600.0

_CLOSING_S = 0.5  # for the last connections to notice that they are closed

#: Bytes that a stream reads ahead at most, and more than it is ever asked for.
_READ_AHEAD = 256 * 1024


class KMIPListener:
    """Serves KMIP from `start` to `stop`. tls: the context for handshakes from now on."""

    def __init__(
        self,
        context: KMIPContext,
        connections: Connections,
        *,
        tls: ssl.SSLContext,
        send_timeout_s: float,
    ) -> None:
        self._context = context
        self._connections = connections
        self._tls = tls
        self._send_timeout_s = send_timeout_s
        self._acceptor: Acceptor | None = None
        self._served: dict[asyncio.Task[None], KMIPConnection] = {}

    def start(self, sockets: Collection[socket.socket]) -> None:
        self._acceptor = Acceptor(
            sockets, self._connections, self._serve, refusal=None, in_use=count_open()
        )
        self._acceptor.start()
        self._connections.start_sweeping()

    def replace_tls(self, tls: ssl.SSLContext, *, ends_connections: bool) -> None:
        """Use another context for handshakes from now on.

        ends_connections: whether open connections may rely on certificates that are no longer trusted. They are then
        ended, and their clients open others.
        """
        self._tls = tls
        if ends_connections:
            for connection in tuple(self._served.values()):
                connection.end_soon()

    async def stop(self, timeout_s: float) -> None:
        """Accept no more connections, wait at most timeout_s for the messages in flight, and close everything."""
        self._context.is_stopping = True
        if self._acceptor is not None:
            self._acceptor.stop()
        await wait_for_answers(self._context.in_flight, timeout_s)
        self._connections.stop_sweeping()
        for connection in tuple(self._served.values()):
            connection.stream.close_notifying()
        tasks = tuple(self._served)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_CLOSING_S)

    def _serve(self, connection: socket.socket, address: Any, client: str | None) -> None:
        try:
            prepare_socket(connection, self._send_timeout_s)
            secured = self._tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        except OSError:  # the client has left again
            connection.close()
            return
        stream = TLSStream(
            secured,
            ssl_options=self._tls,
            client=client,
            on_close=self._connections.remove,
            max_buffer_size=_READ_AHEAD,
        )
        self._connections.add(stream)
        served = KMIPConnection(self._context, stream, str(address[0]))
        task = asyncio.create_task(served.serve())
        self._served[task] = served
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        del self._served[task]
        if not task.cancelled() and (exc := task.exception()) is not None:
            log.error("a connection failed because of a bug", exc_info=exc)
