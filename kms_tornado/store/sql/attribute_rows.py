"""Attributes as values to search by: which have a column in `objects`, which are rows of `object_values`.

A row is a leaf of an attribute: `ObjectGroup` is one, a Link is two, `Link.LinkType` and
`Link.LinkedObjectIdentifier`, of one instance.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ...kmip.attributes import Plain
from ...kmip.ttlv import ItemType

#: Attributes that nearly every object has, or that change often: a column costs less than a row.
COLUMNS: Mapping[str, str] = {
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

#: In characters. An index of PostgreSQL holds no more than 2,704 bytes in one entry.
_LONGEST = 200


class Leaf(NamedTuple):
    """instance: leaves of one attribute instance have the same. number: for ranges."""

    instance: int
    path: str
    value: str
    number: int | None


def columns(rows: Iterable[Plain]) -> dict[str, int | None]:
    """Column → number, for all that are in COLUMNS; None where the attribute is not set."""
    numbers = dict(_NOT_SET)
    for tag, _, value in rows:
        if tag in COLUMNS:
            numbers[COLUMNS[tag]] = int(value)  # drivers make something else of booleans
    return numbers


_NOT_SET: Mapping[str, int | None] = dict.fromkeys(COLUMNS.values())


def without_columns(rows: Iterable[Plain]) -> list[tuple[int, Plain]]:
    """The attributes that have leaves, each with its number among all."""
    return [(instance, row) for instance, row in enumerate(rows) if row[0] not in COLUMNS]


def leaves(rows: Iterable[Plain]) -> list[Leaf]:
    return [leaf for instance, row in without_columns(rows) for leaf in leaves_of(row, instance)]


def leaves_of(row: Plain, instance: int = 0) -> list[Leaf]:
    tag, item_type, value = row
    if item_type != ItemType.STRUCTURE:
        return [_leaf(instance, tag, item_type, value)]
    return [
        _leaf(instance, f"{tag}.{child}", kind, inner)
        for child, kind, inner in value
        if child not in _LIMITS_IN_COLUMNS
    ]


def _leaf(instance: int, path: str, item_type: int, value: Any) -> Leaf:
    fits = isinstance(value, int) and -(2**63) <= value < 2**63
    return Leaf(instance, path, text_of(item_type, value), int(value) if fits else None)


def text_of(item_type: int, value: Any) -> str:
    """The value as indexed: itself, or a digest where it is long; the item type tells "1" from 1."""
    if isinstance(value, list):  # the value of a vendor attribute
        value = json.dumps(value, separators=(",", ":"))
    elif isinstance(value, int):
        value = str(int(value))
    if len(value) > _LONGEST or "\0" in value:  # PostgreSQL holds no null character in a text
        digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
        return f"{int(item_type)}#{digest}"
    return f"{int(item_type)}={value}"
