"""Signatures over data that comes in parts: hashed part by part, signed or verified at the end."""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes

from ..hashes import HASHES
from .schemes import SignatureScheme
from .signatures import Signer, Verifier


class SigningStream:
    """Signs data that comes in parts. Ed25519 and Ed448 read their data twice, so they take a single part."""

    __slots__ = ("_digest", "_signer", "_whole")

    def __init__(self, signer: Signer) -> None:
        self._signer = signer
        self._digest, self._whole = _start_digest(signer.scheme), b""

    def update(self, data: bytes) -> bytes:
        """Take a part; there is no output before the end."""
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
    """Verifies a signature over data that comes in parts; otherwise as `SigningStream`."""

    __slots__ = ("_digest", "_verifier", "_whole")

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier
        self._digest, self._whole = _start_digest(verifier.scheme), b""

    def update(self, data: bytes) -> bytes:
        """Take a part; there is no output before the end."""
        if self._digest is None:
            self._whole = data
        else:
            self._digest.update(data)
        return b""

    def finish(self, signature: bytes) -> bool:
        """Whether the signature is valid for the data."""
        if self._digest is None:
            return self._verifier.is_valid(self._whole, signature)
        return self._verifier.is_valid(self._digest.finalize(), signature, is_digest=True)


def _start_digest(scheme: SignatureScheme) -> hashes.Hash | None:
    return None if scheme.hashing is None else hashes.Hash(HASHES[scheme.hashing])
