"""Private keys, loaded by `cryptography` without its tests of RSA's primes.

They take 30 ms for a key of 2048 bits and 190 ms for one of 4096. What damage does to a file is found without them, as the
numbers of a key determine one another; that both primes are prime is the business of whoever makes a key.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPrivateNumbers
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    load_der_private_key,
    load_pem_private_key,
    load_ssh_private_key,
)


def load_der(octets: bytes, password: bytes | None) -> PrivateKeyTypes:
    """Raises ValueError, TypeError and UnsupportedAlgorithm, as the library does."""
    key = load_der_private_key(octets, password, unsafe_skip_rsa_key_validation=True)
    _check_numbers(key)
    return key


def load_pem(octets: bytes, password: bytes | None) -> PrivateKeyTypes:
    """Raises as `load_der`."""
    key = load_pem_private_key(octets, password, unsafe_skip_rsa_key_validation=True)
    _check_numbers(key)
    return key


def load_ssh(octets: bytes, password: bytes | None) -> PrivateKeyTypes:
    """Raises as `load_der`."""
    key = load_ssh_private_key(octets, password, unsafe_skip_rsa_key_validation=True)
    _check_numbers(key)
    return key


def _check_numbers(key: object) -> None:
    if isinstance(key, RSAPrivateKey) and not is_consistent(key.private_numbers()):
        raise ValueError("the numbers of the RSA key contradict one another")


def is_consistent(key: RSAPrivateNumbers) -> bool:
    """Whether the numbers are of one key (RFC 8017 §3.2), if its primes are prime."""
    p, q, d = key.p, key.q, key.d
    product = d * key.public_numbers.e
    return (
        min(p, q) > 2
        and p * q == key.public_numbers.n
        and product % (p - 1) == product % (q - 1) == 1
        and (key.dmp1, key.dmq1) == (d % (p - 1), d % (q - 1))
        and key.iqmp * q % p == 1
    )
