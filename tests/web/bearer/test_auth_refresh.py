"""BearerAuth and its issuer: keys that are fetched, rotated, and kept through every fault."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from kms_tornado.auth.issuers.issuer import RefreshPolicy
from kms_tornado.errors import InvalidToken, UnknownKey
from kms_tornado.web.bearer.auth import BearerAuth

from ...auth.checking import check_token
from ...issuer import Answer, Issuer, response
from ...keys import jwk
from .fetching import BROKEN, TIMEOUT_S, fetch

LIVELY = RefreshPolicy(cooldown_s=0, timeout_s=TIMEOUT_S)


def story(issuer: Issuer, scenario: Callable[[BearerAuth], Awaitable[None]], **kwargs: Any) -> None:
    async def run() -> None:
        auth = BearerAuth.from_issuer(
            issuer.uri, audience="kms", refresh=kwargs.pop("refresh", LIVELY), **kwargs
        )
        async with auth:
            await scenario(auth)
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
    "an empty set that is cut off": response(b'{"keys": []'),
    "an empty set with NaN": response(b'{"keys": [], "x": NaN}'),
    "an empty set, twice": response(b'{"keys": [], "keys": []}'),
    "a set of useless keys": response({"keys": [{"kty": "oct", "k": "AA"}]}),
    "a redirect": response(b"", "302 Found", Location="https://elsewhere.example/"),
    "304 that was not asked for": response(b"", "304 Not Modified"),
}


@pytest.mark.parametrize("fault", sorted(SURVIVED))
def test_whatever_is_at_the_default_place_the_keys_are_found_by_discovery_in_the_same_refresh(
    issuer: Issuer, fault: str
) -> None:
    issuer.answers = {
        issuer.jwks_path: SURVIVED[fault],
        issuer.discovery_path: response({"issuer": issuer.uri, "jwks_uri": f"{issuer.uri}/certs"}),
        "/certs": response({"keys": issuer.keys}),
    }

    async def scenario(auth: BearerAuth) -> None:
        assert (await check_token(auth.authenticator, issuer.token(aud="kms"))).name == "alice"
        assert issuer.requests["/certs"] == issuer.fetches == 1

    story(issuer, scenario)


def test_an_empty_set_takes_every_key_out_with_the_next_refresh_and_a_full_one_brings_them_back(
    issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    """Remembered tokens included: this is how a leaked key is taken out at once."""
    remembered, other, without_kid = (
        issuer.token(aud="kms", **changes)
        for changes in ({}, {"sub": "bob"}, {"header": {"kid": None}})
    )
    full = response({"keys": issuer.keys})

    async def scenario(auth: BearerAuth) -> None:
        for _ in range(2):
            issuer.answers[issuer.jwks_path] = full
            await refreshed(auth)
            assert (await check_token(auth.authenticator, remembered)).name == "alice"
            caplog.clear()
            issuer.answers[issuer.jwks_path] = response({"keys": []})
            for _ in range(2):
                await refreshed(auth)
            for text in (remembered, other, without_kid):
                with pytest.raises(InvalidToken):
                    await check_token(auth.authenticator, text)
            (status,) = auth.status()
            assert (status.state, status.keys, status.problem) == ("empty", 0, None)
            (line,) = [r.getMessage() for r in caplog.records]
            assert f"issuer {issuer.uri}: its key set is empty" in line

    story(issuer, scenario)


#: What /ready may tell anybody of these faults.
CAUSES = {
    "timeout", "connection closed", "HTTP 302", "HTTP 304", "HTTP 404", "HTTP 500", "not a key set", "no usable key",
}  # fmt: skip


@pytest.mark.parametrize("fault", SURVIVED)
def test_good_keys_survive_every_fault_and_the_log_has_one_line(
    issuer: Issuer, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    text = issuer.token(aud="kms")

    async def scenario(auth: BearerAuth) -> None:
        assert (await check_token(auth.authenticator, text)).name == "alice"
        caplog.clear()
        issuer.answers[issuer.jwks_path] = SURVIVED[fault]
        for _ in range(2):
            await refreshed(auth)
        (status,) = auth.status()
        assert (status.state, status.keys) == ("failing", 1)
        assert status.problem
        assert "internal error" not in status.problem
        assert status.cause in CAUSES
        assert (await check_token(auth.authenticator, text)).name == "alice"
        assert (
            await check_token(auth.authenticator, issuer.token(aud="kms", sub="bob"))
        ).name == "bob"
        (line,) = [r.getMessage() for r in caplog.records]
        assert issuer.uri in line
        assert text not in line
        del issuer.answers[issuer.jwks_path]
        await refreshed(auth)
        assert auth.status()[0].state == "ok"

    caplog.set_level(logging.INFO)
    story(issuer, scenario)


def test_a_refused_connection_keeps_the_keys_too(caplog: pytest.LogCaptureFixture) -> None:
    with Issuer("ES256") as issuer:
        text = issuer.token(aud="kms")

        async def scenario(auth: BearerAuth) -> None:
            await check_token(auth.authenticator, text)
            issuer.refuse()
            await refreshed(auth)
            assert "Connection refused" in str(auth.status()[0].problem)
            assert auth.status()[0].cause == "connection refused"
            assert (await check_token(auth.authenticator, text)).name == "alice"
            issuer.listen()
            await refreshed(auth)
            assert auth.status()[0].state == "ok"

        story(issuer, scenario)
    assert [r.name for r in caplog.records if r.name.startswith("tornado")] == []


def test_a_redirect_in_the_log_names_the_address_to_configure(
    issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    issuer.answers[issuer.jwks_path] = response(b"", "301 Moved", Location="/new/keys")

    async def scenario(auth: BearerAuth) -> None:
        await refreshed(auth)

    story(issuer, scenario)
    assert f"redirects to {issuer.uri}/new/keys" in caplog.text
    assert issuer.requests["/new/keys"] == 0


def test_304_is_a_good_refresh_and_keeps_remembered_tokens(issuer: Issuer) -> None:
    text = issuer.token(aud="kms")
    issuer.jwks_headers = {"ETag": '"1"'}

    async def scenario(auth: BearerAuth) -> None:
        await check_token(auth.authenticator, text)
        before = auth.status()[0]
        issuer.answers[issuer.jwks_path] = response(b"", "304 Not Modified")
        await refreshed(auth)
        after = auth.status()[0]
        assert (after.state, after.generation) == ("ok", before.generation)
        assert issuer.headers[-1]["if-none-match"] == '"1"'
        await check_token(auth.authenticator, text)
        assert auth.authenticator.tokens.hits == 1

    story(issuer, scenario)


def test_discovery_is_followed_where_the_default_uri_is_empty(issuer: Issuer) -> None:
    issuer.answers[issuer.jwks_path] = response(b"{}", "404 Not Found")
    issuer.answers[issuer.discovery_path] = response(
        {"issuer": issuer.uri, "jwks_uri": issuer.uri + "/certs"}
    )
    issuer.answers["/certs"] = response({"keys": issuer.keys})

    async def scenario(auth: BearerAuth) -> None:
        assert (await check_token(auth.authenticator, issuer.token(aud="kms"))).name == "alice"

    story(issuer, scenario)
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

    async def scenario(auth: BearerAuth) -> None:
        await refreshed(auth)
        assert auth.status()[0].state == "missing"
        assert "in time" in str(auth.status()[0].problem) or "within" in str(
            auth.status()[0].problem
        )

    story(issuer, scenario)
    assert issuer.requests["/c"] == 0


def test_a_rotated_key_is_found_and_the_removed_one_forgotten() -> None:
    with Issuer("ES256") as issuer:
        old = issuer.token(aud="kms")

        async def scenario(auth: BearerAuth) -> None:
            await check_token(auth.authenticator, old)
            issuer.rotate(keep_old=False)
            assert (await check_token(auth.authenticator, issuer.token(aud="kms"))).name == "alice"
            with pytest.raises(UnknownKey):
                await check_token(auth.authenticator, old)

        story(issuer, scenario)


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

        async def scenario(auth: BearerAuth) -> None:
            for header, claims in spots:
                for signer in (issuer, canary):
                    fields = {"header": header, **claims, "aud": "kms"}
                    text = signer.token(**{"iss": issuer.uri, **fields})
                    try:
                        await check_token(auth.authenticator, text)
                    except InvalidToken:
                        continue
                    # the issuer's own key signed what is only ignored
                    assert signer is issuer
                    assert not claims

        story(issuer, scenario)
        assert canary.requests == {}
        fetch(canary.uri + "/is-alive")
        assert canary.requests == {"/is-alive": 1}


def test_start_returns_before_the_issuer_has_answered_and_stop_does_not_wait(
    issuer: Issuer,
) -> None:
    issuer.answers[issuer.jwks_path] = Issuer.silent
    begun = time.monotonic()

    async def scenario(auth: BearerAuth) -> None:
        await asyncio.to_thread(issuer.wait_for_fetches, 1)

    story(issuer, scenario, refresh=RefreshPolicy(timeout_s=30))
    assert time.monotonic() - begun < 5


def test_a_wall_clock_that_is_set_back_delays_no_refresh(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that was taken out would verify tokens for as long as the clock was set back."""
    issuer.jwks_headers = {"Cache-Control": "max-age=0"}
    real = time.time

    async def scenario(auth: BearerAuth) -> None:
        await asyncio.to_thread(issuer.wait_for_fetches, 1)
        monkeypatch.setattr(time, "time", lambda: real() - 86400)
        await asyncio.to_thread(issuer.wait_for_fetches, 4, 3)

    story(issuer, scenario, refresh=RefreshPolicy(cooldown_s=0.1))


