"""AuditReader: reads the audit of a database while servers add to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, select, tuple_

from ....audit.chain import ChainHead, hash_line
from ....audit.checkpoint import Checkpoint, read_checkpoint
from ....audit.parsing import MalformedRecord, parse_object
from ....audit.rollback import AuditPosition
from ...interface.object_checks import StoredSegment
from ..backend import Backend
from ..constants import write_constant
from ..statements import prepare
from ..stored_values import stored_bytes, stored_text
from ..tables.row_macs import AlteredRow, RowAuthenticator
from ..tables.schema import audit_chains, audit_checkpoints, audit_segments, server_state
from .chains import read_heads
from .segments import HAS_NUMBERS, SEGMENT_ROW, parse_segment

#: The identifier of the database in `server_state`.
ID_NAME = "database_id"
ID_SUBJECT = "the identifier of the database"
_PAGE = 500
#: A number above every serial.
_LAST = (1 << 63) - 1
#: The user for whom long reads are done, since users take turns: the server itself.
_NOBODY = ""
#: Segments have up to 256 KiB each.
_SEGMENTS = 64

_C, _S, _P = audit_chains.c, audit_segments.c, audit_checkpoints.c
select_id = select(server_state.c.value).where(server_state.c.name == ID_NAME)
select_heads = select(_C.chain, _C.seq, _C.head).order_by(_C.chain)
select_newest_checkpoint = (
    select(_P.checkpoint, _P.line).order_by(_P.checkpoint.desc()).limit(write_constant(1))
)
_select_checkpoint = select(_P.line).where(_P.checkpoint == bindparam("number"))
_select_checkpoints = (
    select(_P.checkpoint, _P.line)
    .where(_P.checkpoint > bindparam("after"))
    .order_by(_P.checkpoint)
    .limit(write_constant(_PAGE))
)
#: As `checkpoint.sign_checkpoint` writes it. Nobody has accepted so many.
_select_rollbacks = (
    select(_P.line)
    .where(_P.checkpoint > bindparam("after"), _P.line.like('%"rollback":%'))
    .order_by(_P.checkpoint.desc())
    .limit(write_constant(_PAGE))
)
_select_ending = select(_S.lines).where(
    _S.chain == bindparam("of_chain"), _S.last == bindparam("at")
)
# As one comparison, so that each page begins where the one before it ended in the index.
_select_segments = (
    select(*SEGMENT_ROW)
    .where(
        tuple_(_S.chain, _S.first)
        > tuple_(
            bindparam("of_chain", type_=_S.chain.type), bindparam("after", type_=_S.first.type)
        ),
        HAS_NUMBERS,
    )
    .order_by(_S.chain, _S.first)
    .limit(write_constant(_SEGMENTS))
)
_select_newest_segments = (
    select(*SEGMENT_ROW, _S.serial)
    .where(_S.serial < bindparam("before"))
    .order_by(_S.serial.desc())
    .limit(write_constant(_SEGMENTS))
)


class AuditReader:
    """Reads the audit. Used from one event loop, once the store has its key. Every method raises Unavailable."""

    def __init__(self, backend: Backend, authenticator: RowAuthenticator) -> None:
        self._backend = backend
        self._authenticator = authenticator
        dialect = backend.dialect
        self._id = prepare(select_id, dialect)
        self._heads = prepare(select_heads, dialect)
        self._newest = prepare(select_newest_checkpoint, dialect)
        self._checkpoint = prepare(_select_checkpoint, dialect)
        self._checkpoints = prepare(_select_checkpoints, dialect)
        self._rollbacks = prepare(_select_rollbacks, dialect)
        self._ending = prepare(_select_ending, dialect)
        self._segments = prepare(_select_segments, dialect)
        self._newest_segments = prepare(_select_newest_segments, dialect)

    async def newest_checkpoint(self) -> str | None:
        """The line of the newest checkpoint."""
        rows = await self._backend.read(self._newest)
        return stored_text(rows[0][1]) if rows else None

    async def has_checkpoint(self, number: int, line: str) -> bool:
        """Whether the checkpoint of that number is this one."""
        rows = await self._backend.read(self._checkpoint, {"number": number})
        return bool(rows) and rows[0][0] == line

    async def read_rollbacks(self, after: int) -> Sequence[str]:
        """The lines of checkpoints behind that number which say that an older database was accepted, the newest ones."""
        rows = await self._backend.search(self._rollbacks, {"after": after}, principal=_NOBODY)
        return [stored_text(line) for (line,) in rows]

    async def position(self, anchor: Checkpoint) -> AuditPosition:
        """What the database has of the records and the checkpoint that the anchor names.

        Called before anything is recorded.
        """
        rows = await self._backend.read(self._id)
        database = split_id(rows[0][0])[1] if rows else None  # `open` checks its code
        newest, same = None, None
        if (newest_line := await self.newest_checkpoint()) is not None:
            newest = _read_checkpoint(newest_line)
            stored = await self._backend.read(self._checkpoint, {"number": anchor.number})
            same = stored[0][0] if stored else None
        hashes = {}
        for chain, seq, _ in anchor.heads.values():
            ending = await self._backend.read(self._ending, {"of_chain": chain, "at": seq})
            if ending:
                hashes[chain] = hash_line(stored_bytes(ending[0][0]).rpartition(b"\n")[2])
        return AuditPosition(database, newest, same, hashes)

    async def heads(self) -> dict[int, ChainHead]:
        """The heads of all chains that have a record."""
        rows = await self._backend.read(self._heads)
        return read_heads(rows)

    async def read_checkpoints(self, after: int) -> Sequence[tuple[int, str]]:
        """(number, line) of at most 500 checkpoints after that number."""
        rows = await self._backend.search(self._checkpoints, {"after": after}, principal=_NOBODY)
        return [(number, stored_text(line)) for number, line in rows]

    async def read_segments(self, chain: int, after: int) -> Sequence[StoredSegment]:
        """A page of the segments after record `after` of the chain, in the order of chains and records."""
        values = {"of_chain": chain, "after": after}
        rows = await self._backend.search(self._segments, values, principal=_NOBODY)
        return [parse_segment(row, self._authenticator) for row in rows]

    async def read_newest_segments(
        self, before: int | None = None
    ) -> tuple[int, Sequence[StoredSegment]]:
        """(where the next page begins, a page of the segments that were written last, the last one first)."""
        values = {"before": _LAST if before is None else before}
        rows = await self._backend.search(self._newest_segments, values, principal=_NOBODY)
        return (rows[-1][-1] if rows else 0), [
            parse_segment(row[:-1], self._authenticator) for row in rows
        ]


def _read_checkpoint(line: str) -> Checkpoint | None:
    """None if something else changed the line, so that it is no checkpoint."""
    try:
        return read_checkpoint(parse_object(line.encode("utf-8", "surrogatepass")))
    except MalformedRecord:
        return None


def split_id(value: Any) -> tuple[bytes, str]:
    """The MAC and the identifier in a value. Raises AlteredRow."""
    try:
        mac, text = bytes(value).decode("ascii").split("|", 1)
        return bytes.fromhex(mac), text
    except (TypeError, ValueError):
        raise AlteredRow(ID_SUBJECT) from None
