"""Answers without an end: given up, before they fill the memory or the day."""

from __future__ import annotations

import gzip
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from kms_tornado.client import KMSClient, answers
from kms_tornado.client.errors import UnexpectedAnswer

from .faulty import Scripted, _Listener, answer, read_requests

PIECE = b"[" * 65536


class Endless(_Listener):
    """Sends the head, and then pieces until the client closes."""

    def __init__(self, head: bytes, piece: bytes, pause_s: float = 0.0) -> None:
        super().__init__()
        self._parts = head, piece, pause_s
        self.sent = 0

    def serve(self, connection: socket.socket) -> None:
        head, piece, pause_s = self._parts
        for _ in read_requests(connection):
            connection.sendall(b"HTTP/1.1 " + head + b"\r\n\r\n")
            while True:
                connection.sendall(piece)
                self.sent += len(piece)
                time.sleep(pause_s)


@contextmanager
def limits(monkeypatch: pytest.MonkeyPatch, **values: Any) -> Iterator[None]:
    with monkeypatch.context() as patched:
        for name, value in values.items():
            patched.setattr(answers, name, value)
        yield


@pytest.mark.parametrize("status", [b"200 OK", b"422 No", b"503 Busy"])
@pytest.mark.parametrize(
    ("head", "piece"),
    [
        pytest.param(b"\r\nContent-Length: 3000000000", PIECE, id="length"),
        pytest.param(
            b"\r\nTransfer-Encoding: chunked", b"10000\r\n" + PIECE + b"\r\n", id="chunks"
        ),
        pytest.param(b"", PIECE, id="until it closes"),
    ],
)
def test_long_answer_is_given_up_and_not_asked_for_again(
    monkeypatch: pytest.MonkeyPatch, status: bytes, head: bytes, piece: bytes
) -> None:
    with (
        limits(monkeypatch, MAX_ANSWER_BYTES=1_000_000),
        Endless(status + head, piece) as server,
        KMSClient(server.url) as client,
        pytest.raises(UnexpectedAnswer, match="too long or too slow"),
    ):
        client.server_version()
    assert server.connections == 1
    assert server.sent < 20_000_000  # the sockets' buffers hold some more


def test_answer_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = time.monotonic()
    with (
        limits(monkeypatch, PATIENCE_S=0.2),
        Endless(b"200 OK\r\nContent-Length: 100000", b"[", 0.01) as server,
        KMSClient(server.url) as client,
        pytest.raises(UnexpectedAnswer, match="too long or too slow"),
    ):
        client.server_version()
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("ask", [KMSClient.server_version, KMSClient.locate])
def test_compressed_answer_is_not_unpacked(ask: Callable[[KMSClient], object]) -> None:
    bomb = gzip.compress(b"[" * 10_000_000)
    with (
        Scripted(answer(bomb, headers={"Content-Encoding": "gzip"})) as server,
        KMSClient(server.url) as client,
        pytest.raises(UnexpectedAnswer, match="compressed"),
    ):
        ask(client)
    assert "Accept-Encoding: identity" in server.requests[0]


@pytest.mark.parametrize("size", [0, 1, 65536, 1_000_000])
def test_answer_of_any_size_below_is_whole_and_frees_its_connection(size: int) -> None:
    text = "x" * size
    with Scripted(answer(f'"{text}"')) as server, KMSClient(server.url) as client:
        assert [client.server_version() for _ in range(3)] == [text] * 3
        assert server.connections == 1
