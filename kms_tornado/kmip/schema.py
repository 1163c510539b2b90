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

from collections.abc import Callable
from functools import cache, lru_cache
from operator import itemgetter
from typing import Any, TypeVar

from ..errors import InvalidField, MissingData
from .schema_plan import BigInteger as BigInteger
from .schema_plan import Custom as Custom
from .schema_plan import DateTime as DateTime
from .schema_plan import Declared as Declared
from .schema_plan import EnumerationNumber as EnumerationNumber
from .schema_plan import Field, Nested, Plan, Writing, make_plan, writing_of
from .schema_plan import Interval as Interval
from .schema_plan import LongInteger as LongInteger
from .schema_plan import Sparse as Sparse
from .schema_plan import Tag as Tag
from .ttlv import ItemType, Node, new_node

_STRUCTURE = ItemType.STRUCTURE  # Python 3.11 looks a member of an enumeration up in a function

D = TypeVar("D", bound=Declared)


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


def normalise_partial(cls: type[Declared], node: Node) -> Node:
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
            child = normalise_partial(field.inner, child)
        else:
            field.read(child)
        children.append(child._replace(tag=field.tag))
    return node._replace(value=tuple(children))


def to_node(value: Declared, tag: str) -> Node:
    """The value as a structure: fields in the order of their declaration, None left out."""
    if isinstance(value, Sparse):
        return new_node(Node, (tag, _STRUCTURE, _children_of_sparse(value)))
    return new_node(Node, (tag, _STRUCTURE, _children_of(value, _plan(type(value)).writing)))


def _children_of(value: Any, writing: Writing) -> tuple[Node, ...]:
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
def _writing_of_sparse(cls: Any, given: tuple[str, ...]) -> Writing:
    """For instances that hold these fields, in their dict and in this order."""
    fields = [field for field in _plan(cls).fields if field.name in given]
    return writing_of(fields, itemgetter, dict.__getitem__)


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


@cache
def _plan(cls: type[Declared]) -> Plan:
    return make_plan(cls, Nested(from_node, to_node))


def _field_of(cls: type[Declared], field_name: str) -> Field:
    return _plan(cls).by_name[field_name]
