"""The audit: its chains, their records in segments, and the signed checkpoints."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_serial = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "audit_chains",
        sa.Column("chain", _serial, primary_key=True),
        sa.Column("session", sa.Text),
        sa.Column("seen", sa.BigInteger, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("head", sa.Text, nullable=False),
    )
    op.create_table(
        "audit_segments",
        sa.Column("serial", _serial, primary_key=True),
        sa.Column("chain", sa.BigInteger, nullable=False),
        sa.Column("first", sa.BigInteger, nullable=False),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("lines", sa.LargeBinary, nullable=False),
        sa.Column("mac", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("chain", "first"),
    )
    op.create_table(
        "audit_checkpoints",
        sa.Column("checkpoint", _serial, primary_key=True),
        sa.Column("line", sa.Text, nullable=False),
    )
