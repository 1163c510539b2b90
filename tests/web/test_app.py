"""The routes: every path and method without, with a wrong and with a good token."""

from __future__ import annotations

import json
import re

import pytest

from kms_tornado.web.app import ROUTES
from kms_tornado.web.handlers.protected_handler import ProtectedHandler
from kms_tornado.web.handlers.service_handler import ServiceHandler

from ..issuer import Issuer
from ..rows import each_row
from ..server import (
    CREATE,
    LOCATE,
    NO_AUTH,
    check_log,
    eventually,
    node,
    serving,
    trusting,
    value_of,
)

METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "BREW", "TRACE", "post"]
PUBLIC = {
    "/version", "/health", "/ready", "/metrics", "/openapi.json", "/.well-known/oauth-protected-resource"
}  # fmt: skip


def route_patterns():
    return [(getattr(route, "regex", route[0]), route[1]) for route in ROUTES]


def example(pattern):
    return re.sub(r"\([^)]*\)", "some-key", pattern)


ALL = [(example(pattern), handler) for pattern, handler in route_patterns()]
PROTECTED = [path for path, handler in ALL if issubclass(handler, ProtectedHandler)]
OPEN = [path for path, handler in ALL if not issubclass(handler, ProtectedHandler)]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with (
        Issuer("ES256") as issuer,
        serving(*trusting(issuer), cwd=tmp_path_factory.mktemp("routes")) as server,
    ):
        server.issuer = issuer
        server.token = issuer.token(aud="kms")
        eventually(lambda: server.client.get("/ready").status == 200)
        yield server


def metadata(server):
    return (
        f'resource_metadata="http://127.0.0.1:{server.port}/.well-known/oauth-protected-resource"'
    )


def fields(challenge):
    """{parameter: value} of a challenge, which must be well-formed."""
    scheme, _, rest = challenge.partition(" ")
    assert scheme == "Bearer"
    assert re.fullmatch(r'\w+="[^"\\]*"(, \w+="[^"\\]*")*', rest), challenge
    return dict(re.findall(r'(\w+)="([^"\\]*)"', rest))


def test_every_route_is_a_service_handler_and_only_the_declared_ones_are_public():
    assert all(issubclass(handler, ServiceHandler) for _, handler in ALL)
    assert set(OPEN) <= PUBLIC
    assert {"/kmip_2_1", "/kmip/2_1"} <= set(PROTECTED)


@each_row("method", METHODS)
@each_row("path", PROTECTED)
def test_no_method_of_a_protected_path_passes_without_a_token(server, path, method):
    answer = server.client.request(method, path, body=b"{")
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == f'Bearer realm="kms", {metadata(server)}'
    assert answer.headers["Content-Type"].startswith("application/json")
    if method != "HEAD":
        assert answer.json() == {
            "error": "unauthorized",
            "error_description": "bearer token required",
        }


@each_row("method", [m for m in METHODS if m != "POST"])
@each_row("path", ["/kmip_2_1", "/kmip/2_1"])
def test_wrong_method_with_a_good_token_is_405(server, path, method):
    answer = server.client.request(method, path, token=server.token)
    assert answer.status == 405
    assert answer.headers["Allow"] == "POST"
    if method != "HEAD":
        assert answer.json() == {
            "error": "method_not_allowed",
            "error_description": "this path does not take this method: send POST",
        }
    assert server.client.kmip(server.token, LOCATE).status == 200


@pytest.mark.parametrize("path", OPEN)
def test_public_path_needs_no_token_and_minds_none(server, path):
    answer = server.client.get(path)
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("application/json")
    assert server.client.get(path, token="rubbish").status == 200
    assert server.client.get(path, headers={"Authorization": "Bearer"}).status == 200
    head = server.client.request("HEAD", path)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Type"] == answer.headers["Content-Type"]


@each_row("method", [m for m in METHODS if m not in {"GET", "HEAD"}])
@each_row("path", OPEN)
def test_public_path_takes_get_only(server, path, method):
    answer = server.client.request(method, path, body=b"x")
    assert answer.status == 405
    assert answer.headers["Allow"] == "GET, HEAD"
    assert set(answer.json()) == {"error", "error_description"}


