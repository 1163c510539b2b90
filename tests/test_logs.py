"""The log: one line a record, parseable as JSON, and never a token in it."""

from __future__ import annotations

import asyncio
import errno
import io
import json
import logging
import re
import time

import pytest

from kms_tornado import logs

from .issuer import Issuer
from .rows import each_row
from .server import LOCATE, ServerProcess, eventually, node, serving, trusting, value_of

SECRET = "s3cr3t-t0k3n-value"
JWS = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJlc2lnbmF0dXJl"


# --- the text that is taken away ----------------------------------------------------------------


@each_row(
    ("text", "shown"),
    [
        pytest.param(f"Authorization: Bearer {SECRET}", "Authorization: [token]", id="bearer"),
        pytest.param(f"bearer%20{SECRET}", "[token]", id="percent-encoded"),
        pytest.param(f"BEARER  {SECRET}==", "[token]", id="upper case, padded"),
        pytest.param(f"/x/{JWS}", "/x/[token]", id="compact JWS in a path"),
        pytest.param(JWS.replace(".", "%2E"), "[token]", id="its dots encoded"),
        pytest.param(JWS.split(".")[0], "[token]", id="its header alone"),
        pytest.param("%20" + JWS, "%[token]", id="behind a percent-encoding"),
        pytest.param("aaaaaaaa." * 2 + "c" * 40, "[token]", id="three parts of whatever kind"),
        pytest.param(JWS + "." + JWS, "[token]", id="five parts"),
    ],
)
def test_what_looks_like_a_token_is_not_logged(text, shown):
    assert logs.redact(text) == shown


@each_row(
    "text",
    [
        "issuer https://login-prod.mycompany.example.com/: fetching keys failed",
        "bearer token required (no Authorization header)",
        "bearer tokens pass in clear text unless a proxy adds TLS",
        "kms_tornado.operations.create",
        "uid=9ae1afe8-c600-4e97-b40e-fd7055f6a8fa",
    ],
)
def test_what_an_operator_needs_to_read_stays(text):
    assert logs.redact(text) == text


@each_row(
    "text",
    [
        pytest.param("a" * 300_000, id="one long word"),
        pytest.param("aaaaaaaa." * 40_000, id="many parts"),
        pytest.param("eyJ" * 100_000, id="many heads"),
        pytest.param("bearer " * 50_000, id="many schemes"),
        pytest.param("bearer" + "=" * 300_000, id="a scheme and no token"),
        pytest.param("e" + "%2e" * 100_000, id="many encoded dots"),
    ],
)
def test_redaction_takes_time_in_proportion_to_the_text(text):
    """A path of 60 kB once kept the event loop busy for 14 s."""
    began = time.perf_counter()
    logs.redact(text)
    assert time.perf_counter() - began < 5.0


def test_whatever_is_escaped_is_looked_for():
    """`redact` looks no further at a line of printable characters."""
    escaped = [each for each in map(chr, range(0x110000)) if logs._UNPRINTABLE.match(each)]
    assert len(escaped) > 2000
    assert not [each for each in escaped if each.isprintable()]


@each_row("evil", ["\r\n", "\x1b[31m", "\x00", "\x9b", "\u2028", "\u202e", "\ud800"], ids=ascii)
def test_no_character_begins_a_line_or_moves_the_cursor(evil):
    assert evil not in logs.redact(f"a{evil}b")
    assert logs.redact(f"a{evil}b").isprintable()


@pytest.fixture
def logger():
    """A logger of the two forms: (log, text stream, JSON stream)."""
    log = logging.getLogger("kms_tornado.test_logs")
    log.propagate = False
    streams = {}
    for name, formatter in (
        ("text", logs.TextFormatter()),
        ("json", logs.JSONFormatter()),
    ):
        handler = logging.StreamHandler(streams.setdefault(name, io.StringIO()))
        handler.setFormatter(formatter)
        log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    yield log, streams["text"], streams["json"]
    log.handlers.clear()
    log.propagate = True


