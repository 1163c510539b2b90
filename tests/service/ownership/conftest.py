from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kms_tornado.store.postgres.backend import PostgresBackend

from ...operations.inside import Inside
from ...postgres import empty_database


@pytest.fixture(params=["sqlite", "postgresql"])
def kms(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Inside]:
    backend = None
    if request.param == "postgresql":
        backend = PostgresBackend(empty_database())
    with Inside(tmp_path, backend=backend) as inside:
        yield inside
