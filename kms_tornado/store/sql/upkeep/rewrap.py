"""Seals envelopes again, page by page, while servers serve.

A row is read, its envelope is sealed under another master key outside of any transaction, and it is written if the row
is still the one that was read; otherwise it is found again later. Only the envelope, its digest and the row's MAC
change. The generation does not, so that no operation of a server fails because of it. A server that had read the object
before may put the former envelope back; that one can be opened, too, and is found again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, LargeBinary, bindparam, func, select, update

from ....audit.record import COMMAND, Draft, make_draft
from ...interface.master_keys import CannotReseal, Reseal, ResealedPage, StoredEnvelope
from ..backend import Backend
from ..constants import write_constant
from ..statements import NO_VALUES, Rows, Runner, Statement, prepare
from ..stored_values import stored_bytes
from ..tables.row_macs import (
    AUTHENTIC_NAMES,
    AlteredRow,
    RowAuthenticator,
    altered_object,
    digest_sealed,
    log_altered,
)
from ..tables.rows import ROW_TO_CHECK, UID, check_row
from ..tables.schema import objects

#: Rows of a page, which a transaction writes in some ten milliseconds.
PAGE = 500
#: The most bytes of envelopes in a page: some may be long.
_MAX_PAGE_BYTES = 4 * 1024 * 1024

_serial = objects.c.serial
#: The master key's identifier stands behind the format (`crypto.sealing.envelope`).
_key_id: ColumnElement[Any] = func.substr(
    objects.c.sealed, write_constant(2), write_constant(8), type_=LargeBinary
)
_is_found = objects.c.sealed.is_not(None) & (_key_id != bindparam("key_id"))

_lengths = (
    select(_serial, func.length(objects.c.sealed))
    .where(_is_found, _serial > bindparam("after"))
    .order_by(_serial)
    .limit(write_constant(PAGE))
)
_page = (
    select(*ROW_TO_CHECK, objects.c.sealed, _serial)
    .where(_is_found, _serial > bindparam("after"), _serial <= bindparam("last"))
    .order_by(_serial)
)
_counts = select(_key_id, func.count()).where(objects.c.sealed.is_not(None)).group_by(_key_id)
#: Rows are locked in the order in which servers lock them, so that neither waits for the other.
_lock_page = Statement(
    select(_serial, objects.c.mac)
    .where(_is_found, _serial > bindparam("after"), _serial <= bindparam("last"))
    .order_by(objects.c.uid)
    .with_for_update()
)
_update = Statement(
    update(objects).where(_serial == bindparam("of_serial")), ("sealed", "sealed_digest", "mac")
)

_MAC = len(AUTHENTIC_NAMES)


class _Resealed(NamedTuple):
    """What to write for an object. before: the MAC of its row. values: for `_update`."""

    uid: str
    of_serial: int
    before: bytes
    values: Mapping[str, Any]


class EnvelopeRewriter:
    """Seals the envelopes of one database anew."""

    def __init__(self, backend: Backend, authenticator: RowAuthenticator) -> None:
        self._backend = backend
        self._authenticator = authenticator
        self._lengths = prepare(_lengths, backend.dialect)
        self._page = prepare(_page, backend.dialect)
        self._counts = prepare(_counts, backend.dialect)

    async def count_by_key(self) -> Mapping[bytes, int]:
        """As `MasterKeyRecords.count_envelopes`."""
        rows = await self._backend.search(self._counts, NO_VALUES, principal="")
        return {stored_bytes(key_id): number for key_id, number in rows}

    async def rewrite_page(self, after: int, key_id: bytes, reseal: Reseal) -> ResealedPage | None:
        """As `MasterKeyRecords.reseal_page`."""
        values: dict[str, Any] = {"after": after, "key_id": key_id}
        lengths = await self._backend.search(self._lengths, values, principal="")
        if not lengths:
            return None
        values["last"] = choose_last(lengths)
        rows = await self._backend.search(self._page, values, principal="")
        updates, failures = self._seal(rows, reseal)

        def write(runner: Runner) -> int:
            codes = dict(map(tuple, runner.select(_lock_page, values)))
            current = [row for row in updates if codes.get(row.of_serial) == row.before]
            if current:
                runner.change_all(_update, [row.values for row in current])
                runner.note(
                    [_draft([row.uid for row in current])],
                    {row.uid: (row.before, row.values["mac"]) for row in current},
                )
            return len(current)

        written = await self._backend.submit(write) if updates else 0
        return ResealedPage(values["last"], len(rows), written, failures)

    def _seal(self, rows: Rows, reseal: Reseal) -> tuple[Sequence[_Resealed], Mapping[str, str]]:
        """What to write; {identifier: why the object was left as it is}."""
        updates, failures = [], {}
        for row in rows:
            try:
                updates.append(self._seal_row(row, reseal))
            except AlteredRow as exc:
                log_altered(exc)
                failures[str(row[UID])] = exc.detail
            except CannotReseal as exc:
                failures[str(row[UID])] = str(exc)
        return updates, failures

    def _seal_row(self, row: Sequence[Any], reseal: Reseal) -> _Resealed:
        *checked, sealed, serial = row
        values = check_row(checked, self._authenticator)
        uid = values["uid"]
        if digest_sealed(sealed) != values["sealed_digest"]:
            raise altered_object(uid, "sealed_digest does not fit the sealed material")
        envelope = StoredEnvelope(
            uid, values["owner"], values["object_type"], values["version"], sealed
        )
        values["sealed"] = reseal(envelope)
        values["sealed_digest"] = digest_sealed(values["sealed"])
        update = {
            "of_serial": serial,
            "sealed": values["sealed"],
            "sealed_digest": values["sealed_digest"],
            "mac": self._authenticator.object_mac(values),
        }
        return _Resealed(uid, serial, row[_MAC], update)


def _draft(uids: Sequence[str]) -> Draft:
    """The audit's record of a page."""
    return make_draft(COMMAND, "Rewrap", detail={"objects": len(uids)}, changes=uids)


def choose_last(lengths: Rows) -> int:
    """The serial that a page ends with. lengths: (serial, length) of objects, at least one."""
    size, last = 0, int(lengths[0][0])
    for serial, length in lengths:
        size += length
        if size > _MAX_PAGE_BYTES:
            break
        last = int(serial)
    return last