def test_tracebacks_are_redacted_too(logger):
    log, text, as_json = logger
    try:
        raise ValueError(f"Bearer {SECRET}\r\n2026 INFO forged")
    except ValueError:
        log.exception("it failed with %s", JWS)
    assert "ValueError" in text.getvalue()
    for stream in (text, as_json):
        assert SECRET not in stream.getvalue()
        assert JWS not in stream.getvalue()
    assert len(as_json.getvalue().splitlines()) == 1
    assert "ValueError" in json.loads(as_json.getvalue())["exception"]


def test_fields_stand_beside_the_message_in_json(logger):
    log, _, as_json = logger
    log.info("done", extra={"fields": {"user": "a\nb", "status": 200}})
    entry = json.loads(as_json.getvalue())
    assert entry["status"] == 200
    assert entry["user"] == "a\\x0ab"


# --- the whole server ---------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["text", "json"])
def server(request, tmp_path_factory):
    argv = ("--log-level", "debug", "--log-format", request.param)
    with (
        Issuer("ES256") as issuer,
        serving(*trusting(issuer, *argv), cwd=tmp_path_factory.mktemp("logs")) as server,
    ):
        server.issuer = issuer
        server.form = request.param
        eventually(lambda: server.client.get("/ready").status == 200)
        yield server


def settled(server):
    """All that has been logged up to here."""
    mark = f"/mark-{time.monotonic_ns()}"
    server.client.get(mark)
    server.wait_for_line(mark)
    return server.log


def request_with(*headers, path="/kmip_2_1", method="POST"):
    lines = "".join(f"{header}\r\n" for header in headers)
    return f"{method} {path} HTTP/1.1\r\nHost: kms\r\nConnection: close\r\n{lines}\r\n".encode()


def places(token):
    yield "good header", request_with(f"Authorization: Bearer {token}")
    yield "twice", request_with(f"Authorization: Bearer {token}", f"Authorization: Bearer {token}")
    yield "zero byte", request_with(f"Authorization: Bearer {token}\x00")
    yield "no scheme", request_with(f"Authorization: {token}")
    yield "other scheme", request_with(f"Authorization: Token {token}")
    yield "quote", request_with(f"Authorization: Bearer 'x{token}'")
    yield "space before the colon", request_with(f"Authorization : Bearer {token}")
    yield "no colon", request_with(f"Authorization Bearer {token}")
    yield "header name", request_with(f"Bearer\x01 {token}: x")
    yield "query", request_with(path=f"/kmip_2_1?access_token={token}")
    yield "bad query", request_with(path=f"/kmip_2_1?{'a&' * 2000}access_token={token}")
    yield "query of nothing", request_with(path=f"/nothing?access_token={token}", method="GET")
    yield (
        "length",
        request_with(f"Authorization: Bearer {token}", f"Content-Length: Bearer {token}"),
    )
    yield "encoding", request_with(f"Transfer-Encoding: Bearer {token}")
    yield "host", request_with().replace(b"Host: kms", f"Host: Bearer {token}'".encode())
    yield "cookie", request_with(f"Cookie: access_token={token}")
    yield "no request line", f"Bearer {token}\r\n\r\n".encode()


def test_no_token_is_in_the_log_wherever_it_was_put(server):
    tokens = [
        server.issuer.token(aud="kms"),
        server.issuer.token(aud="kms", exp=1),
        server.issuer.token(iss="https://else.example"),
        server.issuer.token(aud="kms")[:-4] + "AAAA",
        server.issuer.token(aud="kms", header={"kid": "unknown"}),
    ]
    for token in (*tokens, SECRET):
        for name, request in places(token):
            assert b" 500 " not in server.client.raw(request)[:40], name
    for token in tokens:
        server.client.get(f"/paths/{token}/x")
        server.client.get("/paths/Bearer%20" + token)
        server.client.kmip(tokens[0], node("Get", node("UniqueIdentifier", token)))
        server.client.kmip(tokens[0], node(token))
    log = settled(server)
    assert "/kmip_2_1" in log  # the twin: it is logged at all
    for token in (*tokens, SECRET):
        assert token not in log
        for part in token.split(".")[1:]:
            assert part not in log


