"""A web socket ends when its token is no longer accepted, whatever the handler's own methods do."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import HTTPRequest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application
from tornado.websocket import WebSocketClientConnection, WebSocketHandler, websocket_connect

from kms_tornado import BearerAuth, BearerAuthMixin, TokenPolicy, requires
from kms_tornado.testing import TestIssuer
from kms_tornado.web.bearer.web_sockets import close_at

from ...rows import each_row
from ...support import running

ISSUER = TestIssuer()


class Socket(BearerAuthMixin, WebSocketHandler):
    def on_message(self, message: str | bytes) -> None:
        self.write_message(message)

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Closes nothing."""


def test_web_socket_is_closed_when_its_token_expires() -> None:
    leeway_s = int(TokenPolicy().leeway_s)

    async def wait_for_the_end(port: int) -> tuple[int | None, float]:
        end = int(time.time()) + 3
        url = f"ws://127.0.0.1:{port}/socket"
        headers = {"Authorization": f"Bearer {ISSUER.token('alice', exp=end - leeway_s)}"}
        connection = await websocket_connect(HTTPRequest(url, headers=headers))
        await connection.write_message("hi")
        assert await connection.read_message() == "hi"
        assert await asyncio.wait_for(connection.read_message(), 30) is None
        code, late_s = connection.close_code, time.time() - end
        connection.close()  # the client's half
        return code, late_s

    with running(lambda: Application([("/socket", Socket)], bearer_auth=ISSUER.auth())) as client:
        code, late_s = asyncio.run(wait_for_the_end(client.port))
    assert code == 4401
    assert late_s >= 0


def test_web_socket_that_is_gone_leaves_no_timer_until_its_token_expires() -> None:
    """Or whoever opens and closes one after another fills the loop with timers, for as long as the token is good."""

    class Handler:
        pass

    async def story() -> None:
        later: list[tuple[Any, tuple[Any, ...]]] = []
        loop: Any = asyncio.get_running_loop()
        loop.call_later = lambda pause_s, function, *args: later.append((function, args))
        handler: Any = Handler()
        close_at(handler, time.time() + 1_000_000)
        for _ in range(2):  # it is still there
            function, args = later.pop()
            function(*args)
        del handler
        function, args = later.pop()
        function(*args)
        assert later == []
        del loop.call_later

    asyncio.run(story())


class Noting(Socket):
    """Notes what it is handed; its `prepare` takes until the test says so, where the query asks for it."""

    async def prepare(self) -> None:
        if self.request.query:
            await self.settings["may_open"].wait()

    def on_message(self, message: str | bytes) -> None:
        self.settings["received"].append(message)
        self.write_message(message)


def write(file: Path, text: str) -> None:
    file.write_text(text)


@contextlib.asynccontextmanager
async def serving(deny_file: Path) -> AsyncIterator[tuple[Application, int]]:
    """The application of `Noting` and its port, started with an empty deny list."""
    write(deny_file, "")
    like = BearerAuth.from_issuer(ISSUER.uri, audience=ISSUER.audience, deny_file=deny_file)
    async with ISSUER.auth(like) as auth:
        routes: list[Any] = [("/socket", Noting)]
        app = Application(routes, bearer_auth=auth, may_open=asyncio.Event(), received=[])
        sock, port = bind_unused_port()
        server = HTTPServer(app)
        server.add_socket(sock)
        yield app, port
        server.stop()
        await server.close_all_connections()


