"""One server for each module of tests, which trusts an issuer and a CA."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..issuer import Issuer
from ..server import ServerProcess, trusting
from .client import Site, serving_kmip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("kmip"))


@pytest.fixture(scope="module")
def server(site: Site, issuer: Issuer) -> Iterator[ServerProcess]:
    with serving_kmip(site, *trusting(issuer), "--metrics") as running:
        yield running