EVILS = [
    "a\r\n2026-01-01T00:00:00.000Z INFO forged",
    "\x1b[31mred\x1b]0;title\x07",
    "x\u2028y\u202e",
]


def test_nothing_in_names_or_identifiers_forges_a_line(server):
    good = server.issuer.token(aud="kms")
    before = len(server.output["stderr"])
    requests = 0
    for evil in EVILS:
        server.client.kmip(good, node("Get", node("UniqueIdentifier", evil)))
        server.client.kmip(server.issuer.token(aud="kms", sub=evil), LOCATE)
        server.client.kmip(server.issuer.token(aud="kms", iss=evil), LOCATE)
        requests += 3
    server.client.raw(b"GET /a%0d%0aforged%1b[31m HTTP/1.1\r\nHost: k\r\nConnection: close\r\n\r\n")
    server.client.raw(b"GET /a\x9b31m\xe2\x80\xae HTTP/1.1\r\nHost: k\r\nConnection: close\r\n\r\n")
    server.client.raw(b"GET /a\x1b[31m HTTP/1.1\r\nHost: k\r\nConnection: close\r\n\r\n")
    settled(server)
    lines = server.output["stderr"][before:]
    assert len(lines) > requests
    for line in lines:
        assert line.isprintable(), line
        if server.form == "json":
            assert json.loads(line)["time"].startswith("2")
        else:
            assert re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z (DEBUG|INFO|WARNING|ERROR) ", line), line
            assert not line.startswith("2026-01-01T00:00:00.000Z")


def test_user_name_cannot_pose_as_other_fields(server):
    name = "eve uid=mine result=Success"
    server.client.kmip(server.issuer.token(aud="kms", sub=name), LOCATE)
    log = settled(server)
    line = next(x for x in log.splitlines() if "eve uid" in x)
    if server.form == "json":
        assert json.loads(line)["user"] == name
    else:
        assert f'user="{name}"' in line


def test_access_log_says_who_asked_for_what(server):
    token = server.issuer.token(aud="kms", sub="carol")
    uid = server.client.create(token)
    log = settled(server)
    line = next(x for x in log.splitlines() if uid in x)
    if server.form == "json":
        entry = json.loads(line)
        assert (entry["user"], entry["operation"], entry["status"]) == ("carol", "Create", 200)
    else:
        assert "200 POST /kmip_2_1" in line
        assert f"user=carol operation=Create uid={uid} result=Success" in line


def test_access_log_names_the_private_key_of_a_new_pair(server):
    algorithm = {"tag": "CryptographicAlgorithm", "type": "Enumeration", "value": "Ed25519"}
    body = node("CreateKeyPair", node("CommonAttributes", algorithm))
    answer = server.client.kmip(server.issuer.token(aud="kms", sub="dora"), body)
    assert answer.status == 200, answer.text
    uid = value_of(answer.json(), "PrivateKeyUniqueIdentifier")
    line = next(x for x in settled(server).splitlines() if "CreateKeyPair" in x and "dora" in x)
    assert uid in line


def test_long_paths_and_identifiers_neither_stop_the_server_nor_fill_the_log(server):
    token = server.issuer.token(aud="kms")
    began = time.monotonic()
    assert server.client.get("/" + "a" * 60_000).status == 404
    body = node("Get", node("UniqueIdentifier", "b" * 1_000_000))
    assert server.client.kmip(token, body).status == 422
    assert server.client.request("GET", "/health").status == 200
    assert time.monotonic() - began < 3
    settled(server)
    assert max(map(len, server.output["stderr"])) < 4000


