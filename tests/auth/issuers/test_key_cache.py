"""One issuer's keys over time, on a clock of our own: nothing here sleeps or opens a socket."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import math
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from kms_tornado.auth.issuers.issuer import RefreshPolicy, TrustedIssuer
from kms_tornado.auth.issuers.key_cache import KeyCache
from kms_tornado.auth.issuers.key_source import LoadedKeys
from kms_tornado.auth.issuers.keyset import KeySet
from kms_tornado.errors import KeySetError, KeysUnavailable

from ...keys import jwk
from ...rows import each_row
from ..samples import ISSUER, key_set

A = key_set(jwk("ES256", "a"))
B = key_set(jwk("ES256", "b", "other"))
Step = KeySet | LoadedKeys | BaseException | Callable[[], Awaitable[LoadedKeys]]


class Rig:
    """A KeyCache on a clock that only the test moves; `plan` is what each refresh finds."""

    def __init__(self, *plan: Step, jitter: str = "least", **policy: float) -> None:
        self.time = 1000.0
        self.plan = list(plan)
        self.loads = 0
        self.started_at: list[float] = []
        pick = {"least": lambda a, b: a, "most": lambda a, b: b}[jitter]
        self.cache = KeyCache(
            TrustedIssuer(ISSUER),
            self.load,
            RefreshPolicy(**policy),
            clock=lambda: self.time,
            jitter=pick,
        )

    async def load(self) -> LoadedKeys:
        self.loads += 1
        self.started_at.append(self.time)
        step = self.plan.pop(0) if len(self.plan) > 1 else self.plan[0]
        if isinstance(step, BaseException):
            raise step
        if isinstance(step, KeySet):
            return LoadedKeys(step, None)
        return step if isinstance(step, LoadedKeys) else await step()

    async def settle(self) -> None:
        """Let what was started end."""
        for _ in range(10):
            await asyncio.sleep(0)

    async def at(self, seconds: float) -> None:
        """Move the clock to `seconds` after the beginning, tick, and let the refresh end."""
        self.time = 1000.0 + seconds
        self.cache.tick()
        await self.settle()

    async def ticking_until(self, seconds: float, step: float = 0.5) -> None:
        while self.time < 1000.0 + seconds:
            self.time += step
            loads = self.loads
            self.cache.tick()
            await asyncio.sleep(0)
            if self.loads != loads:
                await self.settle()

    @property
    def starts(self) -> list[float]:
        return [at - 1000.0 for at in self.started_at]


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    asyncio.run(coroutine)


FAILED = KeySetError("https://i/k answered HTTP 500")


# --- the first keys ---------------------------------------------------------------------------------


def test_before_the_first_refresh_there_are_no_keys() -> None:
    rig = Rig(A)
    with pytest.raises(KeysUnavailable) as refused:
        rig.cache.require_key_set()
    assert refused.value.retry_after_s >= 1
    assert rig.cache.status().state == "loading"


def test_the_first_tick_fetches_the_keys() -> None:
    async def story() -> None:
        rig = Rig(A)
        await rig.at(0)
        assert rig.cache.require_key_set() is A
        status = rig.cache.status()
        assert (status.state, status.keys, status.generation, status.problem) == ("ok", 1, 1, None)

    run(story())


def test_an_issuer_that_is_down_at_the_start_is_asked_again() -> None:
    async def story() -> None:
        rig = Rig(FAILED, A)
        await rig.at(0)
        assert rig.cache.status().state == "missing"
        with pytest.raises(KeysUnavailable) as refused:
            rig.cache.require_key_set()
        assert refused.value.retry_after_s == 5
        assert "HTTP 500" in refused.value.detail
        assert "HTTP 500" not in str(refused.value), "the operator's text is not the caller's"
        await rig.at(4.9)
        assert rig.loads == 1
        await rig.at(5)
        assert rig.cache.require_key_set() is A

    run(story())


def test_tick_says_when_the_next_refresh_is_due() -> None:
    async def story() -> None:
        gate = asyncio.Event()

        async def gated() -> LoadedKeys:
            await gate.wait()
            raise FAILED

        rig = Rig(gated, A, jitter="most")
        assert rig.cache.tick() == math.inf, "one is in flight"
        gate.set()
        await rig.settle()
        rig.time += 2
        assert rig.cache.tick() == 3
        await rig.at(5)
        assert rig.cache.tick() == 300

    run(story())


# --- cooldown ---------------------------------------------------------------------------------------


@each_row(
    "first",
    [
        pytest.param(A, id="after a good refresh"),
        pytest.param(FAILED, id="after a failed one"),
        pytest.param(RuntimeError("bug"), id="after a bug"),
        pytest.param(asyncio.CancelledError(), id="after one that was cancelled from inside"),
    ],
)
def test_two_refreshes_are_a_cooldown_apart_whatever_came_of_the_first(first: Step) -> None:
    async def story() -> None:
        rig = Rig(A, first, B)
        await rig.at(0)
        rig.time = 1030
        await rig.cache.refresh()
        for seconds in (30, 40, 59.99):
            rig.time = 1000 + seconds
            assert not rig.cache.start_refresh()
            await rig.cache.refresh()
            rig.cache.tick()
            await rig.settle()
        assert rig.loads == 2
        rig.time = 1060
        await rig.cache.refresh()
        assert rig.loads == 3
        assert rig.cache.require_key_set() is B

    run(story())


def test_the_cooldown_counts_from_the_start_of_a_refresh() -> None:
    async def story() -> None:
        async def slow() -> LoadedKeys:
            rig.time += 4
            return LoadedKeys(A, None)

        rig = Rig(slow)
        await rig.cache.refresh()
        rig.time = 1029.9
        assert not rig.cache.start_refresh()
        rig.time = 1030
        assert rig.cache.start_refresh()
        await rig.settle()

    run(story())


def test_the_cooldown_holds_over_stop_and_start() -> None:
    async def story() -> None:
        async def hanging() -> LoadedKeys:
            await asyncio.Event().wait()
            raise AssertionError

        rig = Rig(hanging, A)
        rig.cache.tick()
        await rig.settle()
        await rig.cache.stop()
        await rig.at(1)
        assert rig.loads == 1
        await rig.at(30)
        assert rig.loads == 2

    run(story())


@each_row("asking", ["unknown kids", "SIGHUP", "ticks"])
def test_nothing_asks_an_issuer_more_often_than_the_cooldown(asking: str) -> None:
    async def story() -> None:
        rig = Rig(A, FAILED, A, B, FAILED, A, cooldown_s=10, interval_s=1)
        for _ in range(400):
            rig.time += 0.25
            if asking == "unknown kids":
                await rig.cache.refresh()
            elif asking == "SIGHUP":
                rig.cache.refresh_soon()
            rig.cache.tick()
            await rig.settle()
        assert rig.loads <= 11
        gaps = [b - a for a, b in itertools.pairwise(rig.started_at)]
        assert min(gaps) >= 10

    run(story())


# --- single flight ----------------------------------------------------------------------------------


def test_a_hundred_callers_share_one_refresh() -> None:
    async def story() -> None:
        gate = asyncio.Event()

        async def gated() -> LoadedKeys:
            await gate.wait()
            return LoadedKeys(A, None)

        rig = Rig(gated)
        callers = [asyncio.create_task(rig.cache.refresh()) for _ in range(100)]
        await rig.settle()
        assert not any(caller.done() for caller in callers)
        gate.set()
        await asyncio.gather(*callers)
        assert rig.loads == 1
        assert rig.cache.require_key_set() is A

    run(story())


def test_a_caller_that_goes_away_does_not_take_the_refresh_from_the_others() -> None:
    async def story() -> None:
        gate = asyncio.Event()

        async def gated() -> LoadedKeys:
            await gate.wait()
            return LoadedKeys(A, None)

        rig = Rig(gated)
        first, second = (asyncio.create_task(rig.cache.refresh()) for _ in range(2))
        await rig.settle()
        first.cancel()
        await rig.settle()
        gate.set()
        await second
        assert rig.cache.require_key_set() is A

    run(story())


def test_a_caller_waits_no_longer_than_the_timeout() -> None:
    async def story() -> None:
        gate = asyncio.Event()

        async def stubborn() -> LoadedKeys:
            """Swallows its cancellation, as some libraries do."""
            while not gate.is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await gate.wait()
            raise KeySetError("gone")

        rig = Rig(stubborn, timeout_s=0.02)
        await rig.cache.refresh()  # returns though the refresh has not ended
        with pytest.raises(KeysUnavailable) as refused:
            rig.cache.require_key_set()
        assert refused.value.retry_after_s == 1
        gate.set()
        await rig.settle()

    run(story())


def test_a_refresh_that_hangs_ends_with_the_timeout() -> None:
    async def story() -> None:
        async def hanging() -> LoadedKeys:
            await asyncio.Event().wait()
            raise AssertionError

        rig = Rig(A, hanging, timeout_s=0.02)
        await rig.at(0)
        rig.time += 30
        await rig.cache.refresh()
        await rig.settle()
        assert rig.cache.require_key_set() is A
        problem = rig.cache.status().problem
        assert problem is not None
        assert "0.02 s" in problem

    run(story())


def test_join_starts_nothing() -> None:
    async def story() -> None:
        rig = Rig(A)
        await rig.cache.join()
        assert rig.loads == 0

    run(story())


# --- the schedule -----------------------------------------------------------------------------------


def test_keys_are_refreshed_every_interval_without_any_request() -> None:
    async def story() -> None:
        rig = Rig(A, interval_s=300, jitter="most")
        await rig.ticking_until(1000)
        assert rig.starts == [0.5, 300.5, 600.5, 900.5]

    run(story())


def test_the_interval_is_spread_downwards_only() -> None:
    async def story() -> None:
        rig = Rig(A, interval_s=300, jitter="least")
        await rig.ticking_until(1000)
        assert rig.starts == [0.5, 270.5, 540.5, 810.5]

    run(story())


@each_row(
    ("max_age", "next_at"),
    [
        pytest.param(None, 300, id="not given"),
        pytest.param(100, 100, id="shorter than the interval"),
        pytest.param(86400, 300, id="longer: the interval counts"),
        pytest.param(5, 30, id="shorter than the cooldown"),
        pytest.param(0, 30, id="zero: the cooldown counts"),
    ],
)
def test_cache_control_shortens_the_interval_down_to_the_cooldown(
    max_age: float | None, next_at: float
) -> None:
    async def story() -> None:
        rig = Rig(LoadedKeys(A, max_age), jitter="most")
        await rig.at(0)
        await rig.at(next_at - 0.1)
        assert rig.loads == 1
        await rig.at(next_at)
        assert rig.loads == 2

    run(story())


def test_an_unknown_key_is_asked_for_however_long_the_lifetime_says() -> None:
    async def story() -> None:
        rig = Rig(LoadedKeys(A, 86400), LoadedKeys(B, 86400))
        await rig.at(0)
        rig.time += 31
        await rig.cache.refresh()
        assert rig.cache.require_key_set() is B

    run(story())


@pytest.mark.parametrize(
    ("jitter", "expected"),
    [
        pytest.param("least", [30, 60, 120, 240, 270, 270], id="no jitter: 30, 60, 120, 240, cap less a tenth"),
        pytest.param("most", [37.5, 75, 150, 300, 300], id="most jitter: a quarter more, up to the interval"),
    ],
)  # fmt: skip
def test_failures_back_off_exponentially_up_to_the_interval(
    jitter: str, expected: list[float]
) -> None:
    async def story() -> None:
        rig = Rig(A, FAILED, jitter=jitter)
        rig.cache.tick()
        await rig.settle()
        await rig.ticking_until(3000)
        first = rig.starts[1:]
        gaps = [b - a for a, b in itertools.pairwise(first)]
        assert gaps[: len(expected)] == expected

    run(story())


@each_row("jitter", ["least", "most"])
@each_row(
    ("policy", "pauses"),
    [
        pytest.param({}, [5], id="the default cooldown of 30 s"),
        pytest.param({"cooldown_s": 300}, [5], id="a longer cooldown"),
        pytest.param({"cooldown_s": 4}, [4, 5], id="a shorter cooldown"),
        pytest.param({"cooldown_s": 0}, [1, 2, 4, 5], id="no cooldown"),
    ],
)
@each_row("lost", ["never loaded", "too stale"])
def test_without_keys_the_issuer_is_asked_every_five_seconds_at_least(
    lost: str, policy: dict[str, float], pauses: list[float], jitter: str
) -> None:
    """So the service is back that long after the issuer is. With keys, the pauses grow to minutes."""

    async def story() -> None:
        rig = Rig(*([A] * (lost == "too stale")), FAILED, jitter=jitter, max_stale_s=1000, **policy)
        await rig.ticking_until(900 if lost == "too stale" else 1, step=0.5)
        await rig.ticking_until(1200, step=0.5)
        assert rig.cache.find_key_set() is None
        starts = [at for at in rig.starts if lost == "never loaded" or at > 1006]
        gaps = [b - a for a, b in itertools.pairwise(starts)]
        assert max(gaps) <= 5
        if lost == "never loaded":
            expected = [min(5, p * (1.25 if jitter == "most" else 1)) for p in pauses]
            assert gaps[: len(pauses)] == [math.ceil(2 * gap) / 2 for gap in expected]
        assert starts[0] < 1012
        rig.plan = [B]
        await rig.ticking_until(1205, step=0.5)
        assert rig.cache.require_key_set() is B

    run(story())


@pytest.mark.parametrize("asking", ["made-up kids", "SIGHUP"])
def test_without_keys_nobody_makes_us_ask_more_often_than_every_five_seconds(asking: str) -> None:
    async def story() -> None:
        rig = Rig(FAILED)
        for _ in range(400):
            rig.time += 0.25
            if asking == "SIGHUP":
                rig.cache.refresh_soon()
            else:
                await rig.cache.refresh()
            rig.cache.tick()
            await rig.settle()
        gaps = [b - a for a, b in itertools.pairwise(rig.started_at)]
        assert set(gaps) == {5}

    run(story())


def test_the_pauses_count_from_the_start_of_a_refresh_however_long_it_took() -> None:
    async def story() -> None:
        async def slow() -> LoadedKeys:
            rig.time += 4
            raise FAILED

        rig = Rig(slow)
        rig.cache.tick()
        await rig.settle()
        assert rig.cache.tick() == 1

    run(story())


def test_the_backoff_is_at_least_a_second_even_without_cooldown() -> None:
    async def story() -> None:
        rig = Rig(FAILED, cooldown_s=0)
        rig.cache.tick()
        await rig.settle()
        await rig.ticking_until(10, step=0.1)
        assert rig.loads <= 5

    run(story())


def test_the_jitter_is_really_random_unless_told_otherwise() -> None:
    async def story() -> None:
        nexts = set()
        for _ in range(20):
            rig = Rig(A)
            cache = KeyCache(TrustedIssuer(ISSUER), rig.load, RefreshPolicy(), clock=lambda: 0.0)
            await cache.refresh()
            nexts.add(cache._schedule._next_at)
        assert len(nexts) > 10
        assert all(270 <= at <= 300 for at in nexts)

    run(story())


def test_a_good_refresh_ends_the_backoff() -> None:
    async def story() -> None:
        rig = Rig(FAILED, FAILED, FAILED, A, FAILED)
        for seconds in (0, 5, 10, 15):
            await rig.at(seconds)
        assert rig.cache.require_key_set() is A
        await rig.at(15 + 270)
        assert rig.loads == 5
        await rig.at(15 + 270 + 30)
        assert rig.loads == 6

    run(story())


# --- a signal -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("second", [B, FAILED], ids=["other keys", "a failure"])
def test_a_signal_within_the_cooldown_is_carried_out_once_the_moment_it_ends(
    second: Step, times: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        rig = Rig(A, second)
        await rig.at(0)
        caplog.clear()
        rig.time += 12.5
        for _ in range(times):
            rig.cache.refresh_soon()
        assert rig.loads == 1
        assert all("when the cooldown ends, 17.5 s from now" in line for line in lines(caplog))
        assert len(lines(caplog)) == times
        assert rig.cache.tick() == 17.5
        await rig.at(29.9)
        assert rig.loads == 1
        caplog.clear()
        await rig.at(30)
        assert rig.loads == 2
        assert "fetched again, as asked: 1 key, changed" in caplog.text or second is FAILED
        await rig.at(60)
        assert rig.loads == (2 if second is B else 3)

    caplog.set_level(logging.INFO, "kms_tornado")
    run(story())


def test_a_signal_outside_the_cooldown_is_carried_out_at_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story() -> None:
        rig = Rig(A)
        await rig.at(0)
        caplog.clear()
        rig.time += 30
        rig.cache.refresh_soon()
        await rig.settle()
        assert rig.loads == 2
        assert [line.removeprefix(f"issuer {ISSUER}: ") for line in lines(caplog)] == [
            "its keys are fetched again now, as asked",
            "its keys were fetched again, as asked: 1 key, the same as before",
        ]

    caplog.set_level(logging.INFO, "kms_tornado")
    run(story())


@pytest.mark.parametrize("first", [A, FAILED], ids=["that brings keys", "that fails"])
def test_a_signal_while_a_refresh_is_in_flight_has_another_one_follow(
    first: KeySet | KeySetError,
) -> None:
    """The answer that is on its way may have been made before the key was taken out."""

    async def story() -> None:
        gate = asyncio.Event()

        async def gated() -> LoadedKeys:
            await gate.wait()
            if isinstance(first, KeySetError):
                raise first
            return LoadedKeys(first, None)

        rig = Rig(gated, B)
        rig.cache.tick()  # the first load is no different
        await rig.settle()
        rig.cache.refresh_soon()
        gate.set()
        await rig.settle()
        assert rig.loads == 1
        due = 30 if first is A else 5
        await rig.at(due - 0.1)
        assert rig.loads == 1
        await rig.at(due)
        assert rig.cache.require_key_set() is B

    run(story())


def test_a_refresh_that_a_token_caused_meanwhile_is_what_the_signal_asked_for() -> None:
    async def story() -> None:
        rig = Rig(A)
        await rig.at(0)
        rig.time += 10
        rig.cache.refresh_soon()
        rig.time += 20
        await rig.cache.refresh()
        await rig.at(60)
        assert rig.loads == 2

    run(story())


def test_a_signal_during_an_outage_says_that_it_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        rig = Rig(A, FAILED)
        await rig.at(0)
        await rig.at(300)
        caplog.clear()
        rig.cache.refresh_soon()
        await rig.at(330)
        assert rig.loads == 3
        assert "failed again: https://i/k answered HTTP 500" in lines(caplog, logging.WARNING)[0]

    run(story())


# --- failures ---------------------------------------------------------------------------------------

FAILURES = [
    pytest.param(FAILED, id="KeySetError"),
    pytest.param(OSError(5, "I/O"), id="OSError"),
    pytest.param(TimeoutError("inner"), id="TimeoutError"),
    pytest.param(ValueError("bug"), id="ValueError"),
    pytest.param(RecursionError("deep"), id="RecursionError"),
    pytest.param(MemoryError(), id="MemoryError"),
    pytest.param(asyncio.CancelledError(), id="CancelledError"),
]


@each_row("failure", FAILURES)
def test_a_failed_refresh_keeps_the_last_good_keys_and_the_schedule(failure: BaseException) -> None:
    async def story() -> None:
        rig = Rig(A, failure, failure, B)
        await rig.at(0)
        await rig.ticking_until(330)
        assert rig.loads >= 2
        if rig.cache.require_key_set() is not B:
            assert rig.cache.require_key_set() is A
        await rig.ticking_until(1300)
        assert rig.cache.require_key_set() is B
        assert rig.cache.status().state == "ok"

    run(story())


def test_last_good_keys_serve_until_the_maximum_staleness_and_no_longer() -> None:
    async def story() -> None:
        rig = Rig(A, FAILED, max_stale_s=1000)
        await rig.at(0)
        await rig.ticking_until(1000)
        assert rig.cache.status().state == "failing"
        assert rig.cache.require_key_set() is A
        await rig.ticking_until(1001)
        assert rig.cache.status().state == "stale"
        with pytest.raises(KeysUnavailable) as refused:
            rig.cache.require_key_set()
        assert 1 <= refused.value.retry_after_s <= 300

    run(story())


def test_keys_grow_stale_only_while_refreshes_fail() -> None:
    async def story() -> None:
        rig = Rig(A, max_stale_s=10, interval_s=300)
        await rig.at(0)
        rig.time += 200
        assert rig.cache.require_key_set() is A

    run(story())


def test_stale_keys_serve_again_after_a_good_refresh() -> None:
    async def story() -> None:
        rig = Rig(A, FAILED, max_stale_s=100)
        await rig.at(0)
        await rig.ticking_until(400)
        assert rig.cache.status().state == "stale"
        rig.plan = [A]
        await rig.ticking_until(800)
        assert rig.cache.require_key_set() is A
        assert rig.cache.status().state == "ok"

    run(story())


# --- a new set --------------------------------------------------------------------------------------


def test_a_good_refresh_replaces_the_keys_at_once() -> None:
    async def story() -> None:
        rig = Rig(A, B)
        await rig.at(0)
        await rig.at(300)
        assert rig.cache.require_key_set() is B
        assert rig.cache.status().generation == 2

    run(story())


def test_the_same_keys_again_are_the_same_object_so_remembered_tokens_live_on() -> None:
    async def story() -> None:
        again = key_set(jwk("ES256", "a"))
        rig = Rig(A, again)
        await rig.at(0)
        await rig.at(300)
        assert rig.loads == 2
        assert rig.cache.require_key_set() is A
        assert rig.cache.status().generation == 1

    run(story())


# --- stop -------------------------------------------------------------------------------------------


def test_stop_cancels_the_refresh_and_leaves_no_task() -> None:
    async def story() -> None:
        async def hanging() -> LoadedKeys:
            await asyncio.Event().wait()
            raise AssertionError

        rig = Rig(hanging)
        rig.cache.tick()
        waiting = asyncio.create_task(rig.cache.refresh())
        await rig.settle()
        await rig.cache.stop()
        await waiting
        assert asyncio.all_tasks() == {asyncio.current_task()}
        await rig.cache.stop()

    run(story())


# --- what the log says --------------------------------------------------------------------------------


def lines(caplog: pytest.LogCaptureFixture, level: int = logging.INFO) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno >= level]


def test_an_outage_is_one_line_and_its_end_another(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        rig = Rig(A, FAILED, FAILED, FAILED, FAILED, A)
        await rig.at(0)
        caplog.clear()
        await rig.ticking_until(3000)

    caplog.set_level(logging.INFO, "kms_tornado")
    run(story())
    assert len(lines(caplog)) == 2
    assert "HTTP 500" in lines(caplog)[0]
    assert "last good keys" in lines(caplog)[0]
    assert "again" in lines(caplog)[1]
    assert all(ISSUER in line for line in lines(caplog))


def test_keys_that_grow_stale_are_one_more_line(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        rig = Rig(A, FAILED, max_stale_s=500)
        await rig.at(0)
        caplog.clear()
        await rig.ticking_until(2000)

    caplog.set_level(logging.INFO, "kms_tornado")
    run(story())
    assert len(lines(caplog)) == 2
    assert "503" in lines(caplog)[1]


def test_an_issuer_that_never_answered_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        rig = Rig(FAILED)
        await rig.at(0)
        await rig.ticking_until(2000)

    caplog.set_level(logging.INFO, "kms_tornado")
    run(story())
    assert len(lines(caplog)) == 1
    assert "no keys yet" in lines(caplog)[0]


def test_refreshes_without_news_are_silent(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        rig = Rig(A)
        await rig.at(0)
        assert len(lines(caplog)) == 1
        await rig.ticking_until(2000)
        assert rig.loads > 5

    caplog.set_level(logging.INFO, "kms_tornado")
    run(story())
    assert lines(caplog) == [f"issuer {ISSUER}: loaded 1 signing key"]


def test_odd_and_private_keys_are_logged_once_a_change(caplog: pytest.LogCaptureFixture) -> None:
    """Also where the usable keys stay the same, so that nothing else changes."""

    def odd() -> KeySet:
        return key_set(jwk("ES256", "a") | {"d": "AA"}, {"kty": "oct", "k": "AA", "kid": "shared"})

    async def story() -> None:
        rig = Rig(A, odd(), odd(), A, odd())
        await rig.at(0)
        caplog.clear()
        for round_ in range(1, 4):
            await rig.at(300 * round_)
        assert rig.cache.require_key_set() is A
        assert [r.levelno for r in caplog.records] == [logging.WARNING, logging.ERROR]
        assert "'shared'" in lines(caplog)[0]
        assert "PRIVATE" in lines(caplog)[1]
        await rig.at(1200)
        assert len(lines(caplog)) == 4

    caplog.set_level(logging.INFO, "kms_tornado")
    run(story())


def test_a_bug_is_logged_with_its_traceback_and_counts_as_a_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story() -> None:
        rig = Rig(ValueError("secret"))
        await rig.at(0)
        status = rig.cache.status()
        assert status.state == "missing"
        assert status.problem == "internal error (ValueError)"

    run(story())
    assert any(record.exc_info for record in caplog.records)


# --- what is kept for a restart -----------------------------------------------------------------------

WALL = 1_700_000_000.0


class Kept:
    """Stands for the file: what it has, and what is written to it."""

    file = "F"

    def __init__(self, found: tuple[KeySet, float] | None = None) -> None:
        self.found = found
        self.written: list[tuple[bytes, KeySet, float]] = []
        self.before: Callable[[], None] = lambda: None

    def load(self) -> tuple[KeySet, float] | None:
        return self.found

    async def keep(
        self, document: bytes, key_set: KeySet, fetched_at: float, *, timeout_s: float
    ) -> None:
        self.before()
        self.written.append((document, key_set, fetched_at))


async def keeping(kept: Any, *plan: Step, **policy: float) -> Rig:
    rig = Rig(*plan, **policy)
    rig.cache = KeyCache(
        TrustedIssuer(ISSUER),
        rig.load,
        RefreshPolicy(**policy),
        kept=kept,
        clock=lambda: rig.time,
        jitter=lambda a, b: a,
        wall_clock=lambda: WALL + rig.time - 1000,
    )
    await rig.cache.load_kept()
    return rig


def test_kept_keys_are_read_off_the_event_loop() -> None:
    class Watched(Kept):
        def load(self) -> Any:
            read_by.append(threading.current_thread())
            return super().load()

    read_by: list[threading.Thread] = []
    asyncio.run(keeping(Watched((A, 60.0))))
    assert len(read_by) == 1
    assert read_by != [threading.main_thread()]


def test_kept_keys_serve_from_the_start_until_a_refresh_succeeds_and_say_so() -> None:
    async def story() -> None:
        rig = await keeping(Kept((A, 60.0)), FAILED, FAILED, B)
        before = rig.cache.status()
        assert rig.cache.require_key_set() is A
        assert (before.state, before.level, before.cause) == ("kept", "DEGRADED", "not fetched yet")
        assert (before.age_s, before.since) == (60, WALL)
        await rig.at(0)
        await rig.at(30)
        failing = rig.cache.status()
        assert (failing.state, failing.since, failing.age_s) == ("kept", WALL, 90)
        assert rig.cache.require_key_set() is A
        await rig.at(200)
        after = rig.cache.status()
        assert rig.cache.require_key_set() is B
        assert (after.state, after.level, after.cause) == ("ok", "OK", None)
        assert (after.since, after.age_s) == (WALL + 200, 0)

    run(story())


def test_kept_keys_become_stale_counted_from_their_fetch_also_while_the_first_refresh_hangs() -> (
    None
):
    async def story() -> None:
        async def hanging() -> LoadedKeys:
            await asyncio.Event().wait()
            raise AssertionError

        for step in (hanging, FAILED):
            rig = await keeping(Kept((A, 90.0)), step, max_stale_s=100)
            await rig.at(0)
            await rig.at(10)
            assert rig.cache.require_key_set() is A
            await rig.at(10.1)
            assert rig.cache.status().state == "stale"
            with pytest.raises(KeysUnavailable):
                rig.cache.require_key_set()
            await rig.cache.stop()

    run(story())


@pytest.mark.parametrize("found", [None, (A, 60.0)], ids=["nothing kept", "kept"])
def test_keys_are_written_before_they_are_used(found: tuple[KeySet, float] | None) -> None:
    """So that no key which was refused once comes back after a sudden end."""

    async def story() -> None:
        kept = Kept(found)
        rig = await keeping(kept, LoadedKeys(B, None, b"B"), LoadedKeys(B, None, b"B"), FAILED)
        seen = []
        kept.before = lambda: seen.append(rig.cache.find_key_set() is B)
        await rig.at(0)
        await rig.at(300)
        await rig.at(600)
        assert seen == [False, True]
        assert kept.written == [(b"B", B, WALL), (b"B", B, WALL + 300)], "the age is kept anew"

    run(story())


def test_an_answer_is_as_old_as_its_request() -> None:
    """Of two processes, the one that asked later knows more, however long the other one's answer took."""

    async def story() -> None:
        kept = Kept()
        has_answered = asyncio.Event()

        async def slow() -> LoadedKeys:
            await has_answered.wait()
            return LoadedKeys(B, None, b"B")

        rig = await keeping(kept, slow)
        await rig.at(0)
        rig.time += 4
        has_answered.set()
        await rig.settle()
        assert kept.written == [(b"B", B, WALL)]

    run(story())


