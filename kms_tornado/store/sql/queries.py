"""The questions to the database. Values are bound parameters, never part of the text."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import (
    BindParameter,
    Exists,
    bindparam,
    exists,
    literal_column,
    null,
    or_,
    select,
)

from ...domain.access import EVERYONE
from ...kmip.enums import Operation
from ..bounds import MOST_LISTED
from .rows import COLUMNS
from .schema import grants, objects, server_state
from .search_filter import constant

principal_parameter: BindParameter[Any] = bindparam("principal")
# A constant as part of the text: as a parameter it would be bound anew for every read.
_to_them = grants.c.grantee.in_([principal_parameter, literal_column(f"'{EVERYONE}'")])
_in_rights = grants.c.operation.in_([bindparam("right"), bindparam("other_right")])
_NO_RIGHT = 0  # no operation has this number

#: Every object that the principal has a right on, whatever it is.
serials_of_any_right = select(grants.c.object).where(_to_them)
#: Every object that the principal has one of the rights on.
serials_of_rights = serials_of_any_right.where(_in_rights)

by_uid = select(*COLUMNS).where(objects.c.uid == bindparam("uid"))

by_uid_of_owner = by_uid.where(objects.c.owner == principal_parameter)
_is_granted: Exists = exists().where(grants.c.object == objects.c.serial, _to_them, _in_rights)
#: Owner or right, and the object, as of one moment.
by_uid_for = by_uid.where(or_(objects.c.owner == principal_parameter, _is_granted))


def asking(principal: str, rights: Collection[Operation]) -> dict[str, Any]:
    """The values by which a statement knows who asks. rights: two at most."""
    right, other_right = (*rights, _NO_RIGHT, _NO_RIGHT)[:2]
    return {"principal": principal, "right": right, "other_right": other_right}


# --- listings -----------------------------------------------------------------------------------

_WITHOUT_MATERIAL = [null().label("sealed") if c is objects.c.sealed else c for c in COLUMNS]

owned = (
    select(*_WITHOUT_MATERIAL)
    .where(objects.c.owner == principal_parameter)
    .order_by(objects.c.created_at.desc(), objects.c.serial.desc())
    .limit(constant(MOST_LISTED))
)

_newest_obtained = (
    select(objects.c.serial)
    .where(objects.c.serial.in_(serials_of_any_right), objects.c.owner != principal_parameter)
    .order_by(objects.c.created_at.desc(), objects.c.serial.desc())
    .limit(constant(MOST_LISTED))
)
#: A row for each granted operation, the rows of one object beside each other.
obtained = (
    select(*_WITHOUT_MATERIAL, grants.c.operation)
    .join_from(grants, objects, objects.c.serial == grants.c.object)
    .where(_to_them, objects.c.serial.in_(_newest_obtained))
    .order_by(objects.c.created_at.desc(), objects.c.serial.desc())
)

#: (grantee, operation); one row of None where nothing is granted, none without such an object.
grants_on = (
    select(grants.c.grantee, grants.c.operation)
    .select_from(objects.outerjoin(grants, grants.c.object == objects.c.serial))
    .where(objects.c.uid == bindparam("uid"), objects.c.owner == bindparam("owner"))
    .order_by(grants.c.grantee)
)

# --- the database as a whole --------------------------------------------------------------------

any_object = select(objects.c.serial).limit(1)

check_value = select(server_state.c.value).where(server_state.c.name == "master_key_check")
