"""What an error of the database means, for reads and for writes, and that no client sees a 500 for it."""

from __future__ import annotations

import asyncio

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from kms_tornado.errors import InvalidField, Unavailable
from kms_tornado.store.interface.changes import Conflict
from kms_tornado.store.postgres.errors import Meaning, describe_error, is_passing, judge_error
from kms_tornado.store.sql.statements import NO_VALUES

from ... import postgres
from ...rows import each_row
from ..helpers import store_at

TRY_AGAIN, RECONNECT = Meaning.TRY_AGAIN, Meaning.RECONNECT
TAKEN, BAD_VALUE, UNAVAILABLE = Meaning.TAKEN, Meaning.BAD_VALUE, Meaning.UNAVAILABLE

#: SQLSTATE → meaning, with the condition's name in PostgreSQL's appendix A.
STATES = {
    "08000 connection_exception": RECONNECT,
    "08003 connection_does_not_exist": RECONNECT,
    "08006 connection_failure": RECONNECT,
    "08001 sqlclient_unable_to_establish_sqlconnection": RECONNECT,
    "08004 sqlserver_rejected_establishment_of_sqlconnection": RECONNECT,
    "08P01 protocol_violation": RECONNECT,
    "0A000 feature_not_supported": RECONNECT,
    "22003 numeric_value_out_of_range": BAD_VALUE,
    "22021 character_not_in_repertoire": BAD_VALUE,
    "23505 unique_violation": TAKEN,
    "23503 foreign_key_violation": TAKEN,
    "25006 read_only_sql_transaction": RECONNECT,
    "25P02 in_failed_sql_transaction": RECONNECT,
    "25P03 idle_in_transaction_session_timeout": RECONNECT,
    "25P04 transaction_timeout": RECONNECT,
    "26000 invalid_sql_statement_name": RECONNECT,
    "28P01 invalid_password": UNAVAILABLE,
    "3D000 invalid_catalog_name": UNAVAILABLE,
    "40000 transaction_rollback": TRY_AGAIN,
    "40001 serialization_failure": TRY_AGAIN,
    "40003 statement_completion_unknown": UNAVAILABLE,
    "40P01 deadlock_detected": TRY_AGAIN,
    "42501 insufficient_privilege": UNAVAILABLE,
    "42P01 undefined_table": UNAVAILABLE,
    "42P05 duplicate_prepared_statement": RECONNECT,
    "53100 disk_full": UNAVAILABLE,
    "53200 out_of_memory": UNAVAILABLE,
    "53300 too_many_connections": UNAVAILABLE,
    "54000 program_limit_exceeded": BAD_VALUE,
    "55P03 lock_not_available": UNAVAILABLE,
    "57014 query_canceled": UNAVAILABLE,
    "57P01 admin_shutdown": RECONNECT,
    "57P02 crash_shutdown": RECONNECT,
    "57P03 cannot_connect_now": RECONNECT,
    "57P04 database_dropped": RECONNECT,
    "57P05 idle_session_timeout": RECONNECT,
    "58030 io_error": UNAVAILABLE,
    "72000 snapshot_too_old": TRY_AGAIN,
    "XX000 internal_error": UNAVAILABLE,
    "ZZ999 of no PostgreSQL": UNAVAILABLE,
}


def driver_error(state: str) -> psycopg.Error:
    """As the driver raises it for this SQLSTATE."""
    try:
        error_class = psycopg.errors.lookup(state)
    except KeyError:
        error_class = psycopg.DatabaseError
    exc = error_class("the value 'secret'")
    exc.sqlstate = state
    return exc


@each_row("wrap", [False, True], ids=["driver", "SQLAlchemy"])
@each_row("state", STATES)
def test_each_sqlstate_has_one_meaning_however_it_comes(state, wrap):
    exc = driver_error(state[:5])
    if wrap:
        exc = DBAPIError("UPDATE objects", {}, exc)
    assert judge_error(exc) is STATES[state]


