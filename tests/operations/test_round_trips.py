"""Export and Import undo one another: any object, in any state, with any attributes, in any form of KMIP.

The two servers share nothing. What the second one exports is what the first one did, but for what a server
says of itself (NOT_TAKEN_OVER).
"""

from __future__ import annotations

import dataclasses
import json
import random

import pytest

from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.codecs import binary_codec, json_codec, json_parsing
from kms_tornado.kmip.enums import (
    BlockCipherMode,
    CertificateType,
    CryptographicAlgorithm,
    HashingAlgorithm,
    KeyFormatType,
    LinkType,
    ObjectType,
    OpaqueDataType,
    Operation,
    RevocationReasonCode,
    SecretDataType,
    State,
    UsageLimitsUnit,
)
from kms_tornado.kmip.key_material import KeyMaterialField
from kms_tornado.kmip.objects import (
    Certificate,
    KeyBlock,
    KeyValue,
    OpaqueObject,
    PrivateKey,
    PublicKey,
    SecretData,
    SymmetricKey,
)
from kms_tornado.kmip.payloads import (
    ActivateRequest,
    CreateKeyPairRequest,
    DestroyRequest,
    ExportRequest,
    ImportRequest,
    ReKeyRequest,
    RevokeRequest,
)
from kms_tornado.kmip.schema import from_node, to_node
from kms_tornado.kmip.structures import (
    AlternativeName,
    ApplicationSpecificInformation,
    CryptographicParameters,
    KeyValueLocation,
    Link,
    Name,
    RevocationReason,
    RotateName,
    UsageLimits,
    VendorAttribute,
    X509CertificateIdentifier,
    X509CertificateIssuer,
    X509CertificateSubject,
)
from kms_tornado.kmip.ttlv import Dialect, ItemType, Node

from ..keys import private_key, rsa_key
from ..kmip_items import ACTIVATED, Fields, batch_item, flag, name, named, number, octets, text, uid
from ..rows import each_row
from .inside import ALICE, START, Inside
from .new_objects import DER, PLAIN, certificate_der
from .objects.wrapping import under

#: What an imported object has from the server that holds it, not from the one that it comes from.
NOT_TAKEN_OVER = {"UniqueIdentifier", "ShortUniqueIdentifier", "RandomNumberGenerator"}

A, F, O = CryptographicAlgorithm, KeyFormatType, ObjectType  # noqa: E741
ALIVE = [State.PRE_ACTIVE, State.ACTIVE, State.DEACTIVATED, State.COMPROMISED]
BARE, OASIS, BINARY = Dialect.COSMIAN, Dialect.OASIS, Dialect.BINARY


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    with (
        Inside(tmp_path_factory.mktemp("first")) as first,
        Inside(tmp_path_factory.mktemp("second")) as second,
    ):
        second.clock += 1000
        yield first, second


# --- objects ------------------------------------------------------------------------------------


def block(key_format, octets, algorithm=None):
    return KeyBlock(
        key_format_type=key_format,
        key_value=KeyValue(
            KeyMaterialField(octets, transparent=key_format is F.TRANSPARENT_SYMMETRIC_KEY)
        ),
        cryptographic_algorithm=algorithm,
    )


def symmetric(algorithm, size, key_format=F.RAW):
    return lambda: SymmetricKey(block(key_format, bytes(range(1, size + 1)), algorithm))


def secret(kind, key_format):
    return lambda: SecretData(kind, key_block=block(key_format, b"correct horse"))


def private(alg):
    def make():
        from cryptography.hazmat.primitives.serialization import PrivateFormat

        return PrivateKey(
            block(F.PKCS8, private_key(alg).private_bytes(DER, PrivateFormat.PKCS8, PLAIN))
        )

    return make


def public(alg):
    def make():
        from cryptography.hazmat.primitives.serialization import PublicFormat

        key = private_key(alg).public_key()
        return PublicKey(block(F.X509, key.public_bytes(DER, PublicFormat.SubjectPublicKeyInfo)))

    return make


