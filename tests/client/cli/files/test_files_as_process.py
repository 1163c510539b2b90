"""encrypt and decrypt as processes: memory, signals, full disks, pipes that close, what is loaded."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from kms_tornado.client import KMSClient

from ....server import eventually
from ..loaded import loaded_by
from ..runner import COMMAND, Kmsctl, forked_command

MIB = 1024 * 1024
#: For the whole process, whatever the size of the file.
MAX_MEMORY_KIB = 96 * 1024


@pytest.fixture(scope="module")
def key(client: KMSClient) -> str:
    return client.create_symmetric_key()


@contextmanager
def started(
    kmsctl: Kmsctl, *argv: str | Path, command: Sequence[str] = COMMAND, **options: object
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [*command, *map(str, argv)], env=kmsctl.environment(),
        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, **options,
    )  # type: ignore[call-overload]  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


#: kmsctl, which tells at its end the most memory that it held. What `wait4` tells begins with the parent's.
MEASURED = """
import re, sys
from kms_tornado.client.cli.main import main
code = main()
print(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])
sys.exit(code)
"""


def run_measured(kmsctl: Kmsctl, *argv: str | Path) -> int:
    """The most memory that the process held, in KiB."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *map(str, argv)], env=kmsctl.environment(),
        capture_output=True, check=True,
    )  # fmt: skip
    return int(done.stdout)


def check_memory(kmsctl: Kmsctl, key: str, file: Path, size: int) -> None:
    with file.open("wb") as opened:
        opened.truncate(size)
    sealed, plain = file.with_suffix(".kms"), file.with_suffix(".out")
    assert run_measured(kmsctl, "encrypt", file, "--for", key, "-o", sealed) <= MAX_MEMORY_KIB
    assert run_measured(kmsctl, "decrypt", sealed, "-o", plain) <= MAX_MEMORY_KIB
    assert subprocess.run(["cmp", file, plain], check=False).returncode == 0


def test_64_mib_need_no_more_memory_than_a_little_file(
    alice: Kmsctl, key: str, tmp_path: Path
) -> None:
    check_memory(alice, key, tmp_path / "file", 64 * MIB)


@pytest.mark.soak
def test_1_gib_needs_no_more_memory_than_a_little_file(
    alice: Kmsctl, key: str, tmp_path: Path
) -> None:
    check_memory(alice, key, tmp_path / "file", 1024 * MIB)


def test_ckms_client_side_file_needs_no_more_memory_either(
    alice: Kmsctl, key: str, tmp_path: Path
) -> None:
    file, sealed, plain = (tmp_path / name for name in ("file", "sealed", "plain"))
    file.write_bytes(bytes(64 * MIB))
    flags = ["--ckms", "-k", key, "-e", "aes-gcm"]
    assert run_measured(alice, "encrypt", file, *flags, "-o", sealed) <= MAX_MEMORY_KIB
    assert run_measured(alice, "decrypt", sealed, *flags, "-o", plain) <= MAX_MEMORY_KIB


# --- endings --------------------------------------------------------------------------------------


def ended_by(process: subprocess.Popen[bytes], number: signal.Signals) -> bool:
    """Sent again where it came before Python waited for the pipe, which then went on waiting."""
    process.send_signal(number)
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=10)
    return process.returncode is not None


@contextmanager
def interrupted(
    kmsctl: Kmsctl, key: str, folder: Path, number: signal.Signals
) -> Iterator[subprocess.Popen[bytes]]:
    """An encryption that got a signal after a chunk, and has ended. Its source is a pipe that never ends."""
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    command = COMMAND if number == signal.SIGKILL else forked_command()
    argv = ("encrypt", pipe, "--for", key, "-o", folder / "out")
    with started(kmsctl, *argv, command=command) as process:
        with pipe.open("wb", buffering=0) as writing:
            writing.write(bytes(MIB))
            eventually(
                lambda: any(path.stat().st_size > MIB // 2 for path in folder.glob(".kmsctl-*"))
            )
            eventually(lambda: ended_by(process, number), timeout_s=60)
        pipe.unlink()
        yield process


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
    ids=lambda value: getattr(value, "name", None),
)
def test_signal_leaves_nothing_behind(
    alice: Kmsctl, key: str, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    with interrupted(alice, key, tmp_path, number) as process:
        assert process.returncode == code
        assert list(tmp_path.iterdir()) == []


def test_kill_leaves_nothing_under_the_final_name(alice: Kmsctl, key: str, tmp_path: Path) -> None:
    with interrupted(alice, key, tmp_path, signal.SIGKILL) as process:
        assert process.returncode == -signal.SIGKILL
        (temporary,) = tmp_path.iterdir()
        assert temporary.name.startswith(".kmsctl-")
        assert temporary.stat().st_mode & 0o077 == 0


def test_full_disk_leaves_nothing_behind(alice: Kmsctl, key: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes(2 * MIB))
    command = ["encrypt", file, "--for", key]
    full = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, MIB))}
    with started(alice, *command, **full) as process:
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert errors.decode() == f"kmsctl: {file}.kms cannot be written: File too large\n"
    assert [file] == list(tmp_path.iterdir())


def test_reader_that_has_seen_enough_is_no_error(alice: Kmsctl, key: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes(2 * MIB))
    assert alice("encrypt", file, "--for", key).code == 0
    with started(alice, "decrypt", f"{file}.kms", "-o", "-", stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.read(10) == bytes(10)
        process.stdout.close()
        assert process.wait(timeout=10) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""


# --- on a terminal --------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "is_shown"), [(40 * MIB, True), (MIB, False)])
def test_bar_is_shown_for_what_takes_a_while(
    alice: Kmsctl, key: str, tmp_path: Path, size: int, is_shown: bool
) -> None:
    file = tmp_path / "file"
    with file.open("wb") as opened:
        opened.truncate(size)
    shown = alice.terminal("encrypt", file, "--for", key).stdout
    assert ("MiB" in shown) is is_shown
    assert f"{file}.kms is written" in shown
    quiet = alice.terminal("--quiet", "encrypt", file, "--for", key, "--force").stdout
    assert quiet == ""


# --- what is loaded -------------------------------------------------------------------------------


def test_little_file_loads_little_more_than_any_request(
    alice: Kmsctl, key: str, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"a small secret")
    code, plain = loaded_by(alice, "server-version")
    assert code == 0
    code, encrypting = loaded_by(alice, "encrypt", str(file), "--for", key)
    assert code == 0
    more = encrypting - plain
    assert not {name for name in more if name.startswith(("rich", "authlib", "asyncio"))}
    # The payloads of KMIP, which server-version does without, are half of these; AES-GCM is a quarter.
    assert len(more) <= 60, sorted(more)
