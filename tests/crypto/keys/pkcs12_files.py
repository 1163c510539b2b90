"""PKCS#12 files for tests: by `openssl`, and built by hand where no program writes what a test needs."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

from cryptography.hazmat.primitives import serialization as s

from ... import keys

RSA, EC = keys.rsa_key(2048), keys.private_key("ES256")
PASSWORD = b"correct horse"


def pkcs8(key) -> bytes:
    return key.private_bytes(s.Encoding.DER, s.PrivateFormat.PKCS8, s.NoEncryption())


def certificate_of(key, name="localhost") -> bytes:
    return ssl.PEM_cert_to_DER_cert(keys.certificate(key, names=(name,)).decode())


RSA_CERTIFICATE, EC_CERTIFICATE = certificate_of(RSA), certificate_of(EC)


def by_openssl(
    directory: Path, *options: str, password: bytes = PASSWORD, key=RSA, more: bytes = b""
) -> bytes:
    """A file with the key, its certificate, and more certificates in PEM."""
    (directory / "key.pem").write_bytes(keys.private_pem(key))
    (directory / "chain.pem").write_bytes(keys.certificate(key) + more)
    (directory / "password").write_bytes(password + b"\n")
    command = ["openssl", "pkcs12", "-export", "-inkey", "key.pem", "-in", "chain.pem",
               "-passout", "file:password", *options]  # fmt: skip
    return subprocess.run(command, cwd=directory, check=True, capture_output=True).stdout


# --- by hand ------------------------------------------------------------------------------------

SEQUENCE, SET, OCTETS, INTEGER, OID, BMP, EXPLICIT = 0x30, 0x31, 4, 2, 6, 0x1E, 0xA0
DATA, ENCRYPTED = "2a864886f70d010701", "2a864886f70d010706"
BAG = "2a864886f70d010c0a01"
FRIENDLY_NAME, KEY_ID = "2a864886f70d010914", "2a864886f70d010915"
SHA1, PBES2, PBKDF2 = "2b0e03021a", "2a864886f70d01050d", "2a864886f70d01050c"
TRIPLE_DES, AES256 = "2a864886f70d010c0103", "60864801650304012a"


def der(tag: int, *contents: bytes) -> bytes:
    content = b"".join(contents)
    if len(content) < 128:
        return bytes((tag, len(content))) + content
    size = (len(content).bit_length() + 7) // 8
    return bytes((tag, 128 + size)) + len(content).to_bytes(size, "big") + content


def oid(text: str) -> bytes:
    return der(OID, bytes.fromhex(text))


def number(value: int) -> bytes:
    return der(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def attribute(kind: str, value: bytes) -> bytes:
    return der(SEQUENCE, oid(kind), der(SET, value))


def bag(kind: int, value: bytes, *attributes: bytes) -> bytes:
    more = der(SET, *attributes) if attributes else b""
    return der(SEQUENCE, oid(f"{BAG}{kind:02x}"), der(EXPLICIT, value), more)


def named(text: str) -> bytes:
    return attribute(FRIENDLY_NAME, der(BMP, text.encode("utf-16-be")))


def key_bag(key, *attributes: bytes) -> bytes:
    return bag(1, pkcs8(key), *attributes)


def certificate_bag(octets: bytes, *attributes: bytes) -> bytes:
    kind = oid("2a864886f70d01091601")
    return bag(3, der(SEQUENCE, kind, der(EXPLICIT, der(OCTETS, octets))), *attributes)


def safe(*bags: bytes) -> bytes:
    return der(SEQUENCE, oid(DATA), der(EXPLICIT, der(OCTETS, der(SEQUENCE, *bags))))


def pfx(*safes: bytes, mac: bytes = b"", kind: str = DATA, version: int = 3) -> bytes:
    content = der(EXPLICIT, der(OCTETS, der(SEQUENCE, *safes)))
    return der(SEQUENCE, number(version), der(SEQUENCE, oid(kind), content), mac)


def old_scheme(rounds: int, scheme: str = TRIPLE_DES) -> bytes:
    return der(SEQUENCE, oid(scheme), der(SEQUENCE, der(OCTETS, bytes(8)), number(rounds)))


def pbes2(rounds: int) -> bytes:
    derivation = der(SEQUENCE, oid(PBKDF2), der(SEQUENCE, der(OCTETS, bytes(8)), number(rounds)))
    scheme = der(SEQUENCE, oid(AES256), der(OCTETS, bytes(16)))
    return der(SEQUENCE, oid(PBES2), der(SEQUENCE, derivation, scheme))


def shrouded(algorithm: bytes) -> bytes:
    return bag(2, der(SEQUENCE, algorithm, der(OCTETS, bytes(64))))


def encrypted_safe(algorithm: bytes) -> bytes:
    inner = der(SEQUENCE, oid(DATA), algorithm, der(0x80, bytes(64)))
    return der(SEQUENCE, oid(ENCRYPTED), der(EXPLICIT, der(SEQUENCE, number(0), inner)))


def mac(rounds: int, digest: str = SHA1) -> bytes:
    info = der(SEQUENCE, der(SEQUENCE, oid(digest)), der(OCTETS, bytes(20)))
    return der(SEQUENCE, info, der(OCTETS, bytes(8)), number(rounds))


def with_indefinite_lengths(octets: bytes, depth: int = 3) -> bytes:
    """The first levels in BER, with OCTET STRINGs in two parts, as Bouncy Castle and NSS write them."""
    tag, header = octets[0], 2 + (octets[1] & 127 if octets[1] & 128 else 0)
    content = octets[header:]
    if tag == OCTETS:
        half = len(content) // 2
        return b"\x24\x80" + der(OCTETS, content[:half]) + der(OCTETS, content[half:]) + b"\0\0"
    if not tag & 0x20 or not depth:
        return octets
    return (
        bytes((tag, 0x80))
        + b"".join(with_indefinite_lengths(part, depth - 1) for part in split(content))
        + b"\0\0"
    )


def split(content: bytes) -> list[bytes]:
    parts = []
    while content:
        header = 2 + (content[1] & 127 if content[1] & 128 else 0)
        size = int.from_bytes(content[2:header], "big") if header > 2 else content[1]
        parts.append(content[: header + size])
        content = content[header + size :]
    return parts
