"""How long a connection may wait for its client: for a handshake, a head, a body, a reader, a request."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import threading
import time
from collections import Counter

import pytest
from tornado.testing import bind_unused_port

from kms_tornado.auth.no_auth import InsecureNoAuth
from kms_tornado.service.kms import KMS
from kms_tornado.settings.service import ServiceSettings
from kms_tornado.transport import connections as limits
from kms_tornado.transport.connections import Connections
from kms_tornado.transport.in_flight import InFlight
from kms_tornado.transport.streams import MAX_HEAD_LINES
from kms_tornado.web.app import make_app
from kms_tornado.web.fast_lane import FastLane
from kms_tornado.web.process.http_front import HTTPFront
from kms_tornado.web.server_context import ServerContext

from ...issuer import write_tls_files
from ...keys import certificate, private_key, private_pem
from ...server import eventually
from ...support import Client

WAIT_S = 0.4
FIELDS = "Host: localhost\r\nContent-Type: application/json\r\n"
HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
RNG = json.dumps(
    {"tag": "RNGRetrieve", "type": "Structure", "value": [
        {"tag": "DataLength", "type": "Integer", "value": 65536}
    ]}
).encode()  # fmt: skip


def post(body: bytes) -> bytes:
    return f"POST /kmip_2_1 HTTP/1.1\r\n{FIELDS}Content-Length: {len(body)}\r\n\r\n".encode() + body


class Front:
    """A front in a thread, whose waits are short."""

    def __init__(self, directory, tls=None, send_timeout_s=WAIT_S):
        self._started, self._tls, self._send_timeout_s = threading.Event(), tls, send_timeout_s
        self._kms = KMS(ServiceSettings(data_dir=directory))
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), daemon=True)
        self._thread.start()
        assert self._started.wait(30)
        self.client = Client(self.port)

    async def _main(self):
        self._stop, self._loop = asyncio.Event(), asyncio.get_running_loop()
        async with self._kms as kms:
            auth = InsecureNoAuth("admin")
            self.connections = Connections(4096, self._send_timeout_s, lambda address: False)
            self.context = ServerContext(kms, auth, 2**24, in_flight=InFlight(self.connections))
            front = HTTPFront(
                FastLane(make_app(self.context), self.context, auth),
                self.connections,
                tls=self._tls,
                max_body_size=2**24,
                send_timeout_s=self._send_timeout_s,
            )
            sock, self.port = bind_unused_port()
            front.start([sock])
            self._started.set()
            await self._stop.wait()
            await front.stop(self.context.in_flight, 5)

    def close(self):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)
        assert not self._thread.is_alive()
        # A connection that is forgotten would take a place for ever.
        assert not self.connections._open

    def connect(self, **options):
        sock = socket.socket()
        for name, value in options.items():
            sock.setsockopt(socket.SOL_SOCKET, getattr(socket, name), value)
        sock.settimeout(20)
        sock.connect(("127.0.0.1", self.port))
        return sock


@pytest.fixture(scope="module", autouse=True)
def short_waits():
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HANDSHAKE_S", "HEAD_S", "BODY_S"):
            patch.setattr(limits, name, WAIT_S)
        patch.setattr(limits, "IDLE_S", 3 * WAIT_S)
        yield


@pytest.fixture(scope="module")
def front(tmp_path_factory):
    with contextlib.closing(Front(tmp_path_factory.mktemp("front"))) as front:
        yield front


@pytest.fixture(scope="module")
def https(tmp_path_factory):
    directory = tmp_path_factory.mktemp("https")
    key = private_key("ES256", "tls")
    write_tls_files(directory, certificate(key, names=("localhost",)), private_pem(key))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "cert.pem", directory / "key.pem")
    with contextlib.closing(Front(directory / "data", context)) as front:
        yield front


def handshake(front):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(front.connect())


def is_ended(sock):
    """Whether the server closes within the socket's timeout, having sent nothing."""
    try:
        return sock.recv(65536) == b""
    except ConnectionError:
        return True


