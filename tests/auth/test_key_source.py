"""Which document is asked for at which URL, and what makes a refresh fail."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from kms_tornado.auth.issuer import TrustedIssuer
from kms_tornado.auth.key_source import FetchResult, KeySource, LoadedKeys
from kms_tornado.errors import KeySetError

from ..keys import certificate, jwk, private_key
from .samples import document

KEYS = document(jwk("ES256", "a"))
OTHER_KEYS = document(jwk("ES256", "b", "other"))
I = "https://i.example"  # noqa: E741


class Web:
    """A fetch that answers from a table: bytes are 200, a number is that status."""

    def __init__(self, **answers: Any) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[tuple[str, str | None]] = []

    @property
    def urls(self) -> list[str]:
        return [url for url, _ in self.asked]

    async def __call__(self, url: str, *, etag: str | None) -> FetchResult:
        self.asked.append((url, etag))
        answer = self.answers.get(url, 404)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, FetchResult):
            return answer
        return FetchResult(answer, b"") if isinstance(answer, int) else FetchResult(200, answer)


def discovery(issuer: Any, jwks_uri: Any) -> bytes:
    return json.dumps({"issuer": issuer, "jwks_uri": jwks_uri, "token_endpoint": "x"}).encode()


def load(web: Web, issuer: str = I, jwks_uri: str | None = None) -> LoadedKeys:
    return asyncio.run(KeySource(TrustedIssuer(issuer, jwks_uri), web).load())


@pytest.mark.parametrize(
    ("issuer", "jwks_uri", "answers", "urls"),
    [
        pytest.param(I, None, {f"{I}/.well-known/jwks.json": KEYS}, 1, id="the default URI"),
        pytest.param(I + "/", None, {f"{I}/.well-known/jwks.json": KEYS}, 1, id="a slash at the issuer's end"),
        pytest.param(I + "/realm", None, {f"{I}/realm/.well-known/jwks.json": KEYS}, 1, id="below the issuer's path"),
        pytest.param(
            I + "/", None,
            {f"{I}/.well-known/jwks.json": 404, f"{I}/.well-known/openid-configuration": discovery(I + "/", f"{I}/k"), f"{I}/k": KEYS},
            3, id="discovery where the default URI answers 404",
        ),
        pytest.param(
            I + "/realms/r", None,
            {f"{I}/realms/r/.well-known/jwks.json": 404,
             f"{I}/realms/r/.well-known/openid-configuration": discovery(I + "/realms/r", f"{I}/certs"), f"{I}/certs": KEYS},
            3, id="discovery below the issuer's path, as Keycloak has it",
        ),
        pytest.param(I, f"{I}/my/keys?x=1", {f"{I}/my/keys?x=1": KEYS}, 1, id="a configured URI with a query"),
        pytest.param(I, "https://keys.example/k", {"https://keys.example/k": KEYS}, 1, id="a configured URI elsewhere"),
        pytest.param(
            I, "https://keys.example",
            {"https://keys.example/.well-known/openid-configuration": discovery(I, "https://keys.example/k"), "https://keys.example/k": KEYS},
            2, id="a configured URI without path",
        ),
        pytest.param(
            I, "https://keys.example/",
            {"https://keys.example/.well-known/openid-configuration": discovery(I, "https://keys.example/k"), "https://keys.example/k": KEYS},
            2, id="a configured URI with path /",
        ),
        pytest.param(
            I + "/b", I,
            {f"{I}/.well-known/openid-configuration": discovery(I, f"{I}/no"),
             f"{I}/b/.well-known/openid-configuration": discovery(I + "/b", f"{I}/k"), f"{I}/k": KEYS},
            3, id="a bare host that speaks for another issuer leads on to the issuer's own",
        ),
        pytest.param(
            I, f"{I}/x/.well-known/openid-configuration",
            {f"{I}/x/.well-known/openid-configuration": discovery(I, f"{I}/k"), f"{I}/k": KEYS},
            2, id="a discovery document at the configured URI",
        ),
        pytest.param(
            I, None, {f"{I}/.well-known/jwks.json": discovery(I, "https://elsewhere.example/k"), "https://elsewhere.example/k": KEYS},
            2, id="a discovery document at the default URI",
        ),
        pytest.param(
            I, f"{I}/x", {f"{I}/x": discovery(I, "http://127.0.0.1:9/k"), "http://127.0.0.1:9/k": KEYS},
            2, id="keys on loopback over http",
        ),
        pytest.param(
            I, f"{I}/x509", {f"{I}/x509": json.dumps({"a": certificate(private_key("ES256")).decode()}).encode()},
            1, id="a map of certificates",
        ),
        pytest.param(I, "file:///etc/jwks.json", {"file:///etc/jwks.json": KEYS}, 1, id="a file"),
        pytest.param(
            I, "file:///d.json", {"file:///d.json": discovery(I, f"{I}/k"), f"{I}/k": KEYS}, 2, id="a discovery document in a file",
        ),
    ],
)  # fmt: skip
def test_the_keys_are_found(issuer: str, jwks_uri: str | None, answers: Any, urls: int) -> None:
    web = Web()
    web.answers = answers
    assert load(web, issuer, jwks_uri).key_set.has_kid("a")
    assert web.urls == list(answers)
    assert len(web.urls) == urls


@pytest.mark.parametrize(
    ("jwks_uri", "answers", "problem"),
    [
        pytest.param(None, {}, "404", id="404 everywhere"),
        pytest.param(None, {f"{I}/.well-known/jwks.json": 500}, "500", id="500 at the default URI: no discovery"),
        pytest.param(None, {f"{I}/.well-known/jwks.json": 403}, "403", id="403 at the default URI: no discovery"),
        pytest.param(None, {f"{I}/.well-known/jwks.json": 401}, "401", id="401"),
        pytest.param(None, {f"{I}/.well-known/jwks.json": 204}, "204", id="204"),
        pytest.param(None, {f"{I}/.well-known/jwks.json": 304}, "304", id="304 that was not asked for"),
        pytest.param(None, {f"{I}/.well-known/jwks.json": b"<html>"}, "HTML", id="HTML"),
        pytest.param(None, {f"{I}/.well-known/jwks.json": b'{"keys":['}, "not JSON", id="broken JSON"),
        pytest.param(None, {f"{I}/.well-known/jwks.json": b'{"keys":[]}'}, "no usable key", id="an empty set"),
        pytest.param(None, {f"{I}/.well-known/jwks.json": KeySetError("no connection")}, "no connection", id="no connection"),
        pytest.param(f"{I}/keys", {}, f"{I}/keys answered HTTP 404", id="404 at a configured URI: no discovery"),
        pytest.param(
            f"{I}/keys", {f"{I}/keys": FetchResult(302, b"", location="https://new.example/keys")}, "https://new.example/keys", id="redirect",
        ),
        pytest.param(f"{I}/keys", {f"{I}/keys": FetchResult(308, b"", location="/new")}, f"{I}/new", id="redirect to a path: the whole address"),
        pytest.param(f"{I}/keys", {f"{I}/keys": FetchResult(301, KEYS)}, "301", id="redirect to nowhere, with keys"),
        pytest.param(f"{I}/d", {f"{I}/d": discovery(I + "/", f"{I}/k")}, "slash at the end", id="discovery: issuer off by a slash"),
        pytest.param(f"{I}/d", {f"{I}/d": discovery("https://evil.example", f"{I}/k")}, "https://evil.example", id="discovery: another issuer"),
        pytest.param(f"{I}/d", {f"{I}/d": discovery(None, f"{I}/k")}, "names the issuer", id="discovery: no issuer"),
        pytest.param(f"{I}/d", {f"{I}/d": discovery([I], f"{I}/k")}, "names the issuer", id="discovery: issuer a list"),
        pytest.param(f"{I}/d", {f"{I}/d": discovery(I, "http://i.example/k")}, "http is for loopback", id="discovery: keys over http"),
        pytest.param(f"{I}/d", {f"{I}/d": discovery(I, "file:///etc/passwd")}, "https:// URL", id="discovery: keys in a file"),
        pytest.param(f"{I}/d", {f"{I}/d": discovery(I, "k")}, "https:// URL", id="discovery: a relative URI"),
        pytest.param(f"{I}/d", {f"{I}/d": discovery(I, "")}, "https:// URL", id="discovery: an empty URI"),
        pytest.param(f"{I}/d", {f"{I}/d": discovery(I, "https://u:p@i.example/k")}, "password", id="discovery: a password"),
        pytest.param(f"{I}/d", {f"{I}/d": discovery(I, f"{I}/k\n")}, "control characters", id="discovery: a newline"),
        pytest.param(f"{I}/d", {f"{I}/d": discovery(I, f"{I}/e"), f"{I}/e": discovery(I, f"{I}/k"), f"{I}/k": KEYS}, "another discovery", id="discovery of discovery"),
        pytest.param(f"{I}/d", {f"{I}/d": discovery(I, f"{I}/d")}, "another discovery", id="discovery that names itself"),
        pytest.param(f"{I}/d", {f"{I}/d": discovery(I, f"{I}/k")}, f"{I}/k answered HTTP 404", id="discovery: no keys there"),
        pytest.param(
            "https://keys.example/", {"https://keys.example/.well-known/openid-configuration": 404, "https://keys.example/": KEYS}, "404",
            id="no discovery at a URI without path",
        ),
    ],
)  # fmt: skip
def test_a_refresh_that_finds_no_keys_fails_and_says_why(
    jwks_uri: str | None, answers: Any, problem: str
) -> None:
    web = Web()
    web.answers = answers
    with pytest.raises(KeySetError) as failed:
        load(web, I, jwks_uri)
    assert problem in str(failed.value)
    assert "\n" not in str(failed.value)
    assert "https://new.example/keys" not in web.urls, "a redirect was followed"


def test_a_configured_uri_that_answers_404_is_not_followed_by_discovery() -> None:
    web = Web()
    web.answers = {f"{I}/.well-known/openid-configuration": discovery(I, f"{I}/k"), f"{I}/k": KEYS}
    with pytest.raises(KeySetError):
        load(web, I, f"{I}/keys")
    assert web.urls == [f"{I}/keys"]
    assert load(web, I, None).key_set.has_kid("a"), "the twin: the default URI"


def test_an_etag_is_sent_back_and_304_means_the_keys_of_last_time() -> None:
    web = Web()
    url = f"{I}/k"
    source = KeySource(TrustedIssuer(I, url), web)

    async def twice() -> tuple[LoadedKeys, LoadedKeys]:
        web.answers[url] = FetchResult(200, KEYS, etag='"1"', max_age_s=60)
        first = await source.load()
        web.answers[url] = FetchResult(304, b"", max_age_s=90)
        return first, await source.load()

    first, second = asyncio.run(twice())
    assert web.asked == [(url, None), (url, '"1"')]
    assert second.key_set is first.key_set
    assert (first.max_age_s, second.max_age_s) == (60, 90)


def test_an_etag_that_is_no_longer_sent_is_forgotten() -> None:
    web = Web()
    url = f"{I}/k"
    source = KeySource(TrustedIssuer(I, url), web)

    async def run() -> LoadedKeys:
        for answer in (
            FetchResult(200, KEYS, etag='"1"'),
            FetchResult(200, OTHER_KEYS),
            FetchResult(200, KEYS),
        ):
            web.answers[url] = answer
            loaded = await source.load()
        return loaded

    assert asyncio.run(run()).key_set.has_kid("a")
    assert [etag for _, etag in web.asked] == [None, '"1"', None]


def test_a_document_that_cannot_be_used_leaves_no_etag_behind() -> None:
    """Or 304 would hold the broken document up for ever."""
    web = Web()
    url = f"{I}/k"
    source = KeySource(TrustedIssuer(I, url), web)

    async def run() -> None:
        web.answers[url] = FetchResult(200, b'{"keys":[]}', etag='"broken"')
        with pytest.raises(KeySetError):
            await source.load()
        web.answers[url] = KEYS
        await source.load()

    asyncio.run(run())
    assert [etag for _, etag in web.asked] == [None, None]


def test_the_etags_of_discovery_and_keys_are_kept_apart() -> None:
    web = Web()
    source = KeySource(TrustedIssuer(I, f"{I}/d"), web)

    async def run() -> LoadedKeys:
        web.answers = {
            f"{I}/d": FetchResult(200, discovery(I, f"{I}/k"), etag='"d"'),
            f"{I}/k": FetchResult(200, KEYS, etag='"k"'),
        }
        await source.load()
        web.answers = {
            f"{I}/d": FetchResult(304, b""),
            f"{I}/k": FetchResult(200, OTHER_KEYS, etag='"k2"'),
        }
        return await source.load()

    assert asyncio.run(run()).key_set.has_kid("b")
    assert web.asked == [(f"{I}/d", None), (f"{I}/k", None), (f"{I}/d", '"d"'), (f"{I}/k", '"k"')]


def test_the_keys_lifetime_counts_not_that_of_the_discovery_document() -> None:
    web = Web()
    web.answers = {
        f"{I}/d": FetchResult(200, discovery(I, f"{I}/k"), max_age_s=86400),
        f"{I}/k": FetchResult(200, KEYS, max_age_s=60),
    }
    assert load(web, I, f"{I}/d").max_age_s == 60


def test_a_file_is_read_again_at_every_refresh() -> None:
    web = Web()
    source = KeySource(TrustedIssuer(I, "file:///k.json"), web)

    async def run() -> tuple[LoadedKeys, LoadedKeys]:
        web.answers["file:///k.json"] = KEYS
        first = await source.load()
        web.answers["file:///k.json"] = OTHER_KEYS
        return first, await source.load()

    first, second = asyncio.run(run())
    assert first.key_set.has_kid("a")
    assert second.key_set.has_kid("b")
    assert not second.key_set.has_kid("a")
