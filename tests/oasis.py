"""The cases of the KMIP profiles and of KMIP 1's test documents, read from ../shared: XML to JSON TTLV.

Nothing of them is copied into the project: where the folder is absent CASES is empty.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from kms_tornado.kmip.kmip1.names import TAGS
from kms_tornado.kmip.tables import MASKS

from .kmip_items import Item

_FOLDER = Path(__file__).parents[2] / "shared/kmip"

#: The mandatory cases of the KMIP 2.1 profiles.
CASES = sorted((_FOLDER / "oasis-2.1").glob("*.xml"))

#: Those of KMIP 1.0, 1.2 and 1.4.
KMIP1_CASES = sorted(_FOLDER.glob("oasis-1.[024]/*.xml"))

#: Why there is none of them.
ABSENT = "the cases are not here"

#: What a case leaves open: $UNIQUE_IDENTIFIER_0, $NOW, $NOW-3600.
VARIABLE = re.compile(r"\$([A-Z]+(?:_[A-Z0-9]+)*)([+-]\d+)?")

#: Any value of the type, in the place of a variable that is no text.
STAND_INS = {
    "ByteString": "00" * 16,
    "DateTime": "2026-11-23T10:45:16+00:00",
    "DateTimeExtended": "2026-11-23T10:45:16+00:00",
}


@functools.lru_cache(maxsize=16)  # of a case and those that it continues
def read_messages(path: Path) -> list[Item]:
    """Requests and responses in turn, as JSON TTLV with the variables left in. Nobody changes them."""
    return [element_to_json(element) for element in ET.parse(path).getroot()]


def element_to_json(element: ET.Element, spelled_as: str | None = None) -> Item:
    """XML as JSON TTLV, with variables left in.

    spelled_as: the tag as whose value it is written, for an AttributeValue of KMIP 1.
    """
    item_type = element.get("type", "Structure")
    if item_type == "Structure":
        value_tag = _value_tag(element) if element.tag == "Attribute" else None
        children = [
            element_to_json(child, value_tag if child.tag == "AttributeValue" else None)
            for child in element
            if child.tag != "TTLV"  # stands for whatever a vendor's extension holds
        ]
        return {"tag": element.tag, "value": children}
    value: Any = element.get("value", "")
    if VARIABLE.fullmatch(value):
        pass
    elif (spelled_as or element.tag) in MASKS:
        value = "|".join(value.split()) or 0
    elif item_type in {"Integer", "Interval", "LongInteger"}:
        value = int(value)
    elif item_type == "Boolean":
        value = value == "true"
    elif item_type == "BigInteger":
        value = f"0x{value}"
    elif element.tag == "AttributeName":
        value = " ".join(value.split())
    return {"tag": element.tag, "type": item_type, "value": value}


def _value_tag(attribute: ET.Element) -> str | None:
    name = attribute.find("AttributeName")
    return None if name is None else TAGS.get(" ".join(name.get("value", "").split()))


def with_stand_ins(item: Item) -> Item:
    """The item with variables replaced by a value of their type; those that are text stay."""
    value = item["value"]
    if isinstance(value, list):
        return {**item, "value": [with_stand_ins(child) for child in value]}
    if isinstance(value, str) and VARIABLE.fullmatch(value):
        return {**item, "value": STAND_INS.get(item["type"], value)}
    return item


def leaves(item: Item) -> Iterator[Item]:
    if isinstance(item["value"], list):
        for child in item["value"]:
            yield from leaves(child)
    else:
        yield item
