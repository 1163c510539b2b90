"""Streams that whoever started kmsctl has closed: no crash, and nothing is printed into a file."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from kms_tornado.client import KMSClient

from .runner import COMMAND, Kmsctl


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
