"""conf/nginx.conf and conf/haproxy.cfg, with the real nginx and the real HAProxy in front of real servers."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from kms_tornado.auth.bound.client_cert_header import read_client_cert

from ..issuer import Issuer
from ..kmip_items import attributes, batch_item, message
from ..kmip_items import name as enumeration
from ..kmip_server.authority import Authority
from ..server import CREATE, Client, ServerProcess, data, eventually, node, serving, trusting
from ..ttlv import in_binary, in_json
from .proxies import Echo, Proxy, haproxy, nginx, program, write_certificate

MAX_BODY = 16 * 1024 * 1024
MAX_TOKEN = 16 * 1024
MAKE: dict[str, Callable[..., Proxy]] = {"nginx": nginx, "haproxy": haproxy}


@pytest.fixture(scope="module", params=MAKE)
def kind(request: pytest.FixtureRequest) -> str:
    program(request.param)
    return str(request.param)


@pytest.fixture(scope="module")
def directory(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp(kind)
    write_certificate(made)
    return made


def client_of(proxy: Proxy, directory: Path) -> Client:
    return Client(proxy.port, tls=ssl.create_default_context(cafile=directory / "kms.crt"))


@pytest.fixture(scope="module")
def servers(issuer: Issuer, directory: Path) -> Iterator[list[ServerProcess]]:
    """Two on one database. The second one has no keys of the issuer yet."""
    (directory / "data").mkdir(mode=0o700)
    data = ("--data-dir", str(directory / "data"), "--metrics")
    late = (f"--jwks-uri=file://{directory}/keys.json", "--jwks-cooldown=0")
    with (
        serving(*trusting(issuer), *data, cwd=directory) as first,
        ServerProcess(*trusting(issuer), *data, *late, cwd=directory) as second,
    ):
        eventually(lambda: first.client.get("/ready").status == 200)
        yield [first, second]


@pytest.fixture(scope="module")
def client(kind: str, directory: Path, servers: list[ServerProcess]) -> Iterator[Client]:
    with MAKE[kind](directory, [server.port for server in servers]) as proxy:
        client = client_of(proxy, directory)
        eventually(lambda: client.get("/ready").status == 200)
        yield client


def posts(server: ServerProcess) -> int:
    return server.log.count(" POST /kmip_2_1 ")


def test_server_that_is_not_ready_gets_no_requests_until_it_is(
    client: Client, issuer: Issuer, directory: Path, servers: list[ServerProcess]
) -> None:
    token, (first, second) = issuer.token(aud="kms"), servers
    assert second.client.get("/ready").status == 503
    # A proxy that has just started asks a server for the first time a moment later.
    eventually(lambda: all(client.get("/ready").status == 200 for _ in range(6)))
    for _ in range(6):
        client.create(token)
    eventually(lambda: posts(first) == 6)
    assert posts(second) == 0
    (directory / "keys.json").write_text(json.dumps({"keys": issuer.keys}))
    second.send(signal.SIGHUP)
    eventually(lambda: second.client.get("/ready").status == 200)
    eventually(lambda: client.create(token) and posts(second), timeout_s=30)


def test_key_is_made_and_read(client: Client, issuer: Issuer) -> None:
    token = issuer.token(aud="kms")
    uid = client.create(token)
    answer = client.get_key(token, uid)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"


def test_challenge_comes_through(client: Client) -> None:
    answer = client.post("/kmip_2_1", body=CREATE)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="kms"')


def test_binary_message_comes_through(client: Client, issuer: Issuer) -> None:
    create = batch_item("Create", enumeration("ObjectType", "SymmetricKey"), attributes(bits=256))
    answer = client.post(
        "/kmip",
        token=issuer.token(aud="kms"),
        body=in_binary(message(create)),
        headers={"Content-Type": "application/octet-stream"},
    )
    assert answer.status == 200
    assert "Success" in json.dumps(in_json(answer.body))


@pytest.mark.parametrize(
    ("length", "status", "answer"),
    [(MAX_BODY, 422, "CryptographicParameters is missing"), (MAX_BODY + 2, 413, "")],
    ids=["as long as allowed", "longer"],
)
def test_body_may_be_as_long_as_the_server_takes_it(
    client: Client, issuer: Issuer, length: int, status: int, answer: str
) -> None:
    """The server reads the whole body, and says itself what is missing in it."""
    empty = len(json.dumps(node("Hash", data("Data", b""))))
    request = node("Hash", data("Data", bytes((length - empty) // 2)))
    body = json.dumps(request).encode().ljust(length)
    assert len(body) == length
    headers = {"Content-Type": "application/json"}
    answered = client.post(
        "/kmip_2_1", token=issuer.token(aud="kms"), body=body, headers=headers, timeout_s=60
    )
    assert answered.status == status
    assert answer in answered.text


def test_token_may_be_as_long_as_the_server_takes_it(client: Client, issuer: Issuer) -> None:
    filling = MAX_TOKEN - len(issuer.token(aud="kms", filling=""))
    token = issuer.token(aud="kms", filling="x" * (filling * 3 // 4 - 4))
    assert MAX_TOKEN - 16 < len(token) <= MAX_TOKEN
    assert client.create(token)


def test_metrics_are_not_for_the_outside(client: Client, servers: list[ServerProcess]) -> None:
    assert client.get("/metrics").status == 404
    assert servers[0].client.get("/metrics").status == 200


# --- what the server is told, and what is logged ------------------------------------------------


@pytest.fixture(scope="module")
def echo() -> Iterator[Echo]:
    with Echo() as running:
        yield running


@pytest.fixture
def proxy(kind: str, echo: Echo, tmp_path: Path) -> Iterator[Proxy]:
    write_certificate(tmp_path)
    echo.requests.clear()
    echo.connections = 0
    with MAKE[kind](tmp_path, [echo.port]) as running:
        client = client_of(running, tmp_path)
        eventually(lambda: client.get("/version").status == 200)
        echo.requests.clear()
        echo.connections = 0
        yield running


def test_headers_that_only_a_proxy_may_set_are_its_own(
    proxy: Proxy, echo: Echo, tmp_path: Path
) -> None:
    forged = {
        "X-Request-ID": "forged", "X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "gopher",
        "Host": "kms.example.com", "Client-Cert": ":AAAA:",
    }  # fmt: skip
    client = client_of(proxy, tmp_path)
    for _ in range(2):
        client.get("/health", token="t", headers=forged)
    first, second = (headers for _, _, headers in echo.requests)
    assert first["X-Forwarded-For"] == "127.0.0.1"
    assert first["X-Forwarded-Proto"] == "https"
    assert first["Host"] == "kms.example.com"
    assert first["Client-Cert"] is None
    assert first["Authorization"] == "Bearer t"
    identifiers = {first["X-Request-ID"], second["X-Request-ID"]}
    assert len(identifiers) == 2
    assert all(re.fullmatch(r"[0-9a-f-]{32,36}", identifier) for identifier in identifiers)
    eventually(lambda: all(identifier in proxy.log for identifier in identifiers))


def test_certificate_of_the_client_is_told_and_no_other(
    kind: str, echo: Echo, tmp_path: Path
) -> None:
    write_certificate(tmp_path)
    authority = Authority(tmp_path, "clients-ca")
    long = tuple(f"https://clients.example/{number:0100}" for number in range(8))
    clients = [authority.issue("short", "alice"), authority.issue("long", "bob", uris=long)]
    with MAKE[kind](tmp_path, [echo.port], clients_ca=authority.file) as running:
        eventually(lambda: client_of(running, tmp_path).get("/version").status == 200)
        for certificate in clients:
            client = client_of(running, tmp_path)
            assert client.tls is not None
            client.tls.load_cert_chain(certificate.cert, certificate.key)
            echo.requests.clear()
            client.get("/health", headers={"Client-Cert": ":AAAA:"})
            [(_, _, headers)] = echo.requests
            der = certificate.parsed.public_bytes(Encoding.DER)
            assert read_client_cert(headers.get_all("Client-Cert", [])) == der
        echo.requests.clear()
        client_of(running, tmp_path).get("/health", headers={"Client-Cert": ":AAAA:"})
        assert echo.requests[0][2]["Client-Cert"] is None


def test_connections_to_the_server_are_kept(proxy: Proxy, echo: Echo, tmp_path: Path) -> None:
    with contextlib.closing(client_of(proxy, tmp_path).connection()) as connection:
        for _ in range(20):
            connection.request("GET", "/health")
            assert connection.getresponse().read() == b"{}"
    assert echo.connections <= 2


def test_log_has_no_token(proxy: Proxy, tmp_path: Path) -> None:
    client = client_of(proxy, tmp_path)
    token = "eyJhbGciOiJFUzI1NiJ9.c2VjcmV0.c2lnbmF0dXJl"
    client.get(f"/health?access_token={token}", token=token, headers={"Cookie": f"a={token}"})
    client.post(f"/kmip_2_1?access_token={token}", token=token, body=b"{}")
    eventually(lambda: "POST /kmip_2_1" in proxy.log)
    written = "".join(path.read_text() for path in tmp_path.glob("*.log")) + proxy.log
    assert "GET /health" in written
    assert token not in written
    assert "access_token" not in written


# --- servers that go ----------------------------------------------------------------------------


def test_stop_of_a_server_loses_no_request_after_it(
    kind: str, issuer: Issuer, tmp_path: Path
) -> None:
    write_certificate(tmp_path)
    (tmp_path / "data").mkdir(mode=0o700)
    options = (*trusting(issuer), "--data-dir", str(tmp_path / "data"))
    with (
        serving(*options, cwd=tmp_path) as first,
        serving(*options, cwd=tmp_path) as second,
        MAKE[kind](tmp_path, [first.port, second.port]) as proxy,
    ):
        client, token = client_of(proxy, tmp_path), issuer.token(aud="kms")
        eventually(lambda: client.get("/ready").status == 200)
        eventually(lambda: client.create(token) and posts(first) and posts(second))
        assert first.stop() == 0
        for _ in range(10):
            client.create(token)


# --- TLS that passes through --------------------------------------------------------------------


def tls_server_options(directory: Path) -> tuple[str, ...]:
    crt = str(directory / "kms.crt")
    return ("--tls-cert-file", crt, "--tls-key-file", str(directory / "kms.key"), "--clients-ca-cert-file", crt)  # fmt: skip


PASSTHROUGH = {
    "nginx": lambda directory, port: nginx(directory, [port], "nginx-passthrough.conf"),
    "haproxy": lambda directory, port: haproxy(directory, [], passthrough=[port]),
}


def test_tls_passes_through_to_a_server_that_asks_for_client_certificates(
    kind: str, issuer: Issuer, tmp_path: Path
) -> None:
    if kind == "nginx" and not list(Path("/etc/nginx/modules-enabled").glob("*stream*")):
        pytest.skip("nginx has no stream module here")
    write_certificate(tmp_path)
    trust = ssl.create_default_context(cafile=tmp_path / "kms.crt")
    trust.load_cert_chain(tmp_path / "kms.crt", tmp_path / "kms.key")
    options = (*trusting(issuer), *tls_server_options(tmp_path))
    with (
        serving(*options, cwd=tmp_path, tls=trust) as server,
        PASSTHROUGH[kind](tmp_path, server.port) as proxy,
    ):
        client = Client(proxy.port, tls=trust)
        eventually(lambda: _answers(client))
        assert client.create(issuer.token(aud="kms"))
        stranger = Client(proxy.port, tls=ssl.create_default_context(cafile=tmp_path / "kms.crt"))
        with pytest.raises((ssl.SSLError, ConnectionError)):
            stranger.get("/ready")


def _answers(client: Client) -> bool:
    """HAProxy closes at once while its first check is not done."""
    try:
        return client.get("/ready").status == 200
    except (ssl.SSLError, OSError):
        return False
