"""One browser for this folder, a server with the page for each module, and two people, as those of kmsctl have them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from ...client.cli.conftest import ALICE, BOB, Place, alice, bob, client
from ...issuer import Issuer
from ...server import ServerProcess, trusting

__all__ = ["ALICE", "BOB", "Place", "alice", "bob", "client"]


#: What the page shows of uses is there in a tenth of a second, and not after three.
INDEXED_SOON = {"service.auditing.indexer._EVERY_S": 0.1, "service.auditing.trail._WAIT_S": 0.02}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    cwd = tmp_path_factory.mktemp("server")
    with (
        Issuer() as issuer,
        ServerProcess(*trusting(issuer), "--ui", cwd=cwd, constants=INDEXED_SOON) as server,
    ):
        yield Place(server.url, issuer)


@pytest.fixture(
    scope="package"
)  # pytest-xdist runs the folder in one process (tests/longest_first.py)
def browser() -> Iterator[Any]:
    from .browser import launch  # which skips where there is none

    yield from launch()


@pytest.fixture(scope="package")
def two_tabs(browser: Any) -> Sequence[Any]:
    from .browser import open_tab

    return [open_tab(browser) for _ in range(2)]


@pytest.fixture(autouse=True)
def _event_loop_is_the_tests(request: pytest.FixtureRequest) -> Iterator[None]:
    """Playwright's runs in this thread as long as the browser does, and other tests have loops of their own."""
    if "browser" in request.fixturenames:
        yield
        return
    playwrights = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    yield
    asyncio._set_running_loop(playwrights)


@pytest.fixture(scope="module")
def tab(two_tabs: Sequence[Any]) -> Any:
    """For `revisit`, by one test after the other."""
    return two_tabs[0]


@pytest.fixture(scope="module")
def other_tab(two_tabs: Sequence[Any]) -> Any:
    """The same for a second person, or for a page that stays as it is beside `tab`."""
    return two_tabs[1]
