"""Bound tokens in an application that embeds the token check: DPoP (RFC 9449) and client certificates (RFC 8705)."""

from __future__ import annotations

import base64
import logging
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tornado.web import Application
from tornado.websocket import WebSocketHandler

from kms_tornado import BearerAuth, BearerAuthMixin, BearerRequestHandler, requires
from kms_tornado.auth.bound.client_cert_header import read_client_cert
from kms_tornado.auth.bound.replays import SharedProofs
from kms_tornado.auth.deny_list import parse_deny_list
from kms_tornado.auth.issuers.issuer import TrustedIssuer, TrustSettings
from kms_tornado.auth.tokens.binding import encode_digest
from kms_tornado.auth.tokens.token_policy import TokenPolicy
from kms_tornado.errors import ConfigurationError, Unavailable
from kms_tornado.testing import TestIssuer

from ...bound_tokens import REFUSED, Asked, Fields, check_refusal, send
from ...proofs import dpop_headers, make_proof, thumbprint
from ...rows import each_row
from ...server import eventually
from ...support import Client, running

ISSUER = TestIssuer()
CERTIFICATE = b"DER of a certificate"


class Orders(BearerRequestHandler):
    def get(self) -> None:
        self.write({"user": self.current_user.name})

    post = get


class Scoped(BearerRequestHandler):
    @requires(scope="orders:write orders:read")
    def get(self) -> None:
        self.write("in")


class BehindProxy(BearerRequestHandler):
    def client_certificate(self) -> bytes | None:
        return read_client_cert(self.request.headers.get_list("Client-Cert"))

    def get(self) -> None:
        self.write("in")


class FromCookie(BearerRequestHandler):
    def bearer_token(self) -> str | None:
        return self.get_cookie("token")

    def get(self) -> None:
        self.write("in")


class FaultyHook(BearerRequestHandler):
    def request_url(self) -> str | None:
        raise KeyError("no such setting")

    def get(self) -> None:
        self.write("in")


class Echo(BearerAuthMixin, WebSocketHandler):
    def open(self, *args: str) -> None:
        self.write_message(self.current_user.name)


ROUTES = [
    ("/orders", Orders),
    ("/scoped", Scoped),
    ("/proxied", BehindProxy),
    ("/cookie", FromCookie),
    ("/faulty", FaultyHook),
    ("/socket", Echo),
]


def make_auth(
    shared: SharedProofs | None = None, public_url: str | None = None, **policy: Any
) -> BearerAuth:
    """The keys are there already, so that no server needs to be asked for them."""
    settings = TrustSettings(
        (TrustedIssuer(ISSUER.uri, audiences=frozenset({ISSUER.audience})),),
        TokenPolicy(**policy),
        public_url=public_url,
    )
    auth = ISSUER.auth(BearerAuth(settings))
    if shared is not None:
        auth.authenticator._possession = type(auth.authenticator._possession)(
            auth.settings.policy, time.time, shared
        )
    return auth


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with running(lambda: Application(ROUTES, bearer_auth=make_auth())) as client:
        yield client


def url_of(client: Client, path: str = "/orders") -> str:
    return f"http://127.0.0.1:{client.port}{path}"


def bound(**claims: Any) -> str:
    return ISSUER.token(cnf={"jkt": thumbprint()}, **claims)


def get(client: Client, path: str = "/orders", token: str = "", **changes: Any) -> Any:
    token = token or bound()
    return client.get(path, headers=dpop_headers("GET", url_of(client, path), token, **changes))


# --- DPoP -----------------------------------------------------------------------------------------


@each_row(("status", "code", "description", "make"), REFUSED)
def test_what_is_refused_and_its_twin_that_is_not(
    client: Client, status: int, code: str, description: str, make: Callable[[Asked], Fields]
) -> None:
    asked = Asked.by(ISSUER.token, "GET", url_of(client))
    fields = make(asked)
    check_refusal(
        send(client.port, "GET", "/orders", fields),
        status,
        code,
        description,
        fields[0][1].split()[0],
    )
    good = send(client.port, "GET", "/orders", asked.fields(asked.proof()))
    assert (good.status, good.json()) == (200, {"user": "alice"})
    assert send(client.port, "GET", "/orders", fields).status == status, "remembered, and refused"


