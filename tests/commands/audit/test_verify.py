"""`kms-tornado audit verify`: 0 where all is well, 1 where something was changed, 2 where it cannot be verified.

What is found of tampered records and checkpoints is in `test_tampered_audit`.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from ...issuer import Issuer
from ...kmip_items import name, structure, uid
from ...kms import KMS
from ...server import run

Edit = Callable[[sqlite3.Connection], object]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a server left behind: an object that was made, used and destroyed, and another one."""
    directory = tmp_path_factory.mktemp("served")
    with Issuer("ES256") as issuer, KMS(directory, issuer) as kms:
        alice = kms.user("alice")
        key, other = alice.create(), alice.create()
        for one in (key, other):
            alice.key_of(one)
        reason = structure("RevocationReason", name("RevocationReasonCode", "CessationOfOperation"))
        alice.do("Revoke", uid(other), reason)
        alice.do("Destroy", uid(other))
        result = verify(directory)  # beside a server that serves
        assert (result.returncode, result.stderr) == (0, "")
    return directory


def verify(directory: Path, *arguments: str) -> CompletedProcess[str]:
    return run(
        "audit",
        "verify",
        *arguments,
        "--data-dir",
        str(directory / "data"),
        cwd=directory,
    )


@pytest.fixture
def copy(served: Path, tmp_path: Path) -> Path:
    shutil.copytree(served / "data", tmp_path / "data")
    return tmp_path


def edit_lines(change: Callable[[list[bytes]], list[bytes]]) -> Edit:
    """All records of the one chain, in one row or several."""

    def edit(connection: sqlite3.Connection) -> None:
        rows = connection.execute("SELECT serial, lines FROM audit_segments").fetchall()
        for serial, lines in rows:
            changed = b"\n".join(change(lines.split(b"\n")))
            connection.execute(
                "UPDATE audit_segments SET lines = ? WHERE serial = ?", (changed, serial)
            )

    return edit


def sql(statement: str) -> Edit:
    return lambda connection: connection.execute(statement)


def test_audit_as_the_server_left_it_is_well(copy: Path) -> None:
    result = verify(copy)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("all is well: ")
    assert "2 objects" in result.stdout


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        pytest.param(
            edit_lines(lambda lines: [line.replace(b'"prev":"', b'"prev":"0') for line in lines]),
            "was edited",
            id="edited prev",
        ),
        pytest.param(
            sql("UPDATE audit_checkpoints SET line = replace(line, '2026', '2025')"),
            "the signature of checkpoint",
            id="checkpoint edited",
        ),
        pytest.param(
            sql("UPDATE objects SET state = 2 WHERE state = 5"),
            "something else than this server wrote its row",
            id="destroyed key revived by an edit",
        ),
        pytest.param(
            sql("DELETE FROM objects"), "no record tells of its removal", id="object deleted"
        ),
        pytest.param(
            sql("DELETE FROM audit_segments"), "chain 1 is cut: records 1/1 to", id="whole log"
        ),
    ],
)
def test_what_was_changed_is_told(copy: Path, edit: Edit, told: str) -> None:
    with sqlite3.connect(copy / "data/kms.db") as connection:
        edit(connection)
    result = verify(copy)
    assert (result.returncode, result.stderr) == (1, "")
    assert told in result.stdout


def test_without_any_key_nothing_can_be_verified(copy: Path) -> None:
    key = copy / "data/audit.key"
    public = copy / "public.pem"
    shutil.move(f"{key}.pub", public)
    key.unlink()
    result = verify(copy)
    assert result.returncode == 2
    assert "there is no key to verify with" in result.stderr
    assert verify(copy, "--key", str(public)).returncode == 0


def make_another(directory: Path) -> Path:
    """The data directory of another server."""
    other = directory / "other"
    other.mkdir(exist_ok=True)
    with Issuer("ES256") as issuer, KMS(other, issuer):
        return other / "data"


def test_checkpoints_of_an_unknown_key_are_told(copy: Path, served: Path) -> None:
    for file in ("audit.key", "audit.key.pub"):
        shutil.copy(make_another(copy) / file, copy / "data" / file)
    result = verify(copy)
    assert result.returncode == 1
    assert "is signed by an unknown key" in result.stdout
    assert verify(copy, "--key", str(served / "data/audit.key.pub")).returncode == 0


def test_one_file_may_have_all_keys_of_former_years(copy: Path, served: Path) -> None:
    keys = copy / "old-keys.pem"
    other = (make_another(copy) / "audit.key.pub").read_bytes()
    for file in ("audit.key", "audit.key.pub"):
        (copy / "data" / file).unlink()
    keys.write_bytes(other + (served / "data/audit.key.pub").read_bytes())
    assert verify(copy, "--key", str(keys)).returncode == 0
    keys.write_bytes(other)
    assert "is signed by an unknown key" in verify(copy, "--key", str(keys)).stdout
    keys.write_bytes(other + other[:40])  # cut off: of a part of them, nobody would know
    assert verify(copy, "--key", str(keys)).returncode == 1


def test_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    key = make_another(tmp_path) / "audit.key.pub"
    (tmp_path / "data").mkdir(mode=0o700)
    result = verify(tmp_path, "--key", str(key))
    assert result.returncode == 2
    assert list((tmp_path / "data").iterdir()) == []
