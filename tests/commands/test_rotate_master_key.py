"""`kms-tornado rotate-master-key`: what it leaves, whenever it is killed, and where it changes nothing."""

from __future__ import annotations

import base64
import contextlib
import io
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from kms_tornado import __main__
from kms_tornado.commands import running
from kms_tornado.service import private_file
from kms_tornado.service.master_keys.sources import load_master_keys
from kms_tornado.store.sql.statements import DriverRunner

from ..server import NO_AUTH, check_refused, eventually, run, serving
from ..service.kill import count_steps, kill_at, spread
from ..service.master_keys.place import NEW, OLD, Place, key_id, write_keys


def key_ids(path: Path) -> list[str]:
    keys = load_master_keys(value=None, files=[path], default_file=path, may_make=False)
    return [key.key_id.hex() for key in keys]


def options(place: Place) -> tuple[str, ...]:
    directory = str(place.directory / "data")
    return ("--master-key-file", str(place.file), "--data-dir", directory)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path)
    place.create(OLD)
    return place


def test_new_key_seals_and_the_old_one_opens(place: Place, tmp_path: Path) -> None:
    finished = run("rotate-master-key", *options(place), cwd=tmp_path)
    assert (finished.returncode, finished.stderr) == (0, "")
    new, old = key_ids(place.file)
    assert old == key_id(OLD).hex()
    assert f"the master key {new} seals from now on, and {old} opens: {place.file} has" in (
        finished.stdout
    )
    [[name]] = place.sql("SELECT name FROM server_state WHERE name LIKE 'key_bundle:%'")
    assert name == f"key_bundle:{new}"


def test_prepared_key_does_not_seal_until_the_next_run(place: Place, tmp_path: Path) -> None:
    for _ in range(2):  # the second finds what the first has made
        finished = run("rotate-master-key", "--prepare", *options(place), cwd=tmp_path)
        assert finished.returncode == 0
        old, new = key_ids(place.file)
        assert old == key_id(OLD).hex()
        assert f"the master key {new} is in {place.file}, and opens; {old} goes on" in (
            finished.stdout
        )
    assert run("rotate-master-key", *options(place), cwd=tmp_path).returncode == 0
    assert key_ids(place.file) == [new, old]


def test_master_key_in_the_data_directory_is_replaced_there(tmp_path: Path) -> None:
    with serving(*NO_AUTH, cwd=tmp_path) as server:
        uid = server.client.create("x")
        assert run("rotate-master-key", cwd=tmp_path).returncode == 0
        new, old = key_ids(tmp_path / "kms-data/master.key")
        server.send(signal.SIGHUP)
        eventually(lambda: f"master keys: {new} seals, {old} opens" in server.log)
        assert server.client.get_key("x", uid).status == 200
        other = server.client.create("x")
    with serving(*NO_AUTH, cwd=tmp_path) as server:
        assert {server.client.get_key("x", each).status for each in (uid, other)} == {200}


@pytest.mark.parametrize(
    ("prepare", "variables", "words"),
    [
        pytest.param(
            lambda place: ["--data-dir", str(place.directory / "data")],
            {"KMS_MASTER_KEY": base64.b64encode(OLD).decode()},
            ("KMS_MASTER_KEY (environment): ", "no command can change a variable"),
            id="in a variable",
        ),
        pytest.param(
            lambda place: ["--data-dir", str(place.directory / "data")],
            {"CREDENTIALS_DIRECTORY": "credentials"},
            ("--master-key-file (credential): ", "name the file that it is loaded from"),
            id="a credential",
        ),
        pytest.param(
            lambda place: options(place), {}, ("not the one that this database",), id="another key"
        ),
        pytest.param(
            lambda place: ["--data-dir", str(place.directory)],
            {},
            ("kms.db: ", "there is none"),
            id="no database",
        ),
        pytest.param(
            lambda place: ["--data-dir", str(place.directory / "no")],
            {},
            ("--data-dir (flag): ", "is no directory"),
            id="no directory",
        ),
        pytest.param(lambda place: ["--dev"], {}, ("--data-dir (default): ", "--dev"), id="--dev"),
    ],
)
def test_nothing_is_changed_where_the_key_cannot_be(
    place: Place, tmp_path: Path, prepare: Any, variables: dict[str, str], words: tuple[str, ...]
) -> None:
    (tmp_path / "credentials").mkdir()
    write_keys(tmp_path / "credentials/kms-master-key", OLD)
    argv = prepare(place)
    if words[0].startswith("not the one"):
        write_keys(place.file, NEW)
    before = place.file.read_bytes(), place.sql("SELECT * FROM server_state")
    finished = run("rotate-master-key", *argv, cwd=tmp_path, **variables)
    line = check_refused(finished, 2)
    for word in words:
        assert word in line
    assert (place.file.read_bytes(), place.sql("SELECT * FROM server_state")) == before
    assert not (tmp_path / "no").exists()


def rotate(place: Place) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        assert __main__.main(["rotate-master-key", *options(place)]) == 0


def test_killed_at_twenty_moments_it_leaves_a_usable_file_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "harden_process", lambda: None)  # this process has another purpose
    template = Place(tmp_path / "template")
    template.directory.mkdir()
    uid = template.create(OLD)
    material = template.material(uid, OLD)
    steps: list[tuple[Any, str]] = [
        (private_file, "write_draft"), (private_file.os, "fsync"), (Path, "replace"),
        (private_file, "flush_directory"),
        (DriverRunner, "command"), (DriverRunner, "change"), (DriverRunner, "select"),
    ]  # fmt: skip

    def copy(name: str) -> Place:
        place = Place(tmp_path / name)
        shutil.copytree(template.directory, place.directory)
        return place

    counted = copy("counted")
    total = count_steps(lambda: rotate(counted), steps)
    lengths = set()
    for moment in spread(20, total):
        place = copy(str(moment))
        kill_at(moment, lambda place=place: rotate(place), steps)  # type: ignore[misc]
        lengths.add(len(place.file.read_bytes()))
        keys = key_ids(place.file)
        assert key_id(OLD).hex() in keys
        rotate(place)
        assert len(key_ids(place.file)) in (2, 3)  # 3: it was killed when all was done
        assert key_ids(place.file)[-1] == key_id(OLD).hex()
        seals = base64.b64decode(place.file.read_text().splitlines()[0])
        file = place.file.read_bytes()
        new = place.create(seals)  # it opens the database alone
        place.file.write_bytes(file)
        assert place.sealed_under(new).hex() == key_id(seals).hex()
        assert place.material(uid, seals, OLD) == material
        shutil.rmtree(place.directory)
    assert lengths == {45, 95, 90}
