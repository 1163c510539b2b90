"""AuditStream: the records that this process had committed, and its checkpoints, as lines of --audit-log.

The database has every record before the stream has it, so that nothing waits for the stream, and what it cannot
write is not lost:

    current   lines go from memory into the file, those of a moment together
    behind    the file cannot be written, or lines come faster than it takes them: of what is committed now, only
              the places in their chains are kept (`_Gap`); once the file takes lines again, they are read from the
              database, until there is no gap left

A transaction whose connection was lost during COMMIT is a gap, too: the database knows whether it was done. No
checkpoint of such a time is written later, as the next one covers all that they would.

The file is written by a thread that does nothing else: a reader of stdout that stands still holds up that thread.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from contextvars import Context
from dataclasses import dataclass
from queue import SimpleQueue

from ...audit.chain import Segment, hash_line
from ...errors import ConfigurationError, Unavailable
from ...store.interface.audit import AuditStore
from ..private_file import describe_error
from .log_target import LogTarget

_log = logging.getLogger(__name__)

#: The most bytes that wait in memory for a slow reader.
_MOST_WAITING_BYTES = 8 * 1024 * 1024
_RETRY_S = 1.0
# A write that takes longer is reported.
_SLOW_S = 5.0
# Seconds for writing what is left at the end.
_STOP_S = 3.0
# What is written is of many requests, so that lines of the log name none of them.
_NO_REQUEST = Context()

_Job = tuple[Callable[[], None], asyncio.Future[None]]


@dataclass(slots=True)
class _Gap:
    """Records of a chain that are not written yet.

    head: the hash of the last one, by which others in their place are noticed: a database may be set back.
    is_certain: whether it is known that they were committed.
    """

    chain: int
    first: int
    last: int
    head: str
    is_certain: bool


class AuditStream:
    """Writes committed records to --audit-log. For one event loop.

    fault: why the log is not up to date; None where it is.
    """

    def __init__(self, target: LogTarget, store: AuditStore) -> None:
        self._target = target
        self._store = store
        self._loop = asyncio.get_running_loop()
        self._waiting: list[Segment | bytes] = []
        self._waiting_bytes = 0
        self._gaps: list[_Gap] = []
        self.fault: str | None = None
        #: None ends the thread.
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._work = asyncio.Event()
        self._is_done = asyncio.Event()
        self._is_done.set()
        # A daemon, so that a reader that stands still does not keep the process from its end.
        self._thread = threading.Thread(target=self._run_jobs, name="kms-audit-log", daemon=True)
        self._thread.start()
        self._task = self._loop.create_task(
            self._write_for_ever(), name="kms-audit-log", context=_NO_REQUEST
        )
        store.on_recorded(self._note_recorded)

    async def open(self) -> None:
        """Open the log. Raises ConfigurationError where that is not possible now."""
        try:
            await self._run(self._target.open)
        except OSError as exc:
            text = f"{self._target.name}: cannot be opened: {describe_error(exc)}"
            raise ConfigurationError(text, "audit_log") from exc

    async def reopen(self) -> None:
        """Open the log again, as on SIGHUP after a rotation.

        Raises nothing; what cannot be written now is written later.
        """
        try:
            await self._run(self._target.open)
        except OSError as exc:
            self._fail(describe_error(exc))
            self._wake()
        else:
            _log.info("the audit's log %s was opened again", self._target.name)

    def add_checkpoint(self, line: str) -> None:
        if not self._gaps:
            self._add_waiting(line.encode(), len(line))

    async def flush(self) -> None:
        """Return once all that was committed is written, or cannot be written now; after three seconds at most."""
        try:
            async with asyncio.timeout(_STOP_S):
                while self.fault is None and not self._is_done.is_set():
                    await self._is_done.wait()
        except TimeoutError:
            pass

    async def stop(self) -> None:
        await self.flush()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._give_up_waiting()
        self._jobs.put(None)
        if self._gaps:
            places = ", ".join(f"{gap.chain}/{gap.first} to {gap.last}" for gap in self._gaps[:10])
            more = f" and {len(self._gaps) - 10} more" if len(self._gaps) > 10 else ""
            _log.warning(
                "the audit's log %s lacks records, which kms-tornado audit export has: %s%s",
                self._target.name, places, more,
            )  # fmt: skip

    # --- what comes -----------------------------------------------------------------------------

    def _note_recorded(self, segments: Sequence[Segment], is_certain: bool) -> None:
        """Take the segments of a transaction. Called on any thread."""
        try:
            self._loop.call_soon_threadsafe(self._add, segments, is_certain)
        except RuntimeError:  # the loop is closed
            pass

    def _add(self, segments: Sequence[Segment], is_certain: bool) -> None:
        if not is_certain:
            chain, last, text = segments[-1].head
            self._gaps.append(_Gap(chain, segments[0].first, last, text, is_certain=False))
            self._wake()
        elif self._gaps:
            self._add_gaps(segments)
        else:
            for segment in segments:
                self._add_waiting(segment, len(segment.lines))

    def _add_waiting(self, item: Segment | bytes, size: int) -> None:
        self._waiting.append(item)
        self._waiting_bytes += size
        if self._waiting_bytes > _MOST_WAITING_BYTES:
            self._give_up_waiting()
        self._wake()

    def _give_up_waiting(self) -> None:
        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        self._add_gaps(waiting)

    def _add_gaps(self, items: Sequence[Segment | bytes]) -> None:
        newest = {gap.chain: gap for gap in self._gaps}
        for item in items:
            if not isinstance(item, Segment):
                continue
            chain, last, text = item.head
            gap = newest.get(chain)
            if gap is not None and gap.is_certain and gap.last == item.first - 1:
                gap.last, gap.head = last, text
            else:
                newest[chain] = _Gap(chain, item.first, last, text, is_certain=True)
                self._gaps.append(newest[chain])
        self._wake()

    def _wake(self) -> None:
        self._is_done.clear()
        self._work.set()

    # --- what is written ------------------------------------------------------------------------

    async def _write_for_ever(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            try:
                await self._write_all()
            except OSError as exc:
                self._fail(describe_error(exc))
            except Unavailable as exc:
                self._fail(f"the database is out of reach: {exc}")
            except Exception:  # the edge of the task
                _log.exception("unexpected error in the audit's log")
                self._fail("internal error")
            else:
                self._recover()
                continue
            await asyncio.sleep(_RETRY_S)
            self._work.set()

    async def _write_all(self) -> None:
        if self.fault is not None:
            await self._run(self._target.open)
        while self._gaps or self._waiting:
            while self._gaps:
                await self._close_gap(self._gaps[0])
            items, self._waiting, self._waiting_bytes = self._waiting, [], 0
            if items:
                try:
                    await self._write([_get_lines(item) for item in items])
                except BaseException:
                    # Before what came meanwhile.
                    later, self._waiting, self._waiting_bytes = self._waiting, [], 0
                    self._add_gaps([*items, *later])
                    raise
        self._is_done.set()

    async def _close_gap(self, gap: _Gap) -> None:
        """Write the records that are missing. gap: the first gap, which may grow meanwhile."""
        while gap.first <= gap.last:
            segments = [
                segment
                for segment in await self._store.read_segments(gap.chain, gap.first - 1)
                if segment.chain == gap.chain and segment.last <= gap.last
            ]
            if not segments:
                break  # not committed, or removed since: `audit verify` tells
            is_last = segments[-1].last == gap.last
            if is_last and hash_line(segments[-1].lines[-1]) != gap.head:
                break  # others that came in their place
            await self._write([b"\n".join(segment.lines) for segment in segments])
            gap.first = segments[-1].last + 1
        self._gaps.remove(gap)

    async def _write(self, blocks: Sequence[bytes]) -> None:
        """Write the lines. Raises OSError."""
        lines = b"\n".join(blocks) + b"\n"
        writing = asyncio.ensure_future(self._run(lambda: self._target.write(lines)))
        done, _ = await asyncio.wait({writing}, timeout=_SLOW_S)
        if not done:
            self._fail("whoever reads it takes no lines")
        await writing

    async def _run(self, job: Callable[[], None]) -> None:
        """Run the job on the thread that writes. Raises OSError."""
        future: asyncio.Future[None] = self._loop.create_future()
        self._jobs.put((job, future))
        await future

    def _run_jobs(self) -> None:
        while (next_job := self._jobs.get()) is not None:
            job, future = next_job
            error: Exception | None = None
            try:
                job()
            except Exception as exc:  # for the caller
                error = exc
            try:
                self._loop.call_soon_threadsafe(_resolve, future, error)
            except RuntimeError:  # the loop is closed
                break
        self._target.close()

    def _fail(self, why: str) -> None:
        if self.fault is None:
            _log.error(
                "the audit's log %s cannot be written: %s; records go on into the database, and are written there "
                "later",
                self._target.name, why,
            )  # fmt: skip
        self.fault = why

    def _recover(self) -> None:
        if self.fault is not None:
            _log.warning(
                "the audit's log %s is written again, and has what it lacked", self._target.name
            )
        self.fault = None


def _get_lines(item: Segment | bytes) -> bytes:
    return item if isinstance(item, bytes) else item.lines


def _resolve(future: asyncio.Future[None], error: Exception | None) -> None:
    if future.done():  # cancelled
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
