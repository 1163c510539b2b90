"""The statements that add objects, each for any number of them: the values of a column form one array.

Some of the statements are checks, which divide by zero where they fail. That ends the transaction inside PostgreSQL:
reading the answer and then deciding would take a round trip.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Table

from ...sql.additions import Addition
from ...sql.statements import OBJECT_COLUMNS
from ...sql.tables.owners import SUM_OF_UNITS
from ...sql.tables.schema import object_names, object_tags, object_values, objects, owners
from ..arrays import collect_columns, unnest, write_array
from ..dialect import POSTGRESQL
from ..exchange import Command


def _insert_beside(table: Table) -> str:
    """An INSERT into a table whose rows name the new object by its identifier."""
    names = [column.name for column in table.c]
    others = [name for name in names if name != "object"]
    arrays = ", ".join(f"%t::{table.c[name].type.compile(dialect=POSTGRESQL)}[]" for name in others)
    values = ", ".join(f"row.{name}" for name in others)
    return (
        f"INSERT INTO {table.name} (object, {', '.join(others)}) SELECT added.serial, {values}"  # noqa: S608
        f" FROM unnest(%t::text[], {arrays}) WITH ORDINALITY AS row(uid, {', '.join(others)}, place)"
        " JOIN added ON added.uid = row.uid ORDER BY row.place"
    )


_BESIDE = (object_tags, object_values, object_names)
# One statement, so that the rows of the other tables get the serials without a look-up.
_ADD = (
    f"WITH added AS (INSERT INTO objects ({', '.join(OBJECT_COLUMNS)})"  # noqa: S608
    f" SELECT * FROM {unnest(objects, OBJECT_COLUMNS)} RETURNING uid, serial), "
    + ", ".join(f"into_{table.name} AS ({_insert_beside(table)})" for table in _BESIDE)
    + " SELECT 1"
)
# Whatever tombstone there is: whose it is, and whether it is authentic, is looked up without hurry.
# After the objects were added, as `sql.tables.tombstones.check_free` explains.
_CHECK_TOMBSTONES = "SELECT 1 / (count(*) = 0)::int FROM tombstones WHERE uid = ANY(%t::text[])"

# In the order of the owners, so that two writers do not deadlock.
_LOCK_COUNTS = (
    "SELECT owner, objects, mac FROM owners WHERE owner = ANY(%t::text[]) ORDER BY owner FOR UPDATE"
)
_OWNER_ARRAYS = unnest(owners, ("owner", "objects", "mac"))
# The code is compared as well as the number: a row that something else wrote is not rewritten.
_CHANGE_COUNTS = (
    "WITH changed AS (UPDATE owners SET objects = row.objects, mac = row.mac"  # noqa: S608
    f" FROM {unnest(owners, ('owner', 'objects', 'mac', 'objects', 'mac'))}"
    " AS row(owner, former, former_mac, objects, mac)"
    " WHERE owners.owner = row.owner AND owners.objects = row.former AND owners.mac = row.former_mac"
    " RETURNING 1)"
    " SELECT 1 / (count(*) = %t::bigint)::int FROM changed"
)
_BEGIN_COUNTS = f"INSERT INTO owners (owner, objects, mac) SELECT * FROM {_OWNER_ARRAYS} ORDER BY 1"  # noqa: S608
_UNITS = SUM_OF_UNITS.compile(dialect=POSTGRESQL, compile_kwargs={"literal_binds": True})
# An owner with objects and without a count had one, which somebody deleted.
_CHECK_NEW_OWNERS = (
    f"SELECT 1 / bool_and((SELECT {_UNITS} FROM objects WHERE objects.owner = row.owner) = row.objects)::int"  # noqa: S608
    " FROM unnest(%t::text[], %t::bigint[]) AS row(owner, objects)"
)
#: The texts that fail where the database has another count than the one remembered.
COUNT_TEXTS = (_CHANGE_COUNTS, _BEGIN_COUNTS)
#: Which of the identifiers there are, (uid, mac). A transaction that locks rows ends when the synchronous
#: standby has it, and all before it.
FIND_OBJECTS = "SELECT uid, mac FROM objects WHERE uid = ANY(%t::text[]) FOR KEY SHARE"


def lock_counts(names: Sequence[str]) -> Command:
    """Read and lock the counts, (owner, objects, mac), of those owners that have one."""
    return _LOCK_COUNTS, (write_array(names),)


def change_counts(rows: Sequence[tuple[str, int, bytes, int, bytes]]) -> Command:
    """Change counts.

    Fails where one of them is not as it was. rows: (owner, former number, its MAC, new number, its MAC).
    """
    return _CHANGE_COUNTS, (*map(write_array, zip(*rows, strict=True)), len(rows))


def begin_counts(rows: Sequence[tuple[str, int, bytes]]) -> list[Command]:
    """Add the first counts of owners. Fails where an owner has a count or had one. rows: (owner, number, MAC)."""
    names, numbers, macs = map(write_array, zip(*rows, strict=True))
    return [(_BEGIN_COUNTS, (names, numbers, macs)), (_CHECK_NEW_OWNERS, (names, numbers))]


def add_objects(addition: Addition) -> list[Command]:
    values = collect_columns(addition.objects, OBJECT_COLUMNS)
    for table, rows in zip(_BESIDE, (addition.tags, addition.values, addition.names), strict=True):
        others = [column.name for column in table.c if column.name != "object"]
        values += collect_columns(rows, ("object", *others))
    uids = write_array([row["uid"] for row in addition.objects])
    return [(_ADD, [*map(write_array, values)]), (_CHECK_TOMBSTONES, (uids,))]
