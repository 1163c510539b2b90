"""When a BearerAuth fetches keys, and that requests before its start and after its end change nothing."""

from __future__ import annotations

import asyncio
import logging

import pytest

from kms_tornado.auth.issuers.issuer import RefreshPolicy
from kms_tornado.errors import KeysUnavailable, UnknownKey
from kms_tornado.web.bearer.auth import BearerAuth

from ...auth.checking import check_token
from ...issuer import Issuer


def test_request_before_the_start_is_refused_and_delays_no_fetch(
    issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    """An application may listen before it starts its token check."""

    async def run() -> None:
        auth = BearerAuth.from_issuer(issuer.uri, audience="kms")
        for _ in range(2):
            with pytest.raises(KeysUnavailable) as refused:
                await check_token(auth.authenticator, issuer.token(aud="kms"))
            assert "its BearerAuth is not started" in refused.value.detail
        (status,) = auth.status()
        assert (status.state, status.failing_for_s) == ("loading", None)
        async with auth:
            assert (await check_token(auth.authenticator, issuer.token(aud="kms"))).name == "alice"

    with caplog.at_level(logging.INFO, "kms_tornado.keys"):
        asyncio.run(run())
    (line,) = [record.getMessage() for record in caplog.records]
    assert line == f"issuer {issuer.uri}: loaded 1 signing key"


def test_unknown_key_after_the_stop_is_no_failed_fetch(
    issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        at_once = RefreshPolicy(cooldown_s=0)
        auth = BearerAuth.from_issuer(issuer.uri, audience="kms", refresh=at_once)
        async with auth:
            await check_token(auth.authenticator, issuer.token(aud="kms"))
        caplog.clear()
        with pytest.raises(UnknownKey):
            await check_token(
                auth.authenticator, issuer.token(aud="kms", header={"kid": "another"})
            )
        assert await check_token(auth.authenticator, issuer.token(aud="kms", sub="bob"))
        (status,) = auth.status()
        assert (status.state, status.problem) == ("ok", None)
        async with auth:  # and it may be started again
            assert await check_token(auth.authenticator, issuer.token(aud="kms", sub="carol"))

    with caplog.at_level(logging.INFO, "kms_tornado.keys"):
        asyncio.run(run())
    assert not [record for record in caplog.records if record.levelno > logging.INFO]
