"""`kms-tornado rewrap` beside servers that serve under the old and the new key."""

from __future__ import annotations

import base64
import json
import signal
from pathlib import Path
from typing import Any

import pytest

from kms_tornado.commands import find_command, running
from kms_tornado.service.master_keys.key_rotation import KeyFileEdit
from kms_tornado.service.master_keys.sources import read_key_file

from .. import postgres
from ..server import NO_AUTH, ServerProcess, eventually, run, serving
from ..service.master_keys.place import NEW, OLD, THIRD, Place, key_id, write_keys
from .load import ADMIN, Load


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> tuple[str, ...]:
    if request.param == "sqlite":
        return ()
    return ("--database-url", postgres.cluster().new_database())


def reload(server: ServerProcess) -> None:
    server.send(signal.SIGHUP)
    eventually(lambda: f"master keys: {key_id(NEW).hex()} seals" in server.log)


def test_no_request_fails_while_everything_comes_under_the_new_key(
    tmp_path: Path, database: tuple[str, ...]
) -> None:
    old_first, new_first = tmp_path / "old", tmp_path / "new"
    write_keys(old_first, OLD)
    with serving(*NO_AUTH, *database, "--master-key-file", str(old_first), cwd=tmp_path) as server:
        uids = [server.client.create(ADMIN) for _ in range(60)]
        before = [server.client.get_key(ADMIN, uid).body for uid in uids]
    write_keys(old_first, OLD, NEW)
    write_keys(new_first, NEW, OLD)
    command = ("rewrap", *database, "--master-key-file", str(new_first))
    with (
        serving(*NO_AUTH, *database, "--master-key-file", str(old_first), cwd=tmp_path) as one,
        serving(*NO_AUTH, *database, "--master-key-file", str(new_first), cwd=tmp_path) as two,
    ):
        load = Load([one, two])
        with load.running():
            first = run(*command, cwd=tmp_path)
            write_keys(old_first, NEW, OLD)
            reload(one)
            second = run(*command, cwd=tmp_path)
        assert load.failed == []
        assert first.stderr == second.stderr == ""
        assert int(first.stdout.split()[0]) >= 60
        assert second.returncode == 0, second.stdout
        assert "no object needs another master key" in second.stdout
    write_keys(new_first, NEW)
    with serving(*NO_AUTH, *database, "--master-key-file", str(new_first), cwd=tmp_path) as server:
        assert [server.client.get_key(ADMIN, uid).body for uid in uids] == before
        assert {server.client.get_key(ADMIN, uid).status for uid in load.uids} == {200}


def test_what_is_left_is_told_and_the_exit_code_is_1(tmp_path: Path) -> None:
    place = Place(tmp_path)
    uid = place.create(OLD)
    place.create(NEW, OLD)
    write_keys(place.file, NEW)
    finished = run(
        "rewrap", "--data-dir", "data", "--master-key-file", str(place.file), cwd=tmp_path
    )
    assert (finished.returncode, finished.stderr) == (1, "")
    assert finished.stdout.splitlines() == [
        f"0 objects were sealed anew under the master key {key_id(NEW).hex()}",
        f"{uid} was left as it is: sealed under the master key {key_id(OLD).hex()}, which is not in "
        f"KeyRing({key_id(NEW).hex()})",
        f"1 object is sealed under the master key {key_id(OLD).hex()}",
    ]


def rewrap(place: Place, *words: str) -> Any:
    options = (*NO_AUTH, "--data-dir", "data", "--master-key-file", str(place.file))
    return run("rewrap", *words, *options, cwd=place.directory)


def retire(place: Place, key: bytes) -> Any:
    return rewrap(place, "--retire", key_id(key).hex())


