"""Files with secrets: who may have them, and how they are written."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from kms_tornado.client.private_files import (
    MOST_BYTES,
    check_private,
    read_regular_file,
    user_directory,
    write_private_file,
)
from kms_tornado.errors import ConfigurationError


def status(mode: int, user: int) -> os.stat_result:
    return os.stat_result((stat.S_IFREG | mode, 0, 0, 1, user, 0, 0, 0, 0, 0))


ME, OTHER, ROOT = 1000, 1001, 0


@pytest.mark.parametrize(
    ("user", "owner", "mode", "words"),
    [
        pytest.param(ME, ME, 0o600, None, id="mine alone"),
        pytest.param(ME, ME, 0o400, None, id="mine, read only"),
        pytest.param(ME, ME, 0o640, "chmod 600", id="the group reads it"),
        pytest.param(ME, ME, 0o604, "chmod 600", id="everybody reads it"),
        pytest.param(ME, ME, 0o620, "chmod 600", id="the group writes it"),
        pytest.param(ME, OTHER, 0o600, "another user", id="somebody else's"),
        pytest.param(ME, ROOT, 0o644, "chmod 600", id="root's, for everybody"),
        pytest.param(ROOT, ROOT, 0o600, None, id="root's own"),
        pytest.param(ROOT, ROOT, 0o644, "chmod 600", id="root's own, for everybody"),
        pytest.param(ROOT, OTHER, 0o600, "another user", id="root reads somebody else's"),
    ],
)
def test_file_with_secrets_belongs_to_the_user_alone(
    user: int, owner: int, mode: int, words: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    if words is None:
        check_private(Path("/a file"), status(mode, owner))
        return
    with pytest.raises(ConfigurationError, match=words) as refusal:
        check_private(Path("/a file"), status(mode, owner))
    assert "chmod" not in words or str(refusal.value).endswith("chmod 600 '/a file'")


def test_written_file_is_whole_and_for_the_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    write_private_file(path, b"secret")
    assert path.read_bytes() == b"secret"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert os.listdir(path.parent) == ["file"]


def test_written_file_replaces_one_that_others_could_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o644)
    write_private_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_symbolic_link_stays_one_when_its_file_is_written(tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    target, link = tmp_path / "dotfiles" / "file", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    write_private_file(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(ConfigurationError, match=r"cannot be written: no space left on device$"):
        write_private_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_interrupted_write_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_private_file(tmp_path / "file", b"new")
    assert os.listdir(tmp_path) == []


def test_directory_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        ConfigurationError, match=r"cannot be written: (not a directory|file exists)$"
    ):
        write_private_file(tmp_path / "file" / "below", b"")


def test_file_is_read_through_symbolic_links(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"data")
    (tmp_path / "link").symlink_to("file")
    assert read_regular_file(tmp_path / "link")[0] == b"data"


def test_file_that_is_absent_is_told_apart_from_others(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_regular_file(tmp_path / "file")


def make_directory(path: Path) -> None:
    path.mkdir()


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_large_file(path: Path) -> None:
    path.write_bytes(bytes(MOST_BYTES + 1))


def make_loop(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(make_directory, "is a directory: name a file", id="directory"),
        pytest.param(make_fifo, "is not a regular file: name a file", id="fifo without a writer"),
        pytest.param(make_large_file, "is larger than 1024 KiB: name another", id="too large"),
        pytest.param(make_loop, "cannot be read: too many levels", id="link to itself"),
    ],
)
def test_what_is_no_file_is_refused_in_one_line(make: object, words: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert callable(make)
    make(path)
    with pytest.raises(ConfigurationError, match=words) as refusal:
        read_regular_file(path)
    assert "\n" not in str(refusal.value)


def test_name_with_a_null_character_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: not a file name"):
        read_regular_file(Path("a\0b"))
    with pytest.raises(ConfigurationError, match="cannot be written: not a file name"):
        write_private_file(Path("a\0b"), b"")


def test_user_without_a_home_directory_is_told_to_set_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(cls: type[Path]) -> Path:
        raise RuntimeError

    monkeypatch.setattr(Path, "home", classmethod(fail))
    with pytest.raises(ConfigurationError, match="set HOME"):
        user_directory()
