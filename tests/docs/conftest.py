"""The server that the pages have the reader start."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from ..server import ServerProcess
from .blocks import block


@pytest.fixture(scope="module")
def dev_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """`python -m kms_tornado --dev` as the README starts it, on a free port: what a reader pastes."""
    command = block("README.md", "sh", "--dev").text.split("&&")[1].split()
    assert command == ["python", "-m", "kms_tornado", "--dev"]
    with ServerProcess(*command[3:], cwd=tmp_path_factory.mktemp("dev")) as server:
        server.wait_for_line("kmsctl decrypt", stream="stdout")
        alice, bob = re.findall(r"^eyJ\S+", server.stdout, re.M)
        url = re.search(r"^export KMS_URL=(\S+)", server.stdout, re.M)
        yield {"KMS_URL": url[1], "KMS_TOKEN": alice, "ALICE": alice, "BOB": bob}
