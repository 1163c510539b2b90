"""The marks for declaring structures, and the plan that is made once from a declared class.

The language itself is described in `schema`, which reads and writes by these plans.
"""

# How a plan is made, and why.
#
# A structure of KMIP is declared as a dataclass; its annotations are all there is to know about its
# form. Evaluating them takes two milliseconds for a request of eight fields, and twenty for the
# attributes of an object; reading such a request takes ten microseconds. So the annotations are evaluated
# once, at the first use of the class, and the result is its `Plan`:
#
#  1. `make_plan` resolves the annotations of the class and makes a `Field` of each dataclass field.
#  2. `_make_field` takes `Annotated`, `| None` and `tuple[…, ...]` off the type. What it takes off says
#     how the field stands in a structure (optional, repeated, under which tag); what is left says what
#     the field is. Its tag is found by its name, underscores and letter case aside, unless a `Tag` says
#     otherwise: a name that is not a tag of KMIP fails there, at the first use of the class.
#  3. `_make_converter` chooses a pair of functions, node → value and value → node: those of a `Custom`
#     mark, those of a declared structure (which come from `schema`, as `Nested`, because the two modules
#     would otherwise import each other), those of an enumeration, or those of a plain item type.
#  4. The fields are put into the forms in which they are looked up: by tag for reading, by name for
#     questions about the class, and as a `WritePlan` for writing, which holds one getter for all values
#     of an instance and one step for each field.
#
# A leaf is a field whose value is the node's value unchanged. Most fields of most messages are leaves, and
# reader and writer copy them without a call.

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import IntEnum
from functools import partial
from operator import attrgetter
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    NamedTuple,
    Protocol,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from ..errors import InvalidField
from .tables import TAG_SPELLINGS, loosen
from .ttlv import TYPE_NAMES, ItemType, Node

# In Python 3.11, ItemType.ENUMERATION calls a function each time.
_ENUMERATION = ItemType.ENUMERATION

LongInteger = Annotated[int, ItemType.LONG_INTEGER]
BigInteger = Annotated[int, ItemType.BIG_INTEGER]
DateTime = Annotated[int, ItemType.DATE_TIME]
Interval = Annotated[int, ItemType.INTERVAL]
#: The number of an enumeration that has no class in `enums`.
EnumerationNumber = Annotated[int, ItemType.ENUMERATION]


@dataclasses.dataclass(frozen=True, slots=True)
class Tag:
    """The field's tag, if it does not follow from the field's name.

    others: further tags that are read as the same field.
    """

    name: str
    others: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Custom:
    """A pair of functions for a field that has several shapes on the wire.

    read: node → value, raises KMIPError. write: (tag, value) → node.
    """

    read: Callable[[Node], Any]
    write: Callable[[str, Any], Node]


@dataclasses.dataclass(frozen=True, slots=True)
class NotSent:
    """The field is for the server alone, and is never sent. It has a default."""


