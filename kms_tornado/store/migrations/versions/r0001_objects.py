"""Objects, their tags, the state of the server."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    serial = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "objects",
        sa.Column("serial", serial, nullable=False),
        sa.Column("uid", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("object_type", sa.Integer, nullable=False),
        sa.Column("state", sa.Integer, nullable=False),
        sa.Column("algorithm", sa.BigInteger),
        sa.Column("length", sa.BigInteger),
        sa.Column("usage_mask", sa.BigInteger),
        sa.Column("key_format", sa.BigInteger),
        sa.Column("attributes", sa.Text, nullable=False),
        sa.Column("tags", sa.Text, nullable=False),
        sa.Column("sealed", sa.LargeBinary),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("serial", name="pk_objects"),
        sa.UniqueConstraint("uid", name="uq_objects_uid"),
    )
    op.create_index("ix_objects_newest", "objects", ["owner", "created_at", "serial", "state"])
    op.create_table(
        "object_tags",
        sa.Column("object", serial, nullable=False),
        sa.Column("tag", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("object", "tag", name="pk_object_tags"),
        sa.ForeignKeyConstraint(
            ["object"], ["objects.serial"], name="fk_object_tags_object", ondelete="CASCADE"
        ),
    )
    op.create_index(
        "ix_object_tags_newest", "object_tags", ["tag", "owner", "created_at", "object"]
    )
    op.create_table(
        "server_state",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_server_state"),
    )
