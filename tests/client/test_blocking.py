"""KMSClient: every call, against a real server."""

from __future__ import annotations

import inspect

import pytest

from kms_tornado.client import (
    Ciphertext,
    CryptographicFailure,
    Grant,
    InvalidField,
    ItemNotFound,
    KMIPError,
    KMSClient,
    ObjectAlreadyExists,
    WrongKeyLifecycleState,
)
from kms_tornado.kmip.attribute_instance import AttributeInstance
from kms_tornado.kmip.attributes import Attributes, parse_user_tags
from kms_tornado.kmip.enums import (
    CryptographicAlgorithm,
    CryptographicUsageMask,
    HashingAlgorithm,
    KeyFormatType,
    ObjectType,
    PaddingMethod,
    RecommendedCurve,
    SecretDataType,
    State,
    WrappingMethod,
)
from kms_tornado.kmip.objects import (
    EncryptionKeyInformation,
    KeyBlock,
    KeyMaterialField,
    KeyValue,
    KeyWrappingSpecification,
    SecretData,
    SymmetricKey,
)
from kms_tornado.kmip.payloads import (
    AttributeReference,
    CreateRequest,
    CreateResponse,
    GetRequest,
    GetResponse,
)
from kms_tornado.kmip.structures import CryptographicParameters, DerivationParameters, Name

MAC_MASK = CryptographicUsageMask.MAC_GENERATE | CryptographicUsageMask.MAC_VERIFY


def block_of(value: object) -> KeyBlock:
    assert isinstance(value, SymmetricKey | SecretData)
    return value.key_block


def octets_of(value: object) -> bytes:
    key_value = block_of(value).key_value
    assert isinstance(key_value, KeyValue)
    assert isinstance(key_value.key_material, KeyMaterialField)
    return key_value.key_material.octets


# --- making keys ----------------------------------------------------------------------------------


def test_symmetric_key_has_what_was_asked_for(alice: KMSClient) -> None:
    key = alice.create_symmetric_key(
        "ChaCha20", name="made", tags=["b", "a"], attributes=Attributes(comment="for a test")
    )
    attributes = alice.get_attributes(key)
    assert attributes.cryptographic_algorithm is CryptographicAlgorithm.CHACHA20
    assert (attributes.cryptographic_length, attributes.comment) == (256, "for a test")
    assert [name.name_value for name in attributes.names] == ["made"]
    assert parse_user_tags(attributes) >= {"a", "b"}
    assert attributes.state is State.ACTIVE


def test_identifier_of_one_s_own_is_taken_once(alice: KMSClient) -> None:
    assert alice.create_symmetric_key(unique_identifier="my-own") == "my-own"
    with pytest.raises(ObjectAlreadyExists):
        alice.create_symmetric_key(unique_identifier="my-own")


@pytest.mark.parametrize("algorithm", ["ASE", "", "RSA-2048"])
def test_misspelt_name_is_an_error_before_anything_is_sent(
    alice: KMSClient, algorithm: str
) -> None:
    with pytest.raises(ValueError, match="is no CryptographicAlgorithm"):
        alice.create_symmetric_key(algorithm)


@pytest.mark.parametrize(
    ("algorithm", "length", "curve"),
    [
        ("EC", None, "P-256"),
        ("EC", None, RecommendedCurve.P_384),
        (CryptographicAlgorithm.RSA, 2048, None),
        ("Ed25519", None, None),
    ],
)
def test_pair_signs_and_verifies(
    alice: KMSClient,
    algorithm: CryptographicAlgorithm | str,
    length: int | None,
    curve: RecommendedCurve | str | None,
) -> None:
    pair = alice.create_key_pair(algorithm, length, curve=curve, tags=["pair"])
    signature = alice.sign(pair.private_key, b"message")
    assert alice.verify(pair.public_key, signature, b"message")
    assert not alice.verify(pair.public_key, signature, b"another")


def test_both_keys_of_a_pair_have_names_and_identifiers_of_their_own(alice: KMSClient) -> None:
    pair = alice.create_key_pair(
        "EC",
        curve="P-256",
        name="signing",
        public_key_name="signing, public",
        unique_identifier="signing-1",
        public_key_identifier="signing-1.pub",
    )
    assert (pair.private_key, pair.public_key) == ("signing-1", "signing-1.pub")
    assert alice.locate(name="signing, public") == ["signing-1.pub"]


