"""libmongocrypt, by which every MongoDB driver encrypts fields, gets its master keys over TLS: KMIP 1.0 and 1.2.

The key vault, a collection of a MongoDB server, is a dict here. What goes to the KMS is as the driver sends it, on a
connection for each request.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ..server import NO_AUTH, ServerProcess
from .client import Connection, Site, serving_kmip

bson = pytest.importorskip("bson")
pytest.importorskip("pymongocrypt")
from pymongocrypt.mongocrypt import MongoCryptError, MongoCryptOptions  # noqa: E402
from pymongocrypt.synchronous.explicit_encrypter import ExplicitEncrypter  # noqa: E402
from pymongocrypt.synchronous.state_machine import MongoCryptCallback  # noqa: E402

#: What libmongocrypt makes of ItemNotFound.
NOT_FOUND = r"Result Reason \(1\): Item Not Found"
ALGORITHM = "AEAD_AES_256_CBC_HMAC_SHA_512-Random"


@pytest.fixture(scope="module")
def server(site: Site) -> Iterator[ServerProcess]:
    with serving_kmip(site, *NO_AUTH, "--kmip-crypto-policy", "permissive") as running:
        yield running


class Driver(MongoCryptCallback):  # type: ignore[misc]
    """vault: the documents of data keys. requests: how many connections were made."""

    def __init__(self, port: int, context: Any) -> None:
        self.port = port
        self.context = context
        self.vault: list[bytes] = []
        self.requests = 0

    def kms_request(self, kms_context: Any) -> None:
        self.requests += 1
        assert kms_context.endpoint == f"localhost:{self.port}"
        with Connection(self.port, self.context) as connection:
            connection.send(kms_context.message)
            while kms_context.bytes_needed > 0:
                kms_context.feed(connection.socket.recv(kms_context.bytes_needed))

    def fetch_keys(self, key_filter: bytes) -> Iterator[bytes]:
        yield from self.vault

    def insert_data_key(self, data_key: bytes) -> Any:
        self.vault.append(bytes(data_key))
        return bson.decode(data_key)["_id"]

    def bson_encode(self, doc: Any) -> bytes:
        return bytes(bson.encode(doc))

    def collection_info(self, database: str, wanted: bytes) -> None:
        raise NotImplementedError

    def mark_command(self, database: str, cmd: bytes) -> None:
        raise NotImplementedError

    def close(self) -> None:
        pass

    def encrypter(self) -> ExplicitEncrypter:
        """With an empty cache: it asks the KMS for each key that it meets."""
        providers = {"kmip": {"endpoint": f"localhost:{self.port}"}}
        return ExplicitEncrypter(self, MongoCryptOptions(providers))


@pytest.mark.parametrize("delegated", [False, True])
def test_field_is_encrypted_and_another_process_decrypts_it(
    site: Site, server: ServerProcess, delegated: bool
) -> None:
    driver = Driver(server.kmip_port, site.trust(site.alice))
    master_key = {"delegated": True} if delegated else {}
    first = driver.encrypter()
    key_id = first.create_data_key("kmip", master_key=master_key)
    document = bson.encode({"v": "a number of a card"})
    encrypted = first.encrypt(document, ALGORITHM, key_id=bytes(key_id))
    first.close()
    assert driver.requests >= 3  # Register or Create, Activate, Get or Encrypt
    second = driver.encrypter()
    assert bson.decode(second.decrypt(encrypted)) == {"v": "a number of a card"}
    second.close()
    [kept] = map(bson.decode, driver.vault)
    assert kept["masterKey"]["provider"] == "kmip"
    version = "1.2" if delegated else "1.0"
    server.wait_for_line(rf"KMIP {version} .*uid={kept['masterKey']['keyId']} result=Success")


def test_another_user_of_the_same_vault_decrypts_nothing(site: Site, server: ServerProcess) -> None:
    driver = Driver(server.kmip_port, site.trust(site.alice))
    encrypter = driver.encrypter()
    key_id = encrypter.create_data_key("kmip", master_key={})
    encrypted = encrypter.encrypt(bson.encode({"v": 1}), ALGORITHM, key_id=bytes(key_id))
    encrypter.close()
    driver.context = site.trust(site.bob)
    other = driver.encrypter()
    with pytest.raises(MongoCryptError, match=NOT_FOUND):
        other.decrypt(encrypted)
    other.close()
