"""One value of one attribute, as the operations on attributes send it."""

from __future__ import annotations

import pytest

from kms_tornado.errors import InvalidField
from kms_tornado.kmip.attribute_instance import AttributeInstance, read_instance, write_instance
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.structures import Name
from kms_tornado.kmip.ttlv import ItemType, Node, structure

COMMENT = Node("Comment", ItemType.TEXT_STRING, "x")
NAME = structure(
    "Name",
    Node("NameValue", ItemType.TEXT_STRING, "n"),
    Node("NameType", ItemType.ENUMERATION, 1),
)


@pytest.mark.parametrize(
    ("node", "instance", "attributes"),
    [
        pytest.param(
            COMMENT, AttributeInstance("comment", "x"), Attributes(comment="x"), id="one value"
        ),
        pytest.param(
            NAME,
            AttributeInstance("names", Name("n")),
            Attributes(names=(Name("n"),)),
            id="one of several values",
        ),
    ],
)
def test_instance_comes_back_as_it_went(node, instance, attributes):
    new = structure("NewAttribute", node)
    assert read_instance(new) == instance
    assert write_instance("NewAttribute", instance) == new
    assert instance.attributes == attributes
    assert instance.tag == node.tag


@pytest.mark.parametrize(
    "node",
    [
        pytest.param(structure("NewAttribute"), id="none"),
        pytest.param(structure("NewAttribute", COMMENT, NAME), id="two"),
        pytest.param(Node("NewAttribute", ItemType.TEXT_STRING, "x"), id="no structure"),
        pytest.param(structure("NewAttribute", structure("KeyBlock")), id="no attribute"),
    ],
)
def test_structure_without_exactly_one_attribute_is_refused(node):
    with pytest.raises(InvalidField):
        read_instance(node)
