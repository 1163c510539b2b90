"""Servers that misbehave, on real sockets: one that says what it is told to, one that loses what passes."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Self

#: What a scripted server does with a request: send these bytes, or close without a word. It closes, too, after
#: what is no whole head and what says so.
Step = bytes | None


def answer(
    body: bytes | str | dict[str, Any] = b"",
    status: str = "200 OK",
    headers: dict[str, str] | None = None,
    *,
    closes: bool = False,
) -> bytes:
    """A whole HTTP answer. closes: the server says that it closes the connection afterwards."""
    if isinstance(body, dict):
        body = json.dumps(body)
    data = body.encode() if isinstance(body, str) else body
    fields = {"Content-Length": str(len(data)), **(headers or {})}
    if closes:
        fields["Connection"] = "close"
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + data


def refusal(status: str, description: str, **headers: str) -> bytes:
    """An error of the transport as the server sends it."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return answer({"error": "any", "error_description": description}, status, fields)


UNAVAILABLE = refusal("503 Service Unavailable", "not now", Retry_After="1")


class _Listener:
    """Accepts on loopback; each connection has a thread. connections: how many there were.

    tls: to speak TLS by. peers: the certificates that clients have shown.
    """

    def __init__(self, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.peers: list[dict[str, Any]] = []
        self._socket = socket.create_server(("127.0.0.1", port))
        self.port: int = self._socket.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self.connections = 0
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            if self._tls is None:
                self.serve(connection)
                return
            with self._tls.wrap_socket(connection, server_side=True) as wrapped:
                self.peers.append(wrapped.getpeercert() or {})
                self.serve(wrapped)

    def serve(self, connection: socket.socket) -> None:
        raise NotImplementedError


class Scripted(_Listener):
    """Answers one request after the other with the steps; the last one serves for all further requests.

    requests: the head and the body of each, as text.
    """

    def __init__(self, *steps: Step, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(port, tls)
        self._steps = list(steps)
        self.requests: list[str] = []

    def serve(self, connection: socket.socket) -> None:
        for request in read_requests(connection):
            self.requests.append(request)
            step = self._steps.pop(0) if len(self._steps) > 1 else self._steps[0]
            step = self.answer_with(step)
            if step is None:
                return
            connection.sendall(step)
            if b"Connection: close" in step or b"\r\n\r\n" not in step:
                return

    def answer_with(self, step: Step) -> Step:
        """Called before a step is made."""
        return step


class Tap(_Listener):
    """Passes everything on to a server, and loses an answer when told to.

    loses: (the head and the body of a request) → whether its answer is lost, after the server gave it.
    """

    def __init__(self, port: int) -> None:
        super().__init__()
        self.target = port
        self.loses: Callable[[str], bool] = lambda request: False
        self.requests: list[str] = []

    def lose_once(self, word: str) -> None:
        """Lose the answer to the next request in which the word stands."""
        left = [word]

        def loses(request: str) -> bool:
            if left and left[0] in request:
                left.clear()
                return True
            return False

        self.loses = loses

    def serve(self, connection: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", self.target)) as server:
            for request in read_requests(connection):
                self.requests.append(request)
                is_lost = self.loses(request)
                server.sendall(request.encode("latin-1"))
                received = read_message(server)
                if is_lost:
                    return
                connection.sendall(received)


def read_requests(connection: socket.socket) -> Iterator[str]:
    """The requests that come, head and body, until the client closes."""
    while message := read_message(connection):
        yield message.decode("latin-1")


def read_message(connection: socket.socket) -> bytes:
    """One message with its Content-Length; nothing where the other side has closed."""
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = connection.recv(65536)
        if not chunk:
            return b""
        received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    length = _content_length(head.decode("latin-1").splitlines())
    while len(body) < length:
        chunk = connection.recv(65536)
        if not chunk:
            return b""
        body += chunk
    return head + b"\r\n\r\n" + body


def _content_length(lines: Iterable[str]) -> int:
    for line in lines:
        name, _, value = line.partition(":")
        if name.lower() == "content-length":
            return int(value)
    return 0
