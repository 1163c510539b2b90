"""A new key comes into the key file in steps, and each of them leaves a file that every server can use."""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path

import pytest

from kms_tornado.errors import ConfigurationError
from kms_tornado.service.master_keys.key_rotation import edit_key_file
from kms_tornado.service.master_keys.sources import NEXT, load_master_keys, read_key_file

from .place import NEW, OLD, key_id, write_keys


def ring(path: Path) -> list[bytes]:
    keys = load_master_keys(value=None, files=[path], default_file=path, may_make=False)
    return [key.key_id for key in keys]


def test_next_key_opens_until_it_is_promoted(tmp_path: Path) -> None:
    path = write_keys(tmp_path / "key", OLD, NEW)
    with edit_key_file(path) as edit:
        new = edit.add_next()
        assert ring(path) == [key_id(OLD), key_id(NEW), new]
        assert edit.add_next() == new
        edit.promote_next()
    assert ring(path) == [new, key_id(OLD), key_id(NEW)]
    assert NEXT not in path.read_text()
    assert [entry.name for entry in tmp_path.iterdir()] == ["key"]


def test_each_new_key_is_another_one(tmp_path: Path) -> None:
    path = write_keys(tmp_path / "key", OLD)
    made = set()
    for _ in range(3):
        with edit_key_file(path) as edit:
            made.add(edit.add_next())
            edit.promote_next()
    assert len(made) == 3
    assert len(ring(path)) == 4


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_owner_and_mode_of_the_file_stay(tmp_path: Path, mode: int) -> None:
    path = write_keys(tmp_path / "key", OLD)
    path.chmod(mode)
    with edit_key_file(path) as edit:
        edit.add_next()
    status = path.stat()
    assert stat.S_IMODE(status.st_mode) == mode
    assert (status.st_uid, status.st_gid) == (os.getuid(), os.getgid())


def test_link_stays_and_its_file_changes(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    path = write_keys(tmp_path / "real/key", OLD)
    (tmp_path / "link").symlink_to(path)
    with edit_key_file(tmp_path / "link") as edit:
        edit.add_next()
    assert (tmp_path / "link").is_symlink()
    assert len(read_key_file(path)) == 2


def test_two_do_not_rotate_at_once(tmp_path: Path) -> None:
    path = write_keys(tmp_path / "key", OLD)
    with (
        edit_key_file(path),
        pytest.raises(ConfigurationError, match="another process is changing it"),
        edit_key_file(path),
    ):
        pass
    with edit_key_file(path) as edit:
        edit.add_next()


def test_file_that_was_replaced_while_waiting_for_the_lock_is_read_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_keys(tmp_path / "key", OLD)
    lock = fcntl.flock

    def replace_once(descriptor: int, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", lock)
        write_keys(tmp_path / "other", NEW, OLD).replace(path)
        lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", replace_once)
    with edit_key_file(path) as edit:
        edit.add_next()
    assert ring(path)[:2] == [key_id(NEW), key_id(OLD)]


def test_file_that_cannot_be_used_is_left_as_it_is(tmp_path: Path) -> None:
    path = write_keys(tmp_path / "key", OLD)
    path.chmod(0o644)
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match="open to others"), edit_key_file(path):
        pass
    with pytest.raises(ConfigurationError, match="no such file"), edit_key_file(tmp_path / "no"):
        pass
    assert path.read_bytes() == before


def test_disk_that_is_full_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_keys(tmp_path / "key", OLD)

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with (
        edit_key_file(path) as edit,
        pytest.raises(ConfigurationError, match="cannot be replaced: no space left"),
    ):
        edit.add_next()
    assert ring(path) == [key_id(OLD)]
    assert [entry.name for entry in tmp_path.iterdir()] == ["key"]
