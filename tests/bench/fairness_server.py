"""The server that `fairness` measures, over TLS and with an issuer on loopback, and a client of it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench import certificates
from tests.issuer import Issuer
from tests.kmip_items import message
from tests.server import environment

_QUIET_S = 0.5  # of which the server computes less than a tenth


class Client:
    """One keep-alive connection of one user."""

    def __init__(self, port: int, tls: ssl.SSLContext, token: str) -> None:
        self.port, self.tls, self.token = port, tls, token
        self._socket: ssl.SSLSocket | None = None

    def head(self, method: str, path: str, length: int = 0) -> bytes:
        return (
            f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {self.token}\r\nContent-Length: {length}\r\n\r\n"
        ).encode()

    def post(self, body: Any, path: str = "/kmip_2_1") -> bytes:
        data = json.dumps(body).encode()
        return self.head("POST", path, len(data)) + data

    def ask(self, request: bytes) -> tuple[int, bytes]:
        """The status and the body of the answer."""
        if self._socket is None:
            plain = socket.create_connection(("127.0.0.1", self.port), timeout=300)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket = self.tls.wrap_socket(plain, server_hostname="localhost")
        self._socket.sendall(request)
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._receive()
        head, _, body = received.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        while len(body) < length:
            body += self._receive()
        return int(head[9:12]), body

    def do(self, body: Any, path: str = "/kmip_2_1") -> Any:
        status, answer = self.ask(self.post(body, path))
        if status != 200:
            raise RuntimeError((status, answer[:300]))
        return json.loads(answer)

    def make(self, operation: Any) -> str:
        """The unique identifier of what the operation makes."""
        return str(self.do(operation)["value"][-1]["value"])

    def make_many(self, items: Sequence[Any]) -> list[str]:
        """The unique identifiers of what a message of these batch items makes."""
        answers = self.do(message(*items))["value"][1:]
        return [item["value"][-1]["value"][-1]["value"] for item in answers]

    def _receive(self) -> bytes:
        assert self._socket is not None
        chunk = self._socket.recv(1 << 20)
        if not chunk:
            raise ConnectionError("the server closed the connection")
        return chunk


@dataclass(frozen=True)
class Stage:
    """A running server. ca: whose certificate it has."""

    port: int
    pid: int
    ca: Path
    tls: ssl.SSLContext
    issuer: Issuer

    def client(self, user: str) -> Client:
        return Client(self.port, self.tls, self.issuer.token(sub=user))

    def await_quiet(self, timeout_s: float = 300) -> None:
        """Until the server has done what it was asked for."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            before = self._cpu_s()
            time.sleep(_QUIET_S)
            if self._cpu_s() - before < _QUIET_S / 10:
                return
        raise TimeoutError("the server is still busy")

    def _cpu_s(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def serve(tree: Path, options: Sequence[str]) -> Iterator[Stage]:
    """The server of the source tree, killed at the end."""
    with tempfile.TemporaryDirectory() as directory, Issuer("ES256") as issuer:
        files = certificates.make(Path(directory))
        log = Path(directory, "log.txt")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        argv = [
            sys.executable, "-m", "kms_tornado", "--port", str(port), "--log-level", "warning",
            "--data-dir", f"{directory}/data", "--jwt-issuer-uri", issuer.uri,
            "--tls-cert-file", str(files.server_cert), "--tls-key-file", str(files.server_key),
            *options,
        ]  # fmt: skip
        with log.open("wb") as output:
            process = subprocess.Popen(
                argv,
                cwd=directory,
                env=environment(PYTHONPATH=str(tree)),
                stdout=output,
                stderr=output,
            )
        tls = ssl.create_default_context(cafile=files.ca)
        try:
            _await_ready(process, Client(port, tls, ""), log)
            yield Stage(port, process.pid, files.ca, tls, issuer)
        finally:
            process.kill()
            process.wait()


def _await_ready(process: subprocess.Popen[bytes], client: Client, log: Path) -> None:
    deadline = time.monotonic() + 120
    while True:
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(log.read_text())
        with contextlib.suppress(OSError):
            if client.ask(client.head("GET", "/ready"))[0] == 200:
                return
        time.sleep(0.1)
