"""The rows of `grants`: access rights that an owner gave others on an object.

`changes` has checked the owner before it calls these functions. serial: of the object.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import bindparam, delete, distinct, func, insert, select

from ...errors import ServerLimitExceeded
from ...kmip.enums import Operation
from ..bounds import MAX_GRANTEES
from .schema import grants
from .statements import Runner, Statement

_of_object = grants.c.object == bindparam("of_object")
_of_grantee = (_of_object, grants.c.grantee == bindparam("of_grantee"))
_operations = Statement(select(grants.c.operation).where(*_of_grantee))
_grantee_count = Statement(select(func.count(distinct(grants.c.grantee))).where(_of_object))
_insert = Statement(insert(grants), grants.columns.keys())
_delete = Statement(
    delete(grants).where(*_of_grantee, grants.c.operation == bindparam("of_operation"))
)
_delete_all = Statement(delete(grants).where(_of_object))


def grant(runner: Runner, serial: int, grantee: str, operations: Collection[Operation]) -> None:
    """Add the rights that the grantee does not have yet.

    Raises ServerLimitExceeded for a grantee beyond MAX_GRANTEES.
    """
    granted = _read_operations(runner, serial, grantee)
    new = sorted(set(operations) - granted)
    if not new:
        return
    if not granted:
        _check_grantee_count(runner, serial)
    runner.change_all(
        _insert,
        [{"object": serial, "grantee": grantee, "operation": int(operation)} for operation in new],
    )


def withdraw(runner: Runner, serial: int, grantee: str, operations: Collection[Operation]) -> bool:
    """Withdraw the rights; True if at least one of them was granted before."""
    withdrawn = sorted(_read_operations(runner, serial, grantee).intersection(operations))
    if withdrawn:
        row = {"of_object": serial, "of_grantee": grantee}
        runner.change_all(
            _delete, [{**row, "of_operation": int(operation)} for operation in withdrawn]
        )
    return bool(withdrawn)


def withdraw_all(runner: Runner, serial: int) -> None:
    """Withdraw the rights of all grantees."""
    runner.change(_delete_all, {"of_object": serial})


def _read_operations(runner: Runner, serial: int, grantee: str) -> set[int]:
    rows = runner.select(_operations, {"of_object": serial, "of_grantee": grantee})
    return {operation for (operation,) in rows}


def _check_grantee_count(runner: Runner, serial: int) -> None:
    ((count,),) = runner.select(_grantee_count, {"of_object": serial})
    if count >= MAX_GRANTEES:
        raise ServerLimitExceeded(
            f"at most {MAX_GRANTEES} users have rights on one object: * stands for everyone"
        )
