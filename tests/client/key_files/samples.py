"""Objects of every type for the tests of key files; keys that are slow to make are made once."""

from __future__ import annotations

import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, x448, x25519
from cryptography.hazmat.primitives.serialization import Encoding

from kms_tornado.client.key_files.kmip_objects import (
    make_certificate,
    make_private_key,
    make_public_key,
    make_secret_data,
    make_symmetric_key,
)
from kms_tornado.kmip.enums import CryptographicAlgorithm
from kms_tornado.kmip.objects import Object

from ...keys import rsa_key

PRIVATE_TYPES = (
    "rsa",
    "p256",
    "p384",
    "p521",
    "secp256k1",
    "ed25519",
    "ed448",
    "x25519",
    "x448",
    "dsa",
)
TYPES = (
    *(f"{name} {half}" for name in PRIVATE_TYPES for half in ("private", "public")),
    "aes",
    "hmac",
    "secret",
    "certificate",
)


@lru_cache
def native(name: str):
    """A private key of that type, as `cryptography` has it."""
    match name:
        case "rsa":
            return rsa_key(2048)
        case "p256":
            return ec.generate_private_key(ec.SECP256R1())
        case "p384":
            return ec.generate_private_key(ec.SECP384R1())
        case "p521":
            return ec.generate_private_key(ec.SECP521R1())
        case "secp256k1":
            return ec.generate_private_key(ec.SECP256K1())
        case "ed25519":
            return ed25519.Ed25519PrivateKey.generate()
        case "ed448":
            return ed448.Ed448PrivateKey.generate()
        case "x25519":
            return x25519.X25519PrivateKey.generate()
        case "x448":
            return x448.X448PrivateKey.generate()
    return dsa.generate_private_key(key_size=2048)


@lru_cache
def certificate(name: str = "p256", subject: str = "leaf") -> x509.Certificate:
    """A self-signed certificate for the key of that type."""
    key = native(name)
    called = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)])
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(called)
        .issuer_name(called)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )


def sample(kind: str) -> Object:
    """The object of that type, one of TYPES."""
    match kind:
        case "aes":
            return make_symmetric_key(bytes(range(32)))
        case "hmac":
            return make_symmetric_key(bytes(range(64)), CryptographicAlgorithm.HMAC_SHA512)
        case "secret":
            return make_secret_data("pässword\n".encode())
        case "certificate":
            return make_certificate(certificate().public_bytes(Encoding.DER))
    name, _, half = kind.partition(" ")
    key = native(name)
    return make_private_key(key) if half == "private" else make_public_key(key.public_key())
