"""The fast lane: which requests may take it, and that nobody can tell it from the long way."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import socket
import threading
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tornado.httputil import HTTPHeaders, RequestStartLine

from kms_tornado.auth.credentials import Credentials
from kms_tornado.auth.no_auth import InsecureNoAuth
from kms_tornado.auth.principal import Principal
from kms_tornado.service.kms import KMS
from kms_tornado.service.load.loop_turns import BODY_PIECE, LoopTurns
from kms_tornado.service.message_exchange import OFFLOAD_BYTES
from kms_tornado.settings.service import ServiceSettings
from kms_tornado.web.answers import Answer
from kms_tornado.web.app import make_app
from kms_tornado.web.fast_lane import FastLane, _FastRequest
from kms_tornado.web.kmip_exchange import Exchange
from kms_tornado.web.metrics.metrics import Metrics
from kms_tornado.web.server_context import ServerContext

from ..kmip_items import attributes, batch_item, message, name, octets, structure, uid
from ..rows import each_row
from ..server import eventually
from ..support import running
from ..ttlv import in_binary

LIMIT = 2**20
CREATE = structure("Create", name("ObjectType", "SymmetricKey"), attributes(bits=256, mask=0x0C))
JSON = "application/json"
BINARY = "application/octet-stream"


# --- which requests may take it ------------------------------------------------------------------


SOMEBODY = Principal("somebody", "somebody", "", {}, 0)


class RemembersAll:
    """A token layer that remembers every token."""

    def recall(self, credentials: Credentials) -> Any:
        return SOMEBODY if credentials.authorization else None


def principal_for(
    line: str = "POST /kmip_2_1 HTTP/1.1", *, stopping: bool = False, **changes: str
) -> Any:
    fields = {"Host": "kms.example:9998", "Authorization": "Bearer x", "Content-Length": "10"}
    fields.update({tag.replace("_", "-"): value for tag, value in changes.items()})
    headers = HTTPHeaders({tag: value for tag, value in fields.items() if value})
    context = ServerContext(kms=None, auth=None, max_body_size=LIMIT, is_stopping=stopping)  # type: ignore[arg-type]
    lane = FastLane(None, context, RemembersAll())  # type: ignore[arg-type]
    return lane.recall_principal(RequestStartLine(*line.split(" ")), headers)


@each_row(
    ("line", "changes"),
    [
        ("POST /kmip_2_1 HTTP/1.1", {}),
        ("POST /kmip/2_1 HTTP/1.1", {}),
        ("POST /kmip HTTP/1.1", {"Content_Type": BINARY}),
        ("POST /kmip_2_1 HTTP/1.1", {"Content_Length": str(LIMIT)}),
        ("POST /kmip_2_1 HTTP/1.1", {"Connection": "keep-alive"}),
        ("POST /kmip_2_1 HTTP/1.1", {"Connection": "close"}),
        ("POST /kmip_2_1 HTTP/1.1", {"Host": "[::1]:9998"}),
    ],
)
def test_ordinary_request_with_a_known_token_takes_the_fast_lane(line, changes):
    assert principal_for(line, **changes) is SOMEBODY


@each_row(
    ("line", "changes"),
    [
        ("GET /kmip_2_1 HTTP/1.1", {}),
        ("PUT /kmip_2_1 HTTP/1.1", {}),
        ("POST /kmip_2_1 HTTP/1.0", {}),
        ("POST /kmip_2_1?x=1 HTTP/1.1", {}),
        ("POST /kmip_2_1/ HTTP/1.1", {}),
        ("POST //kmip_2_1 HTTP/1.1", {}),
        ("POST http://kms.example/kmip_2_1 HTTP/1.1", {}),
        ("POST /access/grant HTTP/1.1", {}),
        ("POST /kmip_2_1 HTTP/1.1", {"Authorization": ""}),
        ("POST /kmip_2_1 HTTP/1.1", {"Content_Length": ""}),
        ("POST /kmip_2_1 HTTP/1.1", {"Content_Length": "0"}),
        ("POST /kmip_2_1 HTTP/1.1", {"Content_Length": "-1"}),
        ("POST /kmip_2_1 HTTP/1.1", {"Content_Length": "10,10"}),
        ("POST /kmip_2_1 HTTP/1.1", {"Content_Length": str(LIMIT + 1)}),
        ("POST /kmip_2_1 HTTP/1.1", {"Content_Length": "9" * 5000}),
        ("POST /kmip_2_1 HTTP/1.1", {"Transfer_Encoding": "chunked", "Content_Length": ""}),
        ("POST /kmip_2_1 HTTP/1.1", {"Transfer_Encoding": "chunked"}),
        ("POST /kmip_2_1 HTTP/1.1", {"Expect": "100-continue"}),
        ("POST /kmip_2_1 HTTP/1.1", {"Host": ""}),
        ("POST /kmip_2_1 HTTP/1.1", {"Host": "a.example,b.example"}),
        ("POST /kmip_2_1 HTTP/1.1", {"Host": "a b"}),
    ],
)
def test_whatever_is_unusual_goes_the_long_way(line, changes):
    assert principal_for(line, **changes) is None


def test_server_that_is_stopping_sends_every_request_the_long_way():
    assert principal_for(stopping=True) is None


# --- both ways are one --------------------------------------------------------------------------


class Host:
    """A server with both ways. A body in chunks (``long=True``) takes the long way."""

    def __init__(self, client: Any, lane: FastLane) -> None:
        self.client, self.lane = client, lane

    def post(self, path: str, body: bytes, media_type: str, *, long: bool, **more: str) -> Any:
        """more: further headers."""
        headers = {"Content-Type": media_type, **more}
        if long:
            return self.client.post(path, body=iter([body]), headers=headers)
        return self.client.post(path, body=body, headers=headers)

    def counted(self, series: str) -> float:
        text = self.lane.context.metrics.render_text().decode()
        sample = re.search(rf"^{re.escape(series)} (\S+)$", text, re.MULTILINE)
        return float(sample[1]) if sample else 0.0


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    kms = KMS(ServiceSettings(data_dir=tmp_path_factory.mktemp("lane") / "data"))
    auth = InsecureNoAuth("admin")
    lanes = []

    def app() -> FastLane:
        metrics = Metrics(auth, kms)
        context = ServerContext(kms=kms, auth=auth, max_body_size=LIMIT, metrics=metrics)
        lanes.append(FastLane(make_app(context), context, auth))
        return lanes[0]

    with running(app, kms) as client:
        yield Host(client, lanes[0])
        assert client.get("/health").status == 200
        eventually(lambda: not lanes[0].context.in_flight)


def nothing_in_flight(host: Host) -> bool:
    return not host.lane.context.in_flight


def encoded(tree: Any) -> bytes:
    return json.dumps(tree).encode()


QUERY = structure("Query", name("QueryFunction", "QueryOperations"))
LONG_HASH = structure("Hash", octets("Data", bytes(OFFLOAD_BYTES)))

#: Name → (path, body, Content-Type, status).
REQUESTS = {
    "bare operation": ("/kmip_2_1", encoded(QUERY), JSON, 200),
    "other path": ("/kmip/2_1", encoded(QUERY), JSON, 200),
    "long body": ("/kmip_2_1", encoded(LONG_HASH), JSON, 422),
    "absent object": ("/kmip_2_1", encoded(structure("Get", uid("nobody's"))), JSON, 422),
    "no JSON": ("/kmip_2_1", b"{", JSON, 422),
    "no operation": ("/kmip_2_1", encoded(structure("Attributes")), JSON, 422),
    "message": ("/kmip", encoded(message(batch_item("Locate"))), JSON, 200),
    "failing message": ("/kmip", encoded(message(batch_item("Get", uid("x")))), JSON, 200),
    "binary message": ("/kmip", in_binary(message(batch_item("Locate"))), BINARY, 200),
    "broken binary": ("/kmip", b"\x42\x00\x78", BINARY, 200),
    "bare where messages go": ("/kmip", encoded(QUERY), JSON, 200),
}


def without_time(body: bytes) -> bytes:
    return re.sub(
        rb'"TimeStamp","type":"DateTime","value":"[^"]*"|\x42\x00\x92\x09.{12}',
        b"",
        body,
        flags=re.S,
    )


@each_row("case", REQUESTS)
def test_both_ways_give_the_same_answer(host, case):
    path, body, media_type, status = REQUESTS[case]
    answers = [host.post(path, body, media_type, long=long) for long in (False, True)]
    assert [answer.status for answer in answers] == [status, status]
    assert without_time(answers[0].body) == without_time(answers[1].body)
    fast, long = (
        {tag: value for tag, value in answer.headers.items() if tag not in {"Date", "X-Request-Id"}}
        for answer in answers
    )
    assert fast == long
    assert len({answer.headers["X-Request-ID"] for answer in answers}) == 2
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", answers[0].headers["Date"])


@pytest.mark.parametrize("case", REQUESTS)
def test_both_ways_leave_the_same_lines_in_the_log(host, case, caplog):
    path, body, media_type, _ = REQUESTS[case]
    eventually(lambda: nothing_in_flight(host))  # of the test before
    with caplog.at_level("INFO", "kms_tornado.access"):
        for lines, is_long in ((1, False), (2, True)):
            host.post(path, body, media_type, long=is_long)
            eventually(lambda lines=lines: len(caplog.records) == lines)
    fast, long = ({**record.fields, "ms": 0} for record in caplog.records)
    assert fast == long
    assert fast["user"] == "admin"
    assert fast["path"] == path


def test_both_ways_count_requests_and_operations(host):
    requests = 'kms_http_requests_total{method="POST",route="/kmip_2_1",status="200"}'
    operations = 'kms_operations_total{operation="Query",result="Success"}'
    for long in (False, True):
        before = host.counted(requests), host.counted(operations)
        assert host.post("/kmip_2_1", encoded(QUERY), JSON, long=long).status == 200
        eventually(
            lambda before=before: (
                (host.counted(requests), host.counted(operations)) == (before[0] + 1, before[1] + 1)
            )
        )


def test_requests_that_come_at_once_on_one_connection_are_answered_in_order(host):
    def request(tree: Any) -> bytes:
        body = encoded(tree)
        return (
            b"POST /kmip_2_1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
            % (
                len(body),
                body,
            )
        )

    gets = [structure("Get", uid(f"absent-{number}")) for number in range(5)]
    last = request(QUERY).replace(b"Host: localhost", b"Host: localhost\r\nConnection: close")
    answer = host.client.raw(b"".join(map(request, gets)) + last)
    assert re.findall(rb"absent-\d", answer) == [b"absent-%d" % number for number in range(5)]
    assert answer.count(b"HTTP/1.1 ") == 6


# --- faults -------------------------------------------------------------------------------------

HEAD = b"POST /kmip_2_1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"


def test_client_that_goes_before_its_body_is_whole_leaves_nothing_behind(host):
    with socket.create_connection(("127.0.0.1", host.client.port)) as gone:
        gone.sendall(HEAD + b"{")
        eventually(lambda: not nothing_in_flight(host))
    eventually(lambda: nothing_in_flight(host))


def test_client_that_goes_before_its_answer_leaves_nothing_behind(host, monkeypatch):
    began, may_end = threading.Event(), threading.Event()
    find = Exchange.find_answer

    async def slowly(self: Exchange, body: bytes) -> Any:
        began.set()
        await asyncio.to_thread(may_end.wait, 10)
        return await find(self, body)

    monkeypatch.setattr(Exchange, "find_answer", slowly)
    body = encoded(QUERY)
    with socket.create_connection(("127.0.0.1", host.client.port)) as gone:
        gone.sendall(HEAD.replace(b"1000", b"%d" % len(body)) + body)
        assert began.wait(10)
    may_end.set()
    eventually(lambda: nothing_in_flight(host))


def test_long_answer_is_whole_and_in_flight_until_its_client_has_it(host, monkeypatch):
    octets = os.urandom(1024) * 20_000

    async def at_length(self: Exchange, body: bytes) -> Answer:
        return Answer(200, JSON, octets)

    monkeypatch.setattr(Exchange, "find_answer", at_length)
    with socket.create_connection(("127.0.0.1", host.client.port)) as client:
        client.sendall(HEAD.replace(b"1000", b"7") + b"1234567")
        head, start = client.recv(4096).split(b"\r\n\r\n")
        assert b"Content-Length: %d" % len(octets) in head
        assert not nothing_in_flight(host)
        rest = client.makefile("rb").read(len(octets) - len(start))
    assert start + rest == octets
    eventually(lambda: nothing_in_flight(host))


def test_client_that_goes_in_the_middle_of_a_long_answer_leaves_nothing_behind(
    host, monkeypatch, caplog
):
    async def at_length(self: Exchange, body: bytes) -> Answer:
        return Answer(200, JSON, bytes(20_000_000))

    monkeypatch.setattr(Exchange, "find_answer", at_length)
    with socket.create_connection(("127.0.0.1", host.client.port)) as gone:
        gone.sendall(HEAD.replace(b"1000", b"7") + b"1234567")
        assert gone.recv(4096)
    eventually(lambda: nothing_in_flight(host))
    assert "Traceback" not in caplog.text


def test_bug_is_500_that_says_nothing_and_a_traceback_in_the_log(host, monkeypatch, caplog):
    async def broken(self: Exchange, body: bytes) -> Any:
        raise RuntimeError("a secret of ours")

    monkeypatch.setattr(Exchange, "find_answer", broken)
    fast, long = (host.post("/kmip_2_1", encoded(QUERY), JSON, long=long) for long in (False, True))
    assert fast.status == long.status == 500
    assert fast.json() == long.json()
    assert "secret" not in fast.text
    assert "a secret of ours" in caplog.text
    eventually(lambda: nothing_in_flight(host))


def test_key_service_that_is_closed_is_503_with_a_time_to_come_back(tmp_path):
    kms = KMS(ServiceSettings(data_dir=tmp_path / "never opened"))
    auth = InsecureNoAuth("admin")
    context = ServerContext(kms=kms, auth=auth, max_body_size=LIMIT)
    with running(lambda: FastLane(make_app(context), context, auth)) as client:
        fast, long = (
            client.post("/kmip_2_1", body=body, headers={"Content-Type": JSON})
            for body in (encoded(QUERY), iter([encoded(QUERY)]))
        )
    assert fast.status == long.status == 503
    assert fast.json() == long.json()
    assert fast.headers["Retry-After"] == long.headers["Retry-After"]


def test_answer_of_a_server_that_is_stopping_says_that_the_connection_ends(host, monkeypatch):
    find = Exchange.find_answer

    async def stopping(self: Exchange, body: bytes) -> Any:
        monkeypatch.setattr(host.lane.context, "is_stopping", True)
        return await find(self, body)

    monkeypatch.setattr(Exchange, "find_answer", stopping)
    assert host.post("/kmip_2_1", encoded(QUERY), JSON, long=False).headers["Connection"] == "close"


def test_answer_to_a_client_that_will_leave_says_that_the_connection_ends(host):
    answers = [
        host.post("/kmip_2_1", encoded(QUERY), JSON, long=long, Connection="close")
        for long in (False, True)
    ]
    assert [answer.headers["Connection"] for answer in answers] == ["close", "close"]


def test_end_of_the_process_in_the_middle_of_an_operation_is_no_fault_in_the_log(
    tmp_path, caplog, monkeypatch
):
    began = threading.Event()

    async def never(self: Exchange, body: bytes) -> Any:
        began.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(Exchange, "find_answer", never)

    async def scenario() -> None:
        from tornado.httpserver import HTTPServer
        from tornado.testing import bind_unused_port

        auth = InsecureNoAuth("admin")
        async with KMS(ServiceSettings(data_dir=tmp_path / "data")) as kms:
            context = ServerContext(kms=kms, auth=auth, max_body_size=LIMIT)
            server = HTTPServer(FastLane(make_app(context), context, auth))
            sock, port = bind_unused_port()
            server.add_socket(sock)
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(HEAD.replace(b"1000", b"2") + b"{}")
            await asyncio.to_thread(began.wait, 10)
            server.stop()
            writer.close()
            await writer.wait_closed()

    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(scenario())  # cancels what is left
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


# --- long bodies ---------------------------------------------------------------------------------


def test_long_body_is_read_on_in_turn_however_small_its_parts_are():
    async def scenario() -> None:
        context = SimpleNamespace(loop_turns=LoopTurns())
        request = _FastRequest(cast(FastLane, SimpleNamespace(context=context)), None, SOMEBODY)
        request._bytes_to_come = 10 * BODY_PIECE - 1
        assert request.data_received(bytes(BODY_PIECE // 2)) is None
        turn = request.data_received(bytes(BODY_PIECE // 2))  # TLS has 16 KiB at most
        assert turn is not None
        reading = asyncio.ensure_future(turn)
        await asyncio.sleep(0)
        assert not reading.done()
        await asyncio.wait_for(reading, 10)

    asyncio.run(scenario())
