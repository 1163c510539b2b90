"""PyKMIP 0.11 in its versions of KMIP 1: what differs between them, and operations that few clients ask for.

As in `test_pykmip`, its messages go through HTTP, and nothing else of it is replaced. `kmip_server.test_pykmip_client`
goes over TLS.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .kms import KMS, two_issuers

enums = pytest.importorskip("kmip.core.enums")
from kmip.core.factories.attributes import AttributeFactory  # noqa: E402 - only where it is installed
from kmip.pie import objects  # noqa: E402
from kmip.pie.client import ProxyKmipClient  # noqa: E402
from kmip.pie.exceptions import KmipOperationFailure  # noqa: E402

from .pykmip_over_http import OverHTTP  # noqa: E402

VERSIONS = [version for version in enums.KMIPVersion if version.name.startswith("KMIP_1")]
AES, RSA = enums.CryptographicAlgorithm.AES, enums.CryptographicAlgorithm.RSA
MASKS = enums.CryptographicUsageMask


@pytest.fixture(scope="module")
def kms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KMS]:
    options = (
        "--crypto-policy",
        "permissive",
    )  # CBC: PyKMIP has no field for an authentication tag
    with (
        two_issuers() as issuers,
        KMS(tmp_path_factory.mktemp("kms"), *issuers, options=options) as server,
    ):
        yield server


@pytest.fixture(params=VERSIONS, ids=lambda version: version.name)
def client(kms: KMS, request: pytest.FixtureRequest) -> Any:
    client = ProxyKmipClient(kmip_version=request.param)
    client.proxy.protocol = OverHTTP(kms.user())
    client._is_open = True
    return client


def has(client: Any, name: str) -> bool:
    return bool(client.kmip_version.name >= name)


def value_of(client: Any, uid: str, name: str) -> Any:
    _, (found,) = client.get_attributes(uid, [name])
    assert found.attribute_name.value == name
    return found.attribute_value


def test_key_from_its_making_to_its_end(client):
    uid = client.create(
        AES,
        256,
        name="first",
        operation_policy_name="default",
        cryptographic_usage_mask=[MASKS.ENCRYPT, MASKS.DECRYPT],
    )
    assert len(client.get(uid).value) == 32
    assert value_of(client, uid, "State").value is enums.State.PRE_ACTIVE
    assert value_of(client, uid, "Operation Policy Name").value == "default"
    listed = client.get_attribute_list(uid)
    assert {"Name", "Operation Policy Name", "Cryptographic Usage Mask"} <= {*listed}
    assert ("Fresh" in listed) is has(client, "KMIP_1_1")
    client.activate(uid)
    assert client.locate(attributes=[_name("first")]) == [uid]
    client.revoke(enums.RevocationReasonCode.CESSATION_OF_OPERATION, uid)
    client.destroy(uid)
    with pytest.raises(KmipOperationFailure) as refused:
        client.get("nothing")
    assert refused.value.reason is enums.ResultReason.ITEM_NOT_FOUND


def _name(value: str) -> Any:
    return AttributeFactory().create_attribute(enums.AttributeType.NAME, value)


def test_attributes_are_changed_by_their_index(client):
    uid = client.create(AES, 128, name="a")
    factory = AttributeFactory()
    changed = factory.create_attribute(enums.AttributeType.NAME, "b", 0)
    assert client.modify_attribute(unique_identifier=uid, attribute=changed)[0] == uid
    assert value_of(client, uid, "Name").name_value.value == "b"
    deleted = client.delete_attribute(
        unique_identifier=uid, attribute_name="Name", attribute_index=0
    )
    assert deleted[0] == uid
    assert deleted[1].attribute_value.name_value.value == "b"


def test_registered_objects_come_back(client):
    key = objects.SymmetricKey(AES, 128, b"k" * 16, masks=[MASKS.ENCRYPT], name="key")
    secret = objects.SecretData(b"s" * 96, enums.SecretDataType.SEED, masks=[MASKS.DERIVE_KEY])
    opaque = objects.OpaqueObject(b"blob", enums.OpaqueDataType.NONE, name="blob")
    for each in (key, secret, opaque):
        assert client.get(client.register(each)).value == each.value


def test_second_object_of_the_default_name_is_refused(client):
    """Names are unique here: whoever registers several has to name them."""
    for key in (b"k" * 16, b"l" * 16):
        with_default_name = objects.SymmetricKey(AES, 128, key, masks=[MASKS.ENCRYPT])
        if key[:1] == b"k":
            client.register(with_default_name)
            continue
        with pytest.raises(KmipOperationFailure) as refused:
            client.register(with_default_name)
        assert refused.value.reason is enums.ResultReason.INVALID_FIELD


def test_pair(client):
    public, private = client.create_key_pair(
        RSA,
        2048,
        public_usage_mask=[MASKS.VERIFY],
        private_usage_mask=[MASKS.SIGN],
    )
    assert isinstance(client.get(public), objects.PublicKey)
    assert isinstance(client.get(private), objects.PrivateKey)
    if not has(client, "KMIP_1_2"):
        return
    client.activate(private)
    client.activate(public)
    parameters = {
        "padding_method": enums.PaddingMethod.PSS,
        "hashing_algorithm": enums.HashingAlgorithm.SHA_256,
        "cryptographic_algorithm": RSA,
    }
    signature = client.sign(b"message", private, parameters)
    verified = client.signature_verify(b"message", signature, public, parameters)
    assert verified is enums.ValidityIndicator.VALID


def test_key_is_replaced_checked_and_derived_from(client):
    uid = client.create(
        AES, 256, name="base", cryptographic_usage_mask=[MASKS.DERIVE_KEY, MASKS.ENCRYPT]
    )
    client.activate(uid)
    assert client.rekey(uid=uid) != uid
    assert client.check(uid, cryptographic_usage_mask=[MASKS.ENCRYPT]) == uid
    derived = client.derive_key(
        enums.ObjectType.SYMMETRIC_KEY,
        [uid],
        enums.DerivationMethod.HMAC,
        {
            "cryptographic_parameters": {"hashing_algorithm": enums.HashingAlgorithm.SHA_256},
            "derivation_data": b"context",
        },
        cryptographic_length=128,
        cryptographic_algorithm=AES,
    )
    assert len(client.get(derived).value) == 16


def test_server_is_asked_what_it_is(client):
    functions = [enums.QueryFunction.QUERY_OPERATIONS, enums.QueryFunction.QUERY_OBJECTS]
    answered = client.proxy.query(query_functions=functions)
    assert enums.Operation.LOCATE in answered.operations
    assert (enums.Operation.ENCRYPT in answered.operations) is has(client, "KMIP_1_2")
    if not has(client, "KMIP_1_1"):
        return
    found = client.proxy.discover_versions()
    assert [str(version) for version in found.protocol_versions][-1] == "1.0"
