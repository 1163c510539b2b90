"""The key service without HTTP: a real store, all operations, and a clock that a test sets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, TypeVar

from kms_tornado.auth.principal import Principal
from kms_tornado.crypto.material import KeyMaterial
from kms_tornado.crypto.sealing.envelope import KeyRing, MasterKey
from kms_tornado.kmip.attribute_instance import AttributeInstance
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import CryptographicAlgorithm, ObjectType, Operation, State
from kms_tornado.kmip.payloads import (
    AddAttributeRequest,
    CreateRequest,
    DecryptRequest,
    DeleteAttributeRequest,
    EncryptRequest,
    EncryptResponse,
    GetAttributesRequest,
    GetRequest,
    ModifyAttributeRequest,
    SetAttributeRequest,
)
from kms_tornado.service.objects.access_rights import AccessRequest, AccessRights
from kms_tornado.service.service import Service
from kms_tornado.settings.service import ServiceSettings
from kms_tornado.store.interface.master_keys import CheckValues
from kms_tornado.store.interface.objects import Objects
from kms_tornado.store.sql.store import Backend, SQLStore
from kms_tornado.store.sqlite.backend import SQLiteBackend

T = TypeVar("T")

#: Seconds since the Unix epoch; where the clock begins.
START = 1_800_000_000
ALICE, BOB = "alice", "bob"


async def at_once(
    function: Callable[[], T], *, principal: str, heavy: bool = False, size: int = 0
) -> T:
    return function()


class Inside:
    """``with Inside(tmp_path) as kms: kms.do(ALICE, Operation.CREATE, CreateRequest(…))``."""

    def __init__(
        self, directory: Path, *, backend: Backend | None = None, crypto_policy: str = "permissive"
    ) -> None:
        """backend: of another database than a new one of SQLite's in the directory."""
        self.clock = START
        self._loop = asyncio.new_event_loop()
        self.master_key = MasterKey(KeyMaterial(bytes(32)))
        self.ring = KeyRing([self.master_key], self.master_key.own_bundle)
        self.store = SQLStore(backend or SQLiteBackend(directory / "kms.db"))
        self.service = Service(
            self.store,
            self.ring,
            at_once,
            ServiceSettings(crypto_policy=crypto_policy),
            now=lambda: self.clock,
        )
        self.rights = AccessRights(self.store, at_once, now=lambda: self.clock)

    def __enter__(self) -> Self:
        self.run(self.store.start())
        check = CheckValues(self.master_key.check_value, self.master_key.former_check_value)
        self.run(self.store.authenticate_rows(self.ring.row_mac, check))
        return self

    def __exit__(self, *exc: object) -> None:
        self.run(self.store.stop())
        self._loop.close()

    def run(self, coroutine: Any) -> Any:
        return self._loop.run_until_complete(coroutine)

    def do(self, user: str, operation: Operation, request: Any) -> Any:
        """As a bare operation. Raises KMIPError."""
        return self.run(self.service.execute(a_principal(user), operation, request))

    def told(self, user: str, operation: Operation, request: Any, objects: Objects | None) -> Any:
        """As an item of a message."""
        return self.run(
            self.service.attempt(a_principal(user), operation, request, objects or self.store)
        )

    # --- in one line ----------------------------------------------------------------------------

    def create(self, user: str = ALICE, *, bare: bool = True, **attributes: Any) -> str:
        request = CreateRequest(
            ObjectType.SYMMETRIC_KEY,
            Attributes(
                **{"cryptographic_algorithm": CryptographicAlgorithm.AES, **attributes},
            ),
        )
        if bare:
            made = self.do(user, Operation.CREATE, request)
        else:
            made = self.told(user, Operation.CREATE, request, None)
        uid: str = made.unique_identifier
        return uid

    def known(self, uid: str, user: str = ALICE) -> Attributes:
        found = self.do(user, Operation.GET_ATTRIBUTES, GetAttributesRequest(uid))
        attributes: Attributes = found.attributes
        return attributes

    def state(self, uid: str, user: str = ALICE) -> State:
        state = self.known(uid, user).state
        assert state is not None
        return state

    def encrypt(self, uid: str, data: bytes = b"data", user: str = ALICE) -> EncryptResponse:
        response: EncryptResponse = self.do(user, Operation.ENCRYPT, EncryptRequest(uid, data=data))
        return response

    def decrypt(self, sealed: EncryptResponse, user: str = ALICE, **changes: Any) -> bytes:
        request = DecryptRequest(
            changes.get("uid", sealed.unique_identifier),
            data=sealed.data,
            iv_counter_nonce=sealed.iv_counter_nonce,
            authenticated_encryption_tag=sealed.authenticated_encryption_tag,
        )
        data: bytes = self.do(user, Operation.DECRYPT, request).data
        return data

    def key_of(self, uid: str, user: str = ALICE) -> bytes:
        found = self.do(user, Operation.GET, GetRequest(uid)).object
        octets: bytes = found.key_block.key_value.key_material.octets
        return octets

    def add(self, uid: str, field: str, value: Any, user: str = ALICE) -> None:
        request = AddAttributeRequest(AttributeInstance(field, value), uid)
        self.do(user, Operation.ADD_ATTRIBUTE, request)

    def set(self, uid: str, field: str, value: Any, user: str = ALICE) -> None:
        request = SetAttributeRequest(AttributeInstance(field, value), uid)
        self.do(user, Operation.SET_ATTRIBUTE, request)

    def modify(
        self, uid: str, field: str, value: Any, current: Any = None, user: str = ALICE
    ) -> None:
        instance = None if current is None else AttributeInstance(field, current)
        request = ModifyAttributeRequest(AttributeInstance(field, value), instance, uid)
        self.do(user, Operation.MODIFY_ATTRIBUTE, request)

    def delete(self, uid: str, **what: Any) -> None:
        self.do(ALICE, Operation.DELETE_ATTRIBUTE, DeleteAttributeRequest(uid, **what))

    def grant(self, uid: str, user: str, *operations: Operation, owner: str = ALICE) -> None:
        self.run(self.rights.grant(owner, AccessRequest(uid, user, frozenset(operations))))


def a_principal(name: str) -> Principal:
    return Principal(name, name, "https://issuer.example", {}, START + 3600)
