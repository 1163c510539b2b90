"""What commands do is in the audit: each of them leaves its record, which fits the objects as they are then."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from ..audit_rows import find_records
from ..server import NO_AUTH, run, serving
from ..service.master_keys.place import NEW, OLD, Place, key_id, write_keys

ADMIN = "admin"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """What a server left that made a key."""
    place = Place(tmp_path)
    write_keys(place.file, OLD)
    with serving(*options(place, "data"), cwd=tmp_path) as server:
        server.client.create(ADMIN)
    return place


def options(place: Place, data: str) -> tuple[str, ...]:
    return (*NO_AUTH, "--master-key-file", str(place.file), "--data-dir", data)


def command(place: Place, *words: str, data: str = "data") -> None:
    done = run(*words, *options(place, data), cwd=place.directory)
    assert done.returncode == 0, done.stdout + done.stderr


def read_records(place: Place, data: str, operation: str) -> list[dict[str, Any]]:
    return find_records(place.directory / data / "kms.db", operation=operation)


def back_up(place: Place) -> str:
    command(place, "backup", "file")
    return "data"


def restore(place: Place) -> str:
    command(place, "backup", "file")
    command(place, "restore", "file", data="restored")
    return "restored"


def rotate(place: Place) -> str:
    command(place, "rotate-master-key")
    return "data"


def prepare(place: Place) -> str:
    command(place, "rotate-master-key", "--prepare")
    return "data"


def rewrap(place: Place) -> str:
    write_keys(place.file, NEW, OLD)
    command(place, "rewrap")
    return "data"


def transfer(place: Place) -> str:
    command(place, "transfer", ADMIN, "bob")
    return "data"


@pytest.mark.parametrize(
    ("work", "operation", "detail", "changed"),
    [
        pytest.param(back_up, "Backup", {"file": "file", "objects": 1}, 0, id="backup"),
        pytest.param(restore, "Restore", {"made": "{any}"}, 0, id="restore"),
        pytest.param(rotate, "RotateMasterKey", {"key": "{any}", "role": "seals"}, 0, id="rotate"),
        pytest.param(
            prepare, "RotateMasterKey", {"key": "{any}", "role": "opens"}, 0, id="prepare"
        ),
        pytest.param(rewrap, "Rewrap", {"objects": 1}, 1, id="rewrap"),
        pytest.param(transfer, "Transfer", {"from": ADMIN, "to": "bob"}, 1, id="transfer"),
    ],
)
def test_command_is_recorded(
    place: Place, work: Any, operation: str, detail: dict[str, Any], changed: int
) -> None:
    data = work(place)
    (record,) = read_records(place, data, operation)
    assert record["protocol"] == "command"
    assert record["result"] == "Success"
    assert record["principal"] is None
    assert record["detail"].keys() == detail.keys()
    told = {name: value for name, value in detail.items() if value != "{any}"}
    for name, value in told.items():
        assert record["detail"][name] == value
    assert len(record.get("objects", ())) == changed
    command(place, "audit", "verify", "--key", "data/audit.key.pub", data=data)


def test_key_is_named_by_its_identifier(place: Place) -> None:
    rotate(place)
    (record,) = read_records(place, "data", "RotateMasterKey")
    (new, old) = place.file.read_bytes().split()
    assert old.decode() not in json.dumps(record)
    assert new.decode() not in json.dumps(record)
    assert record["detail"]["key"] != key_id(OLD).hex()


def test_nothing_is_backed_up_where_that_cannot_be_recorded(place: Place) -> None:
    connection = sqlite3.connect(place.directory / "data/kms.db", isolation_level=None)
    connection.execute(
        "CREATE TRIGGER refuse BEFORE INSERT ON audit_segments BEGIN SELECT raise(ABORT, 'no'); END"
    )
    connection.close()
    done = run("backup", "file", *options(place, "data"), cwd=place.directory)
    assert done.returncode == 1, done.stdout
    assert done.stderr.startswith("kms-tornado: ")
    assert [path.name for path in place.directory.glob("*file*")] == []
