"""Commands that are sent to PostgreSQL together: how they go out, and what comes of each."""

from __future__ import annotations

import contextlib
from typing import Any

import psycopg
import pytest

from kms_tornado.store.postgres.exchange import Answer, Exchange

from ... import postgres
from ...server import eventually
from ..helpers import run
from .connected import connected

_ECHO = "SELECT %s::text, %t::int[]"


@pytest.fixture
def url() -> str:
    return postgres.empty_database()


def exchange(url: str, *batches: Any) -> list[Any]:
    """The answers to each batch, or the error and the answers before it."""

    async def main() -> list[Any]:
        outcomes: list[Any] = []
        async with connected(url) as connection:
            for commands in batches:
                answers: list[Answer] = []
                try:
                    await Exchange(connection).run(commands, answers)
                    outcomes.append(answers)
                except Exception as exc:
                    outcomes.append((type(exc), answers))
        return outcomes

    outcomes: list[Any] = run(main())
    return outcomes


@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize(
    ("command", "rows"),
    [
        (("SELECT '%s %%'", None), [("%s %%",)]),
        (("SELECT '%%', %s::text", ("é😀",)), [("%", "é😀")]),
        ((_ECHO, ("a", [1, None])), [("a", [1, None])]),
        (("SELECT %s::bytea, %s::bigint", (b"\0\xff", 2**40)), [(b"\0\xff", 2**40)]),
        (("SELECT %s::text", (None,)), [(None,)]),
        (("SELECT 1 WHERE %s", (False,)), []),
    ],
)
def test_values_come_back_as_they_were_sent(url, command, rows, times):
    assert (
        exchange(url, *[[command]] * times) == [[(rows, len(rows), f"SELECT {len(rows)}")]] * times
    )


def test_an_answer_tells_how_many_rows_were_changed(url):
    make = ("CREATE TEMPORARY TABLE things (number int)", None)
    add = ("INSERT INTO things SELECT generate_series(1, %s)", (3,))
    drop = ("DELETE FROM things WHERE number > %s", (1,))
    ((made, added, dropped),) = exchange(url, [make, add, drop])
    assert (made.row_count, added.row_count, dropped.row_count) == (0, 3, 2)
    assert (added.rows, dropped.tag) == ([], "DELETE 2")


def test_more_goes_out_and_comes_in_than_a_socket_holds(url):
    texts = [str(number) * 20_000 for number in range(10)] * 50
    ((answers),) = exchange(url, [("SELECT %s", (text,)) for text in texts])
    assert [answer.rows for answer in answers] == [[(text,)] for text in texts]


def test_what_stands_behind_a_command_that_failed_is_not_done(url):
    one = ("SELECT %s::int", (1,))
    batches = [one], [one, ("SELECT 1 / %s", (0,)), one], [("ROLLBACK", None), one]
    begin = ("BEGIN", None)
    first, failed, last = exchange(url, [begin, *batches[0]], *batches[1:])
    assert [answer.rows for answer in first] == [[], [(1,)]]
    assert failed == (psycopg.errors.DivisionByZero, [([(1,)], 1, "SELECT 1")])
    assert last[-1].rows == [(1,)]


@pytest.mark.parametrize("value", ["\ud800", "\0"], ids=["half a character", "zero"])
def test_nothing_is_sent_where_a_value_cannot_be(url, value):
    batch = [("CREATE TEMPORARY TABLE things ()", None), ("SELECT %s::text", (value,))]
    (_, answers), after = exchange(url, batch, [("SELECT to_regclass('things')", None)])
    assert answers == []
    assert after[0].rows == [(None,)]


class _Hang(BaseException):
    """Where the process would wait."""


def test_commands_are_sent_whole_before_anything_is_waited_for(url, monkeypatch):
    """So that a process cannot hang between two of them: the idle timeout would not count."""

    async def hang(generator):
        next(generator)
        raise _Hang

    async def main():
        async with connected(url) as hanging:
            monkeypatch.setattr(hanging, "wait", hang)
            commands = [("BEGIN", None), *[("SELECT %s::text", ["x" * 100])] * 40]
            with contextlib.suppress(_Hang):
                await Exchange(hanging).run(commands, [])
            look = f"SELECT state FROM pg_stat_activity WHERE pid = {hanging.info.backend_pid}"
            with postgres.cluster().connect() as other:
                eventually(lambda: other.execute(look).fetchone() == ("idle in transaction",))

    run(main())


# --- prepared statements ------------------------------------------------------------------------

_PREPARED = ("SELECT statement FROM pg_prepared_statements", None)


def test_a_statement_is_prepared_once_when_it_is_sent_again(url):
    many = [(_ECHO, ("a", [number])) for number in range(40)]
    for batches in ([many[:1], many[1:2], many[2:]], [many]):
        *_, (last,) = exchange(url, *batches, [_PREPARED])
        assert last.rows == [("SELECT $1::text, $2::int[]",)]
    assert exchange(url, many[:1], [_PREPARED])[-1][0].rows == []


def test_no_statement_is_taken_for_prepared_that_stood_behind_one_that_failed(url):
    echo, fail = (_ECHO, ("a", [1])), ("SELECT 1 / %s", (0,))
    outcomes = exchange(url, [echo], [fail, echo], [echo], [echo])
    assert outcomes[1] == (psycopg.errors.DivisionByZero, [])
    assert [batch[0].rows for batch in outcomes[2:]] == [[("a", [1])]] * 2
