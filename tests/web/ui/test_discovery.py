"""Where an issuer signs people in: what its document must say, and what happens while it is out of reach."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from kms_tornado.auth.issuers.issuer import RefreshPolicy, TrustedIssuer
from kms_tornado.auth.issuers.key_source import FetchResult
from kms_tornado.errors import KeySetError
from kms_tornado.web.ui.discovery import Discovery, SignIn

from ...rows import each_row

URI = "https://idp.example/realm"
DOCUMENT = {
    "issuer": URI,
    "authorization_endpoint": "https://idp.example/authorize",
    "token_endpoint": "https://tokens.idp.example:8443/token",
}
POLICY = RefreshPolicy()


class Issuer:
    """Answers each fetch with the next of some results; the last one stays. asked: the URLs."""

    def __init__(self, *results: Any) -> None:
        self.results = list(results)
        self.asked: list[str] = []

    async def __call__(self, url: str, *, etag: str | None) -> FetchResult:
        self.asked.append(url)
        await asyncio.sleep(0)
        result = self.results.pop(0) if len(self.results) > 1 else self.results[0]
        if isinstance(result, Exception):
            raise result
        if isinstance(result, FetchResult):
            return result
        body = result if isinstance(result, bytes) else json.dumps(result).encode()
        return FetchResult(200, body)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def discovery(fetch: Issuer, clock: Clock | None = None, **issuer: Any) -> Discovery:
    return Discovery(
        TrustedIssuer(URI, **issuer), "kms-page", POLICY, fetch, clock=clock or Clock()
    )


def find(fetch: Issuer, **issuer: Any) -> SignIn | None:
    async def body() -> SignIn | None:
        looking = discovery(fetch, **issuer)
        found = await looking.find()
        await looking.stop()
        return found

    return asyncio.run(body())


def test_endpoints_are_those_of_the_document_below_the_issuer() -> None:
    issuer = Issuer(DOCUMENT)
    found = find(issuer, audiences=frozenset({"kms-api"}))
    assert issuer.asked == [f"{URI}/.well-known/openid-configuration"]
    assert found == SignIn(
        URI,
        "kms-page",
        DOCUMENT["authorization_endpoint"],
        DOCUMENT["token_endpoint"],
        audience="kms-api",
    )
    assert found.token_origin == "https://tokens.idp.example:8443"


def test_id_token_needs_no_audience_to_be_asked_for() -> None:
    found = find(Issuer(DOCUMENT), audiences=frozenset({"kms-page", "kms-api"}))
    assert found is not None
    assert found.audience == ""


@each_row(
    "answer",
    [
        pytest.param(KeySetError("refused", "connection refused"), id="out of reach"),
        pytest.param(FetchResult(404, b""), id="not found"),
        pytest.param(FetchResult(302, b"", location="https://elsewhere.example"), id="redirect"),
        pytest.param(b"<html>", id="no JSON"),
        pytest.param(b"\xff", id="no UTF-8"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param([], id="no object"),
        pytest.param(DOCUMENT | {"issuer": "https://evil.example"}, id="another issuer"),
        pytest.param(DOCUMENT | {"token_endpoint": None}, id="no endpoint"),
        pytest.param(DOCUMENT | {"token_endpoint": "http://idp.example/t"}, id="http"),
        pytest.param(DOCUMENT | {"token_endpoint": "http://127.0.0.1/t"}, id="loopback"),
        pytest.param(DOCUMENT | {"authorization_endpoint": "javascript:alert(1)"}, id="script"),
        pytest.param(
            DOCUMENT | {"token_endpoint": "https://a.example; script-src *"}, id="a policy"
        ),
        pytest.param(DOCUMENT | {"token_endpoint": "https://user@a.example/"}, id="user"),
    ],
)
def test_answer_that_is_none_lets_nobody_sign_in(answer: Any) -> None:
    assert find(Issuer(answer)) is None
    assert find(Issuer(DOCUMENT)) is not None


def test_dead_issuer_is_asked_once_in_its_cooldown_whoever_waits() -> None:
    async def body() -> None:
        issuer, clock = Issuer(KeySetError("refused"), DOCUMENT), Clock()
        looking = discovery(issuer, clock)
        looking.start()
        assert await asyncio.gather(*(looking.find() for _ in range(20))) == [None] * 20
        assert len(issuer.asked) == 1
        clock.now += POLICY.cooldown_s
        assert await looking.find() is not None
        assert len(issuer.asked) == 2
        await looking.stop()

    asyncio.run(body())


def test_what_was_found_serves_while_the_issuer_is_out_of_reach() -> None:
    async def body() -> None:
        issuer, clock = Issuer(DOCUMENT, KeySetError("refused")), Clock()
        looking = discovery(issuer, clock)
        found = await looking.find()
        clock.now += POLICY.interval_s
        assert await looking.find() == found
        await asyncio.sleep(0.01)
        assert await looking.find() == found
        assert len(issuer.asked) == 2
        await looking.stop()

    asyncio.run(body())
