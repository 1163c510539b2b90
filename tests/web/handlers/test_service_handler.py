"""Bodies: bounded, refused readably, never a way to stop or confuse the server."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import subprocess
import threading
import time
import urllib.error
import urllib.request

import pytest
from tornado.web import Application

from kms_tornado import handlers
from kms_tornado.auth.no_auth import InsecureNoAuth

from ...issuer import Issuer
from ...server import CREATE, LOCATE, check_log, data, eventually, node, serving, trusting
from ...support import running

LIMIT = 100_000
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Takes small bodies."""
    with (
        Issuer("ES256") as issuer,
        serving(
            *trusting(issuer, "--max-body-size", str(LIMIT)),
            cwd=tmp_path_factory.mktemp("bodies"),
        ) as server,
    ):
        server.token = issuer.token(aud="kms")
        eventually(lambda: server.client.get("/ready").status == 200)
        yield server


@pytest.fixture(autouse=True)
def _alive(server):
    """Whatever a test does: no bug in the log, and the server goes on."""
    yield
    assert server.client.kmip(server.token, LOCATE).status == 200
    check_log(server)


def padded(size, body=LOCATE):
    """A good body of exactly that many bytes."""
    text = json.dumps(body).encode()
    return text + b" " * (size - len(text))


def pieces(size, piece=10_000):
    """A body that http.client sends in chunks."""
    return (b" " * piece for _ in range(size // piece))


# --- too large ----------------------------------------------------------------------------------


def test_body_exactly_at_the_limit_passes(server):
    assert server.client.kmip(server.token, padded(LIMIT)).status == 200


TOO_LARGE = {
    "error": "content_too_large",
    "error_description": "the body is larger than 100,000 bytes (--max-body-size): send the data in parts "
    "(docs/http.md#limits), or encrypt the file with kmsctl encrypt",
}


@pytest.mark.parametrize("size", [LIMIT + 1, 2 * MIB, 64 * MIB])
def test_larger_body_is_413_for_a_client_that_sends_all_of_it_first(server, size):
    answer = server.client.kmip(server.token, padded(size))
    assert answer.status == 413
    assert answer.json() == TOO_LARGE
    assert answer.headers["Connection"] == "close"


def test_chunked_body_at_the_limit_passes(server):
    body = padded(LIMIT)
    chunks = (body[i : i + 9_999] for i in range(0, LIMIT, 9_999))
    assert server.client.kmip(server.token, chunks).status == 200


@pytest.mark.parametrize("size", [LIMIT + 10_000, 5 * MIB])
def test_larger_chunked_body_is_413(server, size):
    answer = server.client.kmip(server.token, pieces(size))
    assert answer.status == 413
    assert answer.json() == TOO_LARGE


@pytest.mark.parametrize("chunked", [False, True], ids=["with a length", "chunked"])
def test_mounted_kms_names_its_limit_too(tmp_path, chunked):
    kms = handlers(
        "/kms", auth=InsecureNoAuth("a"), data_dir=tmp_path / "data", max_body_size=3 * 1024
    )
    with running(lambda: Application(kms), kms) as client:
        body = pieces(20_000) if chunked else b" " * 3073
        as_json = {"Content-Type": "application/json"}
        answer = client.post("/kms/kmip_2_1", body=body, headers=as_json)
        assert answer.status == 413
        assert answer.json()["error_description"].startswith("the body is larger than 3 KiB (")
        answer = client.post("/kms/kmip_2_1", body=b" " * 3072, headers=as_json)
        assert answer.status == 422


@pytest.mark.parametrize("path", ["/kmip_2_1", "/kmip/2_1"])
@pytest.mark.parametrize("size", [0, 10, LIMIT + 1, 64 * MIB])
def test_without_a_token_it_is_401_whatever_the_size(server, path, size):
    assert server.client.post(path, body=b" " * size).status == 401


def test_chunked_without_a_token_is_401(server):
    assert server.client.post("/kmip_2_1", body=pieces(5 * MIB)).status == 401


@pytest.mark.parametrize(("token", "status"), [(True, 413), (False, 401)], ids=["token", "none"])
def test_client_that_closes_after_each_request_reads_the_answer_too(server, token, status):
    """urllib says Connection: close, at which Tornado closes at once."""
    headers = {"Authorization": f"Bearer {server.token}"} if token else {}
    request = urllib.request.Request(server.url + "/kmip_2_1", padded(8 * MIB), headers)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=10)
    with caught.value as error:
        assert error.code == status
        assert json.loads(error.read())["error"]


def curl(server, tmp_path, size, *argv):
    """(HTTP status, bytes of the body that were sent) as curl sees it."""
    file = tmp_path / "body"
    file.write_bytes(padded(size))
    finished = subprocess.run(
        ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code} %{size_upload}", *argv,
         "--data-binary", f"@{file}", server.url + "/kmip_2_1"],
        capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    status, sent = finished.stdout.split()
    return int(status), int(sent)


