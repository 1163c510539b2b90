"""The changes as SQL, inside a transaction that somebody else begins and commits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Any

from sqlalchemy import BindParameter, bindparam, delete, insert, select, update

from ...domain.managed_object import ManagedObject
from ...errors import KMIPError, ObjectAlreadyExists
from ..base import (
    Change,
    Conflict,
    Grant,
    Groups,
    Insert,
    Refused,
    Remove,
    Replace,
    UseNonce,
    Withdraw,
)
from . import grants as rights
from . import queries
from .attribute_rows import format_attributes, parse_rows
from .rows import to_row
from .schema import objects, server_state
from .side_tables import (
    Held,
    add_tags,
    change_tags,
    count_objects,
    index_changed,
    index_new,
    names_of,
    take_names,
    use_nonce,
)
from .statements import INTEGRITY_ERRORS, OBJECT_COLUMNS, Runner, Statement

_insert_state = insert(server_state)


@cache
def _as_they_were(number: int) -> Statement:
    """What decides which rows beside an object's own must be written again, for so many objects.

    On a database that lets two writers in at once, the second waits here for the first, in the order of
    the identifiers.
    """
    uids: list[BindParameter[str]] = [bindparam(f"uid_{place}") for place in range(number)]
    return Statement(
        select(
            objects.c.uid,
            objects.c.serial,
            objects.c.generation,
            objects.c.tags,
            objects.c.owner,
            objects.c.created_at,
            objects.c.state,
            objects.c.attributes,
        )
        .where(objects.c.uid.in_(uids))
        .order_by(objects.c.uid)
        .with_for_update()
    )


_of_serial = objects.c.serial == bindparam("wanted_serial")
_update = Statement(update(objects).where(_of_serial), OBJECT_COLUMNS)
_delete = Statement(delete(objects).where(_of_serial))
_count_up = Statement(update(objects).where(_of_serial).values(generation=objects.c.generation + 1))
# Identifiers in one statement, a power of two. SQLite takes 32,766 values.
_TOGETHER = 512


@dataclass(slots=True)
class _Known:
    """An object as it is in the transaction by now; the texts are those of its row."""

    serial: int
    generation: int
    tags: str
    owner: str
    created_at: int
    state: int
    attributes: str


def apply(runner: Runner, changes: Sequence[Change], *, now: int) -> None:
    """Raises Conflict or a KMIPError, with what went before left for the caller to undo.

    now: seconds since the Unix epoch.
    """
    _Application(runner, now).run(changes)


def apply_groups(runner: Runner, groups: Groups, *, now: int) -> None:
    """All of them as one; where that fails, one by one, to tell which. Raises Conflict and Refused."""
    places = [place for place, changes in enumerate(groups) if changes]
    try:
        with _savepoint(runner):
            apply(runner, [each for changes in groups for each in changes], now=now)
        return
    except KMIPError as exc:
        if len(places) == 1:
            raise Refused({places[0]: exc}) from None
    failures: dict[int, KMIPError] = {}
    for place in places:
        try:
            with _savepoint(runner):
                apply(runner, groups[place], now=now)
        except KMIPError as exc:
            failures[place] = exc
        except Conflict:
            if not failures:  # else it builds on one that failed
                raise
    if not failures:  # each can be, but not all together
        raise Conflict
    raise Refused(failures)


@contextmanager
def _savepoint(runner: Runner) -> Iterator[None]:
    runner.command("SAVEPOINT one_group")
    try:
        yield
    except (KMIPError, Conflict):
        runner.command("ROLLBACK TO one_group")
        raise
    runner.command("RELEASE one_group")


@dataclass(frozen=True, slots=True)
class Commit:
    """`apply` with its arguments, to be run in a transaction of the writer's."""

    changes: Sequence[Change]
    now: int

    def __call__(self, runner: Runner) -> None:
        apply(runner, self.changes, now=self.now)

    @property
    def only_adds(self) -> bool:
        return all(isinstance(change, Insert) for change in self.changes)


def joined(commits: Sequence[Commit]) -> Commit:
    """As if one caller had wanted all of them: they are done together or not at all.

    For commits that only add: a statement for all the objects costs little more than for one.
    """
    changes = [change for commit in commits for change in commit.changes]
    return Commit(changes, max(commit.now for commit in commits))


def keep_check_value(runner: Runner, value: bytes) -> bytes:
    """The value that is kept from now on: the one that was there, else this one."""
    kept: bytes | None = runner.connection.execute(queries.check_value).scalar()
    if kept is None:
        runner.connection.execute(_insert_state, {"name": "master_key_check", "value": value})
        kept = value
    return kept


