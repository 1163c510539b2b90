"""Proxies: the one that is configured, the one of the environment, and who is reached without."""

from __future__ import annotations

import base64

import pytest

from kms_tornado.client import ConnectionFailed, ConnectionSettings, KMSClient, ProxySettings
from kms_tornado.client.pool import find_proxy, is_excluded

from ..rows import each_row
from .faulty import Scripted, answer

VERSION = answer('"0.1.0"')
SECRET = "pass:w@rd"


def ask(proxy: ProxySettings | None, server_url: str = "http://kms.example") -> str:
    settings = ConnectionSettings(server_url=server_url, proxy=proxy)
    with KMSClient(settings=settings) as client:
        return client.server_version()


def basic(credentials: str) -> str:
    return f"Basic {base64.b64encode(credentials.encode()).decode()}"


def test_requests_go_through_the_proxy() -> None:
    with Scripted(VERSION) as proxy:
        assert ask(ProxySettings(url=proxy.url)) == "0.1.0"
    assert proxy.requests[0].startswith("GET http://kms.example/version HTTP/1.1\r\n")
    assert "proxy-authorization" not in proxy.requests[0].lower()


@pytest.mark.parametrize(
    ("settings", "header"),
    [
        (
            {"basic_auth_username": "alice", "basic_auth_password": SECRET},
            basic(f"alice:{SECRET}"),
        ),
        ({"basic_auth_username": "Ā", "basic_auth_password": "пароль"}, basic("Ā:пароль")),
        ({"custom_auth_header": "Bearer for-the-proxy"}, "Bearer for-the-proxy"),
    ],
)
def test_proxy_is_told_who_asks(settings: dict[str, str], header: str) -> None:
    with Scripted(VERSION) as proxy:
        ask(ProxySettings(url=proxy.url, **settings))  # type: ignore[arg-type]
    assert f"proxy-authorization: {header}\r\n".lower() in proxy.requests[0].lower()


def test_credentials_in_the_url_of_the_proxy_are_sent_and_never_shown() -> None:
    with Scripted(None) as proxy:
        url = proxy.url.replace("//", "//alice:pass%3Aw%40rd@")
        with pytest.raises(ConnectionFailed) as caught:
            ask(ProxySettings(url=url))
    assert basic(f"alice:{SECRET}").lower() in proxy.requests[0].lower()
    assert "w%40rd" not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_tls_goes_through_the_proxy_by_connect_and_no_token_with_it() -> None:
    refused = answer(b"", "407 Proxy Authentication Required", closes=True)
    with Scripted(refused) as proxy:
        settings = ConnectionSettings(
            server_url="https://kms.example", proxy=ProxySettings(url=proxy.url)
        )
        with (
            KMSClient(settings=settings, token="for-the-server") as client,
            pytest.raises(ConnectionFailed, match="the proxy gives no connection"),
        ):
            client.locate()
    assert proxy.requests[0].startswith("CONNECT kms.example:443 HTTP/1.")
    assert "for-the-server" not in "".join(proxy.requests)


@each_row(
    ("host", "exclusions", "excluded"),
    [
        ("kms.example", ["kms.example"], True),
        ("KMS.Example.", ["kms.example"], True),
        ("kms.example", [" kms.EXAMPLE "], True),
        ("a.kms.example", ["kms.example"], True),
        ("a.kms.example", [".kms.example"], True),
        ("kms.example", ["kms.example:9998"], True),
        ("kms.example", ["*"], True),
        ("10.1.2.3", ["10.0.0.0/8"], True),
        ("10.1.2.3", ["10.1.2.3"], True),
        ("::1", ["::1"], True),
        ("::1", ["[::1]"], True),
        ("notkms.example", ["kms.example"], False),
        ("kms.example", ["a.kms.example"], False),
        ("kms.example", ["", " ", "."], False),
        ("kms.example", ["10.0.0.0/8"], False),
        ("11.1.2.3", ["10.0.0.0/8"], False),
        ("1.2.3.4", ["2.3.4"], False),
        ("kms.example", [], False),
    ],
)
def test_excluded_hosts_are_reached_without_the_proxy(
    host: str, exclusions: list[str], excluded: bool
) -> None:
    assert is_excluded(host, exclusions) is excluded


def test_excluded_server_is_asked_directly() -> None:
    with Scripted(VERSION) as server, Scripted(None) as proxy:
        settings = ProxySettings(url=proxy.url, exclusion_list=("127.0.0.0/8",))
        assert ask(settings, server.url) == "0.1.0"
        assert proxy.connections == 0


PROXY = "http://proxy:3128"


@each_row(
    ("scheme", "environ", "url"),
    [
        ("https", {"HTTPS_PROXY": PROXY}, PROXY),
        ("https", {"https_proxy": PROXY, "HTTPS_PROXY": "http://other"}, PROXY),
        ("https", {"https_proxy": "proxy:3128"}, PROXY),
        ("https", {"ALL_PROXY": PROXY}, PROXY),
        ("http", {"http_proxy": PROXY}, PROXY),
        ("http", {"all_proxy": PROXY}, PROXY),
        ("http", {"HTTP_PROXY": PROXY}, None),  # a header of a request, under CGI
        ("http", {"https_proxy": PROXY}, None),
        ("https", {"http_proxy": PROXY}, None),
        ("https", {"https_proxy": ""}, None),
        ("https", {}, None),
    ],
)
def test_proxy_of_the_environment_is_found(
    scheme: str, environ: dict[str, str], url: str | None
) -> None:
    found = find_proxy(scheme, environ)
    assert (found.url if found else None) == url


def test_no_proxy_of_the_environment_excludes_and_so_does_this_machine() -> None:
    found = find_proxy("https", {"https_proxy": PROXY, "no_proxy": "kms.example, .internal"})
    assert found is not None
    for host in ("kms.example", "a.internal", "localhost", "127.0.0.1", "::1"):
        assert is_excluded(host, found.exclusion_list)
    assert not is_excluded("other.example", found.exclusion_list)


def test_proxy_of_the_environment_is_used_unless_one_is_configured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Scripted(VERSION) as ours, Scripted(VERSION) as other:
        monkeypatch.setenv("http_proxy", other.url)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        ask(ProxySettings(url=ours.url))
        assert (ours.connections, other.connections) == (1, 0)
        ask(None)
        assert other.connections == 1
