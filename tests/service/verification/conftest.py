from __future__ import annotations

from pathlib import Path

import pytest

from ... import postgres
from ...store.helpers import Place


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "sqlite":
        return tmp_path / "kms.db"
    return postgres.empty_database()
