"""Nothing of a fetch is left once it was cancelled, and Tornado logs nothing of it."""

from __future__ import annotations

import asyncio
import gc
import logging
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from kms_tornado.auth.issuers.issuer import RefreshPolicy
from kms_tornado.web.bearer.jwks_fetch import JWKSFetch

from ...issuer import Answer, Issuer
from .fetching import fetch, url_of


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


def test_tornados_other_log_lines_are_not_touched(
    issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    fetch(url_of(issuer))
    logging.getLogger("tornado.general").warning("of the application")
    assert "of the application" in caplog.text
