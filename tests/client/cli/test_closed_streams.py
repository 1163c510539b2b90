"""Streams that whoever started kmsctl has closed: no crash, and nothing is printed into a file."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from kms_tornado.client import KMSClient

from .runner import COMMAND, Kmsctl, forked_command


@pytest.fixture(scope="module", autouse=True)
def key(client: KMSClient) -> str:
    return client.create_symmetric_key(name="closed")


def run_closed(
    alice: Kmsctl, closed: str, *argv: str, cwd: Path
) -> subprocess.CompletedProcess[str]:
    """closed: as a shell writes it, such as ``>&-``."""
    return subprocess.run(
        ["/bin/sh", "-c", f'"$@" {closed}', "sh", *COMMAND, *argv],
        env=alice.environment(), cwd=cwd, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("closed", "argv", "code", "words"),
    [
        pytest.param(">&-", ["ls"], 1, "kmsctl: the output cannot be written: Bad file", id="stdout"),
        pytest.param(">&-", ["--help"], 1, "kmsctl: the output cannot be written: Bad file", id="help"),
        pytest.param("2>&-", ["ls"], 0, "", id="stderr"),
        pytest.param("2>&-", ["frobnicate"], 2, "", id="nobody to be told"),
        pytest.param("<&-", ["ls"], 0, "", id="stdin"),
        pytest.param("<&-", ["encrypt", "-", "--for", "closed", "-o", "x"], 1,
                     "kmsctl: stdin cannot be read: Bad file", id="no empty file of a closed stdin"),
        pytest.param("<&-", ["sym", "keys", "revoke", "closed"], 2, "add --yes", id="nobody to ask"),
    ],
)  # fmt: skip
def test_closed_stream_is_no_crash(
    alice: Kmsctl, tmp_path: Path, closed: str, argv: list[str], code: int, words: str
) -> None:
    done = run_closed(alice, closed, *argv, cwd=tmp_path)
    assert done.returncode == code
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == bool(words)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_file_is_whole_whatever_is_closed(alice: Kmsctl, tmp_path: Path, closed: str) -> None:
    (tmp_path / "f").write_text("text")
    argv = ("encrypt", "f", "--for", "closed")
    assert run_closed(alice, closed, *argv, cwd=tmp_path).returncode == 0
    outcome = alice("decrypt", tmp_path / "f.kms", "-o", "-")
    assert outcome.stdout == "text"


CREATE = """
{"tag": "Create", "type": "Structure", "value": [
    {"tag": "ObjectType", "type": "Enumeration", "value": "SymmetricKey"},
    {"tag": "Attributes", "type": "Structure", "value": [
        {"tag": "CryptographicAlgorithm", "type": "Enumeration", "value": "AES"},
        {"tag": "CryptographicLength", "type": "Integer", "value": 256},
        {"tag": "CryptographicUsageMask", "type": "Integer", "value": 12}]}]}
"""
FULL = Path("/dev/full")  # whatever is written there, its disk is full


def run_into(
    alice: Kmsctl, stdout: int, *argv: str, stderr: int = subprocess.PIPE, **more: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*forked_command(), *argv], env=alice.environment(**more), stdin=subprocess.DEVNULL,
        stdout=stdout, stderr=stderr, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    ("argv", "code"),
    [
        pytest.param(["ls"], 0, id="ls"),
        pytest.param(["ls", "--json"], 0, id="ls, json"),
        pytest.param(["whoami"], 0, id="fields"),
        pytest.param(["sym", "keys", "create"], 0, id="create"),
        pytest.param(["rsa", "keys", "create"], 0, id="pair"),
        pytest.param(["--help"], 0, id="help"),
        pytest.param(["completion", "bash"], 0, id="completion"),
        pytest.param(["batch", "BATCH"], 1, id="batch"),
    ],
)
def test_reader_that_has_seen_enough_changes_no_exit_code(
    alice: Kmsctl, tmp_path: Path, argv: list[str], code: int, unbuffered: str
) -> None:
    batch = tmp_path / "batch"
    batch.write_text('{"tag": "Get", "type": "Structure", "value": []}\n')
    argv = [str(batch) if word == "BATCH" else word for word in argv]
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = run_into(alice, writer, *argv, PYTHONUNBUFFERED=unbuffered)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (code, "")


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("options", [[], ["--json"]], ids=["bare", "json"])
@pytest.mark.parametrize(
    "command", ["sym keys create", "rsa keys create", "sym keys import", "batch"]
)
def test_identifier_that_a_full_disk_cannot_take_is_told_on_stderr(
    alice: Kmsctl, client: KMSClient, tmp_path: Path, command: str, options: list[str]
) -> None:
    words = [*command.split(), *options]
    if command == "sym keys import":
        (tmp_path / "key").write_bytes(bytes(range(32)))
        words.append(str(tmp_path / "key"))
    if command == "batch":
        (tmp_path / "batch").write_text(CREATE)
        words.append(str(tmp_path / "batch"))
    with FULL.open("w") as full:
        done = run_into(alice, full.fileno(), *words)
    *told, last = done.stderr.splitlines()
    assert done.returncode == 1
    assert last == "kmsctl: the output cannot be written: No space left on device"
    made = re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "\n".join(told))
    assert len(made) == (2 if command == "rsa keys create" else 1)
    for uid in made:
        assert client.get_attributes(uid)


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full here")
def test_grant_that_cannot_be_printed_is_told_on_stderr(alice: Kmsctl, key: str) -> None:
    with FULL.open("w") as full:
        done = run_into(alice, full.fileno(), "share", key, "bob@example.com", "decrypt")
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == f"kmsctl: the server has done it: {key}"


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full here")
def test_error_that_cannot_be_written_keeps_its_exit_code(alice: Kmsctl) -> None:
    with FULL.open("w") as full:
        done = run_into(alice, subprocess.DEVNULL, "frobnicate", stderr=full.fileno())
    assert done.returncode == 2
