"""A data directory that is opened with one ring of master keys after another."""

from __future__ import annotations

import asyncio
import base64
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from kms_tornado.auth.principal import Principal
from kms_tornado.crypto.material import KeyMaterial
from kms_tornado.crypto.sealing.envelope import MasterKey
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import CryptographicAlgorithm, ObjectType, Operation
from kms_tornado.kmip.payloads import CreateRequest, GetRequest
from kms_tornado.service.kms import KMS
from kms_tornado.settings.service import ServiceSettings

from ...operations.inside import a_principal

OLD, NEW, THIRD = (bytes([number]) * 32 for number in (1, 2, 3))
ALICE = a_principal("alice")


def key_id(key: bytes) -> bytes:
    return MasterKey(KeyMaterial(key)).key_id


def write_keys(file: Path, *keys: bytes) -> Path:
    """The first seals."""
    file.touch(0o600)
    file.write_bytes(b"".join(base64.b64encode(key) + b"\n" for key in keys))
    return file


class Place:
    """A data directory, opened with one ring after another."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.file = directory / "keys"

    def settings(self, *keys: bytes) -> ServiceSettings:
        return ServiceSettings(
            data_dir=self.directory / "data", master_key_file=(write_keys(self.file, *keys),)
        )

    def open(self, keys: Sequence[bytes], body: Callable[[KMS], Awaitable[Any]]) -> Any:
        async def run() -> Any:
            async with KMS(self.settings(*keys)) as kms:
                return await body(kms)

        return asyncio.run(run())

    def create(self, *keys: bytes) -> str:
        uid: str = self.open(keys, create)
        return uid

    def material(self, uid: str, *keys: bytes) -> bytes:
        material: bytes = self.open(keys, lambda kms: get(kms, uid))
        return material

    def sql(self, statement: str) -> list[Any]:
        connection = sqlite3.connect(self.directory / "data/kms.db", isolation_level=None)
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()

    def sealed_under(self, uid: str) -> bytes:
        """The identifier of the master key."""
        [[sealed]] = self.sql(f"SELECT sealed FROM objects WHERE uid = '{uid}'")
        identifier: bytes = sealed[1:9]
        return identifier


async def create(kms: KMS) -> str:
    attributes = Attributes(cryptographic_algorithm=CryptographicAlgorithm.AES)
    request = CreateRequest(ObjectType.SYMMETRIC_KEY, attributes)
    uid: str = (await kms.service.execute(ALICE, Operation.CREATE, request)).unique_identifier
    return uid


async def get(kms: KMS, uid: str, user: Principal = ALICE) -> bytes:
    found = (await kms.service.execute(user, Operation.GET, GetRequest(uid))).object
    octets: bytes = found.key_block.key_value.key_material.octets
    return octets
