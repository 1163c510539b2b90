"""The requests of `loop_holds`: by name, what makes them for a user and leaves what they need on the server.

A case returns one request for each round. Where a request changes what it meets, each round has an object of
its own. The sizes are those of the limits table in `docs/http.md`, or a little below.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives import serialization

from kms_tornado.kmip.codecs import binary_codec, json_codec
from tests.keys import rsa_key
from tests.kmip_items import (
    Item,
    attributes,
    batch_item,
    flag,
    message,
    name,
    number,
    octets,
    structure,
    tagged,
    text,
    uid,
    vendor,
)
from tests.kms import User

MIB = 1024 * 1024
KIB = 1024


@dataclass(frozen=True)
class Request:
    body: bytes = b""
    path: str = "/kmip_2_1"
    content_type: str | None = "application/json"
    method: str = "POST"


#: (user, number of rounds) → a request for each round.
Case = Callable[[User, int], list[Request]]


def in_json(item: Item | bytes) -> Request:
    return Request(item if isinstance(item, bytes) else json.dumps(item).encode())


def in_binary(item: Item) -> Request:
    root, _ = json_codec.parse(json.dumps(item).encode())
    return Request(binary_codec.format(root), "/kmip", "application/octet-stream")


def idle(user: User) -> Request:
    return in_json(structure("Query", name("QueryFunction", "QueryOperations")))


def repeated(make: Callable[[User], Request]) -> Case:
    """The same request in each round."""
    return lambda user, rounds: [make(user)] * rounds


def fresh(make: Callable[[User], Request]) -> Case:
    """A request of its own for each round, made before the first of them is sent."""
    return lambda user, rounds: [make(user) for _ in range(rounds)]


# --- long values --------------------------------------------------------------------------------


def encrypt(length: int, items: int, send: Callable[[Item], Request]) -> Case:
    def make(user: User) -> Request:
        item = uid(user.create()), octets("Data", os.urandom(length))
        if not items:
            return send(structure("Encrypt", *item))
        return send(message(*[batch_item("Encrypt", *item)] * items))

    return repeated(make)


def decrypt(user: User) -> Request:
    key = user.create()
    return in_json(structure("Decrypt", uid(key), *user.encrypt(key, bytes(7 * MIB)).items()))


def hash_data(user: User) -> Request:
    parameters = structure("CryptographicParameters", name("HashingAlgorithm", "SHA512"))
    return in_json(structure("Hash", parameters, octets("Data", os.urandom(7 * MIB))))


def register_secret(user: User, data: bytes) -> str:
    material = structure("KeyMaterial", octets("ByteString", data))
    block = structure("KeyBlock", name("KeyFormatType", "Raw"), structure("KeyValue", material))
    secret = structure("Object", name("SecretDataType", "Password"), block)
    return user.do(
        "Register", name("ObjectType", "SecretData"), attributes(algorithm=None), secret
    ).uid


def get_secrets(items: int, send: Callable[[Item], Request]) -> Case:
    def make(user: User) -> Request:
        secret = register_secret(user, os.urandom(256 * KIB))
        return send(message(*[batch_item("Get", uid(secret))] * items))

    return repeated(make)


def import_wrapped(user: User) -> Request:
    """7 MiB to unwrap, which are refused."""
    kek = user.import_key("", bytes(range(32)), number("CryptographicUsageMask", 0x30))
    wrapping = structure(
        "KeyWrappingData",
        name("WrappingMethod", "Encrypt"),
        structure(
            "EncryptionKeyInformation",
            uid(kek),
            structure("CryptographicParameters", name("BlockCipherMode", "NISTKeyWrap")),
        ),
        name("EncodingOption", "NoEncoding"),
    )
    block = structure(
        "KeyBlock",
        name("KeyFormatType", "Raw"),
        structure("KeyValue", structure("KeyMaterial", octets("ByteString", os.urandom(7 * MIB)))),
        wrapping,
    )
    return in_json(
        structure(
            "Import",
            uid(""),
            name("ObjectType", "SecretData"),
            name("KeyWrapType", "NotWrapped"),
            flag("ReplaceExisting", False),
            attributes(algorithm=None),
            structure("Object", name("SecretDataType", "Password"), block),
        )
    )


# --- damaged bodies -----------------------------------------------------------------------------

_IDENTIFIER = b'{"tag":"Get","type":"Structure","value":[{"tag":"UniqueIdentifier","type":"TextString","value":"'
DAMAGED: Mapping[str, bytes] = {
    "a string of 16 MiB": b'"' + b"a" * (16 * MIB - 2) + b'"',
    "an identifier of 16 MiB": _IDENTIFIER + b"a" * (16 * MIB - 120) + b'"}]}',
    "an identifier of 16 MiB of escapes": _IDENTIFIER + rb"\u0041" * (2 * MIB) + b'"}]}',
    "spaces": b" " * (16 * MIB),
    "brackets": b"[" * (16 * MIB),
    "80,000 strings": b"[" + b",".join([b'"' + b"a" * 190 + b'"'] * 79_000) + b"]",
    "20,000 items": json.dumps(
        structure("Encrypt", *[text("UniqueIdentifier", "a")] * 19_900)
    ).encode(),
}

# --- objects with many attributes ---------------------------------------------------------------

#: For Names, of which an owner has each once.
_NUMBERS = itertools.count()

_MANY: Mapping[str, Callable[[], list[Item]]] = {
    "Names": lambda: [
        structure(
            "Name",
            text("NameValue", f"n{next(_NUMBERS):06}"),
            name("NameType", "UninterpretedTextString"),
        )
        for _ in range(1000)
    ],
    "groups": lambda: [text("ObjectGroup", f"g{each}") for each in range(2300)],
    "vendor attributes": lambda: [
        structure("VendorAttributes", *[vendor(f"a{each}", b"v", "x") for each in range(600)])
    ],
}


def create_fat(user: User, kind: str) -> str:
    return user.create(*_MANY[kind]())


def on_fat_object(
    kind: str, operation: str, *more: Item, ready: Callable[[User, str], object] | None = None
) -> Case:
    def make(user: User) -> Request:
        key = create_fat(user, kind)
        if ready is not None:
            ready(user, key)
        return in_json(structure(operation, uid(key), *more))

    return fresh(make)


def get_attributes_batch(kind: str, send: Callable[[Item], Request]) -> Case:
    return repeated(
        lambda user: send(
            message(*[batch_item("GetAttributes", uid(create_fat(user, kind)))] * 100)
        )
    )


def create_100(*more: Item) -> Request:
    create = batch_item("Create", name("ObjectType", "SymmetricKey"), attributes(*more, bits=256))
    return in_json(message(*[create] * 100))


FAT: Mapping[str, Case] = {
    f"{label}, {kind}": case
    for kind in _MANY
    for label, case in {
        "GetAttributes": on_fat_object(kind, "GetAttributes"),
        "Export": on_fat_object(kind, "Export"),
        "AddAttribute": on_fat_object(
            kind, "AddAttribute", structure("NewAttribute", text("Comment", "c"))
        ),
        "ReKey": on_fat_object(kind, "ReKey"),
        "Destroy": on_fat_object(kind, "Destroy", ready=User.revoke),
    }.items()
} | {
    "GetAttributes × 100, Names, JSON": get_attributes_batch("Names", in_json),
    "GetAttributes × 100, Names, binary": get_attributes_batch("Names", in_binary),
    "GetAttributes × 100, vendor attributes, JSON": get_attributes_batch(
        "vendor attributes", in_json
    ),
}  # fmt: skip

# --- many objects -------------------------------------------------------------------------------


def own_1000(user: User) -> None:
    for _ in range(10):
        user.send(create_100().body)


def locate(items: int, send: Callable[[Item], Request]) -> Case:
    def make(user: User) -> Request:
        own_1000(user)
        return send(message(*[batch_item("Locate")] * items) if items else structure("Locate"))

    return repeated(make)


def list_owned(user: User) -> Request:
    own_1000(user)
    return Request(path="/access/owned", content_type=None, method="GET")


def list_grants(user: User) -> Request:
    key = user.create()
    for each in range(1000):
        user.grant(key, f"user-{each}-{'x' * 200}", "get", "encrypt", "decrypt", "get_attributes")
    return Request(path=f"/access/list/{key}", content_type=None, method="GET")


def get_by_tags(user: User) -> Request:
    user.create(tags=["a"])
    tags = uid([f"t{each}" for each in range(499)])
    return in_json(message(*[batch_item("Get", tags)] * 100))


def sign_100(user: User) -> Request:
    octets_of_key = rsa_key(2048).private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    material = structure("KeyMaterial", octets("ByteString", octets_of_key))
    block = structure("KeyBlock", name("KeyFormatType", "PKCS8"), structure("KeyValue", material))
    key = user.do(
        "Register",
        name("ObjectType", "PrivateKey"),
        attributes(algorithm="RSA"),
        structure("Object", block),
    ).uid
    return in_json(message(*[batch_item("Sign", uid(key), octets("Data", b"d"))] * 100))


def change_100(operation: str, *more: Item) -> Case:
    """Of objects with 190 groups each."""

    def make(user: User) -> Request:
        groups = [text("ObjectGroup", f"g{each}") for each in range(190)]
        keys = [user.create(*groups) for _ in range(100)]
        return in_json(message(*[batch_item(operation, uid(key), *more) for key in keys]))

    return fresh(make)


def create_tagged(user: User) -> Request:
    tags = [f"t{each:03}" + "x" * 100 for each in range(450)]
    return in_json(
        structure("Create", name("ObjectType", "SymmetricKey"), attributes(tagged(*tags), bits=256))
    )


CASES: Mapping[str, Case] = {
    "nothing to do": repeated(idle),
    "Encrypt 7 MiB, JSON": encrypt(7 * MIB, 0, in_json),
    "Encrypt 7 MiB, binary": encrypt(7 * MIB, 1, in_binary),
    "Encrypt 70 KiB × 100, JSON": encrypt(70 * KIB, 100, in_json),
    "Encrypt 160 KiB × 100, binary": encrypt(160 * KIB, 100, in_binary),
    "Encrypt 250 KiB × 28, JSON": encrypt(250 * KIB, 28, in_json),
    "Decrypt 7 MiB": repeated(decrypt),
    "Hash 7 MiB": repeated(hash_data),
    "Get 256 KiB × 62, JSON": get_secrets(62, in_json),
    "Get 256 KiB × 62, binary": get_secrets(62, in_binary),
    "Import 7 MiB wrapped": repeated(import_wrapped),
    **{label: repeated(lambda user, body=body: in_json(body)) for label, body in DAMAGED.items()},
    **FAT,
    "Create × 100": fresh(lambda user: create_100()),
    "Create × 100, 190 groups each": fresh(
        lambda user: create_100(*[text("ObjectGroup", f"g{each}") for each in range(190)])
    ),
    "AddAttribute × 100, 190 groups each": change_100(
        "AddAttribute", structure("NewAttribute", text("Comment", "c"))
    ),
    "ReKey × 100, 190 groups each": change_100("ReKey"),
    "Create, 450 tags": fresh(create_tagged),
    "Sign × 100": repeated(sign_100),
    "Get by 499 tags × 100": repeated(get_by_tags),
    "Locate 1,000": locate(0, in_json),
    "Locate 1,000 × 20, JSON": locate(20, in_json),
    "Locate 1,000 × 20, binary": locate(20, in_binary),
    "GET /access/owned, 1,000": repeated(list_owned),
    "GET /access/list, 1,000 grantees": repeated(list_grants),
}
