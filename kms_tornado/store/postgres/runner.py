"""The `Runner` of PostgreSQL, over a pipeline: a statement whose result is not needed costs no round trip.

Jobs are ordinary functions, which SQLite's writer thread runs as well. Here SQLAlchemy's greenlets let them wait for
the event loop. A job of many changes may compute for long between two answers of the database, so other requests get a
turn at its statements, too.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import TypeVar

from sqlalchemy import Table, insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.util import await_only, greenlet_spawn

from ...audit.record import Draft
from ..sql.audit.chains import ChainTaken
from ..sql.statements import OBJECT_COLUMNS, Prepared, Rows, Runner, Statement, States, Values
from ..sql.tables.schema import objects
from .arrays import collect_columns, unnest, write_array
from .audit_leases import APPEND, ChainInUse, is_long
from .dialect import POSTGRESQL
from .errors import Meaning, judge_error, load_driver_error
from .exchange import Command
from .transaction import COMMIT, Pipeline, check_committed, make_beginning

Result = TypeVar("Result")

# Rows of few values each, which are written as arrays in a millisecond.
_FEW = 200

# How long a job computes before others get a turn.
_TURN_S = 0.004

_insert_object = Prepared(insert(objects).returning(objects.c.serial), POSTGRESQL, OBJECT_COLUMNS)


async def run_job(
    pipeline: Pipeline,
    job: Callable[[Runner], Result],
    chain: ChainInUse,
    *,
    lock_timeout_ms: int,
    undoes: bool,
) -> Result:
    """Run the job in a transaction, and commit it, or leave it to be rolled back if `undoes` is set.

    chain: the chain to which the job's notes are appended.
    Raises what the job raises, and what statements raise: SQLAlchemy's IntegrityError for a constraint, and ChainTaken.
    """
    runner = PipelinedRunner(pipeline, make_beginning(lock_timeout_ms))
    result: Result = await greenlet_spawn(job, runner)
    if undoes:
        return result
    commands: Sequence[Command] = ()
    if runner.noted:
        if chain.lease is None:
            await greenlet_spawn(chain.claim, runner)
        if is_long(runner.noted):
            commands = await asyncio.to_thread(chain.make_commands, runner.noted)
        else:
            commands = chain.make_commands(runner.noted)
    chain.result = result
    await runner.commit(commands)
    chain.note_committed()
    return result


class PipelinedRunner:
    """A `Runner`. waiting: commands that are sent together with its own first one."""

    def __init__(self, pipeline: Pipeline, waiting: Sequence[Command]) -> None:
        self._pipeline = pipeline
        self._waiting = list(waiting)
        self.noted: list[tuple[Sequence[Draft], States]] = []
        self._turn_began = time.monotonic()

    async def commit(self, recording: Sequence[Command] = ()) -> None:
        """Commit the transaction. recording: the commands that move the chain's head and add its segments.

        Raises ChainTaken.
        """
        try:
            await self._send([*recording, COMMIT])
        except _load_driver_error() as exc:
            if self._pipeline.failed == APPEND and judge_error(exc) is not Meaning.RECONNECT:
                raise ChainTaken from None
            raise
        check_committed(self._pipeline)

    # --- called in a greenlet -------------------------------------------------------------------

    def note(self, drafts: Sequence[Draft], states: States) -> None:
        self.noted.append((drafts, states))

    def command(self, text: str) -> None:
        self._keep([(text, None)])

    def select(self, statement: Statement, values: Values) -> Rows:
        return self.select_prepared(_prepare(statement), values)

    def select_prepared(self, statement: Prepared, values: Values) -> Rows:
        await_only(self._send([(statement.text, statement.values(values))]))
        return self._pipeline.answers[-1].rows

    def change(self, statement: Statement, values: Values) -> None:
        self.change_all(statement, (values,))

    def change_counted(self, statement: Statement, values: Values) -> int:
        prepared = _prepare(statement)
        await_only(self._send([(prepared.text, prepared.values(values))]))
        return self._pipeline.answers[-1].row_count

    def change_all(self, statement: Statement, values: Sequence[Values]) -> None:
        prepared = _prepare(statement)
        self._keep([(prepared.text, prepared.values(row)) for row in values])

    def add_rows(self, table: Table, rows: Sequence[Values], on_conflict: str = "") -> None:
        names = table.columns.keys()

        def write() -> list[str]:
            return [write_array(column) for column in collect_columns(rows, names)]

        arrays = self.compute(write) if len(rows) > _FEW else write()
        text = _write_insert(table)
        self._keep([(f"{text} {on_conflict}" if on_conflict else text, arrays)])

    def settle(self) -> None:
        if any(values is not None for _, values in self._waiting):  # BEGIN and the like never fail
            await_only(self._send([]))

    def compute(self, function: Callable[[], Result]) -> Result:
        result: Result = await_only(asyncio.to_thread(function))
        self._turn_began = time.monotonic()
        return result

    def add_objects(self, rows: Sequence[Values]) -> Sequence[int]:
        text, pick = _insert_object.text, _insert_object.values
        await_only(self._send([(text, pick(row)) for row in rows]))
        return [
            serial for answer in self._pipeline.answers[-len(rows) :] for (serial,) in answer.rows
        ]

    def _keep(self, commands: Sequence[Command]) -> None:
        """Send the commands later, together with the next ones whose answer is needed."""
        self._waiting += commands
        if time.monotonic() - self._turn_began > _TURN_S:
            await_only(asyncio.sleep(0))
            self._turn_began = time.monotonic()

    async def _send(self, commands: Sequence[Command]) -> None:
        commands, self._waiting = [*self._waiting, *commands], []
        try:
            await self._pipeline.send(commands)
        except _load_integrity_error() as exc:
            raise IntegrityError(None, None, exc) from None
        finally:
            self._turn_began = time.monotonic()


@cache
def _write_insert(table: Table) -> str:
    names = table.columns.keys()
    return f"INSERT INTO {table.name} ({', '.join(names)}) SELECT * FROM {unnest(table, names)}"  # noqa: S608


@cache
def _prepare(statement: Statement) -> Prepared:
    return Prepared(statement.clause, POSTGRESQL, statement.columns)


_load_driver_error = cache(load_driver_error)


@cache
def _load_integrity_error() -> type[BaseException]:
    import psycopg

    return psycopg.IntegrityError
