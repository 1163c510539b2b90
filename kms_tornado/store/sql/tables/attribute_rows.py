"""Attributes as the database holds them: one text for reading them back, and values to search by.

The text is compact JSON, ``{"v":1,"a":[[tag, item type, value], …]}``, with ``"r":[[tag, first, last], …]``
behind it where the object has retired indices (`kmip.attribute_index`). As databases contain it, a change of
the format needs a new version number and a parser that still reads the old one; what every older parser may
pass over, as it does "r", needs neither. Some attributes have a column of their own in `objects`. All others become rows of `object_values`, one for each leaf:
`ObjectGroup` is one leaf; a Link has two, `Link.LinkType` and `Link.LinkedObjectIdentifier`, which share
an instance number.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from ....kmip.attribute_index import Retired, RetiredIndices
from ....kmip.attributes import Attributes
from ....kmip.codecs.json_text import to_text
from ....kmip.schema import from_node, to_node
from ....kmip.ttlv import ItemType, Node

# --- the text -----------------------------------------------------------------------------------

_TEXT_VERSION = 1

#: [tag, item type, value]; a structure's value is a list of the same.
AttributeRow = list[Any]


@dataclass(frozen=True)
class StoredAttributes:
    """The attributes in the form in which the database has them.

    Several objects may share one: callers must not modify it.
    text: the attributes in JSON.
    rows: the same as Python lists.
    columns: from `collect_columns`.
    leaves: from `collect_leaves`.
    """

    text: str
    rows: Sequence[AttributeRow]

    @cached_property
    def columns(self) -> Mapping[str, int | None]:
        return collect_columns(self.rows)

    @cached_property
    def leaves(self) -> Sequence[Leaf]:
        return collect_leaves(self.rows)


def format_attributes(attributes: Attributes) -> StoredAttributes:
    """The attributes in the form in which the database has them; byte strings and big integers become hexadecimal.

    The result is cached on the `Attributes`: those of a new object are formatted once to check their length and once to
    store them, and objects that are made in one second may share them.
    """
    formatted: StoredAttributes | None = getattr(attributes, "_stored_text", None)
    if formatted is None:
        rows = to_attribute_row(to_node(attributes, "Attributes"))[2]
        formatted = StoredAttributes(format_rows(rows), rows)
        object.__setattr__(attributes, "_stored_text", formatted)
    return formatted


def format_rows(rows: Sequence[AttributeRow], retired: Retired = ()) -> str:
    stored: dict[str, Any] = {"v": _TEXT_VERSION, "a": rows}
    if retired:
        stored["r"] = [list(each) for each in retired]
    return to_text(stored)


def parse_attributes(rows: Sequence[AttributeRow]) -> Attributes:
    """The attributes from which `format_attributes` made the rows."""
    return from_node(Attributes, _to_node("Attributes", ItemType.STRUCTURE, rows))


def parse_text(text: str) -> tuple[Sequence[AttributeRow], Retired]:
    """The inverse of `format_rows`. Raises ValueError for an unknown version of the text."""
    stored = json.loads(text)
    if stored.get("v") != _TEXT_VERSION:
        raise ValueError("attributes in an unknown version")
    return stored["a"], tuple(RetiredIndices(*each) for each in stored.get("r", ()))


def parse_rows(text: str) -> Sequence[AttributeRow]:
    """The rows of a text alone. Raises as `parse_text` does."""
    return parse_text(text)[0]


def to_attribute_row(node: Node) -> AttributeRow:
    """The node as [tag, item type, value], with values that JSON can represent."""
    tag, item_type, value = node
    write = _WRITERS.get(item_type)
    return [tag, item_type, value if write is None else write(value)]


#: Item type → the function that makes a value of it fit for JSON.
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

#: Attribute → its column in `objects`. Nearly every object has them, or they change often, and a column
#: costs less than a row.
ATTRIBUTE_COLUMNS: Mapping[str, str] = {
    "ActivationDate": "activation_date",
    "AlwaysSensitive": "always_sensitive",
    "ArchiveDate": "archive_date",
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
_LIMITS_IN_COLUMNS: Mapping[str, str] = {
    "UsageLimitsTotal": "usage_limits_total",
    "UsageLimitsCount": "usage_limits_count",
}
#: All columns in `objects` that repeat values of the attributes.
DERIVED_COLUMNS = (*ATTRIBUTE_COLUMNS.values(), *_LIMITS_IN_COLUMNS.values())

# In characters: an entry of a PostgreSQL index holds no more than 2,704 bytes.
_MAX_INDEXED = 200


class Leaf(NamedTuple):
    """A value to search by.

    instance: the index of the attribute to which it belongs.
    path: the attribute's tag, and after a dot the field's tag.
    value: from `format_index_value`.
    number: the value of an integer, for ranges.
    """

    instance: int
    path: str
    value: str
    number: int | None


def collect_columns(rows: Iterable[AttributeRow]) -> dict[str, int | None]:
    """{column: number} for every column of DERIVED_COLUMNS; None where the attribute is not set."""
    numbers = dict(_NOT_SET)
    for tag, _, value in rows:
        if tag in ATTRIBUTE_COLUMNS:
            numbers[ATTRIBUTE_COLUMNS[tag]] = int(value)  # drivers differ in how they bind booleans
        elif tag == "UsageLimits":
            for field, _, number in value:
                if field in _LIMITS_IN_COLUMNS:
                    numbers[_LIMITS_IN_COLUMNS[field]] = number
    return numbers


_NOT_SET: Mapping[str, int | None] = dict.fromkeys(DERIVED_COLUMNS)


def select_leaf_rows(rows: Iterable[AttributeRow]) -> list[tuple[int, AttributeRow]]:
    """(instance, row) of the attributes that have leaves. instance: the index of the row among all rows."""
    return [(instance, row) for instance, row in enumerate(rows) if row[0] not in ATTRIBUTE_COLUMNS]


def collect_leaves(rows: Iterable[AttributeRow]) -> list[Leaf]:
    """The leaves of all attributes that have no column of their own."""
    return [
        leaf
        for instance, row in select_leaf_rows(rows)
        for leaf in split_into_leaves(row, instance)
    ]


def split_into_leaves(row: AttributeRow, instance: int = 0) -> list[Leaf]:
    """The leaves of one attribute: itself, or each field of a structure that has no column."""
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
    return Leaf(instance, path, format_index_value(item_type, value), int(value) if fits else None)


def format_index_value(item_type: int, value: Any) -> str:
    """The value as text for the index: in full, or as its SHA-256 where it is long.

    The item type in front distinguishes the text "1" from the number 1.
    """
    if isinstance(value, list):  # the value of a vendor attribute
        value = json.dumps(value, separators=(",", ":"))
    elif isinstance(value, int):
        value = str(int(value))
    if len(value) > _MAX_INDEXED or "\0" in value:  # PostgreSQL holds no null character in a text
        digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
        return f"{int(item_type)}#{digest}"
    return f"{int(item_type)}={value}"
