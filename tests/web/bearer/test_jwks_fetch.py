"""Fetching keys over real sockets from an issuer that breaks in every way we could think of."""

from __future__ import annotations

import asyncio
import gc
import gzip
import json
import logging
import os
import ssl
import time
import warnings
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tornado import simple_httpclient, tcpclient

from kms_tornado import __version__
from kms_tornado.auth.issuer import RefreshPolicy
from kms_tornado.auth.key_source import MAX_DOCUMENT_BYTES, FetchResult
from kms_tornado.errors import ConfigurationError, InvalidToken, KeySetError, UnknownKey
from kms_tornado.web.bearer.auth import BearerAuth
from kms_tornado.web.bearer.fetch_client import FetchClient, _Connection, _TCPClient
from kms_tornado.web.bearer.jwks_fetch import JWKSFetch, _parse_max_age_s

from ...issuer import Answer, Issuer, _reset, response, write_tls_files
from ...keys import certificate, jwk, private_key, private_pem

TIMEOUT_S = 0.8


def fetch(
    url: str, *, etag: str | None = None, timeout_s: float = TIMEOUT_S, ca: Any = None
) -> FetchResult:
    async def run() -> FetchResult:
        fetching = JWKSFetch(RefreshPolicy(timeout_s=timeout_s, ca_file=ca and str(ca)))
        fetching.open()
        try:
            return await fetching(url, etag=etag)
        finally:
            fetching.close()
            await asyncio.sleep(0)
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left

    return asyncio.run(run())


@pytest.fixture(scope="module")
def host() -> Iterator[Issuer]:
    with Issuer("ES256") as issuer:
        yield issuer


@pytest.fixture
def issuer(host: Issuer) -> Issuer:
    """One listener for all tests; its answers and counts begin anew."""
    host.answers = {}
    host.jwks_headers = {}
    host.requests.clear()
    host.headers.clear()
    return host


def url_of(issuer: Issuer) -> str:
    return issuer.uri + issuer.jwks_path


# --- a good answer ----------------------------------------------------------------------------------


def test_a_key_set_is_fetched_under_our_own_name(issuer: Issuer) -> None:
    answer = fetch(url_of(issuer))
    assert answer.status == 200
    assert json.loads(answer.body) == {"keys": issuer.keys}
    (headers,) = issuer.headers
    assert headers["user-agent"] == f"kms-tornado/{__version__}"
    assert headers["accept"] == "application/json"
    assert "authorization" not in headers
    assert "if-none-match" not in headers


@pytest.mark.parametrize(
    "content_type", ["text/html", "application/octet-stream", "", "image/png; x=y"]
)
def test_the_content_type_is_not_looked_at(issuer: Issuer, content_type: str) -> None:
    issuer.jwks_headers = {"Content_Type": content_type}
    assert fetch(url_of(issuer)).status == 200


def test_a_compressed_answer_is_unpacked(issuer: Issuer) -> None:
    issuer.answers[issuer.jwks_path] = response(
        gzip.compress(b'{"keys":[]}'), Content_Encoding="gzip"
    )
    assert fetch(url_of(issuer)).body == b'{"keys":[]}'


def test_etag_and_lifetime_come_along_and_the_etag_is_sent_back(issuer: Issuer) -> None:
    issuer.jwks_headers = {
        "ETag": 'W/"a\u00e9"',
        "Cache_Control": "public, max-age=60, must-revalidate",
    }
    answer = fetch(url_of(issuer))
    assert answer.max_age_s == 60
    issuer.answers[issuer.jwks_path] = response(b"", "304 Not Modified")
    assert fetch(url_of(issuer), etag=answer.etag).status == 304
    # the issuer's octets of UTF-8, whatever one takes them for on the way
    assert issuer.headers[1]["if-none-match"].encode("latin-1").decode() == 'W/"a\u00e9"'


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("max-age=60", 60), ("public, max-age=5", 5), ("MAX-AGE=7", 7), ('max-age="8"', 8), ("max-age=0", 0),
        ("private,max-age=9,no-transform", 9), ("max-age = 3", 3), ("", None), ("no-store", None), ("no-cache", None),
        ("s-maxage=5", None), ("max-age", None), ("max-age=", None), ("max-age=x", None), ("max-age=-1", None),
        ("x-max-age=5", None), ("max-age=99999999999999999999", None), ("stale-while-revalidate=5", None),
    ],
)  # fmt: skip
def test_only_max_age_says_how_long_keys_are_good(header: str, seconds: float | None) -> None:
    assert _parse_max_age_s(header) == seconds


