"""Hypothesis strategies made from the declarations, so that a new field is tested unasked."""

from __future__ import annotations

import dataclasses
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from kms_tornado.kmip.attribute_instance import AttributeInstance
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import KeyFormatType
from kms_tornado.kmip.key_material import TRANSPARENT_KEYS
from kms_tornado.kmip.objects import EncodedKeyValue, KeyBlock, KeyMaterialField, KeyValue
from kms_tornado.kmip.payloads import AttributeReference, DateRange, LocateCriteria
from kms_tornado.kmip.schema import NotSent, to_node
from kms_tornado.kmip.tables import TAG_NUMBERS
from kms_tornado.kmip.ttlv import ItemType, Node, children_of

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
octets = st.binary(max_size=8)


def signed(bits: int) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def unsigned(bits: int) -> st.SearchStrategy[int]:
    return st.integers(0, 2**bits - 1)


LEAVES: dict[ItemType, st.SearchStrategy[Any]] = {
    ItemType.INTEGER: signed(32),
    ItemType.LONG_INTEGER: signed(64),
    ItemType.BIG_INTEGER: signed(200),
    ItemType.ENUMERATION: unsigned(32),
    ItemType.BOOLEAN: st.booleans(),
    ItemType.TEXT_STRING: texts,
    ItemType.BYTE_STRING: octets,
    ItemType.DATE_TIME: signed(64),
    ItemType.INTERVAL: unsigned(32),
    ItemType.DATE_TIME_EXTENDED: signed(64),
}


@cache  # to make a strategy takes longer than to draw from it
def leaves(tags: st.SearchStrategy[str]) -> st.SearchStrategy[Node]:
    return st.one_of(
        st.builds(Node, tags, st.just(item_type), values) for item_type, values in LEAVES.items()
    )


@cache
def nodes(tags: st.SearchStrategy[str]) -> st.SearchStrategy[Node]:
    """Structures of any shape with a leaf or structure of the given tags anywhere."""
    return st.recursive(
        leaves(tags),
        lambda inner: st.builds(
            lambda tag, children: Node(tag, ItemType.STRUCTURE, tuple(children)),
            tags,
            st.lists(inner, max_size=4),
        ),
        max_leaves=12,
    )


_KNOWN: dict[Any, st.SearchStrategy[Any]] = {
    bool: st.booleans(),
    int: signed(32),
    str: texts,
    bytes: octets,
    Node: st.builds(Node, st.just("AttributeValue"), st.just(ItemType.BYTE_STRING), octets),
    KeyValue: st.builds(KeyValue, st.builds(KeyMaterialField, octets, st.booleans())),
    KeyMaterialField: st.builds(KeyMaterialField, octets, st.booleans()),
    AttributeReference: st.one_of(
        st.builds(AttributeReference, st.sampled_from(sorted(TAG_NUMBERS))),
        st.builds(AttributeReference, texts, texts),
    ),
}


@cache
def values_of(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a declared type: a class of the package or a field's annotation."""
    if hint in _KNOWN:
        return _KNOWN[hint]
    if hint is Attributes:
        return _few_attributes()
    if hint is KeyBlock:
        return st.sampled_from(KeyFormatType).flatmap(_key_blocks)
    if hint is AttributeInstance:
        return _instances()
    if hint is LocateCriteria:
        return _criteria()
    if get_origin(hint) is Annotated:
        marks = [mark for mark in hint.__metadata__ if isinstance(mark, ItemType)]
        return LEAVES[marks[0]] if marks else values_of(hint.__origin__)
    if get_origin(hint) in (Union, UnionType):
        return st.one_of(
            st.none() if each is NoneType else values_of(each) for each in get_args(hint)
        )
    if get_origin(hint) is tuple:
        return st.lists(values_of(get_args(hint)[0]), max_size=2).map(tuple)
    if dataclasses.is_dataclass(hint):
        return _instances_of(hint)
    return st.sampled_from(hint)  # an enumeration


def _instances_of(cls: Any, **known: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    hints = get_type_hints(cls, include_extras=True)
    names = [
        field.name
        for field in dataclasses.fields(cls)
        if field.name not in known and not _is_not_sent(hints[field.name])
    ]
    return st.builds(cls, **{name: values_of(hints[name]) for name in names}, **known)


def _is_not_sent(hint: Any) -> bool:
    return get_origin(hint) is Annotated and NotSent() in hint.__metadata__


def _key_blocks(key_format: KeyFormatType) -> st.SearchStrategy[KeyBlock]:
    """The material is of the format's shape, or octets."""
    materials = _KNOWN[KeyMaterialField].filter(lambda each: not each.transparent)
    if key_format in TRANSPARENT_KEYS:
        materials |= values_of(TRANSPARENT_KEYS[key_format])
    else:
        materials = _KNOWN[KeyMaterialField]
    values = _instances_of(KeyValue, key_material=materials)
    return _instances_of(
        KeyBlock,
        key_format_type=st.just(key_format),
        key_value=st.one_of(st.none(), values, st.builds(EncodedKeyValue, octets)),
    )


def _criteria() -> st.SearchStrategy[LocateCriteria]:
    """One date as a range, where it is not sought otherwise."""
    dates = LEAVES[ItemType.DATE_TIME]
    ranges = st.builds(
        lambda one, other: DateRange("DestroyDate", min(one, other), max(one, other)), dates, dates
    )
    attributes = _few_attributes().map(
        lambda each: children_of(
            to_node(dataclasses.replace(each, destroy_date=None), "Attributes")
        )
    )
    return st.builds(LocateCriteria, attributes, st.lists(ranges, max_size=1).map(tuple))


def _instances() -> st.SearchStrategy[AttributeInstance]:
    hints = get_type_hints(Attributes, include_extras=True)

    def of(name: str) -> st.SearchStrategy[AttributeInstance]:
        hint = hints[name]
        if get_origin(hint) is Annotated and get_origin(hint.__origin__) is tuple:
            hint = hint.__origin__
        if get_origin(hint) is tuple:
            hint = get_args(hint)[0]
        elif get_origin(hint) in (Union, UnionType):
            hint = next(each for each in get_args(hint) if each is not NoneType)
        return st.builds(AttributeInstance, st.just(name), values_of(hint))

    return st.sampled_from(sorted(hints)).flatmap(of)


def _few_attributes() -> st.SearchStrategy[Attributes]:
    """Three at a time: all sixty would take a second for each example."""
    hints = get_type_hints(Attributes, include_extras=True)

    def of(names: list[str]) -> st.SearchStrategy[Attributes]:
        return st.builds(Attributes, **{name: values_of(hints[name]) for name in names})

    return st.lists(st.sampled_from(sorted(hints)), max_size=3, unique=True).flatmap(of)
