"""Signatures over data that comes in parts: hashed as it comes, signed or verified at the end."""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes

from .hashes import HASHES
from .signatures import SignatureScheme, Signer, Verifier


class SigningStream:
    """Data that comes in parts to a signature. Ed25519 hashes twice, so it takes one part alone."""

    __slots__ = ("_digest", "_signer", "_whole")

    def __init__(self, signer: Signer) -> None:
        self._signer = signer
        self._digest, self._whole = _start_digest(signer.scheme), b""

    def update(self, data: bytes) -> bytes:
        """Nothing is given before the end."""
        if self._digest is None:
            self._whole = data
        else:
            self._digest.update(data)
        return b""

    def finish(self) -> bytes:
        """The signature. Raises CryptographicFailure."""
        if self._digest is None:
            return self._signer.sign(self._whole)
        return self._signer.sign(self._digest.finalize(), is_digest=True)


class VerifyingStream:
    """As `SigningStream`, for a signature that comes at the end."""

    __slots__ = ("_digest", "_verifier", "_whole")

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier
        self._digest, self._whole = _start_digest(verifier.scheme), b""

    def update(self, data: bytes) -> bytes:
        """Nothing is given before the end."""
        if self._digest is None:
            self._whole = data
        else:
            self._digest.update(data)
        return b""

    def finish(self, signature: bytes) -> bool:
        """Whether the signature is that of the data."""
        if self._digest is None:
            return self._verifier.is_valid(self._whole, signature)
        return self._verifier.is_valid(self._digest.finalize(), signature, is_digest=True)


def _start_digest(scheme: SignatureScheme) -> hashes.Hash | None:
    return None if scheme.hashing is None else hashes.Hash(HASHES[scheme.hashing])
