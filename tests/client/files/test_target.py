"""What is written: whole files or none."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from kms_tornado.client.files.errors import FileError
from kms_tornado.client.files.target import open_target


def write(path: Path, data: bytes = b"data", *, replaces: bool = False) -> None:
    with open_target(path, replaces=replaces) as target:
        target.write(memoryview(data))


def write_and_fail(path: Path, error: type[BaseException]) -> None:
    before = path.read_bytes() if path.exists() else None
    with open_target(path, replaces=True) as target:
        target.write(memoryview(b"data"))
        assert (path.read_bytes() if path.exists() else None) == before
        raise error


@pytest.fixture(params=[0o022, 0o027, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_file_appears_under_its_name_at_the_end_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with open_target(path, replaces=False) as target:
        target.write(memoryview(b"data"))
        (temporary,) = tmp_path.iterdir()
        assert temporary.name.startswith(".kmsctl-")
        assert mode(temporary) == 0o600
    assert [path] == list(tmp_path.iterdir())
    assert path.read_bytes() == b"data"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_nothing_is_left_of_what_was_not_finished(
    tmp_path: Path, error: type[BaseException]
) -> None:
    with pytest.raises(error):
        write_and_fail(tmp_path / "file", error)
    assert list(tmp_path.iterdir()) == []


def test_replaced_file_stays_as_it_was_until_the_end(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"before")
    with pytest.raises(ValueError):
        write_and_fail(path, ValueError)
    assert path.read_bytes() == b"before"
    write(path, replaces=True)
    assert path.read_bytes() == b"data"


def test_new_file_has_the_mode_of_the_umask(tmp_path: Path, umask: int) -> None:
    write(tmp_path / "file")
    assert mode(tmp_path / "file") == 0o666 & ~umask


@pytest.mark.parametrize("before", [0o600, 0o640])
def test_replaced_file_hands_on_its_mode(tmp_path: Path, before: int) -> None:
    path = tmp_path / "file"
    path.touch(before)
    write(path, replaces=True)
    assert mode(path) == before


def test_existing_file_is_not_replaced_unasked(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"before")
    with pytest.raises(FileError, match=f"^{path} exists: .* --force$"):
        write(path)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_file_that_appears_meanwhile_is_not_replaced_either(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with pytest.raises(FileError, match="exists"), open_target(path, replaces=False):
        path.write_bytes(b"somebody's")
    assert path.read_bytes() == b"somebody's"
    assert list(tmp_path.iterdir()) == [path]


def test_symbolic_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "file")
    write(tmp_path / "link", replaces=True)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"data"


def test_link_to_no_file_is_not_followed_unasked(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "authorized_keys")
    with pytest.raises(FileError, match="leads to no file: name another"):
        write(tmp_path / "link")
    assert list(tmp_path.iterdir()) == [tmp_path / "link"]


def test_device_is_written_to() -> None:
    write(Path("/dev/null"))
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("missing/file", "No such file or directory", id="no directory"),
        pytest.param("file/below", "Not a directory", id="below a file"),
        pytest.param("", "Is a directory", id="a directory"),
        pytest.param("n" * 300, "File name too long", id="a long name"),
    ],
)
def test_what_cannot_be_written_is_named_on_one_line(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / name
    with pytest.raises(FileError, match=f"^{path} cannot be written: {text}$"):
        write(path)


def test_full_disk_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be written: No space left on device"):
        write(Path("/dev/full"))


def test_name_of_any_length_that_the_file_system_takes_will_do(tmp_path: Path) -> None:
    write(tmp_path / ("n" * 255))
