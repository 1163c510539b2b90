"""Two servers with two workers each on one PostgreSQL, and all that can be done to them."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import random
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..issuer import Issuer
from ..postgres import Cluster, name_of, programs
from ..server import environment, free_port, trusting
from . import tokens
from .client import Server

_START_S = 120.0
_STOP_S = 60.0


class Postgres(Cluster):
    """One that can be restarted."""

    async def restart(self, number: signal.Signals) -> float:
        """SIGINT: a fast shutdown; SIGQUIT: an immediate one, from which it recovers. Seconds it was away."""
        began = time.monotonic()
        self._process.send_signal(number)
        await _ended(self._process, _STOP_S)
        self._process = self._start(programs())
        await self.until_it_answers()
        return time.monotonic() - began

    async def until_it_answers(self) -> None:
        import psycopg

        deadline = time.monotonic() + _START_S
        while True:
            try:
                self.connect().close()
                return
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, "PostgreSQL does not come back"
                await asyncio.sleep(0.05)

    def kill_backend(self, url: str) -> None:
        """SIGKILL: PostgreSQL ends all other backends, too, and recovers."""
        os.kill(self._backend(url), signal.SIGKILL)

    def end_backend(self, url: str) -> None:
        with self.connect() as connection:
            connection.execute("SELECT pg_terminate_backend(%s)", [self._backend(url)])

    def _backend(self, url: str) -> int:
        with self.connect() as connection:
            rows = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = %s", [name_of(url)]
            ).fetchall()
        return int(random.choice(rows)[0])

    def _settings(self) -> dict[str, str]:
        return super()._settings() | {
            "autovacuum": "on", "max_connections": "150", "shared_buffers": "128MB",
        }  # fmt: skip


class KeyServer:
    """One `kms-tornado` with two workers. Its log goes on in the same file when it is started again."""

    def __init__(self, name: str, directory: Path, argv: Sequence[str]) -> None:
        self.directory = directory / name
        self.directory.mkdir()
        self.seen = Server(name, free_port())
        self.metrics_port = free_port()
        self.log_file = self.directory / "log.txt"
        self._argv = [
            *argv, "--workers", "2", "--port", str(self.seen.port),
            "--metrics-listen", f"127.0.0.1:{self.metrics_port}",
            "--data-dir", str(self.directory / "data"),
        ]  # fmt: skip
        self.process: subprocess.Popen[bytes]

    def start(self) -> None:
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "kms_tornado", *self._argv],
                cwd=self.directory, env=environment(), stdout=log, stderr=log,
            )  # fmt: skip

    async def until_ready(self) -> None:
        deadline = time.monotonic() + _START_S
        while not await asyncio.to_thread(self._is_ready):
            assert self.process.poll() is None, self.log()[-2000:]
            assert time.monotonic() < deadline, self.log()[-2000:]
            await asyncio.sleep(0.05)

    def _is_ready(self) -> bool:
        with contextlib.suppress(OSError):
            url = f"http://127.0.0.1:{self.seen.port}/ready"
            with urllib.request.urlopen(url, timeout=5) as answer:
                return bool(answer.status == 200)
        return False

    def workers(self) -> list[int]:
        with contextlib.suppress(OSError):
            pid = self.process.pid
            return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        return []

    def kill_worker(self) -> None:
        for pid in random.sample(self.workers(), k=len(self.workers()))[:1]:
            os.kill(pid, signal.SIGKILL)

    async def kill(self) -> None:
        """All its processes at once, as a host that loses its power."""
        for pid in (self.process.pid, *self.workers()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await _ended(self.process, _STOP_S)

    async def stop(self) -> float:
        """By SIGTERM. Seconds until it has ended; it ends with 0."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = await _ended(self.process, _STOP_S)
        assert code == 0, f"{self.seen.name} ended with {code}: {self.log()[-2000:]}"
        return time.monotonic() - began

    def log(self) -> str:
        return self.log_file.read_text("utf-8", "backslashreplace")


class Site:
    """PostgreSQL, two servers with the same master key."""

    def __init__(self, directory: Path, issuer: Issuer, *more: str) -> None:
        self.postgres = Postgres()
        self.url = self.postgres.new_database()
        key_file = directory / "master.key"
        key_file.write_bytes(base64.b64encode(os.urandom(32)) + b"\n")
        key_file.chmod(0o600)
        argv = trusting(
            issuer,
            *tokens.OPTIONS,
            *("--database-url", self.url, "--master-key-file", str(key_file)),
            *("--log-level", "info", *more),
        )
        self.servers = [KeyServer(name, directory, argv) for name in ("A", "B")]

    async def start(self) -> None:
        for server in self.servers:
            server.start()
        for server in self.servers:
            await server.until_ready()

    def close(self) -> None:
        for server in self.servers:
            if hasattr(server, "process") and server.process.poll() is None:
                for pid in (server.process.pid, *server.workers()):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                server.process.wait()
        self.postgres.stop()


@contextlib.contextmanager
def site(directory: Path, issuer: Issuer) -> Iterator[Site]:
    made = Site(directory, issuer)
    try:
        yield made
    finally:
        made.close()


async def _ended(process: subprocess.Popen[bytes], timeout_s: float) -> int:
    deadline = time.monotonic() + timeout_s
    while (code := process.poll()) is None:
        assert time.monotonic() < deadline, f"process {process.pid} does not end"
        await asyncio.sleep(0.02)
    return code
