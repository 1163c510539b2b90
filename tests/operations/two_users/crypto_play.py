"""CryptoPlay: the uses of keys, with what each lets the user know, and which blocks of key stream it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import (
    CryptographicUsageMask,
    DerivationMethod,
    Operation,
)
from kms_tornado.kmip.payloads import (
    DecryptRequest,
    EncryptRequest,
    EncryptResponse,
    MACRequest,
)
from kms_tornado.kmip.structures import CryptographicParameters

from . import requests
from .life_play import LifePlay
from .model import Carried, Key, Overreach, check_as_protected
from .play import USERS
from .secrets import Leak, blocks_used, key_stream, mode_of
from .world import Outcome

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


class CryptoPlay(LifePlay):
    """carried: the rules under the wrap of objects that are stored wrapped."""

    def __init__(self, world: Any) -> None:
        super().__init__(world)
        self.carried: dict[str, Carried] = {}
        self.boxes: list[Box] = []

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
        same = self._same_key(key)
        if self.sources.setdefault(same, source) != source:
            raise Overreach(f"{key.uid} has nonces of the {source}'s now, too")
        for block in blocks_used(mode, key.material, iv, size):
            other = self.blocks.get((same, block))
            if other is not None:
                raise Leak(f"{user} took key stream of {key.uid} that {other} took: {iv.hex()}")
            self.blocks[same, block] = user
        self.nonces.append(iv)

    def _same_key(self, key: Key) -> bytes:
        """The material; with `permissive`, that of this object alone (docs/keys.md)."""
        is_strict = self.world.crypto_policy == "conservative"
        return key.material if is_strict else key.material + key.uid.encode()

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
