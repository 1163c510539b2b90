"""Lines at the end of a file or on a pipe: whole, of several processes at once, or not at all."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kms_tornado.service.auditing.log_target import LogTarget

from ...broken_disk import no_file_longer_than
from ...server import environment


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


@pytest.fixture
def target(path: Path) -> Iterator[LogTarget]:
    target = LogTarget(path)
    yield target
    target.close()


def test_file_is_made_for_us_alone(target: LogTarget, path: Path) -> None:
    target.open()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    target.write(b"one\n")
    target.write(b"two\nthree\n")
    assert path.read_bytes() == b"one\ntwo\nthree\n"


def test_file_that_is_there_is_continued_with_the_mode_that_it_has(path: Path) -> None:
    path.write_bytes(b"{one\n")
    path.chmod(0o640)
    target = LogTarget(path)
    target.write(b"two\n")
    target.close()
    assert path.read_bytes() == b"{one\ntwo\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_line_that_a_killed_process_left_is_not_continued(target: LogTarget, path: Path) -> None:
    path.write_bytes(b"{one\ntw")
    target.write(b"three\n")
    assert path.read_bytes() == b"{one\ntw\nthree\n"


def test_file_of_something_else_is_left_as_it_is(target: LogTarget, path: Path) -> None:
    """A key, say, or a database."""
    for content in (b"SQLite format 3\0", b"-----BEGIN PRIVATE KEY-----\n", b"\0"):
        path.write_bytes(content)
        with pytest.raises(OSError, match="no log of the audit"):
            target.open()
        with pytest.raises(OSError, match="no log of the audit"):
            target.write(b"one\n")
        assert path.read_bytes() == content


def test_what_does_not_fit_leaves_nothing_behind(target: LogTarget, path: Path) -> None:
    target.write(b"one\n")
    with no_file_longer_than(10), pytest.raises(OSError, match="File too large"):
        target.write(b"twelve bytes\n")
    assert path.read_bytes() == b"one\n"
    target.write(b"two\n")
    assert path.read_bytes() == b"one\ntwo\n"


def test_renamed_file_is_written_until_it_is_opened_again(target: LogTarget, path: Path) -> None:
    target.write(b"one\n")
    old = path.rename(path.with_suffix(".1"))
    target.write(b"two\n")
    target.open()
    target.write(b"three\n")
    assert (old.read_bytes(), path.read_bytes()) == (b"one\ntwo\n", b"three\n")


def test_removed_file_is_made_again(target: LogTarget, path: Path) -> None:
    target.write(b"one\n")
    path.unlink()
    target.write(b"two\n")
    assert path.read_bytes() == b"two\n"


def test_truncated_file_is_continued_at_its_start(target: LogTarget, path: Path) -> None:
    target.write(b"one\n")
    os.truncate(path, 0)  # logrotate's copytruncate
    target.write(b"two\n")
    assert path.read_bytes() == b"two\n"


def test_directory_that_is_gone_is_an_error_until_it_is_back(target: LogTarget, path: Path) -> None:
    target.write(b"one\n")
    path.unlink()
    path.parent.rmdir()
    with pytest.raises(FileNotFoundError):
        target.write(b"two\n")
    path.parent.mkdir()
    target.write(b"two\n")
    assert path.read_bytes() == b"two\n"


def test_named_pipe_without_a_reader_is_an_error_and_no_wait(path: Path) -> None:
    os.mkfifo(path)
    target = LogTarget(path)
    with pytest.raises(OSError, match="No such device"):
        target.open()
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    target.write(b"one\n")
    assert os.read(reader, 100) == b"one\n"
    os.close(reader)
    with pytest.raises(BrokenPipeError):
        target.write(b"two\n")
    target.close()


def test_file_that_others_make_is_not_made(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        LogTarget(path, may_make=False).write(b"one\n")


#: Writes many lines at once, longer than what a pipe takes whole.
_WRITER = """
import sys
from pathlib import Path
from kms_tornado.service.auditing.log_target import LogTarget
target = LogTarget(Path(sys.argv[1]))
for number in range(40):
    target.write(b"".join(b"{%s %d %s\\n" % (sys.argv[2].encode(), line, b"x" * 5000) for line in range(20)))
"""


@pytest.mark.parametrize("kind", ["stdout", "file"])
def test_lines_of_two_processes_are_whole(path: Path, kind: str) -> None:
    reader, writer = os.pipe()
    name = "-" if kind == "stdout" else str(path)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITER, name, who], stdout=writer, env=environment()
        )
        for who in ("a", "b")
    ]
    os.close(writer)
    with open(reader, "rb") as stream:
        content = stream.read()
    assert [process.wait() for process in processes] == [0, 0]
    if kind == "file":
        content = path.read_bytes()
    lines = content.splitlines()
    assert len(lines) == 2 * 40 * 20
    assert {line.split()[2] for line in lines} == {b"x" * 5000}
    # A batch is never within another one.
    assert [int(line.split()[1]) for line in lines] == [*range(20)] * 80
