"""Attributes to search by, names, used nonces, numbers of objects."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

from kms_tornado.store.progress import LoggedProgress

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_COLUMNS = {
    "ActivationDate": "activation_date",
    "AlwaysSensitive": "always_sensitive",
    "DeactivationDate": "deactivation_date",
    "Extractable": "extractable",
    "Fresh": "fresh",
    "InitialDate": "initial_date",
    "LastChangeDate": "last_change_date",
    "NeverExtractable": "never_extractable",
    "OriginalCreationDate": "original_creation_date",
    "Sensitive": "sensitive",
}
_WITHOUT_ROWS = {
    "CryptographicAlgorithm",
    "CryptographicLength",
    "CryptographicUsageMask",
    "KeyFormatType",
    "UsageLimits",  # no object had it before
}
_DESTROYED = (5, 6)


def upgrade() -> None:
    serial = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    for column in (*sorted(_COLUMNS.values()), "usage_limits_total", "usage_limits_count"):
        op.add_column("objects", sa.Column(column, sa.BigInteger))
    op.create_table(
        "object_values",
        sa.Column("object", serial, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("instance", sa.Integer, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("number", sa.BigInteger),
        sa.PrimaryKeyConstraint("object", "position", name="pk_object_values"),
        sa.ForeignKeyConstraint(
            ["object"], ["objects.serial"], name="fk_object_values_object", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_object_values_found", "object_values", ["path", "value", "owner", "object"])
    op.create_table(
        "object_names",
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("type", sa.BigInteger, nullable=False),
        sa.Column("object", serial, nullable=False),
        sa.PrimaryKeyConstraint("owner", "name", "type", name="pk_object_names"),
        sa.ForeignKeyConstraint(
            ["object"], ["objects.serial"], name="fk_object_names_object", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_object_names_object", "object_names", ["object"])
    op.create_table(
        "used_nonces",
        sa.Column("object", serial, nullable=False),
        sa.Column("nonce", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("object", "nonce", name="pk_used_nonces"),
        sa.ForeignKeyConstraint(
            ["object"], ["objects.serial"], name="fk_used_nonces_object", ondelete="CASCADE"
        ),
    )
    op.create_table(
        "owners",
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("objects", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("owner", name="pk_owners"),
    )
    _fill(op.get_bind())


_objects = sa.table(
    "objects", *map(sa.column, ("serial", "owner", "state", "attributes", *_COLUMNS.values()))
)
_values = sa.table(
    "object_values",
    *map(sa.column, ("object", "position", "instance", "owner", "path", "value", "number")),
)
_names = sa.table("object_names", *map(sa.column, ("owner", "name", "type", "object")))


def _fill(connection: sa.Connection) -> None:
    """Fill the new columns and tables from the attributes of the objects that are there."""
    connection.execute(
        sa.text("INSERT INTO owners SELECT owner, count(*) FROM objects GROUP BY owner")
    )
    last = 0
    progress = LoggedProgress("were made searchable")
    in_use: set[tuple[str, str, int]] = set()
    while True:  # a page at a time: there may be more of them than fit into memory
        page = connection.execute(
            sa.select(_objects.c.serial, _objects.c.owner, _objects.c.state, _objects.c.attributes)
            .where(_objects.c.serial > last)
            .order_by(_objects.c.serial)
            .limit(1000)
        ).all()
        if not page:
            return
        _fill_page(connection, page, in_use)
        last = page[-1].serial
        progress.add(len(page))


def _fill_page(
    connection: sa.Connection, page: Sequence[Any], in_use: set[tuple[str, str, int]]
) -> None:
    """in_use: (owner, name, type); of two objects with one name, it belongs to the older."""
    columns, values, names = [], [], []
    for serial, owner, state, text in page:
        attributes = json.loads(text)["a"]
        columns.append(
            {
                "of_serial": serial,
                **dict.fromkeys(_COLUMNS.values()),
                **{_COLUMNS[t]: int(v) for t, _, v in attributes if t in _COLUMNS},
            }
        )
        values += [
            {"object": serial, "owner": owner, "position": position, **leaf}
            for position, leaf in enumerate(_leaves(attributes))
        ]
        for tag, _, children in attributes:
            if tag != "Name" or state in _DESTROYED:
                continue
            fields = {child: (item_type, value) for child, item_type, value in children}
            name, name_type = _value(*fields["NameValue"]), fields["NameType"][1]
            if (owner, name, name_type) not in in_use:
                in_use.add((owner, name, name_type))
                names.append({"owner": owner, "name": name, "type": name_type, "object": serial})
    connection.execute(
        sa.update(_objects)
        .where(_objects.c.serial == sa.bindparam("of_serial"))
        .values({column: sa.bindparam(column) for column in _COLUMNS.values()}),
        columns,
    )
    if values:
        connection.execute(sa.insert(_values), values)
    if names:
        connection.execute(sa.insert(_names), names)


def _leaves(attributes: list[Any]) -> list[dict[str, Any]]:
    """As the store collected leaves at this revision."""
    leaves = []
    for instance, (tag, kind, value) in enumerate(attributes):
        if tag in _COLUMNS or tag in _WITHOUT_ROWS:
            continue
        fields = [(tag, kind, value)]
        if kind == 1:
            fields = [(f"{tag}.{child}", k, v) for child, k, v in value]
        for path, k, v in fields:
            is_number = isinstance(v, int) and -(2**63) <= v < 2**63
            number = int(v) if is_number else None
            leaves.append(
                {"instance": instance, "path": path, "value": _value(k, v), "number": number}
            )
    return leaves


def _value(kind: int, value: Any) -> str:
    if isinstance(value, list):
        value = json.dumps(value, separators=(",", ":"))
    elif isinstance(value, int):
        value = str(int(value))
    if len(value) > 200 or "\0" in value:
        digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
        return f"{kind}#{digest}"
    return f"{kind}={value}"
