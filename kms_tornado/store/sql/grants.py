"""Rights that an owner grants on an object, as rows. Whose object it is, `changes` has seen to."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import bindparam, delete, distinct, func, insert, select

from ...errors import ServerLimitExceeded
from ...kmip.enums import Operation
from ..bounds import MOST_GRANTEES
from .schema import grants
from .statements import Runner, Statement

_of_object = grants.c.object == bindparam("wanted_object")
_granted = (_of_object, grants.c.grantee == bindparam("wanted_grantee"))
_operations = Statement(select(grants.c.operation).where(*_granted))
_grantees = Statement(select(func.count(distinct(grants.c.grantee))).where(_of_object))
_insert = Statement(insert(grants), grants.columns.keys())
_delete = Statement(
    delete(grants).where(*_granted, grants.c.operation == bindparam("wanted_operation"))
)
_delete_all = Statement(delete(grants).where(_of_object))


def grant(runner: Runner, serial: int, grantee: str, operations: Collection[Operation]) -> None:
    """Raises ServerLimitExceeded."""
    known = _granted_to(runner, serial, grantee)
    new = sorted(set(operations) - known)
    if not new:
        return
    if not known:
        _check_grantees(runner, serial)
    runner.change_all(
        _insert,
        [{"object": serial, "grantee": grantee, "operation": int(each)} for each in new],
    )


def withdraw(runner: Runner, serial: int, grantee: str, operations: Collection[Operation]) -> bool:
    """True where a right went away."""
    gone = sorted(_granted_to(runner, serial, grantee).intersection(operations))
    if gone:
        of_them = {"wanted_object": serial, "wanted_grantee": grantee}
        runner.change_all(_delete, [{**of_them, "wanted_operation": int(each)} for each in gone])
    return bool(gone)


def withdraw_all(runner: Runner, serial: int) -> None:
    runner.change(_delete_all, {"wanted_object": serial})


def _granted_to(runner: Runner, serial: int, grantee: str) -> set[int]:
    rows = runner.select(_operations, {"wanted_object": serial, "wanted_grantee": grantee})
    return {operation for (operation,) in rows}


def _check_grantees(runner: Runner, serial: int) -> None:
    ((number,),) = runner.select(_grantees, {"wanted_object": serial})
    if number >= MOST_GRANTEES:
        raise ServerLimitExceeded(
            f"at most {MOST_GRANTEES} users have rights on one object: * stands for everyone"
        )
