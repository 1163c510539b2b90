"""A real token issuer on loopback: it signs, rotates its keys, fails on demand, and counts.

It speaks raw sockets, because half of what it is for is to break HTTP; it runs on a thread of its
own, so that it serves a server under test in this process and in another one.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from .keys import compact, jwk, private_key

Answer = bytes | Callable[[asyncio.StreamWriter], Any]


def response(body: bytes | dict[str, Any], status: str = "200 OK", **headers: str) -> bytes:
    """A whole HTTP response; underscores in header names stand for hyphens."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {"Content-Type": "application/json", "Content-Length": str(len(data))}
    fields.update({name.replace("_", "-"): value for name, value in headers.items()})
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status}\r\n{head}Connection: close\r\n\r\n".encode() + data


class Issuer:
    """``with Issuer() as issuer:`` listens; `issuer.token(sub="alice")` signs.

    answers: {path: response bytes, or a function that writes to the connection as it likes};
    what is not there is 404. By default the key set is at the default place.
    keys: [(alg, kid, name of the private key)], what the key set publishes.
    requests: {path: number of requests}, to count what the other side asked for.
    """

    def __init__(
        self, alg: str = "RS256", *, path: str = "", tls: ssl.SSLContext | None = None
    ) -> None:
        self.alg = alg
        self.kid = "k1"
        self.key_name = "first"
        self.keys: list[dict[str, Any]] = [jwk(alg, self.kid)]
        self.answers: dict[str, Answer | Callable[[], bytes]] = {}
        self.requests: Counter[str] = Counter()
        self.headers: list[dict[str, str]] = []
        self.tls = tls
        self._path = path
        self._port = 0
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.jwks_headers: dict[str, str] = {}

    # --- life -----------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._thread.start()
        self.listen()
        return self

    def __exit__(self, *exc: object) -> None:
        self.refuse()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        # Connections that are still shaking hands, or whose task has not begun, belong to nobody
        # but the loop: left open, they would be collected with a warning in a later test.
        self._loop.run_until_complete(asyncio.sleep(0))  # what was just accepted gets its transport
        deadline = time.monotonic() + 5
        while (open_ := self._open()) and time.monotonic() < deadline:
            for task in asyncio.all_tasks(self._loop):
                task.cancel()
            for transport in open_:
                transport.abort()
            self._loop.run_until_complete(asyncio.sleep(0))
        # An answer may still wait although its client is gone.
        if tasks := asyncio.all_tasks(self._loop):
            for task in tasks:
                task.cancel()
            self._loop.run_until_complete(asyncio.wait(tasks, timeout=5))

    def _open(self) -> list[asyncio.WriteTransport]:
        """The sockets' own transports, those beneath TLS included; asyncio lists them nowhere else."""
        transports: Any = self._loop._transports  # type: ignore[attr-defined]
        return [t for t in list(transports.values()) if t._sock is not None]

    def _call(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    def listen(self) -> None:
        """Listen, after `refuse` on the same port as before."""

        async def start() -> None:
            self._server = await asyncio.start_server(
                self._serve, "127.0.0.1", self._port, ssl=self.tls, reuse_address=True
            )
            self._port = self._server.sockets[0].getsockname()[1]

        self._call(start())

    def refuse(self) -> None:
        """Stop listening: connections are refused."""

        async def stop() -> None:
            if self._server is not None:
                self._server.close()
                self._server = None

        self._call(stop())

    # --- who it is ------------------------------------------------------------------------------

    @property
    def origin(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self._port}"

    @property
    def uri(self) -> str:
        return self.origin + self._path

    @property
    def jwks_path(self) -> str:
        return self._path.rstrip("/") + "/.well-known/jwks.json"

    @property
    def discovery_path(self) -> str:
        return self._path.rstrip("/") + "/.well-known/openid-configuration"

    @property
    def fetches(self) -> int:
        """How often the key set was asked for."""
        return self.requests[self.jwks_path]

    def wait_for_fetches(self, number: int, timeout_s: float = 30) -> None:
        deadline = time.monotonic() + timeout_s
        while self.fetches < number:
            assert time.monotonic() < deadline, f"{self.fetches} fetches, {number} wanted"
            time.sleep(0.01)

    # --- what it signs --------------------------------------------------------------------------

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Good claims; `changes` replace, None takes away (`null` in JSON: sign it as bytes)."""
        now = int(time.time())
        claims = {"iss": self.uri, "sub": "alice", "iat": now, "exp": now + 600, **changes}
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, *, header: dict[str, Any] | None = None, **changes: Any) -> str:
        fields = {"alg": self.alg, "typ": "JWT", "kid": self.kid, **(header or {})}
        fields = {name: value for name, value in fields.items() if value is not None}
        return compact(
            fields, self.claims(**changes), self.alg, private_key(self.alg, self.key_name)
        )

    def rotate(self, *, keep_old: bool = True) -> None:
        """A new key under a new kid signs from now on."""
        number = int(self.kid[1:]) + 1
        self.kid, self.key_name = f"k{number}", f"key {number}"
        new = jwk(self.alg, self.kid, self.key_name)
        self.keys = [*(self.keys if keep_old else []), new]

    # --- what it answers ------------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            try:
                await self._answer(reader, writer)
            except asyncio.CancelledError:
                writer.transport.abort()
            finally:
                writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        lines = head.split("\r\n")
        path = lines[0].split(" ")[1].split("?")[0]
        self.headers.append(
            {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:-2])}
        )
        self.requests[path] += 1
        answer = self.answers.get(path) or self._default(path)
        if callable(answer):
            result = answer(writer)
            if asyncio.iscoroutine(result):
                await result
        else:
            writer.write(answer)
        await writer.drain()

    def _default(self, path: str) -> bytes:
        if path == self.jwks_path:
            return response({"keys": self.keys}, **self.jwks_headers)
        return response({"error": "not found"}, "404 Not Found")

    # --- faults, for `answers` ------------------------------------------------------------------

    @staticmethod
    async def silent(writer: asyncio.StreamWriter) -> None:
        """Accept, and say nothing for longer than anybody waits."""
        await asyncio.sleep(60)

    @staticmethod
    async def slow_drip(writer: asyncio.StreamWriter) -> None:
        """A byte now and then, so that no read times out by itself."""
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        for _ in range(600):
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.1)

    @staticmethod
    async def reset_in_body(writer: asyncio.StreamWriter) -> None:
        """Half an answer, then RST."""
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"keys":')
        await writer.drain()
        await asyncio.sleep(0.05)
        _reset(writer)

    @staticmethod
    def reset(writer: asyncio.StreamWriter) -> None:
        """RST instead of an answer."""
        _reset(writer)

    @staticmethod
    async def huge(writer: asyncio.StreamWriter) -> None:
        """300 MB in chunks."""
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
        for _ in range(300):
            writer.write(chunk)
            await writer.drain()

    @staticmethod
    def bomb(writer: asyncio.StreamWriter) -> None:
        """150 MB of spaces that compress to 150 kB."""
        writer.write(response(gzip.compress(b" " * 150_000_000, 6), Content_Encoding="gzip"))


def _reset(writer: asyncio.StreamWriter) -> None:
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def write_tls_files(directory: Path, certificate: bytes, key: bytes) -> tuple[Path, Path]:
    cert_file, key_file = directory / "cert.pem", directory / "key.pem"
    cert_file.write_bytes(certificate)
    key_file.write_bytes(key)
    return cert_file, key_file
