"""One server for the whole folder, and its users."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from kms_tornado.client import KMSClient

from ..issuer import Issuer
from ..server import ServerProcess, serving, trusting


@dataclass(frozen=True)
class Server:
    """A running server and the issuer that it trusts."""

    process: ServerProcess
    issuer: Issuer

    @property
    def url(self) -> str:
        return self.process.url

    @property
    def port(self) -> int:
        return self.process.port

    def token(self, user: str, **claims: object) -> str:
        return self.issuer.token(sub=user, aud="kms", **claims)


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with (
        Issuer("ES256") as issuer,
        serving(*trusting(issuer), cwd=tmp_path_factory.mktemp("server")) as process,
    ):
        yield Server(process, issuer)


@pytest.fixture
def alice(server: Server) -> Iterator[KMSClient]:
    with KMSClient(server.url, server.token("alice")) as client:
        yield client


@pytest.fixture
def bob(server: Server) -> Iterator[KMSClient]:
    with KMSClient(server.url, server.token("bob")) as client:
        yield client
