"""Streams of a process that were closed, or cannot be written."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import os, sys
from kms_tornado.streams import fill_missing_streams, name_stdout
fill_missing_streams()
name_stdout()
taken = os.open(os.devnull, os.O_RDONLY)
for _ in range(2):
    try:
        print("text", flush=True)
    except OSError as exc:
        print(type(exc).__name__, exc.strerror, file=sys.stderr)
print(taken > 2, file=sys.stderr)
"""


def run_with(redirection: str) -> str:
    """What the program writes on stderr."""
    shell = ["/bin/sh", "-c", f'"$@" {redirection}', "sh", sys.executable, "-c", PROGRAM]
    return subprocess.run(shell, stderr=subprocess.PIPE, text=True, check=True, timeout=60).stderr


@pytest.mark.parametrize(
    ("redirection", "told"),
    [
        (">/dev/null", ""),
        (">&-", "OSError stdout cannot be written: Bad file descriptor\n"),
        (">&- <&-", "OSError stdout cannot be written: Bad file descriptor\n"),
    ],
)
def test_number_of_a_closed_stream_is_taken_and_its_error_names_it_once(redirection, told):
    assert run_with(redirection) == f"{told}True\n"
