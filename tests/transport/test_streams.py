"""Clients that close their sending side behind the request and wait for the answer, and heads that drip in."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import ssl
import time

import pytest
from tornado.iostream import StreamClosedError

from kms_tornado.transport.streams import _PIECE, ServedStream, TLSStream

from ..bench.load import cpu_seconds
from ..issuer import Issuer, write_tls_files
from ..keys import certificate, private_key, private_pem
from ..rows import each_row
from ..server import CREATE, ServerProcess, check_log, trusting
from ..tls_files import FILES, trusting_context

KEY_PAIR = {
    "tag": "CreateKeyPair", "type": "Structure", "value": [
        {"tag": "CommonAttributes", "type": "Structure", "value": [
            {"tag": "CryptographicAlgorithm", "type": "Enumeration", "value": "RSA"},
            {"tag": "CryptographicLength", "type": "Integer", "value": 2048},
        ]},
    ],
}  # fmt: skip


@pytest.fixture(scope="module", params=["http", "https"])
def server(request, tmp_path_factory):
    directory = tmp_path_factory.mktemp("half-closed")
    argv, tls = (), None
    if request.param == "https":
        key = private_key("ES256", "tls")
        pem = certificate(key, names=("localhost",))
        write_tls_files(directory, pem, private_pem(key))
        argv, tls = FILES, trusting_context(pem)
        tls.check_hostname = False
    with (
        Issuer("ES256") as issuer,
        ServerProcess(*trusting(issuer), *argv, cwd=directory, tls=tls) as server,
    ):
        server.issuer = issuer
        yield server
        assert server.stop() == 0
        check_log(server)


def half_closed(server, data, *, abruptly=False, tls_alone=False):
    """All that comes back when the data is sent, and the sending side closed at once.

    abruptly: without a closing message of TLS. tls_alone: with nothing but that message, where there is TLS.
    """
    sock = server.client.connect()
    if server.tls is None:
        with sock:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: sock.recv(65536), b""))
    # The module for sockets closes both directions; in memory there are two of them.
    inbound, outbound = ssl.MemoryBIO(), ssl.MemoryBIO()
    secured = server.tls.wrap_bio(inbound, outbound)

    def pump(step):
        while True:
            try:
                result = step()
                sock.sendall(outbound.read())
                return result
            except ssl.SSLWantReadError:
                sock.sendall(outbound.read())
                chunk = sock.recv(65536)
                inbound.write(chunk) if chunk else inbound.write_eof()

    with sock:
        pump(secured.do_handshake)
        pump(lambda: secured.write(data))
        if not abruptly:
            with contextlib.suppress(ssl.SSLWantReadError):
                secured.unwrap()
            sock.sendall(outbound.read())
        if not tls_alone:
            sock.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := sock.recv(65536):
            inbound.write(chunk)
        inbound.write_eof()
        with contextlib.suppress(ssl.SSLError):
            while chunk := secured.read(65536):
                received += chunk
        return received


def post(token, body, path="/kmip_2_1"):
    data = json.dumps(body).encode()
    return (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    ).encode() + data


@pytest.mark.parametrize("is_known", [True, False], ids=["remembered token", "new token"])
@pytest.mark.parametrize("body", [CREATE, KEY_PAIR], ids=["on the loop", "on a thread"])
@pytest.mark.parametrize("abruptly", [False, True], ids=["closed in order", "cut off"])
def test_half_closed_client_gets_its_answer(server, is_known, body, abruptly):
    token = server.issuer.token(sub=f"user {time.monotonic_ns()}", aud="kms")
    if is_known:
        assert server.client.kmip(token, CREATE).status == 200
    answer = half_closed(server, post(token, body), abruptly=abruptly)
    assert answer.startswith(b"HTTP/1.1 200"), answer
    assert b"Response" in answer


def test_connection_ends_behind_the_answer_where_tls_alone_is_closed(server):
    """The end of TLS is read while the answer is made, and nothing else comes of which the loop would tell."""
    token = server.issuer.token(sub="alice", aud="kms")
    answer = half_closed(server, post(token, KEY_PAIR), tls_alone=True)
    assert answer.startswith(b"HTTP/1.1 200"), answer


def test_half_closed_client_gets_its_answer_once_the_issuers_keys_have_come(server):
    """The token names a key that only a new fetch knows."""
    issuer = server.issuer
    token = issuer.token(sub="somebody", aud="kms", exp=1)
    answer = half_closed(server, post(token, CREATE))
    assert answer.startswith(b"HTTP/1.1 401")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n", b"200"),
        (b"GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n", b"200"),
        (b"GET /whoami HTTP/1.1\r\nHost: localhost\r\n\r\n", b"401"),
        (b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n", b"404"),
    ],
)
def test_every_route_answers_a_half_closed_client(server, request_, status):
    assert half_closed(server, request_).startswith(b"HTTP/1.1 " + status)


def test_requests_that_were_sent_together_are_all_answered(server):
    token = server.issuer.token(sub="alice", aud="kms")
    assert half_closed(server, post(token, CREATE) * 5).count(b"HTTP/1.1 200") == 5


def test_request_that_is_not_whole_ends_with_its_connection(server):
    token = server.issuer.token(sub="alice", aud="kms")
    assert half_closed(server, post(token, CREATE)[:-5]) == b""


def test_half_closed_connection_costs_nothing_while_its_answer_is_made(server):
    """The end of its input stays readable: a loop that listened to it would spin."""
    token = server.issuer.token(sub="alice", aud="kms")
    assert server.client.kmip(token, CREATE).status == 200
    issuer, waiting = server.issuer, []
    issuer.answers[issuer.jwks_path] = Issuer.silent
    try:
        unknown = issuer.token(sub="alice", aud="kms", kid="unknown")
        sock = server.client.connect()
        with sock if server.tls is None else server.tls.wrap_socket(sock) as waiting:
            waiting.sendall(post(unknown, CREATE))
            if server.tls is None:
                waiting.shutdown(socket.SHUT_WR)
            before, began = cpu_seconds(server.process.pid), time.monotonic()
            time.sleep(0.8)
            took = time.monotonic() - began
            assert cpu_seconds(server.process.pid) - before < 0.5 * took
    finally:
        issuer.answers.pop(issuer.jwks_path)


# --- heads --------------------------------------------------------------------------------------

END = re.compile(b"\r?\n\r?\n")  # as Tornado has it


def read_head(*parts):
    """What is read of a head that comes in these parts, as Tornado asks for it, and what stays."""

    async def main():
        near, far = socket.socketpair()
        near.setblocking(False)
        stream = ServedStream(near, client=None, on_close=lambda stream: None)
        with contextlib.closing(stream), far:
            reading = asyncio.ensure_future(stream.read_until_regex(END.pattern, 65536))
            for part in parts:
                far.sendall(part)
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            return await asyncio.wait_for(reading, 20), bytes(stream._read_buffer)

    return asyncio.run(main())


@each_row("end", [b"\r\n\r\n", b"\n\n", b"\r\n\n", b"\n\r\n"])
def test_head_is_found_wherever_its_parts_begin(end):
    head = b"GET / HTTP/1.1\r\nHost: localhost" + end
    rest = b"\r\n\r\n"
    for place in range(len(head) - 6, len(head)):
        for other in range(place, len(head) + 1):
            parts = head[:place], head[place:other], head[other:] + rest
            assert read_head(*filter(None, parts)) == (head, rest)


def test_head_that_drips_in_is_searched_once_and_not_at_each_byte(monkeypatch):
    searched = 0

    class Counting:
        def search(self, buffer, start=0):
            nonlocal searched
            searched += len(buffer) - start
            return END.search(buffer, start)

    monkeypatch.setattr(re, "compile", lambda pattern: Counting())
    head = b"GET / HTTP/1.1\r\nX: " + b"x" * 3000 + b"\r\n\r\n"
    assert read_head(*[bytes([byte]) for byte in head]) == (head, b"")
    assert len(head) < searched < 10 * len(head)


# --- answers ------------------------------------------------------------------------------------


def test_long_answer_is_sent_in_pieces_between_which_other_connections_have_their_turn():
    answer, turns = bytes(range(256)) * 8192, 0  # 2 MiB

    async def main():
        nonlocal turns
        near, far = socket.socketpair()
        for end in (near, far):
            end.setblocking(False)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * len(answer))
        stream = ServedStream(near, client=None, on_close=lambda stream: None)
        with contextlib.closing(stream), far:
            sending = asyncio.ensure_future(stream.write(answer))
            received = b""
            while not sending.done() or len(received) < len(answer):
                before = len(received)
                with contextlib.suppress(BlockingIOError):
                    received += far.recv(len(answer))
                turns += len(received) > before
                await asyncio.sleep(0)
            return received

    assert asyncio.run(asyncio.wait_for(main(), 60)) == answer
    assert turns >= len(answer) // _PIECE


async def make_pair():
    ours, theirs = socket.socketpair()
    return ServedStream(ours, client=None, on_close=lambda stream: None), theirs


def test_all_that_has_come_is_read_at_once_and_what_is_put_back_comes_first():
    async def run():
        stream, client = await make_pair()
        reading = stream.read_available(4)
        client.send(b"abc")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(reading), 0.05)
        assert stream.unread == 3
        client.send(b"defgh")
        assert await reading == b"abcdefgh"
        stream.put_back(b"gh")
        assert stream.unread == 2
        client.send(b"i")
        assert await stream.read_bytes(3) == b"ghi"
        stream.close()
        client.close()

    asyncio.run(run())


def test_loop_goes_on_listening_while_the_body_that_came_with_its_head_is_read():
    async def run():
        stream, client = await make_pair()
        changes = []
        stream.io_loop.update_handler = lambda *change: changes.append(change)
        with contextlib.closing(stream), client:
            for _ in range(3):
                head = stream.read_until_regex(b"\r?\n\r?\n")
                client.send(b"GET / HTTP/1.1\r\n\r\nbody")
                await head
                assert await stream.read_bytes(4) == b"body"
        assert changes == []

    asyncio.run(run())


def test_what_is_sent_while_nobody_reads_is_not_taken_from_the_kernel():
    async def run():
        stream, client = await make_pair()
        client.setblocking(False)
        with contextlib.closing(stream), client:
            head = stream.read_until_regex(b"\r?\n\r?\n")
            client.send(b"GET / HTTP/1.1\r\n\r\nfirst ")
            await head
            sent = b""
            for number in range(50):
                with contextlib.suppress(BlockingIOError):
                    piece = bytes([number]) * 1024
                    sent += piece[: client.send(piece)]
                await asyncio.sleep(0)
                assert stream.unread == len(b"first ")
            assert await stream.read_bytes(6 + len(sent)) == b"first " + sent

    asyncio.run(run())


def test_connection_over_tls_that_was_closed_meanwhile_ends_as_one_that_is_closed():
    async def read():
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        secured = context.wrap_socket(ours, server_side=True, do_handshake_on_connect=False)
        stream = TLSStream(secured, client=None, on_close=lambda stream: None)
        stream.close()
        theirs.close()
        with pytest.raises(StreamClosedError):
            await stream.read_until_regex(b"\r\n\r\n")

    asyncio.run(read())
