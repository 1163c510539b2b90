"""AuditLog: the audit of one database, but for the records that commits append to it themselves."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from sqlalchemy import and_, bindparam, func, insert, or_, select, update

from ...audit.chain import ChainHead, hash_line
from ...audit.checkpoint import Checkpoint, hash_checkpoint, read_checkpoint
from ...audit.record import SERVER, Draft, MalformedRecord, make_draft, parse_object
from ...audit.rollback import AuditPosition
from ..base import StoredSegment
from .audit_chains import RETIRED, AuditChains, segment_mac
from .backend import Backend
from .queries import any_object
from .row_macs import AlteredRow, RowAuthenticator
from .rows import MAC, ROW_TO_CHECK, UID, check_row
from .schema import audit_chains, audit_checkpoints, audit_segments, objects, server_state
from .search_filter import write_constant
from .statements import NO_VALUES, Prepared, Runner, Statement
from .watched import WatchedBackend

_NAME = "database_id"
_SUBJECT = "the identifier of the database"
_PAGE = 500
#: Whose turn a long read takes: the server's own.
_NOBODY = ""
#: Segments have up to 256 KiB each.
_SEGMENTS = 64

_C, _S, _P = audit_chains.c, audit_segments.c, audit_checkpoints.c
_select_id = select(server_state.c.value).where(server_state.c.name == _NAME)
_insert_state = Statement(insert(server_state), server_state.columns.keys())
_select_heads = select(_C.chain, _C.seq, _C.head).order_by(_C.chain)
_select_newest = (
    select(_P.checkpoint, _P.line).order_by(_P.checkpoint.desc()).limit(write_constant(1))
)
_select_checkpoint = select(_P.line).where(_P.checkpoint == bindparam("number"))
_select_checkpoints = (
    select(_P.checkpoint, _P.line)
    .where(_P.checkpoint > bindparam("after"))
    .order_by(_P.checkpoint)
    .limit(write_constant(_PAGE))
)
_insert_checkpoint = Statement(insert(audit_checkpoints), audit_checkpoints.columns.keys())
_segment_columns = (_S.chain, _S.first, _S.last, _S.lines, _S.mac)
_select_ending = select(_S.lines).where(
    _S.chain == bindparam("of_chain"), _S.last == bindparam("at")
)
_select_segments = (
    select(*_segment_columns)
    .where(
        or_(
            _S.chain > bindparam("of_chain"),
            and_(_S.chain == bindparam("of_chain"), _S.first > bindparam("after")),
        )
    )
    .order_by(_S.chain, _S.first)
    .limit(write_constant(_SEGMENTS))
)
_select_objects = (
    select(*ROW_TO_CHECK, objects.c.serial)
    .where(objects.c.serial > bindparam("after"))
    .order_by(objects.c.serial)
    .limit(write_constant(_PAGE))
)
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


class AuditLog:
    """Used from one event loop, once the store knows its key.

    changes: transactions with records of changes that this process had committed.
    """

    def __init__(
        self,
        backend: Backend,
        database: WatchedBackend,
        authenticator: RowAuthenticator,
        chains: AuditChains,
    ) -> None:
        self._backend = backend
        self._database = database
        self._authenticator = authenticator
        self.chains = chains
        self.changes = 0
        dialect = backend.dialect
        self._id = Prepared(_select_id, dialect)
        self._heads = Prepared(_select_heads, dialect)
        self._newest = Prepared(_select_newest, dialect)
        self._checkpoint = Prepared(_select_checkpoint, dialect)
        self._checkpoints = Prepared(_select_checkpoints, dialect)
        self._ending = Prepared(_select_ending, dialect)
        self._segments = Prepared(_select_segments, dialect)
        self._objects = Prepared(_select_objects, dialect)

    def on_altered(self, told: Callable[[ChainHead, ChainHead], None]) -> None:
        self.chains.on_altered = told

    async def open(self) -> int:
        """Know the database's identifier, which is made where there is none.

        Objects that an older version made are recorded as they are; returns their number. Raises AlteredRow.
        """
        adopted = 0
        rows = await self._backend.read(self._id)
        if not rows:
            adopted = await self._backend.run_exclusively(self._begin)
            rows = await self._backend.read(self._id)
        self.chains.database = _parse_id(rows[0][0], self._authenticator)
        return adopted

    def _begin(self, runner: Any) -> int:
        if runner.select(Statement(_select_id), NO_VALUES):  # another server was faster
            return 0
        text = secrets.token_hex(16)
        mac = self._authenticator.row_mac(server_state.name, _NAME, text)
        value = f"{mac.hex()}|{text}".encode()
        runner.change(_insert_state, {"name": _NAME, "value": value})
        self.chains.database = text
        if runner.select(_any_chain, NO_VALUES)[0][0] is not None:
            raise AlteredRow(_SUBJECT, "it is gone")
        adopted, lease = 0, None
        for page in _read_codes(runner):
            uids = [uid for uid, _ in page]
            draft = make_draft(SERVER, "Adopt", detail={"objects": len(page)}, changes=uids)
            noted = [([draft], {uid: (None, code) for uid, code in page})]
            lease = self.chains.append(runner, lease, noted)
            adopted += len(page)
        if lease is not None:
            self.chains.release(runner, [lease.session])
        return adopted

    async def append(self, drafts: Sequence[Draft]) -> None:
        """Record what changed no object; durable on return. Raises Unavailable."""
        await self._database.submit(partial(_note, drafts=drafts))

    async def make_checkpoint(
        self, sign: Callable[[Checkpoint], str], time: str, *, rollback: int | None = None
    ) -> str:
        """The line of the newest checkpoint, which is made where records were added since the one before.

        time: RFC 3339. rollback: the number of an anchor that this database is accepted in spite of. Raises
        Unavailable.
        """
        job = partial(self._add_checkpoint, sign=sign, time=time, rollback=rollback)
        line: str = await self._backend.submit(job)
        return line

    def _add_checkpoint(
        self, runner: Runner, sign: Callable[[Checkpoint], str], time: str, rollback: int | None
    ) -> str:
        # In this order: a checkpoint never has older heads than the one before it.
        rows = runner.select(_newest_statement, NO_VALUES)
        heads = {
            row[0]: ChainHead(*row) for row in runner.select(_heads_statement, NO_VALUES) if row[1]
        }
        number, previous = 0, None
        if rows:
            number, line = rows[0]
            if rollback is None and _heads_of(line) == heads:
                return str(line)
            previous = hash_checkpoint(line)
        number = max(number, rollback or 0) + 1
        checkpoint = Checkpoint(
            number, self.chains.database, heads, previous, time, rollback=rollback
        )
        line = sign(checkpoint)
        runner.change(_insert_checkpoint, {"checkpoint": number, "line": line})
        return line

    async def retire_chains(self, named: int) -> None:
        """Leave all chains as they are, and begin beyond them. named: the highest chain that an anchor names."""

        def retire(runner: Runner) -> None:
            highest = max(runner.select(_any_chain, NO_VALUES)[0][0] or 0, named)
            runner.change(_retire, {"session": "retired", "seen": RETIRED})
            row = {"chain": highest + 1, "session": None, "seen": 0, "seq": 0, "head": "0" * 64}
            runner.change(_insert_chain, row)

        await self._backend.submit(retire)

    # --- reading --------------------------------------------------------------------------------

    async def newest_checkpoint(self) -> str | None:
        """Its line."""
        rows = await self._backend.read(self._newest)
        return rows[0][1] if rows else None

    async def position(self, anchor: Checkpoint) -> AuditPosition:
        """What the database has of what the anchor names. Called before anything is recorded."""
        rows = await self._backend.read(self._id)
        database = _split_id(rows[0][0])[1] if rows else None  # `open` checks its code
        newest, same = None, None
        if newest_line := await self.newest_checkpoint():
            newest = read_checkpoint(parse_object(newest_line.encode()))
            found = await self._backend.read(self._checkpoint, {"number": anchor.number})
            same = found[0][0] if found else None
        hashes = {}
        for chain, seq, _ in anchor.heads.values():
            ending = await self._backend.read(self._ending, {"of_chain": chain, "at": seq})
            if ending:
                hashes[chain] = hash_line(bytes(ending[0][0]).rpartition(b"\n")[2])
        return AuditPosition(database, newest, same, hashes)

    async def heads(self) -> dict[int, ChainHead]:
        """Of every chain that has a record."""
        rows = await self._backend.read(self._heads)
        return {row[0]: ChainHead(*row) for row in rows if row[1]}

    async def read_checkpoints(self, after: int) -> Sequence[tuple[int, str]]:
        """(number, line) of those behind that number, 500 at most."""
        rows = await self._backend.search(self._checkpoints, {"after": after}, principal=_NOBODY)
        return [(number, line) for number, line in rows]

    async def read_segments(self, chain: int, after: int) -> Sequence[StoredSegment]:
        """The segments behind record `after` of the chain, in the order of chains and records, a page of them."""
        rows = await self._backend.search(
            self._segments, {"of_chain": chain, "after": after}, principal=_NOBODY
        )
        segments = []
        for number, first, last, lines, mac in rows:
            split = tuple(bytes(lines).split(b"\n"))
            code = segment_mac(self._authenticator, number, first, last, hash_line(split[-1]))
            segments.append(StoredSegment(number, first, last, split, code == bytes(mac)))
        return segments

    async def read_objects(self, after: int) -> tuple[int, Sequence[tuple[str, bytes, str | None]]]:
        """(serial of the last one, (identifier, code, why its row is not ours) of a page of objects)."""
        rows = await self._backend.search(self._objects, {"after": after}, principal=_NOBODY)
        found = [(row[UID], row[MAC] or b"", self._find_fault(row[:-1])) for row in rows]
        return (rows[-1][-1] if rows else after), found

    def _find_fault(self, row: Sequence[Any]) -> str | None:
        try:
            check_row(row, self._authenticator)
        except AlteredRow as exc:
            return exc.detail
        except (ValueError, TypeError, LookupError):
            return "it cannot be read"
        return None


_newest_statement = Statement(_select_newest)
_heads_statement = Statement(_select_heads)


def _note(runner: Runner, drafts: Sequence[Draft]) -> None:
    runner.note(drafts, {})


def _read_codes(runner: Runner) -> Iterator[Sequence[tuple[str, bytes]]]:
    after = 0
    while page := runner.select(_select_codes, {"after": after}):
        yield [(uid, code) for uid, code, _ in page]
        after = page[-1][2]


def _heads_of(line: str) -> dict[int, ChainHead] | None:
    """None of a line that is no checkpoint: something else wrote it, and the next one covers more."""
    try:
        return dict(read_checkpoint(parse_object(line.encode())).heads)
    except MalformedRecord:
        return None


def _split_id(value: Any) -> tuple[bytes, str]:
    """Code and identifier. Raises AlteredRow."""
    try:
        mac, text = bytes(value).decode("ascii").split("|", 1)
        return bytes.fromhex(mac), text
    except (TypeError, ValueError):
        raise AlteredRow(_SUBJECT) from None


def _parse_id(value: Any, authenticator: RowAuthenticator) -> str:
    code, text = _split_id(value)
    authenticator.check_row(_SUBJECT, code, server_state.name, _NAME, text)
    return text
