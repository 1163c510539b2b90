"""A web socket ends when its token would no longer be accepted, whatever the handler's own methods do."""

from __future__ import annotations

import asyncio
import time

from tornado.httpclient import HTTPRequest
from tornado.web import Application
from tornado.websocket import WebSocketHandler, websocket_connect

from kms_tornado import BearerAuthMixin, TokenPolicy
from kms_tornado.testing import TestIssuer

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
