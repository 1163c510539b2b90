"""The lag of the event loop is what a request would wait for."""

from __future__ import annotations

import asyncio
import time

import pytest

from kms_tornado.web.process import loop_lag
from kms_tornado.web.process.loop_lag import LoopLag
from tests.store.helpers import until


def block(seconds: float) -> None:
    time.sleep(seconds)


def test_a_loop_that_was_blocked_is_late_by_that_and_is_observed_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loop_lag, "_INTERVAL_S", 0.01)
    lags: list[float] = []

    async def main() -> None:
        async with LoopLag(lags.append):
            await until(lambda: lags)
            block(0.1)
            await until(lambda: max(lags) > 0.05)
            number = len(lags)
            await until(lambda: len(lags) > number)
        number = len(lags)
        await asyncio.sleep(0.03)
        assert len(lags) == number

    asyncio.run(main())
    assert min(lags) >= 0
