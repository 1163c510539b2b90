"""Requests that mention another object than their target."""

from __future__ import annotations

from ..kmip_items import attributes, flag, name, octets, structure, text, uid


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
