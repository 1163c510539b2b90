"""Envelope encryption: key material under its own data key, the data key under the master key.

The database holds key material only in this form, with its lengths in bytes:

    sealed = format (1) | master key id (8)
           | nonce (12) | data key (32) and tag (16)       the outer layer, under the master key
           | nonce (12) | material and tag (16)            the inner layer, under the data key
"""

# How an envelope protects.
#
#   master key (32 bytes, held by the operator, never in the database)
#       |  HKDF-Expand, with a label for each use
#       +--> key id (8)      in the clear in every envelope; tells master keys apart
#       +--> check value     in the database; reveals a start with the wrong master key
#       +--> row MAC key     shows that the server wrote a row itself (`row_mac`)
#       +--> kept keys key   shows that the server wrote a file with an issuer's keys itself
#       +--> identity key    names key material for the records of its nonces
#       +--> wrapping key    seals the data keys
#                |  AES-256-GCM
#                +--> data key    new and random with every seal, used for this one material
#                         |  AES-256-GCM
#                         +--> material
#
# There are two layers because a data key encrypts a single message: whatever the size of a
# material, the master key only ever encrypts 32 bytes for it, under a random nonce of 96 bits. NIST
# SP 800-38D, section 8.3, allows 2^32 of those, far more than a database of this server will hold.
#
# Both layers authenticate, as additional data,
#
#     format | master key id | label of the layer | uid | owner | object type | version
#
# so sealed material opens only for the object, the owner and the version that it was sealed for.
# Whoever can write to the database but does not have the master key can neither move material to
# another object or owner, nor combine it with another version, nor pass off a data key as material.
# The row MAC binds the envelope to the rest of its row. What neither can notice is that a whole row was
# removed, or replaced by an older copy of itself.
#
# Opening has one error, SealBroken; its reason is for the log only.

from __future__ import annotations

import os
import struct
from typing import Any, NamedTuple, NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from ..domain.managed_object import SealedMaterial
from ..errors import ConfigurationError, GeneralFailure
from .material import KeyMaterial
from .row_mac import RowMAC

MASTER_KEY_BYTES = 32

_FORMAT = 1
_KEY_ID = 8
_NONCE = 12
_TAG = 16
_DATA_KEY = 32
_HEADER_END = 1 + _KEY_ID
_DATA_KEY_START = _HEADER_END + _NONCE
_DATA_KEY_END = _DATA_KEY_START + _DATA_KEY + _TAG
_MATERIAL_START = _DATA_KEY_END + _NONCE
_SHORTEST = _MATERIAL_START + _TAG

# The parts of an envelope behind its header.
_OUTER_NONCE = slice(_HEADER_END, _DATA_KEY_START)
_SEALED_DATA_KEY = slice(_DATA_KEY_START, _DATA_KEY_END)
_INNER_NONCE = slice(_DATA_KEY_END, _MATERIAL_START)
_SEALED_MATERIAL = slice(_MATERIAL_START, None)

_LENGTH, _NUMBERS = struct.Struct(">I"), struct.Struct(">QQ")

_DATA_KEY_LABEL = b"kms_tornado envelope: data key"
_MATERIAL_LABEL = b"kms_tornado envelope: material"


class SealBroken(GeneralFailure):
    """Sealed material does not belong to this object, or is not as it was written.

    The message is the same for every fault; which check failed (``detail``) is for the log only.
    """

    def __init__(self, detail: str) -> None:
        self.detail = detail
        super().__init__("the stored object cannot be used; tell the operator of the server")


class EnvelopeContext(NamedTuple):
    """The object that sealed material is bound to. object_type: its KMIP number."""

    uid: str
    owner: str
    object_type: int
    version: int


