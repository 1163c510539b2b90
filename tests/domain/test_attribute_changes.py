"""What becomes of an object's attributes when clients change them (KMIP 2.1 §6.1)."""

from __future__ import annotations

import dataclasses

import pytest

from kms_tornado.domain.attribute_changes import (
    add_instance,
    check_distinct,
    delete_instances,
    delete_numbered,
    delete_vendor_instance,
    modify_instance,
    modify_numbered,
    set_instance,
)
from kms_tornado.domain.attribute_rules import (
    AttributeState,
)
from kms_tornado.errors import (
    AttributeInstanceNotFound,
    AttributeNotFound,
    AttributeReadOnly,
    AttributeSingleValued,
    InvalidAttributeValue,
    InvalidField,
    MultiValuedAttribute,
    NonUniqueName,
)
from kms_tornado.kmip.attribute_instance import AttributeInstance as Instance
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import LinkType, State
from kms_tornado.kmip.structures import Link, Name, VendorAttribute
from kms_tornado.kmip.ttlv import ItemType, Node

from ..rows import each_row

NOW = 1_800_000_000
S = State


BARCODE = VendorAttribute("x", "Barcode", Node("AttributeValue", ItemType.TEXT_STRING, "1"))


def held(state=S.ACTIVE, **attributes):
    return AttributeState(Attributes(**attributes), state, NOW)


@each_row("state", sorted(set(State) - {S.DESTROYED, S.DESTROYED_COMPROMISED}))
@each_row("field", ["comment", "description", "contact_information"])
def test_free_attribute_of_one_value_comes_and_goes(field, state):
    one = add_instance(held(state), Instance(field, "a"))
    assert getattr(one, field) == "a"
    with pytest.raises(AttributeSingleValued):
        add_instance(AttributeState(one, state, NOW), Instance(field, "b"))
    for change in (set_instance, modify_instance):
        assert getattr(change(AttributeState(one, state, NOW), Instance(field, "b")), field) == "b"
    assert getattr(set_instance(held(state), Instance(field, "b")), field) == "b"
    assert getattr(delete_instances(AttributeState(one, state, NOW), field), field) is None
    assert getattr(delete_instances(AttributeState(one, state, NOW), field, "a"), field) is None
    for change in (modify_instance, lambda what, new: delete_instances(what, new.field)):
        with pytest.raises(AttributeNotFound):
            change(held(state), Instance(field, "b"))
    for current in (Instance(field, "other"),):
        with pytest.raises(AttributeInstanceNotFound):
            modify_instance(AttributeState(one, state, NOW), Instance(field, "b"), current)
        with pytest.raises(AttributeInstanceNotFound):
            delete_instances(AttributeState(one, state, NOW), field, "other")


A, B, C = Name("a"), Name("b"), Name("c")


def names(*values):
    return held(names=values)


@each_row(
    ("change", "after"),
    [
        pytest.param(lambda: add_instance(names(), Instance("names", A)), (A,), id="the first"),
        pytest.param(lambda: add_instance(names(A), Instance("names", B)), (A, B), id="one more"),
        pytest.param(
            lambda: add_instance(names(A), Instance("names", A)), NonUniqueName, id="again"
        ),
        pytest.param(
            lambda: set_instance(names(A), Instance("names", B)), MultiValuedAttribute, id="set"
        ),
        pytest.param(
            lambda: modify_instance(names(A), Instance("names", B)), (B,), id="modify the only"
        ),
        pytest.param(
            lambda: modify_instance(names(A, B), Instance("names", C)),
            MultiValuedAttribute,
            id="modify which?",
        ),
        pytest.param(
            lambda: modify_instance(names(A, B), Instance("names", C), Instance("names", B)),
            (A, C),
            id="modify this one",
        ),
        pytest.param(
            lambda: modify_instance(names(A, B), Instance("names", A), Instance("names", B)),
            NonUniqueName,
            id="modify into another",
        ),
        pytest.param(
            lambda: modify_instance(names(A), Instance("names", A)), (A,), id="modify into itself"
        ),
        pytest.param(
            lambda: modify_instance(names(A), Instance("names", C), Instance("names", B)),
            AttributeInstanceNotFound,
            id="modify what is not there",
        ),
        pytest.param(
            lambda: modify_instance(names(A), Instance("names", C), Instance("comment", "a")),
            InvalidField,
            id="current of another attribute",
        ),
        pytest.param(
            lambda: modify_instance(names(), Instance("names", A)),
            AttributeNotFound,
            id="modify none",
        ),
        pytest.param(lambda: delete_instances(names(A, B), "names", A), (B,), id="delete one"),
        pytest.param(lambda: delete_instances(names(A, B), "names"), (), id="delete all"),
        pytest.param(
            lambda: delete_instances(names(A), "names", B),
            AttributeInstanceNotFound,
            id="delete another",
        ),
        pytest.param(
            lambda: delete_instances(names(), "names"), AttributeNotFound, id="delete none"
        ),
    ],
)
def test_attribute_of_several_values(change, after):
    if isinstance(after, tuple):
        assert change().names == after
    else:
        with pytest.raises(after):
            change()


def test_same_link_is_there_once():
    link = Link(LinkType.NEXT_LINK, "x")
    with pytest.raises(InvalidAttributeValue):
        add_instance(held(links=(link,)), Instance("links", link))


