"""Opens connections to PostgreSQL: to the one of several hosts that takes writes.

Decides which connections may be used.
libpq's `target_session_attrs` finds the host that takes writes. It is set unless the URL says otherwise, so that no
standby is read from by mistake: its data may be older than what was acknowledged. The host that served last is tried
first, because a host that is gone may not even refuse a connection.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakSet, ref

from ...interface.faults import make_unavailable
from .. import engine as connections
from ..engine import first_statement, reply_within
from ..errors import translate_error
from .address import Address

if TYPE_CHECKING:
    import psycopg

_log = logging.getLogger(__name__)

# A database host that vanishes is noticed within seconds; with TCP's defaults it would take hours.
_DEFAULTS: Mapping[str, str] = {
    "application_name": "kms_tornado",
    "client_encoding": "utf8",
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
    "target_session_attrs": "read-write",
}
# Of several hosts, one that says nothing holds up those behind it.
_CONNECT_TIMEOUT_OF_SEVERAL_S = "3"
# libpq's variables of the environment that take precedence over our defaults.
_VARIABLES = {
    "application_name": "PGAPPNAME",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
}

#: psycopg.pq.TransactionStatus.IDLE, which is not loaded before it is needed.
_IDLE = 0


class Connector:
    """Opens psycopg's connections. For one event loop."""

    def __init__(self, address: Address) -> None:
        self.name = address.name
        self._parameters = {**_make_defaults(address), **address.parameters}
        self._generation = 0
        self._generations: WeakKeyDictionary[psycopg.AsyncConnection[Any], int] = (
            WeakKeyDictionary()
        )
        #: Those whose COMMIT is done here, while the synchronous standby may not have it.
        self._unreplicated: WeakSet[psycopg.AsyncConnection[Any]] = WeakSet()
        self._has_told_of_pooler = False

    async def open(
        self, *, within_s: float, autocommit: bool = True
    ) -> psycopg.AsyncConnection[Any]:
        """A new connection to a host that takes writes. Raises Unavailable."""
        import psycopg

        generation = self._generation
        parameters: dict[str, Any] = {**self._parameters, "autocommit": True}
        try:
            async with asyncio.timeout(min(within_s, connections.OPEN_TIMEOUT_S)):
                connection = await psycopg.AsyncConnection.connect(**parameters)
                try:
                    with reply_within(connection, within_s):
                        await self._begin_session(connection)
                        await connection.set_autocommit(autocommit)
                except BaseException:
                    await connection.close()
                    raise
        except (psycopg.Error, OSError) as exc:  # TimeoutError is an OSError
            raise translate_error(exc) from None
        self._generations[connection] = generation
        self._watch_replication(connection)
        self._prefer(connection)
        return connection

    def is_current(self, connection: psycopg.AsyncConnection[Any]) -> bool:
        """Whether the connection was opened since `drop_all`."""
        return self._generations.get(connection) == self._generation

    def is_usable(self, connection: psycopg.AsyncConnection[Any]) -> bool:
        """Whether the connection is current, open, and in no transaction."""
        return (
            not connection.closed
            and connection.pgconn.transaction_status == _IDLE
            and self.is_current(connection)
        )

    def drop_all(self, *, because_of: psycopg.AsyncConnection[Any] | None = None) -> None:
        """Let no connection be used again that is open now: the database has ended them, or was demoted.

        because_of: the connection that showed it. If it is not current, the others were dropped already.
        """
        if because_of is None or self.is_current(because_of):
            self._generation += 1

    def check_replicated(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """Called after COMMIT. Raises Unavailable where waiting for the synchronous standby was given up.

        PostgreSQL then says that the transaction is committed, but a failover would lose it. This happens if somebody
        cancels the statement (`pg_cancel_backend`), or if the database is shutting down. The transaction must not be
        acknowledged.
        """
        if connection in self._unreplicated:
            self._unreplicated.discard(connection)
            raise make_unavailable("the wait for the synchronous standby was cancelled")

    def _watch_replication(self, connection: psycopg.AsyncConnection[Any]) -> None:
        watched = ref(connection)

        def take_notice(notice: psycopg.errors.Diagnostic) -> None:
            # Texts are translated, and the SQLSTATE is that of any warning.
            if notice.source_function == "SyncRepWaitForLSN" and (lost := watched()) is not None:
                self._unreplicated.add(lost)

        connection.add_notice_handler(take_notice)

    async def _begin_session(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """Set timeouts, and prepare no statements behind a pooler.

        A pooler may run each transaction on a different connection. There, a prepared statement of that name may be
        missing, or may be another statement, which another client has prepared.
        """
        cursor = await connection.execute(first_statement() + "; SELECT pg_backend_pid()")
        while cursor.nextset():
            pass
        row = await cursor.fetchone()
        if row is not None and row[0] == connection.info.backend_pid:
            return
        connection.prepare_threshold = None
        if not self._has_told_of_pooler:
            self._has_told_of_pooler = True
            _log.info("database %s: is behind a pooler, so no statements are prepared", self.name)

    def _prefer(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """Try the host of this connection first from now on."""
        lists = {
            name: self._parameters[name].split(",")
            for name in ("host", "hostaddr", "port")
            if "," in self._parameters.get(name, "")
        }
        hosts = lists.get("host") or lists.get("hostaddr")
        if hosts is None or self._parameters.get("load_balance_hosts") == "random":
            return
        ports = lists.get("port") or [self._parameters.get("port", "")] * len(hosts)
        connected = (connection.info.host, connection.info.port)
        for place, (host, port) in enumerate(zip(hosts, ports, strict=True)):
            if (host, int(port or connections.DEFAULT_PORT)) == connected:
                for name, values in lists.items():
                    values.insert(0, values.pop(place))
                    self._parameters[name] = ",".join(values)
                return


def _make_defaults(address: Address) -> dict[str, str]:
    defaults = dict(_DEFAULTS)
    if address.has_several_hosts:
        defaults["connect_timeout"] = _CONNECT_TIMEOUT_OF_SEVERAL_S
    for name, variable in _VARIABLES.items():
        if variable in os.environ:
            del defaults[name]
    return defaults
