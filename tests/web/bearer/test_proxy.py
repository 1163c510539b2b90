"""An issuer behind a proxy: HTTPS_PROXY and NO_PROXY, with a real CONNECT proxy on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from kms_tornado import BearerAuth, RefreshPolicy, errors
from kms_tornado.web.bearer import proxy as proxy_module
from kms_tornado.web.bearer.jwks_fetch import JWKSFetch
from kms_tornado.web.bearer.proxy import Proxy, find_proxy
from tests.auth.checking import check_token
from tests.connect_proxy import ConnectProxy
from tests.issuer import Issuer, response, write_tls_files
from tests.keys import certificate, private_pem, rsa_key

NAME = "issuer.test"  # resolves nowhere: only the proxy knows the way

needs_pycurl = pytest.mark.skipif(
    importlib.util.find_spec("pycurl") is None, reason="the extra proxy is not installed"
)


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def issuer(tmp_path: Path) -> Iterator[tuple[Issuer, str]]:
    """An issuer on TLS under a name that resolves nowhere, and its CA file."""
    key = rsa_key(2048, "tls")
    cert_file, key_file = write_tls_files(
        tmp_path, certificate(key, names=(NAME,), addresses=()), private_pem(key)
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert_file, key_file)
    with Issuer(tls=context) as running:
        yield running, str(cert_file)


async def check(ca_file: str, token: str) -> str:
    refresh = RefreshPolicy(ca_file=ca_file, timeout_s=5)
    async with BearerAuth.from_issuer(f"https://{NAME}/", refresh=refresh) as auth:
        try:
            return (await check_token(auth.authenticator, token)).name
        finally:
            (status,) = auth.status()
            check.problem = status.problem  # type: ignore[attr-defined]


@needs_pycurl
def test_key_set_is_fetched_through_the_proxy(
    issuer: tuple[Issuer, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    running, ca_file = issuer
    proxy = ConnectProxy(running._port)
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:pass%40word@127.0.0.1:{proxy.port}")
    token = running.token(iss=f"https://{NAME}/")
    with contextlib.closing(proxy):
        assert asyncio.run(check(ca_file, token)) == "alice"
    assert proxy.heads[0].startswith(f"CONNECT {NAME}:443 ")
    assert "Proxy-Authorization: Basic " in proxy.heads[0]


@needs_pycurl
def test_certificate_is_checked_behind_the_proxy(
    issuer: tuple[Issuer, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    running, _ = issuer
    other = tmp_path / "other.pem"
    other.write_bytes(certificate(rsa_key(2048, "other"), names=(NAME,)))
    proxy = ConnectProxy(running._port)
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
    with contextlib.closing(proxy), pytest.raises(errors.KeysUnavailable):
        asyncio.run(check(str(other), running.token(iss=f"https://{NAME}/")))
    assert "certificate" in check.problem  # type: ignore[attr-defined]


@needs_pycurl
def test_ca_that_was_taken_out_is_trusted_for_no_later_fetch_behind_the_proxy(
    issuer: tuple[Issuer, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """libcurl keeps connections, TLS sessions, and for a day the certificates of a CA file."""
    running, ca_file = issuer
    running.answers["/keys"] = response({"keys": []}).replace(b"Connection: close\r\n", b"")
    file = tmp_path / "issuers.pem"
    file.write_bytes(Path(ca_file).read_bytes())
    proxy = ConnectProxy(running._port)
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")

    async def run() -> None:
        fetching = JWKSFetch(RefreshPolicy(ca_file=str(file), timeout_s=5))
        fetching.open()
        try:
            for _ in range(2):
                assert (await fetching(f"https://{NAME}/keys", etag=None)).status == 200
            file.write_bytes(certificate(rsa_key(2048, "other"), names=(NAME,)))
            with pytest.raises(errors.KeySetError, match="certificate"):
                await fetching(f"https://{NAME}/keys", etag=None)
        finally:
            fetching.close()

    with contextlib.closing(proxy):
        asyncio.run(run())


@needs_pycurl
def test_issuers_that_do_not_answer_hold_up_no_other_behind_the_proxy(
    issuer: tuple[Issuer, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    running, ca_file = issuer
    running.answers["/keys"] = response({"keys": []})
    proxy = ConnectProxy(running._port, silent="silent.example")
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")

    async def run() -> None:
        fetching = JWKSFetch(RefreshPolicy(ca_file=ca_file, timeout_s=5))
        fetching.open()
        try:
            silent = [
                asyncio.create_task(fetching(f"https://silent.example/{i}", etag=None))
                for i in range(20)
            ]
            for _ in range(10):
                assert await asyncio.to_thread(proxy.asked.acquire, timeout=5)
            assert (await fetching(f"https://{NAME}/keys", etag=None)).status == 200
            assert not any(fetch.done() for fetch in silent)
            for fetch in silent:
                fetch.cancel()
            await asyncio.gather(*silent, return_exceptions=True)
        finally:
            fetching.close()

    with contextlib.closing(proxy):
        asyncio.run(run())


@needs_pycurl
def test_huge_answer_behind_the_proxy_is_refused(
    issuer: tuple[Issuer, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    running, ca_file = issuer
    running.answers["/.well-known/jwks.json"] = running.huge
    proxy = ConnectProxy(running._port)
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
    with contextlib.closing(proxy), pytest.raises(errors.KeysUnavailable):
        asyncio.run(check(ca_file, running.token(iss=f"https://{NAME}/")))


def test_start_fails_where_a_proxy_is_needed_and_the_extra_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:3128")
    monkeypatch.setattr(proxy_module, "find_spec", lambda name: None)
    with pytest.raises(errors.ConfigurationError, match=r"HTTPS_PROXY: issuer\.test.*proxy"):
        BearerAuth.from_issuer(f"https://{NAME}/")


def test_start_needs_no_extra_where_no_proxy_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:3128")
    monkeypatch.setenv("NO_PROXY", NAME)
    monkeypatch.setattr(proxy_module, "find_spec", lambda name: None)
    BearerAuth.from_issuer(f"https://{NAME}/")


PROXY = Proxy("proxy.example", 3128)


@pytest.mark.parametrize(
    ("url", "https_proxy", "no_proxy", "proxy"),
    [
        pytest.param("https://a.example/", None, None, None, id="none configured"),
        pytest.param("https://a.example/", "http://proxy.example:3128", None, PROXY, id="used"),
        pytest.param("https://a.example/", "proxy.example:3128", None, PROXY, id="no scheme"),
        pytest.param("https://a.example/", "http://proxy.example:3128", "a.example", None, id="no"),
        pytest.param("https://b.a.example/", "proxy.example:3128", ".a.example", None, id="below"),
        pytest.param("https://ba.example/", "proxy.example:3128", ".a.example", PROXY, id="not it"),
        pytest.param("https://a.example/", "http://proxy.example:3128", "*", None, id="all exempt"),
        pytest.param("https://10.96.0.1/", "proxy.example:3128", "a, 10.96.0.0/12", None, id="net"),
        pytest.param("https://10.96.0.1/", "proxy.example:3128", "10.0.0.0/12", PROXY, id="other"),
        pytest.param("https://[fd00::1]:8/", "proxy.example:3128", "fd00::/8", None, id="net 6"),
        pytest.param("https://[fd00::1]:8/", "proxy.example:3128", "fd00::1", None, id="address 6"),
        pytest.param("https://a.example/", "proxy.example:3128", "0.0.0.0/0", PROXY, id="a name"),
        pytest.param("http://127.0.0.1/", "http://proxy.example:3128", None, None, id="http"),
        pytest.param("https://127.0.0.1/", "http://proxy.example:3128", None, None, id="loopback"),
        pytest.param("https://[::1]/", "http://proxy.example:3128", None, None, id="loopback 6"),
        pytest.param(
            "https://a.example/", "http://proxy.example", None, Proxy("proxy.example", 80), id="80"
        ),
        pytest.param(
            "https://a.example/",
            "http://u:p%3A@proxy.example:3128",
            None,
            Proxy("proxy.example", 3128, "u", "p:"),
            id="password",
        ),
    ],
)
def test_environment_names_the_proxy(
    monkeypatch: pytest.MonkeyPatch,
    url: str,
    https_proxy: str | None,
    no_proxy: str | None,
    proxy: Proxy | None,
) -> None:
    for name, value in (("HTTPS_PROXY", https_proxy), ("NO_PROXY", no_proxy)):
        if value is not None:
            monkeypatch.setenv(name, value)
    assert find_proxy(url) == proxy


@pytest.mark.parametrize("value", ["socks5://proxy.example:1080", "http://", "http://[", "ftp://x"])
def test_proxy_of_another_kind_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", value)
    with pytest.raises(errors.ConfigurationError, match="HTTPS_PROXY"):
        find_proxy("https://a.example/")


def test_password_of_the_proxy_shows_in_no_repr() -> None:
    assert "secret" not in repr(Proxy("h", 1, "u", "secret"))
