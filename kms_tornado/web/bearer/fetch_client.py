"""FetchClient: Tornado's HTTP client, of which nothing is left once a fetch is cancelled.

Tornado 6.6 lets a request that nobody waits for run on until its timeout, and loses a connection
that was made in the very turn of the event loop in which its request was cancelled. So each fetch
keeps account of what was begun for it. Everything that hangs on Tornado's private names is here.
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

#: What the fetch in whose context we are has begun; None outside of fetches.
_current: contextvars.ContextVar[_Begun | None] = contextvars.ContextVar(
    "kms_tornado_fetch", default=None
)


class _Begun:
    """What Tornado has begun for one fetch."""

    def __init__(self) -> None:
        self.connections: list[_Connection] = []
        self.lookups: list[asyncio.Task[Any]] = []
        self.streams: list[Future[IOStream]] = []

    async def abandon(self) -> None:
        """End all of it at once."""
        for connection in self.connections:
            await connection.abandon()
        for task in self.lookups:
            task.cancel()
        if self.lookups:
            await asyncio.wait(self.lookups)
        for opening in self.streams:
            # The task that would have closed it was cancelled before it learned of it. (What has
            # become a TLS stream has no socket of its own any more.)
            if opening.done() and not opening.cancelled() and opening.exception() is None:
                stream = opening.result()
                if stream.socket is not None:
                    stream.close()


class _NotOfFetches(logging.Filter):
    """Tornado logs each failed connection and handshake; KeyCache reports them once a state change."""

    def filter(self, record: logging.LogRecord) -> bool:
        return _current.get() is None


class _Connection(_HTTPConnection):
    """Tornado's own, which ends and fails at once."""

    task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        self.task = asyncio.current_task()
        begun = _current.get()
        if begun is not None:
            begun.connections.append(self)
        await super().run()

    async def abandon(self) -> None:
        """End at once: Tornado lets a request nobody waits for run on until its timeout."""
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
        """Fail at once: Tornado 6.6 raises a reset into its own log, and waits for the timeout."""
        error = None if self.final_callback is None else self.stream.error
        if error is None:
            super().on_connection_close()
        else:
            self._handle_exception(type(error), error, error.__traceback__)


class _Stream(IOStream):
    def connect(self, *args: Any, **kwargs: Any) -> Future[Any]:
        return _noted(super().connect(*args, **kwargs))

    def start_tls(self, *args: Any, **kwargs: Any) -> Future[Any]:
        return _noted(super().start_tls(*args, **kwargs))


def _noted(opening: Future[Any]) -> Future[Any]:
    begun = _current.get()
    if begun is not None:
        begun.streams.append(opening)
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
        begun, task = _current.get(), asyncio.current_task()
        if begun is not None and task is not None:
            begun.lookups.append(task)
        return await super().resolve(*args, **kwargs)


class FetchClient(SimpleAsyncHTTPClient):
    def initialize(self, **kwargs: Any) -> None:  # type: ignore[override]
        # One that has to queue would be begun on the account of the one that makes room for it.
        super().initialize(max_clients=sys.maxsize, resolver=_Resolver(), **kwargs)
        self.tcp_client = _TCPClient(self.resolver)

    def _connection_class(self) -> type[_HTTPConnection]:
        return _Connection


@contextlib.asynccontextmanager
async def ending_all_when_cancelled() -> AsyncIterator[None]:
    """What a FetchClient begins in here is ended, and has ended, when the caller is cancelled."""
    begun = _Begun()
    token = _current.set(begun)
    try:
        yield
    except asyncio.CancelledError:
        await begun.abandon()
        raise
    finally:
        _current.reset(token)


def silence_tornado() -> None:
    """Keep Tornado from logging what goes wrong in fetches; their callers say it themselves."""
    for name in ("tornado.general", "tornado.application"):
        logger = logging.getLogger(name)
        if not any(isinstance(each, _NotOfFetches) for each in logger.filters):
            logger.addFilter(_NotOfFetches())
