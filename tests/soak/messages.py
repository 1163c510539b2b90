"""Requests as they are sent, and what of an answer the checker looks at."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from kms_tornado.kmip.codecs import binary_codec, json_codec
from kms_tornado.kmip.ttlv import Dialect

from ..kmip_items import (
    ACTIVATED,
    Fields,
    Item,
    attributes,
    import_items,
    message,
    name,
    octets,
    structure,
    tagged,
    text,
    uid,
)

SYMMETRIC = name("ObjectType", "SymmetricKey")
UNDO = (name("BatchErrorContinuationOption", "Undo"),)
Sealed = tuple[bytes, bytes, bytes]


class Body(bytes):
    """The body of a request. path: where it is sent. is_binary: TTLV."""

    path: str
    is_binary: bool

    def __new__(cls, data: bytes, path: str = "/kmip_2_1", *, is_binary: bool = False) -> Body:
        body = super().__new__(cls, data)
        body.path, body.is_binary = path, is_binary
        return body

    def to_request(self, authorization: bytes) -> bytes:
        kind = b"application/octet-stream" if self.is_binary else b"application/json"
        return b"POST %b HTTP/1.1\r\nHost: localhost\r\n%bContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b" % (
            self.path.encode(), authorization, kind, len(self), bytes(self)
        )  # fmt: skip


def bare(operation: str, *items: Item) -> Body:
    return Body(json.dumps(structure(operation, *items)).encode())


def batch(*items: Item, header: Sequence[Item] = ()) -> Body:
    return Body(json.dumps(message(*items, header=header)).encode())


def binary(*items: Item) -> Body:
    node = json_codec.parse(json.dumps(message(*items)).encode())[0]
    return Body(binary_codec.format(node), "/kmip", is_binary=True)


def access(verb: str, identifier: str, user: str) -> Body:
    """verb: grant or revoke, of the right to get."""
    fields = {"unique_identifier": identifier, "user_id": user, "operation_types": ["get"]}
    return Body(json.dumps(fields).encode(), f"/access/{verb}")


def create_items(tag: str) -> list[Item]:
    return [SYMMETRIC, attributes(tagged(tag), ACTIVATED, bits=256)]


def import_body(identifier: str, key: bytes, tag: str) -> Body:
    return bare("Import", *import_items(identifier, key, tagged(tag)))


def comment_items(identifier: str, comment: str) -> list[Item]:
    return [uid(identifier), structure("NewAttribute", text("Comment", comment))]


def decrypt_items(identifier: str, sealed: Sealed) -> list[Item]:
    tags = ("Data", "IVCounterNonce", "AuthenticatedEncryptionTag")
    return [uid(identifier), *(octets(tag, part) for tag, part in zip(tags, sealed, strict=True))]


def located_by(tag: str) -> list[Item]:
    return [structure("Attributes", tagged(tag))]


def revoke_items(identifier: str) -> list[Item]:
    return [uid(identifier), text("RevocationReason", "rotated")]


# --- answers ------------------------------------------------------------------------------------


def fields_of(body: bytes) -> Fields:
    return Fields(json.loads(body))


def reason_of(body: bytes) -> str:
    """Of the line of a refused bare operation."""
    return body.partition(b":")[0].decode()


def items_of(body: bytes, *, is_binary: bool = False) -> list[Fields]:
    """The batch items of the answer to a message."""
    if is_binary:
        body = json_codec.format(binary_codec.parse(body), Dialect.OASIS)
    return [Fields(item) for item in json.loads(body)["value"][1:]]


def item_reason(item: Fields) -> str:
    """Success, or the result reason as bare operations spell it."""
    if item["ResultStatus"] == "Success":
        return "Success"
    return _UNDERSCORED.get(item["ResultReason"], str(item["ResultReason"]))


_UNDERSCORED = {
    "ItemNotFound": "Item_Not_Found",
    "ObjectNotFound": "Item_Not_Found",
    "ObjectDestroyed": "Object_Destroyed",
    "WrongKeyLifecycleState": "Wrong_Key_Lifecycle_State",
    "GeneralFailure": "General_Failure",
}


def material_of(response: Fields) -> bytes:
    """Of the answer to a bare Get."""
    return response.octets("Object", "KeyBlock", "KeyValue", "KeyMaterial", "ByteString")


def material_of_item(item: Fields) -> bytes:
    """Of the answer to a Get in a message."""
    return item.octets("ResponsePayload", "SymmetricKey", "KeyBlock", "KeyValue", "KeyMaterial")


def state_and_comment(attributes_field: Any) -> tuple[str, str | None]:
    fields = Fields({"tag": "Attributes", "value": attributes_field})
    return fields["State"], fields.get("Comment")


def replacement_of(attributes_field: Any) -> str | None:
    """The identifier of the key that came after this one."""
    for link in attributes_field:
        if link["tag"] == "Link":
            for part in link["value"] if link["value"][0]["tag"] == "Link" else [link]:
                fields = Fields(part)
                if fields["LinkType"].replace("_", "") == "ReplacementObjectLink":
                    return str(fields["LinkedObjectIdentifier"])
    return None


def seal_of(response: Fields) -> Sealed:
    return (
        response.octets("Data"),
        response.octets("IvCounterNonce"),
        response.octets("AuthenticatedEncryptionTag"),
    )
