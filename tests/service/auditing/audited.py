"""A key service whose audit is looked at afterwards, and what alice does with it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kms_tornado.audit.record import Origin
from kms_tornado.auth.principal import Principal
from kms_tornado.errors import KMIPError
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import CryptographicAlgorithm, ObjectType, Operation
from kms_tornado.kmip.payloads import CreateRequest, GetRequest
from kms_tornado.service.kms import KMS
from kms_tornado.service.objects.access_rights import AccessRequest
from kms_tornado.settings.service import ServiceSettings

ALICE = Principal("alice@example.com", "alice", "https://issuer.example", {}, 2**31)
CREATE = CreateRequest(
    object_type=ObjectType.SYMMETRIC_KEY,
    attributes=Attributes(
        cryptographic_algorithm=CryptographicAlgorithm.AES,
        cryptographic_length=256,
        cryptographic_usage_mask=12,
    ),
)


def origin():
    return Origin(ALICE.name, ALICE.issuer, "192.0.2.1", "dfb8822b6b0e65ef")


def settings_in(directory: Path, **changes):
    return ServiceSettings(data_dir=directory / "data", **changes)


def with_kms(settings, body=None):
    async def main():
        async with KMS(settings) as kms:
            return None if body is None else await body(kms)

    return asyncio.run(main())


async def create(kms):
    response = await kms.service.execute(ALICE, Operation.CREATE, CREATE, origin())
    return response.unique_identifier


async def use(kms):
    """A key that is made, got, granted; and one that is not there."""
    uid = await create(kms)
    await kms.service.execute(ALICE, Operation.GET, GetRequest(uid), origin())
    await kms.service.execute(ALICE, Operation.GET, GetRequest(uid), origin())
    with pytest.raises(KMIPError):
        await kms.service.execute(ALICE, Operation.GET, GetRequest("absent"), origin())
    request = AccessRequest(uid, "bob@example.com", frozenset({Operation.GET}))
    await kms.access.grant(ALICE.name, request, origin())
    await kms.access.list_owned(ALICE.name, origin())
    return uid
