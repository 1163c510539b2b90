"""Connections on which no request comes are closed, as Tornado's own timers would."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref

import pytest
from tornado.http1connection import HTTP1ConnectionParameters
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import RequestHandler

from kms_tornado import BearerApplication, FastRequest
from kms_tornado.testing import TestIssuer
from kms_tornado.web.bearer.fast_routes.head_timeouts import HeadTimeouts

from ....rows import each_row

ISSUER = TestIssuer()
#: Of an hour: these tests may come long after this file is read.
TOKEN = ISSUER.token("alice", exp=int(time.time()) + 3600)
HEAD = f"Host: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"


def answer(request: FastRequest) -> str:
    return "fast"


class Long(RequestHandler):
    def get(self) -> None:
        self.write("long")


@each_row(
    ("sent", "answered"),
    [
        pytest.param("", b"", id="nothing"),
        pytest.param("GET /fast HTTP/1.1\r\nHost: x\r\n", b"", id="half a head"),
        pytest.param(f"GET /fast HTTP/1.1\r\n{HEAD}", b"fast", id="behind a fast request"),
        pytest.param(f"GET /long HTTP/1.1\r\n{HEAD}", b"long", id="behind one of a handler"),
    ],
)
def test_connection_on_which_no_request_comes_is_closed(sent: str, answered: bytes) -> None:
    async def main() -> bytes:
        app = BearerApplication(
            [("/long", Long)], fast_routes={("GET", "/fast"): answer}, bearer_auth=ISSUER.auth()
        )
        server = HTTPServer(app, idle_connection_timeout=0.1)
        sock, port = bind_unused_port()
        server.add_socket(sock)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent.encode())
        received = await asyncio.wait_for(reader.read(), 30)  # to the end of the connection
        writer.close()
        server.stop()
        await server.close_all_connections()
        return received

    assert asyncio.run(main()).endswith(answered)


class Stream:
    is_closed = False

    def close(self) -> None:
        self.is_closed = True


class Connection:
    """What Tornado makes of one, and of its requests."""

    _request_start_line: object = None

    def __init__(self, parameters: HTTP1ConnectionParameters) -> None:
        self.params, self.stream = parameters, Stream()


def test_only_connections_that_have_waited_for_too_long_are_closed() -> None:
    times = [0.0]

    async def main() -> None:
        timeouts = HeadTimeouts(clock=lambda: times[0])
        patient, hasty = (
            HTTP1ConnectionParameters(header_timeout=100.0),
            HTTP1ConnectionParameters(header_timeout=10.0),
        )
        waiting, answering, others = Connection(patient), Connection(hasty), Connection(hasty)
        for connection in (waiting, answering, others):
            head = timeouts.start(connection, connection)
            assert head is not None
            if connection is answering:
                head.since = None
        for now, closed in [
            (9.9, ()),
            (10.0, (others,)),
            (99.9, (others,)),
            (100.0, (others, waiting)),
        ]:
            times[0] = now
            timeouts.close_overdue()
            assert [one for one in (others, waiting, answering) if one.stream.is_closed] == [
                *closed
            ]
        timeouts.start(answering, answering)
        times[0] = 110.0
        timeouts.close_overdue()
        assert answering.stream.is_closed, "its next request did not come"

    asyncio.run(main())


def test_connection_that_is_gone_is_not_kept_for_its_timeout() -> None:
    async def main() -> None:
        timeouts = HeadTimeouts()
        connection = Connection(HTTP1ConnectionParameters(header_timeout=3600.0))
        timeouts.start(connection, connection)
        gone = weakref.ref(connection)
        del connection
        gc.collect()
        assert gone() is None

    asyncio.run(main())


def test_timers_stay_where_heads_are_read_before_they_come_here() -> None:
    async def main() -> None:
        connection = Connection(HTTP1ConnectionParameters(header_timeout=100.0))
        connection._request_start_line = "GET / HTTP/1.1"
        assert HeadTimeouts().start(connection, connection) is None
        assert connection.params.header_timeout == 100.0

    asyncio.run(main())


def test_server_without_a_timeout_closes_nothing() -> None:
    async def main() -> None:
        connection = Connection(HTTP1ConnectionParameters(header_timeout=None))
        assert HeadTimeouts().start(connection, connection) is None

    asyncio.run(main())
