"""Upkeep: refreshes the issuers' keys and reads the deny file, in the background."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection

from ...auth.deny_file import DenyFile
from ...auth.deny_list import DenyList
from ...auth.issuers.key_cache import KeyCache

log = logging.getLogger("kms_tornado.auth")

_TICK_S = 0.5  # the longest pause between two looks at what is due
_NOT_STARTED = "its BearerAuth is not started: `async with auth:`, or `await auth.start()`"
_LEAST_TICK_S = 0.01  # a clock that is coarser than the timer's must not make a busy loop


class Upkeep:
    """Has each cache refresh its keys when they are due, and tells of each new deny list.

    deny_file: already loaded; None where none is configured.
    deny: called on the event loop with a deny list that differs from the one before.
    """

    def __init__(
        self,
        caches: Collection[KeyCache],
        deny_file: DenyFile | None,
        deny: Callable[[DenyList], None],
    ) -> None:
        self._caches = caches
        self._allow(False)
        self._deny_file = deny_file
        self._deny = deny
        #: As told last. A read that `stop` has cut off may still have changed the file's list.
        self._denied = None if deny_file is None else deny_file.list
        self._reading: asyncio.Task[None] | None = None  # reads the deny file
        #: While started. Timers of the loop count on the monotonic clock; Tornado's PeriodicCallback
        #: counts on time.time(), and would wait for as long as that clock is set back.
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_started(self) -> bool:
        return self._timer is not None

    def start(self) -> None:
        """Begin at once; to be called on the event loop."""
        self._allow(True)
        self._tick()

    async def stop(self) -> None:
        """Stop refreshing, and wait until nothing is running."""
        self._allow(False)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._reading is not None:
            self._reading.cancel()  # a disk that hangs would hold up the stop
            await asyncio.wait({self._reading})
            self._reading = None
        for cache in self._caches:
            await cache.stop()

    def _allow(self, may_fetch: bool) -> None:
        """Say to the caches whether they may fetch. Requests ask them at any time, for a token with an unknown key."""
        for cache in self._caches:
            cache.closed_because = "" if may_fetch else _NOT_STARTED

    def refresh_soon(self) -> None:
        """Fetch all keys again, now or the moment their cooldown ends. Before `start` it does nothing."""
        if self._timer is None:
            return
        for cache in self._caches:
            cache.refresh_soon()
        self._timer.cancel()
        self._tick()  # this also sets the timer

    def _tick(self) -> None:
        pause_s = _TICK_S
        if self._deny_file is not None and (self._reading is None or self._reading.done()):
            self._reading = asyncio.ensure_future(self._read_deny_file(self._deny_file))
        try:
            for cache in self._caches:
                pause_s = min(pause_s, cache.tick())
        finally:
            self._timer = asyncio.get_running_loop().call_later(
                max(pause_s, _LEAST_TICK_S), self._tick
            )

    async def _read_deny_file(self, file: DenyFile) -> None:
        """Read the deny file on a thread, as the disk may be slow."""
        try:
            await asyncio.to_thread(file.look)
            if file.list is not self._denied:
                self._deny(file.list)
                self._denied = file.list
        except Exception:  # a bug of ours: the list stays as it was, and the next look comes
            log.exception("the deny list could not be read because of a bug")