def test_key_is_derived_and_the_same_the_second_time(alice: KMSClient) -> None:
    mask = Attributes(cryptographic_usage_mask=CryptographicUsageMask.DERIVE_KEY)
    base = alice.create_symmetric_key(attributes=mask)
    parameters = DerivationParameters(
        CryptographicParameters(hashing_algorithm=HashingAlgorithm.SHA_256),
        derivation_data=b"context",
    )
    keys = [alice.derive_key(base, "HKDF", parameters, length=128) for _ in range(2)]
    first, second = (octets_of(alice.get(key).object) for key in keys)
    assert (first == second, len(first)) == (True, 16)


# --- bringing and fetching ------------------------------------------------------------------------


def test_key_of_one_s_own_is_brought_and_fetched(alice: KMSClient) -> None:
    block = KeyBlock(
        KeyFormatType.RAW,
        key_value=KeyValue(KeyMaterialField(bytes(range(16)))),
        cryptographic_algorithm=CryptographicAlgorithm.AES,
        cryptographic_length=128,
    )
    for bring in (alice.import_object, alice.register):
        key = bring(SymmetricKey(block), tags=["brought"])
        assert octets_of(alice.get(key).object) == bytes(range(16))


def test_import_replaces_only_where_it_is_told_to(alice: KMSClient) -> None:
    def secret(octets: bytes) -> SecretData:
        value = KeyValue(KeyMaterialField(octets))
        block = KeyBlock(KeyFormatType.RAW, key_value=value)
        return SecretData(SecretDataType.PASSWORD, key_block=block)

    uid = alice.import_object(secret(b"old"), unique_identifier="password")
    with pytest.raises(ObjectAlreadyExists):
        alice.import_object(secret(b"new"), unique_identifier=uid)
    alice.import_object(secret(b"new"), unique_identifier=uid, replace_existing=True)
    assert octets_of(alice.get(uid).object) == b"new"


def test_object_of_another_kind_is_no_object(alice: KMSClient) -> None:
    with pytest.raises(TypeError, match="bytes is no object"):
        alice.import_object(b"key")  # type: ignore[arg-type]


def test_key_is_fetched_in_a_format_and_wrapped(alice: KMSClient) -> None:
    key, wrapping = alice.create_symmetric_key(), alice.create_symmetric_key()
    transparent = alice.get(key, key_format_type=KeyFormatType.TRANSPARENT_SYMMETRIC_KEY)
    assert block_of(transparent.object).key_format_type is KeyFormatType.TRANSPARENT_SYMMETRIC_KEY
    specification = KeyWrappingSpecification(
        WrappingMethod.ENCRYPT, EncryptionKeyInformation(wrapping)
    )
    wrapped = alice.export(key, wrapping=specification)
    assert wrapped.object is not None
    assert len(octets_of(wrapped.object)) == 40  # RFC 5649: 8 more than the key
    assert wrapped.attributes.unique_identifier == key


def test_objects_are_located(alice: KMSClient) -> None:
    keys = [alice.create_symmetric_key(tags=["located"]) for _ in range(3)]
    assert set(alice.locate(tags=["located"])) == set(keys)
    assert len(alice.locate(tags=["located"], maximum_items=2)) == 2
    assert len(alice.locate(tags=["located"], offset_items=2)) == 1
    assert alice.locate(Attributes(state=State.DESTROYED), tags=["located"]) == []
    assert alice.locate(name="there is none") == []


# --- the end of an object -------------------------------------------------------------------------


def test_object_goes_through_its_life(alice: KMSClient) -> None:
    key = alice.create_symmetric_key(attributes=Attributes(activation_date=4_000_000_000))
    assert alice.get_attributes(key).state is State.PRE_ACTIVE
    assert alice.activate(key) == key
    newer = alice.rekey(key)
    assert alice.revoke(key, "Key Compromise", "it was on a disk") == key
    attributes = alice.get_attributes(key)
    assert attributes.state is State.COMPROMISED
    assert attributes.revocation_reason is not None
    assert attributes.revocation_reason.revocation_message == "it was on a disk"
    assert alice.destroy(key) == key
    assert alice.get_attributes(key).state is State.DESTROYED_COMPROMISED
    alice.destroy(key, remove=True)
    with pytest.raises(ItemNotFound):
        alice.get_attributes(key)
    with pytest.raises(WrongKeyLifecycleState):
        alice.destroy(newer)


