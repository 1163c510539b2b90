"""Bodies and answers take a bounded part of the memory, over real sockets: 503 beyond, and short requests always."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import time

import pytest

from ..kmip_items import batch_item, message, number, structure
from ..server import check_log, eventually, send_head, serving, trusting

MIB = 1024 * 1024
LOCATE = json.dumps(structure("Locate")).encode()
#: An answer of 128 KiB to each of them.
RNG = batch_item("RNGRetrieve", number("DataLength", 65536))


@pytest.fixture(scope="module")
def server(issuer, tmp_path_factory):
    directory = tmp_path_factory.mktemp("server")
    with serving(*trusting(issuer, "--metrics"), cwd=directory) as server:
        yield server
        check_log(server)


def figure(server, series):
    found = re.search(rf"^{re.escape(series)} (\S+)$", server.client.get("/metrics").text, re.M)
    assert found is not None
    return float(found[1])


def await_in_flight(server, size):
    eventually(lambda: figure(server, "kms_bytes_in_flight") == size)


@pytest.fixture(params=["remembered", "new"])
def token_of(request, server, issuer):
    """The function from a user to a token, which takes the fast lane, or none that does."""
    await_in_flight(server, 0)

    def remembered(user):
        token = issuer.token(aud="kms", sub=f"{user} remembered")
        assert post(server, token, LOCATE).status == 200
        return token

    def new(user):
        return issuer.token(aud="kms", sub=f"{user} new", jti=str(time.monotonic_ns()))

    return {"remembered": remembered, "new": new}[request.param]


def post(server, token, body, path="/kmip_2_1"):
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    return server.client.post(path, body=body, headers=headers)


@contextlib.contextmanager
def begun(server, tokens, length=16 * MIB):
    """A request with each of the tokens, whose body does not come. It has its room from its head on."""
    with contextlib.ExitStack() as stack:
        for token in tokens:
            stack.enter_context(send_head(server.client, length, token))
        yield


def is_refused(server, token, length):
    """Whether the head of a request is answered 503 before its body comes."""
    with send_head(server.client, length, token) as sock:
        sock.settimeout(0.3)
        try:
            answer = sock.recv(65536)
        except TimeoutError:
            return False
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nRetry-After: 1" in head
    assert json.loads(body)["error"] == "temporarily_unavailable"
    return True


def test_user_with_too_long_bodies_in_flight_gets_503_and_another_user_does_not(server, token_of):
    before = figure(server, 'kms_bytes_refused_total{limit="user"}')
    with begun(server, [token_of("alice") for _ in range(4)]):
        await_in_flight(server, 64 * MIB)
        assert is_refused(server, token_of("alice"), MIB)
        assert figure(server, 'kms_bytes_refused_total{limit="user"}') == before + 1
        assert not is_refused(server, token_of("bob"), 16 * MIB)
        # What is short is answered, of anybody.
        assert post(server, token_of("alice"), LOCATE + b" " * 60_000).status == 200
    await_in_flight(server, 0)
    assert not is_refused(server, token_of("alice"), 16 * MIB)


def test_users_together_leave_room_and_nobody_s_short_request_is_refused(server, token_of):
    before = figure(server, 'kms_bytes_refused_total{limit="all"}')
    users = [user for user in ("mallory", "eve", "trudy") for _ in range(3)]
    with contextlib.ExitStack() as stack:
        for user in users:
            stack.enter_context(begun(server, [token_of(user)]))
        eventually(lambda: figure(server, "kms_bytes_in_flight") >= 96 * MIB)
        assert figure(server, "kms_bytes_in_flight") <= figure(server, "kms_bytes_in_flight_limit")
        eventually(lambda: is_refused(server, token_of("eve"), 16 * MIB))
        assert figure(server, 'kms_bytes_refused_total{limit="all"}') > before
        assert not is_refused(server, token_of("alice"), MIB)
        assert post(server, token_of("alice"), LOCATE).status == 200
    await_in_flight(server, 0)


def test_body_without_a_length_counts_chunk_by_chunk(server, issuer):
    token = issuer.token(aud="kms", sub="carol")
    chunk = b"%x\r\n%b\r\n" % (MIB, b" " * MIB)
    with begun(server, [token] * 3), server.client.connect() as sock:
        await_in_flight(server, 48 * MIB)
        with begun(server, [token], 15 * MIB):
            await_in_flight(server, 63 * MIB)
            sock.sendall(
                b"POST /kmip_2_1 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "
                + token.encode()
                + b"\r\nTransfer-Encoding: chunked\r\n\r\n"
                + chunk
            )
            await_in_flight(server, 64 * MIB)
            sock.sendall(chunk + b"0\r\n\r\n")
            assert sock.recv(65536).startswith(b"HTTP/1.1 503 ")
    await_in_flight(server, 0)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/kmip_2_1", 413),
        ("POST", "/access/grant", 200),
        ("GET", "/whoami", 200),
    ],
)
def test_body_that_is_not_kept_takes_no_room(server, issuer, method, path, status):
    """It is too long, or nobody reads it; of grants the service says how long they may be."""
    token = issuer.token(aud="kms", sub="dave")
    length = 10**12 if status == 413 else 100
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Length: {length}\r\n\r\n"
    )
    with server.client.connect() as sock:
        sock.sendall(head.encode())
        if status == 413:
            assert sock.recv(65536).startswith(b"HTTP/1.1 413 ")
            assert figure(server, "kms_bytes_in_flight") == 0
        else:
            await_in_flight(server, 100 if method == "POST" else 0)
    await_in_flight(server, 0)


# --- answers ------------------------------------------------------------------------------------


def test_answers_that_nobody_reads_count_until_they_are_read(server, token_of):
    """A request of 25 kB makes one of 13 MiB."""
    token = token_of("erin")
    body = json.dumps(message(*[RNG] * 100)).encode()
    assert len(body) < 25_000
    request = (
        f"POST /kmip_2_1 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    with begun(server, [token] * 3), server.client.connect() as sock:
        await_in_flight(server, 48 * MIB)
        sock.sendall(request)
        sock.settimeout(30)
        assert sock.recv(1, socket.MSG_PEEK) == b"H"  # it is made, and being sent
        assert 60 * MIB < figure(server, "kms_bytes_in_flight") < 61 * MIB
        refused = post(server, token, body)
        assert refused.status == 503
        assert refused.headers["Retry-After"] == "1"
        assert "read them" in json.loads(refused.body)["error_description"]
        assert post(server, token, LOCATE).status == 200
        assert read_answer(sock) == 200
        await_in_flight(server, 48 * MIB)
        assert post(server, token, body).status == 200
    await_in_flight(server, 0)


def read_answer(sock):
    """The status of the answer, all of which is read."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += sock.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(re.search(rb"Content-Length: (\d+)", head)[1]) - len(body)
    while length:
        length -= len(sock.recv(min(length, MIB)))
    return int(head.split()[1])
