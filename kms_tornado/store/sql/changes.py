"""The changes of one commit as SQL, inside a transaction that a backend's writer begins and ends.

`commits` explains which rows are locked, and why.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, bindparam, delete, select, update

from ...domain.access import identifier_taken
from ...domain.managed_object import ManagedObject
from ...domain.nonces import NonceSource
from ...kmip.attributes import count_values
from ..interface.changes import (
    Change,
    Conflict,
    Grant,
    Insert,
    Remove,
    Replace,
    ReserveNonces,
    UseNonce,
    Withdraw,
)
from .statements import (
    INTEGRITY_ERRORS,
    OBJECT_COLUMNS,
    Rows,
    Runner,
    Statement,
    States,
    Values,
)
from .tables import grants, side_tables, tombstones
from .tables.attribute_rows import parse_rows
from .tables.nonces import KeyOfObject, NonceRecords
from .tables.owners import SEALED_BYTES, units_of, update_counts
from .tables.row_macs import RowAuthenticator
from .tables.rows import MAC, ROW_TO_CHECK, UID, check_row, format_row, is_long
from .tables.schema import objects
from .tables.side_tables import IndexedAttributes, OwnedNames, collect_names


@cache  # ten statements at most, as `number` is a power of two; compiled when they are first needed
def _select_for_update(number: int) -> Statement:
    """A statement that locks the rows of `number` objects, and reads everything except their material.

    On a database with concurrent writers, the second one waits here for the first. Rows are locked in the order of
    their identifiers, so that two writers do not deadlock.
    """
    uids: list[BindParameter[str]] = [bindparam(f"uid_{place}") for place in range(number)]
    return Statement(
        select(*ROW_TO_CHECK, objects.c.serial, SEALED_BYTES)
        .where(objects.c.uid.in_(uids))
        .order_by(objects.c.uid)
        .with_for_update()
    )


_of_serial = objects.c.serial == bindparam("of_serial")
_update = Statement(update(objects).where(_of_serial), OBJECT_COLUMNS)
_delete = Statement(delete(objects).where(_of_serial))
_update_nonce_source = Statement(update(objects).where(_of_serial), ("nonce_source", "mac"))
_update_grants = Statement(update(objects).where(_of_serial), ("generation", "grants", "mac"))

# Identifiers in one statement, a power of two. SQLite takes 32,766 parameters.
_MAX_UIDS = 512


def apply_changes(
    runner: Runner, changes: Sequence[Change], authenticator: RowAuthenticator, *, now: int
) -> States:
    """Make the changes. After a Conflict or a KMIPError the caller must undo those that were made.

    Returns the new MACs of the changed objects' rows. Every row that is written gets its MAC, and every row that is
    changed must have had the right one: otherwise a change would authenticate a row that somebody else wrote.

    now: seconds since the Unix epoch. Raises AlteredRow.
    """
    applier = _ChangeApplier(runner, authenticator, now)
    applier.apply(changes)
    return applier.states


@dataclass(slots=True)
class _StoredObject:
    """An object's row at this point of the transaction. values: {column: value} of AUTHENTIC_COLUMNS."""

    serial: int
    values: dict[str, Any]
    sealed_bytes: int

    @property
    def generation(self) -> int:
        generation: int = self.values["generation"]
        return generation

    @property
    def owner(self) -> str:
        owner: str = self.values["owner"]
        return owner

    @property
    def units(self) -> int:
        return units_of(self.values, self.sealed_bytes)


class _Replacement(NamedTuple):
    """What a Replace writes. values: the rows of the object's values; None where they do not change."""

    row: dict[str, Any]
    values: Sequence[Values] | None
    names_before: OwnedNames
    names: OwnedNames


# Characters of attributes, of which the rows are made in a few milliseconds.
_LONG = 16_384
# Values of attributes, likewise.
_MANY = 100


