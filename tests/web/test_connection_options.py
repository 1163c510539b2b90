"""What a client says about its connection, in the fast lane and on the long way."""

from __future__ import annotations

import json
import socket

import pytest

from kms_tornado.auth.no_auth import InsecureNoAuth
from kms_tornado.service.kms import KMS
from kms_tornado.settings.service import ServiceSettings
from kms_tornado.web.app import make_app
from kms_tornado.web.fast_lane import FastLane
from kms_tornado.web.server_context import ServerContext

from ..kmip_items import name, structure
from ..rows import each_row
from ..support import running

BODY = json.dumps(structure("Query", name("QueryFunction", "QueryOperations"))).encode()
LAST = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    kms = KMS(ServiceSettings(data_dir=tmp_path_factory.mktemp("options") / "data"))
    auth = InsecureNoAuth("admin")

    def app() -> FastLane:
        context = ServerContext(kms=kms, auth=auth, max_body_size=2**20)
        return FastLane(make_app(context), context, auth)

    with running(app, kms) as serving:
        yield serving


def head(way: str, *lines: str) -> bytes:
    """Of a request with BODY. way: the fast lane takes no path with a query."""
    path = {"fast": "/kmip_2_1", "long": "/kmip_2_1?"}[way]
    fields = [
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"Content-Length: {len(BODY)}",
        *lines,
    ]
    return "\r\n".join([f"POST {path} HTTP/1.1", *fields, "", ""]).encode()


@each_row(
    ("value", "is_last"),
    [
        ("close", True),
        ("Close", True),
        ("TE, close", True),  # Perl's LWP
        ("keep-alive, close", True),
        ("close , TE", True),
        (",close,", True),
        ("TE", False),
        ("keep-alive", False),
        ("closed", False),
        ("not-close", False),
    ],
)
def test_connection_is_closed_after_the_answer_if_one_of_its_options_says_so(
    client, value, is_last
):
    for way in ("fast", "long"):
        request = head(way, f"Connection: {value}") + BODY
        answers = client.raw(request if is_last else request + LAST)
        assert answers.count(b"HTTP/1.1 200") == (1 if is_last else 2), way
        first, *_ = answers.split(b"\r\n\r\n")
        assert (b"Connection: close" in first) is is_last


def test_option_to_close_may_stand_in_a_second_header(client):
    answer = client.raw(head("fast", "Connection: TE", "Connection: close") + BODY)
    assert b"Connection: close" in answer


@each_row("expectation", ["100-continue", "100-Continue", "100-CONTINUE"])
def test_expected_body_is_asked_for_in_any_letter_case(client, expectation):
    with socket.create_connection(("127.0.0.1", client.port), timeout=10) as sock:
        sock.sendall(head("fast", f"Expect: {expectation}"))
        assert sock.recv(65536).startswith(b"HTTP/1.1 100")
        sock.sendall(BODY)
        assert sock.recv(65536).startswith(b"HTTP/1.1 200")
