"""CryptoPlay: the uses of keys, with what each lets the user know, and which blocks of key stream it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import (
    BlockCipherMode,
    CryptographicUsageMask,
    DerivationMethod,
    EncodingOption,
    KeyWrapType,
    ObjectType,
    Operation,
)
from kms_tornado.kmip.payloads import (
    DecryptRequest,
    EncryptRequest,
    EncryptResponse,
    ExportRequest,
    GetRequest,
    ImportRequest,
    MACRequest,
    RegisterRequest,
)
from kms_tornado.kmip.structures import CryptographicParameters

from . import requests
from .model import ALIVE, Carried, Key, Overreach, check_as_protected, check_came_back
from .play import USERS, Play
from .secrets import Leak, blocks_used, key_stream, mode_of
from .world import Outcome, unwrap_block

M, Op = CryptographicUsageMask, Operation


@dataclass(frozen=True)
class Box:
    """Encrypted data that both users have, as it lies in some file."""

    user: str
    uid: str
    material: bytes
    plaintext: bytes
    data: bytes
    iv: bytes | None
    tag: bytes | None
    parameters: CryptographicParameters | None


@dataclass(frozen=True)
class Blob:
    """A wrapped key that has left. source: what it is of. by: the wrapping key's identifier."""

    held: Any
    object_type: ObjectType
    source: str
    carried: Carried
    by: str


