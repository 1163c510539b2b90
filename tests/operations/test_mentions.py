"""Identifiers that a request mentions besides its target: each needs a right of its own."""

from __future__ import annotations

import pytest

from kms_tornado.service.catalogue import select_operations

from ..kms import attributes, flag, name, octets, structure, text, uid


def information(other):
    return structure("EncryptionKeyInformation", uid(other))


def wrapping(other):
    return structure(
        "KeyWrappingSpecification", name("WrappingMethod", "Encrypt"), information(other)
    )


def wrapped_object(other):
    return structure(
        "Object",
        structure(
            "KeyBlock",
            name("KeyFormatType", "Raw"),
            structure("KeyValue", structure("KeyMaterial", octets("ByteString", bytes(24)))),
            name("CryptographicAlgorithm", "AES"),
            structure("KeyWrappingData", name("WrappingMethod", "Encrypt"), information(other)),
        ),
    )


def link(other):
    return structure(
        "NewAttribute",
        structure("Link", name("LinkType", "NextLink"), text("LinkedObjectIdentifier", other)),
    )


SYMMETRIC = name("ObjectType", "SymmetricKey")

#: What is mentioned → (operation, its items by (the caller's key, the other one), the right it takes).
MENTIONS = {
    "Get, wrapping key": ("Get", lambda mine, other: [uid(mine), wrapping(other)], "encrypt"),
    "Export, wrapping key": ("Export", lambda mine, other: [uid(mine), wrapping(other)], "encrypt"),
    "Import, wrapping key": (
        "Import",
        lambda _, other: [
            uid(""), SYMMETRIC, flag("ReplaceExisting", False), name("KeyWrapType", "NotWrapped"),
            attributes(), wrapped_object(other),
        ],
        "decrypt",
    ),
    # Register keeps what is wrapped as it is: test_kept_wrapped.
    "DeriveKey, second base": (
        "DeriveKey",
        lambda mine, other: [
            SYMMETRIC,
            structure("UniqueIdentifier", uid(mine), uid(other)),
            name("DerivationMethod", "HMAC"),
            structure("DerivationParameters"),
            attributes(bits=128),
        ],
        "derive_key",
    ),
    "AddAttribute, link": (
        "AddAttribute", lambda mine, other: [uid(mine), link(other)], "get_attributes",
    ),
    "ModifyAttribute, link": (
        "ModifyAttribute", lambda mine, other: [uid(mine), link(other)], "get_attributes",
    ),
}  # fmt: skip

ROWS = [pytest.param(*row, id=title) for title, row in MENTIONS.items()]


@pytest.fixture
def mine(bob):
    key = bob.create(mask=0x200000)
    bob.do("AddAttribute", uid(key), link(key))
    return key


@pytest.mark.parametrize(("operation", "items", "right"), ROWS)
def test_what_is_mentioned_and_not_yours_reads_like_what_is_not_there(
    alice, bob, mine, operation, items, right
):
    theirs = alice.create()
    absent = "0" * len(theirs)
    nothing = bob.refused(operation, *items(mine, absent))
    assert "Not_Found: " in nothing
    assert bob.refused(operation, *items(mine, theirs)).replace(theirs, absent) == nothing
    others = {each.name.lower() for each in select_operations(kmip_interop=False)} - {right, "get"}
    alice.grant(theirs, bob, *others)
    assert bob.refused(operation, *items(mine, theirs)).replace(theirs, absent) == nothing


@pytest.mark.parametrize(("operation", "items", "right"), ROWS)
def test_what_is_mentioned_takes_its_right_and_no_other(alice, bob, mine, operation, items, right):
    theirs = alice.create()
    alice.grant(theirs, bob, right)
    answer = bob.send(structure(operation, *items(mine, theirs)))
    assert answer.status == 200 or "Not_Found: " not in answer.text
