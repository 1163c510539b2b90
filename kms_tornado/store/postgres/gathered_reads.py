"""GatheredReads: reads of objects by identifier, those that follow close upon one another by one statement.

A statement costs the driver about as much as all else that a Get does, and the requests of a turn of the event loop read
their objects right behind one another. The first read waits until a turn has brought no other, and then asks for all of
them: a read alone waits for the end of its own turn, and no longer. Each is as fresh as one by itself: the statement is
sent after all of them have begun.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from sqlalchemy import ARRAY, Text, any_, bindparam, cast, func, select

from ...errors import Unavailable
from ..sql.statements import Prepared, Rows, Values
from ..sql.tables.rows import OBJECT_ROW, UID
from ..sql.tables.schema import objects
from .arrays import write_array
from .dialect import POSTGRESQL

#: The most objects of one statement.
MOST_GATHERED = 16

#: Bytes of an object that is read together with others: the driver makes values of all rows in one go.
_SHORT = 16 * 1024

#: Characters of an identifier that is read together with others. Those that the server makes have 36.
_LONGEST = 64

_length = sum(
    (func.octet_length(column) for column in (objects.c.attributes, objects.c.grants)),
    func.octet_length(objects.c.sealed),
)
SHORT_BY_UIDS = Prepared(
    select(*OBJECT_ROW).where(
        objects.c.uid == any_(cast(bindparam("uids"), ARRAY(Text))), _length <= _SHORT
    ),
    POSTGRESQL,
)

#: Runs a statement. Raises Unavailable.
Fetch = Callable[[Prepared, Values], Awaitable[Rows]]


class GatheredReads:
    """For one event loop."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        #: The others for which the first read will ask, too; None where no read waits for others.
        self._others: list[_Other] | None = None

    async def fetch_rows(self, by_uid: Prepared, values: Values) -> Rows:
        """The rows of the statement, which selects OBJECT_ROW by the identifier ``uid``. Raises Unavailable."""
        uid: str = values["uid"]
        rows: Rows | None = None
        if _may_be_gathered(uid):
            others = self._others
            if others is None or len(others) + 1 >= MOST_GATHERED:
                rows = await self._fetch_for_all(uid)
            else:
                other = _Other(uid, asyncio.get_running_loop().create_future())
                others.append(other)
                rows = await other.rows
        return await self._fetch(by_uid, values) if rows is None else rows

    async def _fetch_for_all(self, uid: str) -> Rows | None:
        """As the first read: the rows, if there were others and it is short."""
        self._others = others = list[_Other]()
        found: Mapping[str, Rows] | Unavailable = {}
        try:
            await self._gather(others)
            if not others:
                return None
            uids = {uid, *(other.uid for other in others)}
            rows = await self._fetch(SHORT_BY_UIDS, {"uids": write_array([*uids])})
            found = {row[UID]: (row,) for row in rows}
            return found.get(uid)
        except Unavailable as exc:
            found = exc
            raise
        finally:
            for other in others:
                other.accept(found)

    async def _gather(self, others: list[_Other]) -> None:
        """Wait for others, until a turn brings none or they are as many as there may be."""
        try:
            seen = -1
            while seen < len(others) < MOST_GATHERED - 1:
                seen = len(others)
                await asyncio.sleep(0)
        finally:
            if self._others is others:  # else another read has begun to gather
                self._others = None


class _Other(NamedTuple):
    """A read that is not the first.

    rows: what it waits for; None has it read by itself: there is no such object, or it is long, or the first read was cancelled.
    """

    uid: str
    rows: asyncio.Future[Rows | None]

    def accept(self, found: Mapping[str, Rows] | Unavailable) -> None:
        if self.rows.done():  # its request was cancelled
            return
        if isinstance(found, Unavailable):
            self.rows.set_exception(found)
        else:
            self.rows.set_result(found.get(self.uid))


def _may_be_gathered(uid: str) -> bool:
    """Whether the identifier is read together with others: one that cannot be sent would fail their reads, too."""
    return len(uid) <= _LONGEST and uid.isascii() and uid.isprintable()
