"""Attributes: their tags, and what is not among them."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_tornado.errors import InvalidAttributeValue, InvalidField
from kms_tornado.kmip.attributes import (
    Attributes,
    parse_user_tags,
    with_user_tags,
    without_tags,
)
from kms_tornado.kmip.enums import State
from kms_tornado.kmip.schema import from_node
from kms_tornado.kmip.structures import VendorAttribute
from kms_tornado.kmip.ttlv import ItemType, Node, structure

from ..rows import each_row
from .strategies import texts

KEK = VendorAttribute.of_bytes("cosmian", "wrapping_key_id", b"kek")


def tagged(value: bytes | str, *, vendor: str = "cosmian", name: str = "tag") -> Attributes:
    item_type = ItemType.BYTE_STRING if isinstance(value, bytes) else ItemType.TEXT_STRING
    node = Node("AttributeValue", item_type, value)
    return Attributes(vendor_attributes=(VendorAttribute(vendor, name, node),))


def test_repr_shows_what_is_set_and_no_vendor_value():
    shown = repr(Attributes(cryptographic_length=256, vendor_attributes=(KEK,)))
    assert shown.startswith("Attributes(cryptographic_length=256, vendor_attributes=(")
    assert "kek" not in shown


# --- what is not declared -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "tag", ["IssuerDistinguishedName", "PrivateKey", "Data", "Attributes", "Remove", "Username"]
)
def test_attribute_that_is_not_supported_is_refused_by_name(tag):
    node = structure("Attributes", Node(tag, ItemType.TEXT_STRING, "x"))
    with pytest.raises(InvalidField, match=f"{tag} is not supported in Attributes"):
        from_node(Attributes, node)


# --- tags ---------------------------------------------------------------------------------------


@each_row(
    ("attributes", "tags"),
    [
        pytest.param(Attributes(), set(), id="no attribute"),
        pytest.param(tagged(b"[]"), set(), id="empty array"),
        pytest.param(tagged(b'["invoices"]'), {"invoices"}, id="bytes"),
        pytest.param(tagged('["invoices"]'), {"invoices"}, id="text"),
        pytest.param(tagged(b'["a","b","a"]'), {"a", "b"}, id="one twice"),
        pytest.param(tagged(' [ "a" ] '), {"a"}, id="blanks around"),
        pytest.param(tagged('["clé 🔑", " ", "a_b"]'), {"clé 🔑", " ", "a_b"}, id="any Unicode"),
        pytest.param(tagged(b"?", vendor="acme"), set(), id="another vendor's"),
        pytest.param(tagged(b"?", name="tags"), set(), id="another name"),
    ],
)
def test_tags_are_read(attributes, tags):
    assert parse_user_tags(attributes) == tags


@each_row(
    "value",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"invoices", id="bare word"),
        pytest.param(b'"invoices"', id="string"),
        pytest.param(b"{}", id="object"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[1]", id="number"),
        pytest.param(b"[null]", id="null inside"),
        pytest.param(b'[["a"]]', id="nested"),
        pytest.param(b'["a",]', id="trailing comma"),
        pytest.param(b'["a"', id="cut off"),
        pytest.param(b'["\xff"]', id="no UTF-8"),
        pytest.param(b'["\\ud800"]', id="lone surrogate"),
        pytest.param(b"[" * 5000, id="deep"),
        pytest.param(b'[""]', id="empty tag"),
        pytest.param(b'["a","_kk"]', id="system tag"),
        pytest.param(b'["\\u005fkk"]', id="system tag in disguise"),
        pytest.param(b'["a\\u0000"]', id="null character"),
    ],
)
def test_tags_in_another_shape_are_refused(value):
    with pytest.raises(InvalidAttributeValue, match="tag"):
        parse_user_tags(tagged(value))


def test_tags_of_another_type_are_refused():
    node = Node("AttributeValue", ItemType.INTEGER, 1)
    with pytest.raises(InvalidAttributeValue):
        parse_user_tags(Attributes(vendor_attributes=(VendorAttribute("cosmian", "tag", node),)))


def test_tag_attribute_given_twice_is_refused():
    twice = tagged(b'["a"]').vendor_attributes * 2
    with pytest.raises(InvalidField, match="twice"):
        parse_user_tags(Attributes(vendor_attributes=twice))


def test_tags_replace_those_before_and_leave_other_vendor_attributes():
    before = Attributes(vendor_attributes=(*tagged(b'["old"]').vendor_attributes, KEK))
    after = with_user_tags(before, {"new", "b"})
    assert parse_user_tags(after) == {"new", "b"}
    assert KEK in after.vendor_attributes
    assert with_user_tags(before, ()) == without_tags(before) == without_tags(after)
    assert without_tags(after).vendor_attributes == (KEK,)


def test_tags_are_written_as_the_clients_do():
    (attribute,) = with_user_tags(Attributes(), ["invoices"]).vendor_attributes
    assert attribute == VendorAttribute.of_bytes(
        "cosmian", "tag", bytes.fromhex("5B22696E766F69636573225D")
    )


@given(st.frozensets(texts.filter(lambda tag: tag and not tag.startswith("_"))))
def test_any_tags_come_back_as_they_went(tags):
    attributes = with_user_tags(Attributes(), tags)
    assert parse_user_tags(attributes) == tags


def test_attributes_take_the_names_of_their_fields_only():
    assert Attributes(state=None) == Attributes() != Attributes(comment="x")
    with pytest.raises(TypeError, match="colour"):
        Attributes(colour="red")
    with pytest.raises(dataclasses.FrozenInstanceError):
        Attributes().state = None


def test_replace_gives_a_copy_and_keeps_what_is_not_named():
    before = Attributes(comment="x", cryptographic_length=256)
    after = before.replace(comment="y", state=State.ACTIVE)
    assert before == Attributes(comment="x", cryptographic_length=256)
    assert after == Attributes(comment="y", cryptographic_length=256, state=State.ACTIVE)


def test_set_fields_are_those_with_a_value():
    attributes = Attributes(comment="x", names=(), state=None, sensitive=False)
    assert attributes.set_fields() == {"comment": "x", "sensitive": False}