@each_row(
    "path",
    ["/", "/kmip_2_1/", "/KMIP_2_1", "//kmip_2_1", "/kmip_2_1/x", "/health/", "/%ff%00", "/..%2fx"],
)
@each_row("method", ["GET", "POST", "BREW"])
def test_unknown_path_is_404_with_and_without_a_token(server, path, method):
    for token in (None, server.token):
        answer = server.client.request(method, path, token=token)
        assert answer.status == 404
        assert answer.json() == {
            "error": "not_found",
            "error_description": "there is nothing at this path: KMIP is posted to /kmip_2_1, "
            "and /openapi.json lists all paths",
        }


def test_metrics_are_not_there_unless_asked_for(server):
    assert server.client.get("/metrics").status == 404


def test_version_is_a_json_string(server):
    assert isinstance(server.client.get("/version").json(), str)


def test_whoami_names_the_caller_and_what_they_may_do(server):
    token = server.issuer.token(
        aud="kms", sub="alice", exp=4_000_000_000.5, scope="kms:use openid", scp=["kms:use", "b"],
        email="secret@example.com",
    )  # fmt: skip
    answer = server.client.get("/whoami", token=token)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json() == {
        "name": "alice",
        "subject": "alice",
        "groups": [],
        "issuer": server.issuer.uri,
        "expires_at": 4_000_000_000,
        "scopes": ["kms:use", "openid", "b"],
        "may_create_objects": True,
        "may_read_whole_audit": False,
    }


def test_whoami_says_who_may_not_create_objects(tmp_path):
    with Issuer("ES256") as issuer:
        argv = trusting(issuer, "--privileged-users", "root")
        with serving(*argv, cwd=tmp_path) as server:
            for name, may_create in (("root", True), ("alice", False)):
                token = issuer.token(aud="kms", sub=name)
                answer = server.client.get("/whoami", token=token).json()
                assert answer["may_create_objects"] is may_create


def test_whoami_without_authentication_has_neither_issuer_nor_end(tmp_path):
    with serving(*NO_AUTH, "--default-username", "somebody", cwd=tmp_path) as server:
        assert server.client.get("/whoami").json() == {
            "name": "somebody",
            "subject": "somebody",
            "groups": [],
            "issuer": None,
            "expires_at": None,
            "scopes": [],
            "may_create_objects": True,
            "may_read_whole_audit": False,
        }


def test_without_authentication_a_web_page_makes_no_key_and_reads_none(tmp_path):
    """What a page in the user's browser can send by itself, with and without DNS rebinding."""
    with serving(*NO_AUTH, cwd=tmp_path) as server:
        own = {"Content-Type": "application/json", "Origin": server.url}
        made = server.client.post("/kmip_2_1", headers=own, body=CREATE)
        assert made.status == 200
        key = value_of(made.json(), "UniqueIdentifier")
        get = node("Get", node("UniqueIdentifier", key))
        assert server.client.post("/kmip_2_1", headers=own, body=get).status == 200
        rebound = {**own, "Host": f"evil.example:{server.port}", "Origin": "http://evil.example"}
        for headers in (
            {"Content-Type": "text/plain"},
            {"Content-Type": "application/json", "Origin": "https://evil.example"},
            {"Content-Type": "application/json", "Sec-Fetch-Site": "cross-site"},
            rebound,
        ):
            for body in (CREATE, get):
                answer = server.client.post("/kmip_2_1", headers=headers, body=body)
                assert (answer.status, answer.json()["error"]) == (403, "access_denied")
        grant = {"unique_identifier": key, "user_id": "*", "operation_types": ["get"]}
        plain = {"Content-Type": "text/plain"}
        assert server.client.post("/access/grant", headers=plain, body=grant).status == 403
        assert server.client.get("/access/owned", headers=rebound).status == 403
        assert len(server.client.get("/access/owned").json()) == 1


def test_health_says_it_lives(server):
    assert server.client.get("/health").json() == {"status": "UP"}


def test_ready_names_each_check(server):
    checks = server.client.get("/ready").json()["checks"]
    assert set(checks) == {"database", "audit", "objects", f"issuer {server.issuer.uri}"}
    assert all(check["state"] == "OK" for check in checks.values())


def test_metadata_says_where_tokens_come_from(server):
    """RFC 9728 §2."""
    answer = server.client.get("/.well-known/oauth-protected-resource")
    assert answer.headers["Content-Type"].startswith("application/json")
    document = answer.json()
    assert document["resource"] == f"http://127.0.0.1:{server.port}"
    assert document["authorization_servers"] == [server.issuer.uri]
    assert document["bearer_methods_supported"] == ["header"]


