"""What of KeyWrappingData decides how a key is unwrapped, so that no answer may be without it."""

from __future__ import annotations

from collections.abc import Mapping

from .enums import CryptographicAlgorithm, EncodingOption, HashingAlgorithm
from .ttlv import Node, Value, children_of

_ALWAYS = frozenset({"BlockCipherMode", "PaddingMethod", "HashingAlgorithm", "PSource"})


def find_lost_need(whole: Node, shown: Node) -> Node | None:
    """A field of the KeyWrappingData without which what is shown of it would be unwrapped in another way; or None.

    Octets that are wrapped bare would be read as TTLV, which is what KMIP 1.0 wraps (§2.1.4).
    """
    if _values_of(whole).get("EncodingOption") == EncodingOption.NO_ENCODING:
        lost = _find_missing(whole, shown, "EncodingOption")
        if lost is not None:
            return lost
    before, after = map(_parameters_of, (whole, shown))
    values = _values_of(before)
    for field in children_of(before):
        if _is_needed(field, values) and _find_missing(before, after, field.tag) is not None:
            return field
    return None


def _is_needed(field: Node, values: Mapping[str, Value]) -> bool:
    """Whether a key that was wrapped with these CryptographicParameters is unwrapped otherwise without the field."""
    if field.tag == "MaskGeneratorHashingAlgorithm":  # by default that of OAEP
        return field.value != values.get("HashingAlgorithm", int(HashingAlgorithm.SHA_256))
    if (
        field.tag == "CryptographicAlgorithm"
    ):  # beside the padding of an RSA key: it wraps an AES key, which wraps
        return field.value == CryptographicAlgorithm.AES and "PaddingMethod" in values
    return field.tag in _ALWAYS and field.value != b""  # an empty label is none


def _find_missing(before: Node, after: Node, tag: str) -> Node | None:
    """The field that only the first of the two structures has."""
    if tag in _values_of(after):
        return None
    return next((child for child in children_of(before) if child.tag == tag), None)


def _parameters_of(data: Node) -> Node:
    """The CryptographicParameters of the key that wrapped, or the KeyWrappingData's empty ones."""
    fields = (
        field
        for information in children_of(data)
        if information.tag == "EncryptionKeyInformation"
        for field in children_of(information)
        if field.tag == "CryptographicParameters"
    )
    return next(fields, data._replace(value=()))


def _values_of(node: Node) -> Mapping[str, Value]:
    return {child.tag: child.value for child in children_of(node)}
