"""The reading statements whose text never changes. Values are bound parameters, never text.

Every statement that reads an object for a principal checks owner and rights itself, so that no right
outlives its withdrawal: the object and the right come from one snapshot.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import (
    BindParameter,
    Dialect,
    Exists,
    bindparam,
    exists,
    literal_column,
    null,
    or_,
    select,
)

from ...kmip.enums import Operation
from ...user_names import EVERYONE
from ..bounds import MAX_LISTED
from .rows import OBJECT_ROW
from .schema import grants, objects, server_state
from .search_filter import write_constant
from .statements import Prepared

principal_parameter: BindParameter[Any] = bindparam("principal")
# EVERYONE is part of the text: as a parameter it would be bound anew for every read.
_is_grantee = grants.c.grantee.in_([principal_parameter, literal_column(f"'{EVERYONE}'")])
_is_right = grants.c.operation.in_([bindparam("right"), bindparam("other_right")])
_NO_RIGHT = 0  # no operation has this number

#: The serials of all objects on which the principal has any right.
serials_of_any_right = select(grants.c.object).where(_is_grantee)
#: The serials of all objects on which the principal itself was granted one of the rights.
serials_of_rights_by_name = select(grants.c.object).where(
    grants.c.grantee == principal_parameter, _is_right
)

by_uid = select(*OBJECT_ROW).where(objects.c.uid == bindparam("uid"))

by_uid_of_owner = by_uid.where(objects.c.owner == principal_parameter)
_is_granted: Exists = exists().where(grants.c.object == objects.c.serial, _is_grantee, _is_right)
by_uid_for = by_uid.where(or_(objects.c.owner == principal_parameter, _is_granted))


def bind_caller(principal: str, rights: Collection[Operation]) -> dict[str, Any]:
    """{parameter: value} for the principal and the rights in the statements above. rights: two at most."""
    right, other_right = (*rights, _NO_RIGHT, _NO_RIGHT)[:2]
    return {"principal": principal, "right": right, "other_right": other_right}


# --- listings -----------------------------------------------------------------------------------

_ROW_WITHOUT_MATERIAL = [
    null().label("sealed") if column is objects.c.sealed else column for column in OBJECT_ROW
]

owned = (
    select(*_ROW_WITHOUT_MATERIAL)
    .where(objects.c.owner == principal_parameter)
    .order_by(objects.c.created_at.desc(), objects.c.serial.desc())
    .limit(write_constant(MAX_LISTED))
)

_newest_granted = (
    select(objects.c.serial)
    .where(objects.c.serial.in_(serials_of_any_right), objects.c.owner != principal_parameter)
    .order_by(objects.c.created_at.desc(), objects.c.serial.desc())
    .limit(write_constant(MAX_LISTED))
)
#: A row for each granted operation, the rows of one object next to each other.
granted = (
    select(*_ROW_WITHOUT_MATERIAL, grants.c.operation)
    .join_from(grants, objects, objects.c.serial == grants.c.object)
    .where(_is_grantee, objects.c.serial.in_(_newest_granted))
    .order_by(objects.c.created_at.desc(), objects.c.serial.desc())
)

#: (grantee, operation); a single row of NULLs where nothing is granted, no row without such an object.
grants_on = (
    select(grants.c.grantee, grants.c.operation)
    .select_from(objects.outerjoin(grants, grants.c.object == objects.c.serial))
    .where(objects.c.uid == bindparam("uid"), objects.c.owner == bindparam("owner"))
    .order_by(grants.c.grantee)
)

# --- the database as a whole --------------------------------------------------------------------

any_object = select(objects.c.serial).limit(write_constant(1))

check_value = select(server_state.c.value).where(server_state.c.name == "master_key_check")


class PreparedQueries:
    """The statements of this module that `SQLStore` runs on any backend, compiled for its database."""

    def __init__(self, dialect: Dialect) -> None:
        self.any_object = Prepared(any_object, dialect)
        self.by_uid = Prepared(by_uid, dialect)
        self.check_value = Prepared(check_value, dialect)
        self.granted = Prepared(granted, dialect)
        self.grants_on = Prepared(grants_on, dialect)
        self.owned = Prepared(owned, dialect)
