"""The index of the audit, which the server fills from the records that are there."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_pages",
        sa.Column("page", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("ranges", sa.Text, nullable=False),
        sa.Column("records", sa.BigInteger, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("ceiling", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "audit_index",
        sa.Column("key", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("page", sa.BigInteger, primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "audit_uses",
        sa.Column("uid", sa.Text, primary_key=True),
        sa.Column("uses", sa.BigInteger, nullable=False),
        sa.Column("last_used", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
