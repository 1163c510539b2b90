"""429 over real sockets: a user with too many requests at once or in a second, and nobody else."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket

import pytest

from ..kmip_items import batch_item, message, structure
from ..proofs import dpop_headers, thumbprint
from ..server import eventually, send_head, serving, trusting

LOCATE = structure("Locate")


@pytest.fixture(scope="module")
def slow(issuer, tmp_path_factory):
    """A server that takes two requests of a user at once."""
    directory = tmp_path_factory.mktemp("slow")
    options = trusting(issuer, "--user-concurrency", "2", "--metrics")
    with serving(*options, cwd=directory) as server:
        yield server.client


@pytest.fixture(scope="module")
def limited(issuer, tmp_path_factory):
    """A server that takes one request of a user in a second."""
    directory = tmp_path_factory.mktemp("limited")
    options = trusting(issuer, "--user-rate", "1", "--metrics")
    with serving(*options, cwd=directory) as server:
        yield server.client


def post(server, token, body=LOCATE, path="/kmip_2_1"):
    return server.request(
        "POST", path, body=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )  # fmt: skip


def check_refused(answer, word):
    assert answer.status == 429
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.headers["Content-Type"].startswith("application/json")
    body = json.loads(answer.body)
    assert body["error"] == "too_many_requests"
    assert word in body["error_description"]
    assert "WWW-Authenticate" not in answer.headers


def await_in_flight(server, number):
    line = f"kms_user_requests_in_flight {float(number)}"
    eventually(lambda: line in server.get("/metrics").text)


@contextlib.contextmanager
def begun(server, token, number, path="/kmip_2_1"):
    """So many requests whose bodies do not come, and no others."""
    await_in_flight(server, 0)
    with contextlib.ExitStack() as stack:
        for _ in range(number):
            sock = send_head(server, 1000, token, path)
            stack.callback(sock.close)
            sock.sendall(b"{")
        await_in_flight(server, number)
        yield


@pytest.fixture(params=["remembered", "new"])
def tokens(request, slow, issuer):
    """A user's tokens: one that takes the fast lane, or a new one for each request."""
    user = f"user-{request.param}"
    known = issuer.token(aud="kms", sub=user)
    if request.param == "new":
        return lambda: issuer.token(
            aud="kms", sub=user, jti=str(id(object())) + socket.gethostname()
        )
    assert post(slow, known).status == 200
    return lambda: known


def test_user_with_too_many_requests_at_once_gets_429_and_another_user_an_answer(
    slow, issuer, tokens
):
    with begun(slow, tokens(), 2):
        eventually(lambda: post(slow, tokens()).status == 429)
        check_refused(post(slow, tokens()), "--user-concurrency")
        assert post(slow, issuer.token(aud="kms", sub="somebody-else")).status == 200
    eventually(lambda: post(slow, tokens()).status == 200)


def test_refused_request_uses_up_no_dpop_proof(slow, issuer):
    plain = issuer.token(aud="kms", sub="dora")
    token = issuer.token(aud="kms", sub="dora", cnf={"jkt": thumbprint()})
    headers = dpop_headers("GET", f"http://127.0.0.1:{slow.port}/whoami", token)
    with begun(slow, plain, 2):
        check_refused(slow.get("/whoami", headers=headers), "--user-concurrency")
    await_in_flight(slow, 0)
    assert slow.get("/whoami", headers=headers).status == 200
    assert slow.get("/whoami", headers=headers).status == 401, "it was used by now"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/kmip_2_1"),
        ("POST", "/kmip/2_1"),
        ("POST", "/kmip"),
        ("POST", "/access/grant"),
        ("POST", "/access/revoke"),
        ("GET", "/access/owned"),
        ("GET", "/access/obtained"),
        ("GET", "/access/list/x"),
        ("GET", "/whoami"),
    ],
)
def test_every_route_with_a_user_counts(slow, issuer, method, path):
    token = issuer.token(aud="kms", sub="carol")
    with begun(slow, token, 2):
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        answers = []

        def is_refused() -> bool:
            body = b"{}" if method == "POST" else None
            answers.append(slow.request(method, path, body=body, headers=headers))
            return answers[-1].status == 429

        eventually(is_refused)
        check_refused(answers[-1], "--user-concurrency")
    eventually(lambda: post(slow, token).status == 200)


@pytest.mark.parametrize("path", ["/health", "/ready", "/version", "/openapi.json"])
def test_what_needs_no_token_is_answered_as_ever(slow, issuer, path):
    with begun(slow, issuer.token(aud="kms", sub="dave"), 2):
        assert slow.request("GET", path).status == 200


def test_refused_user_keeps_the_connection_and_is_served_on_it_later(slow, issuer):
    token = issuer.token(aud="kms", sub="erin")
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    body = json.dumps(LOCATE).encode()
    connection = http.client.HTTPConnection("127.0.0.1", slow.port, timeout=15)
    with contextlib.closing(connection):
        sock = None

        def ask() -> int:
            nonlocal sock
            connection.request("POST", "/kmip_2_1", body, headers)
            response = connection.getresponse()
            response.read()
            assert sock in (None, connection.sock)
            sock = connection.sock
            return response.status

        with begun(slow, token, 2):
            eventually(lambda: ask() == 429)
        eventually(lambda: ask() == 200)


def test_clients_that_leave_in_the_middle_of_a_body_take_no_place(slow, issuer):
    token = issuer.token(aud="kms", sub="frank")
    for _ in range(5):
        with begun(slow, token, 2):
            pass
    eventually(lambda: post(slow, token).status == 200)
    await_in_flight(slow, 0)


def test_user_beyond_the_rate_gets_429_and_another_user_an_answer(limited, issuer):
    token = issuer.token(aud="kms", sub="alice")
    answers = []

    def is_refused() -> bool:
        answers.append(post(limited, token))
        return answers[-1].status == 429

    eventually(is_refused)
    check_refused(answers[-1], "--user-rate")
    assert {answer.status for answer in answers[:-1]} == {200}
    assert post(limited, issuer.token(aud="kms", sub="bob")).status == 200
    assert (
        'kms_user_requests_refused_total{limit="rate"}' in limited.request("GET", "/metrics").text
    )
    eventually(lambda: post(limited, token).status == 200)


def test_message_of_many_operations_counts_as_one_request(limited, issuer):
    answer = post(
        limited, issuer.token(aud="kms", sub="grace"), message(*[batch_item("Locate")] * 30)
    )
    assert answer.status == 200
    assert answer.body.count(b'"Success"') == 30
