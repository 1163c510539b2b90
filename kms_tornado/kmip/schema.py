"""The declaration language of structures: a frozen dataclass whose annotations say what is allowed.

A field's tag is its name in camel case (`iv_counter_nonce` → IVCounterNonce) unless `Tag` says
otherwise; its item type follows from its Python type:

    data: bytes                                       required, ByteString
    object_type: ObjectType | None = None             optional, Enumeration
    links: Annotated[tuple[Link, ...], Tag("Link")] = ()    repeated, Structure
    initial_date: DateTime | None = None              DateTime: seconds since the Unix epoch

Fields are found by tag, never by position (KMIP.md §4). What is not declared is refused.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import IntEnum
from functools import cache, lru_cache, partial
from operator import attrgetter, itemgetter
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    NamedTuple,
    Protocol,
    TypeVar,
    Union,
    get_args,
    get_origin,
)
from typing import get_type_hints as type_hints

from ..errors import InvalidField, MissingData
from .tables import TAG_SPELLINGS, loosen
from .ttlv import TYPE_NAMES, ItemType, Node, new_node

# Python 3.11 looks a member of an enumeration up in a function.
_STRUCTURE, _ENUMERATION = ItemType.STRUCTURE, ItemType.ENUMERATION

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


D = TypeVar("D", bound=Declared)


class Sparse:
    """Base of a dataclass of which most fields are left out: defaults stay with the class.

    An instance that was read holds what it was given, in `__dict__`; to set the others would take
    longer than all else. What it is written as is kept beside: values do not change. No field has a
    default factory.
    """

    __slots__ = ("__dict__", "_children")


@dataclasses.dataclass(frozen=True, slots=True)
class _Field:
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
class _Plan:
    """What there is to know of a class, found out once. required, repeated: names of fields."""

    fields: tuple[_Field, ...]
    by_tag: Mapping[str, _Field]
    by_name: Mapping[str, _Field]
    required: frozenset[str]
    repeated: tuple[str, ...]
    ignored: frozenset[str]
    is_sparse: bool
    writing: _Writing


class _Writing(NamedTuple):
    """How to write some fields of a class, all or those that an instance of a Sparse one holds.

    values_of: object → the values of the fields. steps: of each, (tag, leaf, repeated, write).
    """

    values_of: Callable[[Any], Iterable[Any]]
    steps: tuple[tuple[str, ItemType | None, bool, Callable[[Any], Node]], ...]


def from_node(cls: type[D], node: Node, **readers: Callable[[Node], Any]) -> D:
    """The structure as a value of the class.

    readers: field name → what reads it instead of what is declared, where that hangs on another one.

    Raises InvalidField for an unknown tag, one given twice or a wrong item type, MissingData for
    one that is required and absent.
    """
    if not isinstance(node.value, tuple):
        raise InvalidField(f"{node.tag} must be a Structure")
    plan = _plan(cls)
    by_tag = plan.by_tag
    values: dict[str, Any] = {}
    for child in node.value:
        field = by_tag.get(child.tag)
        if field is None:
            if child.tag in plan.ignored:
                continue
            raise InvalidField(f"{child.tag} is not supported in {node.tag}")
        name = field.name
        read = readers.get(name, field.read) if readers else field.read
        if field.repeated:
            values.setdefault(name, []).append(read(child))
        elif name in values:
            raise InvalidField(f"{child.tag} is given twice in {node.tag}")
        else:
            values[name] = child.value if child.type is field.leaf else read(child)
    if not values.keys() >= plan.required:
        missing = next(each for each in plan.fields if each.name in plan.required - values.keys())
        raise MissingData(f"{missing.tag} is missing in {node.tag}")
    for name in plan.repeated:
        if name in values:
            values[name] = tuple(values[name])
    if not plan.is_sparse:
        return cls(**values)
    made = object.__new__(cls)
    vars(made).update(values)
    return made


def read_parts(cls: type[Declared], node: Node) -> Node:
    """The structure as it is, its tags in their canonical form, after a look at its fields alone.

    As things are described that are looked for: what `from_node` requires may be absent, at any
    depth, and what is single may be there more than once. Raises InvalidField.
    """
    if not isinstance(node.value, tuple):
        raise InvalidField(f"{node.tag} must be a Structure")
    by_tag, children = _plan(cls).by_tag, []
    for child in node.value:
        field = by_tag.get(child.tag)
        if field is None:
            raise InvalidField(f"{child.tag} is not supported in {node.tag}")
        if field.inner is not None:
            child = read_parts(field.inner, child)
        else:
            field.read(child)
        children.append(child._replace(tag=field.tag))
    return node._replace(value=tuple(children))


def to_node(value: Declared, tag: str) -> Node:
    """The value as a structure: fields in the order of their declaration, None left out."""
    if isinstance(value, Sparse):
        return new_node(Node, (tag, _STRUCTURE, _children_of_sparse(value)))
    return new_node(Node, (tag, _STRUCTURE, _children_of(value, _plan(type(value)).writing)))


def _children_of(value: Any, writing: _Writing) -> tuple[Node, ...]:
    children: list[Node] = []
    values_of, steps = writing
    for item, (tag, leaf, repeated, write) in zip(values_of(value), steps):  # noqa: B905 - as many
        if item is None:
            continue
        if leaf is not None:
            children.append(new_node(Node, (tag, leaf, item)))
        elif repeated:
            children += map(write, item)
        else:
            children.append(write(item))
    return tuple(children)


def _children_of_sparse(value: Any) -> tuple[Node, ...]:
    try:
        children: tuple[Node, ...] = value._children
    except AttributeError:
        cls: Any = type(value)
        given = vars(value)
        children = _children_of(given, _writing_of_sparse(cls, tuple(given)))
        object.__setattr__(value, "_children", children)  # the class is frozen
    return children


@lru_cache(maxsize=1024)
def _writing_of_sparse(cls: Any, given: tuple[str, ...]) -> _Writing:
    """For instances that hold these fields, in their dict and in this order."""
    fields = [field for field in _plan(cls).fields if field.name in given]
    return _writing(fields, itemgetter, dict.__getitem__)


def tag_of(cls: type[Declared], field_name: str) -> str:
    """The tag of a declared field: "object_type" → "ObjectType"."""
    return _field_of(cls, field_name).tag


def field_of_tag(cls: type[Declared], tag: str) -> str | None:
    """The twin of `tag_of`; None where no field has the tag."""
    field = _plan(cls).by_tag.get(tag)
    return None if field is None else field.name


def is_repeated(cls: type[Declared], field_name: str) -> bool:
    return _field_of(cls, field_name).repeated


def read_field(cls: type[Declared], node: Node, parent: str) -> tuple[str, Any]:
    """(field name, value) of a single field of the class; one of several values where it is repeated.

    parent: for the error text. Raises as `from_node` does.
    """
    field = _plan(cls).by_tag.get(node.tag)
    if field is None:
        raise InvalidField(f"{node.tag} is not supported in {parent}")
    return field.name, field.read(node)


def write_field(cls: type[Declared], field_name: str, value: Any) -> Node:
    """The twin of `read_field`."""
    return _field_of(cls, field_name).write(value)


def _field_of(cls: type[Declared], field_name: str) -> _Field:
    return _plan(cls).by_name[field_name]


@cache
def _plan(cls: type[Declared]) -> _Plan:
    hints = type_hints(cls, include_extras=True)
    fields = tuple(_field(field, hints[field.name]) for field in dataclasses.fields(cls))
    by_tag = {tag: field for field in fields for tag in (field.tag, *field.other_tags)}
    if len(by_tag) != sum(1 + len(field.other_tags) for field in fields):
        raise TypeError(f"{cls.__name__} declares a tag twice")
    return _Plan(
        fields,
        by_tag,
        {field.name: field for field in fields},
        frozenset(field.name for field in fields if field.required),
        tuple(field.name for field in fields if field.repeated),
        frozenset(getattr(cls, "IGNORED_TAGS", ())),
        issubclass(cls, Sparse),
        _writing(fields, attrgetter, getattr),
    )


def _writing(
    fields: Sequence[_Field],
    getter: Callable[..., Callable[[Any], Iterable[Any]]],
    get: Callable[[Any, str], Any],
) -> _Writing:
    """getter, get: `attrgetter` and `getattr`, or the twins for a dict."""
    names = [field.name for field in fields]
    steps = [
        (field.tag, None if field.repeated else field.leaf, field.repeated, field.write)
        for field in fields
    ]
    if len(names) > 1:
        return _Writing(getter(*names), tuple(steps))
    # Of one name a getter gives the value, and not a tuple with it.
    return _Writing(lambda value: [get(value, name) for name in names], tuple(steps))


_TAGS_BY_LOOSE_NAME = {loosen(tag): tag for tag in TAG_SPELLINGS.values()}


def _field(field: dataclasses.Field[Any], hint: Any) -> _Field:
    hint, marks = _strip(hint)
    repeated = get_origin(hint) is tuple
    if repeated:
        hint, inner_marks = _strip(get_args(hint)[0])
        marks += inner_marks
    declared = next((mark for mark in marks if isinstance(mark, Tag)), None)
    tag = declared or Tag(_TAGS_BY_LOOSE_NAME[loosen(field.name)])
    required = field.default is field.default_factory is dataclasses.MISSING
    inner = None if any(isinstance(mark, Custom) for mark in marks) else _structure_of(hint)
    leaf, read, write = _converter(tag.name, hint, marks)
    return _Field(field.name, tag.name, tag.others, required, repeated, inner, leaf, read, write)


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


def _converter(tag: str, hint: Any, marks: tuple[Any, ...]) -> _Converter:
    """(leaf, read, write) of a field."""
    for mark in marks:
        if isinstance(mark, Custom):
            return None, mark.read, partial(mark.write, tag)
        if isinstance(mark, ItemType):
            return _leaf(tag, mark)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return None, partial(from_node, hint), lambda value: to_node(value, tag)
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
