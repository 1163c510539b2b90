"""Suites: ciphers for which every choice is made that a request may make.

    parameters of the request, else of the key, else the key's algorithm → Suite

`ciphers` does the computation for a suite; `policy` decides whether it may be used.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from ...errors import (
    BadCryptographicParameters,
    ImpossibleTagLength,
    InvalidField,
    UnsupportedCryptographicParameters,
)
from ...kmip.enums import BlockCipherMode, CryptographicAlgorithm, PaddingMethod
from ...kmip.structures import CryptographicParameters
from ...kmip.tables import format_name
from ..policy import Technique

FULL_TAG_BYTES = 16
SHORTEST_TAG_BYTES = 12  # SP 800-38D §5.2.1.2
SHORTEST_KNOWN_TAG_BYTES = 4  # its appendix C has tags of 4 and 8 bytes, which are not offered here

_A, _M = CryptographicAlgorithm, BlockCipherMode
_AES = _A.AES  # Python 3.11 looks a member of an enumeration up in a function


class CipherKind(Enum):
    """How a suite is computed."""

    GCM = "AES-GCM (NIST SP 800-38D)"
    CHACHA20_POLY1305 = "ChaCha20-Poly1305 (RFC 8439)"
    BLOCKS = "CBC and ECB: whole blocks, with PKCS#5 padding or without"
    KEY_STREAM = "CTR and bare ChaCha20"


@dataclass(frozen=True, slots=True)
class Suite:
    """One cipher, ready to be used. Lengths are in bytes; 0 where the suite has no such thing.

    new_iv_bytes: the length of an IV that the server makes.
    iv_lengths: the lengths that a caller's IV may have.
    tag_bytes: the length of the authentication tag.
    block_bytes: the length of unpadded data must be a multiple of it.
    initial_counter: for bare ChaCha20.
    """

    technique: Technique
    kind: CipherKind
    mode: BlockCipherMode | None
    key_lengths: frozenset[int]
    new_iv_bytes: int
    iv_lengths: range
    tag_bytes: int = 0
    block_bytes: int = 1
    is_padded: bool = False
    initial_counter: int = 0

    @property
    def is_authenticated(self) -> bool:
        return self.tag_bytes > 0

    @property
    def has_nonce(self) -> bool:
        """Whether a repeated IV would reveal the data, or the key of the tags.

        In a suite without a nonce (CBC, ECB), the block cipher is applied to the caller's data itself.
        """
        return self.kind is not CipherKind.BLOCKS

    @property
    def is_key_stream(self) -> bool:
        """Whether decryption is the same computation as encryption, without a tag to check."""
        return self.kind is CipherKind.KEY_STREAM

    def list_techniques(self, iv: bytes | None) -> tuple[Technique, ...]:
        """All techniques that the crypto policy must allow, including that of an IV of an unusual length."""
        techniques: tuple[Technique, ...] = (self.technique,)
        if 0 < self.tag_bytes < FULL_TAG_BYTES:
            techniques += (Technique.GCM_SHORT_TAG,)
        if (
            iv is not None
            and self.kind is CipherKind.GCM
            and len(iv) != self.new_iv_bytes
            and len(iv) in self.iv_lengths
        ):
            is_short = len(iv) < self.new_iv_bytes
            techniques += (Technique.GCM_SHORT_IV if is_short else Technique.GCM_LONG_IV,)
        return techniques


_AES_KEYS = frozenset({16, 24, 32})
_TDES_KEYS = frozenset({16, 24})
_CHACHA20_KEYS = frozenset({32})

# GCM allows IVs of 1 to 2^61 bytes; the library takes 8 and more, and NIST's vectors have 60.
_AES_GCM = Suite(
    Technique.AES_GCM, CipherKind.GCM, _M.GCM, _AES_KEYS, 12, range(8, 65), tag_bytes=FULL_TAG_BYTES
)  # fmt: skip
_CHACHA20_POLY1305 = Suite(
    Technique.CHACHA20_POLY1305, CipherKind.CHACHA20_POLY1305, None, _CHACHA20_KEYS,
    12, range(12, 13), tag_bytes=FULL_TAG_BYTES,
)  # fmt: skip
_CHACHA20 = Suite(
    Technique.CHACHA20, CipherKind.KEY_STREAM, None, _CHACHA20_KEYS, 8, range(8, 9)
)  # fmt: skip
_NO_PARAMETERS = CryptographicParameters()
_NO_IV, _IV_16, _IV_8 = range(0), range(16, 17), range(8, 9)

# A mode of None means that the request names none, so that the key's algorithm decides
# (docs/dialects.md, "Ciphers").
SUITES: Mapping[tuple[CryptographicAlgorithm, BlockCipherMode | None], Suite] = MappingProxyType(
    {
        (_A.AES, None): _AES_GCM,
        (_A.AES, _M.GCM): _AES_GCM,
        (_A.AES, _M.AEAD): _AES_GCM,
        (_A.AES, _M.CBC): Suite(
            Technique.AES_CBC, CipherKind.BLOCKS, _M.CBC, _AES_KEYS, 16, _IV_16, block_bytes=16
        ),
        (_A.AES, _M.ECB): Suite(
            Technique.AES_ECB, CipherKind.BLOCKS, _M.ECB, _AES_KEYS, 0, _NO_IV, block_bytes=16
        ),
        (_A.AES, _M.CTR): Suite(
            Technique.AES_CTR, CipherKind.KEY_STREAM, _M.CTR, _AES_KEYS, 16, _IV_16
        ),
        (_A.THREE_DES, _M.CBC): Suite(
            Technique.TDES_CBC, CipherKind.BLOCKS, _M.CBC, _TDES_KEYS, 8, _IV_8, block_bytes=8
        ),
        (_A.THREE_DES, _M.ECB): Suite(
            Technique.TDES_ECB, CipherKind.BLOCKS, _M.ECB, _TDES_KEYS, 0, _NO_IV, block_bytes=8
        ),
        (_A.CHACHA20, None): _CHACHA20_POLY1305,
        (_A.CHACHA20, _M.AEAD): _CHACHA20_POLY1305,
        (_A.CHACHA20_POLY1305, None): _CHACHA20_POLY1305,
        (_A.CHACHA20_POLY1305, _M.AEAD): _CHACHA20_POLY1305,
    }
)  # fmt: skip


def choose_suite(
    algorithm: CryptographicAlgorithm | None,
    parameters: CryptographicParameters | None,
    iv: bytes | None,
) -> Suite:
    """The suite for which the parameters ask with a key for the algorithm.

    iv: as the caller sent it. Its length distinguishes bare ChaCha20 (8 bytes), which the OASIS cases mean by
    ``ChaCha20``, from ChaCha20-Poly1305 (12 bytes), which the published clients mean.
    Raises UnsupportedCryptographicParameters, BadCryptographicParameters (ImpossibleTagLength for a tag that no cipher
    has), InvalidField.
    """
    if algorithm is None:
        raise UnsupportedCryptographicParameters("the key has no algorithm")
    if algorithm is _AES and parameters is None:  # what nearly every client asks for
        return _AES_GCM
    requested = _NO_PARAMETERS if parameters is None else parameters
    _check_algorithm(algorithm, requested.cryptographic_algorithm)
    mode = requested.block_cipher_mode
    suite = SUITES.get((algorithm, mode))
    if suite is None:
        name = (
            format_name(algorithm)
            if mode is None
            else f"{format_name(algorithm)} in mode {format_name(mode)}"
        )
        raise UnsupportedCryptographicParameters(f"{name} is not offered")
    if (
        (algorithm, mode) == (_A.CHACHA20, None)
        and requested.cryptographic_algorithm is not _A.CHACHA20_POLY1305
        and iv is not None
        and len(iv) == _CHACHA20.new_iv_bytes
    ):
        suite = _CHACHA20
    if suite.kind is CipherKind.BLOCKS:
        suite = _apply_padding(suite, requested.padding_method)
    if suite.is_authenticated:
        suite = _apply_tag_length(suite, requested.tag_length)
    elif requested.tag_length is not None:
        raise BadCryptographicParameters("TagLength goes with an authenticated mode")
    if requested.iv_length not in {None, suite.new_iv_bytes}:
        raise UnsupportedCryptographicParameters(f"a new IV has {suite.new_iv_bytes} bytes")
    if iv is None and (requested.fixed_field_length or requested.invocation_field_length):
        raise UnsupportedCryptographicParameters(
            "a new IV is random, and has neither FixedFieldLength nor InvocationFieldLength"
        )
    if requested.iv_length is not None and iv is not None and len(iv) != requested.iv_length:
        raise BadCryptographicParameters(f"by IVLength the IV has {requested.iv_length} bytes")
    return _apply_initial_counter(suite, requested)


def check_iv(suite: Suite, iv: bytes) -> None:
    """Raises InvalidField where the caller's IV has the wrong length."""
    if len(iv) in suite.iv_lengths:
        return
    if not suite.iv_lengths:
        raise InvalidField("there is no IV in this mode")
    first, last = suite.iv_lengths[0], suite.iv_lengths[-1]
    lengths = f"{first}" if first == last else f"{suite.new_iv_bytes} to {last}"
    raise InvalidField(f"the IV has {lengths} bytes")


