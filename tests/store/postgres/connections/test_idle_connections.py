"""Connections that are kept while nobody uses them, and those that are not."""

from __future__ import annotations

import pytest

from kms_tornado.errors import Unavailable
from kms_tornado.store.postgres.connections.address import parse_address
from kms_tornado.store.postgres.connections.connector import Connector
from kms_tornado.store.postgres.connections.idle_connections import IdleConnections

from .... import postgres
from ...helpers import run


@pytest.fixture
def connector():
    return Connector(parse_address(postgres.empty_database()))


def test_the_connection_used_last_is_used_next(connector):
    async def main():
        idle = IdleConnections(connector)
        one, two = [await idle.take(within_s=5) for _ in range(2)]
        await idle.give_back(two)
        await idle.give_back(one)
        assert len(idle) == 2
        assert await idle.take(within_s=5) is one
        await idle.give_back(one)
        await idle.close()
        assert (one.closed, two.closed, len(idle)) == (True, True, 0)

    run(main())


async def _begin(connection, connector):
    await connection.execute("BEGIN")


async def _lose(connection, connector):
    await connection.close()


async def _fail_over(connection, connector):
    connector.drop_all()


@pytest.mark.parametrize("spoil", [_begin, _lose, _fail_over])
def test_a_connection_of_no_further_use_is_closed(connector, spoil):
    async def main():
        idle = IdleConnections(connector)
        connection = await idle.take(within_s=5)
        await spoil(connection, connector)
        await idle.give_back(connection)
        assert (connection.closed, len(idle)) == (True, 0)

    run(main())


def test_a_connection_that_was_dropped_while_it_was_idle_is_closed_when_its_turn_comes(connector):
    async def main():
        idle = IdleConnections(connector)
        old = await idle.take(within_s=5)
        await idle.give_back(old)
        connector.drop_all()
        new = await idle.take(within_s=5)
        assert new is not old
        assert (old.closed, new.closed) == (True, False)
        await new.close()

    run(main())


def test_once_closed_nothing_is_taken_and_what_comes_back_is_closed(connector):
    async def main():
        idle = IdleConnections(connector)
        used, unused = [await idle.take(within_s=5) for _ in range(2)]
        await idle.give_back(unused)
        idle.is_open = False
        with pytest.raises(Unavailable):
            await idle.take(within_s=5)
        await idle.close()
        await idle.give_back(used)
        assert (used.closed, unused.closed) == (True, True)

    run(main())
