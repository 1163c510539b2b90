"""Workers: processes that share one listening socket, and the supervisor that keeps them running.

The supervisor opens the port, forks the workers, and then only waits: for signals to forward, and for
workers that end. It has no event loop and no threads, so that a later fork is as safe as the first.

A worker that dies is replaced, after a pause that grows while that happens again and again. One that
ends before any worker ever served, or for a bad configuration, ends all of them, with its exit code: it
would have ended alone, too, and a replacement would end in the same way.

Three pipes, none of which ever blocks, connect them:

- signals: Python writes the number of each signal into it (`signal.set_wakeup_fd`), so that `select`
  wakes up for signals as for everything else;
- readiness: each worker writes one byte into it once it serves;
- lifeline: nobody writes. The supervisor alone holds its writing end, so its reading end becomes
  readable in the workers when the supervisor is gone, however it died.
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
_STEADY_S = 60.0  # a worker that lived for so long did not die of its start
_GRACE_S = 5.0  # beyond the shutdown timeout, before a worker that does not end is killed
_BAD_CONFIGURATION = 2  # exit code: a replacement would end in the same way
_FORWARDED_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Worker:
    """What a worker knows of itself and of its supervisor.

    number: from 1; the replacement of a dead worker has its number. directory: shared by all workers.
    supervisor_gone: a file descriptor that becomes readable once the supervisor is no more.
    """

    number: int
    directory: Path
    supervisor_gone: int
    _readiness: int

    def report_ready(self) -> None:
        """Tell the supervisor that this worker serves."""
        os.write(self._readiness, b"r")


class Supervisor:
    """Runs `work` in `count` processes until a signal says stop.

    work: what a worker does; it returns the worker's exit code. on_started: called once all workers serve.
    """

    def __init__(
        self,
        work: Callable[[Worker], int],
        *,
        count: int,
        shutdown_timeout_s: float,
        on_started: Callable[[], None],
    ) -> None:
        self._work = work
        self._count = count
        self._shutdown_timeout_s = shutdown_timeout_s
        self._on_started = on_started
        #: Process ID → the worker's number, and when it was started.
        self._workers: dict[int, tuple[int, float]] = {}
        #: (when to start a worker again, its number).
        self._restarts: list[tuple[float, int]] = []
        self._pause_s = _FIRST_PAUSE_S
        self._ready_count = 0
        self._exit_code = 0
        #: When workers that still run are killed; None while no stop is under way.
        self._kill_at: float | None = None

    def run(self) -> int:
        """The exit code: 0, or that of the worker for which the start failed."""
        with tempfile.TemporaryDirectory(prefix="kms-workers-") as directory:
            self._directory = Path(directory)
            return self._supervise()

    def _supervise(self) -> int:
        self._signals_in, self._signals_out = _make_pipe()
        self._readiness_in, self._readiness_out = _make_pipe()
        self._lifeline_in, self._lifeline_out = _make_pipe()
        signal.set_wakeup_fd(self._signals_out, warn_on_full_buffer=False)
        for number in (*_FORWARDED_SIGNALS, signal.SIGCHLD):
            signal.signal(number, lambda number, frame: None)  # the pipe has it
        self._fork(1)  # alone, so that what is wrong with the start is said once
        while self._workers or self._restarts:
            readable, _, _ = select.select(
                [self._signals_in, self._readiness_in], [], [], self._time_to_wait_s()
            )
            if self._readiness_in in readable:
                self._on_ready(len(os.read(self._readiness_in, 4096)))
            if self._signals_in in readable:
                for byte in os.read(self._signals_in, 4096):
                    self._on_signal(signal.Signals(byte))
            self._reap()
            self._act_on_time()
        return self._exit_code

    # --- what happens ---------------------------------------------------------------------------

    def _on_ready(self, count: int) -> None:
        before, self._ready_count = self._ready_count, self._ready_count + count
        if not before and self._kill_at is None:
            for worker_number in range(2, self._count + 1):
                self._fork(worker_number)
        if before < self._count <= self._ready_count:
            self._on_started()

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
            self._on_worker_end(pid, os.waitstatus_to_exitcode(status))

    def _on_worker_end(self, pid: int, code: int) -> None:
        worker_number, started = self._workers.pop(pid)
        if self._kill_at is not None:
            return
        if code == _BAD_CONFIGURATION or not self._ready_count:
            self._exit_code = max(code, 1)
            self._stop()
            return
        if time.monotonic() - started >= _STEADY_S:
            self._pause_s = _FIRST_PAUSE_S
        log.error("worker %d ended with %d; another one starts in %.1f s", pid, code, self._pause_s)
        self._restarts.append((time.monotonic() + self._pause_s, worker_number))
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)

    def _time_to_wait_s(self) -> float | None:
        """Until the next restart or kill is due; None: until something happens."""
        times = [due for due, _ in self._restarts]
        if self._kill_at is not None:
            times.append(self._kill_at)
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _act_on_time(self) -> None:
        now = time.monotonic()
        for restart in [restart for restart in self._restarts if restart[0] <= now]:
            self._restarts.remove(restart)
            self._fork(restart[1])
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
        for pid in self._workers:  # none of them was reaped yet, so the IDs are still theirs
            os.kill(pid, number)

    def _fork(self, worker_number: int) -> None:
        # A signal between the fork and the worker's own handlers must end the worker, not be lost.
        signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED_SIGNALS)
        pid = os.fork()
        if pid:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED_SIGNALS)
            self._workers[pid] = worker_number, time.monotonic()
            return
        code = 1
        try:
            code = self._run_worker(worker_number)
        except Exception:  # the edge of the process
            log.exception("worker %d failed", os.getpid())
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _run_worker(self, worker_number: int) -> int:
        """In the new process: drop what is the supervisor's, then work, to the exit code."""
        signal.set_wakeup_fd(-1)
        for number in (*_FORWARDED_SIGNALS, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED_SIGNALS)
        for end in (self._signals_out, self._signals_in, self._readiness_in, self._lifeline_out):
            os.close(end)
        return self._work(
            Worker(worker_number, self._directory, self._lifeline_in, self._readiness_out)
        )


def _make_pipe() -> tuple[int, int]:
    """(the end to read, the end to write), neither of which ever blocks."""
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    return ends
