"""SQLUsedProofs: which DPoP proofs were used, in a table that all servers of a database share."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from sqlalchemy import bindparam, delete, func, select, update

from ...interface.faults import make_fault
from ..backend import Backend
from ..statements import NO_VALUES, InsertIfAbsent, Runner, Statement, prepare
from ..watched import WatchedBackend
from .schema import used_proofs

#: Rows that are deleted in one transaction, which takes some 20 ms: each stands on a page of its own.
PAGE = 500

#: Proofs that are added in one job.
MOST_TOGETHER = 100

#: The key of the row with the latest end of the deleted proofs. No digest is empty.
_FORGOTTEN = b""

_P = used_proofs.c
_insert = Statement(InsertIfAbsent(used_proofs), used_proofs.columns.keys())
_select_forgotten = Statement(select(_P.until).where(_P.proof == _FORGOTTEN))
_is_over = (_P.proof != _FORGOTTEN) & (_P.until < bindparam("before"))
_select_end = Statement(
    select(_P.until).where(_is_over).order_by(_P.until).limit(1).offset(PAGE - 1)
)
_select_latest = Statement(select(func.max(_P.until)).where(_is_over))
_raise_forgotten = Statement(
    update(used_proofs).where(_P.proof == _FORGOTTEN, _P.until < bindparam("latest")), ("until",)
)
_delete = Statement(
    delete(used_proofs).where(_P.proof != _FORGOTTEN, _P.until <= bindparam("latest"))
)
_count = select(func.count()).select_from(used_proofs)


class _Proof(NamedTuple):
    digest: bytes
    until: int
    was_added: asyncio.Future[bool]


class SQLUsedProofs:
    """The `UsedProofs` of one database.

    Proofs that arrive while others are written wait for the next job, and each job adds them in the order of their
    digests. So two servers that receive the same proofs in another order never wait for each other's rows.
    """

    def __init__(self, backend: Backend, database: WatchedBackend) -> None:
        self._database = database
        self._count = prepare(_count, backend.dialect)
        self._waiting: list[_Proof] = []
        self._writing: asyncio.Task[None] | None = None

    async def use(self, digest: bytes, until: int) -> bool:
        proof = _Proof(digest, until, asyncio.get_running_loop().create_future())
        self._waiting.append(proof)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write(), name="kms-used-proofs-writer")
        return await proof.was_added

    async def _write(self) -> None:
        while self._waiting:
            proofs, self._waiting = self._waiting[:MOST_TOGETHER], self._waiting[MOST_TOGETHER:]
            proofs.sort(key=lambda proof: proof.digest)
            try:
                added = await self._database.submit(partial(_use, proofs=proofs))
            except Exception as exc:  # the edge of the task: its callers wait
                _fail(proofs, exc)
                continue
            except asyncio.CancelledError:  # the loop ends
                _fail([*proofs, *self._waiting], make_fault())
                raise
            for proof, was_added in zip(proofs, added, strict=True):
                if not proof.was_added.done():  # its request may be gone
                    proof.was_added.set_result(was_added)

    async def forget(self, before: int) -> int:
        forgotten: int = await self._database.submit(partial(_forget, before=before))
        return forgotten

    async def count(self) -> int:
        rows = await self._database.search(self._count, NO_VALUES, principal="")
        return int(rows[0][0])


def _fail(proofs: Sequence[_Proof], error: Exception) -> None:
    for proof in proofs:
        if not proof.was_added.done():
            proof.was_added.set_exception(error)


def _use(runner: Runner, proofs: Sequence[_Proof]) -> Sequence[bool]:
    """Add the proofs, and then look until when proofs were forgotten; whether each of them is good.

    The order matters. If another transaction deletes a row, adding waits for it, and what is read next contains what it
    wrote. So whatever the clocks of two servers say, no proof is accepted that was deleted while it was good.
    """
    added = [
        bool(runner.change_counted(_insert, {"proof": proof.digest, "until": proof.until}))
        for proof in proofs
    ]
    rows = runner.select(_select_forgotten, NO_VALUES)
    forgotten = rows[0][0] if rows else None
    return [
        was_added and (forgotten is None or proof.until > forgotten)
        for proof, was_added in zip(proofs, added, strict=True)
    ]


def _forget(runner: Runner, before: int) -> int:
    """Delete a page of the proofs that are over, and all of the last second among them; how many."""
    values = {"before": before}
    end = runner.select(_select_end, values)
    latest = end[0][0] if end else runner.select(_select_latest, values)[0][0]
    if latest is None:
        return 0
    runner.change(_insert, {"proof": _FORGOTTEN, "until": latest})
    runner.change(_raise_forgotten, {"latest": latest, "until": latest})
    return runner.change_counted(_delete, {"latest": latest})
