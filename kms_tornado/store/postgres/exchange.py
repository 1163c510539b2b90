"""Commands that are sent to PostgreSQL together, in one round trip, and their answers.

They are sent in one piece (or a few, above 8 kB) together with the end of the pipeline. psycopg's own pipeline mode
sends each command by itself, and a request to flush after the last one. PostgreSQL does not count its timeouts while it
waits for the rest of a pipeline, nor after such a request: if this process hung at that moment, its transaction would
keep its locks for as long as the connection is open.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Generator, Sequence
from functools import lru_cache, partial
from itertools import count, zip_longest
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    import psycopg
    from psycopg.adapt import PyFormat
    from psycopg.pq.abc import PGconn, PGresult
    from psycopg.waiting import Ready, Wait

#: A text, and its values.
Command = tuple[str, Sequence[Any] | None]

# Commands after which the other requests of the process get a turn.
_TURN = 16
# Statements that are prepared for a connection, or were sent once. Each takes PostgreSQL some 30 kB of memory.
_MOST_KNOWN = 100

#: The text for PostgreSQL, and the types of its values.
_Statement = tuple[bytes, tuple[int, ...]]


class Answer(NamedTuple):
    """The answer to one command.

    row_count: of the rows that were returned or changed. tag: what was done, such as "COMMIT".
    """

    rows: Sequence[tuple[Any, ...]]
    row_count: int
    tag: str


class _Query(NamedTuple):
    """A command that is ready to be sent.

    send: passes it to libpq, which returns one result for it.
    prepared: the statement that it prepares, if it prepares one.
    """

    send: Callable[[], None]
    prepared: _Statement | None = None


class Exchange:
    """Sends commands over one connection, which nobody else uses meanwhile."""

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        from psycopg.adapt import Transformer

        self._connection = connection
        self._transformer = Transformer(connection)
        self._names = _NAMES.setdefault(connection, {})

    async def run(self, commands: Sequence[Command], answers: list[Answer]) -> None:
        """Send the commands, and add their answers to `answers`.

        Raises the driver's error for the first command that failed; neither its answer nor the following ones are
        added. A value that cannot be sent raises an error before anything is sent.
        """
        queries: list[_Query] = []
        results: list[PGresult] = []
        error: Exception | None = None
        try:
            for number, command in enumerate(commands, 1):
                if number % _TURN == 0:
                    await asyncio.sleep(0)
                queries += self._write(command)
            await self._connection.wait(_send_and_fetch(self._connection.pgconn, queries, results))
        except Exception as exc:  # raised below, unless an answer says more
            error = exc
        finally:
            self._forget_unprepared(queries, results)
        for query, result in zip(queries, results, strict=False):
            if not _is_good(result):
                raise _make_error(result)
            if query.prepared is None:
                answers.append(self._read(result))
        if error is not None:
            raise error

    def _write(self, command: Command) -> list[_Query]:
        pgconn = self._connection.pgconn
        text, values = command
        if values is None:
            return [_Query(partial(pgconn.send_query_params, text.encode(), None))]
        query, parameter_formats = _number_parameters(text)
        bound = self._transformer.dump_sequence(values, parameter_formats)
        types, formats = self._transformer.types or (), self._transformer.formats
        statement: _Statement = (query, types)
        queries = []
        name = self._names.get(statement)
        if name is None and self._is_prepared_now(statement):
            name = self._names[statement] = b"kms_%d" % next(_NUMBERS)
            queries.append(_Query(partial(pgconn.send_prepare, name, query, types), statement))
        if name is None:
            queries.append(_Query(partial(pgconn.send_query_params, query, bound, types, formats)))
        else:
            queries.append(_Query(partial(pgconn.send_query_prepared, name, bound, formats)))
        return queries

    def _is_prepared_now(self, statement: _Statement) -> bool:
        """Whether to prepare the statement, because it was sent before.

        For a statement that is sent once, it is not worth it.
        """
        if self._connection.prepare_threshold is None:
            return False
        if statement in self._names:
            return True
        if len(self._names) < _MOST_KNOWN:
            self._names[statement] = None
        return False

    def _forget_unprepared(self, queries: Sequence[_Query], results: Sequence[PGresult]) -> None:
        for query, result in zip_longest(queries, results):
            if query.prepared is not None and (result is None or not _is_good(result)):
                self._names[query.prepared] = None

    def _read(self, result: PGresult) -> Answer:
        self._transformer.set_pgresult(result)
        rows = self._transformer.load_rows(0, result.ntuples, tuple)
        return Answer(rows, result.command_tuples or 0, (result.command_status or b"").decode())


#: Of each connection, the names of the statements that it has prepared; None for those that it was sent once.
_NAMES: WeakKeyDictionary[psycopg.AsyncConnection[Any], dict[_Statement, bytes | None]] = (
    WeakKeyDictionary()
)
_NUMBERS = count()


def _send_and_fetch(
    pgconn: PGconn, queries: Sequence[_Query], results: list[PGresult]
) -> Generator[Wait, Ready | int, None]:
    """Like psycopg's generators, it yields what to wait for, and is sent what the socket is ready for."""
    from psycopg import OperationalError
    from psycopg.pq import ConnStatus, ExecStatus
    from psycopg.waiting import Ready, Wait

    try:
        pgconn.enter_pipeline_mode()
        for query in queries:
            query.send()
        pgconn.pipeline_sync()
        while pgconn.flush():
            if (yield Wait.RW) & Ready.R:
                pgconn.consume_input()
        while True:
            while pgconn.is_busy():
                if (yield Wait.R) & Ready.R:
                    pgconn.consume_input()
            result = pgconn.get_result()
            if result is None:  # between two commands
                if pgconn.status == ConnStatus.BAD:
                    raise OperationalError("the connection is closed")
            elif result.status == ExecStatus.PIPELINE_SYNC:
                break
            else:
                results.append(result)
        pgconn.exit_pipeline_mode()
    except Exception:  # the connection is of no more use
        pgconn.finish()
        raise


def _is_good(result: PGresult) -> bool:
    from psycopg.pq import ExecStatus

    return result.status in (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK)


def _make_error(result: PGresult) -> Exception:
    from psycopg.errors import error_from_result

    return error_from_result(result)


@lru_cache(maxsize=1000)
def _number_parameters(text: str) -> tuple[bytes, Sequence[PyFormat]]:
    """The text with PostgreSQL's parameters in place of psycopg's (%s, %t), and the format of each parameter."""
    from psycopg.adapt import PyFormat

    formats: list[PyFormat] = []

    def number(match: re.Match[str]) -> str:
        if match[0] == "%%":
            return "%"
        formats.append(PyFormat(match[0][1]))
        return f"${len(formats)}"

    return re.sub("%[st%]", number, text).encode(), tuple(formats)
