"""A server that SIGUSR2 has sample itself, and the next SIGUSR2 write what it has found to the file $BENCH_STAGES.

Each few milliseconds that the main thread has computed, it looks where that thread is, and each few milliseconds that the process has,
where the others are, and how much each has computed since the last look: that time counts for the stage (`stage_table`). So
a sample weighs what it stands for, and what waits weighs nothing. The looking itself is not counted. By the clock instead
of the time computed, calls that let another process run would come out far too dear: the signal would find the server where it goes
on. So would the event loop, if the main thread were looked at while another one computes: it then waits for its turn there.
"""

from __future__ import annotations

import ctypes
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
_CLOCK_THREAD_CPUTIME_ID, _SIGEV_THREAD_ID = 3, 4  # of Linux
_RESUME = opcode.opmap["RESUME"]
_AFTER_AWAIT = 3  # its argument


#: The innermost first; of a thread that the loop has just gone on with, none.
Stack = tuple[CodeType, ...]


class _Event(ctypes.Structure):
    """sigevent(3type), of 64 bytes."""

    _fields_ = (
        ("value", ctypes.c_void_p),
        ("signal", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("thread", ctypes.c_int),
        ("rest", ctypes.c_char * 44),
    )


def start_thread_timer(number: signal.Signals, interval_s: float) -> None:
    """Have this thread get the signal whenever it has computed that long, and while it computes."""
    libc, timer = ctypes.CDLL(None, use_errno=True), ctypes.c_void_p()
    event = _Event(signal=number, notify=_SIGEV_THREAD_ID, thread=threading.get_native_id())
    seconds, nanoseconds = divmod(round(interval_s * 1e9), 10**9)
    times = (ctypes.c_long * 4)(seconds, nanoseconds, seconds, nanoseconds)
    if libc.timer_create(_CLOCK_THREAD_CPUTIME_ID, ctypes.byref(event), ctypes.byref(timer)):
        raise OSError(ctypes.get_errno(), "timer_create")
    if libc.timer_settime(timer, 0, ctypes.byref(times), None):
        raise OSError(ctypes.get_errno(), "timer_settime")


class Sampler:
    """Of one process, whose main thread makes it and runs the event loop."""

    def __init__(self) -> None:
        self._seconds: Counter[Stack] = Counter()
        #: {thread: what it had computed at the last look}.
        self._seen: dict[threading.Thread, float] = {}
        self._began = self._looked_s = 0.0
        signal.signal(signal.SIGVTALRM, _do_nothing)
        start_thread_timer(signal.SIGVTALRM, _INTERVAL_S)

    def start(self) -> None:
        self._look_at_main(None)
        self._look_at_others()
        self._seconds.clear()
        self._began, self._looked_s = time.process_time(), 0.0
        signal.signal(signal.SIGVTALRM, lambda _, frame: self._look_at_main(frame))
        signal.signal(signal.SIGPROF, lambda _, frame: self._look_at_others())
        signal.setitimer(signal.ITIMER_PROF, _INTERVAL_S, _INTERVAL_S)

    def stop(self, frame: FrameType | None) -> dict[str, dict[str, float]]:
        """{stage: {innermost function: seconds of CPU}}."""
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, signal.SIG_IGN)  # one may be on its way
        signal.signal(signal.SIGVTALRM, _do_nothing)  # a signal that is ignored would end its timer
        self._look_at_main(frame)
        self._look_at_others()
        all_s = time.process_time() - self._began - self._looked_s
        found: dict[str, Counter[str]] = {
            "other": Counter({"no frame": max(0.0, all_s - self._seconds.total())})
        }
        for stack, used in self._seconds.items():
            stage, function = "loop", "loop"
            if stack:
                stage = find_stage((code.co_filename, code.co_name) for code in stack)
                file = "/".join(stack[0].co_filename.split("/")[-2:])
                function = f"{file}:{stack[0].co_name}"
            found.setdefault(stage, Counter())[function] += used
        return {stage: dict(functions) for stage, functions in found.items()}

    def _look_at_main(self, frame: FrameType | None) -> None:
        now = time.thread_time()
        self._add(threading.main_thread(), now, frame)
        self._leave_out(now)

    def _look_at_others(self) -> None:
        now, frames = time.thread_time(), sys._current_frames()
        for thread in threading.enumerate():
            if thread is threading.main_thread() or thread.ident is None:
                continue
            used = time.clock_gettime(time.pthread_getcpuclockid(thread.ident))
            self._add(thread, used, frames.get(thread.ident))
        self._leave_out(now)

    def _add(self, thread: threading.Thread, used: float, frame: FrameType | None) -> None:
        self._seconds[_stack_of(frame)] += used - self._seen.get(thread, used)
        self._seen[thread] = used

    def _leave_out(self, since: float) -> None:
        """Not count what this thread, the main one, has computed since then: it has looked."""
        looked_s = time.thread_time() - since
        self._looked_s += looked_s
        self._seen[threading.main_thread()] += looked_s


def _do_nothing(_: int, __: FrameType | None) -> None:
    pass


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
