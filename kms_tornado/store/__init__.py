"""Where managed objects live. SQLAlchemy and alembic stay inside this package."""
