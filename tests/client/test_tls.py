"""Whom we believe to be the server, and by which certificate it knows us: real handshakes."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)

from kms_tornado.client import (
    ClientWarning,
    ConnectionFailed,
    ConnectionSettings,
    InvalidSettings,
    KMSClient,
    PEMPair,
    PKCS12File,
    repeats,
)
from kms_tornado.client.tls import fingerprint

from ..keys import certificate, private_key, private_pem
from .faulty import Scripted, answer

VERSION = answer('"0.1.0"')
PASSWORD = "open sesame"


class Files:
    """A server's certificate and key, another one's, and a client's, as files of a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.pem: dict[str, bytes] = {}
        for name in ("server", "other", "client"):
            key = private_key("ES256", f"client {name}")
            self.pem[name] = certificate(key, names=(name,))
            self.path(f"{name}.pem").write_bytes(self.pem[name])
            self.path(f"{name}.key").write_bytes(private_pem(key))
        expired = certificate(private_key("ES256", "client server"), expired=True)
        self.path("expired.pem").write_bytes(expired)
        self._write_variants()

    def path(self, name: str) -> Path:
        return self.directory / name

    def _write_variants(self) -> None:
        key: Any = load_pem_private_key(self.path("client.key").read_bytes(), None)
        sealed = BestAvailableEncryption(PASSWORD.encode())
        self.path("sealed.key").write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, sealed)
        )
        own = x509.load_pem_x509_certificate(self.pem["client"])
        for name, parts, encryption in (
            ("client.p12", (key, own), sealed),
            ("open.p12", (key, own), NoEncryption()),
            ("keyless.p12", (None, own), NoEncryption()),
        ):
            self.path(name).write_bytes(
                pkcs12.serialize_key_and_certificates(b"client", *parts, None, encryption)
            )
        self.path("garbage").write_bytes(b"garbage")

    def context(self, name: str = "server", **changes: Any) -> ssl.SSLContext:
        """Of a server. asks: whether it wants the client's certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path(f"{name}.pem"), self.path("server.key"))
        if changes.pop("asks", False):
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.path("client.pem"))
        for attribute, value in changes.items():
            setattr(context, attribute, value)
        return context


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("tls"))


@contextmanager
def serving(context: ssl.SSLContext) -> Iterator[Scripted]:
    with Scripted(VERSION, tls=context) as server:
        yield server


def ask(server: Scripted, **settings: Any) -> str:
    made = ConnectionSettings(server_url=server.url, **settings)
    with KMSClient(settings=made, token="token") as client:
        return client.server_version()


# --- the server's certificate ---------------------------------------------------------------------


def test_certificate_of_a_known_authority_is_accepted(files: Files) -> None:
    with serving(files.context()) as server:
        assert ask(server, ca_file=files.path("server.pem")) == "0.1.0"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        pytest.param({}, "name its authority", id="of nobody that the system knows"),
        pytest.param({"ca_file": "other.pem"}, "name its authority", id="of another authority"),
        pytest.param({"verified_cert": "other"}, "another certificate", id="another than pinned"),
    ],
)
def test_certificate_of_a_stranger_is_refused_before_anything_is_sent(
    files: Files, settings: dict[str, str], words: str
) -> None:
    made: dict[str, Any] = dict(settings)
    if "ca_file" in made:
        made["ca_file"] = files.path(made["ca_file"])
    if "verified_cert" in made:
        made["verified_cert"] = files.pem[made["verified_cert"]].decode()
    with serving(files.context()) as server:
        with pytest.raises(ConnectionFailed, match=words) as caught:
            ask(server, **made)
        assert caught.value.is_outcome_known
        assert (server.requests, server.connections) == ([], 1)


@pytest.mark.parametrize("name", ["server", "expired"])
def test_pinned_certificate_is_accepted_whoever_vouches_for_it(files: Files, name: str) -> None:
    pem = files.path(f"{name}.pem").read_text()
    with serving(files.context(name)) as server:
        assert ask(server, verified_cert=f"\n{pem}\n") == "0.1.0"


def test_scheme_in_capitals_is_the_same_scheme(files: Files) -> None:
    with serving(files.context()) as server:
        server.url = server.url.replace("https:", "HTTPS:")
        assert ask(server, verified_cert=files.pem["server"].decode()) == "0.1.0"
        with pytest.raises(ConnectionFailed, match="another certificate"):
            ask(server, verified_cert=files.pem["other"].decode())


def test_pin_is_the_first_certificate_of_what_was_copied(files: Files) -> None:
    copied = "subject=CN = server\n" + files.pem["server"].decode() + files.pem["other"].decode()
    assert fingerprint(copied) == fingerprint(files.pem["server"].decode())


def test_certificate_for_another_name_is_refused(files: Files, tmp_path: Path) -> None:
    key = private_key("ES256", "client server")
    (tmp_path / "name.pem").write_bytes(certificate(key, addresses=("127.0.0.2",)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "name.pem", files.path("server.key"))
    with serving(context) as server, pytest.raises(ConnectionFailed, match="not trusted"):
        ask(server, ca_file=tmp_path / "name.pem")


def test_accepting_any_certificate_works_and_is_warned_of_once(files: Files) -> None:
    with (
        serving(files.context("expired")) as server,
        pytest.warns(ClientWarning, match="anybody on the way") as caught,
    ):
        assert ask(server, accept_invalid_certs=True) == "0.1.0"
    assert len(caught) == 1


def test_pin_is_checked_where_any_certificate_would_be_accepted(files: Files) -> None:
    with (
        serving(files.context()) as server,
        pytest.raises(ConnectionFailed, match="another certificate"),
    ):
        ask(server, accept_invalid_certs=True, verified_cert=files.pem["other"].decode())


class Plain(Scripted):
    """Speaks HTTP to whatever comes, as servers do that are asked by TLS."""

    def serve(self, connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(answer(b"", "400 Bad Request", closes=True))


def test_http_on_a_tls_port_and_the_reverse_are_one_line(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repeats, "MAX_REPEATS", 0)
    with (
        Plain(None) as plain,
        KMSClient(plain.url.replace("http:", "https:")) as client,
        pytest.raises(ConnectionFailed, match="no TLS connection"),
    ):
        client.server_version()
    with (
        serving(files.context()) as server,
        KMSClient(server.url.replace("https:", "http:")) as client,
        pytest.raises(ConnectionFailed, match="closed the connection"),
    ):
        client.server_version()


@pytest.mark.parametrize("text", ["", "garbage", "-----BEGIN CERTIFICATE-----\n!\n"])
def test_pin_that_is_no_certificate_is_refused(text: str) -> None:
    with pytest.raises(InvalidSettings, match="verified_cert"):
        fingerprint(text)


# --- versions and suites --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offered", "named", "works"),
    [
        ("TLSv1_3", "TLS_AES_256_GCM_SHA384", True),
        ("TLSv1_3", "TLS_AES_128_GCM_SHA256", False),  # Python cannot ask for it alone
        ("TLSv1_3", "ECDHE-ECDSA-AES256-GCM-SHA384", False),
        ("TLSv1_2", "ECDHE-ECDSA-AES256-GCM-SHA384", True),
        ("TLSv1_2", "TLS_AES_256_GCM_SHA384:ECDHE-ECDSA-AES256-GCM-SHA384", True),
        ("TLSv1_2", "TLS_AES_256_GCM_SHA384", False),
        ("TLSv1_2", "ECDHE-RSA-AES256-GCM-SHA384", False),  # not with this kind of key
    ],
)
def test_only_the_named_cipher_suites_are_used(
    files: Files, offered: str, named: str, works: bool
) -> None:
    version = ssl.TLSVersion[offered]
    context = files.context(minimum_version=version, maximum_version=version)
    settings = {"ca_file": files.path("server.pem"), "cipher_suites": named}
    with serving(context) as server:
        if works:
            assert ask(server, **settings) == "0.1.0"
        else:
            with pytest.raises(ConnectionFailed, match="TLS"):
                ask(server, **settings)
            assert server.requests == []


def test_suites_that_nobody_knows_are_refused() -> None:
    settings = ConnectionSettings(server_url="https://kms.example", cipher_suites="NONE-SUCH")
    with pytest.raises(InvalidSettings, match="cipher_suites"):
        KMSClient(settings=settings)


# --- the client's certificate ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "names", "password"),
    [
        (PEMPair, ("client.pem", "client.key"), None),
        (PEMPair, ("client.pem", "sealed.key"), PASSWORD),
        (PKCS12File, ("client.p12",), PASSWORD),
        (PKCS12File, ("open.p12",), None),
    ],
)
def test_client_certificate_is_shown(
    files: Files, kind: Any, names: tuple[str, ...], password: str | None
) -> None:
    ours = kind(*map(files.path, names), password)
    before = set(os.listdir("/proc/self/fd"))
    with serving(files.context(asks=True)) as server:
        assert ask(server, ca_file=files.path("server.pem"), client_certificate=ours) == "0.1.0"
    assert server.peers[0]["subject"] == ((("commonName", "client"),),)
    assert len(os.listdir("/proc/self/fd")) <= len(before)  # no copy of the key is left open


def test_server_that_asks_for_a_certificate_refuses_who_has_none(files: Files) -> None:
    with serving(files.context(asks=True)) as server:
        with pytest.raises(ConnectionFailed):
            ask(server, ca_file=files.path("server.pem"))
        assert server.requests == []


@pytest.mark.parametrize(
    ("certificate", "words"),
    [
        (("client.pem", "missing"), "cannot be read"),
        (("missing", "client.key"), "cannot be read"),
        (("client.pem", "other.key"), "of one another"),
        (("client.pem", "sealed.key"), "password"),
        (("garbage", "client.key"), "PEM"),
        (("client.p12",), "password is wrong"),
        (("garbage",), "no PKCS#12 file"),
        (("missing",), "cannot be read"),
        (("keyless.p12",), "lacks"),
    ],
)
def test_certificate_that_cannot_be_used_is_refused_when_the_client_is_made(
    files: Files, certificate: tuple[str, ...], words: str
) -> None:
    kind: Any = PEMPair if len(certificate) == 2 else PKCS12File
    settings = ConnectionSettings(
        server_url="https://kms.example", client_certificate=kind(*map(files.path, certificate))
    )
    with pytest.raises(InvalidSettings, match=words):
        KMSClient(settings=settings)


@pytest.mark.parametrize(("name", "words"), [("missing", "cannot be read"), ("garbage", "PEM")])
def test_ca_file_that_cannot_be_used_is_refused(files: Files, name: str, words: str) -> None:
    settings = ConnectionSettings(server_url="https://kms.example", ca_file=files.path(name))
    with pytest.raises(InvalidSettings, match=words):
        KMSClient(settings=settings)
