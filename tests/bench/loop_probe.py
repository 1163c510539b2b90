"""A server that measures itself how long anything holds its event loop; `loop_holds` starts it.

``python -m tests.bench.loop_probe ARGUMENTS``: the server's own arguments. Each line on its standard input
is answered by one on the descriptor that PROBE_FD names: the longest hold since the last one, as JSON.

A hold is how much later than asked the loop woke, or how much processor time the process took meanwhile,
where that is less: on a machine that others keep busy the loop waits, but holds nobody up.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
import traceback
from types import FrameType
from typing import Any

from kms_tornado.__main__ import main as serve
from kms_tornado.web.process import serving

_PAUSE_S = 0.001
_LOOK_S = 0.004
_MAX_PLACES = 8


class Probe:
    """worst_s: the longest hold. where: the lines that the loop's thread was seen at meanwhile."""

    def __init__(self) -> None:
        self.worst_s = 0.0
        self.where: list[str] = []
        self._woke = time.perf_counter()
        self._seen: list[str] = []
        self._loop_thread = threading.get_ident()

    async def watch(self) -> None:
        threading.Thread(target=self._look, daemon=True).start()
        while True:
            began, used = time.perf_counter(), time.process_time()
            await asyncio.sleep(_PAUSE_S)
            self._woke = time.perf_counter()
            hold = min(self._woke - began - _PAUSE_S, time.process_time() - used)
            if hold > self.worst_s:
                self.worst_s, self.where = hold, self._seen
            self._seen = []

    def report(self) -> None:
        os.read(sys.stdin.fileno(), 4096)
        report = {"ms": 1000 * self.worst_s, "where": self.where}
        os.write(int(os.environ["PROBE_FD"]), json.dumps(report).encode() + b"\n")
        self.worst_s, self.where = 0.0, []

    def _look(self) -> None:
        """Note where the loop's thread is, while it does not wake. Runs on a thread of its own."""
        while True:
            time.sleep(_LOOK_S)
            if time.perf_counter() - self._woke > 2 * _LOOK_S:
                place = _describe(sys._current_frames().get(self._loop_thread))
                self._seen = [*self._seen[-_MAX_PLACES:], place]


def _describe(frame: FrameType | None) -> str:
    places = traceback.extract_stack(frame)[-4:]
    return " > ".join(f"{os.path.basename(place.filename)}:{place.lineno}" for place in places)


def main() -> int:
    unwatched = serving._serve

    async def watched(*arguments: Any) -> None:
        probe = Probe()
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), probe.report)
        task = asyncio.create_task(probe.watch())
        try:
            await unwatched(*arguments)
        finally:
            task.cancel()

    serving._serve = watched
    return serve(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
