"""Access rights on objects."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    serial = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "grants",
        sa.Column("object", serial, nullable=False),
        sa.Column("grantee", sa.Text, nullable=False),
        sa.Column("operation", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("object", "grantee", "operation", name="pk_grants"),
        sa.ForeignKeyConstraint(
            ["object"], ["objects.serial"], name="fk_grants_object", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_grants_grantee", "grants", ["grantee", "operation", "object"])
