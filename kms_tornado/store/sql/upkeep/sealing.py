"""Bringing a database under MACs: when it is new, and when a version without them wrote it.

The check value of the master key says which of the two a database is. It has another label since rows
have codes, so nobody without the master key can make it from the former one. Thus rows without codes are
trusted once, in the transaction that replaces the check value, and never again.
"""

from __future__ import annotations

import logging
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, delete, insert, or_, select, update

from ....domain.nonces import NonceSource
from ....errors import ConfigurationError
from ....kmip.enums import ObjectType
from ...interface.master_keys import LOST_CHECK_VALUE, CheckValues, OtherMasterKey
from ...progress import LoggedProgress
from ..queries import any_object, check_value
from ..statements import NO_VALUES, OBJECT_COLUMNS, Runner, Statement
from ..tables.attribute_rows import collect_columns, format_rows, parse_rows
from ..tables.grants import format_grants
from ..tables.nonces import NonceRecords
from ..tables.owners import former_count_mac
from ..tables.row_macs import RowAuthenticator, digest_sealed
from ..tables.schema import grants, object_names, objects, owners, server_state
from ..tables.side_tables import IndexedAttributes, change_values, collect_names

_log = logging.getLogger(__name__)

# The most objects in a page. They are read and written by pages, since all of them may not fit into memory.
_PAGE = 500

_CHECK = "master_key_check"
_select_check = Statement(check_value)
_delete_check = Statement(delete(server_state).where(server_state.c.name == bindparam("of_name")))
_insert_check = Statement(insert(server_state), server_state.columns.keys())
_any_object = Statement(any_object)
_any_code = Statement(
    select(objects.c.serial).where(or_(objects.c.mac.is_not(None), objects.c.grants != "")).limit(1)
)
_serial = objects.c.serial
_select_page = Statement(
    select(_serial, *(objects.c[name] for name in OBJECT_COLUMNS))
    .where(_serial > bindparam("after"))
    .order_by(_serial)
    .limit(_PAGE)
)
_select_grants = Statement(
    select(grants.c.object, grants.c.grantee, grants.c.operation).where(
        grants.c.object > bindparam("after"), grants.c.object <= bindparam("last")
    )
)
_select_names = Statement(
    select(object_names.c.object, object_names.c.name, object_names.c.type).where(
        object_names.c.object > bindparam("after"), object_names.c.object <= bindparam("last")
    )
)
_update_object = Statement(update(objects).where(_serial == bindparam("of_serial")), OBJECT_COLUMNS)
_select_owners = Statement(select(owners.c.owner, owners.c.objects))
_update_owner = Statement(update(owners).where(owners.c.owner == bindparam("of_owner")), ("mac",))


@dataclass(slots=True)
class Sealed:
    """How many rows of an older version were accepted as they are.

    renamed: the objects that lost a Name because an older object of the same owner has it.
    """

    objects: int = 0
    renamed: int = 0
    rights: int = 0
    owners: int = 0


def bring_under_macs(
    runner: Runner, authenticator: RowAuthenticator, check: CheckValues
) -> Sealed | None:
    """Store the current check value if it is not there yet, and give the rows of an older version their MACs.

    The caller lets no other server start meanwhile. Returns None where there was nothing to take over.
    Raises OtherMasterKey and ConfigurationError.
    """
    rows = runner.select(_select_check, NO_VALUES)
    stored = rows[0][0] if rows else None
    if stored == check.current:  # another server was faster
        return None
    if stored is None:
        if runner.select(_any_object, NO_VALUES):
            raise ConfigurationError(LOST_CHECK_VALUE)
        NonceRecords(runner, authenticator).begin()
        _replace_check(runner, check.current)
        return None
    if stored != check.former:
        raise OtherMasterKey
    if runner.select(_any_code, NO_VALUES):
        raise ConfigurationError(
            "the database holds the check value of an older version beside rows of this one: something "
            "else than this server put it there; restore a backup"
        )
    sealed = Sealed()
    progress = LoggedProgress("were given codes")
    for page in _read_pages(runner):
        _seal_page(runner, authenticator, page, sealed)
        progress.add(len(page))
    _seal_owners(runner, authenticator, sealed)
    NonceRecords(runner, authenticator).begin()
    _replace_check(runner, check.current)
    return sealed


