"""The real server as a process of its own: its ports, its output, its exit code."""

from __future__ import annotations

import contextlib
import functools
import http.client
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from .issuer import Issuer
from .support import Client as PlainClient
from .support import Response
from .warm import WarmProcess, WarmServers

ROOT = Path(__file__).resolve().parent.parent
_URL = re.compile(r"listening on (https?)://(\[[^\]]*\]|[^:\s]+):(\d+)")
NO_AUTH = ("--insecure-no-auth",)
QUICK = ("--jwks-refresh-interval", "1", "--jwks-cooldown", "0", "--jwks-timeout", "2")


def environment(**variables: str) -> dict[str, str]:
    """Ours without KMS_*, PYTHON* and proxies; `variables` added."""
    drop = re.compile(r"KMS_|PYTHON|COV_|(https?|no|all)_proxy$", re.IGNORECASE)
    inherited = {name: value for name, value in os.environ.items() if not drop.match(name)}
    return {**inherited, "PYTHONPATH": str(ROOT), **variables}


@functools.cache
def warm_servers() -> WarmServers:
    """Where servers are forked from."""
    return WarmServers(environment())


@functools.cache
def warm_kmsctl() -> WarmServers:
    """Where kmsctl is forked from."""
    return WarmServers(environment(), program="kmsctl")


def run(*argv: str, cwd: Path, timeout_s: float = 60, stdin: str = "", **variables: str) -> Any:
    """Run the command to its end: a CompletedProcess with text output."""
    return warm_servers().run(argv, cwd, timeout_s, stdin, **variables)


def trusting(issuer: Issuer, *more: str) -> tuple[str, ...]:
    """Flags that have the server trust the issuer."""
    return ("--jwt-issuer-uri", issuer.uri, "--jwt-audience", "kms", *more)


class Client(PlainClient):
    """Requests to a server process. tls: how to judge its certificate, None over plain HTTP."""

    def __init__(self, port: int, *, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(port)
        self.tls = tls

    def connection(self, timeout_s: float = 15) -> http.client.HTTPConnection:
        if self.tls is None:
            return super().connection(timeout_s)
        return http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=timeout_s, context=self.tls
        )

    def connect(self, timeout_s: float = 10) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout_s)

    def kmip(self, token: str, body: Any, **kwargs: Any) -> Response:
        return self.post("/kmip_2_1", token=token, body=body, **kwargs)

    def create(self, token: str) -> str:
        """A new AES key; its unique identifier."""
        answer = self.kmip(token, CREATE)
        assert answer.status == 200, answer.text
        return value_of(answer.json(), "UniqueIdentifier")

    def get_key(self, token: str, uid: str) -> Response:
        return self.kmip(token, node("Get", node("UniqueIdentifier", uid)))

    def ready(self) -> dict[str, Any]:
        return dict(self.get("/ready").json()["checks"])


