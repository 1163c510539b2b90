"""How a key's CryptographicParameters bind the requests that use it (KMIP 2.1 §4.16).

Pure. A field that the key sets holds for every use: a request may repeat it or leave it out. A field that the key
leaves open is decided by the request. If a request could change the key's fields, a user who may only encrypt would
choose the mode: ECB with a key for GCM gives the key stream, and so the plaintext, of GCM's messages.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ..errors import BadCryptographicParameters
from ..kmip.enums import BlockCipherMode, CryptographicAlgorithm
from ..kmip.schema import tag_of
from ..kmip.structures import CryptographicParameters

_A, _M = CryptographicAlgorithm, BlockCipherMode

#: Field → groups of values that name the same thing: of two that differ, both in one group, the key's holds.
SYNONYMS: Mapping[str, tuple[frozenset[int], ...]] = MappingProxyType(
    {
        "block_cipher_mode": (
            frozenset({_M.GCM, _M.AEAD}),
            frozenset({_M.AES_KEY_WRAP_PADDING, _M.COSMIAN_NIST_KEY_WRAP}),
        ),
        "cryptographic_algorithm": (
            frozenset({_A.CHACHA20, _A.CHACHA20_POLY1305}),
            frozenset({_A.EC, _A.ECDSA}),
            frozenset({_A.EC, _A.ED25519}),
            frozenset({_A.EC, _A.ED448}),
        ),
    }
)


def bind_parameters(
    own: CryptographicParameters | None, requested: CryptographicParameters | None
) -> CryptographicParameters | None:
    """The parameters that count for one use of a key. own: the key's. requested: the request's.

    Raises BadCryptographicParameters where the request changes a field that the key sets.
    """
    if own is None or own == requested:
        return requested
    if requested is None:
        return own
    values: dict[str, Any] = dict(vars(requested))
    for field, value in vars(own).items():
        if value is None:
            continue
        other = values.get(field)
        if other is not None and not _is_same(field, value, other):
            name = tag_of(CryptographicParameters, field)
            raise BadCryptographicParameters(
                f"the key's CryptographicParameters set {name} to {_format_value(value)}: "
                "a request repeats that or leaves it out"
            )
        values[field] = value
    return CryptographicParameters(**values)


def fill_parameters(
    requested: CryptographicParameters | None, effective: CryptographicParameters
) -> CryptographicParameters:
    """What the request said, with the effective values of what it left open."""
    if requested is None:
        return effective
    values: dict[str, Any] = dict(vars(requested))
    for field, value in vars(effective).items():
        if values.get(field) is None:
            values[field] = value
    return CryptographicParameters(**values)


def _is_same(field: str, value: Any, other: Any) -> bool:
    return value == other or any(
        value in synonyms and other in synonyms for synonyms in SYNONYMS.get(field, ())
    )


def _format_value(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else getattr(value, "name", None) or str(value)
