"""Encryption and MACs by a password, as in PKCS#12 files.

PBES2 and PBMAC1 (RFC 8018 §6.2, §7.1; RFC 9579), and the schemes and the key derivation of RFC 7292, appendices B and
C. For reading only. The work for which a file asks is limited before anything is derived.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Self, TypeVar

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES

from ...errors import BadPassword, InvalidField, UnsupportedCryptographicParameters
from ..keys.der import OCTET_STRING, OID, SEQUENCE, DERReader, malformed_key_error
from .rc2 import decrypt_rc2_cbc

#: Rounds of the hashes that one file may ask for, in all. openssl writes 2,048 of each, Java and Windows 10,000 or
#: fewer. A million takes about a second.
MAX_ROUNDS = 1_000_000

T = TypeVar("T")

#: A block of RC2 takes as long as so many rounds: it is computed in Python.
_ROUNDS_PER_RC2_BLOCK = 200

_ENCRYPTION_KEY, _IV, MAC_KEY = 1, 2, 3  # RFC 7292 appendix B.3

_PBES2 = bytes.fromhex("2a864886f70d01050d")
_PBKDF2 = bytes.fromhex("2a864886f70d01050c")
PBMAC1 = bytes.fromhex("2a864886f70d01050e")
_TRIPLE_DES_CBC = bytes.fromhex("2a864886f70d0307")
#: Cipher of PBES2 → the bytes of its key.
_CIPHERS: Mapping[bytes, int] = MappingProxyType(
    {
        bytes.fromhex("608648016503040102"): 16,
        bytes.fromhex("608648016503040116"): 24,
        bytes.fromhex("60864801650304012a"): 32,
        _TRIPLE_DES_CBC: 24,
    }
)
_HMACS: Mapping[bytes, str] = MappingProxyType(
    {
        bytes.fromhex("2a864886f70d0207"): "sha1",
        bytes.fromhex("2a864886f70d0208"): "sha224",
        bytes.fromhex("2a864886f70d0209"): "sha256",
        bytes.fromhex("2a864886f70d020a"): "sha384",
        bytes.fromhex("2a864886f70d020b"): "sha512",
    }
)
_HASHES: Mapping[bytes, str] = MappingProxyType(
    {
        bytes.fromhex("2b0e03021a"): "sha1",
        bytes.fromhex("608648016503040204"): "sha224",
        bytes.fromhex("608648016503040201"): "sha256",
        bytes.fromhex("608648016503040202"): "sha384",
        bytes.fromhex("608648016503040203"): "sha512",
    }
)
#: Scheme of RFC 7292 → (whether it is RC2, else 3DES; the bytes of its key).
_OLD_SCHEMES: Mapping[bytes, tuple[bool, int]] = MappingProxyType(
    {
        bytes.fromhex("2a864886f70d010c0103"): (False, 24),
        bytes.fromhex("2a864886f70d010c0104"): (False, 16),
        bytes.fromhex("2a864886f70d010c0105"): (True, 16),
        bytes.fromhex("2a864886f70d010c0106"): (True, 5),
    }
)


@dataclass(frozen=True, slots=True)
class Password:
    """A password in the form for PBES2 (UTF-8), and for the derivation of PKCS#12 (RFC 7292 appendix B.1)."""

    octets: bytes = field(repr=False)
    bmp: bytes = field(repr=False)

    @classmethod
    def of(cls, octets: bytes) -> Self:
        """The password. octets: in UTF-8; any others are read as Latin-1, as openssl does."""
        try:
            text = octets.decode()
        except UnicodeDecodeError:
            text = octets.decode("latin-1")
        return cls(octets, text.encode("utf-16-be") + b"\0\0")


#: There are two ways to have no password: an empty one, and none.
NO_PASSWORDS = (Password(b"", b"\0\0"), Password(b"", b""))