def test_an_empty_set_is_kept_and_serves_as_any_other() -> None:
    async def story() -> None:
        empty = KeySet(())
        rig = await keeping(Kept((empty, 5.0)), FAILED)
        await rig.at(0)
        assert rig.cache.require_key_set() is empty

    run(story())


def test_an_issuer_that_has_taken_all_keys_out_is_degraded_until_one_is_there_again() -> None:
    async def story() -> None:
        rig = Rig(A, KeySet(()), FAILED, B)
        seen = []
        for seconds in (0, 400, 800, 1200):
            await rig.at(seconds)
            status = rig.cache.status()
            seen.append((status.state, status.level, status.is_served, status.cause, status.keys))
        assert seen == [
            ("ok", "OK", True, None, 1),
            ("empty", "DEGRADED", True, "no keys", 0),
            ("failing", "DEGRADED", True, FAILED.cause, 0),
            ("ok", "OK", True, None, 1),
        ]

    run(story())


def test_the_level_says_since_when_by_the_clock_on_the_wall() -> None:
    async def story() -> None:
        rig = await keeping(None, FAILED, A, FAILED, max_stale_s=400)
        assert rig.cache.status().cause == "not fetched yet"
        seen = []
        for seconds in (0, 5, 300, 350, 406, 500):
            await rig.at(seconds)
            status = rig.cache.status()
            seen.append((status.level, status.since - WALL))
        down, ok, degraded = ("DOWN", 0), ("OK", 5), ("DEGRADED", 300)
        assert seen == [down, ok, degraded, degraded, ("DOWN", 406), ("DOWN", 406)]

    run(story())
