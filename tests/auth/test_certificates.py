"""Whom a client certificate names, and which name nobody. Who gets in by one is in tests/kmip_server."""

from __future__ import annotations

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from kms_tornado.auth.certificates import CertificatePolicy, InvalidCertificate, read_principal

from ..keys import private_key
from ..rows import each_row

ALTERNATIVE_NAMES = x509.ObjectIdentifier("2.5.29.17")
ISSUERS_NAMES = x509.ObjectIdentifier("2.5.29.18")
URI = "https://idp.example#alice"


def certificate(common_name: str, **extensions: bytes) -> bytes:
    """In DER. extensions: the octets of subjectAltName and issuerAltName."""
    key = private_key("ES256", "certificates")
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
    )
    for field, oid in (("subject", ALTERNATIVE_NAMES), ("issuer", ISSUERS_NAMES)):
        if field in extensions:
            extension = x509.UnrecognizedExtension(oid, extensions[field])
            builder = builder.add_extension(extension, critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def uri_names(uri: str) -> bytes:
    return x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]).public_bytes()


@pytest.mark.parametrize("field", ["cn", "san-uri"])
def test_shared_name_with_an_issuer_in_front_is_refused(field: str) -> None:
    der = certificate(URI, subject=uri_names(URI))
    with pytest.raises(InvalidCertificate, match="begins with an issuer and #"):
        read_principal(der, CertificatePolicy(field, is_shared=True))
    assert read_principal(der, CertificatePolicy(field)).name == f"cert:{URI}"


@each_row("name", ["alice", "team#alice", "https://idp.example/alice"])
def test_shared_name_without_an_issuer_is_the_users(name: str) -> None:
    assert read_principal(certificate(name), CertificatePolicy(is_shared=True)).name == name


@each_row("field", ["san-uri", "san-email"])
@each_row(
    "names",
    [
        pytest.param(b"\x30\x04\xa3\x02\x30\x00", id="x400Address"),
        pytest.param(b"\x30\x06\xa5\x04\xa1\x02\x0c\x00", id="EDIPartyName"),
        pytest.param(b"\x30\x05", id="cut off"),
    ],
)
def test_alternative_names_that_cannot_be_read_name_nobody(field: str, names: bytes) -> None:
    with pytest.raises(InvalidCertificate, match="cannot be read"):
        read_principal(certificate("alice", subject=names), CertificatePolicy(field))


def test_two_extensions_of_alternative_names_name_nobody() -> None:
    one, other = uri_names("https://a.example"), uri_names("https://b.example")
    der = certificate("alice", subject=one, issuer=other)
    twice = der.replace(b"\x06\x03\x55\x1d\x12", b"\x06\x03\x55\x1d\x11")
    assert twice != der
    with pytest.raises(InvalidCertificate, match="cannot be read"):
        read_principal(twice, CertificatePolicy("san-uri"))