class Declared(Protocol):
    """Any dataclass. May have IGNORED_TAGS: tags that clients send and this server does not use."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


class Sparse:
    """Base of a dataclass of which most fields are usually absent: the defaults stay with the class.

    The `__dict__` of an instance that was read holds only the fields that were present; setting all the
    others would take longer than the rest of the reading. An instance caches the nodes that it was once
    written as, since its values do not change. No field may have a default factory.
    """

    __slots__ = ("__dict__", "_children")


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    """One field of a declared class.

    inner: its class, where it is a declared structure. leaf: its item type, where its value is the node's
    value unchanged.
    """

    name: str
    tag: str
    other_tags: tuple[str, ...]
    required: bool
    repeated: bool
    inner: type[Any] | None
    leaf: ItemType | None
    read: Callable[[Node], Any]
    write: Callable[[Any], Node]


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """Everything needed to read and write a class. required, repeated: names of fields."""

    fields: tuple[Field, ...]
    by_tag: Mapping[str, Field]
    by_name: Mapping[str, Field]
    required: frozenset[str]
    repeated: tuple[str, ...]
    ignored: frozenset[str]
    is_sparse: bool
    write_plan: WritePlan


class WritePlan(NamedTuple):
    """How to write fields of a class: all of them, or those that an instance of a Sparse class holds.

    values_of: instance → the values of the fields. steps: (tag, leaf, repeated, write) of each field.
    """

    values_of: Callable[[Any], Iterable[Any]]
    steps: tuple[tuple[str, ItemType | None, bool, Callable[[Any], Node]], ...]


# --- plans --------------------------------------------------------------------------------------


class Nested(NamedTuple):
    """`schema.from_node` and `schema.to_node`, for fields that are themselves structures."""

    read: Callable[[type[Any], Node], Any]
    write: Callable[[Any, str], Node]


def make_plan(cls: type[Declared], nested: Nested) -> Plan:
    """The plan of a class. Raises TypeError where the class declares a tag twice."""
    hints = get_type_hints(cls, include_extras=True)
    fields = tuple(
        _make_field(field, hints[field.name], nested)
        for field in dataclasses.fields(cls)
        if NotSent() not in _strip(hints[field.name])[1]
    )
    by_tag = {tag: field for field in fields for tag in (field.tag, *field.other_tags)}
    if len(by_tag) != sum(1 + len(field.other_tags) for field in fields):
        raise TypeError(f"{cls.__name__} declares a tag twice")
    return Plan(
        fields,
        by_tag,
        {field.name: field for field in fields},
        frozenset(field.name for field in fields if field.required),
        tuple(field.name for field in fields if field.repeated),
        frozenset(getattr(cls, "IGNORED_TAGS", ())),
        issubclass(cls, Sparse),
        make_write_plan(fields, attrgetter, getattr),
    )


def make_write_plan(
    fields: Sequence[Field],
    getter: Callable[..., Callable[[Any], Iterable[Any]]],
    get: Callable[[Any, str], Any],
) -> WritePlan:
    """The plan for writing these fields.

    getter, get: `attrgetter` and `getattr` for an object, `itemgetter` and `dict.__getitem__` for a dict.
    """
    names = [field.name for field in fields]
    steps = [
        (field.tag, None if field.repeated else field.leaf, field.repeated, field.write)
        for field in fields
    ]
    if len(names) > 1:
        return WritePlan(getter(*names), tuple(steps))
    # For a single name a getter returns the value itself, not a tuple.
    return WritePlan(lambda value: [get(value, name) for name in names], tuple(steps))


_TAGS_BY_LOOSE_NAME = {loosen(tag): tag for tag in TAG_SPELLINGS.values()}


def _make_field(field: dataclasses.Field[Any], hint: Any, nested: Nested) -> Field:
    hint, marks = _strip(hint)
    repeated = get_origin(hint) is tuple
    if repeated:
        hint, inner_marks = _strip(get_args(hint)[0])
        marks += inner_marks
    declared = next((mark for mark in marks if isinstance(mark, Tag)), None)
    tag = declared or Tag(_TAGS_BY_LOOSE_NAME[loosen(field.name)])
    required = field.default is field.default_factory is dataclasses.MISSING
    inner = None if any(isinstance(mark, Custom) for mark in marks) else _structure_of(hint)
    leaf, read, write = _make_converter(tag.name, hint, marks, nested)
    return Field(field.name, tag.name, tag.others, required, repeated, inner, leaf, read, write)


def _structure_of(hint: Any) -> type[Any] | None:
    return hint if isinstance(hint, type) and dataclasses.is_dataclass(hint) else None


def _strip(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """Remove `Annotated` and `| None` from a type: (the type without them, the marks in Annotated)."""
    if get_origin(hint) is Annotated:
        inner, marks = _strip(hint.__origin__)
        return inner, (*hint.__metadata__, *marks)
    if get_origin(hint) in (Union, UnionType):
        alternatives = [arg for arg in get_args(hint) if arg is not NoneType]
        if len(alternatives) == 1:
            return _strip(alternatives[0])
    return hint, ()  # a union of classes is read by a Custom, which can tell them apart


_ITEM_TYPES: Mapping[type, ItemType] = {
    bool: ItemType.BOOLEAN,
    int: ItemType.INTEGER,
    str: ItemType.TEXT_STRING,
    bytes: ItemType.BYTE_STRING,
}

_Converter = tuple[ItemType | None, Callable[[Node], Any], Callable[[Any], Node]]


def _make_converter(tag: str, hint: Any, marks: tuple[Any, ...], nested: Nested) -> _Converter:
    """(leaf, read, write) of a field."""
    for mark in marks:
        if isinstance(mark, Custom):
            return None, mark.read, partial(mark.write, tag)
        if isinstance(mark, ItemType):
            return _leaf_converter(tag, mark)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return None, partial(nested.read, hint), lambda value: nested.write(value, tag)
    if issubclass(hint, IntEnum):
        return _enumeration_converter(tag, hint)
    return _leaf_converter(tag, _ITEM_TYPES[hint])


def _leaf_converter(tag: str, item_type: ItemType) -> _Converter:
    return item_type, partial(_read, item_type), lambda value: Node(tag, item_type, value)


def _enumeration_converter(tag: str, cls: type[IntEnum]) -> _Converter:
    """The functions for an enumeration.

    They look members and nodes up in dicts, in a third of the time of making them.
    """
    members = {int(member): member for member in cls}
    nodes = {member: Node(tag, ItemType.ENUMERATION, int(member)) for member in cls}
    return None, partial(_read_member, members), nodes.__getitem__


def _read(item_type: ItemType, node: Node) -> Any:
    if node.type is not item_type:
        name = TYPE_NAMES[item_type]
        raise InvalidField(f"{node.tag} must be {'an' if name[0] in 'EI' else 'a'} {name}")
    return node.value


def _read_member(members: Mapping[int, IntEnum], node: Node) -> IntEnum:
    number = _read(_ENUMERATION, node)
    member = members.get(number)
    if member is None:
        raise InvalidField(f"{node.tag} has no value {number}")
    return member
