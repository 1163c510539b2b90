"""docs/operating.md, "Backup": what it says is done to a server at work, and the copy is whole."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from ..issuer import Issuer
from ..kms import KMS
from .blocks import block

BACKUP = block("docs/operating.md", "sh", "kms-backup.db\"))'")
VACUUM = block("docs/operating.md", "sh", "VACUUM INTO")
COPY = block("docs/operating.md", "sh", "mkdir kms-copied")
RESTORE = block("docs/operating.md", "sh", "mkdir kms-restored")
BLOCKS = [BACKUP, VACUUM, COPY, RESTORE]


def run(script: str, directory: Path) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    subprocess.run(
        ["bash", "-euc", script], cwd=directory, env={**os.environ, "PATH": path}, check=True
    )


@dataclass
class Copies:
    """What a server at work, a stopped one and a killed one left behind, and the key that each has."""

    directory: Path
    key: str
    material: bytes
    later: str


@pytest.fixture(scope="module")
def copies(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Copies:
    directory = tmp_path_factory.mktemp("copies")
    (directory / "kms-data").mkdir(mode=0o700)
    (directory / "data").symlink_to("kms-data")
    with KMS(directory, issuer) as kms:
        alice = kms.user("alice")
        key = alice.create()
        material = alice.key_of(key)
        run(BACKUP.text, directory)
        if shutil.which("sqlite3"):
            run(VACUUM.text, directory)
        shutil.copy(directory / "kms-data/kms.db", directory / "bare.db")
        run(COPY.text, directory)  # as a crash of this moment leaves the files
        later = alice.create()
    for file in ("master.key", "audit.key"):
        shutil.copy(directory / "kms-data" / file, directory)
    (directory / "data").unlink()
    return Copies(directory, key, material, later)


def restored(copies: Copies, source: str, tmp_path: Path) -> Path:
    """The data directory that the page has the reader make of this copy."""
    for key in ("master.key", "audit.key"):
        shutil.copy(copies.directory / key, tmp_path)
    shutil.copy(copies.directory / source, tmp_path / "kms-backup.db")
    run(RESTORE.text, tmp_path)
    (tmp_path / "kms-restored").rename(tmp_path / "data")
    return tmp_path / "data"


@pytest.mark.parametrize("source", ["kms-backup.db", "kms-compact.db"])
def test_restored_backup_has_the_keys_of_the_server(
    issuer: Issuer, copies: Copies, tmp_path: Path, source: str
) -> None:
    if not (copies.directory / source).exists():
        pytest.skip("the program sqlite3 is not installed")
    data = restored(copies, source, tmp_path)
    assert {path.stat().st_mode & 0o777 for path in data.iterdir()} == {0o600}
    with KMS(tmp_path, issuer) as kms:
        alice = kms.user("alice")
        assert alice.key_of(copies.key) == copies.material
        assert alice.refused(
            "Get", {"tag": "UniqueIdentifier", "type": "TextString", "value": copies.later}
        )


def test_files_of_a_stopped_server_have_its_keys(
    issuer: Issuer, copies: Copies, tmp_path: Path
) -> None:
    shutil.copytree(copies.directory / "kms-copied", tmp_path / "data")
    shutil.copy(copies.directory / "master.key", tmp_path / "data")
    with KMS(tmp_path, issuer) as kms:
        assert kms.user("alice").key_of(copies.key) == copies.material


def test_database_without_its_log_is_warned_of_when_it_has_nothing_else(
    issuer: Issuer, copies: Copies, tmp_path: Path
) -> None:
    restored(copies, "bare.db", tmp_path)
    with KMS(tmp_path, issuer) as kms:
        assert "data/kms.db is empty, and its master key was there before" in kms.log
