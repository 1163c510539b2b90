"""How a database comes to the shape of `schema`: alembic's environment and its revisions."""