def test_metadata_is_where_the_challenge_says(server):
    challenge = fields(server.client.post("/kmip_2_1").headers["WWW-Authenticate"])
    path = challenge["resource_metadata"].removeprefix(server.url)
    assert server.client.get(path).status == 200


# --- how a token is presented -------------------------------------------------------------------


BODY = json.dumps(LOCATE).encode()


def raw(server, *headers, path="/kmip_2_1", body=BODY):
    """(status, {header: its first value}, body) of one request with exactly these headers."""
    head = "".join(f"{header}\r\n" for header in headers)
    answer = server.client.raw(
        f"POST {path} HTTP/1.1\r\nHost: kms\r\nConnection: close\r\n{head}"
        f"Content-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    top, _, content = answer.partition(b"\r\n\r\n")
    lines = top.decode().split("\r\n")
    # Of the challenges, the first is the one of bearer tokens.
    names = {
        k.lower(): v.strip() for k, _, v in (line.partition(":") for line in reversed(lines[1:]))
    }
    return int(lines[0].split()[1]), names, content


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR", "Bearer "])
def test_scheme_is_compared_without_case(server, scheme):
    assert raw(server, f"Authorization: {scheme} {server.token}")[0] == 200


@pytest.mark.parametrize(
    "value", ["Basic YTpi", "Token {}", "DPoP2 {}", "Bearer2 {}", "{}"], ids=lambda v: v[:6]
)
def test_another_scheme_is_challenged_without_an_error_code(server, value):
    status, headers, body = raw(server, f"Authorization: {value.format(server.token)}")
    assert status == 401
    assert set(fields(headers["www-authenticate"])) == {"realm", "resource_metadata"}
    assert json.loads(body)["error_description"] == "bearer token required"


MALFORMED = [
    "Bearer",
    "Bearer ",
    "Bearer    ",
    "Bearer {0} {0}",
    "Bearer {0},x",
    "Bearer \xe9",
    "Bearer =",
]


@each_row("value", MALFORMED, ids=ascii)
def test_malformed_header_is_400_invalid_request(server, value):
    status, headers, body = raw(server, f"Authorization: {value.format(server.token)}")
    assert status == 400
    assert fields(headers["www-authenticate"])["error"] == "invalid_request"
    assert fields(headers["www-authenticate"])["realm"] == "kms"
    assert json.loads(body)["error"] == "invalid_request"
    assert server.token.encode() not in body


@pytest.mark.parametrize("second", ["Bearer {}", "Basic YTpi", ""], ids=["same", "basic", "empty"])
def test_two_authorization_headers_are_400(server, second):
    good = f"Authorization: Bearer {server.token}"
    status, headers, _ = raw(server, good, f"authorization: {second.format(server.token)}")
    assert status == 400
    assert fields(headers["www-authenticate"])["error"] == "invalid_request"
    assert raw(server, good)[0] == 200


def test_token_in_query_body_or_cookie_is_not_read(server):
    token = server.token
    form = f"access_token={token}".encode()
    for answer in (
        raw(server, path=f"/kmip_2_1?access_token={token}"),
        raw(server, "Content-Type: application/x-www-form-urlencoded", body=form),
        raw(server, f"Cookie: access_token={token}; Authorization=Bearer {token}"),
        raw(server, f"Proxy-Authorization: Bearer {token}", f"X-Authorization: Bearer {token}"),
    ):
        assert answer[0] == 401
        assert "error" not in fields(answer[1]["www-authenticate"])


REFUSALS = [
    pytest.param({"exp": 1}, "token expired", id="expired"),
    pytest.param({"exp": None}, "a required claim is missing", id="no exp"),
    pytest.param({"iss": "https://else.example"}, "unknown issuer", id="issuer"),
    pytest.param({"aud": "other"}, "audience not accepted", id="audience"),
    pytest.param({"nbf": 2**33}, "token not yet valid", id="not yet"),
    pytest.param({"sub": "*"}, "user name not accepted", id="everyone"),
    pytest.param({"sub": "alice\u200b"}, "user name not accepted", id="a hidden character"),
    pytest.param({"sub": "alice\u2003"}, "user name not accepted", id="an outer space"),
    pytest.param({"sub": "Zoe\u0308"}, "user name not accepted", id="not NFC"),
    pytest.param({"header": {"kid": "nobody"}}, "unknown signing key", id="kid"),
    pytest.param({"header": {"alg": "none"}}, "signature algorithm not accepted", id="alg none"),
    pytest.param({"header": {"typ": "odd+jwt"}}, "token type not accepted", id="typ"),
]


@each_row(("changes", "words"), REFUSALS)
def test_refusal_names_the_check_in_fixed_words(server, changes, words):
    token = server.issuer.token(**{"aud": "kms", **changes})
    status, headers, body = raw(server, f"Authorization: Bearer {token}")
    challenge = fields(headers["www-authenticate"])
    assert status == 401
    assert challenge["error"] == "invalid_token"
    assert challenge["error_description"] == words
    assert challenge["realm"] == "kms"
    assert json.loads(body) == {"error": "invalid_token", "error_description": words}
    whole = json.dumps(headers) + body.decode()
    for secret in (token, *token.split("."), "kms_aud", server.issuer.uri, "else.example", "other"):
        assert secret not in whole


@pytest.mark.parametrize("token", ["rubbish", "a.b.c", "." * 5, "eyJ", "A" * 20_000], ids=len)
def test_what_is_no_token_is_401_malformed(server, token):
    status, headers, _ = raw(server, f"Authorization: Bearer {token}")
    assert status == 401
    assert fields(headers["www-authenticate"])["error_description"] == "token malformed"


def test_altered_signature_is_refused(server):
    head, payload, signature = server.token.split(".")
    other = ("A" if signature[0] != "A" else "B") + signature[1:]
    status, headers, _ = raw(server, f"Authorization: Bearer {head}.{payload}.{other}")
    assert status == 401
    assert fields(headers["www-authenticate"])["error_description"] == "signature not valid"


def test_missing_required_claim_is_403_insufficient_scope(tmp_path):
    with Issuer("ES256") as issuer:
        argv = trusting(issuer, "--jwt-required-claim", "scope=kms:use")
        with serving(*argv, cwd=tmp_path) as server:
            status, headers, body = raw(
                server, f"Authorization: Bearer {issuer.token(aud='kms', scope='other')}"
            )
            assert status == 403
            assert fields(headers["www-authenticate"])["error"] == "insufficient_scope"
            assert b"kms:use" not in body + headers["www-authenticate"].encode()
            good = issuer.token(aud="kms", scope="a kms:use")
            assert raw(server, f"Authorization: Bearer {good}")[0] == 200


def test_host_header_cannot_break_out_of_the_challenge(server):
    for host in ['a"b', "a\\", "a, Basic realm=x", "a b", "\xe9"]:
        answer = server.client.raw(
            b"POST /kmip_2_1 HTTP/1.1\r\nConnection: close\r\nHost: "
            + host.encode("latin-1")
            + b"\r\n\r\n"
        )
        if b"WWW-Authenticate" in answer or b"Www-Authenticate" in answer:
            line = re.search(rb"(?i)www-authenticate: (.*)\r\n", answer)[1]
            fields(line.decode())


def test_browser_of_another_origin_is_told_nothing(server):
    """A preflight is refused, and no answer names an origin that may read it (docs/security.md, "Abuse cases")."""
    origin = "Origin: https://evil.example"
    status, names, _ = raw(server, f"Authorization: Bearer {server.token}", origin)
    assert status == 200
    assert not [name for name in names if name.startswith("access-control-")]
    preflight = server.client.request(
        "OPTIONS", "/kmip_2_1", headers={"Origin": "https://evil.example"}
    )
    assert preflight.status == 401
    assert not [name for name in preflight.headers if name.lower().startswith("access-control-")]


def test_address_that_a_client_claims_is_not_believed(server):
    claimed = "203.0.113.77"
    headers = [f"{name}: {claimed}" for name in ("X-Forwarded-For", "X-Real-IP")]
    assert raw(server, f"Authorization: Bearer {server.token}", *headers)[0] == 200
    assert claimed not in server.log


def test_all_this_left_no_trace_of_a_bug_in_the_log(server):
    assert server.client.kmip(server.token, CREATE).status == 200
    check_log(server)
