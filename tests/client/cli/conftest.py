"""One server for each module of this folder, and kmsctl as two people have it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kms_tornado.client import KMSClient

from ...issuer import Issuer
from ...server import ServerProcess, trusting
from .runner import Kmsctl

ALICE = "alice@example.com"
BOB = "bob@example.com"


@dataclass(frozen=True)
class Place:
    """A server, and the issuer that it trusts."""

    url: str
    issuer: Issuer

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def token(self, name: str) -> str:
        return self.issuer.token(sub=name, aud="kms")

    def kmsctl(self, name: str, home: Path) -> Kmsctl:
        return Kmsctl(home, {"KMS_URL": self.url, "KMS_TOKEN": self.token(name)})


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    cwd = tmp_path_factory.mktemp("server")
    with Issuer() as issuer, ServerProcess(*trusting(issuer), cwd=cwd) as server:
        yield Place(server.url, issuer)


@pytest.fixture(scope="module")
def alice(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Kmsctl:
    return place.kmsctl(ALICE, tmp_path_factory.mktemp("alice"))


@pytest.fixture(scope="module")
def bob(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Kmsctl:
    return place.kmsctl(BOB, tmp_path_factory.mktemp("bob"))


@pytest.fixture(scope="module")
def client(place: Place) -> Iterator[KMSClient]:
    """Alice's, to prepare what a test needs."""
    with KMSClient(place.url, place.token(ALICE)) as client:
        yield client