#: What it is → (its object, the formats that its attribute KeyFormatType may name).
OBJECTS = {
    "AES": (symmetric(A.AES, 32), [F.RAW, F.TRANSPARENT_SYMMETRIC_KEY]),
    "AES, transparent": (symmetric(A.AES, 16, F.TRANSPARENT_SYMMETRIC_KEY), [None]),
    "AES, opaque": (symmetric(A.AES, 13, F.OPAQUE), [None]),
    "opaque": (symmetric(None, 5, F.OPAQUE), [None]),
    "ChaCha20": (symmetric(A.CHACHA20, 32), [None]),
    "HMAC": (symmetric(A.HMAC_SHA256, 40), [None, F.TRANSPARENT_SYMMETRIC_KEY]),
    "3DES": (symmetric(A.THREE_DES, 24), [None]),
    "password": (secret(SecretDataType.PASSWORD, F.OPAQUE), [None, F.RAW]),
    "seed": (secret(SecretDataType.SEED, F.RAW), [None, F.OPAQUE]),
    "opaque object": (lambda: OpaqueObject(OpaqueDataType.UNKNOWN, b"\0anything"), [None]),
    "vendor's opaque object": (lambda: OpaqueObject(0x80000001, b"anything"), [None]),
    "certificate": (lambda: Certificate(CertificateType.X509, certificate_der(rsa_key(2048))), [None]),
    "RSA private key": (private("RS256"), [F.PKCS8, F.PKCS1, F.TRANSPARENT_RSA_PRIVATE_KEY]),
    "RSA public key": (public("RS256"), [F.X509, F.PKCS1, F.TRANSPARENT_RSA_PUBLIC_KEY]),
    "EC private key": (private("ES256"), [F.PKCS8, F.EC_PRIVATE_KEY, F.TRANSPARENT_EC_PRIVATE_KEY]),
    "EC public key": (public("ES384"), [F.X509, F.TRANSPARENT_EC_PUBLIC_KEY]),
    "Ed25519 private key": (private("EdDSA"), [F.PKCS8]),
    "Ed25519 public key": (public("EdDSA"), [F.X509]),
}  # fmt: skip

_TYPES = {
    SymmetricKey: O.SYMMETRIC_KEY,
    SecretData: O.SECRET_DATA,
    OpaqueObject: O.OPAQUE_OBJECT,
    Certificate: O.CERTIFICATE,
    PrivateKey: O.PRIVATE_KEY,
    PublicKey: O.PUBLIC_KEY,
}


# --- attributes ---------------------------------------------------------------------------------


def a_date(pick):
    return START - pick.randrange(10**8)


def a_text(pick):
    return "".join(pick.choice("abc Äß€😀\\\"'<>") for _ in range(pick.randrange(1, 12)))


def some(make):
    """One to three values of an attribute that may have several, none of them twice."""
    return lambda pick: tuple(dict.fromkeys(make(pick) for _ in range(pick.randrange(1, 4))))


def a_vendor_attribute(pick):
    value = Node("AttributeValue", *pick.choice([
        (ItemType.TEXT_STRING, a_text(pick)), (ItemType.BYTE_STRING, a_text(pick).encode()),
        (ItemType.INTEGER, pick.randrange(-5, 5)), (ItemType.BOOLEAN, True),
    ]))  # fmt: skip
    return VendorAttribute("acme", f"x-{pick.randrange(10**9)}", value)


def limits(pick):
    total = pick.randrange(1, 10**12)
    return UsageLimits(total, pick.randrange(total + 1), pick.choice(list(UsageLimitsUnit)))


