"""What a server that hangs in the middle of a transaction holds up, and for how long."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import text

from kms_tornado.store.postgres import engine
from kms_tornado.store.postgres.connections.address import parse_address
from kms_tornado.store.postgres.connections.connector import Connector
from kms_tornado.store.postgres.transaction import make_beginning, pipelined

from ... import postgres
from ...server import eventually
from ..helpers import run
from .connected import connected

_LOCK = "SELECT number FROM things FOR UPDATE"


@pytest.fixture
def url() -> str:
    return postgres.empty_database()


@pytest.fixture
def other(url: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """Another server's connection."""
    with postgres.cluster().connect(postgres.name_of(url)) as connection:
        connection.execute("CREATE TABLE things AS SELECT 1 AS number")
        yield connection
        connection.execute("DROP TABLE things")


def _find_free(other: psycopg.Connection[tuple[object, ...]]) -> list[tuple[object, ...]]:
    return other.execute(f"{_LOCK} SKIP LOCKED").fetchall()


def test_its_rows_are_free_after_the_idle_timeout(url, other, monkeypatch):
    monkeypatch.setattr(engine, "_IDLE_TIMEOUT_MS", 300)

    async def main():
        async with connected(url) as hanging:
            with pipelined(hanging) as pipeline:
                await pipeline.send([*make_beginning(100), (_LOCK, None)])
                assert not _find_free(other)
                time.sleep(1)  # noqa: ASYNC251 - it hangs
                assert eventually(lambda: _find_free(other)) == [(1,)]

    run(main())


# --- from PostgreSQL 17 on ----------------------------------------------------------------------


@pytest.fixture(scope="module", params=["programs", "newest_programs"])
def cluster(request: pytest.FixtureRequest) -> Iterator[postgres.Cluster]:
    cluster = postgres.Cluster(getattr(postgres, request.param)())
    yield cluster
    cluster.stop()


def test_timeouts_are_set_that_the_version_knows(cluster):
    with cluster.connect() as connection:
        connection.execute(engine.first_statement())
        expected = "1min" if connection.info.server_version >= 170000 else None
        assert _show(connection, "transaction_timeout") == expected
        assert _show(connection, "statement_timeout") == "15s"


def test_long_work_has_a_timeout_for_its_pauses_alone(cluster):
    async def main():
        connector = Connector(
            parse_address(
                f"postgresql:///?host={cluster.directory}&user={postgres.USER}&dbname=postgres"
            )
        )
        names = ("statement_timeout", "transaction_timeout", "lock_timeout")
        idle = "idle_in_transaction_session_timeout"

        def read(connection):
            show = "SELECT current_setting(:name, true)"
            return [
                connection.execute(text(show), {"name": name}).scalar_one()
                for name in (*names, idle)
            ]

        made = engine.open_engine(lambda: connector.open(within_s=5, autocommit=False))
        *timeouts, pause = await engine.run_on_snapshot(made, read)
        assert (set(timeouts) - {None}, pause) == ({"0"}, "10min")
        *timeouts, pause = await engine.run_exclusively(made, read, "postgres")
        assert (set(timeouts) - {None}, pause) == ({"0"}, "30s")

    run(main())


def _show(connection, name):
    return connection.execute("SELECT current_setting(%s, true)", [name]).fetchone()[0]


def test_rows_are_free_that_it_locked_before_it_sent_all(cluster, monkeypatch):
    monkeypatch.setitem(engine._SETTINGS_WHERE_KNOWN, "transaction_timeout", 1000)
    with contextlib.closing(cluster.connect()) as hanging, cluster.connect() as other:
        if other.info.server_version < 170000:
            pytest.skip("PostgreSQL has a timeout for this from version 17 on")
        other.execute("CREATE TABLE things AS SELECT 1 AS number")
        hanging.execute(engine.first_statement())
        # What ends the commands, a synchronisation, is not sent.
        hanging.pgconn.enter_pipeline_mode()
        for command, _ in [*make_beginning(100), (_LOCK, None)]:
            hanging.pgconn.send_query_params(command.encode(), None)
        hanging.pgconn.send_flush_request()
        hanging.pgconn.flush()
        eventually(lambda: _find_free(other) == [])
        assert eventually(lambda: _find_free(other)) == [(1,)]
