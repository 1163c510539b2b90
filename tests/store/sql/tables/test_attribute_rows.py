"""Attributes as the database holds them: what is written comes back, and the text stays as it is."""

from __future__ import annotations

from typing import get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kms_tornado.kmip.attribute_index import RetiredIndices
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.codecs import json_codec
from kms_tornado.kmip.enums import CryptographicAlgorithm, LinkType, State
from kms_tornado.kmip.schema import from_node, to_node
from kms_tornado.kmip.structures import Link, VendorAttribute
from kms_tornado.kmip.ttlv import structure
from kms_tornado.store.sql.tables.attribute_rows import (
    format_attributes,
    format_rows,
    parse_attributes,
    parse_rows,
    parse_text,
)

from ....kmip.strategies import nodes, values_of
from ....rows import each_row

KEK = VendorAttribute.of_bytes("cosmian", "wrapping_key_id", b"kek")
HINTS = get_type_hints(Attributes, include_extras=True)


@each_row("field", sorted(HINTS))
@settings(deadline=None, max_examples=15)
@given(data=st.data())
def test_attribute_comes_back_from_the_text_and_from_the_wire(field, data):
    attributes = Attributes(**{field: data.draw(values_of(HINTS[field]))})
    assert parse_attributes(parse_rows(format_attributes(attributes).text)) == attributes
    for dialect in json_codec.DIALECTS:
        body = json_codec.format(structure("Get", to_node(attributes, "Attributes")), dialect)
        (node,) = json_codec.parse(body)[0].value
        assert from_node(Attributes, node) == attributes


@given(nodes(st.just("AttributeValue")))
def test_vendor_value_keeps_its_type_in_the_text(value):
    attributes = Attributes(vendor_attributes=(VendorAttribute("x", "y", value),))
    assert parse_attributes(parse_rows(format_attributes(attributes).text)) == attributes


def test_text_is_compact_and_stays_as_it_is():
    # Stored in databases: a change needs a new version and a reader for this one.
    attributes = Attributes(
        cryptographic_algorithm=CryptographicAlgorithm.AES,
        cryptographic_length=256,
        sensitive=False,
        state=State.ACTIVE,
        links=(Link(LinkType.PARENT_LINK, "a"),),
        vendor_attributes=(KEK,),
    )
    text = (
        '{"v":1,"a":[["CryptographicAlgorithm",5,3],["CryptographicLength",2,256],'
        '["Link",1,[["LinkType",5,264],["LinkedObjectIdentifier",7,"a"]]],["Sensitive",6,false],'
        '["State",5,2],["Attribute",1,[["VendorIdentification",7,"cosmian"],'
        '["AttributeName",7,"wrapping_key_id"],["AttributeValue",8,"6b656b"]]]]}'
    )
    assert format_attributes(attributes).text == text
    assert parse_attributes(parse_rows(text)) == attributes
    retired = (RetiredIndices("Link", 0, 0), RetiredIndices("Name", 1, 3))
    with_retired = f'{text[:-1]},"r":[["Link",0,0],["Name",1,3]]}}'
    assert format_rows(parse_rows(text), retired) == with_retired
    assert parse_text(with_retired) == (parse_rows(text), retired)


@pytest.mark.parametrize("text", ["{}", '{"v":2,"a":[]}', '{"a":[]}'])
def test_text_of_another_version_is_refused(text):
    with pytest.raises(ValueError, match="version"):
        parse_attributes(parse_rows(text))
