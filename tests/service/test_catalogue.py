"""The catalogue is true: each operation on an object of each type, claimed and not claimed."""

from __future__ import annotations

import ssl
import typing
from collections.abc import Callable, Mapping

import pytest
from cryptography.hazmat.primitives import serialization

from kms_tornado.kmip.enums import ObjectType, Operation
from kms_tornado.kmip.tables import OPERATION_TAGS
from kms_tornado.service.catalogue import (
    ALL_OBJECT_TYPES,
    CATALOGUE,
    select_operations,
)
from kms_tornado.service.placeholder import NAMED_OBJECTS

from ..keys import certificate, rsa_key
from ..kmip_items import Item, attributes, key_object, name, number, octets, structure, text, uid
from ..kms import User
from ..rows import each_row

_RSA = rsa_key(2048)
_ENCODING, _PRIVATE, _PUBLIC = (
    serialization.Encoding.DER,
    serialization.PrivateFormat.PKCS8,
    serialization.PublicFormat.SubjectPublicKeyInfo,
)
_PKCS8 = _RSA.private_bytes(_ENCODING, _PRIVATE, serialization.NoEncryption())
_SPKI = _RSA.public_key().public_bytes(_ENCODING, _PUBLIC)


def block(material: bytes, algorithm: str | None, form: str, bits: int) -> Item:
    held = key_object(material, algorithm=algorithm, form=form)["value"][0]
    kept = [each for each in held["value"] if each["tag"] != "CryptographicLength"]
    return structure("KeyBlock", *kept, number("CryptographicLength", bits))


#: Object type → an object of it.
OBJECTS: Mapping[ObjectType, Callable[[], Item]] = {
    ObjectType.CERTIFICATE: lambda: structure(
        "Certificate",
        name("CertificateType", "X_509"),
        octets("CertificateValue", ssl.PEM_cert_to_DER_cert(certificate(_RSA).decode())),
    ),
    ObjectType.SYMMETRIC_KEY: lambda: structure(
        "SymmetricKey", block(bytes(range(32)), "AES", "Raw", 256)
    ),
    ObjectType.PUBLIC_KEY: lambda: structure("PublicKey", block(_SPKI, "RSA", "X_509", 2048)),
    ObjectType.PRIVATE_KEY: lambda: structure("PrivateKey", block(_PKCS8, "RSA", "PKCS_8", 2048)),
    ObjectType.SECRET_DATA: lambda: structure(
        "SecretData",
        name("SecretDataType", "Password"),
        block(b"open sesame, please", None, "Raw", 152),
    ),
    ObjectType.OPAQUE_OBJECT: lambda: structure(
        "OpaqueObject", name("OpaqueDataType", "Unknown"), octets("OpaqueDataValue", b"opaque")
    ),
}

_DATA = octets("Data", b"data to work on!")
_SHA256 = name("HashingAlgorithm", "SHA_256")
_HMAC = structure("CryptographicParameters", name("CryptographicAlgorithm", "HMACSHA256"))
_OAEP = structure(
    "CryptographicParameters",
    name("PaddingMethod", "OAEP"), _SHA256, name("CryptographicAlgorithm", "RSA"),
)  # fmt: skip
_PSS = structure(
    "CryptographicParameters",
    name("PaddingMethod", "PSS"), _SHA256, name("CryptographicAlgorithm", "RSA"),
)  # fmt: skip
_COMMENT = text("Comment", "x")
_NEW = structure("NewAttribute", _COMMENT)

