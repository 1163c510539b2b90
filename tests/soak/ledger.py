"""All that was acknowledged, what is still open, and the contradictions."""

from __future__ import annotations

import asyncio
import heapq
import random
import time
from collections import Counter

from .model import ACTIVE, DESTROYED, Contradiction, Record

#: Enough to see what is wrong; the run ends there.
MOST_CONTRADICTIONS = 50
# Of the objects of one owner, those that most requests are for.
_RECENT = 300


class Ledger:
    """records: {identifier: Record}. unanswered: {tag: (owner, identifier or None, material or None)}, of
    objects that may have been made."""

    def __init__(self, users: list[str]) -> None:
        self.users = users
        self.records: dict[str, Record] = {}
        self.unanswered: dict[str, tuple[str, str | None, bytes | None]] = {}
        self.counts: Counter[str] = Counter()
        self.contradictions: list[str] = []
        self._of_owner: dict[str, list[Record]] = {user: [] for user in users}
        self._open: list[Record] = []
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []
        self._number = 0

    def count_request(self) -> None:
        self.counts["requests"] += 1
        while self._waiting and self._waiting[0][0] <= self.counts["requests"]:
            heapq.heappop(self._waiting)[2].set_result(None)

    async def until_requests(self, number: float) -> None:
        """Until so many were sent, and answered or not."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (number, self.next_number(), done))
        await done

    def next_number(self) -> int:
        self._number += 1
        return self._number

    def add(self, record: Record) -> None:
        """Raises Contradiction where the identifier was given out before."""
        if record.uid in self.records:
            raise Contradiction(f"the identifier {record.uid} was given out twice")
        self.records[record.uid] = record
        self._of_owner[record.owner].append(record)

    def some_record(self, owner: str, *, alive: bool = True) -> Record | None:
        """Mostly a young one; where it has to be alive, one that was not acknowledged as destroyed."""
        records = self._of_owner[owner]
        young = records[-_RECENT:]
        for _ in range(4 if records else 0):
            record = random.choice(young if random.random() < 0.8 else records)
            if not alive or record.state.confirmed != DESTROYED:
                return record
        return None

    def writable_record(self, owner: str, *, state: str = ACTIVE) -> Record | None:
        """One that nobody writes, and of which nothing is open; busy from now on."""
        for _ in range(6):
            record = self.some_record(owner)
            if (
                record
                and not record.is_busy
                and record.is_settled
                and record.state.confirmed == state
            ):
                record.is_busy = True
                return record
        return None

    def leave_open(self, *records: Record) -> None:
        """Writes of these were not answered."""
        self._open += records

    def due_record(self) -> Record | None:
        """One whose open write a reading would settle now; busy from now on."""
        now = time.monotonic()
        for record in self._open[:20]:
            if not record.is_busy and any(r.is_due(now) for r in record.registers()):
                record.is_busy = True
                return record
        self._open = [record for record in self._open if not record.is_settled or record.is_busy]
        return None

    def open_records(self) -> list[Record]:
        return [record for record in self._open if not record.is_settled]

    def contradict(self, what: str, record: Record | None = None) -> None:
        behind = f"; before: {'; '.join(record.events)}" if record else ""
        whom = f" {record.uid} of {record.owner}" if record else ""
        self.counts["contradictions"] += 1
        if len(self.contradictions) < MOST_CONTRADICTIONS:
            self.contradictions.append(f"{what}{whom}{behind}")
            print(f"CONTRADICTION {self.contradictions[-1]}", flush=True)

    @property
    def is_hopeless(self) -> bool:
        """Whether there is no need to go on."""
        return len(self.contradictions) >= MOST_CONTRADICTIONS
