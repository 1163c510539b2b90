"""The index of an owner's objects covers what Locate mostly counts by."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_BEFORE = ["owner", "created_at", "serial", "state"]
_ADDED = [
    "object_type",
    "algorithm",
    "length",
    "usage_mask",
    "key_format",
    "activation_date",
    "deactivation_date",
]


def upgrade() -> None:
    op.drop_index("ix_objects_newest", "objects")
    op.create_index("ix_objects_newest", "objects", [*_BEFORE, *_ADDED])
