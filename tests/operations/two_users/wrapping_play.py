"""WrappingPlay: keys that leave, wrapped or in the clear, and wrapped keys that come in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import (
    BlockCipherMode,
    CryptographicUsageMask,
    EncodingOption,
    KeyWrapType,
    ObjectType,
    Operation,
)
from kms_tornado.kmip.payloads import (
    CreateRequest,
    ExportRequest,
    GetRequest,
    ImportRequest,
    RegisterRequest,
)
from kms_tornado.kmip.structures import VendorAttribute

from . import requests
from .crypto_play import CryptoPlay
from .model import ALIVE, Carried, Key, Overreach, check_came_back
from .world import Outcome, unwrap_block

M, Op = CryptographicUsageMask, Operation


@dataclass(frozen=True)
class Blob:
    """A wrapped key that has left. source: what it is of. by: the wrapping key's identifier."""

    held: Any
    object_type: ObjectType
    source: str
    carried: Carried
    by: str


class WrappingPlay(CryptoPlay):
    def __init__(self, world: Any) -> None:
        super().__init__(world)
        self.blobs: list[Blob] = []

    # --- stored wrapped -------------------------------------------------------------------------

    def create_wrapped(self, user: str, attributes: Attributes, by: str) -> str | None:
        """A new key that is stored wrapped by another."""
        named = VendorAttribute.of_bytes("cosmian", "wrapping_key_id", by.encode())
        asked = attributes.replace(vendor_attributes=(*attributes.vendor_attributes, named))
        outcome = self.act(user, Op.CREATE, CreateRequest(ObjectType.SYMMETRIC_KEY, asked))
        if not outcome.is_done:
            return None
        self.see(user, outcome, "Create")
        self.protect(user, self.keys[by], Op.ENCRYPT, M.WRAP_KEY, 16)
        new = self.adopt(user, outcome.response.unique_identifier, wrapped_by=by)
        self.carried[new.uid] = Carried.of(new)
        return new.uid

    # --- Get, Export ----------------------------------------------------------------------------

    def get(
        self,
        user: str,
        uid: str,
        *,
        by: str | None = None,
        mode: BlockCipherMode | None = None,
        encoding: EncodingOption | None = None,
        is_export: bool = False,
    ) -> Blob | bytes | None:
        """The key, in the clear or wrapped `by` another."""
        specification = None if by is None else requests.wrapping(by, mode, encoding)
        operation, request = (Op.EXPORT, ExportRequest) if is_export else (Op.GET, GetRequest)
        sent = request(uid, key_wrapping_specification=specification)
        outcome = self.act(user, operation, sent)
        if not outcome.is_done:
            return None
        key, held = self.keys[uid], outcome.response.object
        key.check_right(user, operation)
        block = requests.block_of(held)
        if block is None:
            self.see(user, outcome, operation.name)
            return None
        if key.state not in ALIVE:
            raise Overreach(f"{user} has {uid}, which is {key.state.name}")
        if not key.is_extractable:
            raise Overreach(f"{user} has {uid}, which is not Extractable")
        if by is None and not key.is_wrapped:
            return self._shown(user, key, outcome, block)
        carried = self._check_wrap(user, key, by, block)
        self.see(user, outcome, operation.name)
        blob = Blob(held, key.kind, uid, carried, by or key.wrapped_by or "")
        self.blobs.append(blob)
        return blob

    def _shown(self, user: str, key: Key, outcome: Outcome, block: Any) -> bytes:
        if key.is_sensitive:
            raise Overreach(f"{user} has {key.uid} in the clear, which is Sensitive")
        octets: bytes = block.key_value.key_material.octets
        assert octets == key.material, f"{key.uid} has another key"
        self.watches[user].learn(octets)
        self.see(user, outcome, "Get")
        return octets

    def _check_wrap(self, user: str, key: Key, by: str | None, block: Any) -> Carried:
        """The wrapping key was used as it may be; a Sensitive key leaves under its owner's secret ones."""
        if by is None:  # as it came
            self._check_protects(user, key, self.keys.get(key.wrapped_by or ""))
            return self.carried.get(key.uid) or Carried.of(key)
        kek = self.keys[by]
        octets = getattr(block.key_value, "octets", None) or block.key_value.key_material.octets
        self.protect(user, kek, Op.ENCRYPT, M.WRAP_KEY, 16)
        information = block.key_wrapping_data.encryption_key_information
        assert information.unique_identifier == by
        assert unwrap_block(block, kek.material) == key.material, f"{by} or {key.uid} is another"
        self._check_protects(user, key, kek)
        self._take_wrapping_nonce(user, kek, octets)
        return Carried.of(key)

    def _check_protects(self, user: str, key: Key, kek: Key | None) -> None:
        """kek: None where the wrapping key is not on this server (any more)."""
        if kek is None:
            return
        if key.is_sensitive and (kek.owner != key.owner or not kek.wraps_secretly()):
            raise Overreach(f"{user} has {key.uid}, Sensitive, wrapped by {kek.owner}'s {kek.uid}")
        if not key.is_sensitive and self.watches[user].knows(kek.material):
            self.watches[user].learn(key.material)

    def _take_wrapping_nonce(self, user: str, kek: Key, octets: bytes) -> None:
        """Only where it was GCM: it unwraps as that alone."""
        iv, rest = octets[:12], octets[12:]
        try:
            AESGCM(kek.material).decrypt(iv, rest, b"")
        except (InvalidTag, ValueError):  # another algorithm
            return
        self.take_blocks(user, kek, "GCM", iv, len(rest) - 16, is_callers=False)

    # --- Import, Register of what was wrapped ---------------------------------------------------

    def bring(
        self,
        user: str,
        blob: Blob,
        uid: str,
        *,
        mask: int | None = None,
        keeps: bool = False,
        replaces: bool = False,
        registers: bool = False,
    ) -> str | None:
        """The way back in, with rights that the user would like. keeps: it is stored wrapped."""
        attributes = Attributes(
            cryptographic_algorithm=requests.A.AES,
            cryptographic_length=256,
            cryptographic_usage_mask=mask,
            sensitive=False,
        )
        if registers:
            wanted = attributes.replace(unique_identifier=uid)
            operation: Any = Op.REGISTER
            request: Any = RegisterRequest(blob.object_type, wanted, blob.held)
            keeps = True
        else:
            operation = Op.IMPORT
            wrap_type = None if keeps else KeyWrapType.NOT_WRAPPED
            request = ImportRequest(uid, blob.object_type, replaces, wrap_type, attributes, blob.held)  # fmt: skip
        outcome = self.act(user, operation, request)
        if not outcome.is_done:
            return None
        self.see(user, outcome, operation.name)
        kek = self.keys.get(blob.by)
        if not keeps:
            if kek is None:
                raise Overreach(f"{user} unwrapped by {blob.by}, which is gone")
            self.process(user, kek, Op.DECRYPT, M.UNWRAP_KEY)
        new_uid: str = outcome.response.unique_identifier
        new = self.adopt(
            user,
            new_uid,
            wrapped_by=blob.by if keeps and kek is not None else None,
            may_share=keeps,
        )
        self.carried.pop(new_uid, None)
        if keeps:
            self.carried[new_uid] = blob.carried
        else:
            check_came_back(user, new, blob.carried)
        return new_uid