#: Attribute → a value of it. All that an object may have without regard to its type and state.
VALUES = {
    "alternative_names": some(lambda pick: AlternativeName(a_text(pick), 2)),
    "application_specific_information": some(
        lambda pick: ApplicationSpecificInformation(a_text(pick), a_text(pick))
    ),
    **{
        f"certificate_{whose}_{part}": some(a_text)
        for whose in ("issuer", "subject")
        for part in ("cn", "o", "ou", "email", "c", "st", "l", "uid", "serial_number", "title", "dc",
                     "dn_qualifier")
    },
    "comment": a_text,
    "contact_information": a_text,
    "cryptographic_parameters": lambda pick: CryptographicParameters(
        BlockCipherMode.GCM, hashing_algorithm=HashingAlgorithm.SHA_256, tag_length=16
    ),
    "cryptographic_usage_mask": lambda pick: pick.randrange(1, 2**16),
    "description": a_text,
    "digital_signature_algorithms": lambda pick: (pick.randrange(1, 9),),
    "fresh": lambda pick: pick.random() < 0.5,
    "initial_date": a_date,
    "key_value_location": some(lambda pick: KeyValueLocation(a_text(pick), 2)),
    "key_value_present": lambda pick: True,
    "last_change_date": a_date,
    "lease_time": lambda pick: pick.randrange(10**5),
    "links": some(lambda pick: Link(pick.choice(list(LinkType)), a_text(pick))),
    "names": some(lambda pick: Name(f"{a_text(pick)}{pick.randrange(10**12)}")),
    "nist_key_types": lambda pick: tuple(pick.sample(range(1, 10), 2)),
    "object_groups": some(a_text),
    "original_creation_date": a_date,
    "pkcs_12_friendly_name": a_text,
    "process_start_date": a_date,
    "protect_stop_date": a_date,
    "protection_level": lambda pick: pick.choice([1, 2]),
    "protection_period": lambda pick: pick.randrange(10**6),
    "rotate_automatic": lambda pick: pick.random() < 0.5,
    "rotate_date": a_date,
    "rotate_generation": lambda pick: pick.randrange(100),
    "rotate_interval": lambda pick: pick.randrange(10**6),
    "rotate_latest": lambda pick: pick.random() < 0.5,
    "rotate_name": lambda pick: RotateName(a_text(pick), 1),
    "rotate_offset": lambda pick: pick.randrange(10**6),
    "usage_limits": limits,
    "vendor_attributes": some(a_vendor_attribute),
    "x_509_certificate_identifier": lambda pick: X509CertificateIdentifier(b"\x30\0", b"\1"),
    "x_509_certificate_issuer": lambda pick: X509CertificateIssuer(b"\x30\0", (b"a", b"b")),
    "x_509_certificate_subject": lambda pick: X509CertificateSubject(b"\x30\0", ()),
}  # fmt: skip

#: Attributes that go with a state, or come from the object itself: `of_state` and the exports have them. What has
#: an Archive Date is not exported.
ELSEWHERE = {
    "activation_date", "always_sensitive", "archive_date", "certificate_length", "certificate_type", "compromise_date",
    "compromise_occurrence_date", "cryptographic_algorithm", "cryptographic_domain_parameters",
    "cryptographic_length", "deactivation_date", "destroy_date", "digests", "extractable",
    "key_format_type", "never_extractable", "object_group_member", "object_type", "opaque_data_type",
    "protection_storage_mask", "quantum_safe", "random_number_generator", "revocation_reason",
    "sensitive", "short_unique_identifier", "state", "unique_identifier",
}  # fmt: skip


def test_every_attribute_is_among_the_random_ones_or_goes_with_a_state_or_the_object():
    fields = {field.name for field in dataclasses.fields(Attributes)}
    assert set(VALUES) | ELSEWHERE == fields
    assert not set(VALUES) & ELSEWHERE


def of_state(pick, state):
    """The attributes that go with a state; the dates lie where servers leave them, or nowhere."""
    values = {"state": state}
    if state is not State.PRE_ACTIVE and pick.random() < 0.8:
        values["activation_date"] = a_date(pick)
    if state is State.PRE_ACTIVE and pick.random() < 0.5:
        values["activation_date"] = START + 10**6
    if state is State.DEACTIVATED:
        values["deactivation_date"] = a_date(pick)
        values["revocation_reason"] = RevocationReason(
            RevocationReasonCode.SUPERSEDED, a_text(pick)
        )
    if state in {State.COMPROMISED, State.DESTROYED_COMPROMISED}:
        values["compromise_date"] = a_date(pick)
        values["compromise_occurrence_date"] = a_date(pick)
        values["revocation_reason"] = RevocationReason(RevocationReasonCode.KEY_COMPROMISE)
    if state in {State.DESTROYED, State.DESTROYED_COMPROMISED}:
        values["destroy_date"] = a_date(pick)
    return values