@pytest.mark.parametrize("size", [5_000, LIMIT, LIMIT + 1, 10 * MIB])
@pytest.mark.parametrize("how", ["expect", "at once", "chunked"])
def test_curl_reads_its_answer(server, tmp_path, size, how):
    argv = {
        "expect": ("-H", "Expect: 100-continue"),
        "at once": ("-H", "Expect:"),
        "chunked": ("-H", "Transfer-Encoding: chunked"),
    }[how]
    good = ("-H", f"Authorization: Bearer {server.token}")
    status, _ = curl(server, tmp_path, size, *argv, *good)
    assert status == (200 if size <= LIMIT else 413)
    status, sent = curl(server, tmp_path, size, *argv)
    assert status == 401
    if how == "expect":
        assert sent == 0  # it was told before it sent anything


def test_expected_body_is_asked_for_only_if_it_will_be_read(server):
    def first_line(*headers):
        with server.client.connect() as sock:
            lines = "".join(f"{header}\r\n" for header in headers)
            sock.sendall(
                f"POST /kmip_2_1 HTTP/1.1\r\nHost: k\r\nExpect: 100-continue\r\n{lines}\r\n".encode()
            )
            return sock.recv(65536).split(b"\r\n")[0]

    good = f"Authorization: Bearer {server.token}"
    assert first_line(good, "Content-Length: 10").startswith(b"HTTP/1.1 100")
    assert first_line(good, f"Content-Length: {LIMIT + 1}").startswith(b"HTTP/1.1 413")
    assert first_line("Content-Length: 10").startswith(b"HTTP/1.1 401")


def test_slow_upload_gets_its_answer(server):
    body = padded(300)
    with server.client.connect() as sock:
        sock.sendall(head(server, len(body)))
        for i in range(0, len(body), 50):
            sock.sendall(body[i : i + 50])
            time.sleep(0.05)
        assert sock.recv(65536).startswith(b"HTTP/1.1 200")


def test_slow_upload_that_is_refused_gets_its_answer_before_it_ends(server):
    with server.client.connect(5) as sock:
        sock.sendall(b"POST /kmip_2_1 HTTP/1.1\r\nHost: k\r\nContent-Length: 1000\r\n\r\nabc")
        assert sock.recv(65536).startswith(b"HTTP/1.1 401")


def test_refused_bodies_take_no_memory(server):
    before = server.memory_kib("VmRSS")
    for path, token in (("/kmip_2_1", None), ("/kmip_2_1", server.token), ("/health", None)):
        server.client.post(path, token=token, body=padded(100 * MIB))
    assert server.memory_kib() - before < 30 * 1024


# --- the connection afterwards ------------------------------------------------------------------


def head(server, length, *, token=True, path="/kmip_2_1"):
    authorization = f"Authorization: Bearer {server.token}\r\n" if token else ""
    return (
        f"POST {path} HTTP/1.1\r\nHost: kms\r\n{authorization}Content-Length: {length}\r\n\r\n"
    ).encode()


@pytest.mark.parametrize("size", [0, 10, 5 * MIB])
@pytest.mark.parametrize("path", ["/kmip_2_1", "/nothing"])
def test_refused_request_leaves_the_connection_usable(server, path, size):
    with contextlib.closing(server.client.connection()) as connection:
        connection.request("POST", path, body=b" " * size)
        answer = connection.getresponse()
        answer.read()
        assert answer.status in {401, 404}
        before = connection.sock
        for _ in range(3):
            connection.request(
                "POST", "/kmip_2_1", json.dumps(LOCATE), {"Authorization": f"Bearer {server.token}"}
            )
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200
        assert connection.sock is before