def check_data_length(suite: Suite, length: int) -> None:
    """Raises InvalidField for a length that this suite could encrypt only with padding."""
    if not suite.is_padded and length % suite.block_bytes:
        raise InvalidField(
            f"without padding (PaddingMethod PKCS5), data is a multiple of {suite.block_bytes} bytes"
        )


def check_aad(suite: Suite, aad: bytes) -> None:
    """Raises InvalidField for additional data that the suite would not authenticate."""
    if aad and not suite.is_authenticated:
        raise InvalidField("additional data needs an authenticated mode")


def _check_algorithm(
    algorithm: CryptographicAlgorithm, requested: CryptographicAlgorithm | None
) -> None:
    """Check that the parameters name the key's algorithm or none.

    To clients, ChaCha20 and ChaCha20Poly1305 are synonyms.
    """
    synonyms = {_A.CHACHA20, _A.CHACHA20_POLY1305}
    if requested not in {None, algorithm} and not {algorithm, requested} <= synonyms:
        raise UnsupportedCryptographicParameters("the key is for another algorithm")


def _apply_padding(suite: Suite, padding: PaddingMethod | None) -> Suite:
    if padding in {None, PaddingMethod.NONE}:
        return suite
    if padding is PaddingMethod.PKCS5:
        return dataclasses.replace(suite, is_padded=True)
    raise UnsupportedCryptographicParameters("the padding is PKCS5 or None")


