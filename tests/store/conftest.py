"""Where a store is: the same tests on every database."""

from __future__ import annotations

import pytest

from .. import postgres

DATABASES = ("sqlite", "postgresql")


def postgres_or_skip(make):
    try:
        return make()
    except postgres.NoPostgres as exc:
        pytest.skip(str(exc))


@pytest.fixture(params=DATABASES)
def place(request, tmp_path):
    """A database without an object: a path of SQLite's, or a URL."""
    if request.param == "sqlite":
        return tmp_path / "kms.db"
    return postgres_or_skip(postgres.empty_database)


@pytest.fixture(params=DATABASES)
def new_place(request, tmp_path):
    """A database that nobody has started a store on."""
    if request.param == "sqlite":
        return tmp_path / "kms.db"
    return postgres_or_skip(lambda: postgres.cluster().new_database())
