"""docs/operating.md, "Backup": what it says is done to a server at work, and the copy is whole."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ..issuer import Issuer
from ..kms import KMS
from .blocks import block

BACKUP = block("docs/operating.md", "sh", "kms-backup.db\"))'")
RESTORE = block("docs/operating.md", "sh", "mkdir kms-restored")
BLOCKS = [BACKUP, RESTORE]


def run(script: str, directory: Path) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    subprocess.run(
        ["bash", "-euc", script], cwd=directory, env={**os.environ, "PATH": path}, check=True
    )


@pytest.fixture
def issuer():
    with Issuer("ES256") as running:
        yield running


def test_restored_backup_has_the_keys_of_the_server(issuer: Issuer, tmp_path: Path) -> None:
    (tmp_path / "kms-data").mkdir(mode=0o700)
    (tmp_path / "data").symlink_to("kms-data")
    with KMS(tmp_path, issuer) as kms:
        alice = kms.user("alice")
        before = alice.create()
        material = alice.key_of(before)
        run(BACKUP.text, tmp_path)
        after = alice.create()
    shutil.copy(tmp_path / "kms-data/master.key", tmp_path)
    run(RESTORE.text, tmp_path)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "kms-restored").iterdir()} == {
        0o600
    }
    (tmp_path / "data").unlink()
    (tmp_path / "data").symlink_to("kms-restored")
    with KMS(tmp_path, issuer) as kms:
        alice = kms.user("alice")
        assert alice.key_of(before) == material
        assert alice.refused(
            "Get", {"tag": "UniqueIdentifier", "type": "TextString", "value": after}
        )
