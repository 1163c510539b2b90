"""Columns and tables for rows under a MAC, tombstones, and nonces by key material.

The codes themselves need the master key, which migrations do not have: the store writes them when it is
given the key (`store.sql.upkeep.sealing`), which also fills `grants` and `sealed_digest`. The nonces recorded
so far are dropped: for every key that exists, only the server chooses nonces from then on.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("objects", sa.Column("grants", sa.Text, nullable=False, server_default=""))
    op.add_column("objects", sa.Column("nonce_source", sa.Integer))
    op.add_column("objects", sa.Column("sealed_digest", sa.LargeBinary))
    op.add_column("objects", sa.Column("mac", sa.LargeBinary))
    op.add_column("owners", sa.Column("mac", sa.LargeBinary))
    op.create_table(
        "tombstones",
        sa.Column("uid", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("mac", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("uid", name="pk_tombstones"),
    )
    op.drop_table("used_nonces")
    op.create_table(
        "nonce_sources",
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.Column("source", sa.Integer, nullable=False),
        sa.Column("reserved", sa.BigInteger, nullable=False),
        sa.Column("mac", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_nonce_sources"),
    )
    op.create_table(
        "used_nonces",
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.Column("nonce", sa.LargeBinary, nullable=False),
        sa.Column("next", sa.LargeBinary, nullable=False),
        sa.Column("mac", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("key", "nonce", name="pk_used_nonces"),
    )
