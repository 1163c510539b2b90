"""The reading statements whose text never changes. Values are bound parameters, never text.

Owner and rights are decided in Python, from rows whose codes were checked: the object and its rights come
in one row. Only searches and lists select by owner and by the index of grants.
"""

from __future__ import annotations

import functools
from collections.abc import Collection
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Dialect,
    bindparam,
    literal_column,
    select,
)

from ...kmip.enums import Operation
from ...user_names import EVERYONE
from ..bounds import MAX_LISTED
from . import tombstones
from .bundles import select_bundles
from .rows import LISTED_ROW, OBJECT_ROW
from .schema import grants, objects, server_state
from .search_filter import write_constant
from .statements import Prepared

principal_parameter: BindParameter[Any] = bindparam("principal")
# EVERYONE is part of the text: as a parameter it would be bound anew for every read.
_everyone: ColumnElement[str] = literal_column(f"'{EVERYONE}'", grants.c.grantee.type)
_is_grantee = grants.c.grantee.in_([principal_parameter, _everyone])
_is_right = grants.c.operation.in_([bindparam("right"), bindparam("other_right")])
_NO_RIGHT = 0  # no operation has this number

#: The serials of all objects on which the principal has any right.
serials_of_any_right = select(grants.c.object).where(_is_grantee)
#: The serials of the objects on which the principal itself was granted any right.
serials_by_name = select(grants.c.object).where(grants.c.grantee == principal_parameter)
#: The serials of the objects on which the principal itself was granted one of the rights.
serials_of_rights_by_name = serials_by_name.where(_is_right)
#: The serials of the objects on which everyone has any right.
serials_for_everyone = select(grants.c.object).where(grants.c.grantee == _everyone)
#: The serials of the objects on which everyone has one of the rights.
serials_of_rights_for_everyone = serials_for_everyone.where(_is_right)


by_uid = select(*OBJECT_ROW).where(objects.c.uid == bindparam("uid"))

#: The row once for each right of the principal or of everyone in the index, with (grantee, operation);
#: once with NULLs where there is none.
by_uid_with_grants = (
    select(*OBJECT_ROW, grants.c.grantee, grants.c.operation)
    .select_from(objects.outerjoin(grants, (grants.c.object == objects.c.serial) & _is_grantee))
    .where(objects.c.uid == bindparam("uid"))
)


def bind_caller(principal: str, rights: Collection[Operation]) -> dict[str, Any]:
    """{parameter: value} for the principal and the rights in the statements above. rights: two at most."""
    right, other_right = (*rights, _NO_RIGHT, _NO_RIGHT)[:2]
    return {"principal": principal, "right": right, "other_right": other_right}


# --- listings -----------------------------------------------------------------------------------

owned = (
    select(*LISTED_ROW)
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
    select(*LISTED_ROW, grants.c.operation)
    .join_from(grants, objects, objects.c.serial == grants.c.object)
    .where(_is_grantee, objects.c.serial.in_(_newest_granted))
    .order_by(objects.c.created_at.desc(), objects.c.serial.desc())
)

# --- the database as a whole --------------------------------------------------------------------

any_object = select(objects.c.serial).limit(write_constant(1))

check_value = select(server_state.c.value).where(server_state.c.name == "master_key_check")
naming_value = select(server_state.c.value).where(server_state.c.name == "user_naming")


class PreparedQueries:
    """The statements of this module that `SQLStore` runs on any backend, compiled for its database."""

    def __init__(self, dialect: Dialect) -> None:
        self.any_object = Prepared(any_object, dialect)
        self.by_uid = Prepared(by_uid, dialect)
        self.by_uid_with_grants = Prepared(by_uid_with_grants, dialect)
        self.check_value = Prepared(check_value, dialect)
        self.granted = Prepared(granted, dialect)
        self.bundles = Prepared(select_bundles, dialect)
        self.identifier = Prepared(tombstones.by_uid, dialect)
        self.naming_value = Prepared(naming_value, dialect)
        self.owned = Prepared(owned, dialect)


@functools.cache
def prepare_queries(dialect: Dialect) -> PreparedQueries:
    """They depend on the kind of database alone, and are compiled once a process."""
    return PreparedQueries(dialect)
