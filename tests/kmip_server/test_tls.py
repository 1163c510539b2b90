"""TLS of the KMIP port: revoked certificates, files that are read again, files that cannot serve."""

from __future__ import annotations

import contextlib
import signal
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from kms_tornado.kmip_server.tls import make_context
from kms_tornado.settings.kmip import KMIPSettings

from ..server import NO_AUTH, ServerProcess, check_refused, run
from .authority import Authority
from .client import CREATE, QUERY, VERSIONS, Connection, Site, ask, serving_kmip

READ_AGAIN = "these TLS files were read again"


@pytest.fixture(scope="module")
def lists(site: Site) -> Path:
    return site.directory / "crl.pem"


@pytest.fixture(scope="module")
def server(site: Site, lists: Path) -> Iterator[ServerProcess]:
    lists.write_bytes(site.authority.revoke(site.bob))
    with serving_kmip(
        site, *NO_AUTH, "--kmip-clients-crl-file", str(lists), expected_error="crl.pem"
    ) as running:
        yield running


def read_again(server: ServerProcess, line: str = READ_AGAIN) -> str:
    seen = len(server.output["stderr"])
    server.send(signal.SIGHUP)
    return server.wait_for_line(line, after=seen)


def test_revoked_certificate_is_refused_and_others_are_not(
    site: Site, server: ServerProcess, lists: Path
) -> None:
    lists.write_bytes(site.authority.revoke(site.bob))
    read_again(server)
    with (
        pytest.raises((ssl.SSLError, ConnectionError)),
        Connection(server.kmip_port, site.trust(site.bob)) as bob,
    ):
        bob.do(QUERY)
    with Connection(server.kmip_port, site.trust(site.alice)) as alice:
        assert alice.create()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_certificate_that_is_revoked_meanwhile_loses_connections_and_sessions(
    site: Site, server: ServerProcess, lists: Path, version: ssl.TLSVersion
) -> None:
    lists.write_bytes(site.authority.revoke())
    read_again(server)
    context = site.trust(site.bob, version)
    with Connection(server.kmip_port, context) as bob:
        assert bob.create()
        session = bob.socket.session
        lists.write_bytes(site.authority.revoke(site.bob))
        assert "crl.pem" in read_again(server)
        assert bob.is_closed()
    with (
        pytest.raises((ssl.SSLError, ConnectionError)),
        Connection(server.kmip_port, context, session) as resumed,
    ):
        resumed.do(QUERY)


def test_connections_stay_where_nothing_changed(site: Site, server: ServerProcess) -> None:
    with Connection(server.kmip_port, site.trust(site.alice)) as alice:
        assert alice.create()
        read_again(server)
        assert alice.create()
        whole = ask(CREATE)
        alice.send(whole[:20])  # a message of which the rest comes afterwards
        read_again(server)
        alice.send(whole[20:])
        assert [created["ResultStatus"] for created in alice.receive()] == ["Success"]


def test_list_that_has_ended_lets_nobody_in_and_the_log_says_so(
    site: Site, server: ServerProcess, lists: Path
) -> None:
    lists.write_bytes(site.authority.revoke(ends_in_s=-60))
    read_again(server, "crl.pem: a list ended on")
    with (
        pytest.raises((ssl.SSLError, ConnectionError)),
        Connection(server.kmip_port, site.trust(site.alice)) as alice,
    ):
        alice.do(QUERY)
    lists.write_bytes(site.authority.revoke())
    read_again(server)
    with Connection(server.kmip_port, site.trust(site.alice)) as alice:
        assert alice.create()


