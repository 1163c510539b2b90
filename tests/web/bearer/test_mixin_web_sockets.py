"""A web socket is opened only with a good token."""

from __future__ import annotations

import asyncio
import socket

import pytest
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from .handlers import Calls, Host


@pytest.mark.parametrize("path", ["/echo", "/echolast"])
@pytest.mark.parametrize(
    ("offered", "status"),
    [
        pytest.param({}, 401, id="no token"),
        pytest.param({"Authorization": "Bearer x.y.z"}, 401, id="a bad token"),
        pytest.param({"Authorization": "Bearer"}, 400, id="an empty token"),
        pytest.param(
            {"Sec-WebSocket-Protocol": "bearer, TOKEN"}, 401, id="a token in the subprotocol"
        ),
        pytest.param({"Cookie": "token=TOKEN"}, 401, id="a token in a cookie"),
        pytest.param({"Authorization": "Bearer TOKEN"}, 101, id="the twin that passes"),
    ],
)
def test_a_web_socket_is_not_opened_without_a_token(
    host: Host, path: str, offered: dict[str, str], status: int
) -> None:
    headers = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        **{name: value.replace("TOKEN", host.token()) for name, value in offered.items()},
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection(("127.0.0.1", host.client.port), timeout=5) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode())
        answer = sock.recv(65536)
        while status == 101 and b"hello alice" not in answer:
            answer += sock.recv(65536)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert (b"www-authenticate: bearer" in answer.lower()) is (status != 101)
    assert Calls.ran == (["open"] if status == 101 else [])


@pytest.mark.parametrize("path", ["/echo", "/echolast"])
def test_in_a_web_socket_the_current_user_is_the_principal(host: Host, path: str) -> None:
    async def talk() -> None:
        url = f"ws://127.0.0.1:{host.client.port}{path}"
        headers = {"Authorization": f"Bearer {host.token()}"}
        connection = await websocket_connect(HTTPRequest(url, headers=headers))
        assert await connection.read_message() == "hello alice"
        await connection.write_message("hi")
        assert await connection.read_message() == "alice: 'hi'"
        stream = connection.stream
        connection.close()
        assert await connection.read_message() is None
        stream.close()

    asyncio.run(talk())
