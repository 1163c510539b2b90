"""`kms-tornado backup` and `restore`: load, backup, more load, disaster, restore; and what is refused."""

from __future__ import annotations

import base64
import contextlib
import gzip
import io
import os
import random
import re
import shutil
import stat
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from kms_tornado import __main__
from kms_tornado.commands import backup, running
from kms_tornado.service.auditing.anchor_file import AnchorFile
from kms_tornado.store.sql.audit.log import AuditLog

from .. import postgres
from ..audit_rows import find_records
from ..server import NO_AUTH, ServerProcess, check_refused, eventually, run, serving
from ..service.kill import count_steps, kill_at, spread
from ..service.master_keys.place import NEW, OLD, Place, key_id, write_keys
from .load import ADMIN, Load

KINDS = ("sqlite", "postgresql")


def database(kind: str) -> tuple[str, ...]:
    """Options for a new database."""
    if kind == "sqlite":
        return ()
    return ("--database-url", postgres.cluster().new_database())


@pytest.mark.parametrize(("before", "after"), [*zip(KINDS, KINDS, strict=True), KINDS, KINDS[::-1]])
def test_drill(tmp_path: Path, before: str, after: str) -> None:
    key = ("--master-key-file", str(write_keys(tmp_path / "keys", OLD)))
    first, second = database(before), database(after)
    with ServerProcess(*NO_AUTH, *key, *first, cwd=tmp_path) as server:
        load = Load([server])
        with load.running():
            eventually(lambda: len(load.uids) >= 20 or load.failed, timeout_s=60)
            acknowledged = list(load.uids)
            finished = run("backup", "kms.backup", *key, *first, cwd=tmp_path)
            eventually(lambda: len(load.uids) > len(acknowledged) + 5 or load.failed, timeout_s=60)
        assert load.failed == []
        assert (finished.returncode, finished.stderr) == (0, "")
        materials = [server.client.get_key(ADMIN, uid).body for uid in acknowledged]
        server.kill()
    shutil.copy(tmp_path / "kms-data" / "audit.key.pub", tmp_path / "saved.pub")
    shutil.rmtree(tmp_path / "kms-data")
    finished = run("restore", "kms.backup", *key, *second, cwd=tmp_path)
    assert finished.returncode == 0, finished.stderr
    assert "made a new key for the audit's checkpoints" in finished.stderr
    with serving(*NO_AUTH, *key, *second, cwd=tmp_path) as server:
        assert [server.client.get_key(ADMIN, uid).body for uid in acknowledged] == materials
        assert server.client.get_key(ADMIN, load.uids[-1]).status == 422  # it came later
        assert server.client.create(ADMIN)
    of_restored = (*key, *second)
    verify = ("audit", "verify", "--key", "saved.pub", *of_restored)
    assert "all is well: " in run(*verify, cwd=tmp_path).stdout
    # And what is restored can have a new master key, without the old one.
    for command in (("rotate-master-key",), ("rewrap", "--retire", key_id(OLD).hex())):
        finished = run(*command, *of_restored, cwd=tmp_path)
        assert finished.returncode == 0, finished.stderr
    assert base64.b64encode(OLD).decode() not in (tmp_path / "keys").read_text()
    with serving(*NO_AUTH, *of_restored, cwd=tmp_path) as server:
        assert [server.client.get_key(ADMIN, uid).body for uid in acknowledged] == materials
    assert "all is well: " in run(*verify, cwd=tmp_path).stdout


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A data directory with an object, and its backup."""
    place = Place(tmp_path_factory.mktemp("template"))
    place.create(OLD)
    finished = run("backup", "backup", *options(place), cwd=place.directory)
    assert finished.returncode == 0
    assert "backup has 1 object in " in finished.stdout
    return place


@pytest.fixture
def place(template: Place, tmp_path: Path) -> Place:
    """The backup alone, with the key."""
    shutil.copy(template.directory / "backup", tmp_path)
    write_keys(tmp_path / "keys", OLD)
    return Place(tmp_path)


def options(place: Place) -> tuple[str, ...]:
    return ("--master-key-file", str(place.file), "--data-dir", "data")


def restore(place: Place, *more: str) -> Any:
    return run("restore", "backup", *options(place), *more, cwd=place.directory)


def test_file_is_ours_alone_and_never_overwritten(template: Place) -> None:
    file = template.directory / "backup"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = file.read_bytes()
    line = check_refused(run("backup", "backup", *options(template), cwd=template.directory), 2)
    assert "backup: is there already, and no backup is overwritten" in line
    assert file.read_bytes() == before
    names = {path.name for path in template.directory.iterdir()}
    assert names == {"audit-anchor.json", "backup", "data", "keys"}  # no draft is left


def test_backup_in_a_directory_is_named_by_the_time_and_the_newest_is_checked(
    template: Place, tmp_path: Path
) -> None:
    command = ("backup", str(tmp_path), *options(template))
    line = check_refused(run(*command, "--check", cwd=template.directory), 2)
    assert f"{tmp_path}: there is no backup in it" in line
    (tmp_path / "kms-2026-01-01T000000Z.backup").write_text("older, and damaged")
    assert run(*command, cwd=template.directory).returncode == 0
    _, newest = sorted(path.name for path in tmp_path.iterdir())
    assert re.fullmatch(r"kms-20\d\d-\d\d-\d\dT\d{6}Z\.backup", newest)
    assert f"{newest} is whole: " in run(*command, "--check", cwd=template.directory).stdout


def test_backups_of_one_second_have_names_of_their_own(tmp_path: Path) -> None:
    moment = datetime(2026, 11, 29, 2, 30, 59, tzinfo=UTC)
    taken = ["kms-2026-11-29T023059Z.backup", f".kms-2026-11-29T023100Z.backup.{'a' * 16}"]
    for name in taken:
        (tmp_path / name).touch()
    assert backup._name_by_time(tmp_path, moment).name == "kms-2026-11-29T023101Z.backup"
    with backup._new_file(tmp_path) as (first, _), backup._new_file(tmp_path) as (second, _):
        pass
    assert sorted(path.name for path in tmp_path.glob("kms-2*")) == sorted(
        [taken[0], first.name, second.name]
    )


def test_drafts_of_backups_that_were_killed_are_removed_by_a_later_one(
    template: Place, tmp_path: Path
) -> None:
    old = [tmp_path / f".{name}.{'a' * 16}" for name in ("one", "kms-2026-11-30T023000Z.backup")]
    others = [
        tmp_path / f".one.{'b' * 16}",
        tmp_path / f".two.{'a' * 16}",
        tmp_path / ".one",
        tmp_path / "one.bak",
    ]
    for file in (*old, *others):
        file.touch()
    for file in (*old, *others[1:]):  # the other one is of a backup that goes on
        os.utime(file, (0, 0))
    done = run("backup", str(tmp_path / "one"), *options(template), cwd=template.directory)
    assert done.returncode == 0
    assert sorted(tmp_path.iterdir()) == sorted([*others, tmp_path / "one"])


def test_file_that_cannot_be_written_is_refused(template: Place) -> None:
    line = check_refused(run("backup", "no/b", *options(template), cwd=template.directory), 2)
    assert "no/b: cannot be written: no such file or directory" in line


def test_key_material_is_in_the_file_as_it_was_sealed(template: Place) -> None:
    [[sealed]] = template.sql("SELECT sealed FROM objects")
    content = gzip.decompress((template.directory / "backup").read_bytes())
    assert base64.b64encode(sealed) in content


def test_check_says_whether_the_file_is_whole(place: Place) -> None:
    check = ("backup", "backup", "--check", *options(place))
    finished = run(*check, cwd=place.directory)
    assert (finished.returncode, finished.stderr) == (0, "")
    assert "backup is whole: " in finished.stdout
    file = place.directory / "backup"
    file.write_bytes(file.read_bytes()[:-30])
    assert "backup: it is cut off" in check_refused(run(*check, cwd=place.directory), 2)
    assert not (place.directory / "data").exists()


def test_restored_database_opens_and_a_second_restore_is_refused(place: Place) -> None:
    finished = restore(place)
    assert finished.returncode == 0, finished.stderr
    assert "with 1 sealed object\n" in finished.stdout
    data = place.directory / "data"
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in data.iterdir()} == {0o600}
    assert "anchor" not in finished.stdout
    before = place.sql("SELECT * FROM objects")
    assert "is not empty; a restore needs a new one" in check_refused(restore(place), 2)
    assert place.sql("SELECT * FROM objects") == before
    key = ("--master-key-file", str(place.file))
    beside = run("restore", "backup", *key, "--data-dir", "beside", cwd=place.directory)
    assert "audit-anchor.json is this database's from now on" in beside.stdout, beside.stderr


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        pytest.param(
            lambda place: write_keys(place.file, NEW), "belongs to another master key", id="key"
        ),
        pytest.param(lambda place: place.file.unlink(), "keys: no such file", id="no key"),
        pytest.param(
            lambda place: (place.directory / "backup").unlink(),
            "backup: cannot be read: no such file",
            id="no file",
        ),
        pytest.param(
            lambda place: (place.directory / "backup").write_bytes(b"x" * 500),
            "backup: it is damaged, or no backup",
            id="another file",
        ),
    ],
)
def test_nothing_is_written_where_file_or_key_is_wrong(
    place: Place, prepare: Any, words: str
) -> None:
    prepare(place)
    assert words in check_refused(restore(place), 2)
    assert not (place.directory / "data").exists()


def test_damaged_file_is_refused_before_anything_is_written(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(running, "harden_process", lambda: None)
    monkeypatch.setattr("kms_tornado.logs.configure", lambda *_: None)
    monkeypatch.chdir(place.directory)
    file = place.directory / "backup"
    whole = file.read_bytes()
    chance = random.Random(13)
    for _ in range(20):  # tests/store/test_dump.py has more of them
        at = chance.randrange(10, len(whole))
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert __main__.main(["restore", "backup", *options(place)]) == 2, at
    assert not (place.directory / "data").exists()
    assert "backup: " in capsys.readouterr().err


@pytest.mark.parametrize("remove", ["the files", "the directory"])
def test_restore_under_a_server_that_runs_is_refused(place: Place, remove: str) -> None:
    data = place.directory / "data"
    with ServerProcess(*NO_AUTH, *options(place), cwd=place.directory) as server:
        server.client.create(ADMIN)
        for path in list(data.iterdir()):
            path.unlink()
        if remove == "the directory":
            data.rmdir()
        line = check_refused(restore(place), 2)
        assert "a server has it open, or had it when it was deleted; stop it" in line
        assert not (data / "kms.db").exists()
        server.kill()
    assert restore(place).returncode == 0


def test_restore_under_a_server_that_runs_on_postgresql_is_refused(
    place: Place, tmp_path: Path
) -> None:
    url = database("postgresql")
    with serving(*NO_AUTH, *options(place), *url, cwd=tmp_path):
        line = check_refused(restore(place, *url), 2)
        assert "a server has it open; stop it" in line


def test_restore_that_is_killed_leaves_nothing_in_the_way_of_the_next(
    template: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "harden_process", lambda: None)
    steps = [
        (sqlalchemy.Connection, "execute"), (sqlalchemy.Connection, "exec_driver_sql"),
        (AuditLog, "announce"), (AuditLog, "make_checkpoint"), (AnchorFile, "write"),
    ]  # fmt: skip

    def work(place: Place) -> None:
        os.chdir(place.directory)
        with contextlib.redirect_stdout(io.StringIO()):
            assert __main__.main(["restore", "backup", *options(place)]) == 0

    def copy(name: str) -> Place:
        place = Place(tmp_path / name)
        place.directory.mkdir()
        shutil.copy(template.directory / "backup", place.directory)
        write_keys(place.file, OLD)
        return place

    counted = copy("counted")
    total = count_steps(lambda: work(counted), steps)
    rows = counted.sql("SELECT * FROM objects")
    outcomes: list[Sequence[Any]] = []
    for moment in spread(10, total):
        place = copy(str(moment))
        kill_at(moment, lambda place=place: work(place), steps)  # type: ignore[misc]
        finished = restore(place)
        outcomes.append(finished.returncode)
        if finished.returncode == 2:  # it was killed when all was done
            assert "is not empty" in finished.stderr
        assert place.sql("SELECT * FROM objects") == rows
        # Also where the database was there, and the command went on, when it was killed.
        assert len(find_records(place.directory / "data" / "kms.db", operation="Restore")) == 1
    assert set(outcomes) == {0, 2}
