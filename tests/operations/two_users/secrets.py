"""What must not reach a user: keys, what equals them, what would decrypt, and what was encrypted.

A `Watch` stands before each user. It looks for windows of 16 bytes, at any place of an answer, so that
neither a part of a secret nor one inside of something else goes by.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from kms_tornado.kmip.enums import BlockCipherMode, CryptographicAlgorithm, ObjectType
from kms_tornado.kmip.structures import CryptographicParameters

from .world import unwrap

WINDOW = 16
_DIGESTS = ("sha1", "sha224", "sha256", "sha384", "sha512", "sha3_256", "sha3_512")
_AES_KEYS = frozenset({16, 24, 32})

A, M = CryptographicAlgorithm, BlockCipherMode


class Leak(AssertionError):
    """A secret reached a user."""


class Watch:
    """Before one user. known: what they brought along or were given by right."""

    def __init__(self, user: str) -> None:
        self.user = user
        self._forbidden: dict[bytes, str] = {}
        self._known: set[bytes] = set()
        #: AES keys that the user has, and so opens whatever is wrapped by them.
        self.keys: list[bytes] = []

    def forbid(self, secret: bytes, what: str) -> None:
        """From now on; nothing where the user knows it already. Less than 16 bytes are no secret here."""
        if not self.knows(secret):
            for window in _cut(secret):
                self._forbidden.setdefault(window, what)

    def learn(self, octets: bytes | None) -> None:
        """The user has it by right."""
        if octets is None:
            return
        if len(octets) in _AES_KEYS:
            self.keys.append(octets)
        for window in _slide(octets):
            self._known.add(window)
            self._forbidden.pop(window, None)

    def knows(self, secret: bytes) -> bool:
        return len(secret) < WINDOW or all(window in self._known for window in _cut(secret))

    def check(self, shown: Iterable[bytes], where: str) -> None:
        """Raises Leak for a secret in what was shown, or inside what the user can unwrap."""
        for octets in shown:
            for form in self._forms(octets):
                for window in _slide(form):
                    if window in self._forbidden:
                        raise Leak(f"{self._forbidden[window]} reached {self.user} by {where}")

    def _forms(self, octets: bytes) -> Iterator[bytes]:
        yield octets
        if 24 <= len(octets) <= 512:
            for key in self.keys[-8:]:
                yield unwrap(octets, key)


def _cut(secret: bytes) -> list[bytes]:
    """Windows side by side, and the last one: a leak of 31 bytes has one of them."""
    if len(secret) < WINDOW:
        return []
    places = [*range(0, len(secret) - WINDOW + 1, WINDOW), len(secret) - WINDOW]
    return [secret[place : place + WINDOW] for place in places]


def _slide(octets: bytes) -> Iterator[bytes]:
    for place in range(len(octets) - WINDOW + 1):
        yield octets[place : place + WINDOW]


def secret_part(kind: ObjectType, material: bytes) -> bytes:
    """Of a private key the number alone: around it stands what is public."""
    if kind is not ObjectType.PRIVATE_KEY:
        return material
    private = serialization.load_der_private_key(material, None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    return private.private_numbers().private_value.to_bytes(32, "big")


def digests_of(material: bytes) -> Iterator[tuple[str, bytes]]:
    """What determines the key as well as itself: of a long HMAC key, the hash is the key."""
    for name in _DIGESTS:
        yield name, hashlib.new(name, material).digest()


def hash_key_of(material: bytes) -> bytes:
    """GHASH's key; b"" where the material is no AES key."""
    return encrypt_block(material, bytes(16)) if len(material) in _AES_KEYS else b""


def encrypt_block(key: bytes, block: bytes) -> bytes:
    context = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return context.update(block)


def key_stream(plaintext: bytes, ciphertext: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(plaintext, ciphertext, strict=False))


# --- nonces ---------------------------------------------------------------------------------------

#: Bytes of a block, and what the cipher was fed for it.
Block = tuple[str, int]


def mode_of(
    algorithm: A | None, parameters: CryptographicParameters | None, iv: bytes | None
) -> str:
    """``GCM``, ``CTR``, ``POLY1305``, ``CHACHA20``; "" where nothing is lost by a repeated IV, or less."""
    mode = None if parameters is None else parameters.block_cipher_mode
    if algorithm is A.AES:
        return {None: "GCM", M.GCM: "GCM", M.AEAD: "GCM", M.CTR: "CTR"}.get(mode, "")
    if algorithm in {A.CHACHA20, A.CHACHA20_POLY1305}:
        return "CHACHA20" if iv is not None and len(iv) == 8 else "POLY1305"
    return ""


def blocks_used(
    mode: str, material: bytes, iv: bytes, size: int, *, counter: int = 0
) -> Sequence[Block]:
    """The blocks of key stream that an encryption of `size` bytes takes; none may be taken twice."""
    if mode == "GCM":
        first = _first_counter(material, iv)
        low = first & 0xFFFFFFFF
        blocks = -(-size // 16) + 1
        return [("AES", first - low + (low + number) % (1 << 32)) for number in range(blocks)]
    if mode == "CTR":
        first = int.from_bytes(iv, "big")
        return [("AES", (first + number) % (1 << 128)) for number in range(max(1, -(-size // 16)))]
    if mode == "POLY1305":
        return [("ChaCha20", _chacha(iv, number)) for number in range(-(-size // 64) + 1)]
    if mode == "CHACHA20":
        blocks = range(counter, counter + max(1, -(-size // 64)))
        return [("ChaCha20", _chacha(bytes(4) + iv, number)) for number in blocks]
    return ()


def _chacha(nonce: bytes, number: int) -> int:
    return int.from_bytes(nonce + number.to_bytes(4, "big"), "big")


def _first_counter(material: bytes, iv: bytes) -> int:
    """J0 of SP 800-38D §7.1."""
    if len(iv) == 12:
        return int.from_bytes(iv + b"\0\0\0\1", "big")
    padded = iv + bytes(-len(iv) % 16) + bytes(8) + (8 * len(iv)).to_bytes(8, "big")
    key = int.from_bytes(hash_key_of(material), "big")
    result = 0
    for place in range(0, len(padded), 16):
        result = _multiply(result ^ int.from_bytes(padded[place : place + 16], "big"), key)
    return result


def _multiply(x: int, y: int) -> int:
    """In GCM's field, bit 0 the highest."""
    product = 0
    for bit in range(127, -1, -1):
        if x >> bit & 1:
            product ^= y
        y = y >> 1 ^ (0xE1 << 120 if y & 1 else 0)
    return product
