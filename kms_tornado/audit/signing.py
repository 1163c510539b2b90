"""The key that signs checkpoints: Ed25519, in PEM, known by the fingerprint of its public half."""

from __future__ import annotations

import hashlib
import re
from typing import Any, NoReturn

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

#: What cryptography raises for what is no key. TypeError: for one that needs a password.
_NO_KEY = (ValueError, TypeError, UnsupportedAlgorithm)
_PEM = re.compile(rb"-----BEGIN [^-]+-----.*?-----END [^-]+-----", re.DOTALL)


class AuditPublicKey:
    """Checks signatures. fingerprint: SHA-256 of the key's SubjectPublicKeyInfo, in hexadecimal."""

    __slots__ = ("_key", "fingerprint")

    def __init__(self, key: Ed25519PublicKey) -> None:
        self._key = key
        der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.fingerprint = hashlib.sha256(der).hexdigest()

    def is_signature(self, signature: bytes, message: bytes) -> bool:
        try:
            self._key.verify(signature, message)
        except InvalidSignature:
            return False
        return True

    def to_pem(self) -> bytes:
        return self._key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


class AuditKey:
    """Signs checkpoints. The private key stays in the process."""

    __slots__ = ("_key", "public")

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = AuditPublicKey(key.public_key())

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("the audit's key does not leave the process")


def make_private_pem() -> bytes:
    """A new key, as PKCS#8 in PEM."""
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def parse_private_pem(content: bytes) -> AuditKey:
    """The key in PEM. Raises ValueError, which says what is wrong, and repeats nothing of the content."""
    try:
        key = load_pem_private_key(content, password=None)
    except _NO_KEY:
        raise ValueError("is no private key in PEM without a password") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("is no Ed25519 key")
    return AuditKey(key)


def parse_public_pems(content: bytes) -> list[AuditPublicKey]:
    """The keys in a text with one or several of them. Raises ValueError."""
    return [parse_public_pem(block) for block in _PEM.findall(content) or [content]]


def parse_public_pem(content: bytes) -> AuditPublicKey:
    """The public key in PEM, or that of a private key in PEM. Raises ValueError."""
    if b"PRIVATE KEY" in content:
        return parse_private_pem(content).public
    try:
        key = load_pem_public_key(content)
    except _NO_KEY:
        raise ValueError("is no public key in PEM") from None
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("is no Ed25519 key")
    return AuditPublicKey(key)
