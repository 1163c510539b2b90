"""The chains of the audit in a database: which of them this process has, and how it appends to them.

A process *leases* a chain: it writes a session identifier of its own into the chain's row. Every transaction that
records moves the head from where this process left it, and does nothing if session or head is another one
(`ChainTaken`). So it is harmless to take a chain from a process that only seemed to be gone, and a chain never forks.
If it is not known whether a lease's transaction was committed, the lease is given up; the next one has another session
and reads the head that the database has.
"""

from __future__ import annotations

import itertools
import logging
import os
import secrets
import socket
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import bindparam, func, insert, select, update

from .... import __version__
from ....audit.chain import NOTHING, ChainHead, Recorded, Segment, extend, hash_line
from ....audit.record import SERVER, Draft, make_draft
from ...interface.faults import make_unavailable
from ..constants import write_constant
from ..statements import NO_VALUES, Noted, Rows, Runner, Statement, States, Values
from ..stored_values import stored_bytes, stored_text
from ..tables.row_macs import RowAuthenticator
from ..tables.schema import audit_chains, audit_segments

_log = logging.getLogger(__name__)

#: Seconds without a record after which another process may have a chain.
_STALE_S = 60

#: Instead of when a chain was used: nobody goes on with it. Beyond any clock.
RETIRED = 1 << 62

#: How many bytes of an object's code a record tells.
CODE_BYTES = 16

_CHAINS = audit_chains.c
SEGMENT_COLUMNS = tuple(
    column.name for column in audit_segments.c if column is not audit_segments.c.serial
)
_select_chains = Statement(select(_CHAINS.chain, _CHAINS.session, _CHAINS.seen))
_select_head = Statement(
    select(_CHAINS.session, _CHAINS.seq, _CHAINS.head).where(_CHAINS.chain == bindparam("of_chain"))
)
#: In SQLite, a text or bytes that something else left there are more than any number.
_select_highest = Statement(
    select(func.max(audit_segments.c.chain)).where(
        audit_segments.c.chain <= write_constant((1 << 63) - 1)
    )
)
_select_last = Statement(
    select(audit_segments.c.last, audit_segments.c.lines)
    .where(audit_segments.c.chain == bindparam("of_chain"))
    .order_by(audit_segments.c.first.desc())
    .limit(write_constant(1))
)
_lock_chain = Statement(
    select(_CHAINS.chain).where(_CHAINS.chain == bindparam("of_chain")).with_for_update()
)
_select_code = Statement(
    select(audit_segments.c.mac).where(
        audit_segments.c.chain == bindparam("of_chain"),
        audit_segments.c.first == bindparam("of_first"),
    )
)
_lease = Statement(
    update(audit_chains).where(
        _CHAINS.chain == bindparam("of_chain"),
        _CHAINS.session.is_not_distinct_from(bindparam("of_session")),
    ),
    ("session", "seen"),
)
_insert_chain = Statement(insert(audit_chains), audit_chains.columns.keys())
_release = Statement(
    update(audit_chains).where(_CHAINS.session == bindparam("of_session")), ("session",)
)
_move = Statement(
    update(audit_chains).where(
        _CHAINS.chain == bindparam("of_chain"),
        _CHAINS.session == bindparam("of_session"),
        _CHAINS.seq == bindparam("of_seq"),
        _CHAINS.head == bindparam("of_head"),
    ),
    ("seen", "seq", "head"),
)
_insert_segment = Statement(insert(audit_segments), SEGMENT_COLUMNS)


class ChainTaken(Exception):  # an expected outcome, not a fault
    """Another process has the chain, or something else moved its head.

    Nothing was done; another chain has to be taken.
    """

    lease: Lease | None = None


#: (first record, code) of a segment.
StoredCode = tuple[int, bytes]


class Lease(NamedTuple):
    """A chain that this process has. session: the session of this lease alone."""

    session: str
    head: ChainHead


