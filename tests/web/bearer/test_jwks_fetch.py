"""Fetching keys over real sockets from an issuer that breaks in every way we could think of."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kms_tornado import __version__
from kms_tornado.auth.issuers.issuer import RefreshPolicy
from kms_tornado.auth.issuers.key_source import MAX_DOCUMENT_BYTES, FetchResult
from kms_tornado.errors import ConfigurationError, KeySetError
from kms_tornado.web.bearer.jwks_fetch import JWKSFetch, _parse_max_age_s

from ...issuer import Issuer, response
from ...keys import certificate, private_key
from ...rows import each_row
from .fetching import BROKEN, TIMEOUT_S, fetch, url_of

# --- a good answer ----------------------------------------------------------------------------------


def test_a_key_set_is_fetched_under_our_own_name(issuer: Issuer) -> None:
    answer = fetch(url_of(issuer))
    assert answer.status == 200
    assert json.loads(answer.body) == {"keys": issuer.keys}
    (headers,) = issuer.headers
    assert headers["user-agent"] == f"kms-tornado/{__version__}"
    assert headers["accept"] == "application/jwk-set+json, application/json;q=0.9, */*;q=0.5"
    assert "authorization" not in headers
    assert "if-none-match" not in headers


@pytest.mark.parametrize(
    "content_type", ["text/html", "application/octet-stream", "", "image/png; x=y"]
)
def test_the_content_type_is_not_looked_at(issuer: Issuer, content_type: str) -> None:
    issuer.jwks_headers = {"Content_Type": content_type}
    assert fetch(url_of(issuer)).status == 200


@pytest.mark.parametrize(
    "media_type",
    ["application/jwk-set+json", "application/json", "text/plain", "application/octet-stream"],
)
def test_a_server_that_has_the_document_in_one_type_alone_does_not_answer_406(
    issuer: Issuer, media_type: str
) -> None:
    """406 is a server's right where Accept names none of its types (RFC 9110 §12.5.1)."""

    def negotiate(writer: asyncio.StreamWriter) -> None:
        accepted = {
            part.partition(";")[0].strip() for part in issuer.headers[-1]["accept"].split(",")
        }
        is_acceptable = not accepted.isdisjoint({media_type, "*/*"})
        answer = response(b"{}", "200 OK" if is_acceptable else "406 Not Acceptable")
        writer.write(answer)

    issuer.answers[issuer.jwks_path] = negotiate
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


@each_row(
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


# --- no complete answer ---------------------------------------------------------------------------


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
    bomb = gzip.compress(b" " * 30_000_000)
    issuer.answers[issuer.jwks_path] = response(bomb, Content_Encoding="gzip")
    with pytest.raises(KeySetError, match="larger than"):
        fetch(url_of(issuer))


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


# --- TLS ------------------------------------------------------------------------------------------


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
    assert failed.value.cause == "certificate"
    assert issuer.fetches == 0, "nothing was asked over a connection that is not trusted"
    assert [r.name for r in caplog.records if r.name.startswith("tornado")] == []


def test_plain_http_on_a_tls_port_is_an_error(tls: Callable[..., tuple[Issuer, Path]]) -> None:
    issuer, _ = tls()
    with pytest.raises(KeySetError, match="closed before a complete HTTP answer"):
        fetch(url_of(issuer).replace("https:", "http:"))


def test_the_ca_file_is_read_again_for_every_fetch_and_a_broken_one_changes_nothing(
    tls: Callable[..., tuple[Issuer, Path]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    issuer, cert_file = tls()
    file = tmp_path / "issuers.pem"
    good, other = (
        cert_file.read_bytes(),
        certificate(private_key("ES256", "another CA"), names=("other",)),
    )
    steps = [
        (good, True), (b"rubbish", True), (b"", True), (other, False), (b"rubbish", False), (other + good, True),
    ]  # fmt: skip

    async def run() -> None:
        file.write_bytes(good)
        fetching = JWKSFetch(RefreshPolicy(timeout_s=5, ca_file=str(file)))
        fetching.open()
        try:
            for content, is_trusted in steps:
                file.write_bytes(content)
                for _ in range(2):
                    if is_trusted:
                        await fetching(url_of(issuer), etag=None)
                    else:
                        with pytest.raises(KeySetError, match="certificate is not accepted"):
                            await fetching(url_of(issuer), etag=None)
        finally:
            fetching.close()

    asyncio.run(run())
    said = [r.getMessage() for r in caplog.records if "stay in use" in r.getMessage()]
    assert len(said) == 2, "once for each time that it broke"
    assert all("issuers.pem" in line for line in said)


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
    open_before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(KeySetError, match="Is a directory"):
        fetch(tmp_path.as_uri())
    assert len(os.listdir("/proc/self/fd")) == open_before


# --- a token for fetching ---------------------------------------------------------------------------


def fetch_with_token(issuer: Issuer, file: Path) -> FetchResult:
    async def run() -> FetchResult:
        jwks_fetch = JWKSFetch(RefreshPolicy(timeout_s=5))
        jwks_fetch.open()
        try:
            return await jwks_fetch.with_token(str(file))(url_of(issuer), etag=None)
        finally:
            jwks_fetch.close()

    return asyncio.run(run())


def test_the_token_is_read_for_every_fetch(issuer: Issuer, tmp_path: Path) -> None:
    file = tmp_path / "token"
    for token in ("first.token", "second.token"):
        file.write_text(f"{token}\n")
        assert fetch_with_token(issuer, file).status == 200
        assert issuer.headers[-1]["authorization"] == f"Bearer {token}"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(None, "No such file", id="no file"),
        pytest.param(b"", "does not hold a bearer token", id="empty"),
        pytest.param(b"a b", "does not hold a bearer token", id="a space"),
        pytest.param(b"secret\r\nX-Admin: 1", "does not hold a bearer token", id="another header"),
        pytest.param(b"secret\xff", "does not hold a bearer token", id="not ASCII"),
        pytest.param(b"x" * (64 * 1024 + 1), "larger than 65536 bytes", id="too long"),
    ],
)
def test_what_is_no_token_is_not_sent_and_not_shown(
    issuer: Issuer, tmp_path: Path, content: bytes | None, why: str
) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(KeySetError, match=why) as failed:
        fetch_with_token(issuer, file)
    assert failed.value.cause == "file"
    assert "secret" not in str(failed.value)
    assert issuer.headers == []
