"""Run by alembic: takes the connection, and its open transaction, from `migrate`."""

from __future__ import annotations

from alembic import context

from kms_tornado.store.sql.tables.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,  # SQLite has it as long as the driver does not commit by itself
    render_as_batch=True,  # SQLite cannot alter most of a table
)
with context.begin_transaction():
    context.run_migrations()