def log_sealed(sealed: Sealed) -> None:
    _log.warning(
        "an older version wrote this database, without codes that show who wrote a row: took its rows as "
        "they are (objects: %d, access rights: %d, owners: %d) and gave them codes; from now on a row that "
        "anything else writes is refused",
        sealed.objects,
        sealed.rights,
        sealed.owners,
    )
    if sealed.renamed:
        _log.warning(
            "objects that lost their Name, as their owner had given it to an older object before: %d",
            sealed.renamed,
        )


def _replace_check(runner: Runner, value: bytes) -> None:
    runner.change(_delete_check, {"of_name": _CHECK})
    runner.change(_insert_check, {"name": _CHECK, "value": value})


def _read_pages(runner: Runner) -> Iterator[Sequence[Sequence[Any]]]:
    after = 0
    while page := runner.select(_select_page, {"after": after}):
        yield page
        after = page[-1][0]


def _seal_page(
    runner: Runner, authenticator: RowAuthenticator, page: Sequence[Sequence[Any]], sealed: Sealed
) -> None:
    rights: dict[int, dict[str, set[int]]] = {}
    serials = {"after": page[0][0] - 1, "last": page[-1][0]}
    granted = runner.select(_select_grants, serials)
    indexed_names = {tuple(name) for name in runner.select(_select_names, serials)}
    for serial, grantee, operation in granted:
        rights.setdefault(serial, {}).setdefault(grantee, set()).add(operation)
    rows = []
    for serial, *values in page:
        row = dict(zip(OBJECT_COLUMNS, values, strict=True))
        table = rights.get(serial, {})
        row["grants"] = format_grants({user: frozenset(table[user]) for user in table})
        row["sealed_digest"] = digest_sealed(row["sealed"])
        if row["object_type"] == ObjectType.SYMMETRIC_KEY:
            row["nonce_source"] = int(NonceSource.SERVER_UNRECORDED)
        _derive_columns(row)
        sealed.renamed += _drop_lost_names(runner, serial, row, indexed_names)
        row["mac"] = authenticator.object_mac(row)
        rows.append({**row, "of_serial": serial})
    runner.change_all(_update_object, rows)
    sealed.objects += len(rows)
    sealed.rights += len(granted)


def _derive_columns(row: dict[str, Any]) -> None:
    try:
        row.update(collect_columns(parse_rows(row["attributes"])))
    except (ValueError, TypeError, LookupError):  # it cannot be read, and stays so
        pass


def _drop_lost_names(
    runner: Runner, serial: int, row: dict[str, Any], indexed_names: Container[tuple[int, str, int]]
) -> bool:
    """Remove the names from an object for which the index does not have them; whether there were any.

    In the first versions, two objects of an owner could have the same Name. The index gave it to the older object.
    named: (serial, name, type) in the index.
    """
    try:
        rows = parse_rows(row["attributes"])
        names = collect_names(row["owner"], row["state"], rows).names
    except (ValueError, TypeError, LookupError):
        return False
    if all((serial, *name) in indexed_names for name in names):
        return False
    remaining = [
        attribute
        for attribute in rows
        if all(
            (serial, *name) in indexed_names
            for name in collect_names(row["owner"], row["state"], [attribute]).names
        )
    ]
    row["attributes"] = format_rows(remaining)
    owner = row["owner"]
    change_values(
        runner, serial, IndexedAttributes(owner, rows), IndexedAttributes(owner, remaining)
    )
    return True


def _seal_owners(runner: Runner, authenticator: RowAuthenticator, sealed: Sealed) -> None:
    rows = [
        {"of_owner": owner, "mac": former_count_mac(authenticator, owner, number)}
        for owner, number in runner.select(_select_owners, NO_VALUES)
    ]
    if rows:
        runner.change_all(_update_owner, rows)
    sealed.owners = len(rows)
