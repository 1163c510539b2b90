"""Attributes as people write them: NAME=VALUE to a KMIP attribute. `shown_attributes` has the way back.

NAME is KMIP's name in any spelling (CryptographicLength, "Cryptographic Length"); vendor:name is a vendor
attribute; Tag stands for the tags. VALUE is a text, a number, true or false, a date, hexadecimal bytes,
the name of an enumeration's value, names of a mask's bits joined by "|" or ","; for a structure a JSON
object with KMIP's names, or the value of its one required field. Pure: no terminal, no server.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from ....errors import KMIPError
from ....kmip.attribute_instance import AttributeInstance
from ....kmip.attributes import (
    TAG_NAME,
    TAG_VENDOR,
    Attributes,
)
from ....kmip.codecs.json_parsing import parse_tree
from ....kmip.payloads import AttributeReference
from ....kmip.schema import fields_of, read_field
from ....kmip.schema_plan import Declared, Field
from ....kmip.structures import Link, VendorAttribute
from ....kmip.tables import ENUMERATIONS, MASKS, loosen
from ....kmip.ttlv import TYPE_NAMES, ItemType, Node, children_of

#: How the tags are called on the command line, as in ckms; KMIP has no attribute of that name.
TAGS: Final = "Tag"


class InvalidAttributeText(ValueError):
    """A text that is not an attribute. str() is one line that says what is expected."""


# --- names --------------------------------------------------------------------------------------


def parse_reference(name: str) -> AttributeReference:
    """The attribute with this name. Raises InvalidAttributeText."""
    if loosen(name) in ("tag", "tags"):
        return AttributeReference(TAG_NAME, TAG_VENDOR)
    vendor, colon, attribute_name = name.partition(":")
    if colon:
        return AttributeReference(attribute_name, vendor)
    if loosen(name) == "linktype":  # as ckms names the links
        name = "Link"
    return AttributeReference(_find_field(name).tag)


def _find_field(name: str) -> Field:
    field = _field_named(Attributes, name)
    if field is None or field.name == "vendor_attributes":
        raise InvalidAttributeText(f"{name!r} is no attribute{_suggest(name)}")
    return field


def _field_named(cls: type[Declared], name: str) -> Field | None:
    loose = loosen(name)
    return next((field for field in fields_of(cls) if loosen(field.tag) == loose), None)


def attribute_names() -> list[str]:
    """The names of all attributes, in alphabetical order."""
    fields = fields_of(Attributes)
    return sorted([TAGS, *(field.tag for field in fields if field.name != "vendor_attributes")])


def _suggest(name: str) -> str:
    from difflib import get_close_matches

    by_loose_name = {loosen(known): known for known in attribute_names()}
    close = get_close_matches(loosen(name), by_loose_name, n=3)
    if not close:
        return ": see kmsctl attributes get KEY for names"
    return f": did you mean {' or '.join(by_loose_name[match] for match in close)}?"


# --- from text ----------------------------------------------------------------------------------


def parse_attribute(text: str) -> AttributeInstance:
    """NAME=VALUE as an attribute. Raises InvalidAttributeText."""
    name, equals, value = text.partition("=")
    if not equals:
        raise InvalidAttributeText(f"{text!r} is not NAME=VALUE")
    return make_attribute(name.strip(), value)


def make_attribute(name: str, value: str) -> AttributeInstance:
    """The attribute with this name and value. Raises InvalidAttributeText."""
    reference = parse_reference(name)
    if reference.vendor_identification is not None:
        return _make_vendor_attribute(reference, value)
    field = _find_field(name)
    try:
        holder = {"tag": "Attributes", "value": [_to_json(field, value)]}
        (node,) = children_of(parse_tree(holder, "Attributes"))
        return AttributeInstance(*read_field(Attributes, node, "Attributes"))
    except KMIPError as exc:
        raise InvalidAttributeText(f"{value!r} is no {field.tag}: {exc}") from None


def _make_vendor_attribute(reference: AttributeReference, value: str) -> AttributeInstance:
    assert reference.vendor_identification is not None
    vendor, name = reference.vendor_identification, reference.attribute_name
    if (vendor, name) == (TAG_VENDOR, TAG_NAME):
        tags = [tag.strip() for tag in value.split(",") if tag.strip()]
        octets = json.dumps(sorted(set(tags)), ensure_ascii=False).encode()
        attribute = VendorAttribute.of_bytes(vendor, name, octets)
    else:
        attribute = VendorAttribute(
            vendor, name, Node("AttributeValue", ItemType.TEXT_STRING, value)
        )
    return AttributeInstance("vendor_attributes", attribute)


def _to_json(field: Field, value: Any) -> dict[str, Any]:
    """The field as an item of JSON TTLV. value: a text, or what stood in a JSON object."""
    item_type = _item_type(field)
    if item_type is ItemType.STRUCTURE:
        return {"tag": field.tag, "type": "Structure", "value": _structure(field, value)}
    text = value if isinstance(value, str) else json.dumps(value)
    convert = _CONVERTERS.get(item_type)
    return {
        "tag": field.tag,
        "type": TYPE_NAMES[item_type],
        "value": text if convert is None else convert(field.tag, text),
    }


def _item_type(field: Field) -> ItemType:
    if field.leaf is not None:
        return field.leaf
    return ItemType.STRUCTURE if field.inner is not None else ItemType.ENUMERATION


def _structure(field: Field, value: Any) -> list[dict[str, Any]]:
    inner = field.inner
    assert inner is not None
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = json.loads(value)
        except ValueError:
            raise InvalidAttributeText(f"{value!r} is no JSON object") from None
    if not isinstance(value, dict):
        value = _short_form(field, str(value))
    items = []
    for name, member in value.items():
        part = _field_named(inner, name)
        if part is None:
            raise InvalidAttributeText(f"{field.tag} has no {name!r}")
        values = member if part.repeated and isinstance(member, list) else [member]
        items += [_to_json(part, each) for each in values]
    return items


def _short_form(field: Field, text: str) -> dict[str, Any]:
    """The members of a structure that was written as a single text."""
    assert field.inner is not None
    required = [part.tag for part in fields_of(field.inner) if part.required]
    if field.inner is Link:  # PublicKeyLink:identifier
        kind, colon, uid = text.partition(":")
        if colon:
            return dict(zip(required, (kind, uid), strict=True))
        raise InvalidAttributeText(f"{text!r} is no Link: write TYPE:IDENTIFIER")
    if len(required) == 1:
        return {required[0]: text}
    raise InvalidAttributeText(
        f"{text!r} is no {field.tag}: write a JSON object with {', '.join(required)}"
    )


# --- values -------------------------------------------------------------------------------------


def _number(tag: str, text: str) -> Any:
    if tag in MASKS and not text.lstrip("-").isdigit():
        return text.replace(",", "|").replace(" ", "")
    try:
        return int(text)
    except ValueError:
        raise InvalidAttributeText(f"{text!r} is no {tag}: a number is needed") from None


def _long_number(tag: str, text: str) -> str:
    return f"0x{_number(tag, text) & (2**64 - 1):016X}"


def _enumeration(tag: str, text: str) -> Any:
    if text.isdigit():
        return int(text)
    if tag in ENUMERATIONS and ENUMERATIONS[tag].number(text) is None:
        names = ", ".join(ENUMERATIONS[tag].oasis.values())
        raise InvalidAttributeText(f"{text!r} is no {tag}: the values are {names}")
    return text


def _boolean(tag: str, text: str) -> bool:
    value = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(
        text.strip().lower()
    )
    if value is None:
        raise InvalidAttributeText(f"{text!r} is no {tag}: write true or false")
    return value


def _date(tag: str, text: str) -> str:
    """A date with an offset, one in local time, seconds or milliseconds since the epoch, or now."""
    text = text.strip()
    try:
        if text == "now":
            moment = datetime.now(UTC)
        elif re.fullmatch(r"-?\d{5,}", text):
            moment = datetime.fromtimestamp(_epoch_s(int(text)), UTC)
        else:
            moment = datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError, OSError):
        raise InvalidAttributeText(
            f"{text!r} is no {tag}: write now, 2030-12-31 or 2030-12-31T23:59:59+01:00"
        ) from None
    return moment.isoformat(timespec="seconds")


def _epoch_s(number: int) -> float:
    """Seconds since the Unix epoch.

    A number beyond the year 9999 means milliseconds, which ckms's documentation uses.
    """
    return number if abs(number) < 253_402_300_800 else number / 1000


_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def _interval(tag: str, text: str) -> int:
    match = re.fullmatch(r"(\d+)\s*([smhd]?)", text.strip())
    if match is None:
        raise InvalidAttributeText(f"{text!r} is no {tag}: write seconds, or 90d, 12h, 30m")
    return int(match[1]) * _UNITS[match[2]]


#: Item type → (tag, text) → the value in JSON TTLV; a text stays as it is where there is none.
_CONVERTERS: Mapping[ItemType, Callable[[str, str], Any]] = {
    ItemType.INTEGER: _number,
    ItemType.LONG_INTEGER: _long_number,
    ItemType.ENUMERATION: _enumeration,
    ItemType.BOOLEAN: _boolean,
    ItemType.DATE_TIME: _date,
    ItemType.INTERVAL: _interval,
}