def test_a_signal_before_the_start_or_after_the_stop_fetches_nothing(issuer: Issuer) -> None:
    async def run() -> None:
        auth = BearerAuth.from_issuer(issuer.uri, audience="kms", refresh=LIVELY)
        auth.refresh_soon()
        await auth.start()
        await auth.stop()
        fetches = issuer.fetches
        auth.refresh_soon()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert issuer.fetches == fetches

    asyncio.run(run())


def test_start_and_stop_may_be_repeated(issuer: Issuer) -> None:
    async def run() -> None:
        auth = BearerAuth.from_issuer(issuer.uri, audience="kms", refresh=LIVELY)
        await auth.stop()
        for _ in range(3):
            await auth.start()
            await auth.start()
            assert (await check_token(auth.authenticator, issuer.token(aud="kms"))).name == "alice"
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


def test_http_that_is_allowed_is_warned_of_at_the_start(
    issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(auth: BearerAuth) -> None:
        assert auth.settings.issuers[0].jwks_allow_http == {"keycloak", "127.0.0.1"}

    story(issuer, scenario, jwks_allow_http=["Keycloak", "127.0.0.1"])
    (warning,) = [text for text in caplog.messages if "HTTP IS ALLOWED" in text]
    assert "to 127.0.0.1, keycloak: " in warning
    caplog.clear()
    story(issuer, scenario_of_nothing)
    assert "HTTP IS ALLOWED" not in caplog.text


async def scenario_of_nothing(auth: BearerAuth) -> None:
    assert not auth.settings.issuers[0].jwks_allow_http


def test_the_token_for_the_keys_reaches_the_issuer_and_not_where_discovery_leads(
    issuer: Issuer, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("of.this.server\n")
    with Issuer("ES256") as elsewhere:
        issuer.answers = {
            issuer.jwks_path: response(b"{}", "404 Not Found"),
            issuer.discovery_path: response(
                {"issuer": issuer.uri, "jwks_uri": f"{elsewhere.origin}/keys"}
            ),
        }
        elsewhere.answers = {"/keys": response({"keys": issuer.keys})}

        async def scenario(auth: BearerAuth) -> None:
            assert (await check_token(auth.authenticator, issuer.token(aud="kms"))).name == "alice"

        story(issuer, scenario, jwks_token_file=file)
        assert {sent.get("authorization") for sent in issuer.headers} == {"Bearer of.this.server"}
        assert [sent.get("authorization") for sent in elsewhere.headers] == [None]