class ServerProcess:
    """``with ServerProcess(…) as server:`` listens; at the end it is killed if it still runs.

    env, limits, constants: as of `WarmServers.start`. wrapper: a command that executes the server's, as setpriv does.
    cold: whether it is started by its command line although no wrapper asks for it.
    output: {"stdout": lines, "stderr": lines}, as they come.
    """

    def __init__(
        self,
        *argv: str,
        cwd: Path,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        limits: Mapping[int, tuple[int, int]] | None = None,
        env: Mapping[str, str] | None = None,
        constants: Mapping[str, float] | None = None,
        wrapper: Sequence[str] = (),
        cold: bool = False,
    ) -> None:
        self.argv = [*argv, "--port", str(port)]
        self.cwd = cwd
        self.tls = tls
        self.output: dict[str, list[str]] = {"stdout": [], "stderr": []}
        self._limits = limits
        self._constants = constants
        self._wrapper = wrapper
        self._env = dict(env or {})
        self._is_cold = bool(cold or wrapper)
        self._changed = threading.Condition()
        self.process: subprocess.Popen[str] | WarmProcess
        self.url = ""
        self.port = 0
        self.started_in_s = 0.0

    def start(self) -> Self:
        began = time.monotonic()
        self.process = self._start_cold() if self._is_cold else self._start_warm()
        self._readers = [
            threading.Thread(target=self._read, args=(name,), daemon=True)
            for name in ("stdout", "stderr")
        ]
        for reader in self._readers:
            reader.start()
        line = self.wait_for_line(_URL.pattern)
        match = _URL.search(line)
        assert match is not None
        self.url, self.port = match[0].removeprefix("listening on "), int(match[3])
        self.started_in_s = time.monotonic() - began
        self.client = Client(self.port, tls=self.tls)
        return self

    def _start_warm(self) -> WarmProcess:
        return warm_servers().start(
            self.argv,
            self.cwd,
            variables=self._env,
            limits=self._limits,
            constants=self._constants,
        )

    def _start_cold(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self._wrapper, sys.executable, "-m", "kms_tornado", *self.argv],
            cwd=self.cwd,
            env=environment(**self._env),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="surrogateescape",
        )

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.kill()
            raise

    def __exit__(self, *exc: object) -> None:
        if self.process.poll() is None:
            self.kill()

    def kill(self) -> None:
        self.process.kill()
        self._ended(10)

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM, timeout_s: float = 15) -> int:
        """Stop it by a signal; its exit code."""
        self.send(number)
        return self._ended(timeout_s)

    def wait(self, timeout_s: float = 15) -> int:
        return self._ended(timeout_s)

    def _ended(self, timeout_s: float) -> int:
        code = self.process.wait(timeout_s)
        for reader in self._readers:
            reader.join(5)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()
        return code

    # --- what it says ---------------------------------------------------------------------------

    @property
    def log(self) -> str:
        return "\n".join(self.output["stderr"])

    @property
    def stdout(self) -> str:
        return "\n".join(self.output["stdout"])

    def wait_for_line(
        self, pattern: str, *, stream: str = "stderr", after: int = 0, timeout_s: float = 60
    ) -> str:
        """The first line, from number `after` on, in which the pattern is found."""
        line_pattern = re.compile(pattern)
        deadline = time.monotonic() + timeout_s
        lines = self.output[stream]
        seen = after
        while True:
            with self._changed:
                for line in lines[seen:]:
                    if line_pattern.search(line):
                        return line
                seen = max(after, len(lines))
                ended = not any(reader.is_alive() for reader in self._readers)
                if ended or time.monotonic() > deadline:
                    raise AssertionError(f"no line with {pattern!r} in:\n" + "\n".join(lines))
                self._changed.wait(0.2)

    def memory_kib(self, field: str = "VmHWM") -> int:
        """Of Linux: VmHWM is the most it ever had, VmRSS what it has."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        match = re.search(rf"^{field}:\s+(\d+) kB", status, re.MULTILINE)
        assert match is not None
        return int(match[1])

    def _read(self, name: str) -> None:
        pipe = getattr(self.process, name)
        for line in pipe:
            with self._changed:
                self.output[name].append(line.rstrip("\n"))
                self._changed.notify_all()


def check_log(server: ServerProcess, *, expected_error: str = "") -> None:
    """Nothing in it that a bug would leave there. expected_error: a text of errors that the test causes."""
    bad = [
        line
        for line in server.output["stderr"]
        if "Traceback" in line
        or "Uncaught" in line
        or (" ERROR " in line and not (expected_error and expected_error in line))
        or "never retrieved" in line
    ]
    assert not bad, server.log


def check_refused(finished: Any, code: int) -> str:
    """The command ended with the code and one line on stderr, behind log lines where the code is not 2; that line."""
    assert finished.returncode == code, finished.stderr
    assert finished.stdout == ""
    assert "Traceback" not in finished.stderr
    assert "usage:" not in finished.stderr
    lines = finished.stderr.splitlines()
    refusals = [line for line in lines if line.startswith("kms-tornado: ")]
    assert len(refusals) == 1, finished.stderr
    assert lines[-1] == refusals[0]
    assert code != 2 or lines == refusals
    return str(refusals[0])


@contextlib.contextmanager
def serving(*argv: str, expected_error: str = "", **kwargs: Any) -> Iterator[ServerProcess]:
    """A server that at the end stops cleanly, with nothing bad in its log but errors of that text."""
    with ServerProcess(*argv, **kwargs) as server:
        yield server
        if server.process.poll() is None:
            assert server.stop() == 0
        check_log(server, expected_error=expected_error)


@contextlib.contextmanager
def frozen(pids: Sequence[int]) -> Iterator[None]:
    """The processes do nothing meanwhile."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def signalling(server: ServerProcess, first_line: str) -> Iterator[None]:
    """From that line of its log on, SIGHUP goes to the server again and again."""
    ending = threading.Event()

    def signal_it() -> None:
        while not ending.wait(0.01):
            if any(first_line in line for line in server.output["stderr"]):
                server.send(signal.SIGHUP)

    thread = threading.Thread(target=signal_it)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


def eventually(check: Callable[[], Any], timeout_s: float = 30) -> Any:
    """The first true result of the check."""
    deadline = time.monotonic() + timeout_s
    while True:
        result = check()
        if result:
            return result
        assert time.monotonic() < deadline, "it did not come to that in time"
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


# --- raw connections ----------------------------------------------------------------------------


def send_head(client: Client, length: int, token: str, path: str = "/kmip_2_1") -> socket.socket:
    """A connection on which the head of a request has been sent."""
    sock = client.connect()
    sock.sendall(
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Length: {length}\r\n\r\n".encode()
    )
    return sock


def read_all(sock: socket.socket) -> bytes:
    """What comes until the server closes."""
    received = b""
    while chunk := sock.recv(65536):
        received += chunk
    return received


# --- bodies -------------------------------------------------------------------------------------


def node(tag: str, *value: Any) -> dict[str, Any]:
    """A structure of nodes, or a text string."""
    if len(value) == 1 and isinstance(value[0], str):
        return {"tag": tag, "type": "TextString", "value": value[0]}
    return {"tag": tag, "type": "Structure", "value": list(value)}


def data(tag: str, content: bytes) -> dict[str, Any]:
    return {"tag": tag, "type": "ByteString", "value": content.hex().upper()}


CREATE = node(
    "Create",
    {"tag": "ObjectType", "type": "Enumeration", "value": "SymmetricKey"},
    node(
        "Attributes",
        {"tag": "CryptographicAlgorithm", "type": "Enumeration", "value": "AES"},
        {"tag": "CryptographicLength", "type": "Integer", "value": 256},
    ),
)


#: Asks for little and changes nothing.
LOCATE = node("Locate")


def value_of(tree: dict[str, Any], tag: str) -> Any:
    """The value of the child with the tag."""
    return next(child["value"] for child in tree["value"] if child["tag"] == tag)
