"""SQLAlchemy's dialect for psycopg, with psycopg's own style of parameters.

It has a module of its own, so that a server on SQLite does not load psycopg.
"""

from __future__ import annotations

from sqlalchemy import Dialect
from sqlalchemy.dialects.postgresql.psycopg import PGDialectAsync_psycopg as PostgresDialect

POSTGRESQL: Dialect = PostgresDialect(paramstyle="format")  # type: ignore[no-untyped-call]