@pytest.mark.parametrize("alg", ["ES256", "RS256", "PS256", "EdDSA"])
def test_every_kind_of_key_proves(client: Client, alg: str) -> None:
    token = ISSUER.token(cnf={"jkt": thumbprint(alg)})
    assert get(client, token=token, alg=alg).status == 200
    assert get(client, token=token, alg=alg).status == 200


def test_a_proof_is_good_once_whatever_it_is_sent_with(client: Client) -> None:
    token = bound()
    headers = dpop_headers("GET", url_of(client), token)
    assert client.get("/orders", headers=headers).status == 200
    answer = client.get("/orders", headers=headers)
    check_refusal(answer, 401, "invalid_dpop_proof", "used before", "DPoP")
    assert client.get("/orders?a=b", headers=headers).status == 401


def test_a_proof_that_was_refused_is_not_used_up(client: Client) -> None:
    headers = dpop_headers("GET", url_of(client), bound())
    assert client.post("/orders", headers=headers).status == 401
    assert client.get("/orders", headers=headers).status == 200


def test_the_same_jti_by_another_client_is_no_replay(client: Client) -> None:
    assert get(client, jti="the same").status == 200
    token = ISSUER.token(cnf={"jkt": thumbprint("ES256", "other")})
    assert get(client, token=token, name="other", jti="the same").status == 200
    assert get(client, jti="the same").status == 401


def test_the_path_is_compared_and_the_query_is_not(client: Client) -> None:
    token = bound()
    headers = dpop_headers("GET", url_of(client) + "?x=1#y", token)
    assert client.get("/orders?a=b", headers=headers).status == 200


def test_the_scheme_is_compared_without_case(client: Client) -> None:
    headers = dpop_headers("GET", url_of(client), bound())
    headers["Authorization"] = headers["Authorization"].replace("DPoP", "dPOP")
    assert client.get("/orders", headers=headers).status == 200


def test_a_client_with_a_wrong_clock_gets_in_by_the_nonce_and_is_given_the_next_one(
    client: Client,
) -> None:
    nonce = get(client, iat=1).headers["DPoP-Nonce"]
    answer = get(client, iat=1, nonce=nonce)
    assert answer.status == 200
    assert answer.headers["DPoP-Nonce"] is None, "this one is good for a while"


def test_an_old_nonce_is_good_once_more_and_is_followed_by_a_new_one(client: Client) -> None:
    auth = make_auth()
    nonces = auth.authenticator._possession._nonces
    with running(lambda: Application(ROUTES, bearer_auth=auth)) as other:
        nonce = nonces.make(time.time() - 100)
        answer = get(other, nonce=nonce)
        assert answer.status == 200
        assert get(other, nonce=answer.headers["DPoP-Nonce"]).status == 200
    assert get(client, nonce=nonce).status == 401, "of another application"


def test_where_nonces_are_needed_each_proof_has_one() -> None:
    auth = make_auth(needs_dpop_nonce=True)
    with running(lambda: Application(ROUTES, bearer_auth=auth)) as client:
        answer = get(client)
        check_refusal(answer, 401, "use_dpop_nonce", "needs the nonce", "DPoP")
        assert get(client, nonce=answer.headers["DPoP-Nonce"]).status == 200


def test_a_token_elsewhere_than_in_the_header_cannot_be_proven(client: Client) -> None:
    token = bound()
    cookie = {
        "Cookie": f"token={token}",
        "DPoP": make_proof("GET", url_of(client, "/cookie"), token),
    }
    assert client.get("/cookie", headers=cookie).status == 401
    assert client.get("/cookie", headers={"Cookie": f"token={ISSUER.token()}"}).status == 200


