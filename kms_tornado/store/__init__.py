"""The database of managed objects. SQLAlchemy and alembic stay inside this package."""