def _apply_tag_length(suite: Suite, length: int | None) -> Suite:
    if length is None or length == suite.tag_bytes:
        return suite
    wording = (
        f"the tag has {SHORTEST_TAG_BYTES} to {FULL_TAG_BYTES} bytes, by default {FULL_TAG_BYTES}"
    )
    if not SHORTEST_KNOWN_TAG_BYTES <= length <= FULL_TAG_BYTES:
        raise ImpossibleTagLength(wording)
    if length < SHORTEST_TAG_BYTES:
        raise BadCryptographicParameters(wording)
    return dataclasses.replace(suite, tag_bytes=length)


def _apply_initial_counter(suite: Suite, requested: CryptographicParameters) -> Suite:
    """The suite with the requested counter.

    Only bare ChaCha20 has one apart from its IV; for other suites it is refused.
    """
    if requested.counter_length is not None:
        raise UnsupportedCryptographicParameters("CounterLength is not offered")
    if requested.initial_counter_value is None:
        return suite
    if suite is not _CHACHA20:
        raise UnsupportedCryptographicParameters("the initial counter is part of the IV")
    if requested.initial_counter_value < 0:
        raise InvalidField("InitialCounterValue is negative")
    return dataclasses.replace(suite, initial_counter=requested.initial_counter_value)
