"""A CA, a server's certificate for loopback and a client's: what PyKMIP asks of both ends of TLS."""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.keys import private_pem, rsa_key


@dataclass(frozen=True)
class TLSFiles:
    ca: Path
    server_cert: Path
    server_key: Path
    client_cert: Path
    client_key: Path


def make(directory: Path) -> TLSFiles:
    files = TLSFiles(*(directory / f"{name}.pem" for name in ("ca", "sc", "sk", "cc", "ck")))
    ca = rsa_key(2048, "bench ca")
    files.ca.write_bytes(_certificate("bench ca", ca, "bench ca", ca, None))
    for name, usage, cert, key_file in (
        ("localhost", ExtendedKeyUsageOID.SERVER_AUTH, files.server_cert, files.server_key),
        ("alice", ExtendedKeyUsageOID.CLIENT_AUTH, files.client_cert, files.client_key),
    ):
        key = rsa_key(2048, f"bench {name}")
        cert.write_bytes(_certificate(name, key, "bench ca", ca, usage))
        key_file.write_bytes(private_pem(key))
        key_file.chmod(0o600)
    return files


def _certificate(
    name: str, key: object, issuer: str, signer: object, usage: x509.ObjectIdentifier | None
) -> bytes:
    from cryptography.hazmat.primitives import serialization

    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=10))
        .add_extension(x509.BasicConstraints(ca=usage is None, path_length=None), critical=True)
    )
    if usage is not None:
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        names = x509.SubjectAlternativeName([x509.DNSName("localhost"), address])
        builder = builder.add_extension(names, critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    return builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def copy(files: TLSFiles, directory: Path) -> None:
    """All of them into another directory, under the same names."""
    for file in (files.ca, files.server_cert, files.server_key):
        (directory / file.name).write_bytes(file.read_bytes())
