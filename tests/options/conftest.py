"""Fixtures of the tests of options."""

from __future__ import annotations

import pytest


@pytest.fixture
def toml(tmp_path):
    """Writes a configuration file and gives its path."""

    def write(text):
        path = tmp_path / "kms.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return write
