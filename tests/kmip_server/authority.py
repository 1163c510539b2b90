"""A CA of tests, with client certificates of every kind, good and bad, and lists of those that it revoked."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ..keys import private_key, private_pem

CLIENT_AUTH, SERVER_AUTH = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH


class Certificate(NamedTuple):
    """Files in PEM, and what is in the first."""

    cert: Path
    key: Path
    parsed: x509.Certificate


class Authority:
    """file: its certificate in PEM, which the parent signs, or without one itself."""

    def __init__(
        self, directory: Path, name: str = "Test CA", parent: Authority | None = None
    ) -> None:
        self._directory = directory
        self._key = private_key("ES256", f"authority {name}")
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.UTC)
        signer = parent or self
        self.parsed = (
            x509.CertificateBuilder()
            .subject_name(self._name)
            .issuer_name(signer._name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=10))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(signer._key, hashes.SHA256())
        )
        self.file = directory / f"{name}.pem"
        self.file.write_bytes(self.parsed.public_bytes(Encoding.PEM))

    def issue(
        self,
        file: str,
        *common_names: str,
        emails: tuple[str, ...] = (),
        uris: tuple[str, ...] = (),
        hosts: tuple[str, ...] = (),
        usage: x509.ObjectIdentifier | None = CLIENT_AUTH,
        ends_in_s: float = 86400.0,
    ) -> Certificate:
        now = datetime.datetime.now(datetime.UTC)
        key = private_key("ES256", file)
        names = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Tests")]
        names += [x509.NameAttribute(NameOID.COMMON_NAME, name) for name in common_names]
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name(names))
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=2))
            .not_valid_after(now + datetime.timedelta(seconds=ends_in_s))
        )
        alternatives: list[x509.GeneralName] = [x509.RFC822Name(email) for email in emails]
        alternatives += [x509.UniformResourceIdentifier(uri) for uri in uris]
        alternatives += [x509.DNSName(host) for host in hosts]
        if hosts:
            alternatives.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
        if alternatives:
            names_extension = x509.SubjectAlternativeName(alternatives)
            builder = builder.add_extension(names_extension, critical=False)
        if usage is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        parsed = builder.sign(self._key, hashes.SHA256())
        issued = Certificate(
            self._directory / f"{file}.pem", self._directory / f"{file}.key", parsed
        )
        issued.cert.write_bytes(parsed.public_bytes(Encoding.PEM))
        issued.key.write_bytes(private_pem(key))
        return issued

    def revoke(self, *certificates: Certificate | Authority, ends_in_s: float = 86400.0) -> bytes:
        """A list of these alone, in PEM."""
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._name)
            .last_update(now - datetime.timedelta(days=2))
            .next_update(now + datetime.timedelta(seconds=ends_in_s))
        )
        for certificate in certificates:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder()
                .serial_number(certificate.parsed.serial_number)
                .revocation_date(now)
                .build()
            )
        return builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)