class CryptoPlay(Play):
    """carried: the rules under the wrap of objects that are stored wrapped."""

    def __init__(self, world: Any) -> None:
        super().__init__(world)
        self.carried: dict[str, Carried] = {}
        self.boxes: list[Box] = []
        self.blobs: list[Blob] = []

    # --- Encrypt --------------------------------------------------------------------------------

    def encrypt(
        self,
        user: str,
        what: str,
        data: bytes,
        *,
        iv: bytes | None = None,
        parameters: CryptographicParameters | None = None,
        aad: bytes | None = None,
    ) -> Box | None:
        request = EncryptRequest(
            unique_identifier=what,
            data=data,
            iv_counter_nonce=iv,
            cryptographic_parameters=parameters,
            authenticated_encryption_additional_data=aad,
        )
        outcome = self.act(user, Op.ENCRYPT, request)
        return self.encrypted(user, what, outcome) if outcome.is_done else None

    def encrypted(self, user: str, what: str, outcome: Outcome) -> Box:
        """Whole data was encrypted, by itself or in a batch."""
        request, response = outcome.request, outcome.response
        key = self.mean(user, what, response.unique_identifier, Op.ENCRYPT)
        aad = request.authenticated_encryption_additional_data or b""
        self.protect(user, key, Op.ENCRYPT, M.ENCRYPT, len(request.data) + len(aad))
        key.check_parameters(user, request.cryptographic_parameters)
        used = self.parameters_for(key, request.cryptographic_parameters)
        given = request.iv_counter_nonce
        iv = given or response.iv_counter_nonce
        self._check_ciphertext(key, used, request, response, iv)
        self.see(user, outcome, "Encrypt")
        mode = mode_of(key.attributes.cryptographic_algorithm, used, iv)
        if mode and iv is not None:
            self.take_blocks(user, key, mode, iv, len(request.data), is_callers=given is not None)
        self.keep_secret(user, key, request.data, response.data)
        box = Box(user, key.uid, key.material, request.data, response.data, iv, response.authenticated_encryption_tag, used)  # fmt: skip
        self.boxes.append(box)
        return box

    def _check_ciphertext(
        self,
        key: Key,
        used: CryptographicParameters | None,
        request: EncryptRequest,
        response: EncryptResponse,
        iv: bytes | None,
    ) -> None:
        """It was the key of the model that encrypted, not one that somebody put in its place."""
        aad = request.authenticated_encryption_additional_data or b""
        tag = response.authenticated_encryption_tag
        if used is None and tag is not None and len(tag) == 16 and len(key.material) == 32:
            if key.attributes.cryptographic_algorithm is not requests.A.AES or iv is None:
                return
            expected = AESGCM(key.material).encrypt(iv, request.data or b"", aad)
            assert expected == (response.data or b"") + tag, f"{key.uid} has another key"

    def take_blocks(
        self, user: str, key: Key, mode: str, iv: bytes, size: int, *, is_callers: bool
    ) -> None:
        """No block of key stream twice, whoever took it, and from one source of nonces alone."""
        if is_callers and not key.may(user, Op.DECRYPT):
            raise Overreach(f"{user} chose a nonce for {key.uid}, without the right to decrypt")
        source = "caller" if is_callers else "server"
        if self.sources.setdefault(key.material, source) != source:
            raise Overreach(f"{key.uid} has nonces of the {source}'s now, too")
        for block in blocks_used(mode, key.material, iv, size):
            other = self.blocks.get((key.material, block))
            if other is not None:
                raise Leak(f"{user} took key stream of {key.uid} that {other} took: {iv.hex()}")
            self.blocks[key.material, block] = user
        self.nonces.append(iv)

    def keep_secret(self, user: str, key: Key, plaintext: bytes, ciphertext: bytes) -> None:
        """What one user encrypts is not the others', nor is the key stream that hides it."""
        for other in USERS:
            watch = self.watches[other]
            if other == user or watch.knows(plaintext):
                continue
            if watch.knows(key.material):
                if key.owner == user:
                    raise Leak(f"{user} encrypts under {key.uid}, which {other} knows")
                continue
            if key.owner != other:
                watch.forbid(plaintext, f"what {user} encrypted under {key.uid}")
                watch.forbid(key_stream(plaintext, ciphertext), f"key stream of {key.uid}")

    # --- Decrypt --------------------------------------------------------------------------------

    def decrypt(
        self,
        user: str,
        box: Box,
        what: str | None = None,
        *,
        parameters: CryptographicParameters | None = None,
        data: bytes | None = None,
    ) -> bytes | None:
        request = DecryptRequest(
            unique_identifier=what or box.uid,
            data=box.data if data is None else data,
            iv_counter_nonce=box.iv,
            authenticated_encryption_tag=box.tag,
            cryptographic_parameters=parameters,
        )
        outcome = self.act(user, Op.DECRYPT, request)
        if not outcome.is_done:
            return None
        key = self.mean(user, what or box.uid, outcome.response.unique_identifier, Op.DECRYPT)
        self.process(user, key, Op.DECRYPT, M.DECRYPT)
        key.check_parameters(user, parameters)
        if not self.is_foreign(key):
            self.watches[user].learn(outcome.response.data)
        self.see(user, outcome, "Decrypt")
        plaintext: bytes = outcome.response.data
        return plaintext

    # --- MAC, DeriveKey -------------------------------------------------------------------------

    def mac(
        self, user: str, what: str, data: bytes, parameters: CryptographicParameters | None = None
    ) -> bytes | None:
        outcome = self.act(user, Op.MAC, MACRequest(what, parameters, data))
        if not outcome.is_done:
            return None
        key = self.mean(user, what, outcome.response.unique_identifier, Op.MAC)
        self.protect(user, key, Op.MAC, M.MAC_GENERATE, len(data))
        key.check_parameters(user, parameters)
        self.see(user, outcome, "MAC")
        mac: bytes = outcome.response.mac_data
        return mac

    def derive(
        self,
        user: str,
        base: str,
        method: DerivationMethod,
        data: bytes,
        attributes: Attributes,
    ) -> str | None:
        request = requests.deriving((base,), method, data, attributes)
        outcome = self.act(user, Op.DERIVE_KEY, request)
        if not outcome.is_done:
            return None
        self.see(user, outcome, "DeriveKey")
        old = self.keys[base]
        length = (attributes.cryptographic_length or 0) // 8
        self.protect(user, old, Op.DERIVE_KEY, M.DERIVE_KEY, length)
        uid: str = outcome.response.unique_identifier
        target = self.world.look_up(uid)
        assert target is not None
        if target.owner not in {user, old.owner}:
            raise Overreach(f"{user} derived a key for {target.owner}")
        watch = self.watches[target.owner]
        if watch.knows(old.material) or (not old.is_hidden and old.may(user, Op.GET)):
            watch.learn(self.world.material_of(target))
        new = self.adopt(target.owner, uid)
        check_as_protected(user, new, old)
        return uid

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
            return self.carried.get(key.uid) or Carried.of(key)
        kek = self.keys[by]
        octets = getattr(block.key_value, "octets", None) or block.key_value.key_material.octets
        self.protect(user, kek, Op.ENCRYPT, M.WRAP_KEY, 16)
        information = block.key_wrapping_data.encryption_key_information
        assert information.unique_identifier == by
        if key.is_sensitive and (kek.owner != key.owner or not kek.wraps_secretly()):
            raise Overreach(f"{user} has {key.uid}, Sensitive, wrapped by {kek.owner}'s {by}")
        assert unwrap_block(block, kek.material) == key.material, f"{by} or {key.uid} is another"
        if not key.is_sensitive and self.watches[user].knows(kek.material):
            self.watches[user].learn(key.material)
        self._take_wrapping_nonce(user, kek, octets)
        return Carried.of(key)

    def _take_wrapping_nonce(self, user: str, kek: Key, octets: bytes) -> None:
        """Only where it was GCM: it unwraps as that alone."""
        iv, rest = octets[:12], octets[12:]
        try:
            AESGCM(kek.material).decrypt(iv, rest, b"")
        except Exception:  # another algorithm
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

    # --- rules of use ---------------------------------------------------------------------------

    def protect(self, user: str, key: Key, operation: Operation, needed: M, size: int) -> None:
        key.check_right(user, operation)
        key.protect(user, needed, size, self.now)
        self._check_stored_wrapped(user, key, needed)

    def process(self, user: str, key: Key, operation: Operation, needed: M) -> None:
        key.check_right(user, operation)
        key.process(user, needed, self.now)
        self._check_stored_wrapped(user, key, needed)

    def _check_stored_wrapped(self, user: str, key: Key, needed: M) -> None:
        """It was unwrapped to be used: the right to its wrapping key, and the rules under the wrap."""
        if not key.is_wrapped:
            return
        kek = self.keys.get(key.wrapped_by or "")
        if kek is None:
            raise Overreach(f"{user} used {key.uid}, whose wrapping key is gone")
        kek.check_right(user, Op.DECRYPT)
        kek.process(user, M.UNWRAP_KEY, self.now)
        carried = self.carried.get(key.uid)
        if carried is None or not carried.is_sensitive:
            return
        mask = carried.attributes.cryptographic_usage_mask
        if key.owner != carried.owner or (
            mask is not None and not mask & (needed | M.UNRESTRICTED)
        ):
            raise Overreach(f"{user} used {carried.owner}'s Sensitive key as {key.uid} to {needed}")

    def counter_blocks(self) -> Sequence[bytes]:
        """The blocks that GCM's key stream is made of, for the nonces that were told last."""
        return [iv + bytes([0, 0, 0, number]) for iv in self.nonces[-3:] if len(iv) == 12 for number in (2, 1)]  # fmt: skip