def test_pair_is_replaced(alice: KMSClient) -> None:
    pair = alice.create_key_pair("EC", curve="P-256")
    newer = alice.rekey_key_pair(pair.private_key)
    assert {newer.private_key, newer.public_key}.isdisjoint({pair.private_key, pair.public_key})


# --- using keys -----------------------------------------------------------------------------------


def test_what_was_encrypted_is_decrypted_by_the_tags_of_the_key(alice: KMSClient) -> None:
    key = alice.create_symmetric_key(tags=["invoices"])
    sealed = alice.encrypt(key, b"hello", additional_data=b"number 7")
    assert (sealed.key, len(sealed.iv or b""), len(sealed.tag or b"")) == (key, 12, 16)
    assert alice.decrypt(["invoices"], sealed, additional_data=b"number 7") == b"hello"
    with pytest.raises(CryptographicFailure):
        alice.decrypt(key, sealed, additional_data=b"number 8")
    assert b"hello" not in repr(sealed).encode()


def test_nothing_is_encrypted_to_something(alice: KMSClient) -> None:
    key = alice.create_symmetric_key()
    assert alice.decrypt(key, alice.encrypt(key, b"")) == b""


def test_nonce_of_one_s_own_is_part_of_the_ciphertext(alice: KMSClient) -> None:
    key = alice.create_symmetric_key()
    sealed = alice.encrypt(key, b"data", iv=bytes(range(12)))
    assert sealed.iv == bytes(range(12))
    assert alice.decrypt(key, sealed) == b"data"


def test_ciphertext_of_rsa_is_bytes_alone(alice: KMSClient) -> None:
    pair = alice.create_key_pair(
        "RSA",
        2048,
        public_key_attributes=Attributes(cryptographic_usage_mask=CryptographicUsageMask.ENCRYPT),
        private_key_attributes=Attributes(cryptographic_usage_mask=CryptographicUsageMask.DECRYPT),
    )
    oaep = CryptographicParameters(
        padding_method=PaddingMethod.OAEP, hashing_algorithm=HashingAlgorithm.SHA_256
    )
    sealed = alice.encrypt(pair.public_key, b"data", parameters=oaep)
    assert sealed == Ciphertext(pair.public_key, sealed.data)
    assert alice.decrypt(pair.private_key, sealed.data, parameters=oaep) == b"data"


def test_code_of_a_message_is_verified(alice: KMSClient) -> None:
    key = alice.create_symmetric_key(
        "HMAC-SHA256", attributes=Attributes(cryptographic_usage_mask=MAC_MASK)
    )
    code = alice.mac(key, b"message")
    assert alice.mac_verify(key, b"message", code)
    assert not alice.mac_verify(key, b"another", code)


def test_digest_is_signed(alice: KMSClient) -> None:
    pair = alice.create_key_pair("EC", curve="P-256")
    digest = alice.hash(b"message")
    signature = alice.sign(pair.private_key, digest=digest)
    assert alice.verify(pair.public_key, signature, b"message")
    assert alice.verify(pair.public_key, signature, digest=digest)


# --- attributes -----------------------------------------------------------------------------------


def test_attributes_are_added_set_changed_and_deleted(alice: KMSClient) -> None:
    key = alice.create_symmetric_key()
    first, second = (AttributeInstance("names", Name(name)) for name in ("first", "second"))
    assert alice.add_attribute(key, first) == key
    alice.modify_attribute(key, second, first)
    alice.set_attribute(key, AttributeInstance("comment", "text"))
    references = [AttributeReference("Name"), AttributeReference("Comment")]
    assert alice.get_attributes(key, references).set_fields() == {
        "names": (Name("second"),),
        "comment": "text",
    }
    alice.delete_attribute(key, second)
    alice.delete_attribute(key, AttributeReference("Comment"))
    assert alice.get_attributes(key, references).set_fields() == {}


# --- rights ---------------------------------------------------------------------------------------


