"""The audit's chains of one process on PostgreSQL: one for each of its transactions that run at the same time.

The chain that was used last is used next, so that a server with little to do uses only one. The command that moves a
chain's head is sent together with COMMIT, so that it costs no round trip.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import insert

from ...audit.chain import Segment
from ...errors import Unavailable
from ..sql.audit.chains import SEGMENT_COLUMNS, AuditChains, ChainTaken, Lease, StoredCode
from ..sql.statements import Noted, Prepared, Runner
from ..sql.tables.schema import audit_segments
from .dialect import POSTGRESQL
from .exchange import Command
from .transaction import ConnectionLost


def _type_of(name: str) -> str:
    return str(audit_segments.c[name].type.compile(dialect=POSTGRESQL))


#: Moves the head, and adds the first segment, in one statement, as each costs as much as what it does. Fails where the
#: head is not where this process left it.
APPEND = (
    "WITH moved AS (UPDATE audit_chains SET seen = %t::bigint, seq = %t::bigint, head = %t::text"  # noqa: S608
    " WHERE chain = %t::bigint AND session = %t::text AND seq = %t::bigint AND head = %t::text"
    f" RETURNING 1), added AS (INSERT INTO audit_segments ({', '.join(SEGMENT_COLUMNS)})"
    f" SELECT {', '.join(f'%s::{_type_of(name)}' for name in SEGMENT_COLUMNS)} FROM moved)"
    " SELECT 1 / count(*)::int FROM moved"
)
_MOVE_VALUES = ("seen", "seq", "head", "of_chain", "of_session", "of_seq", "of_head")
_insert_segment = Prepared(insert(audit_segments), POSTGRESQL, SEGMENT_COLUMNS)


class ChainInUse:
    """The chain of one transaction. lease: None until a chain is claimed, within the transaction or before it."""

    def __init__(self, chains: AuditChains, leases: ChainLeases, lease: Lease | None) -> None:
        self._chains = chains
        self._leases = leases
        self.lease = lease
        #: Whether the lease is of this transaction, and gone where that is rolled back.
        self.is_new = False
        self._moved: Lease | None = None
        #: What the transaction adds, once it was rendered, until it is committed.
        self._added: Sequence[Segment] = ()
        #: The first segment that it adds; None until one was rendered. result: of the job, before its COMMIT was sent.
        self._first: StoredCode | None = None
        self.result: Any = None

    def claim(self, runner: Runner) -> None:
        """Claim a chain in the runner's transaction. It counts only once that is committed."""
        self.lease, self.is_new = self._leases.claim(runner), True

    def make_commands(self, noted: Noted) -> list[Command]:
        """The commands that record `noted`, to be sent right before COMMIT. Called with a lease."""
        assert self.lease is not None, "a chain is claimed first"
        segments = self._chains.extend(self.lease, noted)
        head = segments[-1].head
        values = self._chains.move_values(self.lease, head)
        self._moved, self._added = Lease(self.lease.session, head), segments
        rows = [self._chains.make_row(segment) for segment in segments]
        self._first = rows[0]["first"], rows[0]["mac"]
        appended = [values[name] for name in _MOVE_VALUES] + [
            rows[0][name] for name in SEGMENT_COLUMNS
        ]
        # In this order: a segment of the same number would be taken for an object's identifier.
        return [
            (APPEND, appended),
            *((_insert_segment.text, _insert_segment.values(row)) for row in rows[1:]),
        ]

    def settle(self, runner: Runner) -> bool | None:
        """As `AuditChains.settle`, in the runner's transaction; None also where nothing was to be recorded."""
        if self.lease is None or self._first is None:
            return None
        return self._chains.settle(runner, self.lease, self._first)

    def note_committed(self) -> None:
        """Note that the transaction was committed."""
        self.lease = self._moved or self.lease
        self._tell(True)

    def note_doubted(self) -> None:
        """Note that nobody knows whether the transaction was committed."""
        self._tell(False)

    def _tell(self, is_certain: bool) -> None:
        added, self._added = self._added, ()
        if added:
            self._chains.on_recorded(added, is_certain)


class ChainLeases:
    """The chains that one process has leased. For one event loop."""

    def __init__(self, chains: AuditChains) -> None:
        self._chains = chains
        self._idle: list[Lease] = []
        #: The sessions of all leases, but those that were given up.
        self._held: set[str] = set()

    @contextmanager
    def use(self) -> Iterator[ChainInUse]:
        """A chain for the transaction in the block.

        If nobody knows whether that was committed, the chain is given up.
        """
        chain = ChainInUse(self._chains, self, self._idle.pop() if self._idle else None)
        try:
            yield chain
        except ChainTaken as exc:
            exc.lease = chain.lease
            self._give_up(chain.lease)
            raise
        except (ConnectionLost, Unavailable):
            self._give_up(chain.lease)
            chain.note_doubted()
            raise
        except Exception:  # rolled back
            if chain.is_new:
                self._give_up(chain.lease)
            else:
                self._give_back(chain.lease)
            raise
        except BaseException:  # cancelled
            self._give_up(chain.lease)
            chain.note_doubted()
            raise
        self._give_back(chain.lease)

    def claim(self, runner: Runner) -> Lease:
        lease = self._chains.claim(runner, self._held)
        self._held.add(lease.session)
        return lease

    def look(self, runner: Runner, lease: Lease) -> None:
        """As `AuditChains.look`."""
        self._chains.look(runner, lease)

    def keep(self, lease: Lease) -> None:
        """Keep a lease that was claimed in a transaction of its own, which is committed."""
        self._idle.append(lease)

    @property
    def has_idle(self) -> bool:
        return bool(self._idle)

    def release(self, runner: Runner) -> None:
        """At the end, let other processes have the chains immediately."""
        self._chains.release(runner, self._held)

    def _give_back(self, lease: Lease | None) -> None:
        if lease is not None:
            self._idle.append(lease)

    def _give_up(self, lease: Lease | None) -> None:
        if lease is not None:
            self._held.discard(lease.session)


#: Records whose rendering takes a millisecond or so.
_FEW = 100


def is_long(noted: Noted) -> bool:
    """Whether rendering the records would hold the event loop for more than about a millisecond."""
    return sum(len(drafts) for drafts, _ in noted) > _FEW