def test_every_line_in_json_parses(server):
    if server.form != "json":
        pytest.skip("the other form")
    settled(server)
    for line in server.output["stderr"]:
        assert {"time", "level", "logger", "message"} <= json.loads(line).keys()


def test_warnings_at_start_are_json_too(tmp_path):
    argv = ("--insecure-no-auth", "--log-format", "json", "--jwt-leeway", "1")
    with ServerProcess(*argv, cwd=tmp_path, env={"KMS_NONSENSE": "1"}) as server:
        assert server.stop() == 0
    levels = [json.loads(line)["level"] for line in server.output["stderr"]]
    assert levels.count("warning") >= 3


class Writes(io.StringIO):
    """Keeps what each call writes."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def write(self, text):
        self.calls.append(text)
        return super().write(text)


@pytest.fixture
def turns():
    """A logger by which the server's own handler writes, and the calls that it writes with."""
    log = logging.getLogger("kms_tornado.test_turns")
    log.propagate = False
    stream = Writes()
    log.addHandler(logs.TurnHandler(stream))
    log.setLevel(logging.INFO)
    yield log, stream.calls
    log.handlers.clear()
    log.propagate = True


def test_lines_of_one_turn_of_the_loop_are_written_together(turns):
    log, calls = turns

    async def run():
        log.info("one")
        log.info("two")
        assert calls == []
        await asyncio.sleep(0)
        assert calls == ["one\ntwo\n"]
        log.info("three")
        await asyncio.sleep(0)

    asyncio.run(run())
    assert calls == ["one\ntwo\n", "three\n"]


def test_lines_that_are_held_are_written_together_once_they_are_released(turns):
    log, calls = turns
    handler = log.handlers[0]
    handler.hold_lines()
    log.info("one")
    log.warning("two")
    handler.flush()  # as at the end of the process
    assert calls == []
    handler.release_lines()
    log.warning("three")
    assert calls == ["one\ntwo\n", "three\n"]


def test_lines_are_held_for_ten_seconds_at_most(turns, monkeypatch):
    log, calls = turns
    handler = log.handlers[0]
    monkeypatch.setattr(logs.time, "monotonic", lambda: 100.0)
    handler.hold_lines()
    log.warning("one")
    monkeypatch.setattr(logs.time, "monotonic", lambda: 110.1)
    log.warning("two")
    log.warning("three")
    assert calls == ["one\ntwo\n", "three\n"]


def test_a_warning_is_written_at_once_with_what_waits_before_it(turns):
    log, calls = turns

    async def run():
        log.info("one")
        log.warning("two")
        assert calls == ["one\ntwo\n"]

    asyncio.run(run())


def test_a_line_from_elsewhere_than_an_event_loop_is_written_at_once(turns):
    log, calls = turns
    log.info("one")
    assert calls == ["one\n"]


def test_what_waits_is_written_at_the_end_and_by_another_loop(turns):
    log, calls = turns

    async def leave(text):
        log.info(text)

    def end_at_once(text):
        loop = asyncio.new_event_loop()
        task = loop.create_task(leave(text))
        task.add_done_callback(lambda _: loop.stop())
        loop.call_soon(loop.stop)
        loop.run_forever()
        loop.close()

    end_at_once("one")
    log.handlers[0].flush()  # as `logging.shutdown` does
    end_at_once("two")
    end_at_once("three")
    log.warning("four")
    assert "".join(calls) == "one\ntwo\nthree\nfour\n"


def test_lines_that_cannot_be_written_raise_nothing_in_the_loop_and_the_next_are_written(
    turns, monkeypatch
):
    log, calls = turns
    handler = log.handlers[0]
    raised = []

    def fail(_text):
        raise OSError(errno.ENOSPC, "No space left on device")

    async def run():
        asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.append(context))
        with monkeypatch.context() as full:
            full.setattr(handler.stream, "write", fail)
            log.info("lost")
            await asyncio.sleep(0)
        log.info("written")
        await asyncio.sleep(0)

    asyncio.run(run())
    assert raised == []
    assert calls == ["written\n"]
