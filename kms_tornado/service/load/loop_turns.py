"""LoopTurns: long work on the event loop, one step of it in each turn of the loop.

A request that lets others run after a millisecond is not enough: sixteen of one user's take a
millisecond each, before it is another's turn, and a short request needs several turns. So all long
requests together have one step in a turn, and their principals take turns at these.
"""

from __future__ import annotations

import asyncio
import sys

from .fair_queue import FairQueue, QueueBounds

#: What waits is bounded by the requests in flight, each of which waits once.
_UNBOUNDED = QueueBounds(sys.maxsize, sys.maxsize, sys.maxsize, sys.maxsize)

#: Bytes of a body that are read in one turn of the event loop. Tornado reads on without a pause while there is more,
#: over TLS 16 KiB at a time, and a MiB takes it 2 ms or more.
BODY_PIECE = 32 * 1024


class LoopTurns:
    """Only the event loop's thread touches it."""

    def __init__(self) -> None:
        self._queue: FairQueue[asyncio.Future[None]] = FairQueue(_UNBOUNDED)
        self._is_scheduled = False

    def wait(self, principal: str) -> asyncio.Future[None]:
        """Done when the principal may take the next step."""
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        self._queue.add(principal, turn)
        if not self._is_scheduled:
            self._is_scheduled = True
            loop.call_soon(self._give_turn)
        return turn

    def _give_turn(self) -> None:
        """Whoever gets it runs in the loop's next turn, in which the one after is chosen."""
        while (turn := self._queue.take()) is not None:
            if not turn.done():  # else its request was cancelled
                turn.set_result(None)
                break
        if len(self._queue):
            asyncio.get_running_loop().call_soon(self._give_turn)
        else:
            self._is_scheduled = False
