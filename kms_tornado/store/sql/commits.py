"""Commits: changes that are made together or not at all, as jobs for a backend's writer.

Commit and conflict
===================

**Optimistic.** No operation holds a lock while it computes. It reads an object, decides, and commits
`Replace(new, seen)`, where `seen` is the *generation* of the object that it read. The transaction that
writes compares: a different generation in the database means that somebody else changed the object in
between. The commit then raises `Conflict`, nothing of it is done, and the service runs the whole
operation again on what it reads now. Every Replace adds one to the generation. So does a Withdraw that
takes a right away, so that nobody can finish a change that was decided under that right.

**Locks.** A transaction first reads the rows of all existing objects that it will change, in
the order of their identifiers and with FOR UPDATE (`changes`). On PostgreSQL a second writer waits there
until the first has committed, and then sees its generation. SQLite has one writer at a time for the
whole file (BEGIN IMMEDIATE), so it needs no locks on rows. What no row can protect is protected by the
key of a table: a new identifier (`objects.uid`), a name (`object_names`), an owner's first object
(`owners`). Several objects may have the same key material, so its records of nonces have locks of their
own (`nonces`).

**Waiting jobs share a commit.** A commit has to reach the disk before it is acknowledged, which costs
far more than the changes in it. Therefore `Backend.submit` only puts the job into a queue. While one
commit is on its way to the disk, others queue up, and the next transaction takes them all:

- SQLite has one writer thread. Each job has a savepoint of its own, so that a failed job is undone alone
  (`sqlite.writer`).
- PostgreSQL has tasks that write, some for jobs that only add and some for the others, and sends statements
  together, as each round trip counts (`postgres.writing.writer`).
- Jobs that only add objects are joined into one (`join_commits`), so that a statement adds the rows of
  all of them.

**Groups.** A batch is one commit of several groups, one for each of its items. `GroupCommit` makes all
changes at once. If that fails, it makes the groups one by one to learn which of them cannot be done,
undoes everything, and raises `Refused` with the errors by group. The service decides what follows:
with Undo nothing is done; otherwise it runs the batch again without the items that were refused.

**Durable or not.** The future of a job is done after COMMIT has returned, and COMMIT returns after the
disk has confirmed (SQLite: synchronous=FULL; PostgreSQL: its default, synchronous_commit=on). A process
that is killed before that leaves a transaction that the database rolls back when it is opened next. On
PostgreSQL the connection may be lost *during* COMMIT. New objects are then looked for (`postgres.writing.additions`), and
other jobs in the audit's chain, to which they append (`AuditChains.settle`). Where neither tells the outcome, the job
is not run again, and its caller gets Unavailable.

docs/commits.md, "How a commit works", follows a commit from `Call.commit` to the disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ...audit.record import Draft
from ...errors import KMIPError
from ..interface.changes import Change, Conflict, Groups, Insert, Refused, Remove, Replace
from .changes import apply_changes
from .statements import Runner
from .tables.row_macs import RowAuthenticator

#: A function that a writer runs in a transaction. If it raises, its changes are undone.
Job = Callable[[Runner], Any]


@dataclass(frozen=True, slots=True)
class Commit:
    """The changes of one operation. now: seconds since the Unix epoch. drafts: the audit's records of them."""

    changes: Sequence[Change]
    authenticator: RowAuthenticator
    now: int
    drafts: Sequence[Draft] = ()

    def __call__(self, runner: Runner) -> None:
        """Make the changes. After a Conflict or a KMIPError the caller must undo those that were made."""
        states = apply_changes(runner, self.changes, self.authenticator, now=self.now)
        if self.drafts:
            runner.note(self.drafts, states)

    @property
    def only_adds(self) -> bool:
        """Whether every change is an Insert."""
        return all(isinstance(change, Insert) for change in self.changes)

    @property
    def erases(self) -> bool:
        """Whether sealed key material is deleted."""
        return any(_erases(change) for change in self.changes)


@dataclass(frozen=True, slots=True)
class GroupCommit:
    """The changes of several steps, each of which builds on those before it."""

    groups: Groups
    authenticator: RowAuthenticator
    now: int
    drafts: Sequence[Draft] = ()

    def __call__(self, runner: Runner) -> None:
        """Apply all groups at once; if that fails, one by one, to find out which of them fail.

        Raises Conflict and Refused, with the changes undone.
        """
        places = [place for place, changes in enumerate(self.groups) if changes]
        try:
            with _savepoint(runner):
                states = apply_changes(runner, self.changes, self.authenticator, now=self.now)
            if self.drafts:
                runner.note(self.drafts, states)
            return
        except KMIPError as exc:
            if len(places) == 1:
                raise Refused({places[0]: exc}) from None
        failures: dict[int, KMIPError] = {}
        for place in places:
            try:
                with _savepoint(runner):
                    apply_changes(runner, self.groups[place], self.authenticator, now=self.now)
            except KMIPError as exc:
                failures[place] = exc
            except Conflict:
                if not failures:  # otherwise it builds on a group that failed
                    raise
        if not failures:  # each group can be applied, but not all of them at once
            raise Conflict
        raise Refused(failures)

    @property
    def changes(self) -> Sequence[Change]:
        return [change for changes in self.groups for change in changes]

    @property
    def only_adds(self) -> bool:
        """Whether every change is an Insert."""
        return all(isinstance(change, Insert) for change in self.changes)

    @property
    def erases(self) -> bool:
        """Whether sealed key material is deleted."""
        return any(_erases(change) for change in self.changes)


def join_commits(commits: Sequence[Commit | GroupCommit]) -> Commit:
    """One commit with the changes of all, which is done as a whole or not at all.

    For commits that do not change the same object: a statement for all of them costs little more than for
    one.
    """
    changes = [change for commit in commits for change in commit.changes]
    now = max(commit.now for commit in commits)
    drafts = tuple(draft for commit in commits for draft in commit.drafts)
    return Commit(changes, commits[0].authenticator, now, drafts)


def _erases(change: Change) -> bool:
    match change:
        case Remove():
            return True
        case Replace(new):
            return new.sealed is None
        case _:
            return False


@contextmanager
def _savepoint(runner: Runner) -> Iterator[None]:
    runner.command("SAVEPOINT one_group")
    try:
        yield
    except (KMIPError, Conflict):
        runner.command("ROLLBACK TO one_group")
        raise
    runner.command("RELEASE one_group")
