"""Messages of KMIP 1 in binary TTLV, made field by field, and what came back.

A transport is a function: a message in octets to its answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kms_tornado.kmip.codecs import binary_codec
from kms_tornado.kmip.enums import Operation, ResultReason, ResultStatus
from kms_tornado.kmip.ttlv import ItemType, Node, Value, children_of, structure
from kms_tornado.kmip.versions import ProtocolVersion

Exchange = Callable[[bytes], bytes]

V10, V11, V12, V13, V14 = (ProtocolVersion(1, minor) for minor in range(5))

#: The fields of a header and of an item of an answer, in the order in which strict clients read them.
_HEADER = ["ProtocolVersion", "TimeStamp", "ServerCorrelationValue", "BatchCount"]
_ITEM = [
    "Operation", "UniqueBatchItemID", "ResultStatus", "ResultReason", "ResultMessage", "ResponsePayload",
]  # fmt: skip


def text(tag: str, value: str) -> Node:
    return Node(tag, ItemType.TEXT_STRING, value)


def octets(tag: str, value: bytes) -> Node:
    return Node(tag, ItemType.BYTE_STRING, value)


def number(tag: str, value: int) -> Node:
    return Node(tag, ItemType.INTEGER, value)


def choice(tag: str, value: int) -> Node:
    return Node(tag, ItemType.ENUMERATION, int(value))


def flag(tag: str, value: bool) -> Node:
    return Node(tag, ItemType.BOOLEAN, value)


def uid(value: str) -> Node:
    return text("UniqueIdentifier", value)


def attribute(
    name: str, value: str | int | Node | Sequence[Node], index: int | None = None
) -> Node:
    """value: a text, an Integer, an item, or the fields of a structure."""
    match value:
        case str():
            node = text("", value)
        case int():
            node = number("", value)
        case Node():
            node = value
        case _:
            node = structure("", *value)
    between = () if index is None else (number("AttributeIndex", index),)
    node = node._replace(tag="AttributeValue")
    return structure("Attribute", text("AttributeName", name), *between, node)


def name(value: str, index: int | None = None) -> Node:
    return attribute("Name", (text("NameValue", value), choice("NameType", 1)), index)


def template(*attributes: Node) -> Node:
    return structure("TemplateAttribute", *attributes)


def aes(bits: int, *more: Node, mask: int = 12) -> list[Node]:
    """The attributes of an AES key."""
    return [
        attribute("Cryptographic Algorithm", choice("", 3)),
        attribute("Cryptographic Length", bits),
        attribute("Cryptographic Usage Mask", mask),
        *more,
    ]


def item(operation: Operation, *payload: Node, item_id: bytes | None = None) -> Node:
    identifier = () if item_id is None else (octets("UniqueBatchItemID", item_id),)
    return structure(
        "BatchItem",
        choice("Operation", operation),
        *identifier,
        structure("RequestPayload", *payload),
    )


def protocol_version(version: ProtocolVersion) -> Node:
    return structure(
        "ProtocolVersion",
        number("ProtocolVersionMajor", version.protocol_version_major),
        number("ProtocolVersionMinor", version.protocol_version_minor),
    )


def message(version: ProtocolVersion, *items: Node, header: Sequence[Node] = ()) -> bytes:
    fields = (protocol_version(version), *header, number("BatchCount", len(items)))
    return binary_codec.format(
        structure("RequestMessage", structure("RequestHeader", *fields), *items)
    )


@dataclass(frozen=True)
class Result:
    """One item of an answer."""

    node: Node

    @property
    def payload(self) -> tuple[Node, ...]:
        return children_of(children_of(self.node)[-1])

    def __getitem__(self, tag: str) -> Value:
        """The value of the one field of the item, or of its payload."""
        found = [field for field in (*children_of(self.node), *self.payload) if field.tag == tag]
        assert len(found) == 1, f"{len(found)} times {tag}"
        return found[0].value

    def __contains__(self, tag: str) -> bool:
        return any(field.tag == tag for field in (*children_of(self.node), *self.payload))

    def all(self, tag: str) -> list[Value]:
        return [field.value for field in self.payload if field.tag == tag]

    @property
    def uid(self) -> str:
        return str(self["UniqueIdentifier"])

    @property
    def reason(self) -> ResultReason | None:
        """None for a success. A failure has a text, too."""
        if self["ResultStatus"] == ResultStatus.SUCCESS:
            return None
        assert self["ResultMessage"]
        return ResultReason(self["ResultReason"])

    @property
    def attributes(self) -> dict[str, Any]:
        """{name: value} of attributes that have one value each."""
        pairs = [
            (fields[0].value, fields[-1].value) for fields in map(_fields, self.payload) if fields
        ]
        assert len({*(title for title, _ in pairs)}) == len(pairs)
        return {str(title): value for title, value in pairs}


def _fields(node: Node) -> tuple[Node, ...]:
    return children_of(node) if node.tag == "Attribute" else ()


def ask(
    exchange: Exchange, version: ProtocolVersion, *items: Node, header: Sequence[Node] = ()
) -> list[Result]:
    """The items of the answer, which has the version of the message and its fields in order."""
    return read_answer(exchange(message(version, *items, header=header)), version)


def ask_one(
    exchange: Exchange, version: ProtocolVersion, operation: Operation, *payload: Node
) -> Result:
    """Of a success."""
    (result,) = ask(exchange, version, item(operation, *payload))
    assert result.reason is None, result["ResultMessage"]
    return result


def read_answer(answer: bytes, version: ProtocolVersion) -> list[Result]:
    root = binary_codec.parse(answer)
    header, *items = children_of(root)
    assert children_of(header)[0] == protocol_version(version)
    _check_order(header, _HEADER)
    for each in items:
        _check_order(each, _ITEM)
    assert children_of(header)[-1].value == len(items)
    return [Result(each) for each in items]


def _check_order(node: Node, order: list[str]) -> None:
    tags = [child.tag for child in children_of(node)]
    assert tags == [tag for tag in order if tag in tags]


RAW, OPAQUE = choice("KeyFormatType", 1), choice("KeyFormatType", 2)


def symmetric_key(key: bytes) -> Node:
    material = structure("KeyValue", octets("KeyMaterial", key))
    algorithm = choice("CryptographicAlgorithm", 3), number("CryptographicLength", 8 * len(key))
    return structure("SymmetricKey", structure("KeyBlock", RAW, material, *algorithm))
