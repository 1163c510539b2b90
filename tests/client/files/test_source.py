"""What is read: files that hold still, and streams."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kms_tornado.client.files.errors import FileError
from kms_tornado.client.files.source import open_source


def test_file_has_a_size_and_a_pipe_has_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    with open_source(tmp_path / "file") as source:
        assert source.size == 5
    with open_source(Path("/dev/null")) as source:
        assert source.size is None


@pytest.mark.parametrize(
    ("name", "text"),
    [("", "Is a directory"), ("missing", "No such file or directory")],
    ids=["directory", "missing"],
)
def test_what_cannot_be_opened_is_named_on_one_line(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    with pytest.raises(FileError, match=f"^{path} cannot be read: {text}$"), open_source(path):
        pass


def test_file_that_grows_is_refused_before_its_end(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"1234")
    with open_source(path) as source:
        path.write_bytes(b"1234567")
        with pytest.raises(FileError, match="changed while it was read"):
            source.readinto(memoryview(bytearray(10)))


@pytest.mark.parametrize("data", [b"12", b"abcd", b"1234567"], ids=["shorter", "edited", "longer"])
def test_file_that_changed_is_refused_at_the_end(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"1234")
    os.utime(path, (1, 1))
    with open_source(path) as source:
        source.readinto(memoryview(bytearray(4)))
        path.write_bytes(data)
        with pytest.raises(FileError, match="changed while it was read"):
            source.check_unchanged()


def test_file_that_holds_still_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"1234")
    with open_source(path) as source:
        source.readinto(memoryview(bytearray(4)))
        source.check_unchanged()


def test_file_that_another_one_replaces_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"1234")
    with open_source(path) as source:
        (tmp_path / "new").write_bytes(b"5678")
        (tmp_path / "new").rename(path)
        source.readinto(memoryview(bytearray(4)))
        source.check_unchanged()


def test_file_that_claims_to_be_empty_is_believed() -> None:
    path = Path("/proc/self/status")
    with open_source(path) as source:
        assert source.readinto(memoryview(bytearray(100_000))) > 0
        source.check_unchanged()


def test_source_knows_the_file_under_another_name(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"1234")
    (tmp_path / "link").symlink_to(path)
    (tmp_path / "copy").write_bytes(b"1234")
    with open_source(path) as source:
        assert source.is_same_file(tmp_path / "link")
        assert not source.is_same_file(tmp_path / "copy")
        assert not source.is_same_file(tmp_path / "missing")
