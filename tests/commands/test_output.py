"""What commands print where stdout has no reader, or a full disk below it: the work is done, and what was done is known."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from kms_tornado.commands import COMMANDS

from ..rows import each_row
from ..server import NO_AUTH, ServerProcess, run, serving, warm_servers
from .load import ADMIN

FULL = Path("/dev/full")  # whatever is written there, its disk is full
NOT_WRITTEN = "kms-tornado: stdout cannot be written: No space left on device"
TRUST = ("--jwt-issuer-uri", "https://i.example", "--jwt-audience", "kms")

#: Command → its arguments, the exit code, and what it says it has done.
LINES: dict[str, tuple[Sequence[str], int, str]] = {
    "audit verify": ((), 0, "all is well"),
    "audit tail": (("-n", "3"), 0, ""),
    "audit export": ((), 0, ""),
    "audit reindex": ((), 0, "the index has "),
    "verify": (("--accept", "nothing"), 1, "there is none of this identifier"),
    "health": ((), 0, "alive"),
    "explain": (("x", *TRUST), 1, "FAILED  form: not three parts"),
    "backup": (("{new}",), 0, "{new} has 1 object in "),
    "restore": (("kms.backup", "--data-dir", "{new}"), 0, "{new}/kms.db has "),
    "rotate-master-key": ((), 0, " seals from now on, and "),
    "rewrap": ((), 0, "sealed anew under the master key"),
    "owners": ((), 0, "1\tadmin"),
    "transfer": (("admin", "admin2", "--dry-run"), 0, "1 object of admin would become"),
}
#: What prints records, and stops where it cannot go on.
RECORDS = ("audit tail", "audit export")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with serving(*NO_AUTH, cwd=tmp_path_factory.mktemp("output")) as process:
        process.client.create(ADMIN)
        assert run("backup", "kms.backup", cwd=process.cwd).returncode == 0
        yield process


def run_into(stdout: int, server: ServerProcess, *words: str) -> tuple[int, str]:
    """The exit code, and what is on stderr."""
    configured = () if "--jwt-issuer-uri" in words else NO_AUTH
    argv = [*words, *configured, "--port", str(server.port)]
    with tempfile.TemporaryFile() as errors:
        done = warm_servers().start(argv, server.cwd, stdout, errors=errors.fileno())
        code = done.wait(60)
        errors.seek(0)
        return code, errors.read().decode()


def words_of(command: str, new: Path, server: ServerProcess) -> list[str]:
    """The command and its arguments. new: a path where it may make something."""
    if command == "restore":
        new.mkdir(mode=0o700)
        shutil.copy(server.cwd / "kms-data/master.key", new)
    return [*command.split(), *(word.format(new=new) for word in LINES[command][0])]


@contextmanager
def without_reader() -> Iterator[int]:
    """A pipe of which nobody has the other end."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


def test_every_command_is_tried() -> None:
    assert LINES.keys() == COMMANDS.keys()


@each_row("command", COMMANDS)
def test_reader_that_has_seen_enough_changes_no_exit_code(
    command: str, server: ServerProcess, tmp_path: Path
) -> None:
    new = tmp_path / command
    with without_reader() as pipe:
        code, said = run_into(pipe, server, *words_of(command, new, server))
    assert code == LINES[command][1]
    assert [line for line in said.splitlines() if "warning" not in line.lower()] == []
    assert new.exists() == (command in ("backup", "restore"))


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full here")
@each_row("command", COMMANDS)
def test_result_that_a_full_disk_cannot_take_is_told_on_stderr(
    command: str, server: ServerProcess, tmp_path: Path
) -> None:
    new = tmp_path / command
    with FULL.open("w") as full:
        code, said = run_into(full.fileno(), server, *words_of(command, new, server))
    assert code == 1
    *result, last = said.splitlines()
    assert LINES[command][2].format(new=new) in "\n".join(result)
    if command in RECORDS:
        assert last == NOT_WRITTEN
    else:
        told = "the command did its work, and what it says of it is on stderr"
        assert last == f"{NOT_WRITTEN}; {told}"
    if command == "audit export":
        assert result[-1].startswith("the export is not whole: it has 0 records")
    if command == "backup":
        assert run("backup", "--check", str(new), cwd=server.cwd).returncode == 0


def test_followed_audit_ends_when_nobody_reads_it(server: ServerProcess) -> None:
    with without_reader() as pipe:
        assert run_into(pipe, server, "audit", "tail", "-f") == (0, "")


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full here")
def test_work_does_not_end_where_stderr_cannot_be_written(
    server: ServerProcess, tmp_path: Path
) -> None:
    argv, backup = ["backup", str(tmp_path / "new"), *NO_AUTH], tmp_path / "new"
    constants = {"commands.progress._INTERVAL_S": -1.0}  # a line for each row
    with FULL.open("w") as full, tempfile.TemporaryFile() as said:
        done = warm_servers().start(
            argv, server.cwd, said.fileno(), errors=full.fileno(), constants=constants
        )
        assert done.wait(60) == 0
    assert run("backup", "--check", str(backup), cwd=server.cwd).returncode == 0


def test_name_that_is_not_utf_8_is_printed(server: ServerProcess, tmp_path: Path) -> None:
    directory = tmp_path / os.fsdecode(b"b\xff")
    shutil.copytree(server.cwd, directory)
    done = run("rotate-master-key", "--data-dir", "kms-data", cwd=directory)
    assert (done.returncode, done.stderr) == (0, "")
    assert "/b\\udcff/kms-data/master.key has both" in done.stdout
