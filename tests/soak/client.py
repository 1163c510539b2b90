"""An HTTP client that costs little: one request at a time on each connection, all in one event loop."""

from __future__ import annotations

import asyncio
import random
import re
import time
from dataclasses import dataclass, field

#: No answer takes as long: it is 17 s at most where PostgreSQL says nothing.
ANSWER_WITHIN_S = 60.0
_REQUESTS_A_CONNECTION = (50, 150)
_LENGTH = re.compile(rb"\r\nContent-Length: (\d+)", re.IGNORECASE)


class NotSentError(Exception):
    """There is no connection, so that nothing was asked."""


class UnansweredError(Exception):
    """The connection ended after the request was sent: it may be done or not."""


class TooLateError(Exception):
    """The connection is open, and there is no answer."""


@dataclass
class Server:
    """One of the servers, as its clients see it."""

    name: str
    port: int
    refused: int = 0
    unanswered: int = 0
    _waiting: list[tuple[float, asyncio.Future[float]]] = field(default_factory=list)

    def answered_well(self, asked_at: float) -> None:
        """A request of that time was answered 200."""
        if self._waiting:
            now = time.monotonic()
            for since, future in self._waiting:
                if asked_at > since and not future.done():
                    future.set_result(now - since)
            self._waiting = [pair for pair in self._waiting if not pair[1].done()]

    async def await_answer(self, since: float, timeout_s: float) -> float:
        """How many seconds later the first request that was sent after that moment was answered 200."""
        future: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._waiting.append((since, future))
        return await asyncio.wait_for(future, timeout_s)


class _Exchange(asyncio.Protocol):
    """A connection that is open."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.is_open = True
        self._received = bytearray()
        self._end = 0
        self._body_at = 0
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def send(self, request: bytes) -> asyncio.Future[tuple[int, bytes]]:
        self._received.clear()
        self._end = 0
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self._answer

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._end:
            self._body_at = self._received.find(b"\r\n\r\n") + 4
            if self._body_at < 4:
                return
            length = _LENGTH.search(self._received, 0, self._body_at)
            self._end = self._body_at + (int(length[1]) if length else 0)
        if len(self._received) >= self._end and self._answer and not self._answer.done():
            body = bytes(self._received[self._body_at : self._end])
            self._answer.set_result((int(self._received[9:12]), body))

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(UnansweredError())


class Connection:
    """To one server; it is opened where it is closed, and now and then: workers that were restarted get some, too."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._exchange: _Exchange | None = None
        self._requests_left = 0

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Status and body. Raises NotSentError, UnansweredError, TooLateError."""
        exchange = self._exchange
        is_usable = (
            exchange is not None and exchange.is_open and not exchange.transport.is_closing()
        )
        if exchange is None or not is_usable or not self._requests_left:
            self.close()
            exchange = await self._connect()
        self._requests_left -= 1
        answer = exchange.send(request)
        loop = asyncio.get_running_loop()
        limit = loop.call_later(ANSWER_WITHIN_S, self._give_up, answer)
        try:
            return await answer
        except UnansweredError:
            self.server.unanswered += 1
            raise
        finally:
            limit.cancel()

    async def _connect(self) -> _Exchange:
        try:
            _, self._exchange = await asyncio.get_running_loop().create_connection(
                _Exchange, "127.0.0.1", self.server.port
            )
        except OSError as exc:
            self.server.refused += 1
            raise NotSentError from exc
        self._requests_left = random.randint(*_REQUESTS_A_CONNECTION)
        return self._exchange

    def _give_up(self, answer: asyncio.Future[tuple[int, bytes]]) -> None:
        if not answer.done():
            answer.set_exception(TooLateError())
            self.close()

    def close(self) -> None:
        if self._exchange is not None:
            self._exchange.transport.abort()
            self._exchange = None
