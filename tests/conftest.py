"""One server with two issuers for all tests of operations; every test brings users of its own."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from . import pressure
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


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With `-m pressure`, to import all other files would take longer than to run these."""
    is_another = collection_path.is_file() and collection_path not in pressure.PATHS
    return True if config.option.markexpr == "pressure" and is_another else None


@pytest.hookimpl(tryfirst=True)  # before -m looks at the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path in pressure.PATHS and item.get_closest_marker("soak") is None:
            item.add_marker(pytest.mark.pressure)


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