@each_row(
    ("exc", "meaning"),
    [
        pytest.param(psycopg.OperationalError("server closed"), RECONNECT, id="libpq's words"),
        pytest.param(psycopg.InterfaceError("closed"), RECONNECT, id="a closed connection"),
        pytest.param(ConnectionResetError(), RECONNECT, id="reset"),
        pytest.param(
            DBAPIError("", {}, Exception(), connection_invalidated=True),
            RECONNECT,
            id="SQLAlchemy knows",
        ),
        pytest.param(psycopg.DataError("NUL"), BAD_VALUE, id="refused by the driver"),
        pytest.param(OverflowError(), BAD_VALUE, id="too large for the driver"),
        pytest.param("\ud800".encode, BAD_VALUE, id="half a surrogate pair"),
        pytest.param(TimeoutError(), UNAVAILABLE, id="time is up"),
        pytest.param(PoolTimeout(), UNAVAILABLE, id="no connection is free"),
        pytest.param(psycopg.ProgrammingError("odd"), UNAVAILABLE, id="a mistake of ours"),
    ],
)
def test_each_error_without_a_sqlstate_has_one_meaning(exc, meaning):
    if callable(exc):
        with pytest.raises(UnicodeEncodeError) as caught:
            exc()
        exc = caught.value
    assert judge_error(exc) is meaning


@each_row("state", STATES)
def test_the_log_gets_no_value_of_a_statement(state):
    described = describe_error(driver_error(state[:5]))
    shows_text = state[:2] in {"08", "28", "3D", "53", "57"}  # they quote no values
    assert ("secret" in described) == shows_text
    assert state[:5] in described or shows_text


@pytest.mark.parametrize(
    ("state", "expected"),
    [("57P03", True), ("53300", True), ("25006", True), ("40001", True), ("42501", False)],
)
def test_a_start_waits_for_what_may_pass(state, expected):
    assert is_passing(driver_error(state)) is expected


# --- raised by a real PostgreSQL ----------------------------------------------------------------


@pytest.fixture(scope="module")
def outcome():
    """outcome(path, state, times): of a statement that raises the SQLSTATE so often, then returns 1.

    One store serves all cases. The function counts with a sequence, which no transaction rolls back.
    """
    url = postgres.cluster().new_database()
    with asyncio.Runner() as runner, postgres.cluster().connect(postgres.name_of(url)) as admin:
        store = store_at(url)
        runner.run(store.start())
        admin.execute(
            """
            CREATE SEQUENCE failures;
            CREATE FUNCTION fail(state text, times bigint) RETURNS integer VOLATILE AS $$
            BEGIN
                IF nextval('failures') <= times THEN
                    RAISE EXCEPTION 'as it was asked to' USING ERRCODE = state;
                END IF;
                RETURN 1;
            END $$ LANGUAGE plpgsql
            """
        )

        async def call(path, state, times):
            admin.execute("ALTER SEQUENCE failures RESTART")
            ask = Ask(state, times)
            backend = store.backend
            calls = {"read": backend.read, "write": backend.submit, "rehearsal": backend.rehearse}
            try:
                return [tuple(row) for row in await calls[path](ask)]
            except (Unavailable, Conflict, InvalidField) as exc:
                return type(exc)

        yield lambda *arguments: runner.run(call(*arguments))
        runner.run(store.stop())


class Ask:
    """A statement for `read`, and a job."""

    is_frequent = False

    def __init__(self, state: str, times: int) -> None:
        self.text = f"SELECT fail('{state}', {times})"

    def values(self, _):
        return ()

    def __call__(self, runner):
        return runner.select_prepared(self, NO_VALUES)


@pytest.mark.parametrize("path", ["read", "write", "rehearsal"])
@pytest.mark.parametrize(
    "state", ["40001", "40P01", "25006", "57P01", "57P02", "57P03", "08006", "08P01", "26000"]
)
def test_what_may_succeed_now_is_done_again_unseen(outcome, path, state):
    assert outcome(path, state, 1) == [(1,)]


@pytest.mark.parametrize(
    ("path", "state", "expected"),
    [
        ("read", "40001", Unavailable),
        ("write", "40001", Unavailable),
        ("read", "25006", Unavailable),
        ("write", "25006", Unavailable),
        ("write", "57P01", Unavailable),
        ("read", "57P03", Unavailable),
        ("read", "53300", Unavailable),
        ("write", "53300", Unavailable),
        ("read", "53200", Unavailable),
        ("write", "40003", Unavailable),
        ("write", "42P01", Unavailable),
        ("write", "XX000", Unavailable),
        ("write", "22021", InvalidField),
        ("read", "22021", []),
    ],
)
def test_what_lasts_is_never_an_unexpected_error(outcome, path, state, expected):
    assert outcome(path, state, 1000) == expected


@pytest.mark.parametrize("state", ["40003", "53300", "XX000"])
def test_what_would_not_help_is_not_done_again(outcome, state):
    assert outcome("write", state, 1) is Unavailable
