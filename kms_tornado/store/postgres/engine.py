"""Timeouts of connections to PostgreSQL, and SQLAlchemy's engine, with which a start prepares the database."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from ...errors import ConfigurationError, Unavailable
from ..interface.faults import make_unavailable
from ..migrate import upgrade
from .errors import describe_error, is_passing

if TYPE_CHECKING:
    import psycopg

# The oldest major version that the PostgreSQL project still supported when this was written.
_OLDEST_VERSION = 13

# A read by key takes a millisecond; longer ones are searches among very many objects.
_STATEMENT_TIMEOUT_MS = 15_000
# This server's transactions take milliseconds: one that waits longer for a row waits for a server that
# hangs, whose transaction the idle timeout ends.
LOCK_TIMEOUT_MS = 5_000
_IDLE_TIMEOUT_MS = 4_000
# The idle timeout does not count while PostgreSQL has a part of what is sent together, and waits for the rest.
_TRANSACTION_TIMEOUT_MS = 60_000
# What not every version and engine knows: the transaction timeout from PostgreSQL 17 on. The others let PostgreSQL
# notice within half a minute that this machine is gone; with TCP's defaults it would take hours.
_SETTINGS_WHERE_KNOWN = {
    "transaction_timeout": _TRANSACTION_TIMEOUT_MS,
    "tcp_keepalives_idle": 10,
    "tcp_keepalives_interval": 5,
    "tcp_keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
# Of what takes as long as it takes, as an upgrade or a backup.
_LONG_SETTINGS = {"statement_timeout": 0, "lock_timeout": 0, "transaction_timeout": 0}
# How long such a process may say nothing, until PostgreSQL takes it for one that hangs: starts wait for the lock of what
# runs exclusively; for the sake of a snapshot, PostgreSQL keeps whatever was deleted since.
_EXCLUSIVE_PAUSE_MS = 30_000
_SNAPSHOT_PAUSE_MS = 600_000

#: The number of the advisory lock that lets one server at a time upgrade the schema: "kms_torn" in
#: ASCII.
_UPGRADE_LOCK = int.from_bytes(b"kms_torn", "big")

#: Rows are locked before they are changed, so nothing stricter is needed. Engines with optimistic
#: transactions may give a stricter one.
WRITE_ISOLATION = "READ COMMITTED"

#: Where PostgreSQL listens unless told otherwise.
DEFAULT_PORT = 5432

#: The number of sessions of other processes of ours. A role sees the names of its own ones without further rights.
COUNT_OTHER_SESSIONS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
    "AND application_name = current_setting('application_name') AND pid <> pg_backend_pid()"
)

#: How long to wait for a connection while all of them are in use.
POOL_TIMEOUT_S = 5.0
#: How long opening a connection may take, all hosts of the URL and the first statement included.
OPEN_TIMEOUT_S = 10.0
#: How long PostgreSQL may say nothing: it ends every statement itself a little before.
REPLY_TIMEOUT_S = _STATEMENT_TIMEOUT_MS / 1000 + 2.0


def open_engine(open_connection: Callable[[], Awaitable[Any]]) -> AsyncEngine:
    """An engine that keeps no connection open. Raises ImportError where greenlet is not installed.

    open_connection: opens one of psycopg's connections, not in autocommit mode.
    """
    return create_async_engine(
        "postgresql+psycopg://",
        async_creator=open_connection,
        isolation_level=WRITE_ISOLATION,
        poolclass=NullPool,
        hide_parameters=True,  # an exception may end in a log
        use_native_hstore=False,  # saves a query on each new connection
    )


def first_statement() -> str:
    """A statement that sets timeouts. The connection parameter `options` could set them, but poolers refuse it."""
    return (
        f"SET statement_timeout = {_STATEMENT_TIMEOUT_MS}; SET lock_timeout = {LOCK_TIMEOUT_MS}; "
        f"SET idle_in_transaction_session_timeout = {_IDLE_TIMEOUT_MS}; "
        "SET jit = off; "  # compiling a search takes a hundred times as long as running it
        + _set_where_known(_SETTINGS_WHERE_KNOWN, is_local=False)
    )


def _set_where_known(settings: Mapping[str, int], *, is_local: bool) -> str:
    """SQL that sets the settings which the database knows. is_local: for one transaction only."""
    values = ", ".join(f"('{name}', '{value}')" for name, value in settings.items())
    return (
        f"SELECT set_config(name, value, {is_local}) FROM (VALUES {values}) AS wanted (name, value)"  # noqa: S608
        " WHERE current_setting(name, true) IS NOT NULL"
    )


# --- silence ------------------------------------------------------------------------------------


class Reply:
    """A reply for which this process waits.

    was_late: whether the connection was cut because PostgreSQL did not answer.
    """

    def __init__(self, connection: psycopg.AsyncConnection[Any], seconds: float) -> None:
        self.was_late = False
        self._connection = connection
        self._seconds = max(seconds, 0.0)
        self._timer: asyncio.TimerHandle | None = None
        self.restart()

    def restart(self) -> None:
        """Wait again from now on: PostgreSQL has answered, and is asked the next question."""
        self.end()
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._cut)

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _cut(self) -> None:
        self.was_late = True
        cut_off(self._connection)


@contextmanager
def reply_within(connection: psycopg.AsyncConnection[Any], seconds: float) -> Iterator[Reply]:
    """Cut the connection if the block takes longer, so that the driver's call fails immediately.

    The database may be suspended, or the network may lose every packet, for hours. Cancelling the call would not help:
    psycopg then asks the same database to cancel the statement, and waits for its answer.
    """
    reply = Reply(connection, seconds)
    try:
        yield reply
    finally:
        reply.end()


def cut_off(connection: psycopg.AsyncConnection[Any]) -> None:
    """Shut the connection's socket down, so that whoever waits for an answer on it gets an error."""
    if connection.closed:
        return
    with socket.socket(fileno=os.dup(connection.fileno())) as end:
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:  # the peer has closed it
            pass


