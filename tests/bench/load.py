"""A client that costs little: keep-alive connections over TLS, each sending when it has its answer."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Measurement:
    """One round. count: of answers. cpu_s: what the server's processes used."""

    count: int
    took_s: float
    cpu_s: float

    @property
    def per_second(self) -> float:
        return self.count / self.took_s

    @property
    def cpu_us(self) -> float:
        return self.cpu_s / max(self.count, 1) * 1e6


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its children, ended threads included. To the nanosecond (Linux)."""
    # The number of another process's clock, as the kernel has it: clock_getcpuclockid(3).
    return sum(time.clock_gettime((~process << 3) | 2) for process in (pid, *list_children(pid)))


def list_children(pid: int) -> list[int]:
    """And grandchildren."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    children = [int(number) for number in text.split()]
    return children + [grandchild for child in children for grandchild in list_children(child)]


def count_sockets(pid: int) -> int:
    """How many sockets one process has open."""
    links = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            links.append(os.readlink(entry))
    return sum(link.startswith("socket:") for link in links)


def resident_mib(pid: int) -> float:
    """Resident memory of one process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


class Connection:
    """One keep-alive TLS connection, non-blocking once it is made."""

    def __init__(self, port: int, tls: ssl.SSLContext) -> None:
        raw = socket.create_connection(("127.0.0.1", port))
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = tls.wrap_socket(raw, server_hostname="127.0.0.1")
        self.socket.setblocking(False)
        self.received = b""

    def send(self, data: bytes) -> None:
        self.received = b""
        self.socket.setblocking(True)  # a request is smaller than the socket's buffer
        self.socket.sendall(data)
        self.socket.setblocking(False)

    def answer(self) -> bytes | None:
        """The whole answer, once it is there."""
        try:
            while chunk := self.socket.recv(1 << 18):
                self.received += chunk
        except ssl.SSLWantReadError:
            pass
        return self.find_body()

    def find_body(self) -> bytes | None:
        """Of an answer that is received whole."""
        head, separator, body = self.received.partition(b"\r\n\r\n")
        if not separator:
            return None
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        return body if len(body) >= length else None

    def is_success(self) -> bool:
        return self.received.startswith(b"HTTP/1.1 200")

    def ask(self, data: bytes) -> bytes:
        """The body of the answer to one request. Raises RuntimeError unless it is a success."""
        self.send(data)
        with selectors.DefaultSelector() as selector:
            selector.register(self.socket, selectors.EVENT_READ)
            while (body := self.answer()) is None:
                selector.select()
        if not self.is_success():
            raise RuntimeError(self.received[:400])
        return body


def measure(
    connections: list[Connection], next_request: Callable[[], bytes], *, pid: int, seconds: float
) -> Measurement:
    """What one server answers to connections that each send the next request as soon as they can."""
    selector = selectors.DefaultSelector()
    for number, connection in enumerate(connections):
        selector.register(connection.socket, selectors.EVENT_READ, number)
    count = 0
    cpu = cpu_seconds(pid)
    begun = time.perf_counter()
    end = begun + seconds
    open_ = set(range(len(connections)))
    for connection in connections:
        connection.send(next_request())
    while open_:  # after the end, what is under way is waited for, and counted
        for key, _ in selector.select():
            connection = connections[key.data]
            if connection.answer() is None:
                continue
            if not connection.is_success():
                raise RuntimeError(connection.received[:400])
            count += 1
            if time.perf_counter() < end:
                connection.send(next_request())
            else:
                open_.discard(key.data)
    used = cpu_seconds(pid) - cpu
    took = time.perf_counter() - begun
    selector.close()
    return Measurement(count, took, used)
