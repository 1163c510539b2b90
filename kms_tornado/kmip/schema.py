"""Reading and writing of declared structures: frozen dataclasses whose annotations say what is allowed.

A field's tag is its name in camel case (`iv_counter_nonce` → IVCounterNonce) unless `Tag` says
otherwise; its item type follows from its Python type:

    data: bytes                                       required, ByteString
    object_type: ObjectType | None = None             optional, Enumeration
    links: Annotated[tuple[Link, ...], Tag("Link")] = ()    repeated, Structure
    initial_date: DateTime | None = None              DateTime: seconds since the Unix epoch

Fields are found by tag, never by position, because clients send them in any order (docs/dialects.md,
"JSON TTLV"). A field that is not declared is refused. `schema_plan` explains how a class becomes a plan
for reading and writing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, lru_cache, partial
from operator import itemgetter
from typing import Any, TypeVar

from ..errors import InvalidField, InvalidMessage, MissingData
from .schema_plan import BigInteger as BigInteger
from .schema_plan import Custom as Custom
from .schema_plan import DateTime as DateTime
from .schema_plan import Declared as Declared
from .schema_plan import EnumerationNumber as EnumerationNumber
from .schema_plan import Field, Nested, Plan, WritePlan, make_plan, make_write_plan
from .schema_plan import Interval as Interval
from .schema_plan import LongInteger as LongInteger
from .schema_plan import NotSent as NotSent
from .schema_plan import Sparse as Sparse
from .schema_plan import Tag as Tag
from .suggestions import UnknownName, map_loosely, suggest_name
from .tables import is_vendor_tag
from .ttlv import ItemType, Node, new_node

_STRUCTURE = ItemType.STRUCTURE  # in Python 3.11, ItemType.STRUCTURE calls a function each time

D = TypeVar("D", bound=Declared)


def from_node(cls: type[D], node: Node, **readers: Callable[[Node], Any]) -> D:
    """The structure as a value of the class.

    readers: {field name: function that reads it}, in place of the declared one, for a field whose shape
    depends on another field.

    Raises InvalidField for an unknown tag or a wrong item type, InvalidMessage for a field that is given twice
    (KMIP 1.4 §11.1), MissingData for one that is required and absent.
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
            raise _refuse_tag(cls, child.tag, node.tag)
        name = field.name
        read = readers.get(name, field.read) if readers else field.read
        if field.repeated:
            values.setdefault(name, []).append(read(child))
        elif name in values:
            raise InvalidMessage(f"{child.tag} is given twice in {node.tag}")
        else:
            values[name] = child.value if child.type is field.leaf else read(child)
    if not values.keys() >= plan.required:
        absent = plan.required - values.keys()
        first = next(field for field in plan.fields if field.name in absent)
        raise MissingData(f"{first.tag} is missing in {node.tag}")
    for name in plan.repeated:
        if name in values:
            values[name] = tuple(values[name])
    if not plan.is_sparse:
        return cls(**values)
    instance = object.__new__(cls)
    vars(instance).update(values)
    return instance


def normalise_partial(cls: type[Declared], node: Node) -> Node:
    """The structure with its tags in their canonical form, each field checked on its own.

    For search criteria: at any depth, required fields may be absent, and a field that has one value may
    be repeated. Raises InvalidField.
    """
    if not isinstance(node.value, tuple):
        raise InvalidField(f"{node.tag} must be a Structure")
    by_tag, children = _plan(cls).by_tag, []
    for child in node.value:
        field = by_tag.get(child.tag)
        if field is None:
            raise _refuse_tag(cls, child.tag, node.tag)
        if field.inner is not None:
            child = normalise_partial(field.inner, child)
        else:
            field.read(child)
        children.append(child._replace(tag=field.tag))
    return node._replace(value=tuple(children))


def to_node(value: Declared, tag: str) -> Node:
    """The value as a structure: its fields in the order of declaration, without those that are None."""
    if isinstance(value, Sparse):
        return new_node(Node, (tag, _STRUCTURE, _children_of_sparse(value)))
    return new_node(Node, (tag, _STRUCTURE, _children_of(value, _plan(type(value)).write_plan)))


def _children_of(value: Any, write_plan: WritePlan) -> tuple[Node, ...]:
    children: list[Node] = []
    values_of, steps = write_plan
    for item, (tag, leaf, repeated, write) in zip(values_of(value), steps):  # noqa: B905 - same length
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
        values = vars(value)
        children = _children_of(values, _write_plan_of_sparse(cls, tuple(values)))
        object.__setattr__(value, "_children", children)  # the class is frozen
    return children


# A module may own this cache, as it does that of `_plan`, because its content follows from the classes alone.
# It is bounded, because clients choose which fields are set; one application sets the same few all the time.
@lru_cache(maxsize=1024)
def _write_plan_of_sparse(cls: Any, names: tuple[str, ...]) -> WritePlan:
    """The plan for writing instances that hold the fields with these names."""
    fields = [field for field in _plan(cls).fields if field.name in names]
    return make_write_plan(fields, itemgetter, dict.__getitem__)


def tag_of(cls: type[Declared], field_name: str) -> str:
    """The tag of a declared field: "object_type" → "ObjectType"."""
    return _field_of(cls, field_name).tag


def list_tags(cls: type[Declared]) -> tuple[Sequence[str], Sequence[str]]:
    """(the tags of the required fields, all other tags that the class accepts)"""
    plan = _plan(cls)
    required = [field.tag for field in plan.fields if field.required]
    return required, sorted({*plan.by_tag, *plan.ignored} - {*required})


def field_of_tag(cls: type[Declared], tag: str) -> str | None:
    """The inverse of `tag_of`; None where no field has the tag."""
    field = _plan(cls).by_tag.get(tag)
    return None if field is None else field.name


def fields_of(cls: type[Declared]) -> tuple[Field, ...]:
    """The declared fields, in their order."""
    return _plan(cls).fields


def is_repeated(cls: type[Declared], field_name: str) -> bool:
    return _field_of(cls, field_name).repeated


def read_field(cls: type[Declared], node: Node, parent: str) -> tuple[str, Any]:
    """(field name, value) of one field of the class; one of its values where it is repeated.

    parent: the tag around it, for the error text. Raises as `from_node` does.
    """
    field = _plan(cls).by_tag.get(node.tag)
    if field is None:
        raise _refuse_tag(cls, node.tag, parent)
    return field.name, field.read(node)


def write_field(cls: type[Declared], field_name: str, value: Any) -> Node:
    """The inverse of `read_field`."""
    return _field_of(cls, field_name).write(value)


# One entry for each declared class of the package, made when it is first needed: no bound is necessary.
@cache
def _plan(cls: type[Declared]) -> Plan:
    return make_plan(cls, Nested(from_node, to_node))


def _field_of(cls: type[Declared], field_name: str) -> Field:
    return _plan(cls).by_name[field_name]


def _refuse_tag(cls: type[Declared], tag: str, parent: str) -> InvalidField:
    """The error for a tag that the class does not declare. parent: the tag around it."""
    if is_vendor_tag(tag):
        return InvalidField(
            f"{tag} cannot stand in {parent}: a vendor's tags are for AttributeValue and VendorExtension"
        )
    return UnknownName(f"{tag} is not supported in {parent}", partial(_suggest_field, cls), tag)


# Bounded, because clients choose the tag, out of all those of KMIP. A message may have a hundred such items.
@lru_cache(maxsize=256)
def _suggest_field(cls: type[Declared], tag: str) -> str:
    return suggest_name(tag, map_loosely(field.tag for field in _plan(cls).fields))