class WorkBudget:
    """Counts the rounds for which a file asks, before they are computed."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = MAX_ROUNDS

    @property
    def was_spent(self) -> bool:
        return self._left < MAX_ROUNDS

    def spend(self, rounds: int) -> None:
        """Raises InvalidField where the file asks for too many."""
        if rounds < 1:
            raise malformed_key_error()
        self._left -= rounds
        if self._left < 0:
            raise InvalidField(
                f"the PKCS#12 asks for over {MAX_ROUNDS} rounds of its hash: write it anew with fewer, "
                "as `openssl pkcs12 -export -iter 10000` does"
            )


def wrong_password_error() -> BadPassword:
    return BadPassword("the password does not open the PKCS#12, or the file was altered")


def decrypt_by_password(
    algorithm: DERReader, ciphertext: bytes, password: Password, budget: WorkBudget
) -> bytes:
    """The plaintext. algorithm: the content of its AlgorithmIdentifier.

    Raises BadPassword, MalformedKey, InvalidField for too many rounds, UnsupportedCryptographicParameters.
    """
    oid = algorithm.read(OID)
    parameters = algorithm.read_sequence()
    if oid == _PBES2:
        return _decrypt_pbes2(parameters, ciphertext, password, budget)
    if oid not in _OLD_SCHEMES:
        raise _unsupported_error("encryption")
    is_rc2, size = _OLD_SCHEMES[oid]
    salt, rounds = parameters.read(OCTET_STRING), parameters.read_integer()
    derive = partial(derive_pkcs12, "sha1", password, salt, rounds, budget=budget)
    key, iv = derive(_ENCRYPTION_KEY, size), derive(_IV, 8)
    if not ciphertext or len(ciphertext) % 8:
        raise malformed_key_error()
    if is_rc2:
        budget.spend(len(ciphertext) // 8 * _ROUNDS_PER_RC2_BLOCK)
        return _remove_padding(decrypt_rc2_cbc(key, iv, ciphertext), 8)
    return _decrypt_cbc(TripleDES(key if size == 24 else key + key[:8]), iv, ciphertext)


def verify_mac(
    digest_info: DERReader, salt: bytes, rounds: int, content: bytes, password: Password,
    budget: WorkBudget,
) -> bool:  # fmt: skip
    """Whether this is the MAC of the content of a PKCS#12 (RFC 7292 §5.1, RFC 9579).

    Raises as `decrypt_by_password`.
    """
    algorithm, stated = digest_info.read_sequence(), digest_info.read(OCTET_STRING)
    oid = algorithm.read(OID)
    if oid == PBMAC1:
        parameters = algorithm.read_sequence()
        derivation, scheme = parameters.read_sequence(), parameters.read_sequence()
        name = _find(_HMACS, scheme.read(OID), "MAC")
        key = _derive_pbkdf2(derivation, password, None, budget)
    else:
        name = _find(_HASHES, oid, "MAC")
        size = hashlib.new(name).digest_size
        key = derive_pkcs12(name, password, salt, rounds, MAC_KEY, size, budget=budget)
    return hmac.compare_digest(hmac.digest(key, content, name), stated)


def derive_pkcs12(
    hash_name: str, password: Password, salt: bytes, rounds: int, purpose: int, size: int, *,
    budget: WorkBudget,
) -> bytes:  # fmt: skip
    """RFC 7292 appendix B.2. Raises InvalidField where the budget does not allow it."""
    compute = getattr(hashlib, hash_name)
    block, digest_size = compute().block_size, compute().digest_size
    budget.spend(rounds * -(-size // digest_size))
    state = bytearray(_repeat(salt, block) + _repeat(password.bmp, block))
    result = b""
    while True:
        digest: bytes = compute(bytes((purpose,)) * block + state).digest()
        for _ in range(rounds - 1):
            digest = compute(digest).digest()
        result += digest
        if len(result) >= size:
            return result[:size]
        addend = int.from_bytes(_repeat(digest, block)[:block], "big") + 1
        for at in range(0, len(state), block):
            total = int.from_bytes(state[at : at + block], "big") + addend
            state[at : at + block] = (total % (1 << 8 * block)).to_bytes(block, "big")


def _repeat(octets: bytes, block: int) -> bytes:
    """The octets again and again, to the next whole number of blocks."""
    size = -(-len(octets) // block) * block
    return (octets * (size // len(octets) + 1))[:size] if octets else b""


def _decrypt_pbes2(
    parameters: DERReader, ciphertext: bytes, password: Password, budget: WorkBudget
) -> bytes:
    derivation, scheme = parameters.read_sequence(), parameters.read_sequence()
    oid = scheme.read(OID)
    size, iv = _find(_CIPHERS, oid, "encryption"), scheme.read(OCTET_STRING)
    key = _derive_pbkdf2(derivation, password, size, budget)
    return _decrypt_cbc(TripleDES(key) if oid == _TRIPLE_DES_CBC else AES(key), iv, ciphertext)


def _derive_pbkdf2(
    derivation: DERReader, password: Password, size: int | None, budget: WorkBudget
) -> bytes:
    """PBKDF2 with the parameters in a file. size: in bytes; None for the size that the parameters state."""
    if derivation.read(OID) != _PBKDF2:
        raise _unsupported_error("key derivation")
    parameters = derivation.read_sequence()
    salt, rounds = parameters.read(OCTET_STRING), parameters.read_integer()
    stated_size = parameters.read_integer() if parameters.has_next(0x02) else None
    name = "sha1"
    if parameters.has_next(SEQUENCE):
        name = _find(_HMACS, parameters.read_sequence().read(OID), "key derivation")
    size = size or stated_size
    if size is None or not 1 <= size <= 64:
        raise malformed_key_error()
    budget.spend(rounds * -(-size // hashlib.new(name).digest_size))
    return hashlib.pbkdf2_hmac(name, password.octets, salt, rounds, size)


def _decrypt_cbc(algorithm: TripleDES | AES, iv: bytes, ciphertext: bytes) -> bytes:
    block = algorithm.block_size // 8
    if len(iv) != block or not ciphertext or len(ciphertext) % block:
        raise malformed_key_error()
    decryptor = Cipher(algorithm, modes.CBC(iv)).decryptor()
    return _remove_padding(decryptor.update(ciphertext) + decryptor.finalize(), block)


def _remove_padding(padded: bytes, block: int) -> bytes:
    count = padded[-1]
    if not 1 <= count <= block or padded[-count:] != bytes((count,)) * count:
        raise wrong_password_error()
    return padded[:-count]


def _find(table: Mapping[bytes, T], oid: bytes, what: str) -> T:
    if oid not in table:
        raise _unsupported_error(what)
    return table[oid]


def _unsupported_error(what: str) -> UnsupportedCryptographicParameters:
    return UnsupportedCryptographicParameters(
        f"the PKCS#12 has another {what} than this server knows: write it anew by `openssl pkcs12`"
    )
