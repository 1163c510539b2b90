"""Which document is asked for at which URL, and what makes a refresh fail."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest

from kms_tornado.auth.issuers import key_source
from kms_tornado.auth.issuers.issuer import TrustedIssuer
from kms_tornado.auth.issuers.key_source import FetchResult, KeySource, LoadedKeys
from kms_tornado.auth.issuers.keyset import parse_document
from kms_tornado.errors import KeySetError

from ...keys import certificate, jwk, private_key
from ...rows import each_row
from ..samples import document

KEYS = document(jwk("ES256", "a"))
OTHER_KEYS = document(jwk("ES256", "b", "other"))
I = "https://i.example"  # noqa: E741
L = "http://localhost:9"
GUESS = f"{I}/.well-known/jwks.json"
DISCOVERY = f"{I}/.well-known/openid-configuration"
SILENCE = object()


class Web:
    """A fetch that answers from a table: bytes are 200, a number is that status."""

    def __init__(self, **answers: Any) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.silent = 0  # answers that are still waited for

    @property
    def urls(self) -> list[str]:
        return [url for url, _ in self.asked]

    async def __call__(self, url: str, *, etag: str | None) -> FetchResult:
        self.asked.append((url, etag))
        answer = self.answers.get(url, 404)
        if isinstance(answer, Exception):
            raise answer
        if answer is SILENCE:
            self.silent += 1
            try:
                await asyncio.sleep(60)
            finally:
                self.silent -= 1
        if isinstance(answer, FetchResult):
            return answer
        return FetchResult(answer, b"") if isinstance(answer, int) else FetchResult(200, answer)


def discovery(issuer: Any, jwks_uri: Any) -> bytes:
    return json.dumps({"issuer": issuer, "jwks_uri": jwks_uri, "token_endpoint": "x"}).encode()


def load(web: Web, issuer: str = I, jwks_uri: str | None = None) -> LoadedKeys:
    timeout_s = 0.5 if any(answer is SILENCE for answer in web.answers.values()) else 5.0
    return asyncio.run(KeySource(TrustedIssuer(issuer, jwks_uri), web, timeout_s=timeout_s).load())


@each_row(
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
            L, f"{L}/x", {f"{L}/x": discovery(L, "http://127.0.0.1:9/k"), "http://127.0.0.1:9/k": KEYS},
            2, id="keys and issuer on loopback over http",
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


@each_row(
    ("jwks_uri", "answers", "problem"),
    [
        pytest.param(None, {}, "404", id="404 everywhere"),
        pytest.param(None, {f"{I}/.well-known/jwks.json": 500}, "500", id="500 at the default URI, 404 by discovery"),
        pytest.param(None, {f"{I}/.well-known/jwks.json": 403}, "403", id="403 at the default URI, 404 by discovery"),
        pytest.param(None, {f"{I}/.well-known/jwks.json": 401}, "401", id="401"),
        pytest.param(None, {f"{I}/.well-known/jwks.json": 204}, "204", id="204"),
        pytest.param(None, {f"{I}/.well-known/jwks.json": 304}, "304", id="304 that was not asked for"),
        pytest.param(None, {f"{I}/.well-known/jwks.json": b"<html>"}, "HTML", id="HTML"),
        pytest.param(None, {f"{I}/.well-known/jwks.json": b'{"keys":['}, "not JSON", id="broken JSON"),
        pytest.param(None, {f"{I}/.well-known/jwks.json": b'{"keys":[{}]}'}, "no usable key", id="a set of no usable key"),
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
        pytest.param(f"{I}/d", {f"{I}/d": discovery(I, "http://127.0.0.1:9/k")}, "issuers on loopback", id="discovery of a remote issuer: keys on loopback over http"),
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


#: What is at a place that nobody named. Each of them has been seen at a real issuer or in front of one.
NO_KEY_SETS: dict[str, Any] = {
    "204": FetchResult(204, b""),
    "301 to nowhere": FetchResult(301, b""),
    "302 to a page for signing in": FetchResult(302, b"", location="/login"),
    "303": FetchResult(303, b"", location=f"{I}/"),
    "307": FetchResult(307, b"", location="https://www.example/"),
    "308 that brings keys": FetchResult(308, OTHER_KEYS, location=f"{I}/k2"),
    "400": 400, "401": 401, "403": 403, "404": 404, "405": 405, "406": 406, "410": 410, "418": 418,
    "429": 429, "500": 500, "501": 501, "502": 502, "503": 503,
    "304 that was not asked for": 304,
    "203 with keys": FetchResult(203, OTHER_KEYS),
    "nothing": b"",
    "HTML": b"<!doctype html><title>Sign in</title>",
    "text": b"Not Found",
    "{}": b"{}",
    "a list": b"[]",
    "null": b"null",
    "a string": b'"keys"',
    "an error as JSON": b'{"error": "not_found", "status": 404}',
    "keys that is no list": b'{"keys": {}}',
    "cut off": KEYS[:-9],
    "no UTF-8": b"\xff" + KEYS,
    "keys for encryption alone": document(jwk("ES256", "e") | {"use": "enc"}),
    "another issuer's discovery document": discovery("https://other.example", f"{I}/k2"),
    "a discovery document that leads nowhere": discovery(I, f"{I}/gone"),
    "a reset connection": KeySetError(f"{GUESS}: the connection was reset"),
    "an answer that is too large": KeySetError(f"{GUESS}: larger than 1048576 bytes"),
    "silence": SILENCE,
}  # fmt: skip


@each_row("guessed", NO_KEY_SETS)
def test_whatever_is_no_key_set_at_the_guessed_place_leads_to_discovery(guessed: str) -> None:
    web = Web()
    web.answers = {
        GUESS: NO_KEY_SETS[guessed],
        DISCOVERY: discovery(I, f"{I}/k"),
        f"{I}/k": KEYS,
        f"{I}/k2": OTHER_KEYS,
    }
    assert load(web).key_set.has_kid("a")
    assert web.urls[0] == GUESS
    assert web.urls[-2:] == [DISCOVERY, f"{I}/k"]
    assert web.silent == 0, "a request that nobody waits for was left running"


@each_row("configured", NO_KEY_SETS)
def test_at_a_configured_place_it_is_a_failed_refresh_without_any_other_request(
    configured: str,
) -> None:
    if configured in {"a discovery document that leads nowhere", "silence"}:
        return  # its jwks_uri is asked for; KeyCache ends what takes too long
    web = Web()
    web.answers = {
        f"{I}/keys": NO_KEY_SETS[configured],
        GUESS: KEYS,
        DISCOVERY: discovery(I, f"{I}/k"),
        f"{I}/k": KEYS,
    }
    with pytest.raises(KeySetError):
        load(web, I, f"{I}/keys")
    assert web.urls == [f"{I}/keys"]


@each_row("answer", NO_KEY_SETS)
def test_whatever_a_bare_host_answers_leads_on_to_the_issuer(answer: str) -> None:
    web = Web()
    web.answers = {
        "https://keys.example/.well-known/openid-configuration": NO_KEY_SETS[answer],
        DISCOVERY: discovery(I, f"{I}/k"),
        f"{I}/k": KEYS,
    }
    assert load(web, I, "https://keys.example").key_set.has_kid("a")


@each_row(
    ("at_discovery", "named"),
    [
        pytest.param(404, DISCOVERY, id="404"),
        pytest.param(FetchResult(302, b"", location="/login"), f"{I}/login", id="a redirect"),
        pytest.param(b"<html>", DISCOVERY, id="HTML"),
        pytest.param(discovery(I + "/", f"{I}/k"), "slash at the end", id="another issuer"),
        pytest.param(discovery(I, f"{I}/gone"), f"{I}/gone", id="keys that are not there"),
        pytest.param(
            discovery(I, "http://i.example/k"), "http is for loopback", id="keys over http"
        ),
        pytest.param(SILENCE, "no complete answer in time", id="silence"),
    ],
)
@each_row("guessed", ["302 to a page for signing in", "401", "HTML", "{}"])
def test_where_both_places_fail_the_log_names_both_and_why(
    guessed: str, at_discovery: Any, named: str
) -> None:
    web = Web()
    web.answers = {GUESS: NO_KEY_SETS[guessed], DISCOVERY: at_discovery}
    with pytest.raises(KeySetError) as failed:
        load(web)
    first, _, second = str(failed.value).partition("; discovery: ")
    assert first.startswith(GUESS)
    assert DISCOVERY in second
    assert named in second
    assert "\n" not in str(failed.value)


@each_row("jwks_uri", [None, GUESS, f"{I}/d"])
def test_an_empty_set_is_the_answer_wherever_it_is(jwks_uri: str | None) -> None:
    web = Web()
    web.answers = {
        GUESS: b'{"keys":[]}',
        f"{I}/d": discovery(I, GUESS),
        DISCOVERY: discovery(I, f"{I}/k"),
        f"{I}/k": KEYS,
    }
    assert load(web, I, jwks_uri).key_set.size == 0
    assert web.urls[-1] == GUESS


def test_a_slow_answer_at_the_guessed_place_still_counts_where_discovery_fails() -> None:
    async def run() -> LoadedKeys:
        async def fetch(url: str, *, etag: str | None) -> FetchResult:
            if url != GUESS:
                return FetchResult(404, b"")
            await asyncio.sleep(0.08)
            return FetchResult(200, KEYS)

        return await KeySource(TrustedIssuer(I), fetch, timeout_s=0.1).load()

    assert asyncio.run(run()).key_set.has_kid("a")


def test_a_load_that_is_cancelled_leaves_no_request_behind() -> None:
    async def run(answers: dict[str, Any]) -> None:
        web = Web()
        web.answers = answers
        loading = asyncio.create_task(KeySource(TrustedIssuer(I), web, timeout_s=0.1).load())
        await asyncio.sleep(0.06)
        assert web.silent == len(answers)
        loading.cancel()
        await asyncio.wait({loading})
        assert loading.cancelled()
        assert web.silent == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run({GUESS: SILENCE, DISCOVERY: SILENCE}))


def test_an_etag_is_sent_back_and_304_means_the_keys_of_last_time() -> None:
    web = Web()
    url = f"{I}/k"
    source = KeySource(TrustedIssuer(I, url), web)

    async def ask() -> list[LoadedKeys]:
        loaded = []
        for answer in (
            FetchResult(200, KEYS, etag='"1"', max_age_s=60),
            FetchResult(304, b""),
            FetchResult(304, b"", max_age_s=90),
            FetchResult(304, b""),
        ):
            web.answers[url] = answer
            loaded.append(await source.load())
        return loaded

    first, *others = loaded = asyncio.run(ask())
    assert web.asked == [(url, None), *[(url, '"1"')] * 3]
    assert all(other.key_set is first.key_set for other in others)
    assert [one.max_age_s for one in loaded] == [60, 60, 90, 90], "RFC 9111 §4.3.4"
    assert {one.document for one in loaded} == {KEYS}, "what is kept for a restart"


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
        web.answers[url] = FetchResult(200, b'{"keys":[', etag='"broken"')
        with pytest.raises(KeySetError):
            await source.load()
        web.answers[url] = KEYS
        await source.load()

    asyncio.run(run())
    assert [etag for _, etag in web.asked] == [None, None]


def test_key_set_is_parsed_off_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand keys take a fifth of a second, certificates longer."""
    parsed_by = []

    def parse(body: bytes) -> Any:
        parsed_by.append(threading.current_thread())
        return parse_document(body)

    monkeypatch.setattr(key_source, "parse_document", parse)
    web = Web()
    web.answers = {f"{I}/k": KEYS}
    load(web, jwks_uri=f"{I}/k")
    assert len(parsed_by) == 1
    assert parsed_by != [threading.main_thread()]


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


