"""Every answer and every line of the log of a request have its identifier, and the fields say the rest."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3

import pytest
from tornado.web import Application

from kms_tornado import handlers
from kms_tornado.auth.no_auth import InsecureNoAuth
from kms_tornado.wording import MAX_VALUE_LENGTH

from ..docs.blocks import ROOT
from ..issuer import Issuer
from ..rows import each_row
from ..server import CREATE, LOCATE, eventually, node, serving, trusting
from ..support import running

MADE = re.compile(r"[0-9a-f]{16}")
LIMIT = 100_000


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Its tests connect from a trusted proxy's address."""
    argv = (
        "--log-format=json", "--trusted-proxies=127.0.0.1", f"--max-body-size={LIMIT}", "--metrics",
        "--kmip-interop", "--jwt-required-claim=scope=kms", "--jwks-cooldown=0",
    )  # fmt: skip
    cwd = tmp_path_factory.mktemp("identified")
    with Issuer("ES256") as issuer, serving(*trusting(issuer, *argv), cwd=cwd) as server:
        server.issuer = issuer
        server.token = issuer.token(aud="kms", scope="kms", sub="alice")
        eventually(lambda: server.client.get("/ready").status == 200)
        yield server


def entries(server, request_id, count=1):
    """The lines that name the identifier, of which there are at least so many."""

    def find():
        found = [json.loads(line) for line in list(server.output["stderr"]) if request_id in line]
        found = [entry for entry in found if entry.get("request_id") == request_id]
        return found if len(found) >= count else None

    return eventually(find)


def ask(server, request, *, good=True):
    method, path, body, headers = request
    token = server.token if good else None
    fields = {"Content-Type": "application/json", **headers}
    return server.client.request(method, path, token=token, body=body, headers=fields)


LONG = node("Query", {"tag": "X", "type": "TextString", "value": "x" * 80_000})
REQUESTS = {
    "fast lane": (("POST", "/kmip_2_1", LOCATE, {}), 200),
    "a failure there": (("POST", "/kmip_2_1", node("Get", node("UniqueIdentifier", "x")), {}), 422),
    "a body for a thread": (("POST", "/kmip_2_1", LONG, {}), 422),
    "long way": (("POST", "/kmip_2_1?x=1", LOCATE, {}), 200),
    "access rights": (("GET", "/access/owned", None, {}), 200),
    "whoami": (("GET", "/whoami", None, {}), 200),
    "health": (("GET", "/health", None, {}), 200),
    "ready": (("GET", "/ready", None, {}), 200),
    "version": (("GET", "/version", None, {}), 200),
    "metrics": (("GET", "/metrics", None, {}), 200),
    "openapi": (("GET", "/openapi.json", None, {}), 200),
    "metadata": (("GET", "/.well-known/oauth-protected-resource", None, {}), 200),
    "no route": (("GET", "/nothing", None, {}), 404),
    "no method": (("DELETE", "/health", None, {}), 405),
    "a method of nobody's": (("BREW", "/health", None, {}), 405),
    "a body too large": (("POST", "/kmip_2_1", b"x" * (LIMIT + 1), {}), 413),
    "a malformed token": (("POST", "/kmip_2_1", LOCATE, {"Authorization": "Bearer"}), 400),
    "another scheme": (("POST", "/kmip_2_1", LOCATE, {"Authorization": "Basic YTpi"}), 401),
}


@each_row("case", REQUESTS)
def test_every_answer_has_an_identifier_that_the_log_has(server, case):
    request, status = REQUESTS[case]
    answer = ask(server, request, good="Authorization" not in request[3])
    assert answer.status == status
    [request_id] = answer.headers.get_all("X-Request-ID")
    assert MADE.fullmatch(request_id)
    found = entries(server, request_id)
    [access] = [entry for entry in found if entry["logger"] == "kms_tornado.access"]
    assert (access["status"], access["method"]) == (status, request[0])
    assert access["path"] == request[1].partition("?")[0]
    assert (access["remote_ip"], access["worker"]) == ("127.0.0.1", 1)
    assert access["ms"] >= 0
    assert access["pid"] == server.process.pid


def test_requests_of_one_connection_have_different_identifiers(server):
    seen = set()
    with contextlib.closing(server.client.connection()) as connection:
        for path in ("/health", "/nothing", "/whoami", "/health"):
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            seen.add(answer.headers["X-Request-ID"])
    assert len(seen) == 4


