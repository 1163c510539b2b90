"""Bound tokens in a server: every way into it decides alike, and workers and servers of a database remember together."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from kms_tornado.auth.tokens.binding import encode_digest

from .. import postgres
from ..audit_rows import find_records
from ..bound_tokens import REFUSED, Asked, Fields, check_refusal, send
from ..issuer import Issuer
from ..keys import certificate, private_key, private_pem
from ..kmip_server.authority import Authority
from ..proofs import dpop_headers, thumbprint
from ..rows import each_row
from ..server import CREATE, ServerProcess, eventually, serving, trusting

BODY = json.dumps(CREATE).encode()
MANY = 16  # requests, a connection each, so that both workers get some


@pytest.fixture(scope="module")
def server(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Of two workers, each of which has to refuse what the other one took."""
    directory = tmp_path_factory.mktemp("bound")
    options = trusting(
        issuer, "--workers", "2", "--metrics", "--jwt-required-claim", "scope=kms:use"
    )
    with serving(*options, "--data-dir", str(directory / "data"), cwd=directory) as running:
        yield running


def issue(issuer: Issuer) -> Callable[..., str]:
    return lambda **claims: issuer.token(aud="kms", scope="kms:use", **claims)


def bound(issuer: Issuer, **claims: Any) -> str:
    return issue(issuer)(sub="alice", cnf={"jkt": thumbprint()}, **claims)


@each_row(("method", "path"), [("GET", "/whoami"), ("POST", "/kmip_2_1")])
@each_row(("status", "code", "description", "make"), REFUSED)
def test_what_is_refused_and_its_twin_that_is_not(
    server: ServerProcess,
    issuer: Issuer,
    method: str,
    path: str,
    status: int,
    code: str,
    description: str,
    make: Callable[[Asked], Fields],
) -> None:
    """A POST with a known token takes the fast lane, unless the token is bound."""
    asked = Asked.by(issue(issuer), method, f"{server.url}{path}")
    json_body = [("Content-Type", "application/json")]
    body = BODY if method == "POST" else b""
    fields = [*make(asked), *json_body]
    scheme = fields[0][1].split()[0]
    for _ in range(2):  # each worker may see it for the first time
        answer = send(server.port, method, path, fields, body)
        check_refusal(answer, status, code, description, scheme)
        good = send(server.port, method, path, [*asked.fields(asked.proof()), *json_body], body)
        assert good.status == 200, good.text


def statuses(server: ServerProcess, headers: dict[str, str], path: str = "/whoami") -> list[int]:
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda _: server.client.get(path, headers=headers).status, range(MANY))
        return sorted(answers)


def test_of_all_workers_one_takes_a_proof_once(server: ServerProcess, issuer: Issuer) -> None:
    headers = dpop_headers("GET", f"{server.url}/whoami", bound(issuer))
    assert statuses(server, headers) == [200] + [401] * (MANY - 1)


def test_every_worker_takes_the_nonce_of_another_one(server: ServerProcess, issuer: Issuer) -> None:
    token, url = bound(issuer), f"{server.url}/whoami"
    nonces = set()
    for _ in range(MANY):
        answer = server.client.get("/whoami", headers=dpop_headers("GET", url, token, iat=1))
        nonces.add(answer.headers["DPoP-Nonce"])
    for nonce in nonces:
        for _ in range(4):
            headers = dpop_headers("GET", url, token, iat=1, nonce=nonce)
            assert server.client.get("/whoami", headers=headers).status == 200


def test_refusals_are_counted_logged_and_recorded_by_reason(
    server: ServerProcess, issuer: Issuer
) -> None:
    # Only a hundred refusals of one second have a record each, and other tests cause more than that.
    time.sleep(1)
    headers = dpop_headers("GET", f"{server.url}/whoami", bound(issuer))
    answers = [server.client.get("/whoami", headers=headers) for _ in range(2)]
    assert [answer.status for answer in answers] == [200, 401]
    identifier = answers[1].headers["X-Request-ID"]
    assert 'outcome="dpop_replay"' in server.client.get("/metrics").text
    eventually(lambda: "its jti was used before" in server.log)

    def reasons() -> list[str]:
        found = find_records(Path(server.cwd) / "data/kms.db", request_id=identifier)
        return [record["reason"] for record in found]

    assert eventually(reasons) == ["dpop_replay"]
    assert headers["DPoP"] not in server.log


def test_the_metadata_and_the_challenge_say_what_is_needed(server: ServerProcess) -> None:
    document = server.client.get("/.well-known/oauth-protected-resource").json()
    assert document["scopes_supported"] == ["kms:use"]
    for challenge in server.client.get("/whoami").headers.get_all("WWW-Authenticate"):
        assert 'scope="kms:use"' in challenge
        assert "resource_metadata=" in challenge


