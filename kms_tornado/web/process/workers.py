"""Workers: processes that share one listening socket, and the supervisor that keeps them running.

The supervisor opens the port, forks the workers, and then only waits: for signals to forward, and for
workers that end. It has no event loop and no threads, so that a later fork is as safe as the first.

A worker that ends is replaced, after a pause that doubles while workers keep ending: a replacement that
cannot start (a disk that is full, a database that is away, a file that is being edited) leaves the others
to serve. Only where a worker ends before any worker has served does the supervisor stop, and exit with
that worker's code: a single process would have failed as well.

Three pipes, none of which ever blocks, connect them:

- signals: Python writes the number of each signal into it (`signal.set_wakeup_fd`), so that `select`
  wakes up for signals as for everything else;
- readiness: each worker writes one byte into it once it serves;
- lifeline: nobody writes into it. Only the supervisor holds the writing end, so the reading end becomes
  readable in the workers when the supervisor is gone, however it ended.
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
_STEADY_S = 60.0  # a worker that lived this long did not fail at its start
_GRACE_S = 5.0  # beyond the shutdown timeout, before a worker that does not end is killed
_FORWARDED_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker's number, and its means to communicate with the supervisor and the other workers.

    number: from 1; the replacement of a dead worker has its number.
    is_first: whether no worker has served before it, so that only this one may create a database.
    directory: shared by all workers.
    supervisor_gone: a file descriptor that becomes readable once the supervisor is gone.
    """

    number: int
    is_first: bool
    directory: Path
    supervisor_gone: int
    _readiness: int

    def report_ready(self) -> None:
        """Tell the supervisor that this worker has started to serve."""
        os.write(self._readiness, b"r")


class Supervisor:
    """Runs `work` in `count` processes until a signal stops it.

    work: runs in each worker, and returns its exit code. shutdown_timeout_s: how long workers may take to
    stop; a grace period of 5 s is added. on_started: called once all workers serve, unless a stop has begun. on_stopping: called
    when a stop begins, before the workers are told.
    """

    def __init__(
        self,
        work: Callable[[Worker], int],
        *,
        count: int,
        shutdown_timeout_s: float,
        on_started: Callable[[], None],
        on_stopping: Callable[[], None],
    ) -> None:
        self._work = work
        self._count = count
        self._shutdown_timeout_s = shutdown_timeout_s
        self._on_started = on_started
        self._on_stopping = on_stopping
        #: Process ID → (number of the worker, time of its start by the monotonic clock).
        self._workers: dict[int, tuple[int, float]] = {}
        #: (time of the restart by the monotonic clock, number of the worker).
        self._restarts: list[tuple[float, int]] = []
        self._pause_s = _FIRST_PAUSE_S
        self._ready_count = 0
        self._exit_code = 0
        #: Monotonic time at which remaining workers are killed; None while no stop is under way.
        self._kill_at: float | None = None

    def run(self) -> int:
        """Supervise until all workers have ended; 0, or the exit code of a worker that failed to start."""
        with tempfile.TemporaryDirectory(prefix="kms-workers-") as directory:
            self._directory = Path(directory)
            return self._supervise()

    def _supervise(self) -> int:
        self._signals_in, self._signals_out = _make_pipe()
        self._readiness_in, self._readiness_out = _make_pipe()
        self._lifeline_in, self._lifeline_out = _make_pipe()
        signal.set_wakeup_fd(self._signals_out, warn_on_full_buffer=False)
        for number in (*_FORWARDED_SIGNALS, signal.SIGCHLD):
            signal.signal(number, lambda number, frame: None)  # the signal's number is in the pipe
        self._fork(1)  # the others start once it serves, so that a failed start is logged only once
        while self._workers or self._restarts:
            readable, _, _ = select.select(
                [self._signals_in, self._readiness_in], [], [], self._seconds_until_due()
            )
            if self._readiness_in in readable:
                self._on_ready(len(os.read(self._readiness_in, 4096)))
            if self._signals_in in readable:
                for byte in os.read(self._signals_in, 4096):
                    self._on_signal(signal.Signals(byte))
            self._reap()
            self._run_due_actions()
        for number in _FORWARDED_SIGNALS:
            signal.signal(number, signal.SIG_IGN)  # there is nothing left to stop
        return self._exit_code

    # --- events ---------------------------------------------------------------------------------

    def _on_ready(self, count: int) -> None:
        before, self._ready_count = self._ready_count, self._ready_count + count
        if not before and self._kill_at is None:
            for worker_number in range(2, self._count + 1):
                self._fork(worker_number)
        if before < self._count <= self._ready_count and self._kill_at is None:
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
        if not self._ready_count:
            self._exit_code = max(code, 1)
            self._stop()
            return
        if time.monotonic() - started >= _STEADY_S:
            self._pause_s = _FIRST_PAUSE_S
        log.error("worker %d ended with %d; another one starts in %.1f s", pid, code, self._pause_s)
        self._restarts.append((time.monotonic() + self._pause_s, worker_number))
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)

    def _seconds_until_due(self) -> float | None:
        """Seconds until the next restart or kill is due; None where none is planned."""
        times = [due for due, _ in self._restarts]
        if self._kill_at is not None:
            times.append(self._kill_at)
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _run_due_actions(self) -> None:
        now = time.monotonic()
        for restart in [restart for restart in self._restarts if restart[0] <= now]:
            self._restarts.remove(restart)
            self._fork(restart[1])
        if self._kill_at is not None and now >= self._kill_at:
            self._kill_at = now + _GRACE_S
            self._send(signal.SIGKILL)

    # --- actions --------------------------------------------------------------------------------

    def _stop(self) -> None:
        self._restarts.clear()
        if self._kill_at is None:
            self._kill_at = time.monotonic() + self._shutdown_timeout_s + _GRACE_S
            self._on_stopping()
            self._send(signal.SIGTERM)

    def _send(self, number: signal.Signals) -> None:
        for pid in self._workers:  # none of them was reaped yet, so no ID has been reused
            os.kill(pid, number)

    def _fork(self, worker_number: int) -> None:
        # Blocked until the worker has reset its handlers, so that a signal before that is not lost.
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
            logging.shutdown()  # writes the lines that wait
            os._exit(code)

    def _run_worker(self, worker_number: int) -> int:
        """In the new process: reset signals, close the supervisor's ends of the pipes, and do the work."""
        signal.set_wakeup_fd(-1)
        for number in (*_FORWARDED_SIGNALS, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        # Ignored until the worker handles it: so far it has read nothing that would have to be read again.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED_SIGNALS)
        for end in (self._signals_out, self._signals_in, self._readiness_in, self._lifeline_out):
            os.close(end)
        return self._work(
            Worker(
                worker_number,
                not self._ready_count,
                self._directory,
                self._lifeline_in,
                self._readiness_out,
            )
        )


def _make_pipe() -> tuple[int, int]:
    """(the end to read, the end to write), neither of which ever blocks."""
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    return ends
