"""Moves all objects of a database to the names that its users have under another naming.

Names may gain or lose their issuer, or come from another claim. Before anything is moved, everything is checked: each
name has a new one, no two names become the same, and every object can be opened. Then the database is marked, so that
no server starts on it, and objects, rights and the identifiers of removed objects get their new names page by page.
What already has its new name is left alone, so that an interrupted move can be continued by running it again.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from ...crypto.sealing.envelope import KeyRing
from ...domain.user_naming import UserNaming
from ...errors import ConfigurationError
from ...store.interface.object_store import ObjectStore
from ...user_names import EVERYONE, GROUP_PREFIX
from .transferring import Transfer, Transferrer, TransferResult

#: Gives the new name of an old one, and of a new one itself.
Rename = Callable[[str], str]

_MAX_TOLD = 5  # names in one error


class NoNewName(Exception):
    """A name that has no new name. The text of the error is the name."""


@dataclass(frozen=True, slots=True)
class NamingMove:
    """How names change.

    current: how the owners are named now. requested: how they are to be named.
    issuers: the issuers with which names may begin.
    issuer: the issuer for the names that have none.
    renamed: {old name: new name}, where another claim names the users.
    """

    current: UserNaming
    requested: UserNaming
    issuers: Collection[str]
    issuer: str | None = None
    renamed: Mapping[str, str] | None = None

    @property
    def is_resumed(self) -> bool:
        return self.current.former is not None

    def rename(self, name: str) -> str:
        """The new name. Raises NoNewName."""
        if name == EVERYONE:
            return name
        if self.renamed is not None:
            return self._rename_by_map(name)
        prefix = GROUP_PREFIX if name.startswith(GROUP_PREFIX) else ""
        bare = name.removeprefix(prefix)
        issuer = next((uri for uri in self.issuers if bare.startswith(f"{uri}#")), None)
        if self.requested.by_issuer:
            return name if issuer is not None else f"{prefix}{self.issuer}#{bare}"
        return name if issuer is None else prefix + bare.removeprefix(f"{issuer}#")

    def _rename_by_map(self, name: str) -> str:
        assert self.renamed is not None
        if name in self.renamed:
            return self.renamed[name]
        # Groups have another claim. A new name is there already where the move was interrupted.
        if name.startswith(GROUP_PREFIX) or (self.is_resumed and name in self.renamed.values()):
            return name
        raise NoNewName(name)

    def is_new(self, name: str) -> bool:
        """Whether the name looks as if it had been moved already."""
        if self.renamed is not None:
            return False
        bare = name.removeprefix(GROUP_PREFIX)
        return any(bare.startswith(f"{uri}#") for uri in self.issuers) is self.requested.by_issuer


async def move_to_naming(
    store: ObjectStore,
    ring: KeyRing,
    move: NamingMove,
    *,
    is_rehearsal: bool = False,
    report: Callable[[int], None] = lambda moved: None,
) -> TransferResult:
    """Move everything, or only check that it can be moved. No server may serve meanwhile.

    Raises ConfigurationError where nothing was moved, Unavailable, and Conflict where another move is under way.
    """
    names = await store.naming.list_names()
    _check_names(move, names)
    transferrer = Transferrer(store, ring)
    if not move.is_resumed or is_rehearsal:
        rehearsal = await _transfer_all(transferrer, move, names, is_rehearsal=True)
        if rehearsal.failures or is_rehearsal:
            return rehearsal if is_rehearsal else TransferResult(0, rehearsal.failures)
    marked = dataclasses.replace(move.requested, former=move.current.former or move.current)
    await store.naming.change(move.current, marked)
    # Told apart from now on: what is new may stand beside what is old.
    resumed = dataclasses.replace(move, current=marked)
    result = await _transfer_all(transferrer, resumed, names, report=report)
    if not result.failures:
        await store.naming.rename_in_tombstones(resumed.rename)
        await store.naming.change(marked, move.requested)
    return result


async def _transfer_all(
    transferrer: Transferrer,
    move: NamingMove,
    names: Collection[str],
    *,
    is_rehearsal: bool = False,
    report: Callable[[int], None] = lambda moved: None,
) -> TransferResult:
    result = TransferResult()
    for name in sorted(names):
        transfer = Transfer(name, move.rename(name), rename=move.rename)
        part = await transferrer.transfer(
            transfer,
            is_rehearsal=is_rehearsal,
            report=partial(_report_sum, report, result.moved),
        )
        result.moved += part.moved
        result.failures |= part.failures
    return result


def _report_sum(report: Callable[[int], None], before: int, moved: int) -> None:
    report(before + moved)


def _check_names(move: NamingMove, names: Collection[str]) -> None:
    """Raises ConfigurationError unless each name has a new one of its own."""
    unnamed, renamed = [], {}
    for name in sorted(names):
        try:
            renamed[name] = move.rename(name)
        except NoNewName:
            unnamed.append(name)
    if unnamed:
        raise ConfigurationError(f"the map has no new name for {_list_some(unnamed)}")
    if move.is_resumed:
        return
    # Whoever can choose their name would have what was somebody else's.
    if early := [name for name in sorted(names) if move.is_new(name)]:
        raise ConfigurationError(
            f"some names look as if they had been moved already; give their objects to other names before: {_list_some(early)}"
        )
    counts = Counter(renamed.values())
    if joined := [name for name in sorted(names) if counts[renamed[name]] > 1]:
        raise ConfigurationError(
            f"several names would become one; give their objects to one of them before: {_list_some(joined)}"
        )


def _list_some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MAX_TOLD} more" if len(names) > _MAX_TOLD else ""
    return ", ".join(names[:_MAX_TOLD]) + more
