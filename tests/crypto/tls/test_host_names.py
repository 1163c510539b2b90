"""The hosts that a TLS certificate is for."""

from __future__ import annotations

import datetime
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from kms_tornado.crypto.tls.host_names import is_named, read_host_names


def certificate(*names: x509.GeneralName) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "common.example")])
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), 1, now, now + datetime.timedelta(days=1)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def test_names_are_the_dns_names_and_addresses_of_the_first_certificate():
    first = certificate(
        x509.DNSName("KMS.example.com"),
        x509.DNSName("*.example.org"),
        x509.IPAddress(ip_address("192.0.2.1")),
        x509.RFC822Name("kms@example.com"),
    )
    chain = first + certificate(x509.DNSName("ca.example"))
    assert read_host_names(chain) == {"kms.example.com", "*.example.org", "192.0.2.1"}


@pytest.mark.parametrize(
    "pem",
    [certificate(), b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"],
    ids=["no names", "empty", "no PEM", "no certificate"],
)  # fmt: skip
def test_what_has_no_names_names_nobody(pem):
    assert read_host_names(pem) == frozenset()


@pytest.mark.parametrize(
    ("host", "named"),
    [
        ("kms.example.com", True),
        ("a.example.org", True),
        ("a.b.example.org", False),
        ("example.org", False),
        (".example.org", False),
        ("evil.example", False),
        ("", False),
    ],
)
def test_star_stands_for_one_label(host, named):
    assert is_named(host, frozenset({"kms.example.com", "*.example.org"})) is named
