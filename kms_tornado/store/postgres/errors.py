"""What an error of the database means: try again, connect again, refuse the value, or answer 503.

This is the one place that decides it, by PostgreSQL's SQLSTATE, for SQLAlchemy's errors and the driver's.
Engines that speak PostgreSQL's protocol use the same codes: those with optimistic transactions (CockroachDB,
YugabyteDB, Aurora DSQL) answer 40001 to whoever lost a race, at any statement and at COMMIT.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

from sqlalchemy.exc import DBAPIError

from ...errors import Unavailable
from ..interface.faults import DAMAGED, make_unavailable


class Meaning(enum.Enum):
    """What to do about an error. Whichever it is, nothing is left of the transaction that it ended."""

    #: Another transaction was in the way: the same may succeed now.
    TRY_AGAIN = enum.auto()
    #: The connection is lost, or of no more use: on a new one the same may succeed.
    RECONNECT = enum.auto()
    #: Some row has the same key.
    TAKEN = enum.auto()
    #: No row can hold a value: out of range, half a surrogate pair, too long for an index.
    BAD_VALUE = enum.auto()
    #: 503: the database is locked, full, busy or broken, and trying at once would not help.
    UNAVAILABLE = enum.auto()


#: SQLSTATEs and their classes; the longest that fits decides, UNAVAILABLE where none does.
MEANINGS: Mapping[str, Meaning] = {
    "08": Meaning.RECONNECT,  # connection exceptions, some of them by poolers
    "0A000": Meaning.RECONNECT,  # a statement prepared before the tables changed
    "22": Meaning.BAD_VALUE,
    "23": Meaning.TAKEN,
    "25006": Meaning.RECONNECT,  # a failover left us with a database that is read-only now
    "25P": Meaning.RECONNECT,  # a transaction that was idle or took too long, or failed before us
    "26000": Meaning.RECONNECT,  # a pooler led us to a connection where nothing was prepared,
    "42P05": Meaning.RECONNECT,  # or where somebody else prepared something of the same name
    "40": Meaning.TRY_AGAIN,  # serialization failures and deadlocks
    "40003": Meaning.UNAVAILABLE,  # nobody knows whether it is done, so it must not be done again
    "54000": Meaning.BAD_VALUE,  # a value too long for an index
    "57P": Meaning.RECONNECT,  # the database stops, has crashed, starts, or was dropped
    "72000": Meaning.TRY_AGAIN,  # the snapshot is too old
}


def judge_error(exc: BaseException) -> Meaning:
    """The meaning of any error of SQLAlchemy's or the driver's, also of those for values that cannot be sent."""
    import psycopg

    state = read_sqlstate(exc)
    if state is not None:
        for length in (5, 3, 2):
            if meaning := MEANINGS.get(state[:length]):
                return meaning
    origin = _unwrap_error(exc)
    if isinstance(origin, (psycopg.DataError, UnicodeEncodeError, OverflowError)):
        return Meaning.BAD_VALUE
    if isinstance(exc, DBAPIError) and exc.connection_invalidated:
        return Meaning.RECONNECT
    if state is None and isinstance(
        origin, (psycopg.OperationalError, psycopg.InterfaceError, ConnectionError)
    ):
        return Meaning.RECONNECT  # libpq's own words: the server closed the connection
    return Meaning.UNAVAILABLE


def is_passing(exc: BaseException) -> bool:
    """Whether the error may pass by itself; if not, a person has to mend something. For a start.

    A wrong password or database name cannot be told from a server that is not ready yet: libpq gives no SQLSTATE for a
    connection that failed.
    """
    import psycopg

    state = read_sqlstate(exc)
    if state is not None:
        return state.startswith(_PASSING_STATES)
    # The latter is libpq's error about a parameter of the URL.
    return not isinstance(_unwrap_error(exc), psycopg.ProgrammingError)


# Classes of SQLSTATE: connection exception, read-only transaction, transaction rollback, insufficient
# resources, object not in prerequisite state (a lock), operator intervention, system error.
_PASSING_STATES = ("08", "25006", "40", "53", "55", "57", "58")


def translate_error(exc: BaseException) -> Unavailable:
    """Unavailable for the client. The log gets PostgreSQL's own message if that contains no value."""
    return make_unavailable(describe_error(exc), name_cause(exc))


def name_cause(exc: BaseException) -> str:
    """The cause of an error in words that strangers may read.

    libpq says only in prose, which varies, why a connection failed.
    """
    import psycopg

    state = read_sqlstate(exc)
    if state is not None:
        return _CAUSES.get(state) or _CAUSES.get(state[:2], "out of reach")
    if isinstance(_unwrap_error(exc), (TimeoutError, psycopg.errors.ConnectionTimeout)):
        return "timeout"
    is_lost = isinstance(exc, DBAPIError) and exc.connection_invalidated
    return "connection closed" if is_lost else "no connection"


#: {SQLSTATE, or its class: words}
_CAUSES = {
    "25006": "read-only",
    "53100": "disk full",
    "53300": "too many connections",
    "55P03": "row locked",
    "57014": "timeout",
    "57": "connection closed",
    "08": "connection closed",
    "28": "credentials",
    "3D": "no such database",
    "XX001": DAMAGED,  # data_corrupted
    "XX002": DAMAGED,  # index_corrupted
}


def describe_error(exc: BaseException) -> str:
    """One line for the log.

    For an error in a statement it is the SQLSTATE alone, because the text may quote a value.
    """
    import psycopg

    origin = _unwrap_error(exc)
    state = read_sqlstate(exc)
    if state is not None and not state.startswith(_STATES_WITHOUT_VALUES):
        return f"{type(origin).__name__} ({state})"
    if isinstance(origin, (OSError, psycopg.OperationalError, psycopg.ProgrammingError)):
        return _join_lines(str(origin)) or type(origin).__name__
    return type(origin).__name__


def _join_lines(text: str) -> str:
    """One line from the driver's text about a connection. With several hosts, it has the answer of each.

    The text is ``connection failed: connection to server at "…", port 5432 failed: Connection refused``. With several
    hosts it is that of the last one, followed by a heading and lines ``- host: 'a', port: '1', hostaddr: '::1': …``.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    hosts = [line.partition("hostaddr: ")[2] for line in lines if line.startswith("- host: ")]
    answers = [line.partition(": ")[2] for line in hosts]
    return "; ".join(answers or lines[:1])[:_MOST_SHOWN]


# Characters of the driver's text in a line of the log.
_MOST_SHOWN = 600

# Classes of SQLSTATE whose messages hold no value: connection exception, invalid authorization, invalid
# catalog name, insufficient resources, operator intervention.
_STATES_WITHOUT_VALUES = ("08", "28", "3D", "53", "57")


def load_driver_error() -> type[BaseException]:
    """The base class of the driver's errors, for code that uses the driver without SQLAlchemy."""
    import psycopg

    return psycopg.Error


def read_sqlstate(exc: BaseException) -> str | None:
    """PostgreSQL's five-character error code; None for an error that did not come from the server."""
    state: str | None = getattr(_unwrap_error(exc), "sqlstate", None)
    return state


def _unwrap_error(exc: BaseException) -> BaseException:
    """The driver's error inside one of SQLAlchemy's; any other error as it is."""
    return getattr(exc, "orig", None) or exc
