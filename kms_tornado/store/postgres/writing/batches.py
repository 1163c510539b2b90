"""Jobs that share a transaction, and what happens if one of them is impossible."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any, Protocol

from ....errors import KMIPError, KMSError, Unavailable
from ...interface.changes import Conflict, Insert, Refused
from ...interface.faults import make_unavailable
from ...sql.additions import Addition
from ...sql.changes import collect_uids
from ...sql.commits import Commit, GroupCommit, Job, join_commits
from ...sql.statements import Runner
from ..transaction import LockedOut
from .additions import AdditionWriter, Commits, NotAdded, TakeMore, prepare_addition
from .queue import Keys, Waiting, collect_keys
from .transactions import TransactionRunner

#: The jobs whose changes are known.
COMMITS = (Commit, GroupCommit)

#: (result, error) of each of several jobs.
Outcomes = Sequence[tuple[Any, BaseException | None]]
_JobOfAll = Callable[[Runner], Outcomes]

# The errors with which a job is refused for a reason of its own.
_REFUSALS = (KMSError, Conflict, Refused)

_NO_KEYS: Keys = frozenset()


class _Join(Protocol):
    """`JobQueue.join`."""

    def __call__(
        self, batch: list[Waiting], *, keys: Collection[str], may_join: Callable[[Job], bool]
    ) -> Sequence[Waiting]: ...


class BatchWriter:
    """Runs jobs together, and resolves their futures. For one event loop.

    All methods raise Unavailable and LockedOut for all jobs whose futures are not done by then. They return the keys of
    jobs that were in the way of others.
    """

    def __init__(self, transactions: TransactionRunner, adder: AdditionWriter, join: _Join) -> None:
        self._transactions = transactions
        self._adder = adder
        self._join = join

    async def add(self, batch: list[Waiting], *, lock_timeout_ms: int) -> Keys:
        """Add the objects of all jobs. batch: jobs with commits that only add; others may join them."""

        def take_more(addition: Addition) -> Commits:
            may_join = partial(_may_join, addition)
            joined = self._join(batch, keys=addition.differences.keys(), may_join=may_join)
            return _collect_commits(joined)

        return await self._add(batch, lock_timeout_ms, take_more)

    async def _add(
        self, batch: Sequence[Waiting], lock_timeout_ms: int, take_more: TakeMore | None = None
    ) -> Keys:
        if not (present := _drop_expired(batch)):
            return _NO_KEYS
        try:
            prepared = await prepare_addition(_collect_commits(present), take_more)
        except Exception:  # a value without a code, or a fault: running each alone shows whose
            return await self._add_parts(present, lock_timeout_ms)
        try:
            await self._adder.add(prepared, lock_timeout_ms=lock_timeout_ms)
        except NotAdded:  # with those that have joined
            return await self._add_parts(_drop_expired(batch), lock_timeout_ms)
        for waiting in batch:
            waiting.resolve()
        return _NO_KEYS

    async def _add_parts(self, batch: Sequence[Waiting], lock_timeout_ms: int) -> Keys:
        """Find out in few transactions which jobs are impossible, although there may be dozens of others."""
        if len(batch) == 1:
            return await self._do_alone(batch[0], lock_timeout_ms)
        ordered = sorted(batch, key=lambda waiting: sorted(waiting.keys))
        middle = len(ordered) // 2
        troubled = await self._add(ordered[:middle], lock_timeout_ms)
        return troubled | await self._add(ordered[middle:], lock_timeout_ms)

    async def change(self, batch: Sequence[Waiting], *, lock_timeout_ms: int) -> Keys:
        if len(batch) > 1:
            for job in (_join(batch), _make_job_of_all(batch)):
                if job is not None and await self._try_together(job, batch, lock_timeout_ms):
                    return _NO_KEYS
        for waiting in _drop_expired(batch):
            await self._do_alone(waiting, lock_timeout_ms)
        return _NO_KEYS

    async def _try_together(
        self, job: _JobOfAll, batch: Sequence[Waiting], lock_timeout_ms: int
    ) -> bool:
        try:
            outcomes = await self._transactions.run(job, lock_timeout_ms=lock_timeout_ms)
        except (Unavailable, LockedOut):
            raise
        except Exception:  # a fault in a job: running each alone shows whose
            return False
        for waiting, (result, error) in zip(batch, outcomes, strict=True):
            waiting.resolve(result=result, error=error)
        return True

    async def _do_alone(self, waiting: Waiting, lock_timeout_ms: int) -> Keys:
        try:
            result = await self._transactions.run_alone(
                waiting.job, lock_timeout_ms=lock_timeout_ms
            )
        except (Unavailable, LockedOut):
            raise
        except _REFUSALS as exc:
            waiting.resolve(error=exc)
            return waiting.keys
        except Exception as exc:  # a fault in the job: its caller logs it, and answers 500
            waiting.resolve(error=exc)
            return waiting.keys
        waiting.resolve(result=result)
        return _NO_KEYS


def adds_alone(job: Job) -> bool:
    """Whether the job is known to do nothing but add objects."""
    return isinstance(job, COMMITS) and job.only_adds


def _may_join(addition: Addition, job: Job) -> bool:
    """Whether a job may join an addition whose owners' rows are locked meanwhile, so that it has to be short."""
    if not isinstance(job, Commit) or len(job.changes) > 1:
        return False
    # Where there is something to record, the chain is claimed before the rows are locked.
    return bool(addition.drafts) or not job.drafts


def _collect_commits(batch: Sequence[Waiting]) -> Commits:
    return [waiting.job for waiting in batch if isinstance(waiting.job, COMMITS)]


def find_keys(job: Job) -> Keys:
    """The owners to whom the job adds objects, if it only adds; else the identifiers of the objects that it changes."""
    if not isinstance(job, COMMITS):
        return _NO_KEYS
    if job.only_adds:
        return frozenset(change.new.owner for change in job.changes if isinstance(change, Insert))
    return frozenset(collect_uids(job.changes))


def _drop_expired(batch: Sequence[Waiting]) -> Sequence[Waiting]:
    """The jobs that have not waited too long. The others fail."""
    now = asyncio.get_running_loop().time()
    for waiting in batch:
        if waiting.expires < now:
            waiting.resolve(error=make_unavailable("others took too long"))
    return [waiting for waiting in batch if not waiting.future.done()]


def _join(batch: Sequence[Waiting]) -> _JobOfAll | None:
    """One commit for all jobs, which reads all objects at once; None where two of the jobs change the same object."""
    commits = _collect_commits(batch)
    number_of_keys = sum(len(waiting.keys) for waiting in batch)
    if len(commits) < len(batch) or len(collect_keys(batch)) < number_of_keys:
        return None
    return _join_all(commits)


def _join_all(commits: Commits) -> _JobOfAll:
    commit = join_commits(commits)

    def job(runner: Runner) -> Outcomes:
        commit(runner)
        return [(None, None)] * len(commits)

    return job


def _make_job_of_all(batch: Sequence[Waiting]) -> _JobOfAll:
    """One job that runs all of them in turn, and undoes those that are refused."""
    jobs = [waiting.job for waiting in batch]
    return lambda runner: [_run_in_savepoint(runner, job) for job in jobs]


def _run_in_savepoint(runner: Runner, job: Job) -> tuple[Any, BaseException | None]:
    runner.command("SAVEPOINT one_job")
    try:
        result = job(runner)
    except (KMIPError, Conflict, Refused) as exc:
        runner.command("ROLLBACK TO one_job")
        return None, exc
    runner.command("RELEASE one_job")
    return result, None
