"""No digest of a secret is stored any more, nor one of a destroyed object.

In a file of SQLite the bytes are overwritten (`secure_delete`). PostgreSQL keeps them in dead rows until the
next VACUUM, and a backup keeps them for ever.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

from kms_tornado.store.progress import LoggedProgress

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_PUBLIC_TYPES = (1, 3)  # certificates and public keys
_DESTROYED = (5, 6)
_PAGE = 500

_objects = sa.table("objects", *map(sa.column, ("serial", "object_type", "state", "attributes")))
_VALUE_COLUMNS = ("object", "position", "instance", "owner", "path", "value", "number")
_values = sa.table("object_values", *map(sa.column, _VALUE_COLUMNS))


def upgrade() -> None:
    connection = op.get_bind()
    last = 0
    progress = LoggedProgress("were rid of digests")
    while page := _read_page(connection, last):
        last = page[-1].serial
        _strip_page(connection, page)
        progress.add(len(page))


def _read_page(connection: sa.Connection, last: int) -> Sequence[Any]:
    """The next objects whose digest is to go. There may be more of them than fit into memory."""
    return connection.execute(
        sa.select(_objects.c.serial, _objects.c.attributes)
        .where(
            _objects.c.serial > last,
            sa.or_(_objects.c.object_type.not_in(_PUBLIC_TYPES), _objects.c.state.in_(_DESTROYED)),
            _objects.c.attributes.contains('["Digest",'),
        )
        .order_by(_objects.c.serial)
        .limit(_PAGE)
    ).all()


def _strip_page(connection: sa.Connection, page: Sequence[Any]) -> None:
    texts, removed = [], {}
    for serial, text in page:
        try:
            stored = json.loads(text)
            rows = stored["a"]
            positions = [place for place, row in enumerate(rows) if row[0] == "Digest"]
        except (ValueError, TypeError, LookupError):  # it cannot be read, and stays so
            continue
        stored["a"] = [row for row in rows if row[0] != "Digest"]
        stripped = json.dumps(stored, separators=(",", ":"), ensure_ascii=False)
        texts.append({"of_serial": serial, "attributes": stripped})
        removed[serial] = positions
    if not texts:
        return
    connection.execute(
        sa.update(_objects)
        .where(_objects.c.serial == sa.bindparam("of_serial"))
        .values(attributes=sa.bindparam("attributes")),
        texts,
    )
    of_page = _values.c.object.in_(list(removed))
    leaves = connection.execute(
        sa.select(_values).where(of_page).order_by(_values.c.object, _values.c.position)
    ).all()
    connection.execute(sa.delete(_values).where(of_page))
    kept = _renumber(leaves, removed)
    if kept:
        connection.execute(sa.insert(_values), kept)


def _renumber(leaves: Iterable[Any], removed: dict[int, list[int]]) -> list[dict[str, Any]]:
    """The leaves without those of digests, numbered as if there had been none.

    removed: serial of the object → the places that its digests had among its attributes.
    """
    kept: list[dict[str, Any]] = []
    for leaf in leaves:
        if leaf.path.startswith("Digest."):
            continue
        is_next = bool(kept) and kept[-1]["object"] == leaf.object
        values = dict(zip(_VALUE_COLUMNS, leaf, strict=True))
        values["position"] = kept[-1]["position"] + 1 if is_next else 0
        values["instance"] -= sum(place < leaf.instance for place in removed[leaf.object])
        kept.append(values)
    return kept
