"""Where a store is: the same tests on every database."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from .. import postgres
from .helpers import store_at

DATABASES = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of SQLite's with all tables and no row: copying it takes a fiftieth of making one."""
    path = tmp_path_factory.mktemp("empty") / "kms.db"

    async def make() -> None:
        store = store_at(path)
        await store.start()
        await store.stop()

    asyncio.run(make())
    return path


@pytest.fixture(params=DATABASES)
def place(request, tmp_path):
    """A database without an object: a path of SQLite's, or a URL."""
    if request.param == "sqlite":
        return Path(shutil.copy(request.getfixturevalue("empty_file"), tmp_path))
    return postgres.empty_database()


@pytest.fixture(params=DATABASES)
def new_place(request, tmp_path):
    """A database that nobody has started a store on."""
    if request.param == "sqlite":
        return tmp_path / "kms.db"
    return postgres.cluster().new_database()