class _ChangeApplier:
    """Applies the changes of one commit.

    Names and the owners' counts are written last, because a name may move from one object to another within a commit.
    """

    def __init__(self, runner: Runner, authenticator: RowAuthenticator, now: int) -> None:
        self._runner = runner
        self._authenticator = authenticator
        self._nonces = NonceRecords(runner, authenticator)
        self._now = now
        #: By unique identifier.
        self._stored: dict[str, _StoredObject] = {}
        #: Owner → change of the units that their objects take.
        self._differences: Counter[str] = Counter()
        #: Serial → names, of the objects whose names the commit changes.
        self._names: dict[int, OwnedNames] = {}
        #: Identifier → the code of the row that the transaction found.
        self._codes: dict[str, bytes] = {}
        self.states: dict[str, tuple[bytes | None, bytes | None]] = {}

    def apply(self, changes: Sequence[Change]) -> None:
        self._read_stored(collect_uids(changes))
        for adds, group in groupby(changes, key=lambda change: isinstance(change, Insert)):
            if adds:  # one statement for all of them: a batch may make a hundred objects
                self._add([change.new for change in group if isinstance(change, Insert)])
            else:
                self._change(group)
        side_tables.claim_names(self._runner, self._names)
        update_counts(self._runner, self._differences, self._authenticator)

    def _change(self, changes: Iterable[Change]) -> None:
        for change in changes:
            match change:
                case Replace(new, seen):
                    self._replace(new, seen)
                case Remove(uid, seen):
                    self._remove(uid, seen)
                case Grant():
                    self._grant(change)
                case Withdraw():
                    self._withdraw(change)
                case UseNonce():
                    self._use_nonce(change)
                case ReserveNonces():
                    self._reserve_nonces(change)

    def _read_stored(self, uids: set[str]) -> None:
        ordered = sorted(uids)
        for start in range(0, len(ordered), _MAX_UIDS):
            part = ordered[start : start + _MAX_UIDS]
            # Filled up to a power of two, so that there are ten statements and not five hundred.
            number = 1 << (len(part) - 1).bit_length()
            part += part[-1:] * (number - len(part))
            values = {f"uid_{place}": uid for place, uid in enumerate(part)}
            rows = self._runner.select(_select_for_update(number), values)
            check = partial(self._check_rows, rows)
            self._stored |= self._runner.compute(check) if is_long(*rows) else check()
            for row in rows:
                self._codes[row[UID]] = row[MAC]

    def _check_rows(self, rows: Rows) -> dict[str, _StoredObject]:
        """Check the rows, and keep them by identifier. rows: of `_select_for_update`."""
        stored = {}
        for *row, serial, length in rows:
            columns = check_row(row, self._authenticator)
            stored[columns["uid"]] = _StoredObject(serial, columns, length or 0)
        return stored

    def _mark(self, uid: str, code: bytes | None) -> None:
        """Note that the object's row has this MAC now; None: it was removed."""
        was = self.states[uid][0] if uid in self.states else self._codes.get(uid)
        self.states[uid] = (was, code)

    def _check_generation(self, uid: str, generation: int) -> _StoredObject:
        stored = self._stored.get(uid)
        if stored is None or stored.generation != generation:
            raise Conflict
        return stored

    def _check_owner(self, uid: str, owner: str) -> _StoredObject:
        stored = self._stored.get(uid)
        if stored is None or stored.owner != owner:
            raise Conflict
        return stored

    def _add(self, added: Sequence[ManagedObject]) -> None:
        def prepare() -> list[dict[str, Any]]:
            return [
                format_row(new, self._authenticator, generation=new.generation, now=self._now)
                for new in added
            ]

        are_many = sum(count_values(new.attributes) + len(new.tags) for new in added) > _MANY
        rows = self._runner.compute(prepare) if are_many else prepare()
        self._runner.settle()
        try:
            serials = self._runner.add_objects(rows)
        except INTEGRITY_ERRORS:  # the rows made here can break no other constraint
            # No `from`: SQLAlchemy's exception holds the row.
            raise identifier_taken() from None
        tombstones.check_free(self._runner, added, self._authenticator)
        by_serial = list(zip(serials, added, strict=True))
        side_tables.add_tags_and_values(self._runner, by_serial, are_many=are_many)
        for (serial, new), row in zip(by_serial, rows, strict=True):
            if new.attributes.names:
                self._names[serial] = side_tables.names_of(new)
            stored = _StoredObject(serial, row, len(new.sealed or b""))
            self._differences[new.owner] += stored.units
            self._stored[new.uid] = stored
            self._mark(new.uid, row["mac"])

    def _replace(self, new: ManagedObject, generation: int) -> None:
        stored = self._check_generation(new.uid, generation)
        before, serial = stored.values, stored.serial

        def prepare() -> _Replacement:
            row = format_row(
                new, self._authenticator, generation=generation + 1, now=self._now, before=before
            )
            indexed = IndexedAttributes(before["owner"], parse_rows(before["attributes"]))
            after = side_tables.index_attributes(new)
            return _Replacement(
                row,
                side_tables.find_changed_values(serial, indexed, after),
                collect_names(before["owner"], before["state"], indexed.rows),
                side_tables.names_of(new),
            )

        takes_long = len(before["attributes"]) > _LONG or count_values(new.attributes) > _MANY
        row, values, names_before, names = (
            self._runner.compute(prepare) if takes_long else prepare()
        )
        self._runner.change(_update, {**row, "of_serial": serial})
        if any(before[name] != row[name] for name in ("tags", "owner", "created_at")):
            side_tables.change_tags(self._runner, serial, new)
        if values is not None:
            side_tables.replace_values(self._runner, serial, values)
        if names != names_before:
            self._names[serial] = names
        if before["owner"] != new.owner:  # the old owner's grants must not bind the new one
            grants.withdraw_all(self._runner, serial)
        self._differences[stored.owner] -= stored.units
        stored.values, stored.sealed_bytes = row, len(new.sealed or b"")
        self._differences[stored.owner] += stored.units
        self._mark(new.uid, row["mac"])

    def _remove(self, uid: str, generation: int) -> None:
        before = self._check_generation(uid, generation)
        self._runner.change(_delete, {"of_serial": before.serial})
        tombstones.bury(self._runner, uid, before.owner, self._authenticator)
        self._names.pop(before.serial, None)
        self._differences[before.owner] -= before.units
        del self._stored[uid]
        self._mark(uid, None)

    def _use_nonce(self, change: UseNonce) -> None:
        target = self._find_key(change)
        self._nonces.use_nonce(target, change.nonce)
        self._write_nonce_source(change.uid, NonceSource.CALLER)

    def _reserve_nonces(self, change: ReserveNonces) -> None:
        self._nonces.reserve(self._find_key(change), change.count)
        self._write_nonce_source(change.uid, NonceSource.SERVER)

    def _find_key(self, change: UseNonce | ReserveNonces) -> KeyOfObject:
        stored = self._check_generation(change.uid, change.seen)
        source = stored.values["nonce_source"]
        return KeyOfObject(change.uid, change.key, source, change.by_object)

    def _write_nonce_source(self, uid: str, source: NonceSource) -> None:
        """Write the source of the key's nonces into the object's row.

        It shows later if the records of the key are missing.
        """
        stored = self._stored[uid]
        if stored.values["nonce_source"] == source:
            return
        stored.values["nonce_source"] = int(source)
        row: dict[str, Any] = {
            "nonce_source": int(source),
            "mac": self._authenticator.object_mac(stored.values),
        }
        self._runner.change(_update_nonce_source, {**row, "of_serial": stored.serial})
        self._mark(uid, row["mac"])

    def _grant(self, change: Grant) -> None:
        target = self._index_grants(change.uid, change.owner)
        text = grants.grant(self._runner, target, change.grantee, change.operations)
        self._write_grants(change.uid, text)

    def _withdraw(self, change: Withdraw) -> None:
        target = self._index_grants(change.uid, change.owner)
        text = grants.withdraw(self._runner, target, change.grantee, change.operations)
        if text != target.text:
            # A change that was decided under this right now fails, as it saw the old generation.
            self._stored[change.uid].values["generation"] += 1
        self._write_grants(change.uid, text)

    def _index_grants(self, uid: str, owner: str) -> grants.IndexedObject:
        stored = self._check_owner(uid, owner)
        return grants.IndexedObject(uid, owner, stored.serial, stored.values["grants"])

    def _write_grants(self, uid: str, text: str) -> None:
        stored = self._stored[uid]
        if text == stored.values["grants"]:
            return
        self._differences[stored.owner] -= stored.units
        stored.values["grants"] = text
        self._differences[stored.owner] += stored.units
        row: dict[str, Any] = {
            "generation": stored.generation,
            "grants": text,
            "mac": self._authenticator.object_mac(stored.values),
        }
        self._runner.change(_update_grants, {**row, "of_serial": stored.serial})
        self._mark(uid, row["mac"])


def collect_uids(changes: Sequence[Change]) -> set[str]:
    """The identifiers of the objects that the commit changes without adding them."""
    uids: set[str] = set()
    for change in changes:
        if isinstance(change, Replace):
            uids.add(change.new.uid)
        elif not isinstance(change, Insert):
            uids.add(change.uid)
    return uids
