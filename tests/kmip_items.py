"""KMIP in JSON as tests write it, and how they read what comes back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Item = dict[str, Any]


# --- what is sent -------------------------------------------------------------------------------


def structure(tag: str, *items: Item) -> Item:
    return {"tag": tag, "type": "Structure", "value": list(items)}


def text(tag: str, value: str) -> Item:
    return {"tag": tag, "type": "TextString", "value": value}


def octets(tag: str, value: bytes) -> Item:
    return {"tag": tag, "type": "ByteString", "value": value.hex().upper()}


def name(tag: str, value: str | int) -> Item:
    return {"tag": tag, "type": "Enumeration", "value": value}


def number(tag: str, value: int) -> Item:
    return {"tag": tag, "type": "Integer", "value": value}


def long_number(tag: str, value: int) -> Item:
    return {"tag": tag, "type": "LongInteger", "value": f"0x{value % 2**64:016X}"}


def flag(tag: str, value: bool) -> Item:
    return {"tag": tag, "type": "Boolean", "value": value}


def date(tag: str, value: str) -> Item:
    """value: ISO 8601."""
    return {"tag": tag, "type": "DateTime", "value": value}


#: Makes an object Active that a message would leave Pre-Active.
ACTIVATED = date("ActivationDate", "2020-01-01T00:00:00Z")


def uid(value: str | Sequence[str]) -> Item:
    """An identifier; a list of tags becomes the JSON that cosmian_kms makes of it."""
    return text("UniqueIdentifier", value if isinstance(value, str) else json.dumps(list(value)))


def vendor(attribute: str, value: bytes, vendor_identification: str = "cosmian") -> Item:
    """The inner structure of a vendor attribute."""
    return structure(
        "VendorAttributes",
        text("VendorIdentification", vendor_identification),
        text("AttributeName", attribute),
        octets("AttributeValue", value),
    )


def tagged(*tags: str) -> Item:
    """The tag attribute, as both clients send it."""
    return structure("VendorAttributes", vendor("tag", json.dumps(tags).encode()))


def named(value: str) -> Item:
    """The attribute Name."""
    return structure("Name", text("NameValue", value), name("NameType", "UninterpretedTextString"))


def attributes(
    *more: Item, algorithm: str | None = "AES", bits: int | None = None, mask: int | None = None
) -> Item:
    fields = [
        algorithm and name("CryptographicAlgorithm", algorithm),
        bits is not None and number("CryptographicLength", bits),
        mask is not None and number("CryptographicUsageMask", mask),
    ]
    return structure("Attributes", *(field for field in fields if field), *more)


def key_object(
    key: bytes, *, algorithm: str | None = "AES", form: str = "Raw", inner: Item | None = None
) -> Item:
    """`Object` with a key block: KeyMaterial as {ByteString}, or as {Key} where it is transparent."""
    material = "Key" if form == "TransparentSymmetricKey" else "ByteString"
    return structure(
        "Object",
        structure(
            "KeyBlock",
            name("KeyFormatType", form),
            structure(
                "KeyValue",
                structure("KeyMaterial", octets(material, key)),
                *([inner] if inner else []),
            ),
            *([name("CryptographicAlgorithm", algorithm)] if algorithm else []),
            number("CryptographicLength", 8 * len(key)),
        ),
    )


def import_items(
    identifier: str, key: bytes, *more: Item, replace: bool = False, algorithm: str = "AES"
) -> list[Item]:
    """The fields of an Import of a symmetric key."""
    return [
        uid(identifier),
        name("ObjectType", "SymmetricKey"),
        flag("ReplaceExisting", replace),
        attributes(*more, algorithm=algorithm),
        key_object(key, algorithm=algorithm),
    ]


def version(major: int, minor: int) -> Item:
    return structure(
        "ProtocolVersion",
        number("ProtocolVersionMajor", major),
        number("ProtocolVersionMinor", minor),
    )


def batch_item(operation: str, *payload: Item, item_id: bytes | None = None) -> Item:
    return structure(
        "BatchItem",
        name("Operation", operation),
        *([] if item_id is None else [octets("UniqueBatchItemID", item_id)]),
        structure("RequestPayload", *payload),
    )


def message(*items: Item, header: Sequence[Item] = (), count: int | None = None) -> Item:
    """A RequestMessage of KMIP 2.1. count: what BatchCount claims; None: the truth."""
    has_version = any(item["tag"] == "ProtocolVersion" for item in header)
    return structure(
        "RequestMessage",
        structure(
            "RequestHeader",
            *([] if has_version else [version(2, 1)]),
            *header,
            number("BatchCount", len(items) if count is None else count),
        ),
        *items,
    )


def untyped(item: Item) -> Item:
    """The same in the other form of the OASIS dialect: structures without their type."""
    if item["type"] != "Structure":
        return item
    return {"tag": item["tag"], "value": [untyped(child) for child in item["value"]]}


# --- what comes back ----------------------------------------------------------------------------


class Fields:
    """The children of a structure, found by tag: ``response["Object", "KeyBlock"]``."""

    def __init__(self, item: Item) -> None:
        self.item = item

    def __getitem__(self, path: str | tuple[str, ...]) -> Any:
        value = self.item["value"]
        for tag in (path,) if isinstance(path, str) else path:
            children = [child for child in value if child["tag"] == tag]
            if len(children) != 1:
                raise KeyError(f"{len(children)} times {tag} in {self.item['tag']}")
            value = children[0]["value"]
        return value

    def get(self, *path: str) -> Any:
        try:
            return self[path]
        except KeyError:
            return None

    def octets(self, *path: str) -> bytes:
        return bytes.fromhex(self[path])

    @property
    def uid(self) -> str:
        return str(self["UniqueIdentifier"])

    def tags(self, *path: str) -> list[str] | None:
        """The user's tags in the attributes at the path; None where there is no tag attribute."""
        for item in Fields({"tag": "", "value": self[path]}).get("VendorAttributes") or []:
            attribute = Fields(item)
            identity = attribute["VendorIdentification"], attribute["AttributeName"]
            if identity == ("cosmian", "tag"):
                tags: list[str] = json.loads(attribute.octets("AttributeValue"))
                return tags
        return None


@dataclass(frozen=True)
class Sealed:
    """What Encrypt gave, as the fields that Decrypt takes."""

    uid: str
    data: bytes
    iv: bytes
    tag: bytes

    def items(self, **changes: bytes | None) -> list[Item]:
        """data, iv, tag and aad may be replaced; None leaves a field out."""
        fields: dict[str, bytes | None] = {"data": self.data, "iv": self.iv, "tag": self.tag}
        fields |= changes
        tags = {
            "data": "Data",
            "iv": "IvCounterNonce",
            "tag": "AuthenticatedEncryptionTag",
            "aad": "AuthenticatedEncryptionAdditionalData",
        }
        return [octets(tags[key], value) for key, value in fields.items() if value is not None]
