"""AuditLog: the audit of one database, except for the records that commits append themselves."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import bindparam, func, insert, select, update

from ....audit.chain import NOTHING, ChainHead, Segment, hash_line
from ....audit.checkpoint import Checkpoint, hash_checkpoint, read_checkpoint
from ....audit.parsing import MalformedRecord, parse_object
from ....audit.record import SERVER, Draft, make_draft
from ...interface.audit import Restored
from ...progress import LoggedProgress
from ..backend import Backend
from ..constants import write_constant
from ..queries import any_object
from ..statements import NO_VALUES, Runner, Statement
from ..stored_values import stored_bytes, stored_text
from ..tables.row_macs import AlteredRow, RowAuthenticator
from ..tables.schema import audit_chains, audit_checkpoints, audit_segments, objects, server_state
from ..watched import WatchedBackend
from .chains import RETIRED, AuditChains, read_heads
from .reader import (
    ID_NAME,
    ID_SUBJECT,
    AuditReader,
    select_heads,
    select_id,
    select_newest_checkpoint,
    split_id,
)

_PAGE = 500

_C, _S = audit_chains.c, audit_segments.c
_insert_state = Statement(insert(server_state), server_state.columns.keys())
#: That has a record. A checkpoint's head is the last record of a segment.
_select_segment_at = Statement(
    select(_S.last, _S.lines)
    .where(_S.chain == bindparam("of_chain"), _S.first <= bindparam("at"))
    .order_by(_S.first.desc())
    .limit(write_constant(1))
)
_insert_checkpoint = Statement(insert(audit_checkpoints), audit_checkpoints.columns.keys())
_select_codes = Statement(
    select(objects.c.uid, objects.c.mac, objects.c.serial)
    .where(objects.c.serial > bindparam("after"))
    .order_by(objects.c.serial)
    .limit(write_constant(_PAGE))
)
_any_chain = Statement(select(func.max(_C.chain)))
_any_object = Statement(any_object)
_retire = Statement(update(audit_chains), ("session", "seen"))
_insert_chain = Statement(insert(audit_chains), audit_chains.columns.keys())


class AuditLog(AuditReader):
    """The audit of one database. Used from one event loop, once the store has its key.

    changes: how many transactions with records of changes this process has committed.
    """

    def __init__(
        self,
        backend: Backend,
        database: WatchedBackend,
        authenticator: RowAuthenticator,
        chains: AuditChains,
    ) -> None:
        super().__init__(backend, authenticator)
        self._database = database
        self.chains = chains
        self.changes = 0

    def on_altered(self, observe: Callable[[ChainHead, ChainHead], None]) -> None:
        self.chains.on_altered = observe

    def on_recorded(self, observe: Callable[[Sequence[Segment], bool], None]) -> None:
        self.chains.on_recorded = observe

    async def open(self) -> int:
        """Learn the database's identifier; a new database gets one.

        Objects that an older version made are recorded as they are; returns their number. Raises AlteredRow.
        """
        adopted = 0
        rows = await self._backend.read(self._id)
        if not rows:
            adopted = await self._backend.run_exclusively(self._begin)
            rows = await self._backend.read(self._id)
        self.chains.database = _parse_id(rows[0][0], self._authenticator)
        return adopted

    def _begin(self, runner: Runner) -> int:
        if runner.select(Statement(select_id), NO_VALUES):  # another server was faster
            return 0
        text = secrets.token_hex(16)
        mac = self._authenticator.row_mac(server_state.name, ID_NAME, text)
        value = f"{mac.hex()}|{text}".encode()
        runner.change(_insert_state, {"name": ID_NAME, "value": value})
        self.chains.database = text
        if runner.select(_any_chain, NO_VALUES)[0][0] is not None:
            raise AlteredRow(ID_SUBJECT, "it is gone")
        adopted, lease = 0, None
        progress = LoggedProgress("were recorded as they are")
        for page in _read_codes(runner):
            uids = [uid for uid, _ in page]
            draft = make_draft(SERVER, "Adopt", detail={"objects": len(page)}, changes=uids)
            noted = [([draft], {uid: (None, code) for uid, code in page})]
            lease, _ = self.chains.append(runner, lease, noted)
            adopted += len(page)
            progress.add(len(page))
        if lease is not None:
            self.chains.release(runner, [lease.session])
        return adopted

    async def append(self, drafts: Sequence[Draft]) -> None:
        """Write records that belong to no change; they are durable on return. Raises Unavailable."""
        await self._database.submit(partial(_note, drafts=drafts))

    async def make_checkpoint(
        self, sign: Callable[[Checkpoint], str], time: str, *, rollback: int | None = None
    ) -> str:
        """The line of the newest checkpoint. A new one is made if records were added since the one before.

        time: RFC 3339.
        rollback: the number of an anchor, if the database is accepted although it is older. Raises Unavailable.
        """
        job = partial(self._add_checkpoint, sign=sign, time=time, rollback=rollback)
        line: str = await self._backend.submit(job)
        return line

    def _add_checkpoint(
        self, runner: Runner, sign: Callable[[Checkpoint], str], time: str, rollback: int | None
    ) -> str:
        # In this order: a checkpoint never has older heads than the one before it.
        rows = runner.select(_newest_statement, NO_VALUES)
        heads = read_heads(runner.select(_heads_statement, NO_VALUES))
        number, previous = 0, None
        if rows:
            number, line = rows[0][0], stored_text(rows[0][1])
            former = _heads_of(line)
            if rollback is None and former == heads:
                return line
            self._compare_heads(runner, former or {}, heads)
            previous = hash_checkpoint(line)
        number = max(number, rollback or 0) + 1
        checkpoint = Checkpoint(
            number, self.chains.database, heads, previous, time, rollback=rollback
        )
        line = sign(checkpoint)
        runner.change(_insert_checkpoint, {"checkpoint": number, "line": line})
        return line

    def _compare_heads(
        self, runner: Runner, former: Mapping[int, ChainHead], heads: Mapping[int, ChainHead]
    ) -> None:
        """Report the chains that do not continue from the heads in the newest checkpoint: somebody cut them off."""
        for chain, mine in former.items():
            found = heads.get(chain, ChainHead(chain, 0, NOTHING))
            if found != mine and not _goes_on(runner, mine, found):
                self.chains.on_altered(mine, found)

    async def retire_chains(self, named: int) -> None:
        """End all chains as they are, and begin new ones with higher numbers.

        named: the highest chain that an anchor names.
        """

        await self._backend.submit(partial(_retire_chains, named=named))

    def record_restore(self, runner: Runner, restored: Restored) -> Sequence[Segment]:
        """Record in new chains that this database was filled with a backup, in the transaction that fills it.

        Returns what was added. Raises AlteredRow.
        """
        self._begin(runner)  # where a version without an audit made the backup
        value = runner.select(Statement(select_id), NO_VALUES)[0][0]
        self.chains.database = _parse_id(value, self._authenticator)
        _retire_chains(runner, restored.named)
        lease, segments = self.chains.append(runner, None, [([restored.draft], {})])
        self.chains.release(runner, [lease.session])
        return segments

    def announce(self, segments: Sequence[Segment]) -> None:
        self.chains.on_recorded(segments, True)


def _retire_chains(runner: Runner, named: int) -> None:
    highest = max(runner.select(_any_chain, NO_VALUES)[0][0] or 0, named)
    runner.change(_retire, {"session": "retired", "seen": RETIRED})
    row = {"chain": highest + 1, "session": None, "seen": 0, "seq": 0, "head": NOTHING}
    runner.change(_insert_chain, row)


_newest_statement = Statement(select_newest_checkpoint)
_heads_statement = Statement(select_heads)


def _goes_on(runner: Runner, mine: ChainHead, found: ChainHead) -> bool:
    """Whether the chain that ends with `found` contains the record `mine`."""
    if found.seq <= mine.seq:
        return False
    values = {"of_chain": mine.chain, "at": mine.seq}
    return any(
        last == mine.seq and hash_line(stored_bytes(lines).rpartition(b"\n")[2]) == mine.hash
        for last, lines in runner.select(_select_segment_at, values)
    )


def _note(runner: Runner, drafts: Sequence[Draft]) -> None:
    runner.note(drafts, {})


def _read_codes(runner: Runner) -> Iterator[Sequence[tuple[str, bytes]]]:
    after = 0
    while page := runner.select(_select_codes, {"after": after}):
        yield [(uid, code) for uid, code, _ in page]
        after = page[-1][2]


def _heads_of(line: str) -> dict[int, ChainHead] | None:
    """The heads in a checkpoint; none where the line is not one.

    Something else has written such a line, and the next checkpoint covers it.
    """
    try:
        return dict(read_checkpoint(parse_object(line.encode())).heads)
    except MalformedRecord:
        return None


def _parse_id(value: Any, authenticator: RowAuthenticator) -> str:
    code, text = split_id(value)
    authenticator.check_row(ID_SUBJECT, code, server_state.name, ID_NAME, text)
    return text