class AuditChains:
    """What a process needs to append to the chains of one database. For any thread, as it changes nothing.

    database: its identifier, for the first record of a chain.
    on_altered: called if a chain of this process was changed by something else, with the head that it left and the head
    that was found.
    on_recorded: called with what a transaction added, and whether it is known to be committed.
    """

    def __init__(
        self, authenticator: RowAuthenticator, clock: Callable[[], float] = time.time
    ) -> None:
        self._authenticator = authenticator
        self._clock = clock
        self._process = f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(8)}/"
        self.database = ""
        self.on_altered: Callable[[ChainHead, ChainHead], None] = lambda mine, found: None
        self.on_recorded: Callable[[Sequence[Segment], bool], None] = lambda segments, known: None

    def claim(self, runner: Runner, held: Collection[str] = ()) -> Lease:
        """Lease a chain, in the runner's transaction. held: the sessions of the leases that this process has."""
        now, session = int(self._clock()), self._process + secrets.token_hex(4)
        chains = runner.select(_select_chains, NO_VALUES)
        for chain, former, seen in sorted(chains, key=lambda row: row[0]):
            if former is None or self._is_free(stored_text(former), seen, now, held):
                values = {"of_chain": chain, "of_session": former, "session": session, "seen": now}
                if not runner.change_counted(_lease, values):
                    continue
                ((_, seq, text),) = runner.select(_select_head, {"of_chain": chain})
                head, end = read_head(chain, seq, text), _find_end(runner, chain)
                if head == end:
                    return Lease(session, head)
                self._set_aside(runner, session, end, head)
        ((highest,),) = runner.select(_select_highest, NO_VALUES)  # its row may be gone
        head = ChainHead(max(highest or 0, *(row[0] for row in chains), 0) + 1, 0, NOTHING)
        row = {"chain": head.chain, "session": session, "seen": now, "seq": 0, "head": NOTHING}
        runner.change(_insert_chain, row)
        return Lease(session, head)

    def _is_free(self, session: str, seen: object, now: int, held: Collection[str]) -> bool:
        """Whether a chain seems to be free. This is a guess, which may be wrong."""
        if not isinstance(seen, int) or seen < now - _STALE_S:
            return True
        if session.startswith(self._process):
            return session not in held
        host, _, rest = session.partition("/")
        pid = rest.partition("/")[0]
        mine = self._process.partition("/")[0]
        return host == mine and pid.isdecimal() and not _is_running(int(pid))

    def release(self, runner: Runner, sessions: Iterable[str]) -> None:
        """Let other processes have the chains immediately."""
        for session in sessions:
            runner.change(_release, {"of_session": session, "session": None})

    def append(
        self, runner: Runner, lease: Lease | None, noted: Noted
    ) -> tuple[Lease, Sequence[Segment]]:
        """Record what was noted, as the last act of a transaction that no other one can disturb.

        Returns the lease as it is once the transaction is committed, and what was added.
        """
        for _ in range(2):
            lease = lease or self.claim(runner)
            segments = self.extend(lease, noted)
            if runner.change_counted(_move, self.move_values(lease, segments[-1].head)):
                runner.change_all(_insert_segment, [*map(self.make_row, segments)])
                return Lease(lease.session, segments[-1].head), segments
            self.look(runner, lease)
            lease = None
        raise make_unavailable("the audit's chain cannot be continued", "audit")

    def extend(self, lease: Lease, noted: Noted) -> Sequence[Segment]:
        """The segments that record the drafts, following the lease's head."""
        recorded = itertools.chain.from_iterable(itertools.starmap(_tell_states, noted))
        if lease.head.seq == 0:
            recorded = itertools.chain([self._begin_chain()], recorded)
        return [*extend(lease.head, recorded)]

    def look(self, runner: Runner, lease: Lease) -> None:
        """Find out why the head was not where it should be: because of another process, or of something else.

        In the latter case it is reported, and nobody appends to the chain again.
        """
        rows = runner.select(_select_head, {"of_chain": lease.head.chain})
        session, *found = rows[0] if rows else (lease.session, 0, NOTHING)
        if session == lease.session:
            self._set_aside(runner, session, lease.head, read_head(lease.head.chain, *found))

    def _set_aside(
        self, runner: Runner, session: str, expected: ChainHead, found: ChainHead
    ) -> None:
        """Leave the chain of the session as it is for ever, and tell."""
        aside = {"of_chain": found.chain, "of_session": session}
        runner.change(_lease, {**aside, "session": "altered", "seen": RETIRED})
        self.on_altered(expected, found)

    def settle(self, runner: Runner, lease: Lease, first: StoredCode) -> bool | None:
        """Whether a transaction was committed whose connection was lost at COMMIT. If it was not, it can no longer be.

        lease: the lease with which it began.
        first: (record, MAC) of the first segment that it would have added.
        None where it is not known, because the transaction was to begin the chain.
        """
        # Waits for that transaction, if it has come as far as this row. If not, it finds another session.
        chain = {"of_chain": lease.head.chain}
        if not runner.select(_lock_chain, chain):
            return None
        self.release(runner, [lease.session])
        number, code = first
        rows = runner.select(_select_code, {**chain, "of_first": number})
        return bool(rows) and bytes(rows[0][0]) == code

    def move_values(self, lease: Lease, head: ChainHead) -> Values:
        chain, seq, text = lease.head
        return {
            "of_chain": chain, "of_session": lease.session, "of_seq": seq, "of_head": text,
            "seen": int(self._clock()), "seq": head.seq, "head": head.hash,
        }  # fmt: skip

    def make_row(self, segment: Segment) -> dict[str, Any]:
        """{column: value}"""
        first, last = segment.first, segment.head.seq
        return {
            "chain": segment.chain, "first": first, "last": last,
            "since": segment.since_ms, "until": segment.until_ms,
            "lines": segment.lines,
            "mac": segment_mac(self._authenticator, segment.chain, first, last, segment.head.hash),
        }  # fmt: skip

    def _begin_chain(self) -> Recorded:
        detail = {"database": self.database, "version": __version__}
        return make_draft(SERVER, "ChainBegin", detail=detail), ()


