"""KeyCache: one issuer's key set, which it fetches, refreshes, and keeps while the issuer does not answer.

The clock, the source of keys and the jitter are arguments, so that a test needs no network and no sleep.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable

from ...errors import KeySetError, KeysUnavailable
from .issuer import RefreshPolicy, TrustedIssuer
from .kept_keys import KeptKeys
from .key_log import KeyLog
from .key_source import LoadedKeys
from .key_status import KeyStatus, compute_level
from .keyset import KeySet
from .refresh_schedule import RefreshSchedule

Load = Callable[[], Awaitable[LoadedKeys]]

# The life of an issuer's key set
#
# Schedule. Somebody calls `tick`, when the next refresh is due and every half second besides. When that is,
# and how soon a refresh may follow the last one (the cooldown), is decided in `refresh_schedule`.
#
# On demand. A token with an unknown `kid` asks for a refresh at once (`refresh`): the issuer may have
# begun to sign with a new key. So a rotation needs no restart and refuses no request.
#
# Asking. An operator's signal (`refresh_soon`) means the keys as they are now, so a refresh in flight is
# not enough: one that starts later is, whatever starts it. It starts the moment the cooldown ends.
#
# Shared refresh. At most one refresh runs. It is a task of its own, and requests only wait for it
# (`join`), so a request that is cancelled leaves it to the others. Requests whose key is known never
# wait.
#
# Identity. A refresh that brings the same keys keeps the old KeySet object; one that brings others
# replaces it. Remembered tokens are bound to the object (see token_cache), so a change of the keys
# invalidates all of them, and fetching the same keys again invalidates none.
#
# Empty set. `{"keys": []}` is an answer like any other: the issuer has taken all keys out, because one of
# them leaked, perhaps. It is a good refresh, after which no token verifies.
#
# Failure. A refresh that fails for whatever reason (no answer, no JSON, no usable key) changes no key:
# the last good ones go on serving. They become stale when refreshes fail and the last good one is
# more than max_stale_s ago. Then tokens are answered 503, for a key that the issuer has withdrawn
# meanwhile could still verify one. The next good refresh ends this. Keys never become
# stale for a long interval alone.
#
# Keeping. A good refresh is written to a file before its keys are used, so no key that was refused once comes
# back with a restart. The file of a former run serves from the start until the first good refresh, however
# long that takes, up to max_stale_s after it was fetched. Where it cannot be written, keys serve all
# the same.
#
#   KeyStatus.state   keys     refreshes                                  a token is
#   loading           none     the first one has not ended                answered 503 after a wait
#   missing           none     have failed since the start                answered 503
#   kept              good     none has succeeded since the start         checked with a former run's keys
#   ok                good     the last one succeeded                     checked
#   empty             none     the last one succeeded                     refused with 401
#   failing           good     the last one failed                        checked with the last good keys
#   stale             too old  have failed for longer than max_stale_s    answered 503


class KeyCache:
    """Owns one issuer's current KeySet. Belongs to one event loop.

    load: fetches the key set. Raises KeySetError.
    kept: the file in which keys are kept for a restart; None without one.
    clock: a monotonic clock, in seconds.
    jitter: (low, high) → a number between the two.
    wall_clock: seconds since the Unix epoch, for texts that people read and for the age of kept keys.
    """

    def __init__(
        self,
        issuer: TrustedIssuer,
        load: Load,
        policy: RefreshPolicy,
        *,
        kept: KeptKeys | None = None,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[float, float], float] = random.uniform,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.issuer = issuer
        self.fetches: Counter[str] = Counter()  # {"ok" or "failed": number}
        #: Why nothing may be fetched now, for the log; empty where it may.
        self.closed_because = ""
        self._load = load
        self._policy = policy
        self._kept = kept
        self._clock = clock
        self._wall_clock = wall_clock
        self._schedule = RefreshSchedule(policy, clock, jitter)
        #: What find_key_set returns while refreshes succeed; None while they fail.
        self.fresh_key_set: KeySet | None = None
        self._key_set: KeySet | None = None
        self._generation = 0
        self._succeeded_at: float | None = None
        self._failing_since: float | None = None
        self._problem: KeySetError | None = None
        self._is_from_former_run = False  # the keys: no refresh has succeeded since the start
        self._level, self._level_since = "DOWN", wall_clock()
        self._is_answer_awaited = False  # who asked wants to read what came of the one in flight
        self._log = KeyLog(issuer.uri, policy.max_stale_s)
        self._task: asyncio.Task[None] | None = None

    # --- for requests ---------------------------------------------------------------------------

    def require_key_set(self) -> KeySet:
        """The keys to verify with. Raises KeysUnavailable where there are none, or only stale ones."""
        key_set = self.find_key_set()
        if key_set is None:
            raise KeysUnavailable(
                "the issuer's keys are not available",
                retry_after_s=self._compute_retry_after_s(),
                detail=self.closed_because
                or str(self._problem or "the first fetch has not ended yet"),
            )
        return key_set

    def find_key_set(self) -> KeySet | None:
        """The keys to verify with; None where there are none, or only stale ones."""
        return None if self._is_stale() else self._key_set

    async def refresh(self) -> None:
        """Join the refresh in flight, or start one if the cooldown is over; then wait for its end.

        A failure at the issuer raises nothing: ask require_key_set afterwards. If a caller is cancelled, the refresh
        goes on for the others.
        """
        if self._task is not None or self.start_refresh():
            await self.join()

    async def join(self) -> None:
        """Wait at most timeout_s for the refresh in flight, if there is one; start none."""
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=self._policy.timeout_s)

    # --- for the periodic callback and the server -----------------------------------------------

    async def load_kept(self) -> None:
        """Serve the keys that a former run has kept, until the first good refresh.

        To be called before the first tick.
        """
        if self._kept is None or self._key_set is not None:
            return
        stored = await asyncio.to_thread(self._kept.load)
        if stored is None:
            return
        self._key_set, age_s = stored
        self._generation += 1
        self._succeeded_at = self._clock() - age_s
        self._is_from_former_run = True
        self._log.log_kept(self._key_set, age_s)
        self._note_level()

    def tick(self) -> float:
        """Start a refresh if one is due. To be called once a second or more often.

        Returns the seconds until the next one is due, infinite while one is in flight.
        """
        if self._schedule.is_due(has_keys=self._has_keys()):
            self.start_refresh()
        if self._is_stale():
            self._log.log_staleness()
        self._note_level()
        if self._task is not None:
            return math.inf
        return self._schedule.compute_pause_s(has_keys=self._has_keys())

    def start_refresh(self) -> bool:
        """Start a refresh in the background, and return True.

        False while one is running, the cooldown is not over, or nothing may be fetched.
        """
        if self.closed_because:
            return False  # no refresh, so no cooldown begins, and nothing failed
        if self._task is not None or self._schedule.is_cooling_down(has_keys=self._has_keys()):
            return False
        # Stamped before the fetch, so that an issuer that hangs or fails is not asked more often.
        self._is_answer_awaited = self._schedule.note_start()
        self._task = asyncio.get_running_loop().create_task(self._refresh())
        self._task.add_done_callback(self._end_refresh)
        return True

    def refresh_soon(self) -> None:
        """Have a refresh start now, or at the moment when the cooldown ends (then `tick` starts it).

        The log says which of the two, and how the refresh ended. Further calls before it starts change nothing.
        """
        self._schedule.is_asked = True
        if self.start_refresh():
            self._log.log_asked_refresh(None, is_running=True)
            return
        # The refresh in flight may end without keys, and then the cooldown is shorter.
        is_running = self._task is not None
        wait_s = self._schedule.compute_cooldown_left_s(has_keys=is_running or self._has_keys())
        self._log.log_asked_refresh(wait_s, is_running=is_running)

    async def stop(self) -> None:
        """Cancel the refresh in flight and wait until it is gone."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def status(self) -> KeyStatus:
        """The state at this moment."""
        now = self._clock()
        self._note_level()
        cause = None if self._problem is None else self._problem.cause
        if self._failing_since is None and self._state() in {"loading", "kept"}:
            cause = "not fetched yet"
        if self._state() == "empty":
            cause = "no keys"
        return KeyStatus(
            issuer=self.issuer.uri,
            state=self._state(),
            keys=0 if self._key_set is None else self._key_set.size,
            age_s=None if self._succeeded_at is None else now - self._succeeded_at,
            failing_for_s=None if self._failing_since is None else now - self._failing_since,
            problem=None if self._problem is None else str(self._problem),
            cause=cause,
            since=self._level_since,
            generation=self._generation,
        )

    def _state(self) -> str:
        if self._key_set is None:
            return "loading" if self._failing_since is None else "missing"
        if self._is_stale():
            return "stale"
        if self._is_from_former_run:
            return "kept"
        if self._failing_since is not None:
            return "failing"
        return "ok" if self._key_set.size else "empty"

    def _note_level(self) -> None:
        level = compute_level(self._state())
        if level != self._level:
            self._level, self._level_since = level, self._wall_clock()

    # --- one refresh ----------------------------------------------------------------------------

    def _end_refresh(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.log_bug(error)

    async def _refresh(self) -> None:
        # An answer is as old as its request may be: of two processes, the one that asked later knows more.
        asked_at = self._wall_clock()
        try:
            async with asyncio.timeout(self._policy.timeout_s):
                loaded = await self._load()
            if self._kept is not None:
                await self._kept.keep(
                    loaded.document, loaded.key_set, asked_at, timeout_s=self._policy.timeout_s
                )
        except TimeoutError:
            text = f"no complete answer within {self._policy.timeout_s:g} s"
            self._record_failure(KeySetError(text, "timeout"))
        except KeySetError as exc:
            self._record_failure(exc)
        except Exception as exc:
            # Whatever a document triggers in our code, the schedule must go on.
            self._log.log_bug(exc)
            text = f"internal error ({type(exc).__name__})"
            self._record_failure(KeySetError(text, "internal error"))
        else:
            self._record_success(loaded)
        self._note_level()

    def take(self, loaded: LoadedKeys) -> None:
        """Use keys that were not fetched, as if a refresh had just brought them."""
        self._record_success(loaded)
        self._note_level()

    def _record_success(self, loaded: LoadedKeys) -> None:
        now = self._clock()
        previous = self._key_set
        self._log.log_success(
            loaded.key_set,
            previous,
            is_asked=self._is_answer_awaited,
            is_from_former_run=self._is_from_former_run,
            failing_for_s=None if self._failing_since is None else now - self._failing_since,
        )
        if previous is None or previous.fingerprint != loaded.key_set.fingerprint:
            # A new object only where the keys differ: remembered tokens are bound to it.
            self._key_set = loaded.key_set
            self._generation += 1
        self._is_from_former_run = False
        self.fresh_key_set = self._key_set
        self.fetches["ok"] += 1
        self._succeeded_at = now
        self._failing_since = self._problem = None
        self._schedule.note_success(loaded.max_age_s)

    def _record_failure(self, problem: KeySetError) -> None:
        self.fresh_key_set = None
        self.fetches["failed"] += 1
        self._problem = problem
        self._log.log_failure(
            problem,
            is_first=self._failing_since is None,
            has_keys=self._key_set is not None,
            is_asked=self._is_answer_awaited,
        )
        if self._failing_since is None:
            self._failing_since = self._clock()
        self._schedule.note_failure(has_keys=self._has_keys())

    # --- time -----------------------------------------------------------------------------------

    def _is_stale(self) -> bool:
        """Whether the last good refresh is too long ago, and refreshes fail or none has ended since the start."""
        return (
            (self._failing_since is not None or self._is_from_former_run)
            and self._succeeded_at is not None
            and self._clock() - self._succeeded_at > self._policy.max_stale_s
        )

    def _compute_retry_after_s(self) -> int:
        """Whole seconds until the next try: when it is due, or when a request may cause it."""
        if self._task is not None:
            return 1
        left_s = self._schedule.compute_cooldown_left_s(has_keys=self._has_keys())
        return max(1, math.ceil(left_s))

    def _has_keys(self) -> bool:
        """Whether there are keys to verify with."""
        return self.find_key_set() is not None