#: Operation on a registered object → what goes with its identifier.
WITH: Mapping[Operation, list[Item]] = {
    Operation.GET: [],
    Operation.EXPORT: [],
    Operation.GET_ATTRIBUTES: [],
    Operation.GET_ATTRIBUTE_LIST: [],
    Operation.ADD_ATTRIBUTE: [_NEW],
    Operation.SET_ATTRIBUTE: [_NEW],
    Operation.CHECK: [],
    Operation.OBTAIN_LEASE: [],
    Operation.ARCHIVE: [],
    Operation.RECOVER: [],
    Operation.REVOKE: [],
    Operation.SIGN: [_PSS, _DATA],
    Operation.SIGNATURE_VERIFY: [_PSS, _DATA, octets("SignatureData", bytes(256))],
    Operation.MAC: [_HMAC, _DATA],
    Operation.MAC_VERIFY: [_HMAC, _DATA, octets("MACData", bytes(32))],
    Operation.ENCRYPT: [_DATA],
    Operation.RE_KEY: [],
}
ASYMMETRIC = {
    (Operation.ENCRYPT, ObjectType.PUBLIC_KEY),
    (Operation.ENCRYPT, ObjectType.CERTIFICATE),
}


def kind(object_type: ObjectType) -> Item:
    return name("ObjectType", "".join(part.title() for part in object_type.name.split("_")))


def registered(user: User, object_type: ObjectType, mask: int | None = None) -> str:
    held = attributes(algorithm=None, mask=mask)
    return user.do("Register", kind(object_type), held, OBJECTS[object_type]()).uid


@each_row("object_type", ALL_OBJECT_TYPES, ids=lambda each: each.name)
@each_row("operation", WITH, ids=lambda each: each.name)
def test_operation_works_on_what_is_claimed_and_on_nothing_else(alice, operation, object_type):
    is_mac = operation in {Operation.MAC, Operation.MAC_VERIFY}
    wanted = registered(alice, object_type, 0x180 if is_mac else None)
    more = [_OAEP] if (operation, object_type) in ASYMMETRIC else []
    body = structure(OPERATION_TAGS[operation], uid(wanted), *more, *WITH[operation])
    answer = alice.send(body)
    is_claimed = object_type in CATALOGUE[operation].object_types
    assert answer.status == (200 if is_claimed else 422), answer.text


@pytest.mark.parametrize("object_type", ALL_OBJECT_TYPES, ids=lambda each: each.name)
def test_create_makes_what_is_claimed_and_nothing_else(alice, object_type):
    answer = alice.send(structure("Create", kind(object_type), attributes(bits=256)))
    is_claimed = object_type in CATALOGUE[Operation.CREATE].object_types
    assert answer.status == (200 if is_claimed else 422), answer.text


@each_row("operation", CATALOGUE, ids=lambda operation: operation.name)
def test_row_names_the_payloads_that_the_function_is_declared_with(operation):
    row = CATALOGUE[operation]
    hints = typing.get_type_hints(row.function)
    assert (hints["request"], hints["return"]) == (row.request, row.response)


def test_interop_operations_are_offered_on_demand_only():
    more = set(select_operations(kmip_interop=True)) - set(select_operations(kmip_interop=False))
    assert more == {Operation.INTEROP, Operation.LOG}


def test_operations_that_set_the_id_placeholder_are_those_that_name_an_object_in_their_answer():
    """KMIP 2.1 §6.1: those that make or find an object; the others leave the placeholder alone."""
    assert {operation.name for operation, row in CATALOGUE.items() if row.placeholder} == {
        "CREATE", "CREATE_KEY_PAIR", "DERIVE_KEY", "REGISTER", "RE_KEY", "RE_KEY_KEY_PAIR", "IMPORT",
        "LOCATE", "RECOVER",
    }  # fmt: skip


def test_operations_whose_objects_have_a_name_in_a_message_set_the_placeholder_too():
    """KMIP 2.1 §11.58 has none for Recover, which finds no object that its message did not name."""
    named = {operation.name for operation in NAMED_OBJECTS}
    assert named == {operation.name for operation, row in CATALOGUE.items() if row.placeholder} - {
        "RECOVER"
    }


def test_the_right_to_get_covers_what_holding_the_key_makes_possible_and_nothing_more():
    assert {operation.name for operation, row in CATALOGUE.items() if row.is_covered_by_get} == {
        "EXPORT", "GET_ATTRIBUTES", "ENCRYPT", "DECRYPT", "SIGN", "SIGNATURE_VERIFY", "MAC",
        "MAC_VERIFY",
    }  # fmt: skip
