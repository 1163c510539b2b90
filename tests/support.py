"""Real servers for tests: a Tornado application on a thread, requests through real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPServerConnectionDelegate
from tornado.testing import bind_unused_port


@dataclass(frozen=True)
class Response:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """A connection for each request."""

    def __init__(self, port: int) -> None:
        self.port = port

    def connection(self, timeout_s: float = 15) -> http.client.HTTPConnection:
        """A connection that is kept open, for the caller to close."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)

    def request(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        headers: dict[str, str] | None = None,
        body: bytes | dict[str, Any] | None = None,
        timeout_s: float = 15,
    ) -> Response:
        fields = dict(headers or {})
        if token is not None:
            fields["Authorization"] = f"Bearer {token}"
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        with contextlib.closing(self.connection(timeout_s)) as connection:
            connection.request(method, path, body=data, headers=fields)
            answer = connection.getresponse()
            return Response(answer.status, answer.headers, answer.read())

    def get(self, path: str, **kwargs: Any) -> Response:
        return self.request("GET", path, **kwargs)

    def post(self, path: str, **kwargs: Any) -> Response:
        return self.request("POST", path, **kwargs)

    def raw(self, data: bytes, *, timeout_s: float = 10) -> bytes:
        """Send bytes as they are; all that comes back until the server closes or is silent."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout_s) as sock:
            sock.sendall(data)
            sock.settimeout(timeout_s)
            received = b""
            with contextlib.suppress(TimeoutError, ConnectionError):
                while chunk := sock.recv(65536):
                    received += chunk
            return received


class AppClient(Client):
    """A client of an application that `running` serves.

    loop: the event loop of the application.
    tasks_left: after the end, the tasks that went on although all resources were left.
    """

    def __init__(self, port: int, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(port)
        self.loop = loop
        self.tasks_left: list[asyncio.Task[Any]] = []


@contextlib.contextmanager
def running(
    make_app: Callable[[], HTTPServerConnectionDelegate],
    *resources: Any,
) -> Iterator[AppClient]:
    """Serve the application on a thread's event loop; `resources` are entered on that loop first."""
    started: threading.Event = threading.Event()
    state: dict[str, Any] = {}

    async def main() -> None:
        try:
            stop = asyncio.Event()
            state.update(loop=asyncio.get_running_loop(), stop=stop)
            async with contextlib.AsyncExitStack() as stack:
                for resource in resources:
                    await stack.enter_async_context(resource)
                app = make_app()
                server = HTTPServer(app)
                sock, port = bind_unused_port()
                server.add_socket(sock)
                state["port"] = port
                started.set()
                await stop.wait()
                server.stop()
                await server.close_all_connections()
            state["left"] = [
                task for task in asyncio.all_tasks() if task is not asyncio.current_task()
            ]
        except BaseException as exc:
            state["error"] = exc
            raise
        finally:
            started.set()

    thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
    thread.start()
    assert started.wait(15)
    if "error" in state:
        raise state["error"]
    client = AppClient(state["port"], state["loop"])
    try:
        yield client
    finally:
        client.loop.call_soon_threadsafe(state["stop"].set)
        thread.join(15)
        assert not thread.is_alive()
        client.tasks_left = state.get("left", [])
