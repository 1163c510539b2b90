"""Keys from other keys and from passwords (KMIP 2.1 §6.1, §11.14), bounded in time and size."""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFHMAC, CounterLocation, Mode
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from ..errors import InvalidField
from ..kmip.enums import HashingAlgorithm
from .hashes import compute_digest, find_hash
from .mac import MACSuite, compute_mac
from .material import KeyMaterial

#: Nobody needs a longer key; HKDF itself ends at 255 hashes.
MAX_BYTES = 1024
#: Calls of the hash in PBKDF2: 4 million take about two seconds. OWASP asks for 1.3 million at most.
MAX_PBKDF2_ROUNDS = 4_000_000
#: Salt, derivation data: what is longer is no label.
MAX_INPUT_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class DerivationInputs:
    """What a derivation takes beside the key: the length of the result in bytes, and the rest."""

    length: int
    hash: HashingAlgorithm
    data: bytes = field(default=b"", repr=False)
    salt: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        """Raises InvalidField, and UnsupportedCryptographicParameters for the hash."""
        find_hash(self.hash)
        if not 1 <= self.length <= MAX_BYTES:
            raise InvalidField(f"a derived object has 1 to {MAX_BYTES} bytes")
        if max(len(self.data), len(self.salt)) > MAX_INPUT_BYTES:
            raise InvalidField(f"salt and derivation data have at most {MAX_INPUT_BYTES} bytes")


def derive_by_hkdf(key: KeyMaterial, inputs: DerivationInputs) -> KeyMaterial:
    """RFC 5869; data is its info."""
    size = find_hash(inputs.hash).digest_size
    if inputs.length > 255 * size:
        raise InvalidField(f"HKDF with this hash gives at most {255 * size} bytes")
    function = HKDF(find_hash(inputs.hash), inputs.length, inputs.salt or None, inputs.data or None)
    return KeyMaterial(function.derive(key.reveal()))


def check_iterations(inputs: DerivationInputs, iterations: int) -> None:
    """Raises InvalidField for what PBKDF2 cannot do, or would do for too long."""
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
    """RFC 8018 §5.2 with HMAC. Takes seconds: to be offloaded."""
    check_iterations(inputs, iterations)
    function = PBKDF2HMAC(find_hash(inputs.hash), inputs.length, inputs.salt, iterations)
    return KeyMaterial(function.derive(password.reveal()))


def derive_by_nist_800_108(key: KeyMaterial, inputs: DerivationInputs) -> KeyMaterial:
    """NIST SP 800-108 §4.1 with HMAC: a counter of 32 bits in front of the data as it is."""
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
    """The beginning of the hash of the key."""
    return truncate_key(compute_digest(inputs.hash, key.reveal()), inputs.length)


def derive_by_hmac(key: KeyMaterial, inputs: DerivationInputs) -> KeyMaterial:
    """The beginning of the HMAC of the data under the key."""
    return truncate_key(compute_mac(MACSuite(inputs.hash), key, inputs.data), inputs.length)


def truncate_key(octets: bytes, length: int) -> KeyMaterial:
    """Raises InvalidField where there are too few: a key filled up with zeros would look like one."""
    if len(octets) < length:
        raise InvalidField(f"this derivation gives {len(octets)} bytes at most")
    return KeyMaterial(octets[:length])