class _Application:
    """One commit. Names and numbers of objects are settled at its end: a name may change hands in it."""

    def __init__(self, runner: Runner, now: int) -> None:
        self._runner = runner
        self._now = now
        self._known: dict[str, _Known] = {}
        self._more: Counter[str] = Counter()
        #: serial → (owner, names) of the objects whose names the commit changes.
        self._names: dict[int, tuple[str, frozenset[tuple[str, int]]]] = {}

    def run(self, changes: Sequence[Change]) -> None:
        self._look(each.uid for each in changes if isinstance(each, _OF_KNOWN))
        self._look(each.new.uid for each in changes if isinstance(each, Replace))
        for together, group in groupby(changes, key=lambda change: isinstance(change, Insert)):
            if together:  # one statement for all of them: a batch may make a hundred objects
                self._add([change.new for change in group if isinstance(change, Insert)])
            else:
                self._change(group)
        take_names(self._runner, self._names)
        count_objects(self._runner, self._more)

    def _change(self, changes: Iterable[Change]) -> None:
        for change in changes:
            match change:
                case Replace(new, seen):
                    self._replace(new, seen)
                case Remove(uid, seen):
                    self._remove(uid, seen)
                case Grant():
                    serial = self._owned(change).serial
                    rights.grant(self._runner, serial, change.grantee, change.operations)
                case Withdraw():
                    self._withdraw(change)
                case UseNonce(uid, nonce, seen):
                    self._use_nonce(uid, nonce, seen)

    def _look(self, uids: Iterable[str]) -> None:
        wanted = sorted(set(uids))
        for start in range(0, len(wanted), _TOGETHER):
            some = wanted[start : start + _TOGETHER]
            # Filled up to a power of two, so that there are ten statements and not five hundred.
            number = 1 << (len(some) - 1).bit_length()
            some += some[-1:] * (number - len(some))
            values = {f"uid_{place}": uid for place, uid in enumerate(some)}
            for uid, *columns in self._runner.select(_as_they_were(number), values):
                self._known[uid] = _Known(*columns)

    def _find(self, uid: str, seen: int) -> _Known:
        was = self._known.get(uid)
        if was is None or was.generation != seen:
            raise Conflict
        return was

    def _add(self, new: Sequence[ManagedObject]) -> None:
        rows = [to_row(each, generation=each.generation, now=self._now) for each in new]
        try:
            serials = self._runner.add_objects(rows)
        except INTEGRITY_ERRORS:  # a row of ours can break no other constraint
            # No `from`: SQLAlchemy's exception holds the row.
            raise ObjectAlreadyExists("the unique identifier is taken") from None
        added = list(zip(serials, new, strict=True))
        add_tags(self._runner, added)
        index_new(self._runner, [(serial, _held(each)) for serial, each in added])
        for (serial, each), row in zip(added, rows, strict=True):
            if each.attributes.names:
                self._names[serial] = _names(each)
            self._more[each.owner] += 1
            self._known[each.uid] = _known(serial, row)

    def _replace(self, new: ManagedObject, seen: int) -> None:
        was = self._find(new.uid, seen)
        row = to_row(new, generation=seen + 1, now=self._now)
        self._runner.change(_update, {**row, "wanted_serial": was.serial})
        if (was.tags, was.owner, was.created_at) != (row["tags"], new.owner, new.created_at):
            change_tags(self._runner, was.serial, new)
        had = (was.owner, parse_rows(was.attributes))
        index_changed(self._runner, was.serial, _held(new), was=had)
        names = _names(new)
        if names != (was.owner, names_of(was.state, had[1])):
            self._names[was.serial] = names
        if was.owner != new.owner:  # what the old owner granted is not the new one's word
            rights.withdraw_all(self._runner, was.serial)
            self._more[was.owner] -= 1
            self._more[new.owner] += 1
        self._known[new.uid] = _known(was.serial, row)

    def _remove(self, uid: str, seen: int) -> None:
        was = self._find(uid, seen)
        self._runner.change(_delete, {"wanted_serial": was.serial})
        self._names.pop(was.serial, None)
        self._more[was.owner] -= 1
        del self._known[uid]

    def _use_nonce(self, uid: str, nonce: bytes, seen: int) -> None:
        # Whoever else uses this object holds its row until they are through: nobody comes between.
        use_nonce(self._runner, self._find(uid, seen).serial, nonce)

    def _withdraw(self, change: Withdraw) -> None:
        was = self._owned(change)
        if rights.withdraw(self._runner, was.serial, change.grantee, change.operations):
            # Whoever read the object under this right, and is about to change it, saw another
            # generation.
            self._runner.change(_count_up, {"wanted_serial": was.serial})
            was.generation += 1

    def _owned(self, change: Grant | Withdraw) -> _Known:
        was = self._known.get(change.uid)
        if was is None or was.owner != change.owner:
            raise Conflict
        return was


_OF_KNOWN = (Remove, Grant, Withdraw, UseNonce)


def _held(new: ManagedObject) -> Held:
    return new.owner, format_attributes(new.attributes).rows


def _names(new: ManagedObject) -> tuple[str, frozenset[tuple[str, int]]]:
    return new.owner, names_of(new.state, format_attributes(new.attributes).rows)


def _known(serial: int, row: dict[str, Any]) -> _Known:
    return _Known(
        serial,
        row["generation"],
        row["tags"],
        row["owner"],
        row["created_at"],
        row["state"],
        row["attributes"],
    )
