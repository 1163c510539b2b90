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
#       +--> bundle          of a database's first master key (`key_bundle`); it serves every later one, too:
#       |      row MAC key      shows that the server wrote a row itself (`row_mac`)
#       |      kept keys key    shows that the server wrote a file with an issuer's keys itself
#       |      identity key     names key material for the records of its nonces
#       +--> bundle key      seals that bundle, if this is not the database's first master key
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
# A server may hold several master keys (`KeyRing`): the newest seals, and each opens what it sealed. So a
# master key is replaced while servers run. The keys of the bundle stay as they are meanwhile: codes of rows
# need not be made anew, and a nonce that was used stays used.
#
# Opening has one error, SealBroken; its reason is for the log only.

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from ...domain.managed_object import SealedMaterial
from ...errors import ConfigurationError, GeneralFailure
from ..material import KeyMaterial
from .key_bundle import BUNDLE_BYTES, KeyBundle
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
_BUNDLE_LABEL = b"kms_tornado key bundle"

_BUNDLE_FORMAT = b"\1"


class SealBroken(GeneralFailure):
    """Sealed material does not belong to this object, or is not as it was written.

    The message is the same for every fault; which check failed (``detail``) is for the log only.
    """

    def __init__(self, detail: str) -> None:
        self.detail = detail
        super().__init__("the stored object cannot be used; tell the operator of the server")


class EnvelopeContext(NamedTuple):
    """The object to which sealed material is bound. object_type: its KMIP number."""

    uid: str
    owner: str
    object_type: int
    version: int


class MasterKey:
    """A key that protects everything in the database. Only values derived from it are in memory.

    key_id: distinguishes master keys; it stands in the clear in every envelope and reveals nothing.
    own_bundle: the key bundle of a database whose first master key this is.
    """

    __slots__ = (
        "_aead",
        "_bundle_aead",
        "_check",
        "_data_key_label",
        "_former_check",
        "_header",
        "_material_label",
        "key_id",
        "own_bundle",
    )

    def __init__(self, material: KeyMaterial) -> None:
        if len(material.reveal()) != MASTER_KEY_BYTES:
            raise ConfigurationError(f"a master key has {MASTER_KEY_BYTES} bytes")
        self._aead = AESGCM(_derive_subkey(material, b"wrap data keys", 32))
        self._check = _derive_subkey(material, b"check value of authenticated rows", 32)
        self._former_check = _derive_subkey(material, b"check value", 32)
        self._bundle_aead = AESGCM(_derive_subkey(material, b"seal key bundles", 32))
        uses = (b"row MAC", b"identity of key material", b"kept keys of issuers")
        self.own_bundle = KeyBundle(b"".join(_derive_subkey(material, use, 32) for use in uses))
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

    def seal_bundle(self, bundle: KeyBundle, check: bytes) -> bytes:
        """Seal a database's key bundle. check: the check value of the database's first master key."""
        nonce = os.urandom(_NONCE)
        sealed = self._bundle_aead.encrypt(nonce, bundle.reveal(), _BUNDLE_LABEL + check)
        return _BUNDLE_FORMAT + nonce + sealed

    def open_bundle(self, sealed: bytes, check: bytes) -> KeyBundle:
        """The bundle, if it was sealed under this master key for this database. Raises SealBroken."""
        try:
            if not sealed.startswith(_BUNDLE_FORMAT):
                raise ValueError("of an unknown format")
            nonce = sealed[1 : 1 + _NONCE]
            keys = self._bundle_aead.decrypt(nonce, sealed[1 + _NONCE :], _BUNDLE_LABEL + check)
        except (InvalidTag, ValueError):
            raise SealBroken("a key bundle was altered or belongs to another database") from None
        if len(keys) != BUNDLE_BYTES:
            raise SealBroken("a key bundle is of another length")
        return KeyBundle(keys)

    def __repr__(self) -> str:
        return f"MasterKey(key_id={self.key_id.hex()})"

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("a master key does not leave the process")


class KeyRing:
    """The master keys of this server: the newest one seals, and each opens what it sealed.

    row_mac, kept_keys_mac: as in `KeyBundle`.
    read_again: returns the master keys that are configured now, or () if they were read a moment ago; called when an
    envelope names a key that is missing here.
    """

    __slots__ = ("_bundle", "_by_id", "_read_again", "kept_keys_mac", "newest", "row_mac")

    def __init__(
        self,
        keys: Sequence[MasterKey],
        bundle: KeyBundle,
        read_again: Callable[[], Sequence[MasterKey]] = tuple,
    ) -> None:
        """keys: at least one, the newest first."""
        self._bundle = bundle
        self._read_again = read_again
        self.row_mac: RowMAC = bundle.row_mac
        self.kept_keys_mac: RowMAC = bundle.kept_keys_mac
        self.use(keys)

    def use(self, keys: Sequence[MasterKey]) -> None:
        """Use these keys from now on. The first of them seals."""
        self.newest = keys[0]
        self._by_id = {key.key_id: key for key in keys}

    @property
    def keys(self) -> Sequence[MasterKey]:
        return tuple(self._by_id.values())

    @property
    def bundle(self) -> KeyBundle:
        return self._bundle

    def find(self, key_id: bytes) -> MasterKey | None:
        """The key that sealed an envelope, if it is here or has been configured since."""
        key = self._by_id.get(key_id)
        if key is None:
            # Another server seals under it already. Here it only opens: what seals is chosen by
            # `use` alone, once the database has its bundle.
            for added in self._read_again():
                self._by_id.setdefault(added.key_id, added)
            key = self._by_id.get(key_id)
        return key

    def identify_material(self, material: bytes) -> bytes:
        """32 bytes that are the same for the same key material, whichever object has it.

        Without the master key they reveal nothing about the material.
        """
        return self._bundle.identify(material)

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(key_id.hex() for key_id in self._by_id)})"


def seal(ring: KeyRing, material: KeyMaterial, context: EnvelopeContext) -> SealedMaterial:
    """Seal the material for this object under the newest key, with a new data key at every call."""
    master_key = ring.newest
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


def open_sealed(ring: KeyRing, sealed: SealedMaterial, context: EnvelopeContext) -> KeyMaterial:
    """The material, if it was sealed under a master key of the ring for exactly this object.

    Raises SealBroken for anything else.
    """
    if len(sealed) < _SHORTEST or sealed[0] != _FORMAT:
        raise SealBroken("sealed material is cut short or of an unknown format")
    master_key = ring.newest
    if not sealed.startswith(master_key._header):
        key_id = sealed[1:_HEADER_END]
        older = ring.find(key_id)
        if older is None:
            raise SealBroken(
                f"sealed under the master key {key_id.hex()}, which is not in {ring!r}"
            )
        master_key = older
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
    """The context as bytes. Each length precedes its text, so two different contexts never have the same encoding.

    `surrogatepass`: a lone surrogate must not raise an error here, and must have an encoding of its own.
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
