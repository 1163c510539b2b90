"""Derivation of keys from keys and passwords (KMIP 2.1 §6.1, §11.14), bounded in time and size."""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFHMAC, CounterLocation, Mode
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from ..errors import InvalidField
from ..kmip.enums import HashingAlgorithm
from .hashes import compute_digest, find_hash
from .mac import MACSuite, check_hmac_key, compute_mac
from .material import KeyMaterial

#: No key is longer. HKDF's own limit is 255 hash values.
MAX_DERIVED_BYTES = 1024
#: Iterations of PBKDF2, times the blocks of its output: 4 million take about two seconds. OWASP
#: recommends up to 1.3 million iterations.
MAX_PBKDF2_ROUNDS = 4_000_000
#: The most bytes of salt and of derivation data, which are labels, not documents.
MAX_INPUT_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class DerivationInputs:
    """The inputs of a derivation besides the key. length: of the result, in bytes."""

    length: int
    hash: HashingAlgorithm
    data: bytes = field(default=b"", repr=False)
    salt: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        """Raises InvalidField, and UnsupportedCryptographicParameters for the hash."""
        find_hash(self.hash)
        if not 1 <= self.length <= MAX_DERIVED_BYTES:
            raise InvalidField(f"a derived object has 1 to {MAX_DERIVED_BYTES} bytes")
        if max(len(self.data), len(self.salt)) > MAX_INPUT_BYTES:
            raise InvalidField(f"salt and derivation data have at most {MAX_INPUT_BYTES} bytes")


def derive_by_hkdf(key: KeyMaterial, inputs: DerivationInputs) -> KeyMaterial:
    """HKDF (RFC 5869) with the data as its info. Raises InvalidField above its longest output."""
    size = find_hash(inputs.hash).digest_size
    if inputs.length > 255 * size:
        raise InvalidField(f"HKDF with this hash gives at most {255 * size} bytes")
    function = HKDF(find_hash(inputs.hash), inputs.length, inputs.salt or None, inputs.data or None)
    return KeyMaterial(function.derive(key.reveal()))


def check_iterations(inputs: DerivationInputs, iterations: int) -> None:
    """Raises InvalidField for less than one iteration, or for more than a request can wait for."""
    if iterations < 1:
        raise InvalidField("IterationCount is at least 1")
    blocks = -(-inputs.length // find_hash(inputs.hash).digest_size)
    if iterations * blocks > MAX_PBKDF2_ROUNDS:
        raise InvalidField(
            f"IterationCount is at most {MAX_PBKDF2_ROUNDS // blocks} for a key of this length"
        )


def derive_by_pbkdf2(
    password: KeyMaterial, inputs: DerivationInputs, iterations: int
) -> KeyMaterial:
    """PBKDF2 (RFC 8018 §5.2) with HMAC. It can take seconds, so run it on a thread.

    Raises InvalidField, and UnsupportedCryptographicParameters for a password that is empty, or longer than a block of
    the hash.
    """
    check_iterations(inputs, iterations)
    check_hmac_key(inputs.hash, password)
    function = PBKDF2HMAC(find_hash(inputs.hash), inputs.length, inputs.salt, iterations)
    return KeyMaterial(function.derive(password.reveal()))


def derive_by_nist_800_108(key: KeyMaterial, inputs: DerivationInputs) -> KeyMaterial:
    """NIST SP 800-108 §4.1 with HMAC: a counter of 32 bits, then the data unchanged.

    Raises UnsupportedCryptographicParameters for a key that is empty, or longer than a block of the hash.
    """
    check_hmac_key(inputs.hash, key)
    function = KBKDFHMAC(
        algorithm=find_hash(inputs.hash),
        mode=Mode.CounterMode,
        length=inputs.length,
        rlen=4,
        llen=None,
        location=CounterLocation.BeforeFixed,
        label=None,
        context=None,
        fixed=inputs.data,
    )
    return KeyMaterial(function.derive(key.reveal()))


def derive_by_hash(key: KeyMaterial, inputs: DerivationInputs) -> KeyMaterial:
    """The first bytes of the hash of the key. Raises InvalidField where the hash is too short."""
    return truncate_key(compute_digest(inputs.hash, key.reveal()), inputs.length)


def derive_by_hmac(key: KeyMaterial, inputs: DerivationInputs) -> KeyMaterial:
    """The first bytes of the HMAC of the data under the key. Raises as `derive_by_hash`."""
    return truncate_key(compute_mac(MACSuite(inputs.hash), key, inputs.data), inputs.length)


def truncate_key(octets: bytes, length: int) -> KeyMaterial:
    """The first bytes as a key.

    Raises InvalidField where there are fewer: a key is never padded with zeros.
    """
    if len(octets) < length:
        raise InvalidField(f"this derivation gives {len(octets)} bytes at most")
    return KeyMaterial(octets[:length])
