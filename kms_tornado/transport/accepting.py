"""Acceptor: accepts new connections from the listening sockets, or refuses them.

Tornado's own loop treats an error of accept(2) as a bug: without free descriptors it logs a traceback as often as it
can, and does nothing else. Here it pauses instead. Closing quiet connections frees descriptors, so that it can usually
continue at once.
"""

from __future__ import annotations

import asyncio
import errno
import functools
import logging
import os
import socket
from collections.abc import Callable, Collection
from typing import Any

from .connections import Connections
from .descriptors import count_free

log = logging.getLogger("kms_tornado.server")

_AT_ONCE = 64  # accepted in one turn of the loop, so that others get theirs
_PAUSES_S = (0.05, 1.0)  # the first, which doubles, and the longest
_CALM_S = 5.0  # without another pause: then it is over
_ROOM = 16  # quiet connections that are closed for a pause
_FAREWELLS = 32  # refused clients that may read why at once, for at most so long:
_FAREWELL_S = 1.0


class Acceptor:
    """Accepts connections until it is stopped.

    serve: takes over an admitted connection, its address, and the client for whom it counts.
    refusal: the text that a client reads if there is no place for it; None where it would not understand a text, as
    over TLS.
    in_use: how many descriptors were open before the first connection.
    """

    def __init__(
        self,
        sockets: Collection[socket.socket],
        connections: Connections,
        serve: Callable[[socket.socket, Any, str | None], None],
        *,
        refusal: bytes | None,
        in_use: int,
    ) -> None:
        self._sockets = sockets
        self._connections = connections
        self._serve = serve
        self._refusal = refusal
        self._in_use = in_use
        self._loop = asyncio.get_running_loop()
        self._pause_s = _PAUSES_S[0]
        #: The end of a pause; then, for a while, the moment at which all is well again.
        self._timer: asyncio.TimerHandle | None = None
        self._farewells: dict[socket.socket, asyncio.TimerHandle] = {}

    def start(self) -> None:
        for one in self._sockets:
            self._loop.add_reader(one, self._accept, one)

    def stop(self) -> None:
        """Close the listening sockets. The system then refuses new connections."""
        if self._timer is not None:
            self._timer.cancel()
        for one in self._sockets:
            self._loop.remove_reader(one)
            one.close()
        for refused in tuple(self._farewells):
            self._close(refused)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            try:
                connection, address = listening.accept()
            except BlockingIOError:
                return
            except ConnectionError:  # the client has left again
                continue
            except OSError as exc:
                if exc.errno == errno.EINVAL:  # it listens no longer: `close_for_all`
                    self._loop.remove_reader(listening)
                else:
                    self._pause(exc)
                return
            self._pause_s = _PAUSES_S[0]
            connection.setblocking(False)
            client = self._connections.find_client(str(address[0]) if address else "")
            if self._connections.admit(client):
                self._serve(connection, address, client)
            else:
                self._refuse(connection)

    # --- pauses ---------------------------------------------------------------------------------

    def _pause(self, error: OSError) -> None:
        """Accept nothing for a moment. The first time, write a log line."""
        for one in self._sockets:
            self._loop.remove_reader(one)
        self._connections.accept_pauses += 1
        if self._timer is None:
            reason = os.strerror(error.errno) if error.errno else str(error)
            log.error("no connections are accepted for a moment: %s", reason)
        else:
            self._timer.cancel()
        connections = self._connections
        if error.errno == errno.EMFILE:  # the limit may have been lowered
            connections.most = min(connections.most, count_free(self._in_use))
        connections.make_room(max(_ROOM, len(connections) - connections.most))
        self._timer = self._loop.call_later(self._pause_s, self._resume)
        self._pause_s = min(2 * self._pause_s, _PAUSES_S[1])

    def _resume(self) -> None:
        self.start()
        self._timer = self._loop.call_later(_CALM_S, self._end_pauses)

    def _end_pauses(self) -> None:
        self._timer = None
        log.warning("connections are accepted as before")

    # --- refusals -------------------------------------------------------------------------------

    def _refuse(self, connection: socket.socket) -> None:
        """Tell the client why, and close the connection after it has read that.

        An immediate close would reach it as a reset.
        """
        try:
            if self._refusal is None or len(self._farewells) >= _FAREWELLS:
                connection.close()
                return
            connection.send(self._refusal)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            connection.close()
            return
        self._loop.add_reader(connection, self._read_away, connection)
        self._farewells[connection] = self._loop.call_later(
            _FAREWELL_S, functools.partial(self._close, connection)
        )

    def _read_away(self, connection: socket.socket) -> None:
        try:
            if connection.recv(65536):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._close(connection)

    def _close(self, connection: socket.socket) -> None:
        self._farewells.pop(connection).cancel()
        self._loop.remove_reader(connection)
        connection.close()