@pytest.mark.parametrize("first", [OLD, THIRD], ids=["the first key", "a later key"])
def test_old_key_is_taken_out_of_its_file_once_nothing_is_under_it(
    tmp_path: Path, first: bytes
) -> None:
    place = Place(tmp_path)
    uid = place.create(first)
    place.create(OLD, first)
    write_keys(place.file, *dict.fromkeys([NEW, OLD, first]))
    finished = retire(place, OLD)
    assert finished.returncode == 0, finished.stderr
    assert f"the master key {key_id(OLD).hex()} is no longer in {place.file}" in finished.stdout
    kept = tmp_path / "keys.retired"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert [line.key.key_id for line in read_key_file(kept)] == [key_id(OLD)]
    left = [NEW] if first is OLD else [NEW, first]
    assert [line.key.key_id for line in read_key_file(place.file)] == list(map(key_id, left))
    names = [name for [name] in place.sql("SELECT name FROM server_state")]
    assert f"key_bundle:{key_id(OLD).hex()}" not in names
    assert place.material(uid, *left)
    [record] = [
        json.loads(line)
        for [lines] in place.sql("SELECT lines FROM audit_segments")
        for line in lines.split(b"\n")
        if b"RetireMasterKey" in line
    ]
    assert record["detail"] == {"key": key_id(OLD).hex()}


def test_retired_keys_are_a_key_file_for_old_backups(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.create(OLD)
    write_keys(place.file, NEW, OLD, THIRD)
    assert retire(place, OLD).returncode == retire(place, THIRD).returncode == 0
    kept = read_key_file(tmp_path / "keys.retired")
    assert [line.key.key_id for line in kept] == [key_id(OLD), key_id(THIRD)]


def test_key_that_an_object_needs_stays_and_the_number_is_told(tmp_path: Path) -> None:
    place = Place(tmp_path)
    uid = place.create(OLD)
    write_keys(place.file, NEW, OLD)
    place.sql(f"UPDATE objects SET state = 5 WHERE uid = '{uid}'")  # so it is not sealed anew
    finished = retire(place, OLD)
    assert finished.returncode == 1
    assert finished.stdout.splitlines()[-2:] == [
        f"1 object is sealed under the master key {key_id(OLD).hex()}",
        "so it stays",
    ]
    assert len(read_key_file(place.file)) == 2
    assert not (tmp_path / "keys.retired").exists()


def test_key_under_which_a_server_seals_at_that_moment_is_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = Place(tmp_path)
    place.create(OLD)
    write_keys(place.file, NEW, OLD)
    retire_line = KeyFileEdit.retire

    def retire_late(edit: KeyFileEdit, key: bytes) -> Path:
        kept = retire_line(edit, key)
        place.sql(
            "UPDATE objects SET sealed ="
            f" CAST(substr(sealed, 1, 1) || x'{key.hex()}' || substr(sealed, 10) AS BLOB)"
        )
        return kept

    monkeypatch.setattr(KeyFileEdit, "retire", retire_late)
    monkeypatch.setattr(running, "harden_process", lambda: None)  # this process has another purpose
    command, words = find_command(["rewrap", "--retire", key_id(OLD).hex()])
    assert command is not None
    options = [*NO_AUTH, "--data-dir", str(tmp_path / "data"), "--master-key-file", str(place.file)]
    assert running.run_command(command, [*words, *options]) == 1
    assert "a server still seals under it" in capsys.readouterr().out
    assert [line.key.key_id for line in read_key_file(place.file)] == [key_id(NEW), key_id(OLD)]


@pytest.mark.parametrize(
    ("word", "fault"),
    [
        pytest.param(key_id(NEW).hex(), "this master key seals", id="the one that seals"),
        pytest.param("00" * 8, "no master key here has this identifier", id="unknown"),
        pytest.param("abc", "is no identifier of a master key", id="no identifier"),
    ],
)
def test_what_is_no_old_key_is_refused_before_anything_is_sealed(
    tmp_path: Path, word: str, fault: str
) -> None:
    place = Place(tmp_path)
    uid = place.create(OLD)
    write_keys(place.file, NEW, OLD)
    finished = rewrap(place, "--retire", word)
    assert finished.returncode == 2
    assert fault in finished.stderr
    assert place.sealed_under(uid) == key_id(OLD)


def test_key_of_the_environment_is_told_to_be_taken_out_there(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.create(OLD)
    value = ",".join(base64.b64encode(key).decode() for key in (NEW, OLD))
    options = (*NO_AUTH, "--data-dir", "data")
    finished = run(
        "rewrap", "--retire", key_id(OLD).hex(), *options, cwd=tmp_path, KMS_MASTER_KEY=value
    )
    assert finished.returncode == 0, finished.stderr
    assert "no command can take it away where it is configured" in finished.stdout
