"""What can be declared of a structure, and what there is to know of a declared class, found out once.

The language itself is described in `schema`, which reads and writes by these plans.
"""

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
)
from typing import get_type_hints as type_hints

from ..errors import InvalidField
from .tables import TAG_SPELLINGS, loosen
from .ttlv import TYPE_NAMES, ItemType, Node

# Python 3.11 looks a member of an enumeration up in a function.
_ENUMERATION = ItemType.ENUMERATION

LongInteger = Annotated[int, ItemType.LONG_INTEGER]
BigInteger = Annotated[int, ItemType.BIG_INTEGER]
DateTime = Annotated[int, ItemType.DATE_TIME]
Interval = Annotated[int, ItemType.INTERVAL]
#: The number of an enumeration that has no class in `enums`.
EnumerationNumber = Annotated[int, ItemType.ENUMERATION]


@dataclasses.dataclass(frozen=True, slots=True)
class Tag:
    """The field's tag where its name is not the tag's, with others that it is read under."""

    name: str
    others: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Custom:
    """A pair of functions for what has several shapes on the wire.

    read: node → value, raises KMIPError. write: (tag, value) → node.
    """

    read: Callable[[Node], Any]
    write: Callable[[str, Any], Node]


class Declared(Protocol):
    """Any dataclass. May have IGNORED_TAGS: what clients send and this server has no use for."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


class Sparse:
    """Base of a dataclass of which most fields are left out: defaults stay with the class.

    An instance that was read holds what it was given, in `__dict__`; to set the others would take
    longer than all else. What it is written as is kept beside: values do not change. No field has a
    default factory.
    """

    __slots__ = ("__dict__", "_children")


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    """inner: the class of a declared structure. leaf: the item type of what a node holds as it is."""

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
    """What there is to know of a class, found out once. required, repeated: names of fields."""

    fields: tuple[Field, ...]
    by_tag: Mapping[str, Field]
    by_name: Mapping[str, Field]
    required: frozenset[str]
    repeated: tuple[str, ...]
    ignored: frozenset[str]
    is_sparse: bool
    writing: Writing


class Writing(NamedTuple):
    """How to write some fields of a class, all or those that an instance of a Sparse one holds.

    values_of: object → the values of the fields. steps: of each, (tag, leaf, repeated, write).
    """

    values_of: Callable[[Any], Iterable[Any]]
    steps: tuple[tuple[str, ItemType | None, bool, Callable[[Any], Node]], ...]


# --- plans --------------------------------------------------------------------------------------


class Nested(NamedTuple):
    """`schema.from_node` and `schema.to_node`."""

    read: Callable[[type[Any], Node], Any]
    write: Callable[[Any, str], Node]


def make_plan(cls: type[Declared], nested: Nested) -> Plan:
    """nested: for fields that are structures themselves."""
    hints = type_hints(cls, include_extras=True)
    fields = tuple(_field(field, hints[field.name], nested) for field in dataclasses.fields(cls))
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
        writing_of(fields, attrgetter, getattr),
    )


def writing_of(
    fields: Sequence[Field],
    getter: Callable[..., Callable[[Any], Iterable[Any]]],
    get: Callable[[Any, str], Any],
) -> Writing:
    """getter, get: `attrgetter` and `getattr`, or the twins for a dict."""
    names = [field.name for field in fields]
    steps = [
        (field.tag, None if field.repeated else field.leaf, field.repeated, field.write)
        for field in fields
    ]
    if len(names) > 1:
        return Writing(getter(*names), tuple(steps))
    # Of one name a getter gives the value, and not a tuple with it.
    return Writing(lambda value: [get(value, name) for name in names], tuple(steps))


_TAGS_BY_LOOSE_NAME = {loosen(tag): tag for tag in TAG_SPELLINGS.values()}


def _field(field: dataclasses.Field[Any], hint: Any, nested: Nested) -> Field:
    hint, marks = _strip(hint)
    repeated = get_origin(hint) is tuple
    if repeated:
        hint, inner_marks = _strip(get_args(hint)[0])
        marks += inner_marks
    declared = next((mark for mark in marks if isinstance(mark, Tag)), None)
    tag = declared or Tag(_TAGS_BY_LOOSE_NAME[loosen(field.name)])
    required = field.default is field.default_factory is dataclasses.MISSING
    inner = None if any(isinstance(mark, Custom) for mark in marks) else _structure_of(hint)
    leaf, read, write = _converter(tag.name, hint, marks, nested)
    return Field(field.name, tag.name, tag.others, required, repeated, inner, leaf, read, write)


def _structure_of(hint: Any) -> type[Any] | None:
    return hint if isinstance(hint, type) and dataclasses.is_dataclass(hint) else None


def _strip(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """Take `Annotated` and `| None` off a type: (what is left, the annotations)."""
    if get_origin(hint) is Annotated:
        inner, marks = _strip(hint.__origin__)
        return inner, (*hint.__metadata__, *marks)
    if get_origin(hint) in (Union, UnionType):
        alternatives = [arg for arg in get_args(hint) if arg is not NoneType]
        if len(alternatives) == 1:
            return _strip(alternatives[0])
    return hint, ()  # a union of classes is for a Custom to tell apart


_ITEM_TYPES: Mapping[type, ItemType] = {
    bool: ItemType.BOOLEAN,
    int: ItemType.INTEGER,
    str: ItemType.TEXT_STRING,
    bytes: ItemType.BYTE_STRING,
}

_Converter = tuple[ItemType | None, Callable[[Node], Any], Callable[[Any], Node]]


def _converter(tag: str, hint: Any, marks: tuple[Any, ...], nested: Nested) -> _Converter:
    """(leaf, read, write) of a field."""
    for mark in marks:
        if isinstance(mark, Custom):
            return None, mark.read, partial(mark.write, tag)
        if isinstance(mark, ItemType):
            return _leaf(tag, mark)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return None, partial(nested.read, hint), lambda value: nested.write(value, tag)
    if issubclass(hint, IntEnum):
        return _member(tag, hint)
    return _leaf(tag, _ITEM_TYPES[hint])


def _leaf(tag: str, item_type: ItemType) -> _Converter:
    return item_type, partial(_read, item_type), lambda value: Node(tag, item_type, value)


def _member(tag: str, cls: type[IntEnum]) -> _Converter:
    """Members and their nodes in dicts, which take a third of the time that making them takes."""
    members = {int(each): each for each in cls}
    nodes = {each: Node(tag, ItemType.ENUMERATION, int(each)) for each in cls}
    return None, partial(_read_member, members), nodes.__getitem__


def _read(item_type: ItemType, node: Node) -> Any:
    if node.type is not item_type:
        raise InvalidField(f"{node.tag} must be a {TYPE_NAMES[item_type]}")
    return node.value


def _read_member(members: Mapping[int, IntEnum], node: Node) -> IntEnum:
    number = _read(_ENUMERATION, node)
    member = members.get(number)
    if member is None:
        raise InvalidField(f"{node.tag} has no value {number}")
    return member
