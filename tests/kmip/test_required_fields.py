"""What the structures of an answer cannot do without."""

from __future__ import annotations

import pytest

from kms_tornado.kmip.payloads import GetAttributesResponse, GetResponse, QueryResponse
from kms_tornado.kmip.required_fields import collect_required

from ..rows import each_row


@each_row(
    ("cls", "structure", "required"),
    [
        pytest.param(
            GetAttributesResponse, "Payload", {"UniqueIdentifier", "Attributes"}, id="a payload"
        ),
        pytest.param(
            GetAttributesResponse, "Link", {"LinkType", "LinkedObjectIdentifier"}, id="an attribute"
        ),
        pytest.param(GetAttributesResponse, "Attributes", set(), id="attributes"),
        pytest.param(GetResponse, "SymmetricKey", {"KeyBlock"}, id="an object"),
        pytest.param(GetResponse, "KeyBlock", {"KeyFormatType"}, id="a key block"),
        pytest.param(GetResponse, "KeyWrappingData", {"WrappingMethod"}, id="deep in an object"),
        pytest.param(QueryResponse, "ProfileInformation", {"ProfileName"}, id="part of a payload"),
        pytest.param(QueryResponse, "RNGParameters", {"RNGAlgorithm"}, id="a shared class"),
        pytest.param(QueryResponse, "Payload", set(), id="lists may be empty"),
    ],
)
def test_structure_requires_what_its_declaration_does(cls, structure, required):
    assert collect_required(cls, "Payload")[structure] == required


def test_object_is_required_under_any_of_its_tags():
    assert {"SymmetricKey", "Certificate"} <= collect_required(GetResponse, "Payload")["Payload"]
