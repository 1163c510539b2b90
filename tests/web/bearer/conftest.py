"""Issuers and a server with handlers, shared by the tests of a module."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ...issuer import Issuer, write_tls_files
from ...keys import certificate, private_key, private_pem
from .handlers import Calls, Host, hosting


@pytest.fixture(scope="module")
def module_issuer() -> Iterator[Issuer]:
    with Issuer("ES256") as issuer:
        yield issuer


@pytest.fixture
def issuer(module_issuer: Issuer) -> Issuer:
    """One listener for all tests; its answers and counts begin anew."""
    module_issuer.answers = {}
    module_issuer.jwks_headers = {}
    module_issuer.requests.clear()
    module_issuer.headers.clear()
    return module_issuer


@pytest.fixture
def tls(tmp_path: Path) -> Iterator[Callable[..., tuple[Issuer, Path]]]:
    """An issuer behind a certificate, and the file of that certificate."""
    running: list[Issuer] = []

    def start(**kwargs: Any) -> tuple[Issuer, Path]:
        key = private_key("ES256", "tls")
        cert_file, key_file = write_tls_files(
            tmp_path, certificate(key, **kwargs), private_pem(key)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert_file, key_file)
        running.append(Issuer("ES256", tls=context).__enter__())
        return running[-1], cert_file

    yield start
    for issuer in running:
        issuer.__exit__()


@pytest.fixture(scope="module")
def module_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with hosting(tmp_path_factory, {}) as host:
        yield host


@pytest.fixture
def host(module_host: Host) -> Host:
    Calls.ran.clear()
    return module_host
