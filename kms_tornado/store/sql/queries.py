"""The reading statements whose text never changes. Values are bound parameters, never text.

Owner and rights are decided in Python, from rows whose codes were checked: the object and its rights come
in one row. Only searches and lists select by owner and by the index of grants.

Statements that look for the caller's grants compare the grantee with the caller's name, and with the names of
the caller's groups. Each is written for a number of groups, a power of two, so that there are ten texts of it
at most; the text without groups has no parameter for one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Dialect,
    Select,
    bindparam,
    func,
    literal_column,
    select,
    union,
)

from ...kmip.enums import Operation
from ...user_names import EVERYONE
from ..bounds import MAX_LISTED
from .constants import write_constant
from .statements import Prepared
from .tables import schema, tombstones
from .tables.rows import LISTED_ROW, OBJECT_ROW
from .tables.schema import audit_uses, grants, objects, server_state

principal_parameter: BindParameter[Any] = bindparam("principal")
# EVERYONE is part of the text: as a parameter it would be bound anew for every read.
_everyone: ColumnElement[str] = literal_column(f"'{EVERYONE}'", grants.c.grantee.type)
_is_right = grants.c.operation.in_([bindparam("right"), bindparam("other_right")])
_NO_RIGHT = 0  # no operation has this number


def _list_names(group_count: int) -> list[ColumnElement[Any]]:
    """The parameters for the caller's name and those of its groups."""
    return [principal_parameter, *(bindparam(_name_group(place)) for place in range(group_count))]


def _name_group(place: int) -> str:
    return f"group_{place}"


def is_grantee(group_count: int) -> ColumnElement[bool]:
    """A condition: the grantee is the caller, one of its groups, or everyone."""
    return grants.c.grantee.in_([*_list_names(group_count), _everyone])


@cache
def serials_by_name(group_count: int = 0) -> Select[Any]:
    """The serials of the objects on which the caller or one of its groups was granted any right."""
    search = select(grants.c.object)
    if not group_count:
        return search.where(grants.c.grantee == principal_parameter)
    return search.where(grants.c.grantee.in_(_list_names(group_count)))


@cache
def serials_of_rights_by_name(group_count: int = 0) -> Select[Any]:
    """The serials of the objects on which the caller or one of its groups was granted one of the rights."""
    return serials_by_name(group_count).where(_is_right)


#: The serials of the objects on which everyone has any right.
serials_for_everyone = select(grants.c.object).where(grants.c.grantee == _everyone)
#: The serials of the objects on which everyone has one of the rights.
serials_of_rights_for_everyone = serials_for_everyone.where(_is_right)


by_uid = select(*OBJECT_ROW).where(objects.c.uid == bindparam("uid"))


def write_by_uid_with_grants(group_count: int) -> Select[Any]:
    """Selects an object's row, once for each right of the caller or of everyone, with (grantee, operation).

    Without such a right, it selects the row once, with NULLs.
    """
    is_right_here = (grants.c.object == objects.c.serial) & is_grantee(group_count)
    return (
        select(*OBJECT_ROW, grants.c.grantee, grants.c.operation)
        .select_from(objects.outerjoin(grants, is_right_here))
        .where(objects.c.uid == bindparam("uid"))
    )


def bind_caller(
    principal: str, rights: Collection[Operation], groups: Collection[str] = ()
) -> dict[str, Any]:
    """{parameter: value} for the caller and the rights in the statements above. rights: two at most."""
    right, other_right = (*rights, _NO_RIGHT, _NO_RIGHT)[:2]
    caller = {"principal": principal, "right": right, "other_right": other_right}
    return {**caller, **bind_groups(groups)} if groups else caller


def count_slots(groups: Collection[str]) -> int:
    """The number of groups for which the statement is written that serves these groups."""
    return 1 << (len(groups) - 1).bit_length() if groups else 0


def bind_groups(groups: Collection[str]) -> dict[str, str]:
    """{parameter: value} for a statement with `count_slots` groups. The last group fills the remaining parameters."""
    if not groups:
        return {}
    names = [*groups]
    names += names[-1:] * (count_slots(groups) - len(names))
    return {_name_group(place): name for place, name in enumerate(names)}


# --- listings -----------------------------------------------------------------------------------


