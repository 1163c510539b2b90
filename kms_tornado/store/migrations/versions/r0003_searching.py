"""Attributes to search by, names, nonces that were used, the number of an owner's objects."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import sqlalchemy as sa
from alembic import op

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


def _fill(connection: sa.Connection) -> None:
    """From what the objects that are there already say of themselves."""
    connection.execute(
        sa.text("INSERT INTO owners SELECT owner, count(*) FROM objects GROUP BY owner")
    )
    objects = sa.table(
        "objects", *map(sa.column, ("serial", "owner", "state", "attributes", *_COLUMNS.values()))
    )
    values = sa.table(
        "object_values",
        *map(sa.column, ("object", "position", "instance", "owner", "path", "value", "number")),
    )
    names = sa.table("object_names", *map(sa.column, ("owner", "name", "type", "object")))
    last = 0
    taken: set[tuple[str, str, int]] = set()
    while True:  # a page at a time: there may be more of them than fit into memory
        page = connection.execute(
            sa.select(objects.c.serial, objects.c.owner, objects.c.state, objects.c.attributes)
            .where(objects.c.serial > last)
            .order_by(objects.c.serial)
            .limit(1000)
        ).all()
        if not page:
            return
        columns, rows, named = [], [], []
        for serial, owner, state, text in page:
            attributes = json.loads(text)["a"]
            columns.append(
                {
                    "wanted": serial,
                    **dict.fromkeys(_COLUMNS.values()),
                    **{_COLUMNS[t]: int(v) for t, _, v in attributes if t in _COLUMNS},
                }
            )
            rows += [
                {"object": serial, "owner": owner, "position": position, **leaf}
                for position, leaf in enumerate(_leaves(attributes))
            ]
            for tag, _, children in attributes:
                if tag != "Name" or state in _DESTROYED:
                    continue
                given = {child: (kind, value) for child, kind, value in children}
                name, kind = _value(*given["NameValue"]), given["NameType"][1]
                if (owner, name, kind) not in taken:  # of two that had it, it is the older one's
                    taken.add((owner, name, kind))
                    named.append({"owner": owner, "name": name, "type": kind, "object": serial})
        connection.execute(
            sa.update(objects)
            .where(objects.c.serial == sa.bindparam("wanted"))
            .values({column: sa.bindparam(column) for column in _COLUMNS.values()}),
            columns,
        )
        if rows:
            connection.execute(sa.insert(values), rows)
        if named:
            connection.execute(sa.insert(names), named)
        last = page[-1].serial


def _leaves(attributes: list[Any]) -> list[dict[str, Any]]:
    """As `store.values.leaves` was at this revision."""
    found = []
    for instance, (tag, kind, value) in enumerate(attributes):
        if tag in _COLUMNS or tag in _WITHOUT_ROWS:
            continue
        fields = [(tag, kind, value)]
        if kind == 1:
            fields = [(f"{tag}.{child}", k, v) for child, k, v in value]
        for path, k, v in fields:
            is_number = isinstance(v, int) and -(2**63) <= v < 2**63
            number = int(v) if is_number else None
            found.append(
                {"instance": instance, "path": path, "value": _value(k, v), "number": number}
            )
    return found


def _value(kind: int, value: Any) -> str:
    if isinstance(value, list):
        value = json.dumps(value, separators=(",", ":"))
    elif isinstance(value, int):
        value = str(int(value))
    if len(value) > 200 or "\0" in value:
        digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
        return f"{kind}#{digest}"
    return f"{kind}={value}"
