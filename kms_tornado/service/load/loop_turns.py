"""LoopTurns: long work on the event loop, in steps, one of them in every second turn of the loop.

It would not be enough if each long request let others run after a millisecond: sixteen requests of one user would take
a millisecond each before it was another user's turn, and a short request needs several turns. So all long requests
together get one step in two turns, and their principals take turns. Before each step, short requests run whatever they
do in the next turns: otherwise, beside messages of a hundred operations, a Get of 1 ms took 3 ms, most of them for the
steps between its own stages.
"""

from __future__ import annotations

import asyncio
import sys
import types
from collections.abc import Generator

from .fair_queue import FairQueue, QueueBounds

#: What waits is bounded by the requests in flight, each of which waits once.
_UNBOUNDED = QueueBounds(sys.maxsize, sys.maxsize, sys.maxsize, sys.maxsize)

#: Bytes of a body that are read in one turn of the event loop. Tornado reads on without a pause while there is more,
#: over TLS 16 KiB at a time, and a MiB takes it 2 ms or more.
BODY_PIECE = 32 * 1024

#: Turns for which a step lets short requests pass: so many of them have stages of one request.
_MOST_PASSED = 4


class LoopTurns:
    """Gives out the steps of long work. Only the event loop's thread uses it."""

    def __init__(self) -> None:
        self._queue: FairQueue[asyncio.Future[None]] = FairQueue(_UNBOUNDED)
        #: Whether a step is about to be given, or was given and has not begun.
        self._is_given = False
        #: Whether a short request has a stage in the next turn.
        self._is_short_next = False
        #: How many short requests wait between two of their stages.
        self._waiting_short = 0
        #: How many stages of short requests there were.
        self.short_stages = 0

    async def wait(self, principal: str) -> None:
        """Return when the principal may take the next step."""
        turn = asyncio.get_running_loop().create_future()
        self._queue.add(principal, turn)
        self._give_soon()
        try:
            await turn
            for _ in range(_MOST_PASSED):
                if not self._is_short_next:
                    break
                self._is_short_next = False
                await asyncio.sleep(0)
        finally:
            if turn.done() and not turn.cancelled():
                self._is_given = False
                self._give_soon()

    @types.coroutine
    def let_others_run(self) -> Generator[None, None, None]:
        """Wait one turn of the loop, between two stages of a short request."""
        self.count_stage()
        yield from self._wait_one_turn()

    @types.coroutine
    def let_others_catch_up(self) -> Generator[None, None, None]:
        """Wait one turn, within a stage of a short request, if others are under way.

        One alone would only lose time.
        """
        if self._waiting_short:
            yield from self._wait_one_turn()

    def _wait_one_turn(self) -> Generator[None, None, None]:
        self._is_short_next = True
        self._waiting_short += 1
        try:
            yield  # as `asyncio.sleep(0)` does
        finally:
            self._waiting_short -= 1

    def count_stage(self) -> None:
        """Note that a short request has another stage, and goes on with it immediately."""
        self.short_stages += 1

    def _give_soon(self) -> None:
        if not self._is_given and len(self._queue):
            self._is_given = True
            asyncio.get_running_loop().call_soon(self._give)

    def _give(self) -> None:
        """Give the next step to the principal whose turn it is; it runs in the loop's next turn."""
        while (turn := self._queue.take()) is not None:
            if not turn.done():  # else its request was cancelled
                turn.set_result(None)
                return
        self._is_given = False