def read_head(chain: int, seq: object, text: object) -> ChainHead:
    """The head of a chain, as its row has it. If something else left no number there, it is of an empty chain."""
    if isinstance(seq, int) and seq > 0:
        return ChainHead(chain, seq, str(text))
    return ChainHead(chain, 0, NOTHING)


def read_heads(rows: Rows) -> dict[int, ChainHead]:
    """{chain: head} of the chains that have a record. rows: chain, number and hash of its last record."""
    heads = (read_head(*row) for row in rows)
    return {head.chain: head for head in heads if head.seq}


def _find_end(runner: Runner, chain: int) -> ChainHead:
    """The last record of a chain, which its head should name."""
    rows = runner.select(_select_last, {"of_chain": chain})
    if not rows:
        return ChainHead(chain, 0, NOTHING)
    last, lines = rows[0]
    return read_head(chain, last, hash_line(stored_bytes(lines).rpartition(b"\n")[2]))


def segment_mac(
    authenticator: RowAuthenticator, chain: int, first: int, last: int, head: str
) -> bytes:
    return authenticator.row_mac(audit_segments.name, chain, first, last, head)


def _tell_states(drafts: Sequence[Draft], states: States) -> Iterable[Recorded]:
    """The drafts of one commit with the codes of its objects. The last draft that names an object has its codes."""
    if not states:  # thousands of uses, say
        return zip(drafts, itertools.repeat(()))
    rest = dict(states)
    recorded: list[Recorded] = []
    for number, draft in enumerate(reversed(drafts), 1):
        uids = draft.uids if number < len(drafts) else rest.keys() if draft.uids else ()
        told = {uid: rest[uid] for uid in uids if uid in rest}
        for uid in told:
            del rest[uid]
        objects = [(uid, _tell(was), _tell(code)) for uid, (was, code) in sorted(told.items())]
        recorded.append((draft, [one for one in objects if one[1] != one[2]]))
    return recorded[::-1]


def _tell(code: bytes | None) -> str | None:
    return None if code is None else code[:CODE_BYTES].hex()


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