def _find_of_uses(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """A look-up for each row. A join might read all uses of all objects in order to find those of a thousand."""
    return select(column).where(audit_uses.c.uid == objects.c.uid).scalar_subquery()


NEWEST_FIRST = (objects.c.created_at.desc(), objects.c.serial.desc())

#: (*LISTED_ROW, uses, last_used), with NULLs where the audit's index knows of no use.
all_owned = (
    select(*LISTED_ROW, *map(_find_of_uses, (audit_uses.c.uses, audit_uses.c.last_used)))
    .where(objects.c.owner == principal_parameter)
    .order_by(*NEWEST_FIRST)
)
owned = all_owned.limit(write_constant(MAX_LISTED))


def write_granted(group_count: int) -> Select[Any]:
    """Selects a row for each grantee that stands for the caller and each operation.

    Rows of one object follow each other.
    """
    newest = select_newest_granted(group_count).limit(write_constant(MAX_LISTED))
    return select_granted(group_count, newest)


def select_newest_granted(group_count: int) -> Select[Any]:
    """Selects the serials of other owners' objects on which the caller has any right, the newest first."""
    serials_of_any_right = select(grants.c.object).where(is_grantee(group_count))
    return (
        select(objects.c.serial)
        .where(objects.c.serial.in_(serials_of_any_right), objects.c.owner != principal_parameter)
        .order_by(*NEWEST_FIRST)
    )


def select_granted(group_count: int, serials: Select[Any]) -> Select[Any]:
    """Selects the rows of `write_granted` for some objects. serials: selects the serials of these."""
    return (
        select(*LISTED_ROW, grants.c.grantee, grants.c.operation)
        .join_from(grants, objects, objects.c.serial == grants.c.object)
        .where(is_grantee(group_count), objects.c.serial.in_(serials))
        .order_by(*NEWEST_FIRST)
    )


#: (serial, identifier) of some of an owner's objects, behind a serial.
uids_of_owner = (
    select(objects.c.serial, objects.c.uid)
    .where(
        objects.c.owner == principal_parameter,
        objects.c.serial > bindparam("after", type_=objects.c.serial.type),
    )
    .order_by(objects.c.serial)
    .limit(bindparam("limit", type_=objects.c.serial.type))
)

#: Every name of a user in the database: owners, grantees but everyone, and whose the identifiers of removed
#: objects stay.
names = union(
    select(objects.c.owner),
    select(grants.c.grantee).where(grants.c.grantee != _everyone),
    select(schema.tombstones.c.owner).where(schema.tombstones.c.owner != tombstones.NOBODY),
)

#: (owner, number of objects).
counts_of_owners = select(objects.c.owner, func.count()).group_by(objects.c.owner)

# --- the database as a whole --------------------------------------------------------------------

any_object = select(objects.c.serial).limit(write_constant(1))

check_value = select(server_state.c.value).where(server_state.c.name == "master_key_check")


class PreparedForGroups:
    """A statement for each number of groups, compiled when it is first needed."""

    def __init__(self, write: Callable[[int], Select[Any]], dialect: Dialect) -> None:
        self._prepare = cache(lambda group_count: Prepared(write(group_count), dialect))
        self.without_groups: Prepared = self._prepare(0)

    def choose(self, groups: Collection[str]) -> Prepared:
        """The statement for a caller with these groups."""
        return self._prepare(count_slots(groups)) if groups else self.without_groups


@cache
def prepare_for_groups(write: Callable[[int], Select[Any]], dialect: Dialect) -> PreparedForGroups:
    """Compile a statement whose text depends on the number of groups."""
    return PreparedForGroups(write, dialect)


class PreparedQueries:
    """The statements of this module that `SQLStore` runs on any backend, compiled for its database."""

    def __init__(self, dialect: Dialect) -> None:
        self.any_object = Prepared(any_object, dialect)
        self.by_uid = Prepared(by_uid, dialect, is_frequent=True)
        self.by_uid_with_grants = prepare_for_groups(write_by_uid_with_grants, dialect)
        self.check_value = Prepared(check_value, dialect)
        self.counts_of_owners = Prepared(counts_of_owners, dialect)
        self.granted = prepare_for_groups(write_granted, dialect)
        self.identifier = Prepared(tombstones.by_uid, dialect)
        self.owned = Prepared(owned, dialect)
        self.uids_of_owner = Prepared(uids_of_owner, dialect)


@cache
def prepare_queries(dialect: Dialect) -> PreparedQueries:
    """Compile the statements, once a process: they depend only on the kind of database."""
    return PreparedQueries(dialect)
