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
from collections.abc import Callable, Iterable, Mapping
from enum import IntEnum
from functools import cache, partial
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Protocol, TypeVar, Union, get_args, get_origin
from typing import get_type_hints as type_hints

from ..errors import InvalidField, MissingData
from .tables import TAG_SPELLINGS, loosen
from .ttlv import TYPE_NAMES, ItemType, Node

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


@dataclasses.dataclass(frozen=True, slots=True)
class _Field:
    name: str
    tag: str
    other_tags: tuple[str, ...]
    required: bool
    repeated: bool
    inner: type[Any] | None  # the class of a declared structure
    read: Callable[[Node], Any]
    write: Callable[[str, Any], Node]


@dataclasses.dataclass(frozen=True, slots=True)
class _Plan:
    fields: tuple[_Field, ...]
    by_tag: Mapping[str, _Field]
    by_name: Mapping[str, _Field]
    required: tuple[_Field, ...]
    repeated: tuple[str, ...]
    ignored: frozenset[str]
    places: Mapping[str, int]


def from_node(cls: type[D], node: Node, **readers: Callable[[Node], Any]) -> D:
    """The structure as a value of the class.

    readers: field name → what reads it instead of what is declared, where that hangs on another one.

    Raises InvalidField for an unknown tag, one given twice or a wrong item type, MissingData for
    one that is required and absent.
    """
    if not isinstance(node.value, tuple):
        raise InvalidField(f"{node.tag} must be a Structure")
    plan = _plan(cls)
    values: dict[str, Any] = {}
    for child in node.value:
        field = plan.by_tag.get(child.tag)
        if field is None:
            if child.tag in plan.ignored:
                continue
            raise InvalidField(f"{child.tag} is not supported in {node.tag}")
        read = readers.get(field.name, field.read)
        if field.repeated:
            values.setdefault(field.name, []).append(read(child))
        elif field.name in values:
            raise InvalidField(f"{child.tag} is given twice in {node.tag}")
        else:
            values[field.name] = read(child)
    for field in plan.required:
        if field.name not in values:
            raise MissingData(f"{field.tag} is missing in {node.tag}")
    for name in plan.repeated:
        if name in values:
            values[name] = tuple(values[name])
    return cls(**values)


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
    children: list[Node] = []
    plan = _plan(type(value))
    fields: Iterable[_Field] = plan.fields
    given = getattr(value, "__dict__", None)
    if given is not None:  # Attributes: a few of ninety, and the rest are not set
        places = sorted([plan.places[name] for name in given])
        fields = [plan.fields[place] for place in places]
    for field in fields:
        item = getattr(value, field.name)
        if field.repeated:
            children += [field.write(field.tag, each) for each in item]
        elif item is not None:
            children.append(field.write(field.tag, item))
    return Node(tag, ItemType.STRUCTURE, tuple(children))


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
    field = _field_of(cls, field_name)
    return field.write(field.tag, value)


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
        tuple(field for field in fields if field.required),
        tuple(field.name for field in fields if field.repeated),
        frozenset(getattr(cls, "IGNORED_TAGS", ())),
        {field.name: place for place, field in enumerate(fields)},
    )


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
    read, write = _converter(hint, marks)
    return _Field(field.name, tag.name, tag.others, required, repeated, inner, read, write)


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

_Converter = tuple[Callable[[Node], Any], Callable[[str, Any], Node]]


def _converter(hint: Any, marks: tuple[Any, ...]) -> _Converter:
    for mark in marks:
        if isinstance(mark, Custom):
            return mark.read, mark.write
        if isinstance(mark, ItemType):
            return partial(_read, mark), partial(_write, mark)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return partial(from_node, hint), _write_structure
    if issubclass(hint, IntEnum):
        return partial(_read_member, hint), _write_member
    return partial(_read, _ITEM_TYPES[hint]), partial(_write, _ITEM_TYPES[hint])


def _read(item_type: ItemType, node: Node) -> Any:
    if node.type is not item_type:
        raise InvalidField(f"{node.tag} must be a {TYPE_NAMES[item_type]}")
    return node.value


def _write(item_type: ItemType, tag: str, value: Any) -> Node:
    return Node(tag, item_type, value)


def _read_member(cls: type[IntEnum], node: Node) -> IntEnum:
    number = _read(ItemType.ENUMERATION, node)
    try:
        return cls(number)
    except ValueError:
        raise InvalidField(f"{node.tag} has no value {number}") from None


def _write_member(tag: str, value: IntEnum) -> Node:
    return Node(tag, ItemType.ENUMERATION, int(value))


def _write_structure(tag: str, value: Declared) -> Node:
    return to_node(value, tag)
