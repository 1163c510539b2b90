"""The names of algorithms and curves on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ....kmip.enums import CryptographicAlgorithm

#: Algorithms of symmetric keys, as they are named here, with their usual length in bits.
ALGORITHMS = {
    "aes": ("AES", 256),
    "chacha20": ("ChaCha20", 256),
    "hmac-sha1": ("HMAC-SHA1", 160),
    "hmac-sha224": ("HMAC-SHA224", 224),
    "hmac-sha256": ("HMAC-SHA256", 256),
    "hmac-sha384": ("HMAC-SHA384", 384),
    "hmac-sha512": ("HMAC-SHA512", 512),
}

#: ckms's curve → KMIP's algorithm and curve. The brainpool curves have openssl's names.
CURVES = {
    "nist-p256": ("EC", "P-256"),
    "nist-p384": ("EC", "P-384"),
    "nist-p521": ("EC", "P-521"),
    "ed25519": ("Ed25519", "CURVE25519"),
    "x25519": ("ECDH", "CURVE25519"),
    "ed448": ("Ed448", "CURVE448"),
    "x448": ("ECDH", "CURVE448"),
    "secp256k1": ("EC", "SECP256K1"),
    "brainpoolp256r1": ("EC", "BRAINPOOLP256R1"),
    "brainpoolp384r1": ("EC", "BRAINPOOLP384R1"),
    "brainpoolp512r1": ("EC", "BRAINPOOLP512R1"),
}


def find_algorithm(name: str) -> CryptographicAlgorithm:
    """The algorithm with this name on the command line."""
    from ....kmip.enums import CryptographicAlgorithm

    kmip_name = ALGORITHMS[name][0]
    return CryptographicAlgorithm[kmip_name.replace("-", "_").upper()]
