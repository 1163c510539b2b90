"""No key material, plaintext or token in an error, a log line, a metric or a database page.

Every operation is sent whole and in every broken form of itself, bare and in messages, by the owner and by
a stranger, to a server that logs all it can. Then everything that came back as an error, was logged,
counted or stored is searched, for each secret in each spelling.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding

from kms_tornado.kmip.enums import Operation
from kms_tornado.kmip.tables import OPERATION_TAGS
from kms_tornado.service.catalogue import CATALOGUE

from .keys import private_key
from .kmip_items import (
    Item,
    attributes,
    batch_item,
    flag,
    import_items,
    key_object,
    long_number,
    message,
    name,
    number,
    octets,
    structure,
    text,
    uid,
)
from .kms import KMS, User, two_issuers
from .leaks import spellings
from .rows import each_row

OPTIONS = ("--metrics", "--kmip-interop", "--crypto-policy", "permissive")

_EC = private_key("ES256", "canary")
SECRETS = {
    "symmetric key": os.urandom(32),
    "imported key": os.urandom(32),
    "wrapping key": os.urandom(32),
    "unwrapped key": os.urandom(32),
    "password": os.urandom(40),
    "opaque object": os.urandom(48),
    "private key": _EC.private_numbers().private_value.to_bytes(32, "big"),
    "plaintext": os.urandom(48),
    "additional data": os.urandom(40),
    "seed": os.urandom(32),
    "derivation data": os.urandom(32),
}
_PKCS8 = _EC.private_bytes(
    serialization.Encoding.DER,
    serialization.PrivateFormat.PKCS8,
    serialization.NoEncryption(),
)
_DATA = octets("Data", SECRETS["plaintext"])
_AAD = octets("AuthenticatedEncryptionAdditionalData", SECRETS["additional data"])
_HMAC = structure(
    "CryptographicParameters",
    name("CryptographicAlgorithm", "HMACSHA256"),
    name("HashingAlgorithm", "SHA_256"),
)
_UNDER_THE_OTHER = structure(
    "KeyWrappingSpecification",
    name("WrappingMethod", "Encrypt"),
    structure("EncryptionKeyInformation", text("UniqueIdentifier", "kek")),
    name("EncodingOption", "NoEncoding"),
)
_HASH = structure("CryptographicParameters", name("HashingAlgorithm", "SHA_256"))
_SIGNATURE = structure(
    "CryptographicParameters",
    name("DigitalSignatureAlgorithm", "ECDSAWithSHA256"),
)


def secret_data(value: bytes) -> Item:
    block = structure(
        "KeyBlock",
        name("KeyFormatType", "Raw"),
        structure("KeyValue", octets("KeyMaterial", value)),
        number("CryptographicLength", 8 * len(value)),
    )
    return structure("SecretData", name("SecretDataType", "Password"), block)


def private_key_object() -> Item:
    return structure("PrivateKey", key_object(_PKCS8, algorithm="EC", form="PKCS_8")["value"][0])


def wrapped_import(secret: bytes) -> list[Item]:
    """An Import that has the server unwrap the secret."""
    wrapped = aes_key_wrap_with_padding(SECRETS["wrapping key"], secret)
    block = key_object(wrapped)["value"][0]
    information = structure(
        "KeyWrappingData",
        name("WrappingMethod", "Encrypt"),
        structure("EncryptionKeyInformation", text("UniqueIdentifier", "kek")),
    )
    held = structure("Object", structure("KeyBlock", *block["value"], information))
    return [
        uid("unwrapped"),
        name("ObjectType", "SymmetricKey"),
        name("KeyWrapType", "NotWrapped"),
        attributes(bits=256),
        held,
    ]


def opaque() -> Item:
    return structure(
        "OpaqueObject",
        name("OpaqueDataType", "Unknown"),
        octets("OpaqueDataValue", SECRETS["opaque object"]),
    )


def registered(kind: str, held: Item, *more: Item) -> list[Item]:
    return [name("ObjectType", kind), attributes(*more, algorithm=None), held]


def derived(method: str, *more: Item) -> list[Item]:
    return [
        name("ObjectType", "SymmetricKey"),
        uid("key"),
        name("DerivationMethod", method),
        structure("DerivationParameters", _HMAC, *more),
        attributes(bits=128),
    ]


def new_attribute(tag: str = "NewAttribute") -> Item:
    return structure(tag, text("Comment", "harmless"))


def streamed() -> list[Item]:
    return [uid("key"), _DATA, flag("InitIndicator", True), flag("FinalIndicator", False)]


#: Operation → requests that carry secrets, or lead to some. A new operation belongs here.
REQUESTS: dict[Operation, list[list[Item]]] = {
    Operation.REGISTER: [
        registered(
            "SymmetricKey",
            structure("SymmetricKey", key_object(SECRETS["symmetric key"])["value"][0]),
        ),
        registered("SecretData", secret_data(SECRETS["password"])),
        registered("OpaqueObject", opaque()),
        registered("PrivateKey", private_key_object(), number("CryptographicUsageMask", 1)),
    ],
    Operation.IMPORT: [
        import_items("key", SECRETS["imported key"]),
        import_items("key", SECRETS["imported key"]),  # it is there
        [uid("p"), *registered("PrivateKey", private_key_object())],
        import_items("kek", SECRETS["wrapping key"]),
        wrapped_import(SECRETS["unwrapped key"]),
    ],
    Operation.CREATE: [[name("ObjectType", "SymmetricKey"), attributes(bits=256)]],
    Operation.CREATE_KEY_PAIR: [
        [structure(
            "CommonAttributes",
            name("CryptographicAlgorithm", "EC"),
            structure("CryptographicDomainParameters", name("RecommendedCurve", "P_256")),
        )],
    ],
    Operation.ENCRYPT: [[uid("key"), _DATA, _AAD], streamed()],
    Operation.DECRYPT: [
        [
            uid("key"), _DATA, octets("IVCounterNonce", bytes(12)), _AAD,
            octets("AuthenticatedEncryptionTag", SECRETS["plaintext"][:16]),
        ],
        streamed(),
    ],
    Operation.SIGN: [[uid("p"), _SIGNATURE, _DATA], [uid("p"), _DATA]],
    Operation.SIGNATURE_VERIFY: [
        [uid("p"), _SIGNATURE, _DATA, octets("SignatureData", bytes(64))],
    ],
    Operation.MAC: [[uid("key"), _HMAC, _DATA]],
    Operation.MAC_VERIFY: [[uid("key"), _HMAC, _DATA, octets("MACData", bytes(32))]],
    Operation.HASH: [[_HASH, _DATA]],
    Operation.RNG_SEED: [[octets("Data", SECRETS["seed"])]],
    Operation.RNG_RETRIEVE: [[number("DataLength", 32)]],
    Operation.DERIVE_KEY: [
        derived("HMAC", octets("DerivationData", SECRETS["derivation data"])),
        derived(
            "PBKDF2",
            octets("Salt", SECRETS["derivation data"]),
            number("IterationCount", 10),
        ),
    ],
    Operation.GET: [
        [uid("key")], [uid("p"), name("KeyFormatType", "PKCS_1")],
        [uid("key"), _UNDER_THE_OTHER], [uid("p"), _UNDER_THE_OTHER],
    ],
    Operation.EXPORT: [[uid("key")], [uid("p")], [uid("key"), _UNDER_THE_OTHER]],
    Operation.GET_ATTRIBUTES: [[uid("key")]],
    Operation.GET_ATTRIBUTE_LIST: [[uid("key")]],
    Operation.ADD_ATTRIBUTE: [[uid("key"), new_attribute()]],
    Operation.SET_ATTRIBUTE: [[uid("key"), new_attribute()]],
    Operation.MODIFY_ATTRIBUTE: [[uid("key"), new_attribute()]],
    Operation.DELETE_ATTRIBUTE: [[uid("key"), new_attribute("CurrentAttribute")]],
    Operation.LOCATE: [[]],
    Operation.CHECK: [[uid("key")]],
    Operation.OBTAIN_LEASE: [[uid("key")]],
    Operation.GET_USAGE_ALLOCATION: [[uid("key"), long_number("UsageLimitsCount", 1)]],
    Operation.ADJUST_ATTRIBUTE: [
        [
            uid("key"),
            name("AttributeReference", "RotateInterval"),
            name("AdjustmentType", "Increment"),
        ]
    ],
    Operation.RE_KEY: [[uid("key")]],
    Operation.RE_KEY_KEY_PAIR: [[text("PrivateKeyUniqueIdentifier", "p")]],
    Operation.ACTIVATE: [[uid("key")]],
    Operation.REVOKE: [[uid("key")]],
    Operation.ARCHIVE: [[uid("key")]],
    Operation.RECOVER: [[uid("key")]],
    Operation.DESTROY: [[uid("key")]],
    Operation.QUERY: [[name("QueryFunction", "QueryOperations")]],
    Operation.DISCOVER_VERSIONS: [[]],
    Operation.INTEROP: [[name("InteropFunction", "Begin")]],
    Operation.LOG: [[text("LogMessage", "harmless")]],
}  # fmt: skip

#: The last of them end the objects.
ORDER = [each for each in REQUESTS if each in CATALOGUE]


def broken(items: list[Item]) -> Iterator[list[Item]]:
    """The request with one of its secrets where it does not belong, in each way for each."""
    for path, leaf in byte_strings(items):
        value = leaf["value"]
        for instead in (
            {**leaf, "type": "TextString"},
            {**leaf, "value": value[1:]},
            {**leaf, "tag": "NoSuchTag"},
            {**leaf, "tag": "Salt"},
            name(leaf["tag"], value),
            name("ObjectType", value),
            structure(leaf["tag"], leaf),
            number(leaf["tag"], int(value[:8], 16)),
        ):
            yield replaced(items, path, instead)


def byte_strings(items: list[Item], *above: int) -> Iterator[tuple[tuple[int, ...], Item]]:
    for position, each in enumerate(items):
        if isinstance(each["value"], list):
            yield from byte_strings(each["value"], *above, position)
        elif each["type"] == "ByteString" and len(each["value"]) >= 32:
            yield (*above, position), each


def replaced(items: list[Item], path: tuple[int, ...], instead: Item) -> list[Item]:
    position, *rest = path
    old = items[position]
    new = {**old, "value": replaced(old["value"], tuple(rest), instead)} if rest else instead
    return [*items[:position], new, *items[position + 1 :]]


@dataclass
class Evidence:
    """secrets, tokens: what is looked for. places: name → all that lies there."""

    secrets: dict[str, bytes] = field(default_factory=dict)
    tokens: list[str] = field(default_factory=list)
    places: dict[str, bytes] = field(default_factory=dict)
    answers: dict[str, list[int]] = field(default_factory=dict)


def failures(user: User, tag: str, items: list[Item]) -> Iterator[tuple[int, bytes]]:
    """Status and error text of the operation, bare and in a message; b"" where it worked."""
    for body in (structure(tag, *items), message(batch_item(tag, *items))):
        answer = user.exchange("POST", user.path, json.dumps(body).encode())
        is_refused = answer.status != 200 or b"OperationFailed" in answer.body
        yield answer.status, answer.body if is_refused else b""


def files(kms: KMS) -> bytes:
    held = [
        path.read_bytes()
        for path in sorted(kms.data_dir.rglob("*"))
        if path.is_file() and path.name != "master.key"
    ]
    assert held
    return b"\n".join(held)


def send_all(users: list[User], operations: list[Operation], found: Evidence) -> bytes:
    """All requests of the operations by everybody; the errors they got."""
    errors = []
    for operation in operations:
        tag = OPERATION_TAGS[operation]
        for items in REQUESTS[operation]:
            for user in users:
                for each in (items, *broken(items)):
                    for status, error in failures(user, tag, each):
                        found.answers.setdefault(tag, []).append(status)
                        errors.append(error)
    return b"\n".join(errors)


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    found = Evidence(secrets=dict(SECRETS))
    ends = [Operation.REVOKE, Operation.DESTROY]
    with two_issuers() as issuers:
        with KMS(tmp_path_factory.mktemp("canary"), *issuers, options=OPTIONS) as kms:
            alice, bob = kms.user("alice"), kms.user("bob")
            generated = alice.create()
            found.secrets["generated key"] = alice.key_of(generated)
            errors = send_all([alice, bob], [each for each in ORDER if each not in ends], found)
            assert alice.key_of("unwrapped") == SECRETS["unwrapped key"]
            found.places["files, while the keys are there"] = files(kms)
            errors += send_all([alice, bob], [each for each in ends if each in ORDER], found)
            broken_token = User(kms.port, f"{alice.token}x", alice.path)
            errors += broken_token.send(structure("Get", uid("key"))).body
            found.places["metrics"] = alice.exchange("GET", "/metrics").body
            found.tokens = [str(each.token) for each in (alice, bob, broken_token)]
        found.places["errors"] = errors
        found.places["files"] = files(kms)
        found.places["log"] = kms.log.encode("utf-8", "surrogateescape")
    return found


PLACES = ["errors", "files, while the keys are there", "files", "log", "metrics"]


@each_row("place", PLACES)
@each_row("secret", [*SECRETS, "generated key"])
def test_secret_is_in_no_place_in_any_spelling(evidence: Any, secret: str, place: str) -> None:
    haystack = evidence.places[place]
    assert haystack
    for spelling in spellings(evidence.secrets[secret]):
        assert len(spelling) >= 32
        assert spelling not in haystack


@pytest.mark.parametrize("place", PLACES)
def test_token_is_in_no_place_nor_any_part_of_it(evidence: Any, place: str) -> None:
    for token in evidence.tokens:
        for part in token.split("."):
            assert part.encode() not in evidence.places[place]
            assert part[-40:].encode() not in evidence.places[place]


@each_row("operation", ORDER, ids=lambda operation: operation.name)
def test_operation_was_answered_and_never_by_a_fault_of_ours(
    evidence: Any, operation: Operation
) -> None:
    answers = evidence.answers[OPERATION_TAGS[operation]]
    assert set(answers) <= {200, 422}
    assert 200 in answers


def test_every_operation_has_its_canaries() -> None:
    assert set(CATALOGUE) <= set(REQUESTS)


def test_search_finds_what_is_there(evidence: Any) -> None:
    """The twin: names and identifiers, which are no secrets, are found."""
    assert b"alice" in evidence.places["log"]
    assert b"kms_operations_total" in evidence.places["metrics"]
    assert b"Item_Not_Found" in evidence.places["errors"]
    assert b"SQLite format 3" in evidence.places["files"]
