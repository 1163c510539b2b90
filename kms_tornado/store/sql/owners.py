"""The number of each owner's objects, in a row of `owners` under a MAC.

To count the rows for every new object would take longer than to insert it.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert

from ...domain.managed_object import MAX_OBJECTS_OF_AN_OWNER
from ...errors import ServerLimitExceeded
from .row_macs import AlteredRow, RowAuthenticator
from .schema import objects, owners
from .statements import Runner, Statement

_is_owner = owners.c.owner == bindparam("of_owner")
_select = Statement(select(owners.c.objects, owners.c.mac).where(_is_owner).with_for_update())
_update = Statement(update(owners).where(_is_owner), ("objects", "mac"))
# The dialects of both databases write "ON CONFLICT DO NOTHING".
_insert = Statement(insert(owners).on_conflict_do_nothing(), owners.columns.keys())
_count = Statement(select(func.count()).where(objects.c.owner == bindparam("of_owner")))


def count_objects(
    runner: Runner, differences: Mapping[str, int], authenticator: RowAuthenticator
) -> None:
    """Update the number of each owner's objects. differences: {owner: change of the number}.

    Called after the objects were added and removed. Raises ServerLimitExceeded for more than
    MAX_OBJECTS_OF_AN_OWNER, and AlteredRow.
    """
    for owner, difference in sorted(differences.items()):
        if not difference:
            continue
        present = _read_count(runner, owner, authenticator)
        if present is None:
            if _begin_count(runner, owner, difference, authenticator):
                continue
            # Another transaction added the owner's first object, and this one has waited for it.
            present = _read_count(runner, owner, authenticator) or 0
        number = _add_up(present, difference)
        mac = count_mac(authenticator, owner, number)
        runner.change(_update, {"of_owner": owner, "objects": number, "mac": mac})


def _begin_count(runner: Runner, owner: str, number: int, authenticator: RowAuthenticator) -> bool:
    """Add the row of an owner who never had an object; False where it is there by now."""
    mac = count_mac(authenticator, owner, _add_up(0, number))
    if not runner.change(_insert, {"owner": owner, "objects": number, "mac": mac}):
        return False
    ((counted,),) = runner.select(_count, {"of_owner": owner})
    if counted != number:
        raise AlteredRow(f"the count of {owner}'s objects", "it was deleted")
    return True


def _add_up(present: int, difference: int) -> int:
    number = present + difference
    if difference > 0 and number > MAX_OBJECTS_OF_AN_OWNER:
        raise ServerLimitExceeded(f"nobody owns more than {MAX_OBJECTS_OF_AN_OWNER} objects")
    return number


def count_mac(authenticator: RowAuthenticator, owner: str, number: int) -> bytes:
    return authenticator.row_mac("owners", owner, number)


def _read_count(runner: Runner, owner: str, authenticator: RowAuthenticator) -> int | None:
    """The number, with its row locked; None where the owner never had an object."""
    rows = runner.select(_select, {"of_owner": owner})
    if not rows:
        return None
    number, mac = rows[0]
    authenticator.check_row(f"the count of {owner}'s objects", mac, "owners", owner, number)
    present: int = number
    return present
