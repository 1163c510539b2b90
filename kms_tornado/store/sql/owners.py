"""The number of each owner's objects, in a row of `owners` under a MAC.

To count the rows for every new object would take longer than to insert it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import BindParameter, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert

from ...domain.managed_object import MAX_OBJECTS_OF_AN_OWNER
from ...errors import ServerLimitExceeded
from .row_macs import AlteredRow, RowAuthenticator
from .schema import objects, owners
from .statements import Runner, Statement

_is_owner = owners.c.owner == bindparam("of_owner")
_update = Statement(update(owners).where(_is_owner), ("objects", "mac"))
# The dialects of both databases write "ON CONFLICT DO NOTHING".
_insert = Statement(insert(owners).on_conflict_do_nothing(), owners.columns.keys())
_MAX_OWNERS = 512  # in one statement, a power of two
_count = Statement(select(func.count()).where(objects.c.owner == bindparam("of_owner")))


@cache  # ten statements at most, as `number` is a power of two
def _select(number: int) -> Statement:
    """Locks the rows in the order of the owners, so that two writers do not deadlock."""
    names: list[BindParameter[str]] = [bindparam(f"owner_{place}") for place in range(number)]
    return Statement(
        select(owners.c.owner, owners.c.objects, owners.c.mac)
        .where(owners.c.owner.in_(names))
        .order_by(owners.c.owner)
        .with_for_update()
    )


def count_objects(
    runner: Runner, differences: Mapping[str, int], authenticator: RowAuthenticator
) -> None:
    """Update the number of each owner's objects. differences: {owner: change of the number}.

    Called after the objects were added and removed. Raises ServerLimitExceeded for more than
    MAX_OBJECTS_OF_AN_OWNER, and AlteredRow.
    """
    differences = {owner: number for owner, number in differences.items() if number}
    present = _read_counts(runner, sorted(differences), authenticator)
    rows = []
    for owner, difference in sorted(differences.items()):
        if owner not in present:
            if _begin_count(runner, owner, difference, authenticator):
                continue
            # Another transaction added the owner's first object, and this one has waited for it.
            present |= _read_counts(runner, [owner], authenticator)
        number = add_up(present.get(owner, 0), difference)
        mac = count_mac(authenticator, owner, number)
        rows.append({"of_owner": owner, "objects": number, "mac": mac})
    if rows:
        runner.change_all(_update, rows)


def _begin_count(runner: Runner, owner: str, number: int, authenticator: RowAuthenticator) -> bool:
    """Add the row of an owner who never had an object; False where it is there by now."""
    mac = count_mac(authenticator, owner, add_up(0, number))
    if not runner.change_counted(_insert, {"owner": owner, "objects": number, "mac": mac}):
        return False
    ((counted,),) = runner.select(_count, {"of_owner": owner})
    if counted != number:
        raise AlteredRow(f"the count of {owner}'s objects", "it was deleted")
    return True


def add_up(present: int, difference: int) -> int:
    """The new number. Raises ServerLimitExceeded."""
    number = present + difference
    if difference > 0 and number > MAX_OBJECTS_OF_AN_OWNER:
        raise ServerLimitExceeded(f"nobody owns more than {MAX_OBJECTS_OF_AN_OWNER} objects")
    return number


def count_mac(authenticator: RowAuthenticator, owner: str, number: int) -> bytes:
    return authenticator.row_mac("owners", owner, number)


def check_count(authenticator: RowAuthenticator, owner: str, number: Any, mac: Any) -> None:
    """Raises AlteredRow."""
    authenticator.check_row(f"the count of {owner}'s objects", mac, "owners", owner, number)


def _read_counts(
    runner: Runner, names: Sequence[str], authenticator: RowAuthenticator
) -> dict[str, int]:
    """{owner: number} with the rows locked, without owners who never had an object."""
    counts: dict[str, int] = {}
    for start in range(0, len(names), _MAX_OWNERS):
        part = list(names[start : start + _MAX_OWNERS])
        number_of_values = 1 << (len(part) - 1).bit_length()
        part += part[-1:] * (number_of_values - len(part))
        values = {f"owner_{place}": owner for place, owner in enumerate(part)}
        for owner, number, mac in runner.select(_select(number_of_values), values):
            check_count(authenticator, owner, number, mac)
            counts[owner] = number
    return counts
