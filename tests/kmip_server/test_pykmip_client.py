"""PyKMIP 0.11 over TLS, as published, in every version that it speaks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ..issuer import Issuer
from ..server import ServerProcess, trusting
from .authority import Certificate
from .client import Site, serving_kmip

enums = pytest.importorskip("kmip.core.enums")
from kmip.core.factories.attributes import AttributeFactory  # noqa: E402 - only where it is installed
from kmip.pie import objects  # noqa: E402
from kmip.pie.client import ProxyKmipClient  # noqa: E402
from kmip.pie.exceptions import KmipOperationFailure  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:ssl.PROTOCOL_TLS is deprecated")

VERSIONS = [f"KMIP_{version}" for version in ("1_0", "1_1", "1_2", "1_3", "1_4", "2_0")]
AES, RSA = enums.CryptographicAlgorithm.AES, enums.CryptographicAlgorithm.RSA
MASKS = [enums.CryptographicUsageMask.ENCRYPT, enums.CryptographicUsageMask.DECRYPT]
CBC = {
    "block_cipher_mode": enums.BlockCipherMode.CBC,
    "padding_method": enums.PaddingMethod.PKCS5,
    "cryptographic_algorithm": AES,
}


@pytest.fixture(scope="module")
def server(site: Site, issuer: Issuer) -> Iterator[ServerProcess]:
    with serving_kmip(site, *trusting(issuer), "--kmip-crypto-policy", "permissive") as running:
        yield running


def connect(
    site: Site, server: ServerProcess, version: str, who: Certificate, **options: Any
) -> ProxyKmipClient:
    return ProxyKmipClient(
        hostname="127.0.0.1",
        port=server.kmip_port,
        cert=str(who.cert),
        key=str(who.key),
        ca=str(site.authority.file),
        ssl_version="PROTOCOL_TLS",
        kmip_version=getattr(enums.KMIPVersion, version),
        **options,
    )


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def alice(site: Site, server: ServerProcess, version: str) -> Iterator[ProxyKmipClient]:
    with connect(site, server, version, site.alice) as client:
        yield client


def test_key_lives_from_its_creation_to_its_destruction(
    alice: ProxyKmipClient, version: str
) -> None:
    key = alice.create(AES, 256, name=f"life {version}", cryptographic_usage_mask=MASKS)
    assert alice.locate(
        attributes=[AttributeFactory().create_attribute(
            enums.AttributeType.NAME,
            objects_name(f"life {version}"),
        )]
    ) == [key]  # fmt: skip
    alice.activate(key)
    _, attributes = alice.get_attributes(key, ["State", "Cryptographic Length"])
    assert len(attributes) == 2
    assert "State" in alice.get_attribute_list(key)
    assert len(alice.get(key).value) == 32
    alice.revoke(enums.RevocationReasonCode.KEY_COMPROMISE, key)
    alice.destroy(key)
    with pytest.raises(KmipOperationFailure):
        alice.get(key)


def objects_name(value: str) -> Any:
    from kmip.core.attributes import Name

    return Name.create(value, enums.NameType.UNINTERPRETED_TEXT_STRING)


def test_registered_secret_comes_back_as_it_was(alice: ProxyKmipClient, version: str) -> None:
    secret = objects.SecretData(b"correct horse", enums.SecretDataType.PASSWORD)
    uid = alice.register(secret)
    assert alice.get(uid).value == b"correct horse"
    alice.destroy(uid)  # its name is PyKMIP's default, and names are unique


def test_key_pair_is_made_and_both_keys_are_read(alice: ProxyKmipClient, version: str) -> None:
    public, private = alice.create_key_pair(
        RSA, 2048,
        public_usage_mask=[enums.CryptographicUsageMask.VERIFY],
        private_usage_mask=[enums.CryptographicUsageMask.SIGN],
    )  # fmt: skip
    assert alice.get(public).cryptographic_length == 2048
    assert alice.get(private).cryptographic_length == 2048


@pytest.mark.parametrize("version", VERSIONS[2:], indirect=True)
def test_data_is_encrypted_and_decrypted_by_the_server(alice: ProxyKmipClient) -> None:
    key = alice.create(AES, 256, cryptographic_usage_mask=MASKS)
    alice.activate(key)
    data, iv = alice.encrypt(
        b"a secret", uid=key, cryptographic_parameters=CBC, iv_counter_nonce=bytes(16)
    )
    assert alice.decrypt(
        data, uid=key, cryptographic_parameters=CBC, iv_counter_nonce=iv or bytes(16)
    ) == b"a secret"  # fmt: skip


def test_another_user_is_told_that_there_is_nothing(
    site: Site, server: ServerProcess, alice: ProxyKmipClient, version: str
) -> None:
    key = alice.create(AES, 128)
    with (
        connect(site, server, version, site.bob) as bob,
        pytest.raises(KmipOperationFailure) as refusal,
    ):
        bob.get(key)
    expected = "OBJECT_NOT_FOUND" if version == "KMIP_2_0" else "ITEM_NOT_FOUND"
    assert refusal.value.reason.name == expected


def test_token_as_password_names_its_user(
    site: Site, server: ServerProcess, issuer: Issuer, version: str
) -> None:
    token = issuer.token(sub="alice", aud="kms")
    with connect(site, server, version, site.alice, username="alice", password=token) as of_token:
        key = of_token.create(AES, 256)
    assert server.client.get_key(token, key).status == 200
    with (
        connect(site, server, version, site.bob, username="alice", password=token) as bob,
        pytest.raises(KmipOperationFailure, match="name different users"),
    ):
        bob.get(key)
