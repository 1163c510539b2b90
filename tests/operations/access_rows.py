"""Every operation on an object, with a request for each way to call it."""

from __future__ import annotations

import json

import pytest

from kms_tornado.kmip.enums import Operation
from kms_tornado.kmip.tables import OPERATION_TAGS
from kms_tornado.service.catalogue import select_operations

from ..kmip_items import (
    attributes,
    date,
    flag,
    long_number,
    name,
    number,
    octets,
    structure,
    tagged,
    text,
    uid,
)

OPERATIONS = select_operations(kmip_interop=False)
#: Operation → what goes with the identifier of a key. A new operation belongs here or below.
ON_AN_OBJECT = {
    Operation.GET: [[], [name("KeyFormatType", "TransparentSymmetricKey")]],
    Operation.EXPORT: [[]],
    Operation.GET_ATTRIBUTES: [[], [name("AttributeReference", "State")]],
    Operation.GET_ATTRIBUTE_LIST: [[]],
    Operation.ADD_ATTRIBUTE: [[structure("NewAttribute", text("Description", "x"))]],
    Operation.SET_ATTRIBUTE: [[structure("NewAttribute", text("Comment", "x"))]],
    Operation.MODIFY_ATTRIBUTE: [[structure("NewAttribute", text("Comment", "y"))]],
    Operation.DELETE_ATTRIBUTE: [[name("AttributeReference", "Comment")]],
    Operation.OBTAIN_LEASE: [[]],
    Operation.GET_USAGE_ALLOCATION: [[long_number("UsageLimitsCount", 1)]],
    Operation.ADJUST_ATTRIBUTE: [
        [
            structure(
                "AttributeReference", text("VendorIdentification", "x"), text("AttributeName", "n")
            ),
            name("AdjustmentType", "Increment"),
        ]
    ],
    Operation.CHECK: [[], [number("CryptographicUsageMask", 4)]],
    Operation.ACTIVATE: [[]],
    Operation.ENCRYPT: [[octets("Data", b"x")]],
    Operation.DECRYPT: [
        [
            octets("Data", b"x"),
            octets("IvCounterNonce", bytes(12)),
            octets("AuthenticatedEncryptionTag", bytes(16)),
        ]
    ],
    Operation.SIGN: [[octets("Data", b"x")], [octets("DigestedData", bytes(32))]],
    Operation.SIGNATURE_VERIFY: [[octets("Data", b"x"), octets("SignatureData", bytes(64))]],
    Operation.MAC: [[octets("Data", b"x")]],
    Operation.MAC_VERIFY: [[octets("Data", b"x"), octets("MACData", bytes(16))]],
    Operation.DERIVE_KEY: [
        [
            name("ObjectType", "SymmetricKey"),
            name("DerivationMethod", "HMAC"),
            structure("DerivationParameters", octets("DerivationData", b"x")),
            attributes(bits=128),
        ]
    ],
    Operation.RE_KEY: [[]],
    Operation.REVOKE: [[], [number("RevocationReason", 2)]],
    Operation.DESTROY: [[], [flag("Remove", True)]],
    Operation.ARCHIVE: [[]],
    Operation.RECOVER: [[]],
}


ROWS = [
    pytest.param(OPERATION_TAGS[operation], items, id=f"{operation.name}-{position}")
    for operation, requests in ON_AN_OBJECT.items()
    for position, items in enumerate(requests)
]


OPERATIONS_NAMES = {each: each.name.lower() for each in OPERATIONS}


def operation_name(tag):
    """``get_attributes`` of ``GetAttributes``."""
    return next(OPERATIONS_NAMES[each] for each in OPERATIONS if OPERATION_TAGS[each] == tag)


#: Operation → the usage mask that it takes, where that is not in the default mask of an AES key.
_MASKS = {"MAC": 0x80, "MACVerify": 0x100, "DeriveKey": 0x200}


def a_key_for(owner, operation, tags=()):
    """A key that the operation can be done with; it has a Comment."""
    more = [text("Comment", "x")]
    if operation in {"Sign", "SignatureVerify"}:
        half = "Private" if operation == "Sign" else "Public"
        pair = owner.do(
            "CreateKeyPair",
            structure("CommonAttributes", name("CryptographicAlgorithm", "EC")),
            structure(f"{half}KeyAttributes", *([tagged(*tags)] if tags else []), *more),
        )
        return pair[f"{half}KeyUniqueIdentifier"]
    if operation == "GetUsageAllocation":
        total = long_number("UsageLimitsTotal", 1000)
        more.append(structure("UsageLimits", total, name("UsageLimitsUnit", "Object")))
    if operation == "AdjustAttribute":
        more.append(
            structure(
                "Attribute",
                text("VendorIdentification", "x"),
                text("AttributeName", "n"),
                number("AttributeValue", 1),
            )
        )
    if operation == "Activate":
        more.append(date("ActivationDate", "2999-01-01T00:00:00Z"))
    key = owner.create(*more, tags=tags, mask=_MASKS.get(operation))
    if operation == "Destroy":
        owner.revoke(key)
    return key


def is_answered(user, operation, identifier, items):
    """Whether the operation was done, or failed at what only those who may do it get to."""
    answer = user.send(structure(operation, uid(identifier), *items))
    if answer.status == 422 and not answer.text.startswith("Cryptographic_Failure: "):
        assert answer.text == (
            "Item_Not_Found: no object to be used for this operation: "
            + (identifier if isinstance(identifier, str) else json.dumps(identifier))
        )
        return False
    return True