def test_a_web_socket_is_opened_by_a_proof(client: Client) -> None:
    upgrade = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
    }
    headers = dpop_headers("GET", url_of(client, "/socket"), bound())
    fields = {**headers, **upgrade, "Host": f"127.0.0.1:{client.port}"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    request = f"GET /socket HTTP/1.1\r\n{lines}\r\n".encode()
    for status in (b"101", b"401"):
        with socket.create_connection(("127.0.0.1", client.port), timeout=10) as sock:
            sock.sendall(request)
            assert sock.recv(12) == b"HTTP/1.1 " + status


def test_a_hook_that_fails_lets_nobody_in(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    assert get(client, "/faulty").status == 500
    eventually(lambda: "no such setting" in caplog.text)
    assert client.get("/faulty", token=ISSUER.token()).status == 200, "it is not asked"


def test_a_memory_that_is_out_of_reach_lets_nobody_in() -> None:
    class Dead:
        async def use(self, digest: bytes, until: float, user: str) -> bool:
            raise Unavailable("the database is out of reach", cause="timeout")

    auth = make_auth(SharedProofs(Dead(), bytes(32)))
    with running(lambda: Application(ROUTES, bearer_auth=auth)) as client:
        answer = get(client)
        assert (answer.status, answer.json()["error"]) == (503, "temporarily_unavailable")
        assert answer.headers["Retry-After"]
        assert client.get("/orders", token=ISSUER.token()).status == 200
    assert auth.statistics().outcomes == {"unavailable": 1, "ok": 1}


def test_a_token_that_is_denied_while_its_proof_is_remembered_is_refused() -> None:
    """Web sockets that are open by then are closed, and this one would be open until its token expires."""

    class Slow:
        async def use(self, digest: bytes, until: float, user: str) -> bool:
            auth.authenticator.denied = parse_deny_list(b"sub=alice")
            return True

    auth = make_auth(SharedProofs(Slow(), bytes(32)))
    with running(lambda: Application(ROUTES, bearer_auth=auth)) as client:
        assert get(client).json()["error_description"] == "token denied"


# --- by which URL ----------------------------------------------------------------------------------


def test_the_public_url_is_the_one_that_counts() -> None:
    auth = make_auth(public_url="https://api.example/v1/")
    with running(lambda: Application(ROUTES, bearer_auth=auth)) as client:
        token = bound()
        for good in ("https://api.example/v1/orders", "https://API.example:443/v1/%6frders"):
            headers = dpop_headers("GET", good, token)
            assert client.get("/orders", headers=headers).status == 200
        for bad in (url_of(client), "https://api.example/orders", "http://api.example/v1/orders"):
            headers = dpop_headers("GET", bad, token) | {"Host": "api.example"}
            assert client.get("/orders", headers=headers).status == 401


@pytest.mark.parametrize("public_url", ["https://api.example", None])
def test_a_target_without_a_slash_does_not_go_on_with_the_host(public_url: str | None) -> None:
    """A route may match any path, and whom the client made its proof for may pass it on."""
    auth = make_auth(public_url=public_url)
    with running(lambda: Application([(".*", Orders)], bearer_auth=auth)) as client:
        token, base = bound(), public_url or "http://localhost"
        for target, status in ((".evil.example/orders", 401), ("/orders", 200)):
            headers = dpop_headers("GET", f"{base}{target}", token) | {"Host": "localhost"}
            assert client.get(target, headers=headers).status == status


def test_without_one_no_host_but_the_loopback_interface_is_believed(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    token = bound()
    for host in ("localhost", "[::1]"):
        name = f"{host}:{client.port}"
        headers = dpop_headers("GET", f"http://{name}/orders", token)
        assert client.get("/orders", headers=headers | {"Host": name}).status == 200
    headers = dpop_headers("GET", "http://evil.example/orders", token)
    assert client.get("/orders", headers=headers | {"Host": "evil.example"}).status == 401
    eventually(lambda: "the URL by which clients reach this server is not known" in caplog.text)


@each_row("url", ["api.example", "https://api.example/?a=b", "ftp://x", ""])
def test_a_public_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError):
        make_auth(public_url=url)


# --- client certificates --------------------------------------------------------------------------


def by_certificate(**cnf: str) -> str:
    return ISSUER.token(cnf={"x5t#S256": encode_digest(CERTIFICATE), **cnf})


def header_of(certificate: bytes) -> dict[str, str]:
    return {"Client-Cert": f":{base64.b64encode(certificate).decode()}:"}


def test_a_certificates_token_comes_with_it_each_time(client: Client) -> None:
    token = by_certificate()
    for _ in range(2):
        assert client.get("/proxied", token=token, headers=header_of(CERTIFICATE)).status == 200
        missing = client.get("/proxied", token=token)
        check_refusal(missing, 401, "invalid_token", "needs its client certificate", "Bearer")
        other = client.get("/proxied", token=token, headers=header_of(b"another"))
        check_refusal(other, 401, "invalid_token", "another client certificate", "Bearer")


def test_a_header_counts_where_the_handler_reads_it_alone(client: Client) -> None:
    token = by_certificate()
    assert client.get("/orders", token=token, headers=header_of(CERTIFICATE)).status == 401


def test_a_token_that_is_bound_twice_is_proven_twice(client: Client) -> None:
    token = by_certificate(jkt=thumbprint())
    url = url_of(client, "/proxied")
    both = dpop_headers("GET", url, token) | header_of(CERTIFICATE)
    assert client.get("/proxied", headers=both).status == 200
    assert client.get("/proxied", headers=dpop_headers("GET", url, token)).status == 401
    assert client.get("/proxied", token=token, headers=header_of(CERTIFICATE)).status == 401


def test_a_certificates_token_is_no_dpop_token(client: Client) -> None:
    token = by_certificate()
    headers = dpop_headers("GET", url_of(client, "/proxied"), token) | header_of(CERTIFICATE)
    answer = client.get("/proxied", headers=headers)
    check_refusal(answer, 401, "invalid_token", "not bound to a DPoP key", "DPoP")


# --- the three rules ------------------------------------------------------------------------------


def test_where_bindings_are_required_no_other_token_gets_in() -> None:
    auth = make_auth(bound_tokens="required")
    with running(lambda: Application(ROUTES, bearer_auth=auth)) as client:
        answer = client.get("/orders", token=ISSUER.token())
        check_refusal(answer, 401, "invalid_token", "not bound to a key or certificate", "Bearer")
        assert get(client).status == 200


def test_where_bindings_are_off_whoever_holds_a_token_gets_in() -> None:
    auth = make_auth(bound_tokens="off")
    with running(lambda: Application(ROUTES, bearer_auth=auth)) as client:
        assert client.get("/orders", token=bound()).status == 200
        assert client.get("/orders", token=ISSUER.token(cnf={"kid": "x"})).status == 200
        answer = get(client)
        assert answer.status == 401, "the scheme is not taken"
        assert answer.headers.get_all("WWW-Authenticate") == ['Bearer realm="kms"']


@pytest.mark.parametrize("cnf", [{}, None, {"kid": "k"}, {"jkt": 5}, {"jwk": {}}])
def test_a_binding_that_is_not_known_is_not_passed_over(client: Client, cnf: Any) -> None:
    claims = {"cnf": cnf} if cnf is not None else {"cnf": []}
    answer = client.get("/orders", token=ISSUER.token(**claims))
    check_refusal(answer, 401, "invalid_token", "not known here", "Bearer")


# --- what is told ---------------------------------------------------------------------------------


def test_a_challenge_names_the_scope_that_the_method_needs(client: Client) -> None:
    for answer in (client.get("/scoped"), client.get("/scoped", token=ISSUER.token())):
        for challenge in answer.headers.get_all("WWW-Authenticate"):
            assert 'scope="orders:write orders:read"' in challenge


def test_the_log_says_which_check_failed_and_shows_no_proof(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    token = bound()
    headers = dpop_headers("GET", url_of(client), token, jti="only once")
    for _ in range(2):
        client.get("/orders", headers=headers)
    eventually(lambda: "its jti was used before" in caplog.text)
    record = next(one for one in caplog.records if "its jti was used before" in one.getMessage())
    assert record.fields["reason"] == "dpop_replay"  # type: ignore[attr-defined]
    assert headers["DPoP"] not in caplog.text
    assert token not in caplog.text


def test_each_decision_is_counted_once() -> None:
    auth = make_auth()
    with running(lambda: Application(ROUTES, bearer_auth=auth)) as client:
        token = bound()
        used = dpop_headers("GET", url_of(client), token)
        for _ in range(2):
            client.get("/orders", headers=used)
        get(client, token=token)
        client.get("/orders", token=token)
        client.get("/orders", headers={"Authorization": f"DPoP {ISSUER.token()}"})
    assert auth.statistics().outcomes == {
        "ok": 2,
        "dpop_replay": 1,
        "dpop_missing": 1,
        "unbound": 1,
    }