def test_two_servers_of_one_database_take_a_proof_once(issuer: Issuer, tmp_path: Path) -> None:
    url = "https://kms.example"
    options = trusting(
        issuer, "--public-url", url, "--database-url", postgres.cluster().new_database()
    )
    with (
        serving(*options, "--data-dir", "one", cwd=tmp_path) as one,
        serving(
            *options, "--data-dir", "two", "--master-key-file", "one/master.key", cwd=tmp_path
        ) as two,
    ):
        token = bound(issuer)
        for first, second in ((one, two), (two, one)):
            headers = dpop_headers("GET", f"{url}/whoami", token)
            assert first.client.get("/whoami", headers=headers).status == 200
            assert second.client.get("/whoami", headers=headers).status == 401
        stale = dpop_headers("GET", f"{url}/whoami", token, iat=1)
        nonce = one.client.get("/whoami", headers=stale).headers["DPoP-Nonce"]
        fresh = dpop_headers("GET", f"{url}/whoami", token, iat=1, nonce=nonce)
        assert two.client.get("/whoami", headers=fresh).status == 200


def test_a_database_that_cannot_be_written_lets_no_proof_in(issuer: Issuer, tmp_path: Path) -> None:
    error = "the database is out of reach"
    with serving(
        *trusting(issuer), "--data-dir", "data", cwd=tmp_path, expected_error=error
    ) as server:
        token, url = issuer.token(aud="kms", cnf={"jkt": thumbprint()}), f"{server.url}/whoami"
        headers = dpop_headers("GET", url, token)
        database, away = tmp_path / "data/kms.db", tmp_path / "data/away.db"
        database.rename(away)
        answer = server.client.get("/whoami", headers=headers)
        assert (answer.status, answer.json()["error"]) == (503, "temporarily_unavailable")
        assert answer.headers["Retry-After"]
        away.rename(database)
        eventually(
            lambda: (
                server.client.get("/whoami", headers=dpop_headers("GET", url, token)).status == 200
            )
        )


# --- behind a proxy, and with client certificates -------------------------------------------------


#: {name: of a client, DER}
CERTIFICATES: dict[str, bytes] = {}