@pytest.mark.parametrize(
    "status", ["404 Not Found", "500 Oops", "403 Forbidden", "429 Slow Down", "204 Empty"]
)
def test_an_error_status_is_an_answer_too(issuer: Issuer, status: str) -> None:
    issuer.answers[issuer.jwks_path] = response(b"", status)
    assert fetch(url_of(issuer)).status == int(status[:3])


def test_a_redirect_is_reported_and_its_target_never_contacted(issuer: Issuer) -> None:
    for status in ("301 a", "302 b", "303 c", "307 d", "308 e"):
        issuer.answers[issuer.jwks_path] = response(b"", status, Location=issuer.uri + "/other")
        answer = fetch(url_of(issuer))
        assert (answer.status, answer.location) == (int(status[:3]), issuer.uri + "/other")
    assert issuer.requests["/other"] == 0


# --- no complete answer -----------------------------------------------------------------------------


def raw(*data: bytes, then: Callable[[asyncio.StreamWriter], Any] | None = None) -> Answer:
    async def answer(writer: asyncio.StreamWriter) -> None:
        for part in data:
            writer.write(part)
        await writer.drain()
        if then is not None:
            await asyncio.sleep(0.02)
            then(writer)

    return answer


OK = b"HTTP/1.1 200 OK\r\n"
BROKEN: dict[str, tuple[Answer, str]] = {
    "reset": (Issuer.reset, "was reset"),
    "reset in the body": (Issuer.reset_in_body, "was reset"),
    "reset in a chunk": (raw(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{", then=_reset), "was reset"),
    "reset in the headers": (raw(OK + b"X: y", then=_reset), "was reset"),
    "closed without a word": (raw(), "closed before a complete HTTP answer"),
    "closed in the headers": (raw(OK + b"X: y"), "closed before a complete HTTP answer"),
    "closed in the body": (raw(OK + b'Content-Length: 100\r\n\r\n{"keys":'), "closed before a complete HTTP answer"),
    "closed in a chunk": (raw(OK + b"Transfer-Encoding: chunked\r\n\r\n9\r\n{"), "closed before a complete HTTP answer"),
    "no HTTP": (raw(b"SSH-2.0-OpenSSH\r\n\r\n"), "closed before a complete HTTP answer"),
    "bad Content-Length": (raw(OK + b"Content-Length: x\r\n\r\n{}"), "closed before a complete HTTP answer"),
    "headers without end": (raw(OK + b"X: " + b"y" * 100_000), "larger than 1048576 bytes"),
    "huge": (Issuer.huge, "larger than 1048576 bytes"),
    "huge Content-Length": (raw(OK + b"Content-Length: 300000000\r\n\r\n"), "larger than 1048576 bytes"),
    "a byte too large": (response(b" " * (MAX_DOCUMENT_BYTES + 1)), "larger than 1048576 bytes"),
    "a byte too large, packed": (
        response(gzip.compress(b" " * (MAX_DOCUMENT_BYTES + 1)), Content_Encoding="gzip"), "larger than 1048576 bytes",
    ),
    "no gzip": (response(b"text", Content_Encoding="gzip"), "closed before a complete HTTP answer"),
    "half of gzip": (response(gzip.compress(os.urandom(999))[:-99], Content_Encoding="gzip"), "closed before a complete"),
    "silent": (Issuer.silent, "no complete answer in time"),
    "slow drip": (Issuer.slow_drip, "no complete answer in time"),
}  # fmt: skip


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_answer_is_an_error_that_names_the_url_and_the_cause(
    issuer: Issuer, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer, problem = BROKEN[fault]
    issuer.answers[issuer.jwks_path] = answer
    begun = time.monotonic()
    with pytest.raises(KeySetError) as failed:
        fetch(url_of(issuer))
    assert time.monotonic() - begun < 10 * TIMEOUT_S
    assert url_of(issuer) in str(failed.value)
    assert problem in str(failed.value)
    assert "Error" not in str(failed.value), "the name of a class says nothing to an operator"
    assert [r.name for r in caplog.records if not r.name.startswith("kms_tornado")] == []


def test_a_bomb_is_stopped_long_before_it_is_unpacked(issuer: Issuer) -> None:
    issuer.answers[issuer.jwks_path] = response(_BOMB, Content_Encoding="gzip")
    with pytest.raises(KeySetError, match="larger than"):
        fetch(url_of(issuer))


_BOMB = gzip.compress(b" " * 30_000_000)


@pytest.mark.parametrize(
    "fault", ["reset in the body", "reset in a chunk", "closed in the body", "huge", "no HTTP"]
)
def test_a_connection_that_ends_in_the_middle_fails_at_once(issuer: Issuer, fault: str) -> None:
    """Tornado 6.6 logs a reset and waits for the timeout."""
    issuer.answers[issuer.jwks_path] = BROKEN[fault][0]
    begun = time.monotonic()
    with pytest.raises(KeySetError):
        fetch(url_of(issuer), timeout_s=20)
    assert time.monotonic() - begun < 5


def test_a_body_as_large_as_allowed_is_read(issuer: Issuer) -> None:
    issuer.answers[issuer.jwks_path] = response(b" " * MAX_DOCUMENT_BYTES)
    assert len(fetch(url_of(issuer)).body) == MAX_DOCUMENT_BYTES


def test_a_refused_connection_says_so() -> None:
    with Issuer("ES256") as gone:
        url = url_of(gone)
    with pytest.raises(KeySetError, match="no connection: Connection refused"):
        fetch(url)


def test_a_name_that_does_not_resolve_says_so() -> None:
    with pytest.raises(KeySetError, match="cannot be resolved"):
        fetch("https://no-such-host.invalid/jwks.json", timeout_s=5)


def test_a_fetch_before_the_start_says_so() -> None:
    with pytest.raises(KeySetError, match="not started"):
        asyncio.run(JWKSFetch(RefreshPolicy())("https://issuer.example/", etag=None))


@pytest.mark.parametrize("fault", [Issuer.silent, Issuer.slow_drip])
def test_a_fetch_that_is_given_up_leaves_no_task_and_no_socket(
    issuer: Issuer, fault: Answer
) -> None:
    """Tornado 6.6 leaves both behind until its own timeout; an unclosed socket is a warning here."""
    issuer.answers[issuer.jwks_path] = fault

    async def run() -> None:
        fetching = JWKSFetch(RefreshPolicy(timeout_s=30))
        fetching.open()
        task = asyncio.create_task(fetching(url_of(issuer), etag=None))
        await asyncio.to_thread(issuer.wait_for_fetches, 1)
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        fetching.close()

    asyncio.run(run())


def test_a_fetch_given_up_while_connecting_leaves_no_task() -> None:
    """To a port that accepts and never speaks TLS."""
    with Issuer("ES256") as plain:

        async def run() -> None:
            fetching = JWKSFetch(RefreshPolicy(timeout_s=30))
            fetching.open()
            url = url_of(plain).replace("http:", "https:")
            task = asyncio.create_task(fetching(url, etag=None))
            await asyncio.sleep(0.1)
            task.cancel()
            await asyncio.wait({task})
            assert asyncio.all_tasks() == {asyncio.current_task()}
            fetching.close()

        asyncio.run(run())


@pytest.mark.parametrize("speaks_tls", [False, True])
def test_a_fetch_given_up_in_any_turn_of_the_loop_leaves_nothing_open(
    issuer: Issuer, tls: Callable[..., tuple[Issuer, Path]], speaks_tls: bool
) -> None:
    """One turn later each time: from before it connects until it waits for the answer."""
    ca_file = None
    if speaks_tls:
        issuer, ca = tls()
        ca_file = str(ca)
    issuer.answers[issuer.jwks_path] = Issuer.silent
    fetching = JWKSFetch(RefreshPolicy(timeout_s=30, ca_file=ca_file))

    async def run(turns: int) -> None:
        fetching.open()
        task = asyncio.create_task(fetching(url_of(issuer), etag=None))
        for _ in range(turns):
            await asyncio.sleep(0.0002 if speaks_tls else 0)
        task.cancel()
        await asyncio.wait({task})
        assert asyncio.all_tasks() == {asyncio.current_task()}
        fetching.close()

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        for turns in [*range(25)] * 2:
            asyncio.run(run(turns))
        gc.collect()
    assert caught == []


def test_backstop_tornado_has_the_hooks_that_we_hang_on() -> None:
    assert issubclass(_Connection, simple_httpclient._HTTPConnection)
    assert (
        FetchClient._connection_class
        is not simple_httpclient.SimpleAsyncHTTPClient._connection_class
    )
    for name in ("run", "on_connection_close", "_handle_exception", "_remove_timeout", "_release"):
        assert callable(getattr(simple_httpclient._HTTPConnection, name)), name
    assert _TCPClient._create_stream is not tcpclient.TCPClient._create_stream


# --- TLS --------------------------------------------------------------------------------------------


@pytest.fixture
def tls(tmp_path: Path) -> Iterator[Callable[..., tuple[Issuer, Path]]]:
    """An issuer behind a certificate, and the file of that certificate."""
    running: list[Issuer] = []

    def start(**kwargs: Any) -> tuple[Issuer, Path]:
        key = private_key("ES256", "tls")
        cert_file, key_file = write_tls_files(
            tmp_path, certificate(key, **kwargs), private_pem(key)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert_file, key_file)
        running.append(Issuer("ES256", tls=context).__enter__())
        return running[-1], cert_file

    yield start
    for issuer in running:
        issuer.__exit__()


def test_a_private_ca_is_accepted_where_it_is_configured(
    tls: Callable[..., tuple[Issuer, Path]],
) -> None:
    issuer, ca = tls()
    assert fetch(url_of(issuer), ca=ca, timeout_s=5).status == 200
    assert fetch(url_of(issuer).replace("https:", "HTTPS:"), ca=ca, timeout_s=5).status == 200


@pytest.mark.parametrize(
    ("kwargs", "trusted", "problem"),
    [
        pytest.param({}, False, "self-signed certificate", id="unknown CA"),
        pytest.param({"names": ("other.example",), "addresses": ("127.0.0.9",)}, True, "not valid for '127.0.0.1'", id="for another name"),
        pytest.param({"expired": True}, True, "certificate has expired", id="expired"),
    ],
)  # fmt: skip
def test_a_bad_certificate_is_an_error_that_says_why(
    tls: Callable[..., tuple[Issuer, Path]], kwargs: Any, trusted: bool, problem: str,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    issuer, ca = tls(**kwargs)
    with pytest.raises(KeySetError, match="its TLS certificate is not accepted") as failed:
        fetch(url_of(issuer), ca=ca if trusted else None, timeout_s=5)
    assert problem in str(failed.value)
    assert issuer.fetches == 0, "nothing was asked over a connection that is not trusted"
    assert [r.name for r in caplog.records if r.name.startswith("tornado")] == []


def test_plain_http_on_a_tls_port_is_an_error(tls: Callable[..., tuple[Issuer, Path]]) -> None:
    issuer, _ = tls()
    with pytest.raises(KeySetError, match="closed before a complete HTTP answer"):
        fetch(url_of(issuer).replace("https:", "http:"))


@pytest.mark.parametrize("content", [None, b"", b"text", b"-----BEGIN CERTIFICATE-----\n"])
def test_a_ca_file_that_cannot_be_used_is_a_configuration_error(
    tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"ca\.pem"):
        JWKSFetch(RefreshPolicy(ca_file=str(file)))


# --- files ------------------------------------------------------------------------------------------


def test_a_file_is_read_as_it_is_now(tmp_path: Path) -> None:
    file = tmp_path / "key set \u00e9.json"
    for body in (b'{"keys":[1]}', b'{"keys":[2]}'):
        file.write_bytes(body)
        assert fetch(file.as_uri()).body == body
    assert fetch(file.as_uri().replace("file://", "FILE://localhost")).body == b'{"keys":[2]}'


def test_a_file_that_is_no_file_is_an_error_and_never_hangs(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "large").write_bytes(b" " * (MAX_DOCUMENT_BYTES + 1))
    (tmp_path / "exact").write_bytes(b" " * MAX_DOCUMENT_BYTES)
    assert len(fetch((tmp_path / "exact").as_uri()).body) == MAX_DOCUMENT_BYTES
    for name, problem in {
        "absent": "No such file",
        "fifo": "not a regular file",
        "": "Is a directory",
        "large": "larger than 1048576 bytes",
        "a%00b": "not valid",
    }.items():
        with pytest.raises(KeySetError, match=problem):
            fetch(f"{tmp_path.as_uri()}/{name}")
    with pytest.raises(KeySetError, match="not a regular file"):
        fetch("file:///dev/zero")


# --- a whole BearerAuth -----------------------------------------------------------------------------

LIVELY = RefreshPolicy(cooldown_s=0, timeout_s=TIMEOUT_S)


def story(issuer: Issuer, told: Callable[[BearerAuth], Awaitable[None]], **kwargs: Any) -> None:
    async def run() -> None:
        auth = BearerAuth.from_issuer(
            issuer.uri, audience="kms", refresh=kwargs.pop("refresh", LIVELY), **kwargs
        )
        async with auth:
            await told(auth)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())


async def refreshed(auth: BearerAuth) -> None:
    """Refresh, and wait for its end also where that is the timeout."""
    (cache,) = auth._caches.values()
    await cache.refresh()
    while cache.status().state == "loading" or cache._task is not None:
        await cache.join()


SURVIVED: dict[str, Answer] = {
    **{name: answer for name, (answer, _) in BROKEN.items() if name not in {"huge"}},
    "404": response(b"{}", "404 Not Found"),
    "500": response(b"{}", "500 Oops"),
    "HTML": response(b"<html>maintenance</html>"),
    "broken JSON": response(b'{"keys":['),
    "an empty set": response({"keys": []}),
    "a set of useless keys": response({"keys": [{"kty": "oct", "k": "AA"}]}),
    "a redirect": response(b"", "302 Found", Location="https://elsewhere.example/"),
    "304 that was not asked for": response(b"", "304 Not Modified"),
}


@pytest.mark.parametrize("fault", SURVIVED)
def test_good_keys_survive_every_fault_and_the_log_has_one_line(
    issuer: Issuer, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    text = issuer.token(aud="kms")

    async def told(auth: BearerAuth) -> None:
        assert (await auth.authenticator.check(text)).name == "alice"
        caplog.clear()
        issuer.answers[issuer.jwks_path] = SURVIVED[fault]
        for _ in range(2):
            await refreshed(auth)
        (status,) = auth.status()
        assert (status.state, status.keys) == ("failing", 1)
        assert status.problem
        assert "internal error" not in status.problem
        assert (await auth.authenticator.check(text)).name == "alice"
        assert (await auth.authenticator.check(issuer.token(aud="kms", sub="bob"))).name == "bob"
        (line,) = [r.getMessage() for r in caplog.records]
        assert issuer.uri in line
        assert text not in line
        del issuer.answers[issuer.jwks_path]
        await refreshed(auth)
        assert auth.status()[0].state == "ok"

    caplog.set_level(logging.INFO)
    story(issuer, told)


def test_a_refused_connection_keeps_the_keys_too(caplog: pytest.LogCaptureFixture) -> None:
    with Issuer("ES256") as issuer:
        text = issuer.token(aud="kms")

        async def told(auth: BearerAuth) -> None:
            await auth.authenticator.check(text)
            issuer.refuse()
            await refreshed(auth)
            assert "Connection refused" in str(auth.status()[0].problem)
            assert (await auth.authenticator.check(text)).name == "alice"
            issuer.listen()
            await refreshed(auth)
            assert auth.status()[0].state == "ok"

        story(issuer, told)
    assert [r.name for r in caplog.records if r.name.startswith("tornado")] == []


def test_a_redirect_in_the_log_names_the_address_to_configure(
    issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    issuer.answers[issuer.jwks_path] = response(b"", "301 Moved", Location="/new/keys")

    async def told(auth: BearerAuth) -> None:
        await refreshed(auth)

    story(issuer, told)
    assert f"redirects to {issuer.uri}/new/keys" in caplog.text
    assert issuer.requests["/new/keys"] == 0


def test_304_is_a_good_refresh_and_keeps_remembered_tokens(issuer: Issuer) -> None:
    text = issuer.token(aud="kms")
    issuer.jwks_headers = {"ETag": '"1"'}

    async def told(auth: BearerAuth) -> None:
        await auth.authenticator.check(text)
        before = auth.status()[0]
        issuer.answers[issuer.jwks_path] = response(b"", "304 Not Modified")
        await refreshed(auth)
        after = auth.status()[0]
        assert (after.state, after.generation) == ("ok", before.generation)
        assert issuer.headers[-1]["if-none-match"] == '"1"'
        await auth.authenticator.check(text)
        assert auth.authenticator.tokens.hits == 1

    story(issuer, told)


def test_discovery_is_followed_where_the_default_uri_is_empty(issuer: Issuer) -> None:
    issuer.answers[issuer.jwks_path] = response(b"{}", "404 Not Found")
    issuer.answers[issuer.discovery_path] = response(
        {"issuer": issuer.uri, "jwks_uri": issuer.uri + "/certs"}
    )
    issuer.answers["/certs"] = response({"keys": issuer.keys})

    async def told(auth: BearerAuth) -> None:
        assert (await auth.authenticator.check(issuer.token(aud="kms"))).name == "alice"

    story(issuer, told)
    assert issuer.requests == {issuer.jwks_path: 1, issuer.discovery_path: 1, "/certs": 1}


def test_the_whole_refresh_has_one_time_limit(issuer: Issuer) -> None:
    """Three documents, each within the limit, together beyond it."""

    def late(answer: bytes) -> Answer:
        async def serve(writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(TIMEOUT_S * 0.6)
            writer.write(answer)

        return serve

    issuer.answers[issuer.jwks_path] = late(response(b"{}", "404 Not Found"))
    issuer.answers[issuer.discovery_path] = late(
        response({"issuer": issuer.uri, "jwks_uri": issuer.uri + "/c"})
    )
    issuer.answers["/c"] = late(response({"keys": issuer.keys}))

    async def told(auth: BearerAuth) -> None:
        await refreshed(auth)
        assert auth.status()[0].state == "missing"
        assert "in time" in str(auth.status()[0].problem) or "within" in str(
            auth.status()[0].problem
        )

    story(issuer, told)
    assert issuer.requests["/c"] == 0


def test_a_rotated_key_is_found_and_the_removed_one_forgotten() -> None:
    with Issuer("ES256") as issuer:
        old = issuer.token(aud="kms")

        async def told(auth: BearerAuth) -> None:
            await auth.authenticator.check(old)
            issuer.rotate(keep_old=False)
            assert (await auth.authenticator.check(issuer.token(aud="kms"))).name == "alice"
            with pytest.raises(UnknownKey):
                await auth.authenticator.check(old)

        story(issuer, told)


def test_a_token_cannot_make_us_ask_an_address_of_its_choice(issuer: Issuer) -> None:
    """jku, x5u, kid and iss that point at a live server: it is never asked."""
    with Issuer("ES256") as canary:
        canary.key_name = "canary"
        canary.keys = [jwk("ES256", canary.kid, canary.key_name)]
        spots: list[tuple[dict[str, Any], dict[str, Any]]] = [
            ({"jku": canary.uri + "/jwks.json"}, {}),
            ({"jku": canary.uri + "/jwks.json", "kid": None}, {}),
            ({"x5u": canary.uri + "/cert.pem"}, {}),
            ({"kid": canary.uri + "/k"}, {}),
            ({"jwk": {"jwks_uri": canary.uri}}, {}),
            ({}, {"iss": canary.uri}),
            ({}, {"iss": issuer.uri + "@" + canary.uri.removeprefix("http://")}),
        ]

        async def told(auth: BearerAuth) -> None:
            for header, claims in spots:
                for signer in (issuer, canary):
                    fields = {"header": header, **claims, "aud": "kms"}
                    text = signer.token(**{"iss": issuer.uri, **fields})
                    try:
                        await auth.authenticator.check(text)
                    except InvalidToken:
                        continue
                    # the issuer's own key signed what is only ignored
                    assert signer is issuer
                    assert not claims

        story(issuer, told)
        assert canary.requests == {}
        fetch(canary.uri + "/is-alive")
        assert canary.requests == {"/is-alive": 1}


def test_start_returns_before_the_issuer_has_answered_and_stop_does_not_wait(
    issuer: Issuer,
) -> None:
    issuer.answers[issuer.jwks_path] = Issuer.silent
    begun = time.monotonic()

    async def told(auth: BearerAuth) -> None:
        await asyncio.to_thread(issuer.wait_for_fetches, 1)

    story(issuer, told, refresh=RefreshPolicy(timeout_s=30))
    assert time.monotonic() - begun < 5


def test_start_and_stop_may_be_repeated(issuer: Issuer) -> None:
    async def run() -> None:
        auth = BearerAuth.from_issuer(issuer.uri, audience="kms", refresh=LIVELY)
        await auth.stop()
        for _ in range(3):
            await auth.start()
            await auth.start()
            assert (await auth.authenticator.check(issuer.token(aud="kms"))).name == "alice"
            await auth.stop()
            await auth.stop()
            assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())


def test_a_missing_audience_is_warned_of_at_the_start(
    issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    async def run(audience: str | tuple[str, ...]) -> None:
        async with BearerAuth.from_issuer(issuer.uri, audience=audience):
            pass

    asyncio.run(run("kms"))
    assert "NO AUDIENCE" not in caplog.text
    asyncio.run(run(()))
    assert "NO AUDIENCE" in caplog.text


def test_tornados_other_log_lines_are_not_touched(
    issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    async def told(auth: BearerAuth) -> None:
        await refreshed(auth)
        logging.getLogger("tornado.general").warning("of the application")

    story(issuer, told)
    assert "of the application" in caplog.text
