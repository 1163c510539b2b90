"""Keys that `cryptography` made, and their octets as it writes them."""

from __future__ import annotations

from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, x25519

from kms_tornado.crypto.keys.curves import ED25519, P256, P384, P521, X25519

from ... import keys

DER, PLAIN = s.Encoding.DER, s.NoEncryption()
EC_KEYS = {
    P256: ec.generate_private_key(ec.SECP256R1()),
    P384: ec.generate_private_key(ec.SECP384R1()),
    P521: ec.generate_private_key(ec.SECP521R1()),
    ED25519: ed25519.Ed25519PrivateKey.generate(),
    X25519: x25519.X25519PrivateKey.generate(),
}


LIBRARY_KEYS = {"RSA": keys.rsa_key(2048), **{c.name: key for c, key in EC_KEYS.items()}}


def pkcs8(key) -> bytes:
    return key.private_bytes(DER, s.PrivateFormat.PKCS8, PLAIN)


def spki(key) -> bytes:
    return key.public_key().public_bytes(DER, s.PublicFormat.SubjectPublicKeyInfo)


def traditional(key) -> bytes:
    return key.private_bytes(DER, s.PrivateFormat.TraditionalOpenSSL, PLAIN)
