"""Audit: the audit of one key service, from its start, which detects an older database, to its last checkpoint."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from ...audit.chain import ChainHead
from ...audit.checkpoint import Checkpoint, read_checkpoint, sign_checkpoint
from ...audit.parsing import parse_object
from ...audit.record import COMMAND, SERVER, make_draft
from ...audit.rollback import find_rollback
from ...audit.signing import AuditKey
from ...errors import ConfigurationError, Unavailable
from ...store.interface.audit import AuditStore
from .anchor_file import Anchor, AnchorFile
from .auditor import Auditor
from .stream import AuditStream
from .trail import AuditStatus, AuditTrail

_log = logging.getLogger(__name__)

# Whoever restores a copy of the database that is younger than this, and kills the server, is not noticed.
_AFTER_CHANGE_S = 2.0
# Reads have no effect that could be rolled back. More often, checkpoints would outgrow the records.
_AFTER_READS_S = 30.0
# For a look at an audit that could not be written.
_LOOKING_S = 1.0
# For the last checkpoint, at the end.
_STOP_S = 3.0


#: What may be wrong although records are written, in fixed words.
DEGRADED = ("altered", "anchor", "log")


class AuditHealth(NamedTuple):
    """How well the audit of one process works.

    status: of the trail.
    degraded: one of DEGRADED, or None.
    checkpoint_age_s: seconds since this process made a checkpoint, or found that the newest one covers all records.
    changes: how many transactions with records of changes this process has committed.
    """

    status: AuditStatus
    degraded: str | None
    checkpoint_age_s: float = 0.0
    changes: int = 0


class Audit:
    """The audit of one key service, open from `start` to `stop`.

    auditor: makes the records of this key service.
    """

    def __init__(
        self,
        store: AuditStore,
        key: AuditKey,
        anchor_file: AnchorFile,
        stream: AuditStream | None = None,
        *,
        records_reads: bool,
    ) -> None:
        self._store = store
        self._key = key
        self._anchor_file = anchor_file
        self._stream = stream
        self._trail = AuditTrail(store.append)
        self.records_reads = records_reads
        self.auditor = Auditor(self._trail, records_reads=records_reads)
        self._keeper: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._is_altered = False
        self._newest: Checkpoint | None = None
        #: When the newest checkpoint was as new as can be.
        self._checked = time.monotonic()
        store.on_altered(self._note_altered)

    @property
    def key(self) -> AuditKey:
        return self._key

    async def start(self, *, accepted: Anchor | None) -> None:
        """Record the start, and sign the first checkpoint.

        accepted: an anchor that is newer than the database, if the database is accepted in spite of it.
        """
        rollback = None
        if accepted is not None:
            rollback = accepted.checkpoint.number
            await self._store.retire_chains(max(accepted.checkpoint.heads, default=0))
            self._add("AcceptRollback", {"generation": rollback, "anchor": str(accepted.path)})
        self._add("ServerStart", {"key": self._key.public.fingerprint})
        await self._trail.flush()
        self._trail.check()
        await self._make_checkpoint(rollback=rollback)
        self._keeper = self._loop.create_task(self._keep(), name="kms-audit-keeper")

    async def record_restore(self, anchor: Anchor | None, detail: dict[str, object]) -> None:
        """Record, as a command, that this database was made from a backup. It then counts, whatever the anchor knows.

        The new records begin in other places than those made after the backup, so that no two records share one.
        """
        named = 0 if anchor is None else max(anchor.checkpoint.heads, default=0)
        await self._store.retire_chains(named)
        self._trail.add(make_draft(COMMAND, "Restore", detail=detail))
        await self._trail.flush()
        self._trail.check()
        await self._make_checkpoint(rollback=None if anchor is None else anchor.checkpoint.number)

    async def stop(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        self._add("ServerStop")
        try:
            async with asyncio.timeout(_STOP_S):
                await self._trail.stop()
                await self._make_checkpoint()
        except (TimeoutError, Unavailable) as exc:
            _log.warning(
                "the audit has no checkpoint of its end: %s", exc or "the database is slow"
            )
        if self._stream is not None:  # while what it lacks can be read
            await self._stream.flush()

    def health(self) -> AuditHealth:
        faults = {
            "altered": self._is_altered,
            "anchor": self._anchor_file.fault is not None,
            "log": self._stream is not None and self._stream.fault is not None,
        }
        degraded = next((name for name, is_there in faults.items() if is_there), None)
        age_s = time.monotonic() - self._checked
        return AuditHealth(self._trail.status(), degraded, age_s, self._store.changes)

    async def try_again(self) -> None:
        """If nothing could be recorded a moment ago, find out whether that has changed; for a second at most."""
        if self._trail.status().cause is not None:
            try:
                async with asyncio.timeout(_LOOKING_S):
                    await self._trail.flush()
            except TimeoutError:
                pass

    def _add(self, operation: str, detail: dict[str, object] | None = None) -> None:
        self._trail.add(make_draft(SERVER, operation, detail=detail))

    async def _keep(self) -> None:
        """Sign a checkpoint soon after a change; if there were only reads, later."""
        seen, last = self._store.changes, time.monotonic()
        while True:
            await asyncio.sleep(_AFTER_CHANGE_S)
            changes = self._store.changes
            is_due = time.monotonic() - last >= _AFTER_READS_S
            if changes == seen and not is_due:
                continue
            try:
                # Where nothing was recorded here, another server's newest one still goes to our anchor.
                await self._make_checkpoint()
            except Unavailable:  # the trail finds out, too, and says so
                continue
            except Exception:  # the edge of the task
                _log.exception("unexpected error at a checkpoint of the audit")
                continue
            seen, last = changes, time.monotonic()

    async def _make_checkpoint(self, *, rollback: int | None = None) -> None:
        signed = None

        def sign(checkpoint: Checkpoint) -> str:
            nonlocal signed
            signed = sign_checkpoint(checkpoint, self._key)
            return signed

        line = await self._store.make_checkpoint(sign, _format_time(time.time()), rollback=rollback)
        if self._stream is not None and line == signed:  # otherwise it is one of before
            self._stream.add_checkpoint(line)
        self._newest = read_checkpoint(parse_object(line.encode()))
        self._checked = time.monotonic()
        write: Callable[[], None] = partial(
            self._anchor_file.write, line, self._newest.number, goes_back=rollback is not None
        )
        await asyncio.to_thread(write)

    def _note_altered(self, mine: ChainHead, found: ChainHead) -> None:
        """Note that a chain was changed by something else. Called on any thread."""
        self._loop.call_soon_threadsafe(self._tell_altered, mine, found)

    def _tell_altered(self, mine: ChainHead, found: ChainHead) -> None:
        self._is_altered = True
        _log.error(
            "chain %d of the audit was changed by something else than this server: it left record %d there, and "
            "found %d; run kms-tornado audit verify",
            mine.chain, mine.seq, found.seq,
        )  # fmt: skip
        detail = {
            "chain": mine.chain,
            "left": [mine.seq, mine.hash],
            "found": [found.seq, found.hash],
        }
        self._add("Finding", detail)


async def find_accepted_rollback(
    store: AuditStore, anchor: Anchor | None, *, accepts: bool
) -> Anchor | None:
    """The anchor, if the database is older and `accepts` allows that; None if the database is not older.

    Raises ConfigurationError for an older database that is not accepted. Called before anything is recorded.
    """
    if anchor is None:
        if await store.newest_checkpoint() is not None:
            _log.warning(
                "the audit's anchor is gone: whether this database is older than it was cannot be told; "
                "a new one is made"
            )
        return None
    fault = find_rollback(anchor.checkpoint, anchor.line, await store.position(anchor.checkpoint))
    if fault is None:
        if accepts:
            _log.warning(
                "--accept-rollback is not needed: remove it, or the next rollback goes unnoticed"
            )
        return None
    if not accepts:
        raise ConfigurationError(
            f"{fault}; put the newer database back, or start once with --accept-rollback, which is recorded "
            f"(anchor: {anchor.path})",
            "accept_rollback",
        )
    _log.warning("--accept-rollback: %s", fault)
    return anchor


def _format_time(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
