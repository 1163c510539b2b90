"""The file of an SQLite database: made private, prepared, opened, watched in case it disappears."""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from ...errors import ConfigurationError, Unavailable
from ..migrate import upgrade

_log = logging.getLogger(__name__)

# 5 s: a commit takes a millisecond, so a longer wait is not for a commit.
BUSY_TIMEOUT_S = 5.0
# Readers hardly ever wait in WAL mode; one of them stands on the event loop.
_READER_TIMEOUT_S = 0.25
# No caller waits while the log is emptied, but the writer does nothing else meanwhile.
_CHECKPOINT_TIMEOUT_S = 0.05
# 30 s for the other process's migrations.
_START_TIMEOUT_S = 30.0

_FOR_WRITERS = (
    "PRAGMA synchronous=FULL",  # an acknowledged commit survives a power cut
    "PRAGMA foreign_keys=ON",  # off by default, for the sake of SQLite 3.6
    "PRAGMA secure_delete=ON",  # overwrites what is deleted: destroyed material leaves the pages
    "PRAGMA trusted_schema=OFF",
    # In pages (16 MB): the log is moved into the database when it is that long, within a commit for
    # which all wait. A page that is changed again and again is then moved once; with the default of
    # 1000 pages it would be moved often.
    "PRAGMA wal_autocheckpoint=4000",
    # What a savepoint may have to undo, and what a search gathers on its way, needs no file of its own:
    # that may be left behind on another disk, and its page cache took most of the time of a Locate.
    "PRAGMA temp_store=MEMORY",
)
_FOR_READERS = (*_FOR_WRITERS, "PRAGMA query_only=ON")


class SQLiteFile:
    """Opens connections to the file. path: absolute. Nothing is opened before `prepare`."""

    def __init__(self, path: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        self.path = path
        self._name = str(path)
        #: (device, inode) of the file when it was prepared.
        self._identity: tuple[int, int] | None = None
        self._writers = _make_engine(lambda: self._connect(_FOR_WRITERS, busy_timeout_s))
        self._readers = _make_engine(lambda: self._connect(_FOR_READERS, _READER_TIMEOUT_S))
        self._checkpointers = _make_engine(
            lambda: self._connect(_FOR_WRITERS, _CHECKPOINT_TIMEOUT_S)
        )

    def prepare(self) -> None:
        """Make the file if there is none and bring it up to date. Raises ConfigurationError."""
        try:
            with _lock_directory(self.path.parent):
                self._make_private()
                with self._writers.connect() as connection:
                    self._migrate(connection)
                self._identity = self._current_identity()
        except OSError as exc:
            raise self._refusal((exc.strerror or type(exc).__name__).lower()) from exc
        except SQLAlchemyError as exc:
            raise self._refusal(_describe_error(exc)) from exc

    def open_writer(self) -> Connection:
        """A connection that commits each statement by itself, outside BEGIN and COMMIT. Raises Unavailable."""
        return self._open(self._writers)

    def open_reader(self) -> Connection:
        """A connection that cannot write. Raises Unavailable."""
        return self._open(self._readers)

    def empty_the_log(self) -> bool:
        """Move the write-ahead log into the database and cut it to nothing; False if not now.

        Pages from before a Destroy would otherwise stay in it until it is written over.
        """
        try:
            with self._open(self._checkpointers) as connection:
                row = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").first()
        except (SQLAlchemyError, Unavailable):  # the disk is full, say; nothing is lost by waiting
            return False
        return row is not None and row[0] == 0

    def check_in_place(self) -> None:
        """Refuse to go on with a file that was deleted or replaced.

        What is written to it would be lost, and what is read from it might be revoked long ago. The
        file may come back (a mount, a mistake that is undone). Another file in its place is not used
        before a restart, which checks that it belongs to the same master key. Raises Unavailable.
        """
        try:
            in_place = self._current_identity() == self._identity
        except OSError as exc:
            raise Unavailable("the database is out of reach", detail=str(exc)) from exc
        if not in_place:
            raise Unavailable(
                "the database is out of reach",
                detail=f"{self.path} was replaced; restart to use it",
            )

    def _current_identity(self) -> tuple[int, int]:
        status = os.stat(self._name)
        return status.st_dev, status.st_ino

    def _open(self, engine: Engine) -> Connection:
        self.check_in_place()
        try:
            return engine.connect()
        except SQLAlchemyError as exc:
            raise translate_error(exc) from exc

    def _connect(self, pragmas: tuple[str, ...], timeout_s: float) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"file:{quote(str(self.path))}?mode=rw",  # mode=rw never makes a file
            uri=True,
            timeout=timeout_s,
            isolation_level=None,  # the driver begins nothing by itself
            check_same_thread=False,  # opened in one thread and then used in one other
        )
        try:
            for pragma in pragmas:
                connection.execute(pragma)
        except BaseException:
            connection.close()
            raise
        return connection

    def _make_private(self) -> None:
        """0600 before SQLite sees the file: it gives the mode to the -wal and -shm files too."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            os.close(os.open(self.path, flags, 0o600))
        except FileExistsError:
            status = os.stat(self.path)
            if not stat.S_ISREG(status.st_mode):
                raise self._refusal("is not a regular file") from None

    def _close_to_others(self) -> None:
        if not stat.S_IMODE(os.stat(self.path).st_mode) & 0o077:
            return
        for suffix in ("", "-wal", "-shm"):
            try:
                os.chmod(f"{self.path}{suffix}", 0o600)
            except FileNotFoundError:
                continue
        _log.warning("the database %s was open to others: closed it (mode 0600)", self.path)

    def _migrate(self, connection: Connection) -> None:
        """Another program's database is left as it was: `upgrade` looks before anything is changed."""
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        upgrade(connection, name=str(self.path))
        connection.exec_driver_sql("COMMIT")
        self._close_to_others()
        if connection.exec_driver_sql("PRAGMA journal_mode=WAL").scalar() != "wal":
            raise self._refusal("its file system allows no write-ahead log")

    def _refusal(self, fault: str) -> ConfigurationError:
        return ConfigurationError(f"database {self.path}: {fault}")


def _make_engine(connect: Callable[[], sqlite3.Connection]) -> Engine:
    """The URL `sqlite://` names the dialect alone; connect knows the file.

    The parameters of a statement that fails are hidden, because an exception may end in a log.
    """
    return create_engine("sqlite://", creator=connect, poolclass=NullPool, hide_parameters=True)


def translate_error(exc: SQLAlchemyError | sqlite3.Error) -> Unavailable:
    """The caller may try again; the log has SQLite's own message, which holds no value."""
    return Unavailable("the database is out of reach", detail=_describe_error(exc))


def _describe_error(exc: SQLAlchemyError | sqlite3.Error) -> str:
    # str(exc) of SQLAlchemy has the statement and its parameters; SQLite's own message does not.
    origin = getattr(exc, "orig", exc)
    if isinstance(origin, sqlite3.Error):
        return f"{origin} ({getattr(origin, 'sqlite_errorname', 'sqlite')})"
    return type(exc).__name__


@contextmanager
def _lock_directory(directory: Path) -> Iterator[None]:
    """Let one process at a time prepare a database in this directory.

    SQLite's own lock is not enough: turning on the write-ahead log fails at once where two processes
    do it. A lock on the directory itself leaves no file behind and ends with the process.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)