def attributes_of(pick, state):
    chosen = [name for name in VALUES if pick.random() < 0.4]
    return Attributes(**{name: VALUES[name](pick) for name in chosen}, **of_state(pick, state))


# --- there and back -----------------------------------------------------------------------------


def perform(server, dialect, operation, request):
    """As the dialect is used: a bare operation in the published clients', else an item of a message."""
    if dialect is BARE:
        return server.do(ALICE, operation, request)
    return server.told(ALICE, operation, request, None)


def export(server, key, dialect, **how):
    """The answer to Export, on the wire."""
    answer = perform(server, dialect, Operation.EXPORT, ExportRequest(key, **how))
    node = to_node(answer, "ResponsePayload" if dialect is BINARY else "ExportResponse")
    return binary_codec.format(node) if dialect is BINARY else json_codec.format(node, dialect)


def read(wire, dialect):
    """The children of the answer. In JSON as any program has them."""
    if dialect is BINARY:
        return list(binary_codec.parse(wire).value)
    return json.loads(wire)["value"]


def to_import(wire, dialect, key):
    """The request that brings what an answer to Export holds, unchanged, under another identifier."""
    children = [child for child in read(wire, dialect) if tag(child) != "UniqueIdentifier"]
    if dialect is BINARY:
        identifier = Node("UniqueIdentifier", ItemType.TEXT_STRING, key)
        return from_node(ImportRequest, Node("Import", ItemType.STRUCTURE, (identifier, *children)))
    tree = {"tag": "Import", "type": "Structure", "value": [uid(key), *children]}
    return from_node(ImportRequest, json_parsing.parse_tree(tree, "Import"))


def tag(child):
    return child.tag if isinstance(child, Node) else child["tag"]


def comparable(wire, dialect):
    """What has to be the same: everything but what a server says of itself."""
    rest = []
    for child in read(wire, dialect):
        if tag(child) == "UniqueIdentifier":
            continue
        if tag(child) == "Attributes":
            items = child.value if isinstance(child, Node) else child["value"]
            rest.append([each for each in items if tag(each) not in NOT_TAKEN_OVER])
        else:
            rest.append(child)
    return rest


def check_round_trip(servers, key, dialect, **how):
    """Export from the first server, import on the second, export from that; returns the identifier there."""
    first, second = servers
    there = f"copy-of-{key}"
    wire = export(first, key, dialect, **how)
    perform(second, dialect, Operation.IMPORT, to_import(wire, dialect, there))
    assert comparable(export(second, there, dialect, **how), dialect) == comparable(wire, dialect)
    return there


@each_row("dialect", [BARE, OASIS, BINARY], ids=lambda dialect: dialect.value)
@each_row("kind", OBJECTS)
def test_import_of_an_export_is_the_same_object_in_any_state_with_any_attributes(
    servers, kind, dialect
):
    make, formats = OBJECTS[kind]
    for attempt, state in enumerate(ALIVE):
        pick = random.Random(f"{kind} {dialect} {attempt}")
        key = f"{kind}-{dialect.value}-{attempt}"
        managed = make()
        supplied = attributes_of(pick, state).replace(
            key_format_type=pick.choice(formats),
            cryptographic_algorithm=getattr(
                getattr(managed, "key_block", None), "cryptographic_algorithm", None
            ),
        )
        perform(
            servers[0],
            dialect,
            Operation.IMPORT,
            ImportRequest(key, _TYPES[type(managed)], attributes=supplied, object=managed),
        )
        told = servers[0].known(key)
        kept = {name: getattr(told, name) for name in supplied.set_fields()}
        wanted = supplied.set_fields()
        assert {**kept, "vendor_attributes": told.vendor_attributes} == {
            "vendor_attributes": (),
            **wanted,
        }, "as supplied"
        there = check_round_trip(servers, key, dialect)
        assert servers[1].state(there) is state


