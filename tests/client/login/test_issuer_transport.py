"""How requests reach the issuer: through the connection's TLS and proxy, and not for longer than it takes."""

from __future__ import annotations

import contextlib
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kms_tornado.client.connection import ConnectionSettings, ProxySettings
from kms_tornado.client.errors import ClientError
from kms_tornado.client.login import issuer_transport
from kms_tornado.client.login.issuer import open_issuer
from kms_tornado.client.login.login_errors import IssuerUnreachable, LoginFailed
from kms_tornado.client.login.login_settings import LoginSettings

from ...connect_proxy import ConnectProxy
from ...issuer import Issuer, response, write_tls_files
from ...keys import certificate, private_key
from ...rows import each_row
from ..oauth_issuer import OAuthIssuer

ISSUER = "https://issuer.example"


@pytest.fixture(scope="module")
def certificate_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from cryptography.hazmat.primitives import serialization

    key = private_key("ES256", "tls of the issuer")
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    names = certificate(key, names=("issuer.example",))
    return write_tls_files(tmp_path_factory.mktemp("tls"), names, pem)[0]


@pytest.fixture(scope="module")
def tls_issuer(certificate_file: Path) -> Iterator[OAuthIssuer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_file, certificate_file.with_name("key.pem"))
    with OAuthIssuer(tls=context, origin=ISSUER) as issuer:
        yield issuer


@pytest.fixture
def proxy(tls_issuer: OAuthIssuer) -> Iterator[ConnectProxy]:
    proxy = ConnectProxy(tls_issuer.port)
    yield proxy
    proxy.close()


def discover(issuer: str, **connection: Any) -> Any:
    settings = ConnectionSettings(server_url="https://kms.example", **connection)
    with open_issuer(settings, LoginSettings(client_id="kmsctl", issuer=issuer)) as opened:
        return opened.metadata


def through(proxy: ConnectProxy) -> ProxySettings:
    return ProxySettings(
        url=f"http://127.0.0.1:{proxy.port}", basic_auth_username="u", basic_auth_password="p"
    )


def test_proxy_and_authority_of_the_connection_hold_for_the_issuer(
    proxy: ConnectProxy, certificate_file: Path
) -> None:
    metadata = discover(ISSUER, proxy=through(proxy), ca_file=certificate_file)
    assert metadata.token_url == f"{ISSUER}/token"
    assert proxy.heads[0].startswith("CONNECT issuer.example:443")
    assert "proxy-authorization: basic" in proxy.heads[0].lower()


@pytest.mark.parametrize("waived", ["accept_invalid_certs", "verified_cert", "nothing"])
def test_what_is_waived_for_the_server_is_not_waived_for_the_issuer(
    proxy: ConnectProxy, certificate_file: Path, waived: str
) -> None:
    connection: dict[str, Any] = {
        "accept_invalid_certs": {"accept_invalid_certs": True},
        "verified_cert": {"verified_cert": certificate_file.read_text()},
        "nothing": {},
    }[waived]
    with pytest.raises(IssuerUnreachable, match=r"certificate of issuer.example is not trusted"):
        discover(ISSUER, proxy=through(proxy), **connection)


def test_proxy_that_is_away_is_the_network(certificate_file: Path) -> None:
    away = ProxySettings(url="http://127.0.0.1:9")
    with pytest.raises(IssuerUnreachable, match="check the network"):
        discover(ISSUER, proxy=away, ca_file=certificate_file)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Issuer.silent, id="says nothing"),
        pytest.param(Issuer.slow_drip, id="a byte now and then"),
        pytest.param(Issuer.reset, id="reset"),
        pytest.param(Issuer.reset_in_body, id="half an answer"),
        pytest.param(Issuer.huge, id="300 MB"),
        pytest.param(b"SSH-2.0-OpenSSH\r\n", id="another protocol"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nx", id="not gzip"),
    ],
)
def test_issuer_that_does_not_answer_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch, fault: Any
) -> None:
    monkeypatch.setattr(issuer_transport, "TIMEOUT_S", 1.0)
    started = time.monotonic()
    with Issuer("ES256") as issuer:
        issuer.answers[issuer.discovery_path] = fault
        with pytest.raises(ClientError) as failure:
            discover(issuer.uri)
    assert isinstance(failure.value, IssuerUnreachable | LoginFailed)
    assert "\n" not in str(failure.value)
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        pytest.param("302 Found", LoginFailed, id="moved"),
        pytest.param("307 Temporary Redirect", LoginFailed, id="moved with its body"),
        pytest.param("429 Too Many Requests", IssuerUnreachable, id="too many requests"),
        pytest.param("502 Bad Gateway", IssuerUnreachable, id="gateway"),
    ],
)
def test_status_that_is_no_answer(status: str, kind: type[ClientError]) -> None:
    with Issuer("ES256") as issuer, Issuer("ES256") as other:
        location = f"{other.uri}/elsewhere"
        issuer.answers[issuer.discovery_path] = response({}, status, Location=location)
        with pytest.raises(kind):
            discover(issuer.uri)
        assert not other.requests


@each_row(
    ("url", "is_protected"),
    [
        ("https://issuer.example", True),
        ("http://localhost:1", True),
        ("http://127.0.0.1", True),
        ("http://127.8.8.8", True),
        ("http://[::1]:1", True),
        ("http://issuer.example", False),
        ("http://localhost.example", False),
        ("http://127.0.0.1.example", False),
        ("http://127.0.0.1@issuer.example", False),
        ("http://0.0.0.0", False),
        ("file:///etc/passwd", False),
        ("https://", False),
        ("issuer.example", False),
        ("", False),
    ],
)
def test_codes_and_tokens_go_to_https_or_to_this_machine(url: str, is_protected: bool) -> None:
    with (
        contextlib.nullcontext()
        if is_protected
        else pytest.raises(LoginFailed, match="is not https")
    ):
        issuer_transport.check_is_protected(url)


def test_text_that_is_no_url_is_told_so() -> None:
    with pytest.raises(LoginFailed, match="is none"):
        issuer_transport.check_is_protected("https://[::1")


def test_password_in_an_url_is_not_shown() -> None:
    assert issuer_transport.origin("https://u:p@i.example/a?code=c#d") == "https://i.example/a"
