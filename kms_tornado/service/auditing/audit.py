"""Audit: the audit of one key service, from its start, which detects an older database, to its last checkpoint."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import NamedTuple

from ...audit.chain import ChainHead
from ...audit.checkpoint import Checkpoint, read_checkpoint, sign_checkpoint
from ...audit.parsing import parse_object
from ...audit.record import SERVER, make_draft
from ...audit.signing import AuditKey
from ...errors import Unavailable
from ...store.interface.audit import AuditStore
from .anchor_file import Anchor, AnchorFile
from .auditor import Auditor
from .set_back import find_set_back, is_accepted
from .stream import AuditStream
from .trail import AuditStatus, AuditTrail

_log = logging.getLogger(__name__)

# Seconds between checkpoints while there are changes. If somebody restores a copy of the database that is younger
# than this and kills the server, nobody notices.
_AFTER_CHANGE_S = 2.0
# Seconds between checkpoints while there are only reads, which have no effect that could be rolled back. With more of
# them, checkpoints would outgrow the records.
_AFTER_READS_S = 30.0
# Seconds for a look whether the audit can be written again.
_LOOKING_S = 1.0
# Seconds for the last checkpoint, at the end.
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
        #: What the database has lost that the anchor names; None where it has all.
        self._set_back: str | None = None
        #: The number of the checkpoint up to which nobody had accepted that.
        self._searched = 0
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

    async def accept_restored(self, anchor: Anchor | None) -> None:
        """Sign a checkpoint of a database that was made from a backup. It then counts, whatever the anchor knows."""
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
            "altered": self._is_altered or self._set_back is not None,
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

        # Before the checkpoint: another process of this server may write a newer one meanwhile.
        anchor = await asyncio.to_thread(self._anchor_file.read_again)
        line = await self._store.make_checkpoint(sign, _format_time(time.time()), rollback=rollback)
        if self._stream is not None and line == signed:  # otherwise it is one of before
            self._stream.add_checkpoint(line)
        number = read_checkpoint(parse_object(line.encode())).number
        self._checked = time.monotonic()
        # A number alone may be of another history: the anchor stays, and the next start is refused by it.
        if rollback is not None or anchor is None or not await self._is_older(anchor, number):
            await asyncio.to_thread(self._anchor_file.write, line, number)

    async def _is_older(self, anchor: Anchor, number: int) -> bool:
        """Whether the database has lost what the anchor names. The log and a record tell it once.

        number: of the newest checkpoint in the database.
        """
        known, keys = self._set_back, [self._key.public]
        if number < self._searched:  # set back once more
            self._searched = 0
        if await self._store.has_checkpoint(anchor.checkpoint.number, anchor.line):
            self._set_back = None
        elif known is None:
            self._set_back = await find_set_back(self._store, anchor, keys)
        elif await is_accepted(
            self._store, anchor, keys, max(self._searched, anchor.checkpoint.number)
        ):
            self._set_back = None
        self._searched = number
        if self._set_back is not None and known is None:
            _log.error(
                "the database was set back while this server served: %s; put the newer database back, or restart the "
                "server once with --accept-rollback, as its next start is refused without (anchor: %s)",
                self._set_back, anchor.path,
            )  # fmt: skip
            detail = {"generation": anchor.checkpoint.number, "fault": self._set_back}
            self._add("Finding", detail)
        elif self._set_back is None and known is not None:
            _log.warning("the newer database is back, or a start has accepted the older one")
        return self._set_back is not None

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


def _format_time(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