def headers_as(user: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {ISSUER.token(user)}"}


def test_web_sockets_of_a_denied_token_are_closed_and_no_others(tmp_path: Path) -> None:
    async def connect(port: int, user: str, query: str = "") -> WebSocketClientConnection:
        url = f"ws://127.0.0.1:{port}/socket{query}"
        return await websocket_connect(HTTPRequest(url, headers=headers_as(user)))

    async def read_end(connection: WebSocketClientConnection) -> tuple[int | None, str | None]:
        assert await asyncio.wait_for(connection.read_message(), 30) is None
        connection.close()  # the client's half
        return connection.close_code, connection.close_reason

    async def story() -> None:
        async with serving(tmp_path / "deny") as (app, port):
            alice, bob = await connect(port, "alice"), await connect(port, "bob")
            opening = asyncio.ensure_future(connect(port, "alice", "?slow"))
            gone = await connect(port, "alice")
            gone.close()
            assert await gone.read_message() is None
            await bob.write_message("hi")
            assert await bob.read_message() == "hi"
            write(tmp_path / "deny", "sub=alice\n")
            assert await read_end(alice) == (4401, "token denied")
            app.settings["may_open"].set()
            assert await read_end(await opening) == (4401, "token denied")
            await bob.write_message("still here")
            assert await bob.read_message() == "still here"
            bob.close()
            assert await bob.read_message() is None

    asyncio.run(story())


def test_message_that_comes_after_the_close_is_not_handed_over(tmp_path: Path) -> None:
    """A client that takes no part in the closing has five seconds, in which it may send."""

    async def story() -> list[str]:
        async with serving(tmp_path / "deny") as (app, port):
            reader, writer = await open_socket(port, headers_as("alice"), frame(1, b"before"))
            assert (await reader.readexactly(8))[2:] == b"before"
            write(tmp_path / "deny", "sub=alice\n")
            head = await asyncio.wait_for(reader.readexactly(4), 30)
            assert int.from_bytes(head[2:]) == 4401
            writer.write(frame(1, b"after") + frame(8, (1000).to_bytes(2)))
            await reader.read()  # until the server ends the connection
            writer.close()
            received: list[str] = app.settings["received"]
            return received

    assert asyncio.run(story()) == ["before"]


async def open_socket(
    port: int, headers: dict[str, str], first: bytes
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A web socket at /socket, byte by byte. first: what is sent behind the head."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    fields = {
        "Host": "x",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        **headers,
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    writer.write(f"GET /socket HTTP/1.1\r\n{lines}\r\n".encode() + first)
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


def frame(opcode: int, payload: bytes) -> bytes:
    """Of a client (RFC 6455 §5.2), masked with zeros."""
    return bytes([0x80 | opcode, 0x80 | len(payload)]) + bytes(4) + payload


class Guarded(BearerAuthMixin, WebSocketHandler):
    """Notes what of it ran."""

    @property
    def ran(self) -> list[str]:
        ran: list[str] = self.settings["ran"]
        return ran

    @requires(scope="chat")
    def open(self) -> None:
        self.ran.append("open")

    def on_message(self, message: str | bytes) -> None:
        self.ran.append("on_message")
        self.write_message(message)

    def on_close(self) -> None:
        self.ran.append("on_close")


class GuardedBySuper(Guarded):
    async def open(self) -> None:  # type: ignore[override]
        await asyncio.sleep(0)
        super().open()
        self.ran.append("open of the subclass")


class Inherited(Guarded):
    """Overrides nothing."""


class GuardedPublic(Guarded):
    public_methods = ("GET",)


class GuardedMessages(Guarded):
    def open(self) -> None:
        self.ran.append("open")

    @requires(scope="chat")
    async def on_message(self, message: str | bytes) -> None:
        self.ran.append("on_message")
        self.write_message(message)


@each_row(
    ("handler", "scope", "code", "ran"),
    [
        pytest.param(Guarded, "mail", 4403, [], id="open"),
        pytest.param(Inherited, "mail", 4403, [], id="open, inherited"),
        pytest.param(GuardedBySuper, "mail", 4403, [], id="open, by super()"),
        pytest.param(GuardedPublic, "chat", 4401, [], id="without a token"),
        pytest.param(GuardedMessages, "mail", 4403, ["open", "on_close"], id="a message"),
        pytest.param(Guarded, "chat", None, ["open", "on_message", "on_close"], id="the twin"),
        pytest.param(
            GuardedBySuper,
            "chat",
            None,
            ["open", "open of the subclass", "on_message", "on_close"],
            id="the twin by super()",
        ),
        pytest.param(
            GuardedMessages,
            "chat",
            None,
            ["open", "on_message", "on_close"],
            id="a message's twin",
        ),
    ],
)
def test_a_web_socket_that_requires_refuses_is_closed_with_a_code(
    caplog: pytest.LogCaptureFixture,
    handler: type[Guarded],
    scope: str,
    code: int | None,
    ran: list[str],
) -> None:
    """The client reads the code, and the log has one line, as for any other refusal, and no traceback."""
    seen: list[str] = []
    caplog.set_level(logging.INFO)
    caplog.clear()

    async def talk(port: int) -> bytes:
        """The first frame that the server sends, and the end of the connection."""
        headers = {"Authorization": f"Bearer {ISSUER.token('alice', scope=scope)}"}
        reader, writer = await open_socket(port, headers, frame(1, b"hi"))
        answer = (await reader.readexactly(2))[:1]
        answer += await reader.readexactly(2)
        writer.write(frame(8, (1000).to_bytes(2)))
        await reader.read()  # until the server ends the connection
        writer.close()
        return answer

    def make_app() -> Application:
        return Application([("/socket", handler)], bearer_auth=ISSUER.auth(), ran=seen)

    with running(make_app) as client:
        answer = asyncio.run(talk(client.port))
    assert answer == (b"\x81hi" if code is None else b"\x88" + code.to_bytes(2))
    assert seen == ran
    lines = [
        one for one in caplog.records if one.name in ("kms_tornado.auth", "tornado.application")
    ]
    assert [one.levelname for one in lines] == (["INFO"] if code else [])
    if code:
        assert lines[0].message.startswith("refused GET /socket from 127.0.0.1: ")
        assert lines[0].fields["status"] == code - 4000  # type: ignore[attr-defined]