@pytest.mark.parametrize("path", ["/kmip_2_1", "/kmip_2_1?x=1", "/whoami", "/nothing"])
def test_identifier_of_a_trusted_proxy_is_taken_and_given_back(server, path):
    given = f"proxy-{path.strip('/').replace('?', '.')}"
    method, body = ("POST", LOCATE) if "kmip" in path else ("GET", None)
    answer = ask(server, (method, path, body, {"X-Request-ID": given}))
    assert answer.headers["X-Request-ID"] == given
    assert entries(server, given)


@pytest.mark.parametrize("given", ["", "a b", "a\tb", "a" * 129, "a,b", "<x>"])
def test_identifier_that_is_not_plain_is_replaced(server, given):
    answer = ask(server, ("GET", "/health", None, {"X-Request-ID": given}))
    assert MADE.fullmatch(answer.headers["X-Request-ID"])


def test_two_identifiers_are_none(server):
    answer = server.client.raw(
        b"GET /health HTTP/1.1\r\nHost: k\r\nConnection: close\r\nX-Request-ID: a\r\nX-Request-ID: b\r\n\r\n"
    )
    assert MADE.fullmatch(re.search(rb"X-Request-Id: (.*)\r\n", answer)[1].decode())


REFUSALS = {
    "expired": ({"exp": 1}, 401, "expired"),
    "for others": ({"aud": "else"}, 401, "audience"),
    "a required claim": ({"scope": "else"}, 403, "scope"),
    "of a stranger": ({"iss": "https://else.example/"}, 401, "issuer"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refusal_has_its_reason_its_key_and_its_issuer_as_fields(server, case):
    claims, status, reason = REFUSALS[case]
    token = server.issuer.token(**{"aud": "kms", "scope": "kms", **claims})
    answer = server.client.kmip(token, LOCATE)
    assert answer.status == status
    found = entries(server, answer.headers["X-Request-ID"], 2)
    [access] = [entry for entry in found if entry["logger"] == "kms_tornado.access"]
    [refusal] = [entry for entry in found if entry["logger"] == "kms_tornado.auth"]
    assert access["reason"] == refusal["reason"] == reason
    assert (refusal["status"], refusal["path"]) == (status, "/kmip_2_1")
    assert refusal["key_id"]
    # A stranger's issuer is that client's text: the log names only those that are configured.
    assert refusal.get("issuer") == (None if reason == "issuer" else server.issuer.uri)


def test_access_log_has_the_issuer_and_the_key_of_who_is_let_in(server):
    answer = server.client.kmip(server.token, CREATE)
    [access] = entries(server, answer.headers["X-Request-ID"])
    assert (access["user"], access["issuer"]) == ("alice", server.issuer.uri)
    assert access["key_id"]
    assert access["operation"] == "Create"


def test_lines_of_operations_and_of_the_store_name_the_request(server):
    answer = server.client.kmip(
        server.token, node("Log", {"tag": "LogMessage", "type": "TextString", "value": "x" * 1000})
    )
    assert answer.status == 200, answer.text
    found = entries(server, answer.headers["X-Request-ID"], 2)
    [said] = [entry for entry in found if entry["logger"] == "kms_tornado.interop"]
    assert f"says: {'x' * MAX_VALUE_LENGTH}…" in said["message"]

    uid = server.client.create(server.token)
    with contextlib.closing(sqlite3.connect(server.cwd / "kms-data/kms.db")) as database, database:
        database.execute("UPDATE objects SET owner = 'mallory' WHERE uid = ?", (uid,))
    answer = server.client.get_key(server.token, uid)
    assert answer.status == 422
    found = entries(server, answer.headers["X-Request-ID"], 2)
    assert [entry for entry in found if entry["logger"] == "kms_tornado.store.sql.tables.row_macs"]


def test_lines_of_a_fetch_that_a_request_caused_name_the_request(server):
    server.issuer.rotate()
    token = server.issuer.token(aud="kms", scope="kms", sub="alice")
    answer = server.client.kmip(token, LOCATE)
    assert answer.status == 200
    found = entries(server, answer.headers["X-Request-ID"], 2)
    assert [entry for entry in found if entry["logger"] == "kms_tornado.keys"]
    server.token = token


def test_lines_that_belong_to_no_request_have_no_identifier(server):
    started = next(json.loads(line) for line in server.output["stderr"] if "listening on" in line)
    assert "request_id" not in started


LONG_ONES = {
    "a path": (b"GET /" + b"a" * 60_000 + b" HTTP/1.1", b"", 404),
    "a path that needs a token": (
        b"GET /access/list/" + b"a" * 60_000 + b" HTTP/1.1", b"", 401
    ),
    "a method": (b"A" * 60_000 + b" /health HTTP/1.1", b"", 405),
    "a method that needs a token": (b"A" * 60_000 + b" /whoami HTTP/1.1", b"", 401),
    "a user agent": (b"GET /nothing HTTP/1.1", b"User-Agent: " + b"a" * 60_000 + b"\r\n", 404),
    "an address": (b"GET /nothing HTTP/1.1", b"X-Forwarded-For: " + b"1" * 60_000 + b"\r\n", 404),
    "an identifier": (b"GET /nothing HTTP/1.1", b"X-Request-ID: " + b"1" * 60_000 + b"\r\n", 404),
    "no header": (b"GET /nothing HTTP/1.1", b"a" * 60_000 + b"\r\n", 400),
    "a name of a header": (b"GET /nothing HTTP/1.1", b"(" * 60_000 + b": x\r\n", 400),
    "a host": (b"GET /nothing HTTP/1.1", b"Host: " + b"<" * 60_000 + b"\r\n", 400),
}  # fmt: skip


@each_row("case", LONG_ONES)
def test_nothing_that_a_client_sends_stands_uncut_in_a_line(server, case):
    line, header, status = LONG_ONES[case]
    mark = len(server.output["stderr"])
    host = b"" if header.startswith(b"Host") else b"Host: k\r\n"
    answer = server.client.raw(line + b"\r\n" + host + header + b"Connection: close\r\n\r\n")
    assert answer.split(b" ", 2)[1] == str(status).encode()
    end = f"/end-of-{case.replace(' ', '-')}"
    server.client.get(end)
    server.wait_for_line(end, after=mark)
    lines = server.output["stderr"][mark:]
    assert len(lines) >= 2
    for text in lines:
        for value in json.loads(text).values():
            assert len(str(value)) < 2 * MAX_VALUE_LENGTH + 200


def test_long_names_of_what_is_asked_for_are_cut(server):
    token = server.issuer.token(aud="kms", scope="kms", sub="alice")
    for body in (node("Get", node("UniqueIdentifier", "b" * 50_000)), node("B" * 50_000)):
        request_id = server.client.kmip(token, body).headers["X-Request-ID"]
        for entry in entries(server, request_id):
            assert max(len(str(value)) for value in entry.values()) < 2 * MAX_VALUE_LENGTH + 200


def test_page_lists_the_fields_that_are_written(server):
    """docs/operating.md has a table of all fields of the JSON form."""
    page = (
        (ROOT / "docs/operating.md").read_text().partition("\n## Logs\n")[2].partition("\n## ")[0]
    )
    documented = set(re.findall(r"^\| `(\w+)`", page, re.MULTILINE))
    message = {"tag": "RequestMessage", "value": []}
    server.client.kmip(server.token, message)
    server.client.post("/access/grant", token=server.token, body={})
    written = {name for line in server.output["stderr"] for name in json.loads(line)}
    rare = {"exception", "item", "client_correlation", "server_correlation", "grantee", "rights"}
    assert written <= documented
    assert documented - rare <= written


# --- elsewhere ----------------------------------------------------------------------------------


def test_identifiers_of_strangers_are_not_taken(tmp_path):
    auth = InsecureNoAuth("admin")
    kms = handlers(data_dir=tmp_path, auth=auth, trusted_proxies=["10.0.0.0/8"])
    with running(lambda: Application(kms), kms) as client:
        answer = client.get("/health", headers={"X-Request-ID": "forged"})
        assert MADE.fullmatch(answer.headers["X-Request-ID"])


def test_mounted_server_names_its_requests_and_takes_the_names_of_its_proxies(tmp_path):
    auth = InsecureNoAuth("admin")
    kms = handlers(data_dir=tmp_path, auth=auth, trusted_proxies=["127.0.0.1"])
    with running(lambda: Application(kms), kms) as client:
        assert MADE.fullmatch(client.get("/health").headers["X-Request-ID"])
        answer = client.get("/health", headers={"X-Request-ID": "of-the-proxy"})
        assert answer.headers["X-Request-ID"] == "of-the-proxy"


def test_lines_of_workers_name_the_worker(tmp_path):
    argv = ("--insecure-no-auth", "--workers", "2")
    with serving(*argv, cwd=tmp_path) as server:
        answer = server.client.get("/health")
        line = server.wait_for_line(answer.headers["X-Request-ID"])
        assert re.search(r" request_id=[0-9a-f]{16} worker=[12]$", line)
        assert "worker=" not in server.wait_for_line("listening on")
