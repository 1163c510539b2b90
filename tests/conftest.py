"""One server with two issuers for all tests of operations; every test brings users of its own."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from _pytest.runner import runtestprotocol
from hypothesis import settings

from . import compiled_once, longest_first, pressure, scratch, warm
from .issuer import Issuer
from .kms import KMS, User, two_issuers

# Without a limit of time for one example: it fails on a machine that others use, too, and proves nothing.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

# No test trusts the system's CAs, and each context would take 30 ms to load them.
os.environ["SSL_CERT_FILE"] = os.devnull

# A shell without job control starts what runs in its background with SIGINT ignored, and so would every
# process be that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        warm.share_with_run(config.workerinput["testrunuid"])
    if config.option.markexpr != "soak":  # which has files of a gigabyte
        scratch.use_directory()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With `-m pressure`, to import all other files would take longer than to run these."""
    is_another = collection_path.is_file() and collection_path not in pressure.PATHS
    return True if config.option.markexpr == "pressure" and is_another else None


@pytest.hookimpl(trylast=True)  # and yet before pytest-xdist, registered later, starts its workers
def pytest_sessionstart(session: pytest.Session) -> None:
    option = session.config.option
    if getattr(option, "numprocesses", None) and option.markexpr != "pressure":
        compiled_once.compile_all(session.config)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None]:
    """Thousands of tests are no garbage, and each look whether they are would take half a second."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


@pytest.hookimpl(tryfirst=True)  # before -m looks at the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path in pressure.PATHS and item.get_closest_marker("soak") is None:
            item.add_marker(pytest.mark.pressure)
    items.sort(key=lambda item: longest_first.place_of(item.path))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return longest_first.group_of(nodeid)

    return Scheduling(config, log) if config.option.dist == "loadfile" else None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """A worker of pytest-xdist sends one report of a test that passes, where it would send five messages.

    They took longer than most tests do. Whoever asks how long setups take gets all of them.
    """
    option = item.config.option
    if not hasattr(item.config, "workerinput") or option.durations is not None or option.xmlpath:
        return None
    for report in runtestprotocol(item, log=False, nextitem=nextitem):
        if report.passed and report.when == "call":
            report.sections.clear()
            report.keywords = {}
        elif report.passed:
            continue
        item.ihook.pytest_runtest_logreport(report=report)
    return True


@pytest.fixture(scope="session", autouse=True)
def _databases_made_at_once() -> None:
    """Where a test that was collected makes any in this process; to import that takes half a second."""
    if "kms_tornado.store.sqlite.database_file" in sys.modules:
        from .new_databases import make_at_once

        make_at_once()
    if "kms_tornado.store.postgres.backend" in sys.modules:
        from .new_databases import find_prepared

        find_prepared()
    if "kms_tornado.store.sql.search.object_search" in sys.modules:
        from .new_databases import share_searches

        share_searches()


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with Issuer("ES256") as running:
        yield running


@pytest.fixture(scope="session")
def kms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KMS]:
    with two_issuers() as issuers, KMS(tmp_path_factory.mktemp("kms"), *issuers) as server:
        yield server


@pytest.fixture
def alice(kms: KMS) -> Iterator[User]:
    user = kms.user()
    yield user
    user.close()


@pytest.fixture
def bob(kms: KMS) -> Iterator[User]:
    user = kms.user()
    yield user
    user.close()


@pytest.fixture(scope="session")
def permissive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KMS]:
    """A server with --crypto-policy permissive."""
    directory = tmp_path_factory.mktemp("permissive")
    options = ["--crypto-policy", "permissive"]
    with two_issuers() as issuers, KMS(directory, *issuers, options=options) as server:
        yield server


@pytest.fixture
def carol(permissive: KMS) -> Iterator[User]:
    """A user of the permissive server."""
    user = permissive.user()
    yield user
    user.close()
