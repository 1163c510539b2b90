"""What published clients of KMIP 1 say, on their own transport: the conversations of `test_kmip1_conversations` over TLS."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from ..kmip1_messages import Exchange
from ..server import NO_AUTH, ServerProcess
from ..test_kmip1_conversations import *  # noqa: F403 - its tests, which take the fixture below
from .client import Connection, Site, serving_kmip

#: Of messages with another length than their own, which only HTTP can have.
del test_message_that_cannot_be_read_is_answered_in_its_version  # noqa: F821

_users = itertools.count(1)


@pytest.fixture(scope="module")
def server(site: Site) -> Iterator[ServerProcess]:
    with serving_kmip(site, *NO_AUTH, "--kmip-crypto-policy", "permissive") as running:
        yield running


@pytest.fixture
def exchange(site: Site, server: ServerProcess) -> Iterator[Exchange]:
    """The transport, for a user without objects."""
    certificate = site.authority.issue("a client", f"client-{next(_users)}")
    with Connection(server.kmip_port, site.trust(certificate)) as connection:
        yield connection.exchange