def drip(sock, data):
    """One byte after the other, until the server has enough of it."""
    with contextlib.suppress(OSError):
        for byte in data:
            sock.sendall(bytes([byte]))
            time.sleep(WAIT_S / 8)


@contextlib.contextmanager
def dropping(front, reasons):
    """Within, connections are dropped for these reasons, and no others."""
    before = Counter(front.connections.dropped)
    yield
    assert Counter(front.connections.dropped) - before == Counter(reasons)
    eventually(lambda: not front.context.in_flight)


#: What a client sends before it says no more → why it is dropped.
UNFINISHED = {
    b"": "idle",
    b"GET /hea": "head",
    b"GET /health HTTP/1.1\r\nX-Long: " + b"x" * 60_000: "head",
    post(b"{" + b" " * 1000)[:-1000]: "body",
    post(b" " * 1000)[:-1000]: "body",
    post(b"{}").replace(b"Content-Length: 2", b"Transfer-Encoding: chunked")[:-2]: "body",
    b"GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n": "body",
}


def test_connection_whose_client_says_no_more_is_closed(front):
    with dropping(front, UNFINISHED.values()):
        assert find_left_open(front, UNFINISHED) == []


def find_left_open(front, beginnings):
    """Those whose connection the server does not end. All are connected at the same time."""
    with contextlib.ExitStack() as stack:
        socks = {sent: stack.enter_context(front.connect()) for sent in beginnings}
        for sent, sock in socks.items():
            sock.sendall(sent)
        return [sent for sent, sock in socks.items() if not is_ended(sock)]


@pytest.mark.parametrize(
    ("head", "rest", "reason"),
    [
        (b"", b"GET /health HTTP/1.1\r\nX: " + b"x" * 100, "head"),
        (post(b" " * 100)[:-100], b" " * 100, "body"),
    ],
    ids=["head", "body"],
)
def test_what_drips_in_ends_its_connection_all_the_same(front, head, rest, reason):
    with dropping(front, [reason]), front.connect() as sock:
        sock.sendall(head)
        drip(sock, rest)
        assert is_ended(sock)


def test_handshake_that_does_not_end_is_ended(https):
    begun = (b"", b"\x16", b"\x16\x03\x01\x02\x00\x01")
    with dropping(https, ["handshake"] * len(begun)):
        assert find_left_open(https, begun) == []


def test_idle_connection_that_has_served_a_request_is_closed_later(front):
    with front.connect() as sock:
        sock.sendall(HEALTH)
        assert sock.recv(65536).startswith(b"HTTP/1.1 200")
        time.sleep(1.5 * WAIT_S)  # longer than a head may take
        sock.sendall(HEALTH)
        assert sock.recv(65536).startswith(b"HTTP/1.1 200")
        assert is_ended(sock)


@pytest.mark.parametrize(
    ("lines", "is_served"), [(MAX_HEAD_LINES - 2, True), (MAX_HEAD_LINES, False)]
)
@pytest.mark.parametrize("end", [b"\r\n", b""], ids=["whole", "without its end"])
def test_head_of_too_many_lines_ends_its_connection(front, lines, is_served, end):
    """A head of 64 KiB may have 13,000 of them, which take 20 ms to parse."""
    head = HEALTH[:-2] + b"a:\r\n" * (lines - 2) + end
    with front.connect() as sock:
        sock.sendall(head)
        if is_served:
            sock.sendall(b"" if end else b"\r\n")
            assert sock.recv(65536).startswith(b"HTTP/1.1 200")
        else:
            assert is_ended(sock)