async def prepare(
    engine: AsyncEngine, *, name: str, may_make: bool = True, may_upgrade: bool = True
) -> None:
    """Bring the schema up to date, one server at a time. name: of the database, for messages.

    may_make, may_upgrade: as for `upgrade`. Raises ConfigurationError for what waiting cannot mend,
    Unavailable for what it can.
    """
    try:
        async with engine.connect() as connection:
            await _check_server(connection, name)
    except (SQLAlchemyError, OSError, Unavailable) as exc:
        raise _make_start_error(exc, name) from None
    await run_exclusively(
        engine,
        lambda connection: upgrade(
            connection, name=name, may_make=may_make, may_upgrade=may_upgrade
        ),
        name,
    )


async def run_exclusively(
    engine: AsyncEngine, function: Callable[[Connection], Any], name: str
) -> Any:
    """Run the function in a transaction, however long it takes. Meanwhile no other server can run one in this way.

    Raises what the function raises, and errors as `prepare` does.
    """
    try:
        async with engine.connect() as connection, connection.begin():
            await _allow_long(connection, _EXCLUSIVE_PAUSE_MS)
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({_UPGRADE_LOCK})"))
            return await connection.run_sync(function)
    except (SQLAlchemyError, OSError, Unavailable) as exc:
        raise _make_start_error(exc, name) from None


async def run_on_snapshot(engine: AsyncEngine, function: Callable[[Connection], Any]) -> Any:
    """Run the function in a transaction that reads a single state of the database, however long it takes.

    Raises what the function raises, and Unavailable.
    """
    try:
        async with engine.connect() as connection:
            await connection.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
            async with connection.begin():
                await _allow_long(connection, _SNAPSHOT_PAUSE_MS)
                return await connection.run_sync(function)
    except (SQLAlchemyError, OSError) as exc:
        raise make_unavailable(describe_error(exc)) from None


def refuse_served(connection: Connection, name: str) -> None:
    """Raises ConfigurationError where another process of ours has the database open."""
    if connection.execute(text(COUNT_OTHER_SESSIONS)).scalar_one():
        raise ConfigurationError(f"database {name}: a server has it open; stop it")


async def _allow_long(connection: AsyncConnection, pause_ms: int) -> None:
    settings = {**_LONG_SETTINGS, "idle_in_transaction_session_timeout": pause_ms}
    await connection.execute(text(_set_where_known(settings, is_local=True)))


def _make_start_error(exc: BaseException, name: str) -> ConfigurationError | Unavailable:
    """Unavailable for what may pass by itself, ConfigurationError for what a person has to mend."""
    if isinstance(exc, Unavailable):
        return make_unavailable(
            exc.detail if name in exc.detail else f"database {name}: {exc.detail}"
        )
    text = f"database {name}: {describe_error(exc)}"
    return make_unavailable(text) if is_passing(exc) else ConfigurationError(text)


async def _check_server(connection: AsyncConnection, name: str) -> None:
    version = connection.dialect.server_version_info or (0,)
    if int(version[0]) < _OLDEST_VERSION:
        raise ConfigurationError(
            f"database {name}: PostgreSQL {_OLDEST_VERSION} or newer is needed"
        )
    row = await connection.execute(
        text("SELECT current_setting('server_encoding'), pg_is_in_recovery()")
    )
    encoding, is_standby = row.one()
    if encoding != "UTF8":
        raise ConfigurationError(f"database {name}: its encoding is {encoding}, not UTF8")
    if is_standby:
        raise make_unavailable(f"database {name}: is a standby, which cannot be written to")
