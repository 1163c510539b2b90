"""FetchClient: Tornado's HTTP client, changed so that a cancelled fetch leaves nothing running.

The undocumented names of Tornado that it relies on are listed in `tornado_internals`.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import socket
import sys
from asyncio import Future
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from tornado import simple_httpclient
from tornado.iostream import IOStream
from tornado.netutil import DefaultLoopResolver
from tornado.simple_httpclient import SimpleAsyncHTTPClient
from tornado.tcpclient import TCPClient

if TYPE_CHECKING:
    from tornado.simple_httpclient import _HTTPConnection
else:
    # Where Tornado has renamed it, this module can still be imported: `check_tornado` then says so.
    _HTTPConnection = getattr(simple_httpclient, "_HTTPConnection", object)

# How a cancelled fetch ends
#
# Tornado 6.6 lets a request that nobody waits for run on until its timeout, and loses a connection
# that was made in the very turn of the event loop in which its request was cancelled. Both would
# outlive `BearerAuth.stop`. So each fetch runs in a context variable's scope of its own, and our
# subclasses of Tornado's connection, stream, TCP client and resolver note in it what they begin.
# `abandon_when_cancelled` opens the scope, and ends all that was noted if its caller is cancelled.

#: The fetch in whose context the code runs; None outside of fetches. A context variable has to be
#: global; its value belongs to one fetch.
_current_fetch: contextvars.ContextVar[_FetchResources | None] = contextvars.ContextVar(
    "kms_tornado_fetch", default=None
)


class _FetchResources:
    """What Tornado has started for one fetch."""

    def __init__(self) -> None:
        self.connections: list[_Connection] = []
        self.lookups: list[asyncio.Task[Any]] = []
        self.streams: list[Future[IOStream]] = []

    async def abandon(self) -> None:
        """End all of it immediately."""
        for connection in self.connections:
            await connection.abandon()
        for task in self.lookups:
            task.cancel()
        if self.lookups:
            await asyncio.wait(self.lookups)
        for opening in self.streams:
            # The task that would have closed the stream was cancelled before it received it.
            # (A stream that was upgraded to TLS has no socket of its own any more.)
            if opening.done() and not opening.cancelled() and opening.exception() is None:
                stream = opening.result()
                if stream.socket is not None:
                    stream.close()


class _DropRecordsOfFetches(logging.Filter):
    """Drops Tornado's records of failed connections; KeyCache logs a failure once, when it begins."""

    def filter(self, record: logging.LogRecord) -> bool:
        return _current_fetch.get() is None


class _Connection(_HTTPConnection):
    """Tornado's connection, which can be ended here, and which fails immediately when it is reset."""

    task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        self.task = asyncio.current_task()
        fetch = _current_fetch.get()
        if fetch is not None:
            fetch.connections.append(self)
        await super().run()

    async def abandon(self) -> None:
        """End the connection, and wait until it has ended."""
        self.final_callback = None  # type: ignore[assignment]
        self._remove_timeout()
        self._release()
        if hasattr(self, "stream"):
            self.stream.close()
        elif self.task is not None:
            self.task.cancel()
        if self.task is not None:
            await asyncio.wait({self.task})

    def on_connection_close(self) -> None:
        """Fail immediately: after a reset, Tornado 6.6 only writes a log line and then waits for the timeout."""
        error = None if self.final_callback is None else self.stream.error
        if error is None:
            super().on_connection_close()
        else:
            self._handle_exception(type(error), error, error.__traceback__)


class _Stream(IOStream):
    def connect(self, *args: Any, **kwargs: Any) -> Future[Any]:
        return _note_stream(super().connect(*args, **kwargs))

    def start_tls(self, *args: Any, **kwargs: Any) -> Future[Any]:
        return _note_stream(super().start_tls(*args, **kwargs))


def _note_stream(opening: Future[Any]) -> Future[Any]:
    fetch = _current_fetch.get()
    if fetch is not None:
        fetch.streams.append(opening)
    return opening


class _TCPClient(TCPClient):
    def _create_stream(
        self,
        max_buffer_size: int | None,
        af: socket.AddressFamily,
        addr: tuple[Any, ...],
        source_ip: str | None = None,
        source_port: int | None = None,
    ) -> tuple[IOStream, Future[IOStream]]:
        stream = _Stream(socket.socket(af), max_buffer_size=max_buffer_size)
        return stream, stream.connect(addr)


class _Resolver(DefaultLoopResolver):
    async def resolve(self, *args: Any, **kwargs: Any) -> list[tuple[int, Any]]:
        fetch, task = _current_fetch.get(), asyncio.current_task()
        if fetch is not None and task is not None:
            fetch.lookups.append(task)
        return await super().resolve(*args, **kwargs)


class FetchClient(SimpleAsyncHTTPClient):
    """Tornado's client for requests made within `abandon_when_cancelled`."""

    def initialize(self, **kwargs: Any) -> None:  # type: ignore[override]
        # No queue: a queued request would begin in the context of the fetch that makes room for it.
        super().initialize(max_clients=sys.maxsize, resolver=_Resolver(), **kwargs)
        self.tcp_client = _TCPClient(self.resolver)

    def _connection_class(self) -> type[_HTTPConnection]:
        return _Connection


@contextlib.asynccontextmanager
async def abandon_when_cancelled() -> AsyncIterator[None]:
    """If the caller is cancelled in this block, end first everything that a FetchClient has started in it."""
    fetch = _FetchResources()
    token = _current_fetch.set(fetch)
    try:
        yield
    except asyncio.CancelledError:
        await fetch.abandon()
        raise
    finally:
        _current_fetch.reset(token)


def silence_tornado() -> None:
    """Keep Tornado from logging failures of fetches, which their callers report themselves."""
    for name in ("tornado.general", "tornado.application"):
        logger = logging.getLogger(name)
        if not any(isinstance(f, _DropRecordsOfFetches) for f in logger.filters):
            logger.addFilter(_DropRecordsOfFetches())
