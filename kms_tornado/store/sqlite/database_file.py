"""SQLiteFile: the database file: its access mode, its connections, and the check that it is still in its place."""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from ...errors import ConfigurationError, Unavailable
from ..interface.faults import make_unavailable
from ..migrate import upgrade
from ..sql.statements import DATABASE_ERRORS, DriverRunner, Runner
from .directory_lock import lock_directory
from .errors import describe_error, may_pass, translate_error
from .file_access import SUFFIXES, find_write_fault
from .serving_mark import is_served

_log = logging.getLogger(__name__)

# 5 s: a commit takes a millisecond, so whoever holds the lock for longer is not committing.
BUSY_TIMEOUT_S = 5.0
# Readers hardly ever wait in WAL mode, and one of them runs on the event loop.
_READER_TIMEOUT_S = 0.25
# No caller waits for a checkpoint, but the writer does nothing else meanwhile.
_CHECKPOINT_TIMEOUT_S = 0.05
_FOR_WRITERS = (
    "PRAGMA synchronous=FULL",  # an acknowledged commit survives a power cut
    "PRAGMA foreign_keys=ON",  # off by default, for compatibility with SQLite before 3.6.19
    "PRAGMA secure_delete=ON",  # overwrites deleted rows with zeros: destroyed material leaves the pages
    "PRAGMA trusted_schema=OFF",
    # In pages (16 MB): a commit that makes the write-ahead log longer than this also moves it into the
    # database, and all callers wait. A page that changes often is then moved once; with the default of
    # 1000 pages it would be moved more often.
    "PRAGMA wal_autocheckpoint=4000",
    # Statement journals and intermediate results stay in memory: a file could be left behind on another
    # disk, and its page cache took most of the time of a Locate.
    "PRAGMA temp_store=MEMORY",
)
_FOR_READERS = (*_FOR_WRITERS, "PRAGMA query_only=ON")


# What only a person mends, not time: a path that leads nowhere, and rights.
_LASTING_FAULTS = frozenset(
    {
        *(errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG),
        *(errno.EACCES, errno.EPERM, errno.EROFS),
    }
)
_FULL_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
# As many bytes as the largest object takes.
_ROOM_BYTES = 1024 * 1024