# --- issuers that are names, http, and a token for fetching ---------------------------------------


def test_a_name_has_no_address_to_be_discovered_at() -> None:
    web = Web()
    web.answers = {DISCOVERY: discovery("urn:i", f"{I}/k"), f"{I}/k": KEYS}
    assert load(web, "urn:i", I).key_set.size == 1
    assert web.urls == [DISCOVERY, f"{I}/k"]
    web = Web()
    with pytest.raises(KeySetError, match="HTTP 404"):
        load(web, "http://plain.example", I)
    assert web.urls == [DISCOVERY, I], "nothing is asked of an issuer that is only compared"


@pytest.mark.parametrize("end", ["", "/"])
def test_a_name_may_have_its_keys_at_the_root_of_a_host(end: str) -> None:
    web = Web()
    web.answers = {I + end: KEYS}
    assert load(web, "spiffe://example.org", I + end).key_set.size == 1
    assert web.urls == [DISCOVERY, I + end]


def test_a_discovery_document_of_tenants_names_the_place_for_them() -> None:
    uri = f"{I}/{{tenantid}}/v2.0"
    issuer = TrustedIssuer(uri, f"{I}/d", tenants=frozenset({"t"}))
    web = Web()
    web.answers = {f"{I}/d": discovery(uri, f"{I}/k"), f"{I}/k": KEYS}
    assert asyncio.run(KeySource(issuer, web).load()).key_set.size == 1
    web.answers[f"{I}/d"] = discovery(f"{I}/t/v2.0", f"{I}/k")
    with pytest.raises(KeySetError, match="names the issuer"):
        asyncio.run(KeySource(issuer, web).load())