def test_refused_get_leaves_the_connection_usable(server):
    with contextlib.closing(server.client.connection()) as connection:
        for path, status in (("/kmip_2_1", 401), ("/no", 404), ("/health", 200)):
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == status
            assert connection.sock is not None


def test_after_413_the_connection_is_closed_without_a_reset(server):
    with server.client.connect() as sock:
        sock.sendall(head(server, LIMIT + 1) + b" " * (LIMIT + 1))
        received = b""
        while chunk := sock.recv(65536):  # a reset would raise
            received += chunk
        assert received.count(b"HTTP/1.1") == 1


def test_request_inside_a_refused_body_is_not_read_as_one(server):
    inner = head(server, 0)
    outer = head(server, len(inner), token=False)
    answer = server.client.raw(outer + inner, timeout_s=0.5)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert answer.startswith(b"HTTP/1.1 401")


def test_request_after_an_expected_body_that_never_came_is_not_read_as_one(server):
    outer = head(server, 50, token=False).replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
    answer = server.client.raw(outer + head(server, 0), timeout_s=0.5)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"Connection: close" in answer


def test_pipelined_requests_are_answered_in_order(server):
    body = json.dumps(LOCATE).encode()
    good = head(server, len(body)) + body
    bad = head(server, len(body), token=False) + body
    last = b"GET /health HTTP/1.1\r\nHost: k\r\nConnection: close\r\n\r\n"
    answer = server.client.raw(good + bad + good + bad + last)
    statuses = [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [200, 401, 200, 401, 200]


# --- framing ------------------------------------------------------------------------------------

LENGTHS = [
    pytest.param("Content-Length: -1", id="negative"),
    pytest.param("Content-Length: +3", id="plus"),
    pytest.param("Content-Length: 1_0", id="underscore"),
    pytest.param("Content-Length: 3.0", id="float"),
    pytest.param("Content-Length: abc", id="word"),
    pytest.param("Content-Length:", id="empty"),
    pytest.param("Content-Length: 0x3", id="hex"),
    pytest.param("Content-Length: " + "9" * 5000, id="5000 digits"),
    pytest.param("Content-Length: 3\r\nContent-Length: 4", id="two that differ"),
    pytest.param("Content-Length: 3\r\nTransfer-Encoding: chunked", id="length and chunked"),
    pytest.param("Transfer-Encoding: gzip", id="unknown encoding"),
    pytest.param("Transfer-Encoding: chunked, chunked", id="twice chunked"),
    pytest.param("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", id="two encodings"),
]


@pytest.mark.parametrize("token", [True, False], ids=["token", "none"])
@pytest.mark.parametrize("header", LENGTHS)
def test_body_whose_end_cannot_be_told_is_400_or_401_and_ends_the_connection(server, header, token):
    authorization = f"Authorization: Bearer {server.token}\r\n" if token else ""
    answer = server.client.raw(
        f"POST /kmip_2_1 HTTP/1.1\r\nHost: k\r\n{authorization}{header}\r\n\r\nabc"
        "GET /health HTTP/1.1\r\nHost: k\r\n\r\n".encode(),
        timeout_s=3,
    )
    assert answer.count(b"HTTP/1.1 ") <= 1
    assert answer[9:12] in ({b"400", b"413"} if token else {b"400", b"401", b""})


@pytest.mark.parametrize(
    "chunks",
    [
        b"zz\r\nabc\r\n0\r\n\r\n",
        b"3\r\nabcd\r\n0\r\n\r\n",
        b"-1\r\n\r\n",
        b"f" * 70,
        b"0\r\nX: y\r\n\r\n",
    ],
    ids=["no number", "longer than said", "negative", "endless number", "trailer"],
)
def test_broken_chunks_end_the_connection(server, chunks):
    request = head(server, 0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    answer = server.client.raw(request + chunks, timeout_s=3)
    assert answer[9:12] in {b"400", b"422", b""}
    assert b"500" not in answer[:15]


@pytest.mark.parametrize("path", ["/kmip_2_1", "/nothing-here"])
@pytest.mark.parametrize(
    "chunks", [b"zz\r\n", b"3\r\nabc\r\n0\r\nX: y\r\n\r\n"], ids=["no number", "trailer"]
)
def test_request_that_was_answered_has_no_second_answer_for_the_rest_of_its_body(
    server, chunks, path
):
    request = f"POST {path} HTTP/1.1\r\nHost: k\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    answer = server.client.raw(request + chunks, timeout_s=3)
    assert answer[9:12] in {b"401", b"404"}
    assert answer.count(b"HTTP/1.1 ") == 1


def test_malformed_request_behind_one_that_was_answered_early_is_400(server):
    early = b"POST /kmip_2_1 HTTP/1.1\r\nHost: k\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    answer = server.client.raw(early + b"nonsense\r\n\r\n", timeout_s=3)
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"401", b"400"]


@pytest.mark.parametrize("token", [True, False], ids=["token", "none"])
def test_truncated_body_runs_nothing(server, token):
    body = json.dumps(CREATE).encode()
    mark = server.client.kmip(server.token, LOCATE).body
    with server.client.connect() as sock:
        sock.sendall(head(server, len(body) + 1, token=token) + body)
    time.sleep(0.1)
    assert server.client.kmip(server.token, LOCATE).body == mark


def test_headers_of_64_kib_are_refused_and_shorter_ones_pass(server):
    def asking(size):
        return server.client.raw(
            b"GET /health HTTP/1.1\r\nHost: k\r\nConnection: close\r\nX: "
            + b"y" * size
            + b"\r\n\r\n",
            timeout_s=3,
        )

    assert asking(60_000).startswith(b"HTTP/1.1 200")
    assert not asking(70_000).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "rubbish",
    [
        b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /health HTTP/1.1\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /health?%ff=\xff&%zz HTTP/1.1\r\nHost: k\r\nConnection: close\r\n\r\n",
        b"GET /health?" + b"a&" * 9000 + b" HTTP/1.1\r\nHost: k\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: k\r\nCookie: \xff=\x80; ;;=\r\nConnection: close\r\n\r\n",
        b"CONNECT k:1 HTTP/1.1\r\nHost: k\r\nConnection: close\r\n\r\n",
    ],
    ids=range(11),
)
def test_what_is_no_http_is_never_500(server, rubbish):
    assert b" 500 " not in server.client.raw(rubbish, timeout_s=0.5)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 50_000, b'{"a":' * 15_000, b"9" * 90_000,
     b'{"tag":"Locate","tag":"Get"}', b'"\\ud800"', b"NaN", b"-" * 1000],
    ids=range(12),
)  # fmt: skip
def test_body_that_is_no_operation_is_422_in_one_line_of_text(server, body):
    answer = server.client.kmip(server.token, body)
    assert answer.status == 422
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert answer.text.startswith("Invalid_Message: ")
    assert "\n" not in answer.text


