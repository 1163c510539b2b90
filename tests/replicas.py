"""A PostgreSQL and its synchronous standby on loopback, for failovers: made once, and each is used up by one."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .postgres import USER, Cluster, NoPostgres, programs
from .server import frozen

_NAME = "standby"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Node(Cluster):
    """One of the two, on loopback. source: whose standby it is."""

    def __init__(self, source: Node | None = None) -> None:
        self.port = free_port()
        self._source = source
        super().__init__()

    def connect(self, database: str = "postgres") -> Any:
        import psycopg

        return psycopg.connect(
            host="127.0.0.1", port=self.port, user=USER, dbname=database, autocommit=True
        )

    def url(self, database: str) -> str:
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    def kill(self) -> None:
        """SIGKILL to all its processes: what a host does that loses its power."""
        pids = [self._process.pid, *_children(self._process.pid)]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        self._process.wait()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Its processes do nothing meanwhile."""
        with frozen([self._process.pid, *_children(self._process.pid)]):
            yield

    def promote(self) -> None:
        with self.connect() as connection:
            connection.execute("SELECT pg_promote(false)")

    def alter(self, statement: str) -> None:
        """Returns when all sessions have been told: PostgreSQL reads its files some time after it was asked to."""
        before = self._read_load_time()
        with self.connect() as connection:
            connection.execute(f"ALTER SYSTEM {statement}")
            connection.execute("SELECT pg_reload_conf()")
        deadline = time.monotonic() + 30
        while self._read_load_time() == before:
            assert time.monotonic() < deadline, "PostgreSQL did not read its configuration again"

    def _read_load_time(self) -> Any:
        """As new sessions find it, thus PostgreSQL's first process, which tells the others of a new configuration at once."""
        with self.connect() as connection:
            return connection.execute("SELECT pg_conf_load_time()").fetchone()

    def _initialise(self, programs_dir: Path) -> None:
        if self._source is None:
            super()._initialise(programs_dir)
            return
        command = [
            str(programs_dir / "pg_basebackup"), "--pgdata", str(self.directory / "data"), "--no-sync",
            "--checkpoint=fast", "--wal-method=stream", "--write-recovery-conf", "--dbname",
            f"host=127.0.0.1 port={self._source.port} user={USER} application_name={_NAME}",
        ]  # fmt: skip
        try:
            subprocess.run(
                command, check=True, cwd="/", capture_output=True, text=True, **self._as_somebody
            )
        except (OSError, subprocess.CalledProcessError) as exc:
            shutil.rmtree(self.directory, ignore_errors=True)
            raise NoPostgres(f"pg_basebackup: {getattr(exc, 'stderr', None) or exc}") from exc

    def _settings(self) -> dict[str, str]:
        return super()._settings() | {"listen_addresses": "127.0.0.1", "port": str(self.port)}


class Pair:
    """primary: acknowledges what standby has written and shows."""

    def __init__(self) -> None:
        if not (programs() / "pg_basebackup").exists():
            raise NoPostgres("no pg_basebackup beside initdb")
        self.primary = Node()
        try:
            self.standby = Node(self.primary)
        except BaseException:
            self.primary.stop()
            raise
        self.primary.alter("SET synchronous_commit = 'remote_apply'")
        self.primary.alter(f"SET synchronous_standby_names = '{_NAME}'")
        self._await_standby()

    def url(self, database: str) -> str:
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in (self.primary, self.standby))
        return f"postgresql://{USER}@{hosts}/{database}?target_session_attrs=read-write"

    def stop(self) -> None:
        for node in (self.primary, self.standby):
            node.stop()

    def _await_standby(self) -> None:
        deadline = time.monotonic() + 30
        with self.primary.connect() as connection:
            while time.monotonic() < deadline:
                states = connection.execute("SELECT sync_state FROM pg_stat_replication").fetchall()
                if states == [("sync",)]:
                    return
                time.sleep(0.02)
        self.stop()
        raise NoPostgres("the standby does not follow")


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]
