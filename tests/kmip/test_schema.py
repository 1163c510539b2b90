"""The declaration language: fields by tag, required, repeated, refused."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Annotated, ClassVar

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kms_tornado.errors import InvalidField, InvalidMessage, MissingData
from kms_tornado.kmip import attributes, objects, payloads, structures
from kms_tornado.kmip.enums import ObjectType
from kms_tornado.kmip.schema import DateTime, LongInteger, Tag, from_node, tag_of, to_node
from kms_tornado.kmip.ttlv import ItemType, Node, structure

from ..rows import each_row
from .strategies import values_of


@dataclass(frozen=True, slots=True)
class Inner:
    name_value: str


@dataclass(frozen=True, slots=True)
class Sample:
    IGNORED_TAGS: ClassVar[frozenset[str]] = frozenset({"Comment"})

    unique_identifier: str
    object_type: ObjectType | None = None
    data: bytes | None = None
    fresh: bool | None = None
    usage_limits_total: LongInteger | None = None
    initial_date: DateTime | None = None
    names: Annotated[tuple[Inner, ...], Tag("Name")] = ()


UID = Node("UniqueIdentifier", ItemType.TEXT_STRING, "a")
DATA = Node("Data", ItemType.BYTE_STRING, b"x")
NAME = structure("Name", Node("NameValue", ItemType.TEXT_STRING, "n"))


def test_fields_are_found_by_tag_whatever_their_order():
    assert (
        from_node(Sample, structure("Get", DATA, UID))
        == from_node(Sample, structure("Get", UID, DATA))
        == Sample("a", data=b"x")
    )


def test_repeated_field_keeps_the_order_of_the_wire():
    other = structure("Name", Node("NameValue", ItemType.TEXT_STRING, "m"))
    read = from_node(Sample, structure("Get", other, UID, NAME))
    assert read.names == (Inner("m"), Inner("n"))


def test_declared_noise_is_ignored():
    noise = Node("Comment", ItemType.TEXT_STRING, "hello")
    assert from_node(Sample, structure("Get", UID, noise)) == Sample("a")


def test_fields_are_written_in_the_order_of_declaration_and_none_is_left_out():
    value = Sample("a", ObjectType.SECRET_DATA, fresh=False, names=(Inner("n"),))
    assert [child.tag for child in to_node(value, "Get").value] == [
        "UniqueIdentifier",
        "ObjectType",
        "Fresh",
        "Name",
    ]


@each_row(
    ("children", "error", "tag"),
    [
        pytest.param([DATA], MissingData, "UniqueIdentifier", id="required and absent"),
        pytest.param([], MissingData, "UniqueIdentifier", id="nothing at all"),
        pytest.param([UID, UID], InvalidMessage, "UniqueIdentifier", id="twice"),
        pytest.param([UID, DATA, DATA], InvalidMessage, "Data", id="optional one twice"),
        pytest.param(
            [UID, Node("Salt", ItemType.BYTE_STRING, b"")], InvalidField, "Salt", id="undeclared"
        ),
        pytest.param(
            [UID, Node("Data", ItemType.TEXT_STRING, "x")], InvalidField, "Data", id="text as bytes"
        ),
        pytest.param(
            [Node("UniqueIdentifier", ItemType.ENUMERATION, 1)],
            InvalidField,
            "UniqueIdentifier must be a TextString",
            id="placeholder number as identifier",
        ),
        pytest.param(
            [UID, Node("Fresh", ItemType.INTEGER, 1)], InvalidField, "Fresh", id="1 as true"
        ),
        pytest.param(
            [UID, Node("ObjectType", ItemType.INTEGER, 2)],
            InvalidField,
            "ObjectType",
            id="integer as enumeration",
        ),
        pytest.param(
            [UID, Node("ObjectType", ItemType.ENUMERATION, 11)],
            InvalidField,
            "ObjectType has no value 11",
            id="reserved value",
        ),
        pytest.param(
            [UID, Node("UsageLimitsTotal", ItemType.INTEGER, 2)],
            InvalidField,
            "UsageLimitsTotal must be a LongInteger",
            id="integer as long",
        ),
        pytest.param(
            [UID, Node("InitialDate", ItemType.LONG_INTEGER, 2)],
            InvalidField,
            "InitialDate must be a DateTime",
            id="long as date",
        ),
        pytest.param(
            [UID, Node("Name", ItemType.TEXT_STRING, "n")],
            InvalidField,
            "Name must be a Structure",
            id="text as structure",
        ),
        pytest.param(
            [UID, structure("Name")], MissingData, "NameValue is missing in Name", id="inner part"
        ),
        pytest.param(
            [UID, structure("Name", UID)], InvalidField, "UniqueIdentifier", id="inner stranger"
        ),
    ],
)
def test_structure_that_is_not_as_declared_is_refused_by_name(children, error, tag):
    with pytest.raises(error, match=tag):
        from_node(Sample, structure("Get", *children))


def test_leaf_is_no_structure():
    with pytest.raises(InvalidField, match="UniqueIdentifier must be a Structure"):
        from_node(Sample, UID)


def test_tag_of_a_field_is_its_name_unless_declared_otherwise():
    assert tag_of(Sample, "initial_date") == "InitialDate"
    assert tag_of(Sample, "names") == "Name"


FAMILIES = [
    each
    for each in vars(payloads).values()
    if inspect.ismodule(each) and each.__name__.startswith(payloads.__name__)
]
#: What is read and written by a Custom where it stands as a field.
CUSTOM = {"AttributeReference", "DateRange", "EncodedKeyValue", "KeyBlock", "LocateCriteria"}
DECLARED = [
    cls
    for module in (structures, attributes, objects, *FAMILIES)
    for cls in vars(module).values()
    if inspect.isclass(cls) and hasattr(cls, "__dataclass_fields__")
    if cls.__module__ == module.__name__
    if cls.__name__ not in CUSTOM
]


@each_row("cls", DECLARED, ids=lambda cls: cls.__name__)
@settings(deadline=None, max_examples=8)
@given(data=st.data())
def test_every_declared_field_comes_back_as_it_went(cls, data):
    value = data.draw(values_of(cls))
    assume(value != payloads.QueryRequest(()))  # at least one function is required
    assert from_node(cls, to_node(value, "Attributes")) == value