# --- the loop stays free ------------------------------------------------------------------------


def test_health_answers_at_once_while_large_bodies_are_encrypted(tmp_path):
    waits, statuses = [], []
    with serving("--insecure-no-auth", cwd=tmp_path) as big:
        uid = big.client.create("x")
        body = json.dumps(
            node("Encrypt", node("UniqueIdentifier", uid), data("Data", bytes(6 * MIB)))
        ).encode()

        def encrypt():
            for _ in range(2):
                statuses.append(big.client.kmip("x", body, timeout_s=30).status)

        threads = [threading.Thread(target=encrypt) for _ in range(3)]
        for thread in threads:
            thread.start()
        connection = http.client.HTTPConnection("127.0.0.1", big.port, timeout=10)
        with contextlib.closing(connection):
            while any(thread.is_alive() for thread in threads):
                began = time.perf_counter()
                connection.request("GET", "/health")
                connection.getresponse().read()
                waits.append(time.perf_counter() - began)
                time.sleep(0.005)
        for thread in threads:
            thread.join()
    assert statuses == [200] * 6
    waits.sort()
    print(f"health: median {waits[len(waits) // 2]:.4f} s, most {waits[-1]:.4f} s of {len(waits)}")
    assert waits[-1] < 2.0  # loose: this process and the server share two cores