@pytest.fixture(scope="module")
def proxied(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Whoever comes over TLS with a certificate is a client; 127.0.0.2 is the proxy."""
    directory = tmp_path_factory.mktemp("proxied")
    own = private_key("ES256", "tls of bound tokens")
    (directory / "server.pem").write_bytes(certificate(own) + private_pem(own))
    authority = Authority(directory)
    for name in ("alice", "mallory"):
        issued = authority.issue(name, name)
        (directory / f"{name}.both").write_bytes(issued.cert.read_bytes() + issued.key.read_bytes())
        CERTIFICATES[name] = issued.parsed.public_bytes(Encoding.DER)
    options = trusting(
        issuer, "--trusted-proxies", "127.0.0.2", "--public-url", "https://kms.example/kms",
        "--tls-cert-file", "server.pem", "--tls-key-file", "server.pem", "--clients-ca-cert-file", str(authority.file),
    )  # fmt: skip
    with serving(*options, cwd=directory, tls=context_of(directory, "alice")) as running:
        yield running


def context_of(directory: Path, name: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.load_cert_chain(directory / f"{name}.both")
    return context


def digest_of(name: str) -> str:
    return encode_digest(CERTIFICATES[name])


def header_of(name: str) -> str:
    return f":{base64.b64encode(CERTIFICATES[name]).decode()}:"


def ask(
    server: ServerProcess,
    token: str,
    client: str,
    *told: str,
    source: str = "127.0.0.1",
    headers: dict[str, str] | None = None,
) -> int:
    """The status. client: whose certificate the connection has. told: values of Client-Cert."""
    connection = http.client.HTTPSConnection(
        "127.0.0.1",
        server.port,
        timeout=15,
        context=context_of(server.cwd, client),
        source_address=(source, 0),
    )
    with closing(connection):
        connection.putrequest("GET", "/whoami", skip_host="Host" in (headers or {}))
        for name, value in (headers or {"Authorization": f"Bearer {token}"}).items():
            connection.putheader(name, value)
        for value in told:
            connection.putheader("Client-Cert", value)
        connection.endheaders()
        return connection.getresponse().status


PROXY = "127.0.0.2"


@pytest.mark.parametrize(
    ("client", "told", "source", "status"),
    [
        pytest.param("alice", (), "127.0.0.1", 200, id="by her own connection"),
        pytest.param("mallory", (), "127.0.0.1", 401, id="by another one's"),
        pytest.param("mallory", ("alice",), "127.0.0.1", 401, id="with a header of the client's own"),
        pytest.param("alice", ("mallory",), "127.0.0.1", 200, id="whose header counts as little"),
        pytest.param("mallory", ("alice",), PROXY, 200, id="by the proxy that tells it"),
        pytest.param("mallory", ("mallory",), PROXY, 401, id="by the proxy that tells another one"),
        pytest.param("mallory", ("alice", "mallory"), PROXY, 401, id="by a proxy that adds a second one"),
        pytest.param("mallory", ("alice", "alice"), PROXY, 401, id="by a proxy that adds it again"),
        pytest.param("alice", (), PROXY, 401, id="by the proxy, whose own it is"),
    ],
)  # fmt: skip
def test_a_certificates_token_is_good_with_it_alone(
    proxied: ServerProcess,
    issuer: Issuer,
    client: str,
    told: Sequence[str],
    source: str,
    status: int,
) -> None:
    token = issuer.token(aud="kms", sub="alice", cnf={"x5t#S256": digest_of("alice")})
    for _ in range(2):
        assert ask(proxied, token, client, *map(header_of, told), source=source) == status


def test_the_certificate_of_each_request_counts_on_a_connection_that_clients_share(
    proxied: ServerProcess, issuer: Issuer
) -> None:
    """A proxy sends what several clients ask over one connection, by /whoami and by the fast lane."""
    token = issuer.token(aud="kms", sub="alice", cnf={"x5t#S256": digest_of("alice")})
    told = [("alice",), ("mallory",), ("alice",), (), ("mallory", "alice"), ("alice",)]
    connection = http.client.HTTPSConnection(
        "127.0.0.1",
        proxied.port,
        timeout=15,
        context=context_of(proxied.cwd, "mallory"),
        source_address=(PROXY, 0),
    )
    with closing(connection):
        for method, path in (("GET", "/whoami"), ("POST", "/kmip_2_1")):
            for names in told:
                connection.putrequest(method, path)
                connection.putheader("Authorization", f"Bearer {token}")
                connection.putheader("Content-Type", "application/json")
                connection.putheader("Content-Length", str(len(BODY) if method == "POST" else 0))
                for name in names:
                    connection.putheader("Client-Cert", header_of(name))
                connection.endheaders(BODY if method == "POST" else None)
                answer = connection.getresponse()
                answer.read()
                assert answer.status == (200 if names == ("alice",) else 401), (path, names)


def test_a_header_that_is_none_is_no_certificate(proxied: ServerProcess, issuer: Issuer) -> None:
    """The log tells who sets up the proxy what the header should be."""
    said = "the proxy's Client-Cert is not one certificate in DER and base64 between colons"
    before = proxied.log.count(said)
    token = issuer.token(aud="kms", sub="alice", cnf={"x5t#S256": digest_of("alice")})
    for value in (
        "",
        "x",
        "::",
        header_of("alice")[1:],
        header_of("alice")[1:-1],
    ):
        assert ask(proxied, token, "mallory", value, source=PROXY) == 401
    assert eventually(lambda: proxied.log.count(said) == before + 5)
    assert ask(proxied, token, "mallory", source=PROXY) == 401
    assert eventually(lambda: "no client certificate came with the token" in proxied.log)


def test_the_public_url_counts_for_proofs_and_no_host(
    proxied: ServerProcess, issuer: Issuer
) -> None:
    token = issuer.token(aud="kms", sub="alice", cnf={"jkt": thumbprint()})
    good = dpop_headers("GET", "https://kms.example/kms/whoami", token)
    assert ask(proxied, token, "alice", headers=good) == 200
    for url in (
        f"{proxied.url}/whoami",
        "https://kms.example/whoami",
        "https://evil.example/whoami",
    ):
        bad = dpop_headers("GET", url, token)
        assert ask(proxied, token, "alice", headers={**bad, "Host": "evil.example"}) == 401


def test_the_metadata_name_both_ways_to_bind_a_token(proxied: ServerProcess) -> None:
    document = proxied.client.get("/.well-known/oauth-protected-resource").json()
    assert document["tls_client_certificate_bound_access_tokens"] is True
    assert {"ES256", "EdDSA", "Ed25519"} <= set(document["dpop_signing_alg_values_supported"])
    assert "dpop_bound_access_tokens_required" not in document


def test_where_bindings_are_required_and_nonces_too(issuer: Issuer, tmp_path: Path) -> None:
    options = trusting(issuer, "--jwt-bound-tokens", "required", "--jwt-dpop-nonce")
    with serving(*options, cwd=tmp_path) as server:
        document = server.client.get("/.well-known/oauth-protected-resource").json()
        assert document["dpop_bound_access_tokens_required"] is True
        answer = server.client.get("/whoami", token=issuer.token(aud="kms"))
        check_refusal(answer, 401, "invalid_token", "not bound to a key or certificate", "Bearer")
        token, url = issuer.token(aud="kms", cnf={"jkt": thumbprint()}), f"{server.url}/whoami"
        answer = server.client.get("/whoami", headers=dpop_headers("GET", url, token))
        check_refusal(answer, 401, "use_dpop_nonce", "needs the nonce", "DPoP")
        headers = dpop_headers("GET", url, token, nonce=answer.headers["DPoP-Nonce"])
        assert server.client.get("/whoami", headers=headers).status == 200


def test_where_they_are_off_the_start_warns_and_a_bound_token_is_any_other(
    issuer: Issuer, tmp_path: Path
) -> None:
    with serving(*trusting(issuer, "--jwt-bound-tokens", "off"), cwd=tmp_path) as server:
        server.wait_for_line("BOUND TOKENS ARE TAKEN AS ANY OTHERS")
        token = issuer.token(aud="kms", cnf={"jkt": thumbprint()})
        assert server.client.get("/whoami", token=token).status == 200
        document = server.client.get("/.well-known/oauth-protected-resource").json()
        assert not [name for name in document if "dpop" in name or "tls" in name]