class SQLiteFile:
    """Opens connections to the file, after `prepare`.

    path: absolute.
    busy_timeout_s: how long a writer waits for a lock.
    may_make: whether `prepare` creates a database where there is none. It must not where a server has served before:
    the file is only away (unmounted, moved), and keys that were written to a new one would be lost once it is back.
    may_upgrade: whether `prepare` changes a database of an older version. A command must not, beside servers of that
    version.
    """

    def __init__(
        self,
        path: Path,
        *,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
        may_make: bool = True,
        may_upgrade: bool = True,
    ) -> None:
        self.path = path
        self._may_make = may_make
        self._may_upgrade = may_upgrade
        #: The replacement of a worker waits for what is away. A first start and a command say what is wrong.
        self._is_patient = may_upgrade and not may_make
        self._name = str(path)
        #: (device, inode) of the file when it was prepared.
        self._identity: tuple[int, int] | None = None
        self._writers = _make_engine(lambda: self._connect(_FOR_WRITERS, busy_timeout_s))
        self._readers = _make_engine(lambda: self._connect(_FOR_READERS, _READER_TIMEOUT_S))
        self._checkpointers = _make_engine(
            lambda: self._connect(_FOR_WRITERS, _CHECKPOINT_TIMEOUT_S)
        )

    def prepare(self) -> None:
        """Create the file if there is none and that is allowed, and bring its schema up to date.

        Raises ConfigurationError for what a person has to mend, Unavailable for what may pass by itself.
        """
        with self._translating_errors(), lock_directory(self.path.parent):
            if self._may_make:
                self._make_private()
            elif not self._is_patient:
                self._check_regular()
            if fault := find_write_fault(self.path):
                if self._is_patient:
                    raise make_unavailable(f"database {self.path}: {fault}")
                raise self._refusal(fault)
            with self._writers.connect() as connection:
                self._migrate(connection)
            self._identity = self._current_identity()

    def run_exclusively(self, job: Callable[[DriverRunner], Any]) -> Any:
        """Run the job in a transaction of its own. Meanwhile no other process prepares this database.

        Raises what the job raises, and errors as `prepare` does.
        """
        with (
            self._translating_errors(),
            lock_directory(self.path.parent),
            self._writers.connect() as connection,
        ):
            runner = DriverRunner(connection)
            runner.command("BEGIN IMMEDIATE")
            result = job(runner)
            runner.command("COMMIT")
            return result

    def run_on_snapshot(self, job: Callable[[Connection], Any]) -> Any:
        """Run the job in a transaction that reads a single state of the database, however long it takes.

        Meanwhile the write-ahead log grows by everything that is written. Raises what the job raises, and Unavailable.
        """
        self.check_in_place()
        try:
            with self._open(self._readers) as connection:
                connection.exec_driver_sql("BEGIN")
                try:
                    result = job(connection)
                finally:
                    connection.exec_driver_sql("ROLLBACK")
                self.check_in_place()  # otherwise it was read from another file
                return result
        except DATABASE_ERRORS as exc:
            raise translate_error(exc) from exc

    def fill(self, job: Callable[[Connection], Any]) -> Any:
        """Have the job fill a new database, in one transaction, and return what it returns.

        Raises what the job raises, ConfigurationError where a process serves the database, and errors as `prepare`
        does.
        """
        with self._translating_errors(), lock_directory(self.path.parent):
            if is_served(self.path):
                raise self._refusal("a server has it open, or had it when it was deleted; stop it")
            self._make_private()
            with self._writers.connect() as connection:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                result = job(connection)
                connection.exec_driver_sql("COMMIT")
                connection.exec_driver_sql("PRAGMA journal_mode=WAL")
            self._close_to_others()
            return result

    def open_writer(self) -> Connection:
        """A connection in autocommit mode: only an explicit BEGIN starts a transaction. Raises Unavailable."""
        return self._open(self._writers)

    def open_reader(self) -> Connection:
        """A connection that cannot write. Raises Unavailable."""
        return self._open(self._readers)

    def truncate_log(self) -> bool:
        """Move the write-ahead log into the database, and truncate it; False where that is not possible now.

        Otherwise pages from before a Destroy would stay in the log until it is overwritten.
        """
        try:
            with self._open(self._checkpointers) as connection:
                row = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").first()
        except (SQLAlchemyError, Unavailable):  # the disk is full, say; nothing is lost by waiting
            return False
        return row is not None and row[0] == 0

    def check_in_place(self) -> None:
        """Refuse to go on with a file that was deleted or replaced. Raises Unavailable.

        Changes written to it would be lost, and keys read from it may have been revoked since. The file
        may come back (a mount, a mistake that is undone). Another file in its place is not used before a
        restart, which checks that it belongs to the same master key.
        """
        try:
            in_place = self._current_identity() == self._identity
        except OSError as exc:
            raise make_unavailable(str(exc), "file") from exc
        if not in_place:
            raise make_unavailable(f"{self.path} was replaced; restart to use it", "file")

    def probe_write(self, runner: Runner) -> None:
        """A job that writes a page without changing it. Raises Unavailable where there is no room for more.

        A page alone may still fit into a log file on a full disk, although the next object would not.
        """
        try:
            with tempfile.TemporaryFile(dir=self.path.parent, buffering=0) as file:
                room = memoryview(bytes(_ROOM_BYTES))
                while room:  # a write that does not fit ends in the middle; the next one fails
                    room = room[file.write(room) :]
        except OSError as exc:
            cause = "disk full" if exc.errno in _FULL_ERRORS else "disk error"
            raise make_unavailable(f"{self.path.parent}: {exc.strerror}", cause) from exc
        runner.command("PRAGMA user_version = 0")  # as it is, and written all the same

    def check_writable(self) -> None:
        """Raises Unavailable where every change would fail, for example because the disk was made read-only."""
        try:
            fault = find_write_fault(self.path)
        except OSError as exc:
            fault = (exc.strerror or type(exc).__name__).lower()
        if fault:
            raise make_unavailable(f"database {self.path}: {fault}")

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
            f"file:{quote(os.fsencode(self.path))}?mode=rw",  # mode=rw never creates a file
            uri=True,
            timeout=timeout_s,
            isolation_level=None,  # the driver begins no transaction by itself
            check_same_thread=False,  # opened in one thread, used in another, but never in two at once
        )
        try:
            for pragma in pragmas:
                connection.execute(pragma)
        except BaseException:
            connection.close()
            raise
        return connection

    def _make_private(self) -> None:
        """Create the file with mode 0600 before SQLite does: the -wal and -shm files inherit the mode."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            os.close(os.open(self.path, flags, 0o600))
        except FileExistsError:
            self._check_regular()

    def _check_regular(self) -> None:
        if not self._may_make and not os.path.lexists(self.path):
            raise self._refusal("there is none; the first start of a server makes it")
        if not stat.S_ISREG(os.stat(self.path).st_mode):
            raise self._refusal("is not a regular file")

    def _close_to_others(self) -> None:
        if not stat.S_IMODE(os.stat(self.path).st_mode) & 0o077:
            return
        for suffix in SUFFIXES:
            try:
                os.chmod(f"{self.path}{suffix}", 0o600)
            except FileNotFoundError:
                continue
        _log.warning("the database %s was open to others: closed it (mode 0600)", self.path)

    def _migrate(self, connection: Connection) -> None:
        """Bring the schema up to date. Another program's database is left unchanged: `upgrade` refuses it."""
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        upgrade(
            connection,
            name=str(self.path),
            may_make=self._may_make,
            may_upgrade=self._may_upgrade,
        )
        connection.exec_driver_sql("COMMIT")
        self._close_to_others()
        if connection.exec_driver_sql("PRAGMA journal_mode=WAL").scalar() != "wal":
            raise self._refusal("its file system allows no write-ahead log")
        # A change that is undone: on a database that is read-only, a transaction begins without an error.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        connection.exec_driver_sql("PRAGMA user_version = 1")
        connection.exec_driver_sql("ROLLBACK")

    def _refusal(self, fault: str) -> ConfigurationError:
        return ConfigurationError(f"database {self.path}: {fault}")

    @contextmanager
    def _translating_errors(self) -> Iterator[None]:
        """Translates the errors of a start: ConfigurationError for what a person has to mend, else Unavailable."""
        try:
            yield
        except OSError as exc:
            text = (exc.strerror or type(exc).__name__).lower()
            if exc.errno in _LASTING_FAULTS and not self._is_patient:
                raise self._refusal(text) from exc
            raise make_unavailable(f"database {self.path}: {text}") from exc
        except DATABASE_ERRORS as exc:
            text = describe_error(exc)
            if may_pass(exc):
                raise make_unavailable(f"database {self.path}: {text}") from exc
            raise self._refusal(text) from exc


def _make_engine(connect: Callable[[], sqlite3.Connection]) -> Engine:
    """An engine whose URL, `sqlite://`, names only the dialect; `connect` opens the file.

    The parameters of a failing statement are hidden, because the exception may end up in a log.
    """
    return create_engine("sqlite://", creator=connect, poolclass=NullPool, hide_parameters=True)