class MasterKey:
    """The key that protects everything in the database; only values derived from it are in memory.

    key_id: tells master keys apart; it stands in the clear in every envelope and reveals nothing.
    row_mac: authenticates the rows of the database. kept_keys_mac: the issuers' keys that a restart uses.
    """

    __slots__ = (
        "_aead",
        "_check",
        "_data_key_label",
        "_former_check",
        "_header",
        "_identify",
        "_material_label",
        "kept_keys_mac",
        "key_id",
        "row_mac",
    )

    def __init__(self, material: KeyMaterial) -> None:
        if len(material.reveal()) != MASTER_KEY_BYTES:
            raise ConfigurationError(f"a master key has {MASTER_KEY_BYTES} bytes")
        self._aead = AESGCM(_derive_subkey(material, b"wrap data keys", 32))
        self._check = _derive_subkey(material, b"check value of authenticated rows", 32)
        self._former_check = _derive_subkey(material, b"check value", 32)
        self._identify = RowMAC(_derive_subkey(material, b"identity of key material", 32))
        self.row_mac = RowMAC(_derive_subkey(material, b"row MAC", 32))
        self.kept_keys_mac = RowMAC(_derive_subkey(material, b"kept keys of issuers", 32))
        self.key_id = _derive_subkey(material, b"key id", _KEY_ID)
        self._header = bytes((_FORMAT,)) + self.key_id
        self._data_key_label = self._header + _DATA_KEY_LABEL
        self._material_label = self._header + _MATERIAL_LABEL

    @property
    def check_value(self) -> bytes:
        """The value by which a database recognises its master key; it reveals nothing of the key.

        It stands only in a database whose rows have MACs.
        """
        return self._check

    @property
    def former_check_value(self) -> bytes:
        """The check value of a database that a version without row MACs wrote."""
        return self._former_check

    def identify_material(self, material: bytes) -> bytes:
        """32 bytes that are the same for the same key material, whatever object holds it.

        Without the master key they reveal nothing of the material.
        """
        return self._identify(material)

    def __repr__(self) -> str:
        return f"MasterKey(key_id={self.key_id.hex()})"

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("a master key does not leave the process")


def seal(master_key: MasterKey, material: KeyMaterial, context: EnvelopeContext) -> SealedMaterial:
    """Seal the material for this object, under a new data key with every call."""
    random = os.urandom(_DATA_KEY + 2 * _NONCE)
    data_key, outer, inner = random[:_DATA_KEY], random[_DATA_KEY:-_NONCE], random[-_NONCE:]
    context_bytes = _encode_context(context)
    return SealedMaterial(
        b"".join(
            (
                master_key._header,
                outer,
                master_key._aead.encrypt(
                    outer, data_key, master_key._data_key_label + context_bytes
                ),
                inner,
                AESGCM(data_key).encrypt(
                    inner, material.reveal(), master_key._material_label + context_bytes
                ),
            )
        )
    )


def open_sealed(
    master_key: MasterKey, sealed: SealedMaterial, context: EnvelopeContext
) -> KeyMaterial:
    """The material, if it was sealed under this master key for exactly this object.

    Raises SealBroken for anything else.
    """
    if len(sealed) < _SHORTEST or sealed[0] != _FORMAT:
        raise SealBroken("sealed material is cut short or of an unknown format")
    if not sealed.startswith(master_key._header):
        key_id = sealed[1:_HEADER_END].hex()
        raise SealBroken(f"sealed under the master key {key_id}, ours is {master_key!r}")
    context_bytes = _encode_context(context)
    try:
        data_key = master_key._aead.decrypt(
            sealed[_OUTER_NONCE],
            sealed[_SEALED_DATA_KEY],
            master_key._data_key_label + context_bytes,
        )
        return KeyMaterial(
            AESGCM(data_key).decrypt(
                sealed[_INNER_NONCE],
                sealed[_SEALED_MATERIAL],
                master_key._material_label + context_bytes,
            )
        )
    except InvalidTag:
        # `from None`: the library's exception adds nothing, and its frames hold the data key.
        raise SealBroken("sealed material was altered or belongs to another object") from None


def _encode_context(context: EnvelopeContext) -> bytes:
    """The context as bytes. Two contexts never share an encoding, as each length precedes its text.

    `surrogatepass`: a lone surrogate must not raise here, and must have an encoding of its own.
    """
    uid, owner = (
        context.uid.encode("utf-8", "surrogatepass"),
        context.owner.encode("utf-8", "surrogatepass"),
    )
    numbers = _NUMBERS.pack(context.object_type, context.version)
    return b"".join((_LENGTH.pack(len(uid)), uid, _LENGTH.pack(len(owner)), owner, numbers))


def _derive_subkey(material: KeyMaterial, use: bytes, length: int) -> bytes:
    """A key for one use. HKDF-Expand is enough (RFC 5869 §3.3): a master key is uniformly random."""
    label = b"kms_tornado master key: " + use
    return HKDFExpand(SHA256(), length, label).derive(material.reveal())
