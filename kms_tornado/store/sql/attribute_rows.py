"""Attributes as the database holds them: one text for reading them back, and values to search by.

The text is compact JSON, ``{"v":1,"a":[[tag, item type, value], …]}``. It is stored, so that a change
of it needs a new version and a reader for this one. Of its rows, some have a column of their own in
`objects`. All others are rows of `object_values`, one for each leaf: `ObjectGroup` is one leaf, a Link
has two, `Link.LinkType` and `Link.LinkedObjectIdentifier`, of one instance.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from ...kmip.attributes import Attributes
from ...kmip.json_text import to_text
from ...kmip.schema import from_node, to_node
from ...kmip.ttlv import ItemType, Node

# --- the text -----------------------------------------------------------------------------------

_TEXT_VERSION = 1

#: [tag, item type, value]; a structure's value is a list of the same.
AttributeRow = list[Any]


class AttributeText(NamedTuple):
    """rows: what the text says, not to be changed."""

    text: str
    rows: Sequence[AttributeRow]


def format_attributes(attributes: Attributes) -> AttributeText:
    """Byte strings and big integers are written in hexadecimal.

    Made once for each `Attributes`: those of a new object are measured, and then written.
    """
    formatted: AttributeText | None = getattr(attributes, "_stored_text", None)
    if formatted is None:
        rows = to_attribute_row(to_node(attributes, "Attributes"))[2]
        formatted = AttributeText(to_text({"v": _TEXT_VERSION, "a": rows}), rows)
        object.__setattr__(attributes, "_stored_text", formatted)
    return formatted


@lru_cache(maxsize=4096)  # a busy server reads the same few thousand objects again and again
def parse_attributes(text: str) -> Attributes:
    """The attributes of a text by `format_attributes`. Raises ValueError for another version of it."""
    return from_node(Attributes, _to_node("Attributes", ItemType.STRUCTURE, parse_rows(text)))


def parse_rows(text: str) -> Sequence[AttributeRow]:
    """The rows of such a text. Raises ValueError for another version of it."""
    stored = json.loads(text)
    if stored.get("v") != _TEXT_VERSION:
        raise ValueError("attributes in an unknown version")
    rows: Sequence[AttributeRow] = stored["a"]
    return rows


def to_attribute_row(node: Node) -> AttributeRow:
    tag, item_type, value = node
    write = _WRITERS.get(item_type)
    return [tag, item_type, value if write is None else write(value)]


#: How values are written that JSON has no form of.
_WRITERS: Mapping[ItemType, Callable[[Any], Any]] = {
    ItemType.STRUCTURE: lambda children: [to_attribute_row(child) for child in children],
    ItemType.BYTE_STRING: bytes.hex,
    ItemType.BIG_INTEGER: hex,  # Python refuses to write thousands of decimal digits
}


def _to_node(tag: str, item_type: int, value: Any) -> Node:
    if item_type == ItemType.STRUCTURE:
        value = tuple(_to_node(*row) for row in value)
    elif item_type == ItemType.BYTE_STRING:
        value = bytes.fromhex(value)
    elif item_type == ItemType.BIG_INTEGER:
        value = int(value, 16)
    return Node(tag, ItemType(item_type), value)


# --- values to search by ------------------------------------------------------------------------

#: Attributes that nearly every object has, or that change often: a column costs less than a row.
ATTRIBUTE_COLUMNS: Mapping[str, str] = {
    "ActivationDate": "activation_date",
    "AlwaysSensitive": "always_sensitive",
    "CryptographicAlgorithm": "algorithm",
    "CryptographicLength": "length",
    "CryptographicUsageMask": "usage_mask",
    "DeactivationDate": "deactivation_date",
    "Extractable": "extractable",
    "Fresh": "fresh",
    "InitialDate": "initial_date",
    "KeyFormatType": "key_format",
    "LastChangeDate": "last_change_date",
    "NeverExtractable": "never_extractable",
    "OriginalCreationDate": "original_creation_date",
    "Sensitive": "sensitive",
}
_LIMITS_IN_COLUMNS = frozenset({"UsageLimitsTotal", "UsageLimitsCount"})

# In characters: an entry of a PostgreSQL index holds no more than 2,704 bytes.
_MAX_INDEXED = 200


class Leaf(NamedTuple):
    """A value to search by. instance: the number of the attribute that it belongs to.

    path: of the attribute and its field. value: as `index_text` has it. number: for ranges.
    """

    instance: int
    path: str
    value: str
    number: int | None


def collect_columns(rows: Iterable[AttributeRow]) -> dict[str, int | None]:
    """Column → number, for all that are in ATTRIBUTE_COLUMNS; None where the attribute is not set."""
    numbers = dict(_NOT_SET)
    for tag, _, value in rows:
        if tag in ATTRIBUTE_COLUMNS:
            numbers[ATTRIBUTE_COLUMNS[tag]] = int(value)  # drivers convert booleans otherwise
    return numbers


_NOT_SET: Mapping[str, int | None] = dict.fromkeys(ATTRIBUTE_COLUMNS.values())


def select_leaf_rows(rows: Iterable[AttributeRow]) -> list[tuple[int, AttributeRow]]:
    """(instance, row) of the attributes that have leaves. instance: its place among all rows."""
    return [(instance, row) for instance, row in enumerate(rows) if row[0] not in ATTRIBUTE_COLUMNS]


def collect_leaves(rows: Iterable[AttributeRow]) -> list[Leaf]:
    return [
        leaf
        for instance, row in select_leaf_rows(rows)
        for leaf in split_into_leaves(row, instance)
    ]


def split_into_leaves(row: AttributeRow, instance: int = 0) -> list[Leaf]:
    tag, item_type, value = row
    if item_type != ItemType.STRUCTURE:
        return [_to_leaf(instance, tag, item_type, value)]
    return [
        _to_leaf(instance, f"{tag}.{field}", field_type, field_value)
        for field, field_type, field_value in value
        if field not in _LIMITS_IN_COLUMNS
    ]


def _to_leaf(instance: int, path: str, item_type: int, value: Any) -> Leaf:
    fits = isinstance(value, int) and -(2**63) <= value < 2**63
    return Leaf(instance, path, index_text(item_type, value), int(value) if fits else None)


def index_text(item_type: int, value: Any) -> str:
    """The value as it is indexed: itself, or its digest where it is long.

    The item type in front tells the text "1" from the number 1.
    """
    if isinstance(value, list):  # the value of a vendor attribute
        value = json.dumps(value, separators=(",", ":"))
    elif isinstance(value, int):
        value = str(int(value))
    if len(value) > _MAX_INDEXED or "\0" in value:  # PostgreSQL holds no null character in a text
        digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
        return f"{int(item_type)}#{digest}"
    return f"{int(item_type)}={value}"
