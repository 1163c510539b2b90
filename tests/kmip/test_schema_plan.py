"""The plan of a declared class: what a wrong declaration comes to, and what is found out of a right one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import pytest

from kms_tornado.kmip.enums import ObjectType
from kms_tornado.kmip.schema import from_node, to_node
from kms_tornado.kmip.schema_plan import Nested, Plan, Sparse, Tag, make_plan
from kms_tornado.kmip.ttlv import ItemType

NESTED = Nested(from_node, to_node)


@dataclass(frozen=True, slots=True)
class Inner:
    name_value: str


@dataclass(frozen=True)
class Outer(Sparse):
    unique_identifier: str
    object_type: ObjectType | None = None
    names: Annotated[tuple[Inner, ...], Tag("Name", ("AlternativeName",))] = ()


@dataclass(frozen=True, slots=True)
class Twice:
    comment: str
    description: Annotated[str, Tag("Comment")]


@dataclass(frozen=True, slots=True)
class Unknown:
    no_tag_of_kmip: str


def plan() -> Plan:
    return make_plan(Outer, NESTED)


def test_field_is_found_by_its_tag_and_its_other_tags():
    assert set(plan().by_tag) == {"UniqueIdentifier", "ObjectType", "Name", "AlternativeName"}
    assert plan().by_tag["AlternativeName"].name == plan().by_tag["Name"].name == "names"


def test_field_without_a_default_is_required_and_a_tuple_is_repeated():
    assert plan().required == {"unique_identifier"}
    assert plan().repeated == ("names",)
    assert plan().is_sparse


@pytest.mark.parametrize(
    ("field", "leaf", "inner"),
    [
        ("unique_identifier", ItemType.TEXT_STRING, None),
        ("object_type", None, None),
        ("names", None, Inner),
    ],
)
def test_leaf_is_what_needs_no_conversion(field, leaf, inner):
    found = plan().by_name[field]
    assert (found.leaf, found.inner) == (leaf, inner)


def test_tag_that_is_declared_twice_is_an_error_of_the_declaration():
    with pytest.raises(TypeError, match="Twice declares a tag twice"):
        make_plan(Twice, NESTED)


def test_name_that_is_no_tag_is_an_error_of_the_declaration():
    with pytest.raises(KeyError, match="notagofkmip"):
        make_plan(Unknown, NESTED)