@each_row("dialect", [BARE, OASIS, BINARY], ids=lambda dialect: dialect.value)
@each_row("state", [State.DESTROYED, State.DESTROYED_COMPROMISED])
@each_row("object_type", list(_TYPES.values()), ids=lambda each: each.name)
def test_destroyed_object_is_imported_without_material_and_stays_destroyed(
    servers, object_type, state, dialect
):
    pick = random.Random(f"{object_type} {state} {dialect}")
    key = f"{object_type.name}-{state.name}-{dialect.value}"
    supplied = attributes_of(pick, state)
    perform(
        servers[0], dialect, Operation.IMPORT, ImportRequest(key, object_type, attributes=supplied)
    )
    there = check_round_trip(servers, key, dialect)
    assert servers[1].state(there) is state


# --- objects that the server made, and what became of them ----------------------------------------


def created(server, **attributes):
    return server.create(cryptographic_length=256, **attributes)


def revoked(server):
    key = created(server, names=(Name(f"n-{random.random()}"),))
    server.do(ALICE, Operation.REVOKE, RevokeRequest(key))
    return key


def compromised(server):
    key = created(server)
    reason = RevocationReason(RevocationReasonCode.KEY_COMPROMISE, "lost")
    server.do(ALICE, Operation.REVOKE, RevokeRequest(key, reason, START - 10**6))
    return key


def destroyed(server):
    key = revoked(server)
    server.do(ALICE, Operation.DESTROY, DestroyRequest(key))
    return key


def compromised_and_destroyed(server):
    key = compromised(server)
    server.do(ALICE, Operation.DESTROY, DestroyRequest(key))
    return key


def used(server):
    key = created(server, usage_limits=UsageLimits(100, None, UsageLimitsUnit.OBJECT))
    for _ in range(3):
        server.encrypt(key)
    return key


def re_keyed(server):
    key = created(server)
    server.do(ALICE, Operation.RE_KEY, ReKeyRequest(key))
    return key


def replacement(server):
    answer = server.do(ALICE, Operation.RE_KEY, ReKeyRequest(created(server)))
    return answer.unique_identifier


def waiting(server):
    return server.create(bare=False)


def activated_late(server):
    """Activated after the start that was planned for its use: its dates are in no order."""
    key = server.create(bare=False, process_start_date=START - 5000)
    server.do(ALICE, Operation.ACTIVATE, ActivateRequest(key))
    return key


def half_of_a_pair(server, half):
    common = Attributes(cryptographic_algorithm=A.EC)
    made = server.do(ALICE, Operation.CREATE_KEY_PAIR, CreateKeyPairRequest(common))
    return getattr(made, f"{half}_key_unique_identifier")


def private_half(server):
    return half_of_a_pair(server, "private")


def public_half(server):
    return half_of_a_pair(server, "public")


@each_row("dialect", [BARE, OASIS, BINARY], ids=lambda dialect: dialect.value)
@each_row(
    "make",
    [
        created, waiting, activated_late, revoked, compromised, destroyed, compromised_and_destroyed,
        used, re_keyed, replacement, private_half, public_half,
    ],
    ids=lambda make: make.__name__,
)  # fmt: skip
def test_what_became_of_a_key_here_is_true_of_its_copy(servers, make, dialect):
    first, second = servers
    key = make(first)
    there = check_round_trip(servers, key, dialect)
    assert second.state(there) is first.state(key)


def test_limits_go_on_where_they_were(servers):
    _, second = servers
    there = check_round_trip(servers, used(servers[0]), OASIS)
    assert second.known(there).usage_limits.usage_limits_count == 97
    second.encrypt(there)
    assert second.known(there).usage_limits.usage_limits_count == 96


@pytest.mark.parametrize("key_format", [F.PKCS8, F.PKCS1, F.TRANSPARENT_RSA_PRIVATE_KEY])
def test_export_in_another_format_imports_as_the_format_that_the_attribute_names(
    servers, key_format
):
    key = f"rsa-{key_format.name}"
    servers[0].do(
        ALICE,
        Operation.IMPORT,
        ImportRequest(key, O.PRIVATE_KEY, object=private("RS256")()),
    )
    there = check_round_trip(servers, key, OASIS, key_format_type=key_format)
    assert servers[1].known(there).key_format_type is F.PKCS8