def test_rights_are_granted_listed_and_withdrawn(alice: KMSClient, bob: KMSClient) -> None:
    key = alice.create_symmetric_key()
    sealed = alice.encrypt(key, b"for bob")
    with pytest.raises(ItemNotFound):
        bob.decrypt(key, sealed)
    alice.grant(key, "bob", ["decrypt"])
    assert bob.decrypt(key, sealed) == b"for bob"
    assert alice.list_grants(key) == [Grant("bob", ("decrypt",))]
    (obtained,) = bob.list_obtained()
    assert (obtained.unique_identifier, obtained.owner) == (key, "alice")
    assert (obtained.operations, obtained.state) == (("decrypt",), "Active")
    assert obtained.granted_to == ("bob",)
    owned = next(each for each in alice.list_owned() if each.unique_identifier == key)
    assert owned.attributes["CryptographicAlgorithm"] == "AES"
    alice.withdraw(key, "bob", ["decrypt"])
    assert (alice.list_grants(key), bob.list_obtained()) == ([], [])


def test_rights_are_refused_as_kmip_refuses(alice: KMSClient, bob: KMSClient) -> None:
    key = alice.create_symmetric_key(unique_identifier="with a space/and a slash")
    assert alice.list_grants(key) == []
    with pytest.raises(ItemNotFound):
        bob.grant(key, "bob", ["get"])
    with pytest.raises(InvalidField):
        alice.grant(key, "bob", ["fly"])


def test_server_says_who_one_is_and_what_it_is(alice: KMSClient) -> None:
    assert alice.whoami()["name"] == "alice"
    assert alice.server_version()


# --- any operation --------------------------------------------------------------------------------


def test_any_operation_is_performed(alice: KMSClient) -> None:
    key = alice.create_symmetric_key()
    response = alice.perform(GetRequest(unique_identifier=key))
    assert isinstance(response, GetResponse)
    with pytest.raises(TypeError, match="no request"):
        alice.perform("Get")  # type: ignore[call-overload]


def test_batch_passes_a_new_key_on_and_a_failure_stops_no_other(alice: KMSClient) -> None:
    attributes = Attributes(
        cryptographic_algorithm=CryptographicAlgorithm.AES,
        cryptographic_length=256,
        cryptographic_usage_mask=CryptographicUsageMask.ENCRYPT,
    )
    create = CreateRequest(ObjectType.SYMMETRIC_KEY, attributes)
    made, missing, fetched = alice.perform_batch(
        [create, GetRequest(unique_identifier="nowhere"), GetRequest()]
    )
    assert isinstance(made, CreateResponse)
    assert isinstance(missing, ItemNotFound)
    assert isinstance(fetched, GetResponse)
    assert fetched.unique_identifier == made.unique_identifier


def test_batch_that_is_refused_whole_is_an_exception(alice: KMSClient) -> None:
    with pytest.raises(KMIPError, match="at most 100"):
        alice.perform_batch([GetRequest(unique_identifier="a")] * 101)


def test_methods_show_their_own_arguments_and_results() -> None:
    signature = inspect.signature(KMSClient.encrypt)
    assert [*signature.parameters][:3] == ["self", "key", "data"]
    assert signature.return_annotation == "Ciphertext"
    assert "Encrypt data" in (inspect.getdoc(KMSClient.encrypt) or "")


# --- export and import --------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["none", "revoked", "compromised", "destroyed"])
def test_what_is_exported_is_imported_as_it_was(alice: KMSClient, bob: KMSClient, end: str) -> None:
    key = alice.create_symmetric_key(name=f"moves-{end}", tags=["moved"])
    if end != "none":
        alice.revoke(key, "Key Compromise" if end == "compromised" else "Superseded", "moved")
    if end == "destroyed":
        alice.destroy(key)
    exported = alice.export(key)
    copy = bob.import_object(
        exported.object, unique_identifier=f"copy-{end}", attributes=exported.attributes
    )
    again = bob.export(copy)
    own = {"unique_identifier", "short_unique_identifier", "random_number_generator"}
    before, after = (
        {name: value for name, value in each.attributes.set_fields().items() if name not in own}
        for each in (exported, again)
    )
    assert (after, again.object) == (before, exported.object)
    assert before["state"] is {
        "none": State.ACTIVE, "revoked": State.DEACTIVATED, "compromised": State.COMPROMISED,
        "destroyed": State.DESTROYED,
    }[end]  # fmt: skip


def test_object_that_was_destroyed_says_of_what_type_it_was(alice: KMSClient) -> None:
    for attributes in (None, Attributes(state=State.DESTROYED)):
        with pytest.raises(TypeError, match="ObjectType"):
            alice.import_object(None, attributes=attributes)
