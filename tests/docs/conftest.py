"""The server that the pages have the reader start."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from .blocks import ROOT, block


@pytest.fixture(scope="module")
def dev_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """`python -m kms_tornado --dev` as the README starts it, on a free port: what a reader pastes."""
    command = block("README.md", "sh", "--dev").text.split("&&")[1].split()
    assert command == ["python", "-m", "kms_tornado", "--dev"]
    process = subprocess.Popen(
        [sys.executable, *command[1:], "--port", "0"],
        cwd=tmp_path_factory.mktemp("dev"),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        printed = ""
        while "kmsctl decrypt" not in printed:
            line = process.stdout.readline()
            assert line, "the server ended"
            printed += line
        alice, bob = re.findall(r"^eyJ\S+", printed, re.M)
        url = re.search(r"^export KMS_URL=(\S+)", printed, re.M)
        yield {"KMS_URL": url[1], "KMS_TOKEN": alice, "ALICE": alice, "BOB": bob}
    finally:
        process.terminate()
        process.communicate(timeout=20)
