"""The Archive Date has a column, which tells archived objects from those that are on-line.

Locate compares it each time, so it is in the index of an owner's objects, too. The leaves of the Archive Dates
with which objects were imported so far go; those behind them move up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_BEFORE = [
    *("owner", "created_at", "serial", "state", "object_type", "algorithm", "length", "usage_mask"),
    *("key_format", "activation_date", "deactivation_date"),
]
_PAGE = 500

_objects = sa.table("objects", *map(sa.column, ("serial", "archive_date")))
_values = sa.table("object_values", *map(sa.column, ("object", "position", "path", "number")))


def upgrade() -> None:
    op.add_column("objects", sa.Column("archive_date", sa.BigInteger))
    connection = op.get_bind()
    while page := _read_page(connection):
        for leaf in page:
            _move_to_column(connection, leaf)
    op.drop_index("ix_objects_newest", "objects")
    op.create_index("ix_objects_newest", "objects", [*_BEFORE, "archive_date"])


def _read_page(connection: sa.Connection) -> Sequence[Any]:
    """The next Archive Dates: an object has one at most."""
    return connection.execute(
        sa.select(_values).where(_values.c.path == "ArchiveDate").limit(_PAGE)
    ).all()


def _move_to_column(connection: sa.Connection, leaf: Any) -> None:
    of_object = _values.c.object == leaf.object
    connection.execute(
        sa.update(_objects).where(_objects.c.serial == leaf.object).values(archive_date=leaf.number)
    )
    connection.execute(sa.delete(_values).where(of_object, _values.c.position == leaf.position))
    behind = connection.scalars(
        sa.select(_values.c.position)
        .where(of_object, _values.c.position > leaf.position)
        .order_by(_values.c.position)
    ).all()
    for position in behind:  # one by one: each takes the place of the one before it
        connection.execute(
            sa.update(_values)
            .where(of_object, _values.c.position == position)
            .values(position=position - 1)
        )
