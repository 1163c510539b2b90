"""The identifiers of removed objects, which remain their owners'.

Clients keep an identifier for as long as they have data encrypted with the key. If somebody else could take the
identifier of a removed key, they would encrypt with a stranger's key.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    LargeBinary,
    Text,
    bindparam,
    delete,
    insert,
    null,
    select,
    update,
)

from ....domain.access import identifier_taken
from ....domain.managed_object import ManagedObject
from ..statements import Runner, Statement
from .row_macs import RowAuthenticator
from .schema import objects, tombstones

#: Owns the identifiers of objects whose rows are gone without a record: nobody gets them, until they are back.
NOBODY = ""

_insert = Statement(insert(tombstones), tombstones.columns.keys())
_delete = Statement(delete(tombstones).where(tombstones.c.uid == bindparam("of_uid")))

_update = Statement(
    update(tombstones).where(tombstones.c.uid == bindparam("of_uid")), ("owner", "mac")
)

_MAX_UIDS = 512  # in one statement, a power of two

_page = Statement(
    select(tombstones)
    .where(tombstones.c.uid > bindparam("after"))
    .order_by(tombstones.c.uid)
    .limit(_MAX_UIDS)
)

#: (owner, code) of the identifier's tombstone; NULLs for an object that has the identifier.
by_uid = (
    select(null().cast(Text).label("owner"), null().cast(LargeBinary).label("mac"))
    .where(objects.c.uid == bindparam("uid"))
    .union_all(
        select(tombstones.c.owner, tombstones.c.mac).where(tombstones.c.uid == bindparam("uid"))
    )
)


@cache  # ten statements at most, as `number` is a power of two
def _select(number: int) -> Statement:
    uids: list[BindParameter[str]] = [bindparam(f"uid_{place}") for place in range(number)]
    return Statement(select(tombstones).where(tombstones.c.uid.in_(uids)))


def bury(runner: Runner, uid: str, owner: str, authenticator: RowAuthenticator) -> None:
    """Keep the identifier of a removed object for its owner."""
    runner.change(_delete, {"of_uid": uid})
    mac = _make_mac(authenticator, uid, owner)
    runner.change(_insert, {"uid": uid, "owner": owner, "mac": mac})


def keep_from_all(runner: Runner, uid: str, authenticator: RowAuthenticator) -> None:
    """Let nobody take the identifier, unless it already belongs to some owner."""
    if not runner.select(_select(1), {"uid_0": uid}):
        mac = _make_mac(authenticator, uid, NOBODY)
        runner.change(_insert, {"uid": uid, "owner": NOBODY, "mac": mac})


def release(runner: Runner, uid: str) -> None:
    """Undo `keep_from_all`."""
    for _, owner, _ in runner.select(_select(1), {"uid_0": uid}):
        if owner == NOBODY:
            runner.change(_delete, {"of_uid": uid})


def check_free(
    runner: Runner, added: Sequence[ManagedObject], authenticator: RowAuthenticator
) -> None:
    """Raises ObjectAlreadyExists where the identifier of a new object is another owner's, and AlteredRow.

    Called after the objects were added: because identifiers are unique, this transaction then waits for one that is
    removing the object, and sees the tombstone that it left.
    """
    owners = {new.uid: new.owner for new in added}
    uids = list(owners)
    for start in range(0, len(uids), _MAX_UIDS):
        part = uids[start : start + _MAX_UIDS]
        number = 1 << (len(part) - 1).bit_length()
        part += part[-1:] * (number - len(part))
        values = {f"uid_{place}": uid for place, uid in enumerate(part)}
        for uid, owner, mac in runner.select(_select(number), values):
            _check(uid, owner, mac, authenticator)
            if owner != owners[uid]:
                raise identifier_taken()


def rename_page(
    runner: Runner, after: str, rename: Callable[[str], str], authenticator: RowAuthenticator
) -> str | None:
    """Give some identifiers after `after` to the owners' new names.

    Returns the last of these identifiers; None where there are no more.
    """
    rows = runner.select(_page, {"after": after})
    changed = []
    for uid, owner, mac in rows:
        _check(uid, owner, mac, authenticator)
        if owner != NOBODY and (new := rename(owner)) != owner:
            mac = _make_mac(authenticator, uid, new)
            changed.append({"of_uid": uid, "owner": new, "mac": mac})
    if changed:
        runner.change_all(_update, changed)
    return rows[-1][0] if rows else None


def is_taken(
    rows: Sequence[Sequence[Any]], uid: str, owner: str, authenticator: RowAuthenticator
) -> bool:
    """Whether the rows of `by_uid` forbid the owner to give a new object this identifier. Raises AlteredRow."""
    for buried_owner, mac in rows:
        if buried_owner is None:
            return True
        _check(uid, buried_owner, mac, authenticator)
        if buried_owner != owner:
            return True
    return False


def _make_mac(authenticator: RowAuthenticator, uid: str, owner: str) -> bytes:
    return authenticator.row_mac("tombstones", uid, owner)


def _check(uid: str, owner: str, mac: bytes, authenticator: RowAuthenticator) -> None:
    authenticator.check_row(f"the removed object {uid}", mac, "tombstones", uid, owner)