@each_row(("hosts", "is_good"), [(("keys",), True), (("localhost",), False), ((), False)])
def test_discovery_may_lead_to_http_where_that_is_allowed(
    hosts: tuple[str, ...], is_good: bool
) -> None:
    issuer = TrustedIssuer(I, f"{I}/d", jwks_allow_http=frozenset(hosts))
    web = Web()
    web.answers = {f"{I}/d": discovery(I, "http://keys/k"), "http://keys/k": KEYS}
    if is_good:
        assert asyncio.run(KeySource(issuer, web).load()).key_set.size == 1
    else:
        with pytest.raises(KeySetError, match="http is for"):
            asyncio.run(KeySource(issuer, web).load())
        assert web.urls == [f"{I}/d"]


@each_row(
    ("uri", "jwks_uri", "answers", "with_token", "without"),
    [
        pytest.param(I, None, {GUESS: KEYS}, [GUESS], [], id="the default URI"),
        pytest.param(
            I, None, {DISCOVERY: discovery(I, f"{I}/k"), f"{I}/k": KEYS}, [GUESS, DISCOVERY, f"{I}/k"], [],
            id="discovery on the same host",
        ),
        pytest.param(
            I, None, {DISCOVERY: discovery(I, "https://cdn.example/k"), "https://cdn.example/k": KEYS},
            [GUESS, DISCOVERY], ["https://cdn.example/k"],
            id="discovery of another host",
        ),
        pytest.param(
            I, None, {DISCOVERY: discovery(I, f"{I}:8443/k"), f"{I}:8443/k": KEYS}, [GUESS, DISCOVERY], [f"{I}:8443/k"],
            id="discovery of another port",
        ),
        pytest.param("urn:i", "https://k.example/k", {"https://k.example/k": KEYS}, ["https://k.example/k"], [], id="the key URI"),
    ],
)  # fmt: skip
def test_the_token_goes_to_the_configured_hosts_and_to_no_other(
    uri: str,
    jwks_uri: str | None,
    answers: dict[str, Any],
    with_token: list[str],
    without: list[str],
) -> None:
    plain, trusted = Web(), Web()
    plain.answers = trusted.answers = answers
    source = KeySource(TrustedIssuer(uri, jwks_uri), plain, fetch_with_token=trusted)
    assert asyncio.run(source.load()).key_set.size == 1
    assert (trusted.urls, plain.urls) == (with_token, without)
