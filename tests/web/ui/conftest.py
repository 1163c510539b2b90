"""One server with the page and one browser for each module of this folder, and two people, as those of kmsctl have them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

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


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from .browser import launch  # which skips where there is none

    yield from launch()


@pytest.fixture(scope="module")
def tab(browser: Any) -> Any:
    """For `revisit`, by one test after the other."""
    from .browser import open_tab

    return open_tab(browser)