# --- on real servers --------------------------------------------------------------------------------


def elsewhere(user):
    """An identifier that nobody has. With an empty one the object would have that among its attributes."""
    return f"copy-{user.name}-{random.random()}"


def brought(exported, there, *more, replace=False):
    """The items of an Import that holds all that an Export answered."""
    items = [each for each in exported.item["value"] if each["tag"] != "UniqueIdentifier"]
    return [uid(there), *([flag("ReplaceExisting", True)] if replace else []), *more, *items]


def told_by(exported):
    """{tag: values} of the attributes, without what a server says of itself."""
    told = {}
    for each in exported["Attributes"]:
        if each["tag"] not in NOT_TAKEN_OVER:
            told.setdefault(each["tag"], []).append(each["value"])
    return told


def ended(user):
    key = user.create(tags=["t"])
    user.encrypt(key, b"x")
    user.revoke(key, number("RevocationReason", 2))
    return key


def test_real_server_gives_a_compromised_key_to_another_user_as_it_is(alice, bob):
    exported = alice.do("Export", uid(ended(alice)))
    copy = bob.do("Import", *brought(exported, elsewhere(alice))).uid
    again = bob.do("Export", uid(copy))
    assert again["Object"] == exported["Object"]
    assert told_by(again) == told_by(exported)
    assert bob.state_of(copy) == "Compromised"
    assert bob.refused("Encrypt", uid(copy), octets("Data", b"")).startswith("Wrong_Key_Lifecycle")


def test_real_server_takes_what_it_exported_in_messages_too(alice, bob):
    (exported,) = alice.ask(batch_item("Export", uid(ended(alice))))
    payload = Fields({"tag": "", "value": exported["ResponsePayload"]})
    (done,) = bob.ask(batch_item("Import", *brought(payload, f"copy-{bob.name}")))
    assert done["ResultStatus"] == "Success", done
    (again,) = bob.ask(batch_item("Export", uid(f"copy-{bob.name}")))
    assert again["ResponsePayload", "SymmetricKey"] == payload["SymmetricKey"]
    assert told_by(Fields({"tag": "", "value": again["ResponsePayload"]})) == told_by(payload)


def test_object_takes_its_own_place_with_its_names(alice):
    key = alice.create(named(f"of {alice.name}"))
    exported = alice.do("Export", uid(key))
    line = alice.refused("Import", *brought(exported, elsewhere(alice)))
    assert line.startswith("Non_Unique_Name_Attribute: ")
    assert alice.do("Import", *brought(exported, key, replace=True)).uid == key
    again = alice.do("Export", uid(key))
    assert (told_by(again), again["Object"]) == (told_by(exported), exported["Object"])


def test_sensitive_key_comes_back_from_an_export_as_it_left(alice):
    kek = alice.create(flag("Sensitive", True), mask=0x30)
    key = alice.create(flag("Sensitive", True), ACTIVATED, text("Comment", "c"))
    alice.revoke(key)
    exported = alice.do("Export", uid(key), under(kek))
    copy = alice.do(
        "Import", *brought(exported, elsewhere(alice), name("KeyWrapType", "NotWrapped"))
    ).uid
    again = alice.do("Export", uid(copy), under(kek))
    assert told_by(again) == told_by(exported)
    assert told_by(again)["AlwaysSensitive"] == [True]


def test_key_that_is_stored_wrapped_stays_what_it_is(alice, bob):
    """Under another owner, too, who cannot unwrap it."""
    kek = alice.create()
    left = alice.do("Export", uid(alice.create(ACTIVATED)), under(kek))
    kept = alice.do(
        "Import", *brought(left, elsewhere(alice), name("KeyWrapType", "AsRegistered"))
    ).uid
    alice.revoke(kept, number("RevocationReason", 2))
    exported = alice.do("Export", uid(kept))
    copy = bob.do("Import", *brought(exported, elsewhere(alice))).uid
    again = bob.do("Export", uid(copy))
    assert (told_by(again), again["Object"]) == (told_by(exported), exported["Object"])
