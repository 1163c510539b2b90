"""Key material as it is sent: octets, or the numbers of a transparent key (KMIP 2.1 §3).

The KeyFormatType of the enclosing key block says which numbers to expect; octets may stand under any
format, wrapped or not. A repr never shows the secret parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from ..errors import InvalidField, KeyFormatTypeNotSupported, MissingData
from .enums import KeyFormatType, RecommendedCurve
from .schema import BigInteger, Tag, from_node, to_node
from .ttlv import ItemType, Node, structure


@dataclass(frozen=True, slots=True)
class KeyMaterialField:
    """KMIP's field KeyMaterial with the octets of a key, wrapped or not.

    transparent: the octets stand in a structure of one Key, as in a TransparentSymmetricKey; otherwise
    they stand alone (Raw, PKCS8, a wrapped key, …). For cryptography there is `crypto.material.KeyMaterial`.
    """

    octets: bytes = field(repr=False)
    transparent: bool = False


@dataclass(frozen=True, slots=True)
class TransparentDSAPrivateKey:
    p: BigInteger
    q: BigInteger
    g: BigInteger
    x: BigInteger = field(repr=False)


@dataclass(frozen=True, slots=True)
class TransparentDSAPublicKey:
    p: BigInteger
    q: BigInteger
    g: BigInteger
    y: BigInteger


@dataclass(frozen=True, slots=True)
class TransparentRSAPrivateKey:
    """The parts of an RSA private key.

    Various subsets determine the key; `crypto.keys` decides whether those sent suffice.
    """

    modulus: BigInteger
    private_exponent: BigInteger | None = field(default=None, repr=False)
    public_exponent: BigInteger | None = None
    p: BigInteger | None = field(default=None, repr=False)
    q: BigInteger | None = field(default=None, repr=False)
    prime_exponent_p: BigInteger | None = field(default=None, repr=False)
    prime_exponent_q: BigInteger | None = field(default=None, repr=False)
    crt_coefficient: BigInteger | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class TransparentRSAPublicKey:
    modulus: BigInteger
    public_exponent: BigInteger


@dataclass(frozen=True, slots=True)
class TransparentDHPrivateKey:
    p: BigInteger
    g: BigInteger
    q: BigInteger | None = None
    j: BigInteger | None = None
    x: BigInteger = field(repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class TransparentDHPublicKey:
    p: BigInteger
    g: BigInteger
    q: BigInteger | None = None
    j: BigInteger | None = None
    y: BigInteger = field(kw_only=True)


@dataclass(frozen=True, slots=True)
class TransparentECPrivateKey:
    recommended_curve: RecommendedCurve
    d: BigInteger = field(repr=False)


@dataclass(frozen=True, slots=True)
class TransparentECPublicKey:
    """q: the public point as octets (SEC 1 §2.3.3)."""

    recommended_curve: RecommendedCurve
    q: Annotated[bytes, Tag("QString")]


TransparentKey = (
    TransparentDSAPrivateKey
    | TransparentDSAPublicKey
    | TransparentRSAPrivateKey
    | TransparentRSAPublicKey
    | TransparentDHPrivateKey
    | TransparentDHPublicKey
    | TransparentECPrivateKey
    | TransparentECPublicKey
)

TRANSPARENT_KEYS: Mapping[KeyFormatType, type[TransparentKey]] = {
    KeyFormatType.TRANSPARENT_DSA_PRIVATE_KEY: TransparentDSAPrivateKey,
    KeyFormatType.TRANSPARENT_DSA_PUBLIC_KEY: TransparentDSAPublicKey,
    KeyFormatType.TRANSPARENT_RSA_PRIVATE_KEY: TransparentRSAPrivateKey,
    KeyFormatType.TRANSPARENT_RSA_PUBLIC_KEY: TransparentRSAPublicKey,
    KeyFormatType.TRANSPARENT_DH_PRIVATE_KEY: TransparentDHPrivateKey,
    KeyFormatType.TRANSPARENT_DH_PUBLIC_KEY: TransparentDHPublicKey,
    KeyFormatType.TRANSPARENT_EC_PRIVATE_KEY: TransparentECPrivateKey,
    KeyFormatType.TRANSPARENT_EC_PUBLIC_KEY: TransparentECPublicKey,
}


def read_material(
    node: Node, key_format: KeyFormatType | None
) -> KeyMaterialField | TransparentKey:
    """The field KeyMaterial in the shape that its format has.

    key_format: None where the key block names no transparent format; the material is then octets or a Key.
    Raises InvalidField, MissingData or KeyFormatTypeNotSupported for any other shape.
    """
    if node.type is ItemType.BYTE_STRING and isinstance(node.value, bytes):
        return KeyMaterialField(node.value)
    if not isinstance(node.value, tuple):
        raise InvalidField("KeyMaterial must be a ByteString or a Structure")
    if not node.value:
        raise MissingData("KeyMaterial is empty")
    transparent = None if key_format is None else TRANSPARENT_KEYS.get(key_format)
    if transparent is not None:
        return from_node(transparent, node)
    if [child.tag for child in node.value] != ["Key"]:
        raise KeyFormatTypeNotSupported(
            "KeyMaterial is a ByteString, the Key of a TransparentSymmetricKey, or the parts of the"
            " transparent key that KeyFormatType names"
        )
    (key,) = node.value
    if not isinstance(key.value, bytes):
        raise InvalidField("Key must be a ByteString")
    return KeyMaterialField(key.value, transparent=True)


def write_material(tag: str, material: KeyMaterialField | TransparentKey) -> Node:
    """The inverse of `read_material`."""
    if not isinstance(material, KeyMaterialField):
        return to_node(material, tag)
    if material.transparent:
        return structure(tag, Node("Key", ItemType.BYTE_STRING, material.octets))
    return Node(tag, ItemType.BYTE_STRING, material.octets)
