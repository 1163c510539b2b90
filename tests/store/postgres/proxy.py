"""A proxy in front of a PostgreSQL: it can delay, fall silent, cut connections, and count round trips."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

from ... import postgres

_SOCKET = ".s.PGSQL.5432"


class Proxy:
    """round_trips: how often a client sent something after the database had said something."""

    def __init__(self, delay_s: float) -> None:
        self.delay_s = delay_s
        self.round_trips = 0
        self.talks = asyncio.Event()  # cleared: nothing passes, and every connection stays open
        self.talks.set()
        #: What the connection is cut for that sends COMMIT next: "request", "answer" (is lost with it), or "".
        self.loses_next = ""
        self._connections: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._path = Path()

    async def listen(self, path: Path | None = None) -> None:
        self._path = path or self._path
        self._server = await asyncio.start_unix_server(self.serve, self._path)

    def refuse(self) -> None:
        """Cut all connections, and take no more, as where the database has ended."""
        assert self._server is not None
        self._server.close()
        self._path.unlink(missing_ok=True)
        for writer in list(self._connections):
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = str(postgres.cluster().directory / _SOCKET)
        upstream_reader, upstream_writer = await asyncio.open_unix_connection(target)
        answered = [True]
        self._connections.add(writer)
        try:
            await asyncio.gather(
                self._forward(reader, upstream_writer, answered, counts=True),
                self._forward(upstream_reader, writer, answered, counts=False),
            )
        except (OSError, asyncio.CancelledError):  # the test has ended
            pass
        finally:
            self._connections.discard(writer)
            for end in (writer, upstream_writer):
                end.close()

    async def _forward(
        self,
        source: asyncio.StreamReader,
        target: asyncio.StreamWriter,
        answered: list[bool],
        *,
        counts: bool,
    ) -> None:
        loop = asyncio.get_running_loop()
        while data := await source.read(65536):
            if counts and answered[0]:
                self.round_trips += 1
            answered[0] = not counts
            await self.talks.wait()
            if counts and self.loses_next and b"COMMIT\0" in data:
                lost, self.loses_next = self.loses_next, ""
                if lost == "answer":  # PostgreSQL has it all, and whatever it says is not passed on
                    target.write(data)
                raise ConnectionResetError
            if self.delay_s:  # what comes meanwhile is delayed as long, and no longer
                loop.call_later(self.delay_s, target.write, data)
            else:
                target.write(data)
        loop.call_later(self.delay_s, target.close)


@asynccontextmanager
async def proxied(
    url: str, directory: Path, *, delay_s: float = 0.0
) -> AsyncIterator[tuple[str, Proxy]]:
    """The database's URL by way of a proxy, and the proxy. delay_s: each way."""
    proxy = Proxy(delay_s)
    await proxy.listen(directory / _SOCKET)
    try:
        host = quote(str(directory), safe="")
        yield f"postgresql://{postgres.USER}@/{postgres.name_of(url)}?host={host}", proxy
    finally:
        proxy.talks.set()
        proxy.refuse()
