"""One server for the modules of this folder, and kmsctl as two people have it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ...issuer import Issuer
from ...server import ServerProcess, trusting
from .runner import Kmsctl


@dataclass(frozen=True)
class Place:
    """A server, and the issuer that it trusts."""

    url: str
    issuer: Issuer


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    cwd = tmp_path_factory.mktemp("server")
    with Issuer() as issuer, ServerProcess(*trusting(issuer), cwd=cwd) as server:
        yield Place(f"http://127.0.0.1:{server.port}", issuer)


def user_of(place: Place, name: str, home: Path) -> Kmsctl:
    return Kmsctl(home, {"KMS_URL": place.url, "KMS_TOKEN": place.issuer.token(sub=name)})


@pytest.fixture(scope="module")
def alice(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Kmsctl:
    return user_of(place, "alice@example.com", tmp_path_factory.mktemp("alice"))


@pytest.fixture(scope="module")
def bob(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Kmsctl:
    return user_of(place, "bob@example.com", tmp_path_factory.mktemp("bob"))