def test_unfinished_heads_that_take_too_much_memory_are_ended_the_longest_first(front, monkeypatch):
    monkeypatch.setattr(limits, "HEAD_S", 30)
    monkeypatch.setattr(limits, "MOST_UNREAD", 200_000)
    begun = b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: "
    before = front.connections.dropped["head"]
    with contextlib.ExitStack() as stack:
        short = stack.enter_context(front.connect())
        short.sendall(begun)
        long = [stack.enter_context(front.connect()) for _ in range(5)]
        for sock in long:
            sock.sendall(begun + b"x" * 60_000)
        eventually(lambda: front.connections.dropped["head"] == before + 4)
        assert sum(stream.unread for stream in tuple(front.connections._open)) <= 100_000
        short.sendall(b"\r\n\r\n")
        assert short.recv(65536).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("path", ["/health", "/kmip_2_1"])
def test_body_that_takes_long_gives_its_place_to_a_newcomer_where_there_is_none(
    front, monkeypatch, path
):
    """One of which nothing is done gives it as soon as a silent connection does: it needs no token."""
    waits = {"_STALLED_S": 30, "_QUIET_S": 0.3} if path == "/health" else {"_STALLED_S": 0.3}
    for name, value in {"BODY_S": 30, **waits}.items():
        monkeypatch.setattr(limits, name, value)
    eventually(lambda: not len(front.connections))
    monkeypatch.setattr(front.connections, "most", 3)
    before = front.connections.dropped["body"]
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(front.connect()) for _ in range(3)]
        for sock in slow:
            sock.sendall(post(b" " * 100)[:-50].replace(b"/kmip_2_1", path.encode()))
        eventually(lambda: len(front.connections._stalled) == 3)
        with front.connect() as sock:
            sock.sendall(HEALTH)
            assert sock.recv(65536).startswith(b"HTTP/1.1 200")
        assert front.connections.dropped["body"] == before + 1
        answer = b"HTTP/1.1 405" if path == "/health" else b"HTTP/1.1 422"
        assert sorted(map(finish, slow)) == [b"", answer, answer]


def finish(sock):
    """The beginning of the answer when the rest of the body is sent; nothing where the connection was closed."""
    with contextlib.suppress(ConnectionError):
        sock.sendall(b" " * 50)
        return sock.recv(65536)[:12]
    return b""


# --- readers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(post(RNG), id="fast lane"),
        pytest.param(post(RNG).replace(b"/kmip_2_1", b"/kmip_2_1?long"), id="handler of KMIP"),
        pytest.param(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n", id="public handler"),
    ],
)
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_answer_that_nobody_reads_is_dropped_with_its_connection(request, request_, tls):
    front = request.getfixturevalue("https" if tls else "front")
    before = front.connections.dropped["answer"]
    # Answers of 128 KiB and more, until the kernel takes no more of them.
    with handshake(front) if tls else front.connect(SO_RCVBUF=4096) as sock:

        def send_all():
            with contextlib.suppress(OSError):
                for _ in range(100):
                    sock.sendall(request_)

        sender = threading.Thread(target=send_all)
        sender.start()
        eventually(lambda: front.connections.dropped["answer"] == before + 1, 30)
        eventually(lambda: not front.context.in_flight)
        sender.join(20)
        assert not sender.is_alive()


def test_slow_reader_that_goes_on_reading_gets_all_of_its_answer(tmp_path):
    """For longer than the timeout, less than what the kernel asks the server for at a time."""
    count, timeout_s = 60, 0.7
    with (
        contextlib.closing(Front(tmp_path, send_timeout_s=timeout_s)) as front,
        front.connect(SO_RCVBUF=65536) as sock,
    ):
        sender = threading.Thread(target=lambda: sock.sendall(post(RNG) * count))
        sender.start()
        eventually(lambda: any(stream.writing() for stream in tuple(front.connections._open)))
        began, received = time.monotonic(), 0
        while time.monotonic() - began < 2 * timeout_s:
            time.sleep(0.03)
            received += len(sock.recv(8192))
        while received < count * 131_072:
            chunk = sock.recv(65536)
            assert chunk
            received += len(chunk)
        sender.join(20)
        assert not sum(front.connections.dropped.values())