@pytest.mark.parametrize("left", [None, b""], ids=["as it was", "a file without lists"])
def test_list_that_ends_meanwhile_ends_connections_and_sessions(
    site: Site, server: ServerProcess, lists: Path, left: bytes | None
) -> None:
    contexts = [site.trust(site.alice, version) for version in VERSIONS]
    lists.write_bytes(site.authority.revoke(ends_in_s=3))
    read_again(server)
    if left is not None:
        lists.write_bytes(left)
    with contextlib.ExitStack() as stack:
        opened = [
            stack.enter_context(Connection(server.kmip_port, context)) for context in contexts
        ]
        assert all(one.create() for one in opened)
        sessions = [one.socket.session for one in opened]
        assert all(one.is_closed() for one in opened)
    for context, session in zip(contexts, sessions, strict=True):
        with (
            pytest.raises((ssl.SSLError, ConnectionError)),
            Connection(server.kmip_port, context, session) as resumed,
        ):
            resumed.do(QUERY)
    lists.write_bytes(site.authority.revoke())
    read_again(server)
    with Connection(server.kmip_port, site.trust(site.alice)) as alice:
        assert alice.create()


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext) -> None:
    """Raises ssl.SSLError where the server refuses the client's certificate."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname="localhost"),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(3):
        for end in ends:
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()
    assert all(end.version() == "TLSv1.3" for end in ends)
    with contextlib.suppress(ssl.SSLWantReadError):
        ends[1].read(1)


@pytest.mark.parametrize(
    ("root_has", "middle_has", "is_good"),
    [
        pytest.param([], [], True, id="lists that revoke nobody"),
        pytest.param(["middle"], [], False, id="a CA that is revoked"),
        pytest.param([], ["client"], False, id="a client that is revoked"),
        pytest.param(None, [], False, id="no list of the root"),
        pytest.param([], None, False, id="no list of the CA below it"),
    ],
)
def test_each_certificate_of_a_chain_is_looked_for_in_the_lists(
    tmp_path: Path, root_has: list[str] | None, middle_has: list[str] | None, is_good: bool
) -> None:
    root = Authority(tmp_path, "Root")
    middle = Authority(tmp_path, "Middle", root)
    client = middle.issue("client", "client")
    pair = root.issue("server", "localhost", hosts=("localhost",), usage=None)
    chain, lists = tmp_path / "chain.pem", tmp_path / "lists.pem"
    chain.write_bytes(root.file.read_bytes() + middle.file.read_bytes())
    named = {"middle": middle, "client": client}
    lists.write_bytes(
        b"".join(
            authority.revoke(*map(named.__getitem__, revoked))
            for authority, revoked in ((root, root_has), (middle, middle_has))
            if revoked is not None
        )
    )
    settings = KMIPSettings(kmip_clients_ca_cert_file=chain, kmip_clients_crl_file=lists)
    context = ssl.create_default_context(cafile=root.file)
    context.load_cert_chain(client.cert, client.key)
    expected = (
        contextlib.nullcontext() if is_good else pytest.raises(ssl.SSLError, match="verify failed")
    )
    with expected:
        shake_hands(make_context(pair.cert, pair.key, settings), context)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"", "holds no list in PEM", id="empty"),
        pytest.param(b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n",
                     "cannot be read", id="damaged"),
        pytest.param(None, "holds a certificate", id="a certificate, which would be trusted"),
    ],
)  # fmt: skip
def test_file_that_is_no_list_is_refused_and_the_old_one_stays(
    site: Site, server: ServerProcess, lists: Path, content: bytes | None, words: str
) -> None:
    other = Authority(site.directory, "Other CA")
    certificate = other.file.read_bytes()
    lists.write_bytes(certificate + site.authority.revoke() if content is None else content)
    assert words in read_again(server, "the old TLS files stay in use")
    with Connection(server.kmip_port, site.trust(site.alice)) as alice:
        assert alice.create()
    lists.write_bytes(site.authority.revoke(site.bob))
    read_again(server)


def test_new_certificate_of_the_server_is_served_after_sighup(
    site: Site, server: ServerProcess
) -> None:
    before = site.server.cert.read_bytes()
    new = site.authority.issue("server", "localhost", hosts=("localhost",), usage=None)
    assert new.cert.read_bytes() != before
    with Connection(server.kmip_port, site.trust(site.alice)) as kept:
        assert kept.create()
        read_again(server)
        with Connection(server.kmip_port, site.trust(site.alice)) as alice:
            served = alice.socket.getpeercert(binary_form=True)
        assert served == new.parsed.public_bytes(Encoding.DER)
        assert kept.do(CREATE)[0]["ResultStatus"] == "Success"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param(["--kmip-port", "0"], "--kmip-port (flag): needs --tls-cert-file too", id="no pair"),
        pytest.param(
            ["--kmip-port", "0", "--tls-cert-file", "server.pem", "--tls-key-file", "server.key"],
            "--kmip-port (flag): needs --kmip-clients-ca-cert-file too", id="no CA",
        ),
        pytest.param(
            ["--kmip-port", "0", "--tls-cert-file", "server.pem", "--tls-key-file", "server.key",
             "--kmip-clients-ca-cert-file", "server.key"],
            "--kmip-clients-ca-cert-file (flag): server.key: holds no PEM certificate", id="no certificate",
        ),
        pytest.param(
            ["--kmip-port", "0", "--kmip-clients-crl-file", "server.pem"],
            "--kmip-clients-crl-file (flag): needs --kmip-clients-ca-cert-file too", id="a list without a CA",
        ),
        pytest.param(["--kmip-hostname", "192.0.2.1"],
                     "--kmip-hostname (flag): with --insecure-no-auth only a loopback host is allowed",
                     id="another host"),
    ],
)  # fmt: skip
def test_start_is_refused_in_one_line(site: Site, options: list[str], words: str) -> None:
    finished = run(*NO_AUTH, "--port", "0", *options, cwd=site.directory)
    assert words in check_refused(finished, 2)
