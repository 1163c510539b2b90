"""Workers: processes that share one listening socket, and the supervisor that keeps them running.

The supervisor opens the port, forks, and then only waits: for signals to pass on, and for workers that
end. It has no event loop and no threads, so forking again later is as safe as the first time. A worker
that dies is replaced, after a pause that grows while that happens again and again; one that ends before
any worker ever served, or for its configuration, ends all of them, as it would have ended alone.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger("kms_tornado.server")

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_STEADY_S = 60.0  # who lived for so long did not die of its start
_GRACE_S = 5.0  # beyond the shutdown timeout, before a worker that does not end is killed
_BAD_CONFIGURATION = 2  # exit code: another try would end alike
_PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Worker:
    """What a worker knows of itself, and its ends of the pipes that it shares with its supervisor.

    number: from 1; who takes the place of a dead one has its number. directory: shared by all workers.
    gone: a file descriptor that becomes readable once the supervisor is no more.
    """

    number: int
    directory: Path
    gone: int
    _ready: int

    def ready(self) -> None:
        """Tell the supervisor that this worker serves."""
        os.write(self._ready, b"r")


class Supervisor:
    """Runs `work` in `count` processes until a signal says stop.

    work: what a worker does, to its exit code. started: called once all of them serve.
    """

    def __init__(
        self,
        work: Callable[[Worker], int],
        *,
        count: int,
        shutdown_timeout_s: float,
        started: Callable[[], None],
    ) -> None:
        self._work = work
        self._count = count
        self._shutdown_timeout_s = shutdown_timeout_s
        self._started = started
        #: Process ID → its number, and when it was started.
        self._workers: dict[int, tuple[int, float]] = {}
        #: When to start a worker again, and its number.
        self._restarts: list[tuple[float, int]] = []
        self._pause_s = _FIRST_PAUSE_S
        self._ready = 0
        self._code = 0
        self._kill_at: float | None = None

    def run(self) -> int:
        """The exit code: 0, or that of the worker for which the start failed."""
        with tempfile.TemporaryDirectory(prefix="kms-workers-") as directory:
            self._directory = Path(directory)
            return self._supervise()

    def _supervise(self) -> int:
        self._signalled, self._signal = _pipe()
        self._readiness, self._tell_ready = _pipe()
        self._held, self._hold = _pipe()
        signal.set_wakeup_fd(self._signal, warn_on_full_buffer=False)
        for number in (*_PASSED_ON, signal.SIGCHLD):
            signal.signal(number, lambda number, frame: None)  # the pipe has it
        self._fork(1)  # alone: what is wrong with the start is said once
        while self._workers or self._restarts:
            readable, _, _ = select.select(
                [self._signalled, self._readiness], [], [], self._wait_s()
            )
            if self._readiness in readable:
                self._note_ready(len(os.read(self._readiness, 4096)))
            if self._signalled in readable:
                for each in os.read(self._signalled, 4096):
                    self._on_signal(signal.Signals(each))
            self._reap()
            self._act_on_time()
        return self._code

    # --- what happens ---------------------------------------------------------------------------

    def _note_ready(self, number: int) -> None:
        before, self._ready = self._ready, self._ready + number
        if not before and self._kill_at is None:
            for number_of_next in range(2, self._count + 1):
                self._fork(number_of_next)
        if before < self._count <= self._ready:
            self._started()

    def _on_signal(self, number: signal.Signals) -> None:
        if number in (signal.SIGTERM, signal.SIGINT):
            self._stop()
        elif number is signal.SIGHUP:
            self._send(signal.SIGHUP)

    def _reap(self) -> None:
        while self._workers:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            self._ended(pid, os.waitstatus_to_exitcode(status))

    def _ended(self, pid: int, code: int) -> None:
        number, started = self._workers.pop(pid)
        if self._kill_at is not None:
            return
        if code == _BAD_CONFIGURATION or not self._ready:
            self._code = max(code, 1)
            self._stop()
            return
        if time.monotonic() - started >= _STEADY_S:
            self._pause_s = _FIRST_PAUSE_S
        log.error("worker %d ended with %d; another one starts in %.1f s", pid, code, self._pause_s)
        self._restarts.append((time.monotonic() + self._pause_s, number))
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)

    def _wait_s(self) -> float | None:
        times = [
            *(due for due, _ in self._restarts),
            *([] if self._kill_at is None else [self._kill_at]),
        ]
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _act_on_time(self) -> None:
        now = time.monotonic()
        for each in [each for each in self._restarts if each[0] <= now]:
            self._restarts.remove(each)
            self._fork(each[1])
        if self._kill_at is not None and now >= self._kill_at:
            self._kill_at = now + _GRACE_S
            self._send(signal.SIGKILL)

    # --- what is done about it ------------------------------------------------------------------

    def _stop(self) -> None:
        self._restarts.clear()
        if self._kill_at is None:
            self._kill_at = time.monotonic() + self._shutdown_timeout_s + _GRACE_S
            self._send(signal.SIGTERM)

    def _send(self, number: signal.Signals) -> None:
        for pid in self._workers:  # not waited for yet, so the number is still theirs
            os.kill(pid, number)

    def _fork(self, number: int) -> None:
        # A signal between fork and the worker's own handlers is to end it, not to be lost.
        signal.pthread_sigmask(signal.SIG_BLOCK, _PASSED_ON)
        pid = os.fork()
        if pid:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _PASSED_ON)
            self._workers[pid] = number, time.monotonic()
            return
        code = 1
        try:
            code = self._be_a_worker(number)
        except Exception:  # the process's edge
            log.exception("worker %d met a fault of its own", os.getpid())
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _be_a_worker(self, number: int) -> int:
        signal.set_wakeup_fd(-1)
        for each in (*_PASSED_ON, signal.SIGCHLD):
            signal.signal(each, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _PASSED_ON)
        for end in (self._signal, self._signalled, self._readiness, self._hold):
            os.close(end)
        return self._work(Worker(number, self._directory, self._held, self._tell_ready))


def _pipe() -> tuple[int, int]:
    """(the end to read, the end to write), neither of which ever blocks."""
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    return ends
