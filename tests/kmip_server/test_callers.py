"""Who a client of KMIP over TLS is: its certificate says so, and nobody gets in without a good one."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator

import pytest

from ..issuer import Issuer
from ..server import ServerProcess
from .authority import SERVER_AUTH, Authority
from .client import QUERY, VERSIONS, Connection, Site, get


@pytest.mark.parametrize("version", VERSIONS)
def test_key_is_its_makers_and_nobody_elses(
    site: Site, server: ServerProcess, version: ssl.TLSVersion
) -> None:
    with Connection(server.kmip_port, site.trust(site.alice, version)) as alice:
        key = alice.create()
        [item] = alice.do(get(key))
        assert item["ResultStatus"] == "Success"
        assert alice.socket.version() == version.name.replace("v1_", "v1.")
    with Connection(server.kmip_port, site.trust(site.bob, version)) as bob:
        assert bob.reason(get(key)) == "ObjectNotFound"


def test_user_of_a_certificate_has_a_name_space_of_its_own(
    site: Site, server: ServerProcess, issuer: Issuer
) -> None:
    """What cert:alice has is not the token user alice's, until it is granted, by name."""
    token = issuer.token(sub="alice", aud="kms")
    with Connection(server.kmip_port, site.trust(site.alice)) as alice:
        key = alice.create()
        assert server.client.get_key(token, key).status == 422
        of_token = server.client.create(token)
        assert alice.reason(get(of_token)) == "ObjectNotFound"
        body = {"unique_identifier": of_token, "user_id": "cert:alice", "operation_types": ["get"]}
        assert server.client.post("/access/grant", token=token, body=body).status == 200
        [item] = alice.do(get(of_token))
        assert item["ResultStatus"] == "Success"


@contextlib.contextmanager
def refused_handshake() -> Iterator[None]:
    """TLS 1.3 tells a client of its certificate's fault when it reads."""
    with pytest.raises((ssl.SSLError, ConnectionError)):
        yield


def test_certificate_is_required(site: Site, server: ServerProcess) -> None:
    with refused_handshake(), Connection(server.kmip_port, site.trust(None)) as nobody:
        nobody.do(QUERY)


def test_certificate_of_another_authority_is_refused(
    site: Site, server: ServerProcess, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = Authority(tmp_path_factory.mktemp("other"), "Other CA").issue("alice", "alice")
    with refused_handshake(), Connection(server.kmip_port, site.trust(other)) as stranger:
        stranger.do(QUERY)


@pytest.mark.parametrize(
    ("file", "options"),
    [
        pytest.param("expired", {"ends_in_s": -3600}, id="expired"),
        pytest.param("usage", {"usage": SERVER_AUTH}, id="of a server"),
    ],
)
def test_certificate_that_is_not_good_for_clients_is_refused(
    site: Site, server: ServerProcess, file: str, options: dict[str, object]
) -> None:
    bad = site.authority.issue(file, "alice", **options)  # type: ignore[arg-type]
    with refused_handshake(), Connection(server.kmip_port, site.trust(bad)) as client:
        client.do(QUERY)


def test_certificate_without_extended_key_usage_is_good(site: Site, server: ServerProcess) -> None:
    plain = site.authority.issue("plain", "carol", usage=None)
    with Connection(server.kmip_port, site.trust(plain)) as carol:
        assert carol.create()


@pytest.mark.parametrize(
    ("file", "names", "text"),
    [
        pytest.param("unnamed", (), "no common name", id="no name"),
        pytest.param("twice", ("alice", "bob"), "more than one common name", id="two names"),
        pytest.param("prefixed", ("cert:alice",), "begins with group: or cert:", id="a prefix"),
        pytest.param("hidden", ("alice\u200b",), "show nothing", id="what shows nothing"),
    ],
)
def test_certificate_that_names_no_user_is_answered_why_and_closed(
    site: Site, server: ServerProcess, file: str, names: tuple[str, ...], text: str
) -> None:
    odd = site.authority.issue(file, *names)
    with Connection(server.kmip_port, site.trust(odd)) as client:
        [item] = client.do(QUERY)
        assert item["ResultReason"] == "AuthenticationNotSuccessful"
        assert text in item["ResultMessage"]
        assert client.is_closed()


def test_certificate_that_ends_while_it_is_connected_is_refused(
    site: Site, server: ServerProcess
) -> None:
    short = site.authority.issue("short", "dave", ends_in_s=2)
    with Connection(server.kmip_port, site.trust(short)) as dave:
        for _ in range(400):
            [item] = dave.do(QUERY)
            if item["ResultStatus"] != "Success":
                break
            dave.socket.settimeout(20)
            select_a_while()
        assert item["ResultMessage"] == "the client certificate has expired"
        assert dave.is_closed()


def select_a_while() -> None:
    one, other = socket.socketpair()
    with one, other:
        one.settimeout(0.02)
        with contextlib.suppress(TimeoutError):
            one.recv(1)


@pytest.mark.parametrize("version", VERSIONS)
def test_session_is_resumed_and_stays_the_same_users(
    site: Site, server: ServerProcess, version: ssl.TLSVersion
) -> None:
    context = site.trust(site.alice, version)
    with Connection(server.kmip_port, context) as first:
        key = first.create()
        session = first.socket.session
    with Connection(server.kmip_port, context, session) as second:
        assert second.socket.session_reused
        [item] = second.do(get(key))
        assert item["ResultStatus"] == "Success"
