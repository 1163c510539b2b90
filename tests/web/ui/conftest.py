"""One server with the page for each module of this folder, and two people who use it, as those of kmsctl have it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ...client.cli.conftest import ALICE, BOB, Place, alice, bob, client
from ...issuer import Issuer
from ...server import ServerProcess, trusting

__all__ = ["ALICE", "BOB", "Place", "alice", "bob", "client"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    cwd = tmp_path_factory.mktemp("server")
    with Issuer() as issuer, ServerProcess(*trusting(issuer), "--ui", cwd=cwd) as server:
        yield Place(server.url, issuer)
