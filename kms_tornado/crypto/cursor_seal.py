"""CursorSeal: short values that a client carries to the server and back, but can neither read nor forge.

AES-SIV (RFC 5297), which needs no nonce: the same value for the same user has the same text.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

KEY_BYTES = 64


class CursorSeal:
    """Seals values for one user each; nobody else can have them opened."""

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes) -> None:
        self._cipher = AESSIV(key)

    def seal(self, value: bytes, user: str) -> bytes:
        return self._cipher.encrypt(value, [user.encode()])

    def open(self, sealed: bytes, user: str) -> bytes | None:
        """The value; None where it was altered, or sealed for another user or by another database."""
        try:
            return self._cipher.decrypt(sealed, [user.encode()])
        except InvalidTag:
            return None