def vendor(name, value, vendor_identification="x"):
    return VendorAttribute.of_bytes(vendor_identification, name, value)


ID1, ID2, OTHER = vendor("ID", b"1"), vendor("ID", b"2"), vendor("ID", b"1", "y")


@pytest.mark.parametrize(
    ("change", "after"),
    [
        pytest.param(
            lambda h, new: add_instance(h, new), {(): (ID2,), (OTHER,): (OTHER, ID2)}, id="add"
        ),
        pytest.param(
            lambda h, new: set_instance(h, new),
            {(): (ID2,), (ID1,): (ID2,), (OTHER, ID1): (OTHER, ID2)},
            id="set",
        ),
        pytest.param(
            lambda h, new: modify_instance(h, new),
            {(ID1,): (ID2,), (OTHER, ID1): (OTHER, ID2)},
            id="modify",
        ),
    ],
)
def test_vendor_attribute_is_known_by_vendor_and_name(change, after):
    for before, expected in after.items():
        found = change(held(vendor_attributes=before), Instance("vendor_attributes", ID2))
        assert found.vendor_attributes == expected


def test_vendor_attribute_has_one_value():
    there = held(vendor_attributes=(ID1, vendor("ID", b"1", "acme")))
    with pytest.raises(AttributeSingleValued):
        add_instance(there, Instance("vendor_attributes", vendor("ID", b"2", "acme")))
    with pytest.raises(AttributeNotFound):
        modify_instance(there, Instance("vendor_attributes", OTHER))
    with pytest.raises(InvalidField):
        modify_instance(
            there, Instance("vendor_attributes", OTHER), Instance("vendor_attributes", ID1)
        )
    assert delete_vendor_instance(there, "acme", "ID").vendor_attributes == (ID1,)
    with pytest.raises(AttributeNotFound):
        delete_vendor_instance(there, "y", "ID")


def test_custom_attribute_may_have_several_values():
    there = held(vendor_attributes=(ID1,))
    both = add_instance(there, Instance("vendor_attributes", ID2))
    assert both.vendor_attributes == (ID1, ID2)
    there, third = held(vendor_attributes=(OTHER, ID1, ID2)), vendor("ID", b"3")
    new = Instance("vendor_attributes", third)
    changed = modify_instance(there, new, Instance("vendor_attributes", ID2))
    assert changed.vendor_attributes == (OTHER, ID1, third)
    for change in (modify_instance, set_instance):
        with pytest.raises(MultiValuedAttribute):
            change(there, new)
    with pytest.raises(InvalidAttributeValue):
        add_instance(there, Instance("vendor_attributes", ID1))
    assert delete_vendor_instance(there, "x", "ID").vendor_attributes == (OTHER,)


@each_row(
    "attributes",
    [
        Attributes(object_groups=("a", "b", "a")),
        Attributes(names=(Name("n"), Name("n"))),
        Attributes(vendor_attributes=(BARCODE, BARCODE)),
    ],
)
def test_new_object_has_no_value_twice(attributes):
    with pytest.raises(
        InvalidAttributeValue, match=r"^(ObjectGroup|Name|Barcode) has the same value twice$"
    ):
        check_distinct(attributes)


def test_new_object_has_one_value_of_a_vendors_attribute_but_for_custom_ones_of_kmip_1():
    one, other = (
        VendorAttribute("acme", "a", Node("AttributeValue", ItemType.TEXT_STRING, value))
        for value in "12"
    )
    with pytest.raises(AttributeSingleValued):
        check_distinct(Attributes(vendor_attributes=(one, other)))
    check_distinct(
        Attributes(vendor_attributes=(one, dataclasses.replace(other, attribute_name="b")))
    )


def test_new_object_may_have_values_that_differ():
    other = VendorAttribute("x", "Barcode", Node("AttributeValue", ItemType.INTEGER, 1))
    check_distinct(
        Attributes(object_groups=("a", "b"), vendor_attributes=(BARCODE, other), comment="aa")
    )
    # As many as a message may hold: they are compared with one another in one go.
    check_distinct(Attributes(object_groups=tuple(map(str, range(20_000)))))


def test_one_value_is_deleted_where_an_older_object_has_it_twice():
    twice = held(vendor_attributes=(BARCODE, BARCODE))
    after, deleted = delete_numbered(twice, "vendor_attributes", 1, BARCODE.key)
    assert after.vendor_attributes == (BARCODE,)
    assert deleted.value == BARCODE


def test_number_of_a_value_is_0_where_there_is_one():
    one = held(comment="a")
    assert modify_numbered(one, Instance("comment", "b"), 0).comment == "b"
    assert delete_numbered(one, "comment", 0)[0].comment is None
    with pytest.raises(AttributeInstanceNotFound):
        modify_numbered(one, Instance("comment", "b"), 1)
    with pytest.raises(AttributeInstanceNotFound):
        delete_numbered(one, "comment", 1)


def test_what_clients_cannot_change_is_read_only_whatever_the_number():
    """State is stored apart, and is none of these attributes."""
    for number in (0, 1):
        with pytest.raises(AttributeReadOnly):
            delete_numbered(held(), "state", number)
        with pytest.raises(AttributeReadOnly):
            modify_numbered(held(), Instance("state", S.ACTIVE), number)
