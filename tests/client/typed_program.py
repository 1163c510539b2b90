"""A user's program, which type checkers accept and whose types they know. It is not run."""

from __future__ import annotations

from typing import assert_type

from kms_tornado.client import (
    AsyncKMSClient,
    AuditRecords,
    Ciphertext,
    ConnectionSettings,
    DPoPToken,
    Grant,
    KeyPair,
    KMIPError,
    KMSClient,
    ObtainedObject,
    OwnedObject,
    PKCS12File,
    ProofKey,
    ProxySettings,
    TokenSource,
)
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import CryptographicAlgorithm, ObjectType
from kms_tornado.kmip.payloads import (
    CreateRequest,
    CreateResponse,
    GetRequest,
    GetResponse,
    QueryRequest,
    QueryResponse,
)
from kms_tornado.kmip.schema import Declared


class Tokens:
    """Fits TokenSource."""

    def token(self) -> str | None:
        return "token"

    def renew(self) -> bool:
        return False


class BoundTokens:
    """Fits TokenSource."""

    def token(self) -> DPoPToken:
        key = ProofKey.generate()
        assert_type(key.make_proof("POST", "https://issuer.example/token"), str)
        return DPoPToken("token", key)

    def renew(self) -> bool:
        return False


def settings() -> ConnectionSettings:
    from pathlib import Path

    return ConnectionSettings(
        server_url="https://kms.example",
        client_certificate=PKCS12File(Path("client.p12"), "password"),
        proxy=ProxySettings(url="http://proxy:3128", exclusion_list=("10.0.0.0/8",)),
        custom_headers=(("X-Tenant", "acme"),),
    )


def blocking() -> None:
    source: TokenSource = Tokens()
    KMSClient("https://kms.example", BoundTokens()).close()
    KMSClient("https://kms.example", BoundTokens().token()).close()
    with KMSClient(settings=settings(), token=source) as client:
        key = client.create_symmetric_key(
            "AES", 256, name="invoices", attributes=Attributes(comment="text")
        )
        assert_type(key, str)
        sealed = client.encrypt(key, b"data", additional_data=b"header")
        assert_type(sealed, Ciphertext)
        assert_type(client.decrypt([key, "tag"], sealed), bytes)
        pair = client.create_key_pair(CryptographicAlgorithm.EC, curve="P-256")
        assert_type(pair, KeyPair)
        assert_type(client.sign(pair.private_key, b"data"), bytes)
        assert_type(client.verify(pair.public_key, b"signature", digest=b"digest"), bool)
        assert_type(client.locate(tags=["tag"]), list[str])
        assert_type(client.get_attributes(key), Attributes)
        assert_type(client.list_grants(key), list[Grant])
        assert_type(client.list_owned(), list[OwnedObject])
        assert_type(client.list_obtained(), list[ObtainedObject])
        assert_type(client.read_audit(uid=key, limit=10), AuditRecords)
        assert_type(client.grant(key, "bob", ["decrypt"]), None)
        assert_type(client.server_version(), str)
        assert_type(client.perform(GetRequest(unique_identifier=key)), GetResponse)
        create = CreateRequest(ObjectType.SYMMETRIC_KEY, Attributes(cryptographic_length=256))
        assert_type(client.perform(create), CreateResponse)
        results = client.perform_batch([create, GetRequest()])
        assert_type(results, list[Declared | KMIPError])
        for result in results:
            if isinstance(result, GetResponse):
                print(result.unique_identifier)


async def asynchronous() -> None:
    async with AsyncKMSClient("https://kms.example", "token") as client:
        key = await client.create_symmetric_key(length=128)
        assert_type(key, str)
        assert_type(await client.encrypt(key, b"data"), Ciphertext)
        assert_type(await client.perform(QueryRequest(())), QueryResponse)
        assert_type(await client.perform_batch([GetRequest()]), list[Declared | KMIPError])
