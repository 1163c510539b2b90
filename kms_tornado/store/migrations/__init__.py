"""The migrations that bring a database to the tables of `schema`: alembic's environment and revisions."""
