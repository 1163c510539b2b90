"""A server that SIGUSR2 has sample itself, and the next SIGUSR2 write what it has found to the file $BENCH_STAGES.

Each few milliseconds that it has computed, it looks where each of its threads is, and how much that thread has computed since the
last look: that time counts for the stage (`stage_table`). So a sample weighs what it stands for, and what waits weighs nothing. The
looking itself is not counted. By the clock instead of the time computed, calls that let another process run would come out far too dear:
the signal would find the server where it goes on.
"""

from __future__ import annotations

import json
import opcode
import os
import signal
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from types import CodeType, FrameType

from kms_tornado.__main__ import main
from tests.bench.stage_table import find_stage

_INTERVAL_S = 0.004  # a tick of most kernels, and ten times as long as a look takes
_RESUME = opcode.opmap["RESUME"]
_AFTER_AWAIT = 3  # its argument


#: The innermost first; of a thread that the loop has just gone on with, none.
Stack = tuple[CodeType, ...]


class Sampler:
    def __init__(self) -> None:
        self._seconds: Counter[Stack] = Counter()
        self._seen: dict[int, float] = {}
        self._unknown_s = 0.0
        self._process = 0.0

    def start(self) -> None:
        self._look(None)
        self._seconds.clear()
        self._unknown_s = 0.0
        signal.signal(signal.SIGPROF, self._sample)
        signal.setitimer(signal.ITIMER_PROF, _INTERVAL_S, _INTERVAL_S)

    def stop(self, frame: FrameType | None) -> dict[str, dict[str, float]]:
        """{stage: {innermost function: seconds of CPU}}."""
        signal.signal(signal.SIGPROF, signal.SIG_IGN)
        self._look(frame)
        found: dict[str, Counter[str]] = {"other": Counter({"no frame": self._unknown_s})}
        for stack, used in self._seconds.items():
            stage, function = "loop", "loop"
            if stack:
                stage = find_stage((code.co_filename, code.co_name) for code in stack)
                file = "/".join(stack[0].co_filename.split("/")[-2:])
                function = f"{file}:{stack[0].co_name}"
            found.setdefault(stage, Counter())[function] += used
        return {stage: dict(functions) for stage, functions in found.items()}

    def _sample(self, _: int, frame: FrameType | None) -> None:
        self._look(frame)

    def _look(self, main_frame: FrameType | None) -> None:
        main_thread = threading.main_thread().ident
        process, counted = time.process_time(), 0.0
        frames = sys._current_frames()
        for thread in threading.enumerate():
            if thread.ident is None:
                continue
            used = time.clock_gettime(time.pthread_getcpuclockid(thread.ident))
            since = used - self._seen.get(thread.ident, used)
            self._seen[thread.ident] = used
            if since > 0:
                is_main = thread.ident == main_thread
                stack = _stack_of(main_frame if is_main else frames.get(thread.ident))
                self._seconds[stack] += since
                counted += since
        self._unknown_s += max(0.0, process - self._process - counted)
        self._process = time.process_time()
        if main_thread is not None:
            self._seen[main_thread] = time.thread_time()


def _stack_of(frame: FrameType | None) -> Stack:
    if frame is None or _is_just_resumed(frame):
        return ()
    stack = []
    while frame is not None:
        stack.append(frame.f_code)
        frame = frame.f_back
    return tuple(stack)


def _is_just_resumed(frame: FrameType) -> bool:
    """Whether the loop has just begun a callback, or gone on with a task: what was computed before was its own.

    A signal that comes while uvloop is in its C code is handled by the first Python code after it.
    """
    code, at = frame.f_code.co_code, frame.f_lasti
    if at < 0 or code[at] != _RESUME:
        return False
    caller = frame.f_back
    is_called_by_loop = caller is None or "asyncio" in caller.f_code.co_filename
    return code[at + 1] == _AFTER_AWAIT or is_called_by_loop


def serve(argv: list[str]) -> int:
    sampler = Sampler()
    is_on = False

    def toggle(_: int, frame: FrameType | None) -> None:
        nonlocal is_on
        is_on = not is_on
        if is_on:
            sampler.start()
            return
        target = Path(os.environ["BENCH_STAGES"])
        beside = target.with_suffix(".new")
        beside.write_text(json.dumps(sampler.stop(frame)))
        beside.replace(target)

    signal.signal(signal.SIGUSR2, toggle)
    return main(argv)


if __name__ == "__main__":
    sys.exit(serve(sys.argv[4:]))  # behind: python -m kms_tornado
