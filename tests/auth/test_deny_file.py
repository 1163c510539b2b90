"""A deny list in a file: read when it changes, and never a reason to let somebody in."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from kms_tornado.auth.deny_file import DenyFile
from kms_tornado.auth.deny_list import MAX_DENY_FILE_BYTES
from kms_tornado.errors import ConfigurationError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "deny"
    path.write_text("sub=alice\n")
    return path


@pytest.fixture
def clock() -> list[float]:
    """The seconds that it shows."""
    return [1000.0]


@pytest.fixture
def file(path: Path, clock: list[float]) -> DenyFile:
    file = DenyFile(str(path), lambda: clock[0])
    file.load()
    assert subjects(file) == {"alice"}
    return file


def subjects(file: DenyFile) -> set[str]:
    return {value for _, _, value in file.list.entries}


def settle(file: DenyFile, clock: list[float]) -> None:
    """The file stands still, and is looked at again."""
    clock[0] += 2.0
    file.look()


def age(path: Path, seconds: float) -> None:
    """As if it had been written so long ago."""
    then = path.stat().st_mtime - seconds
    os.utime(path, (then, then))


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]


def test_what_is_written_counts_at_the_next_look(path: Path, file: DenyFile) -> None:
    path.write_text("sub=bob\n")
    file.look()
    assert subjects(file) == {"alice", "bob"}


def test_what_is_taken_out_counts_when_the_file_has_stood_still(
    path: Path, file: DenyFile, clock: list[float]
) -> None:
    path.write_text("sub=bob\n")
    for seconds, expected in ((0.0, {"alice", "bob"}), (1.9, {"alice", "bob"}), (0.1, {"bob"})):
        clock[0] += seconds
        file.look()
        assert subjects(file) == expected


def test_file_that_is_written_anew_in_its_place_lets_nobody_in(
    path: Path, file: DenyFile, clock: list[float]
) -> None:
    for content in ("", "sub=carol\n", "sub=carol\nsub=alice\n") * 2:
        path.write_text(content)
        file.look()
        assert "alice" in subjects(file)
        clock[0] += 1.5
    settle(file, clock)
    assert subjects(file) == {"alice", "carol"}


def test_change_of_the_same_length_and_time_is_seen(path: Path, file: DenyFile) -> None:
    stat = path.stat()
    path.write_text("sub=carol\n")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    file.look()
    assert subjects(file) == {"alice", "carol"}


def test_file_that_takes_its_place_counts(path: Path, file: DenyFile, clock: list[float]) -> None:
    new = path.with_name("new")
    new.write_text("sub=bob\n")
    age(new, 3600)
    new.replace(path)
    file.look()
    assert subjects(file) == {"alice", "bob"}
    settle(file, clock)
    assert subjects(file) == {"bob"}


def test_emptied_file_denies_nobody(path: Path, file: DenyFile, clock: list[float]) -> None:
    path.write_text("")
    file.look()
    settle(file, clock)
    assert subjects(file) == set()


def test_file_that_did_not_change_is_not_read_again(
    path: Path, file: DenyFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    age(path, 60)
    file.look()
    monkeypatch.setattr(
        "kms_tornado.auth.deny_file.read_regular_file", lambda *_: pytest.fail("read again")
    )
    file.look()
    assert subjects(file) == {"alice"}


def test_removed_file_leaves_the_list_and_is_told_once(
    path: Path, file: DenyFile, clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    age(path, 60)
    file.look()
    path.unlink()
    for _ in range(3):
        file.look()
    assert subjects(file) == {"alice"}
    assert errors(caplog) == [
        f"deny list: cannot read {path}: No such file or directory; the list that was read last stays in force"
    ]
    path.write_text("sub=bob\n")
    file.look()
    settle(file, clock)
    assert subjects(file) == {"bob"}
    path.unlink()
    file.look()
    assert len(errors(caplog)) == 2, "it was well meanwhile"


@pytest.mark.parametrize("kind", ["directory", "pipe", "too long"])
def test_what_is_no_file_leaves_the_list(
    path: Path, file: DenyFile, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    path.unlink()
    if kind == "directory":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.write_bytes(b"#" * (MAX_DENY_FILE_BYTES + 1))
    file.look()
    file.look()
    assert subjects(file) == {"alice"}
    assert len(errors(caplog)) == 1


def test_while_a_line_is_malformed_nobody_comes_off_the_list(
    path: Path, file: DenyFile, clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    path.write_text("sub=bob\nmallory\n")
    file.look()
    settle(file, clock)
    assert subjects(file) == {"alice", "bob"}
    (told,) = errors(caplog)
    assert told == (
        f"deny list: {path}: line 2 is none of jti=…, sub=…, sid=… and iss=… sub=…; what was denied before stays "
        "denied, too"
    )
    path.write_text("sub=bob\n")
    file.look()
    assert subjects(file) == {"alice", "bob"}
    settle(file, clock)
    assert subjects(file) == {"bob"}


def test_of_many_malformed_lines_some_are_named(
    path: Path, file: DenyFile, caplog: pytest.LogCaptureFixture
) -> None:
    path.write_text("x\n" * 1000)
    file.look()
    (told,) = errors(caplog)
    assert "line 5 " in told
    assert "line 6 " not in told
    assert "and 995 more" in told


@pytest.mark.parametrize(
    ("content", "fault"),
    [(None, "No such file or directory"), ("sub=a\nmallory", "line 2 is none of")],
)
def test_start_needs_a_list_that_can_be_read(
    path: Path, content: str | None, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    path.unlink()
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigurationError, match=fault) as refused:
        DenyFile(str(path)).load()
    assert refused.value.field == "deny_file"
    assert errors(caplog) == []
