"""Requests of KMIP 1 become those of KMIP 2, and answers the reverse, operation by operation."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kms_tornado import errors
from kms_tornado.kmip.attribute_instance import AttributeInstance
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.codecs import binary_codec, json_codec
from kms_tornado.kmip.enums import (
    CryptographicAlgorithm,
    LinkType,
    ObjectType,
    Operation,
    State,
)
from kms_tornado.kmip.gates import GATES
from kms_tornado.kmip.kmip1.names import NAMES, TAGS
from kms_tornado.kmip.kmip1.payloads import read_payload
from kms_tornado.kmip.kmip1.rows import ROWS
from kms_tornado.kmip.messages.bodies import parse_binary_message, parse_message
from kms_tornado.kmip.messages.requests import RequestMessage
from kms_tornado.kmip.messages.responses import render_response, render_success
from kms_tornado.kmip.payloads import (
    AddAttributeResponse,
    AttributeReference,
    DeleteAttributeRequest,
    ExportResponse,
    GetAttributeListResponse,
    GetAttributesResponse,
    LocateRequest,
)
from kms_tornado.kmip.structures import (
    Link,
    Name,
    VendorAttribute,
    X509CertificateIdentifier,
)
from kms_tornado.kmip.tables import OPERATION_TAGS, TAG_NUMBERS
from kms_tornado.kmip.ttlv import Dialect, ItemType, Node, children_of, structure
from kms_tornado.kmip.version_gate import VersionGate
from kms_tornado.kmip.versions import HISTORY, SUPPORTED_VERSIONS, ProtocolVersion
from kms_tornado.service.catalogue import CATALOGUE

from ...rows import each_row
from ..payload_table import PAYLOADS
from ..strategies import nodes, values_of

VERSIONS = [version for version in SUPPORTED_VERSIONS if version.is_kmip1]
V10, V11, V12, V14 = (ProtocolVersion(1, minor) for minor in (0, 1, 2, 4))

TEXT, INTEGER, ENUMERATION = ItemType.TEXT_STRING, ItemType.INTEGER, ItemType.ENUMERATION


def text(tag: str, value: str) -> Node:
    return Node(tag, TEXT, value)


def attribute(name: str, value: object, index: int | None = None) -> Node:
    """value: a text, a number of an Integer, an item, or the fields of a structure."""
    match value:
        case str():
            node = text("AttributeValue", value)
        case int():
            node = Node("AttributeValue", INTEGER, value)
        case Node():
            node = value._replace(tag="AttributeValue")
        case _:
            node = structure("AttributeValue", *value)
    number = () if index is None else (Node("AttributeIndex", INTEGER, index),)
    return structure("Attribute", text("AttributeName", name), *number, node)


AES = Node("", ENUMERATION, int(CryptographicAlgorithm.AES))
NAMED = attribute("Name", (text("NameValue", "n"), Node("NameType", ENUMERATION, 1)))


def request_message(version: ProtocolVersion, operation: Operation, *payload: Node) -> Node:
    number = lambda tag, value: Node(tag, INTEGER, value)  # noqa: E731
    return structure(
        "RequestMessage",
        structure(
            "RequestHeader",
            structure(
                "ProtocolVersion",
                number("ProtocolVersionMajor", version.protocol_version_major),
                number("ProtocolVersionMinor", version.protocol_version_minor),
            ),
            number("BatchCount", 1),
        ),
        structure(
            "BatchItem",
            Node("Operation", ENUMERATION, int(operation)),
            structure("RequestPayload", *payload),
        ),
    )


def read(version: ProtocolVersion, operation: Operation, *payload: Node) -> object:
    """The request, which both encodings have alike."""
    tree = request_message(version, operation, *payload)
    in_json = parse_message(json_codec.format(tree, Dialect.OASIS), PAYLOADS)
    in_binary = parse_binary_message(binary_codec.format(tree), PAYLOADS)
    assert in_json.header is not None
    assert in_json.header == in_binary.header
    one, other = in_json.items[0].request, in_binary.items[0].request
    if isinstance(one, errors.KMIPError):
        assert (type(one), str(one)) == (type(other), str(other))
    else:
        assert one == other
    return one


def answer(version: ProtocolVersion, operation: Operation, response: object) -> list[Node]:
    """The fields of the answer's payload."""
    message = parse_binary_message(
        binary_codec.format(request_message(version, operation)), PAYLOADS
    )
    assert isinstance(message, RequestMessage)
    item = render_success(message.items[0], response, message.gate)
    root = render_response(message, [item], now=0)
    return [*children_of(children_of(children_of(root)[1])[-1])]


def gate_of(version: ProtocolVersion) -> VersionGate:
    gate = GATES[version]
    assert gate is not None
    return gate


# --- requests -----------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_template_attribute_becomes_attributes(version):
    request = read(
        version,
        Operation.CREATE,
        Node("ObjectType", ENUMERATION, 2),
        structure(
            "TemplateAttribute",
            attribute("Cryptographic Algorithm", AES),
            attribute("Cryptographic Length", 256, index=0),
            attribute("Cryptographic Usage Mask", 12),
            NAMED,
            attribute("x-Purpose", "tests"),
            attribute("Operation Policy Name", "default"),
        ),
    )
    assert request.attributes == Attributes(
        cryptographic_algorithm=CryptographicAlgorithm.AES,
        cryptographic_length=256,
        cryptographic_usage_mask=12,
        names=(Name("n"),),
        vendor_attributes=(
            VendorAttribute("x", "Purpose", text("AttributeValue", "tests")),
            VendorAttribute("KMIP1", "Operation Policy Name", text("AttributeValue", "default")),
        ),
    )


@pytest.mark.parametrize(
    "tags",
    [("Attribute", "AttributeName", "AttributeValue"), ("0x420008", "0x42000A", "0x42000B")],
    ids=["names", "numbers"],
)
def test_value_is_a_name_in_json_as_under_the_tag_of_the_attribute(tags):
    outer, name_tag, value_tag = tags
    named = {"tag": name_tag, "type": "TextString", "value": "Cryptographic Algorithm"}
    for spelling in ("AES", "0x00000003", 3):
        value = {"tag": value_tag, "type": "Enumeration", "value": spelling}
        for fields in ([named, value], [value, named]):
            text_of_it = json.dumps({"tag": outer, "type": "Structure", "value": fields})
            node, _ = json_codec.parse(text_of_it.encode())
            assert Node("AttributeValue", ENUMERATION, 3) in children_of(node)
    written = json.loads(
        json_codec.format(attribute("Cryptographic Usage Mask", 12), Dialect.OASIS)
    )
    assert written["value"][1]["value"] == "Encrypt|Decrypt"


def test_key_pair_has_three_templates():
    request = read(
        V10,
        Operation.CREATE_KEY_PAIR,
        structure("CommonTemplateAttribute", attribute("Cryptographic Length", 2048)),
        structure("PrivateKeyTemplateAttribute", attribute("Cryptographic Usage Mask", 1)),
        structure("PublicKeyTemplateAttribute", attribute("Cryptographic Usage Mask", 2)),
    )
    assert request.common_attributes == Attributes(cryptographic_length=2048)
    assert request.private_key_attributes == Attributes(cryptographic_usage_mask=1)
    assert request.public_key_attributes == Attributes(cryptographic_usage_mask=2)


def test_locate_has_attributes_in_its_payload():
    request = read(
        V10, Operation.LOCATE, Node("OffsetItems", INTEGER, 16), NAMED, attribute("x-A", "b")
    )
    assert isinstance(request, LocateRequest)
    assert request.offset_items == 16
    assert [node.tag for node in request.criteria.attributes] == ["Name", "Attribute"]


def test_attributes_are_asked_for_by_name():
    request = read(
        V10,
        Operation.GET_ATTRIBUTES,
        *(text("AttributeName", name) for name in ("State", "x-A", "y-B", "Sensitive", "Nothing")),
    )
    assert request.attribute_references == (
        AttributeReference("State"),
        AttributeReference("A", "x"),
        AttributeReference("B", "y"),
        # What the version does not know refers to nothing, and is no error.
        AttributeReference("Sensitive", "KMIP1"),
        AttributeReference("Nothing", "KMIP1"),
    )


@pytest.mark.parametrize(
    ("sent", "index"),
    [([], 0), ([Node("AttributeIndex", INTEGER, 3)], 3)],
    ids=["left out", "sent"],
)
def test_delete_attribute_names_one_value(sent, index):
    request = read(V10, Operation.DELETE_ATTRIBUTE, text("AttributeName", "Name"), *sent)
    assert request == DeleteAttributeRequest(
        attribute_reference=AttributeReference("Name"), attribute_index=index
    )


@each_row(
    ("version", "operation", "payload", "error"),
    [
        pytest.param(
            V14,
            Operation.SET_ATTRIBUTE,
            [structure("NewAttribute", text("Comment", "x"))],
            "KMIP 1.4 has no operation SetAttribute",
            id="operation of 2.0",
        ),
        pytest.param(
            V12,
            Operation.CREATE,
            [structure("Attributes")],
            "TemplateAttribute is missing in RequestPayload",
            id="no template",
        ),
        pytest.param(
            V12,
            Operation.LOCATE,
            [structure("Attributes")],
            "KMIP 1.2 has no Attributes in Locate",
            id="attributes of 2.0",
        ),
        pytest.param(
            V12,
            Operation.GET_ATTRIBUTES,
            [Node("AttributeReference", ENUMERATION, 0x42008D)],
            "KMIP 1.2 has no AttributeReference in GetAttributes",
            id="reference of 2.0",
        ),
        pytest.param(
            V11,
            Operation.ADD_ATTRIBUTE,
            [attribute("Sensitive", Node("", ItemType.BOOLEAN, True))],
            "KMIP 1.1 has no attribute 'Sensitive'",
            id="younger attribute",
        ),
        pytest.param(
            V11,
            Operation.ADD_ATTRIBUTE,
            [attribute("cryptographic length", 1)],
            "KMIP 1.1 has no attribute 'cryptographic length'",
            id="name in another case",
        ),
        pytest.param(
            V10,
            Operation.CREATE,
            [structure("TemplateAttribute", structure("Name", text("NameValue", "t")))],
            "Name is not supported in TemplateAttribute: this server has no Templates",
            id="name of a Template",
        ),
        pytest.param(
            V10,
            Operation.ADD_ATTRIBUTE,
            [structure("Attribute", text("AttributeValue", "x"))],
            "AttributeName is missing in Attribute",
            id="no name",
        ),
        pytest.param(
            V10,
            Operation.ADD_ATTRIBUTE,
            [attribute("Comment", "x", index=-1)],
            "AttributeIndex must be an Integer from 0 on",
            id="negative index",
        ),
        pytest.param(
            V10,
            Operation.ADD_ATTRIBUTE,
            [],
            "Attribute is missing in RequestPayload",
            id="no attribute",
        ),
        pytest.param(
            V10,
            Operation.ADD_ATTRIBUTE,
            [structure("Attribute", text("AttributeName", "a"), text("AttributeName", "b"))],
            "KMIP 1.0 has no attribute|AttributeName is given twice in Attribute",
            id="two names",
        ),
        pytest.param(
            V10,
            Operation.ADD_ATTRIBUTE,
            [attribute("x-A", "x"), attribute("x-B", "x")],
            "Attribute is given twice in RequestPayload",
            id="two attributes",
        ),
        pytest.param(
            V10,
            Operation.CREATE,
            [structure("TemplateAttribute"), structure("TemplateAttribute")],
            "TemplateAttribute is given twice in RequestPayload",
            id="two templates",
        ),
        pytest.param(
            V10,
            Operation.DELETE_ATTRIBUTE,
            [text("AttributeName", "x-A"), text("AttributeName", "x-B")],
            "AttributeName is given twice in RequestPayload",
            id="two names to delete",
        ),
        pytest.param(
            V10,
            Operation.ADD_ATTRIBUTE,
            [attribute("x-A", "x", index=1)],
            "the server numbers a new value: leave AttributeIndex out of AddAttribute",
            id="a number of the client's",
        ),
        pytest.param(
            V10,
            Operation.LOCATE,
            [attribute("Certificate Subject", "CN=a")],
            "Certificate Subject can only be read: the server makes it of other attributes",
            id="an attribute that is made of others",
        ),
        pytest.param(
            V10,
            Operation.ADD_ATTRIBUTE,
            [attribute("Operation Policy Name", 5)],
            "the AttributeValue of Operation Policy Name must be a TextString",
            id="a kept attribute of another type",
        ),
        pytest.param(
            V10,
            Operation.GET_ATTRIBUTES,
            [text("AttributeName", "State"), text("AttributeName", "State")],
            "an AttributeName is given twice",
            id="two of one name",
        ),
    ],
)
def test_request_is_refused_in_words(version, operation, payload, error):
    request = read(version, operation, *payload)
    assert isinstance(request, errors.KMIPError)
    assert any(str(request).startswith(text) for text in error.split("|")), str(request)


_TAGS = st.sampled_from(
    [
        "Attribute",
        "AttributeIndex",
        "AttributeName",
        "AttributeReference",
        "AttributeValue",
        "Attributes",
        "CommonTemplateAttribute",
        "KeyBlock",
        "KeyMaterial",
        "KeyValue",
        "Name",
        "NewAttribute",
        "ObjectType",
        "PrivateKeyTemplateAttribute",
        "SymmetricKey",
        "Template",
        "TemplateAttribute",
        "UniqueIdentifier",
        "VendorIdentification",
    ]
)


@settings(deadline=None, max_examples=60)
@given(payload=st.lists(nodes(_TAGS), max_size=4), data=st.data())
def test_whatever_a_payload_holds_is_read_or_refused(payload, data):
    """By every operation: to make a payload takes longer than to read it."""
    whole = data.draw(st.sampled_from([structure("RequestPayload", *payload), *payload]))
    version = data.draw(st.sampled_from(VERSIONS))
    for operation in ROWS.keys() & CATALOGUE.keys():
        tree = request_message(version, operation)
        header, item = children_of(tree)
        changed = (*children_of(item)[:-1], whole._replace(tag="RequestPayload"))
        octets = binary_codec.format(structure(tree.tag, header, item._replace(value=changed)))
        (read,) = parse_binary_message(octets, PAYLOADS).items
        assert isinstance(read.request, (errors.KMIPError, PAYLOADS[operation].request)), operation


def test_every_operation_that_kmip_1_can_ask_for_has_a_row():
    lacking = gate_of(V14).refused.values
    offered = {operation for operation in CATALOGUE if ("Operation", int(operation)) not in lacking}
    assert offered <= ROWS.keys()


def test_operation_without_a_row_is_not_offered():
    with pytest.raises(errors.OperationNotSupported, match="Certify is not offered"):
        read_payload(Operation.CERTIFY, structure("RequestPayload"), gate_of(V14))


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_batch_stops_at_the_first_failure_unless_it_says_otherwise(version):
    tree = request_message(version, Operation.QUERY)
    header = parse_binary_message(binary_codec.format(tree), PAYLOADS).header
    assert header is not None
    assert header.batch_error_continuation_option.name == "STOP"


def test_asynchronous_indicator_is_a_boolean():
    tree = request_message(V10, Operation.QUERY, Node("QueryFunction", ENUMERATION, 1))
    header, item = children_of(tree)
    indicator = Node("AsynchronousIndicator", ItemType.BOOLEAN, True)
    changed = structure(tree.tag, header._replace(value=(*children_of(header), indicator)), item)
    message = parse_binary_message(binary_codec.format(changed), PAYLOADS)
    assert message.header is not None
    assert message.header.asynchronous_indicator is None


# --- answers ------------------------------------------------------------------------------------


def test_attributes_of_an_answer_are_named_and_numbered():
    attributes = Attributes(
        state=State.ACTIVE,
        names=(Name("a"), Name("b")),
        vendor_attributes=(
            VendorAttribute("x", "P", text("AttributeValue", "v")),
            VendorAttribute("cosmian", "tag", text("AttributeValue", "v")),
        ),
    )
    uid, *shown = answer(V10, Operation.GET_ATTRIBUTES, GetAttributesResponse("u", attributes))
    assert uid == text("UniqueIdentifier", "u")
    kind = Node("NameType", ENUMERATION, 1)
    assert shown == [
        attribute("Name", (text("NameValue", "a"), kind)),
        attribute("Name", (text("NameValue", "b"), kind), index=1),
        attribute("State", Node("", ENUMERATION, 2)),
        attribute("x-P", "v"),
    ]


def test_index_counts_values_that_the_version_cannot_show():
    """Or else a client of KMIP 1.0 would delete another link than it means."""
    attributes = Attributes(
        links=(Link(LinkType.PARENT_LINK, "p"), Link(LinkType.PUBLIC_KEY_LINK, "k"))
    )
    _, link = answer(V10, Operation.GET_ATTRIBUTES, GetAttributesResponse("u", attributes))
    assert children_of(link)[1] == Node("AttributeIndex", INTEGER, 1)


def test_list_of_attributes_is_one_of_names():
    response = GetAttributeListResponse(
        "u",
        (
            AttributeReference("State"),
            AttributeReference("Sensitive"),
            AttributeReference("ShortUniqueIdentifier"),
            AttributeReference("P", "x"),
            AttributeReference("tag", "cosmian"),
            AttributeReference("Operation Policy Name", "KMIP1"),
        ),
    )
    _, *names = answer(V10, Operation.GET_ATTRIBUTE_LIST, response)
    assert names == [
        text("AttributeName", name) for name in ("State", "x-P", "Operation Policy Name")
    ]


def test_list_is_without_attributes_whose_values_the_version_lacks():
    """Or else a client would ask for what it is not told."""
    listed = Attributes(
        cryptographic_algorithm=CryptographicAlgorithm.CHACHA20,
        state=State.ACTIVE,
        links=(Link(LinkType.PARENT_LINK, "p"),),
    )
    references = map(AttributeReference, ("CryptographicAlgorithm", "Link", "State"))
    response = GetAttributeListResponse("u", tuple(references), listed)
    for version, names in (
        (V10, ["State"]),
        (V12, ["Link", "State"]),
        (V14, ["Cryptographic Algorithm", "Link", "State"]),
    ):
        shown = answer(version, Operation.GET_ATTRIBUTE_LIST, response)[1:]
        assert shown == [text("AttributeName", name) for name in names]


CERTIFICATE = Attributes(
    certificate_subject_cn=("a,b", "c"),
    certificate_subject_c=("US",),
    certificate_issuer_o=(" O",),
    x_509_certificate_identifier=X509CertificateIdentifier(b"name", bytes.fromhex("020200DA")),
)

CERTIFICATE_OF_1_0 = [
    attribute("Certificate Identifier", (text("Issuer", r"O=\ O"), text("SerialNumber", "DA"))),
    attribute(
        "Certificate Subject",
        (text("CertificateSubjectDistinguishedName", r"CN=c,CN=a\,b,C=US"),),
    ),
    attribute("Certificate Issuer", (text("CertificateIssuerDistinguishedName", r"O=\ O"),)),
]


def test_certificate_has_the_attributes_of_1_0():
    response = GetAttributesResponse("u", CERTIFICATE)
    assert answer(V10, Operation.GET_ATTRIBUTES, response)[1:] == CERTIFICATE_OF_1_0


def test_attributes_of_1_0_are_asked_for_by_those_they_are_made_of():
    names = [text("AttributeName", "Certificate Identifier")]
    request = read(V10, Operation.GET_ATTRIBUTES, *names)
    asked = {reference.attribute_name for reference in request.attribute_references}
    assert {"X_509CertificateIdentifier", "CertificateIssuerCN"} <= asked
    message = parse_binary_message(
        binary_codec.format(request_message(V14, Operation.GET_ATTRIBUTES, *names)), PAYLOADS
    )
    item = render_success(message.items[0], GetAttributesResponse("u", CERTIFICATE), message.gate)
    # 1.4 has the X.509 Certificate Identifier, but was not asked for it.
    assert children_of(children_of(item)[-1])[1:] == (CERTIFICATE_OF_1_0[0],)


def test_list_names_what_1_0_has_of_a_certificate():
    tags = ("CertificateSubjectCN", "CertificateSubjectC", "X_509CertificateIdentifier")
    response = GetAttributeListResponse("u", tuple(map(AttributeReference, tags)))
    _, *names = answer(V10, Operation.GET_ATTRIBUTE_LIST, response)
    assert [name.value for name in names] == ["Certificate Subject", "Certificate Identifier"]


def test_answer_to_a_change_has_the_attribute():
    response = AddAttributeResponse("u", AttributeInstance("names", Name("b")), 1)
    assert answer(V10, Operation.ADD_ATTRIBUTE, response) == [
        text("UniqueIdentifier", "u"),
        attribute("Name", (text("NameValue", "b"), Node("NameType", ENUMERATION, 1)), index=1),
    ]


def test_export_has_the_attributes_before_the_object():
    response = ExportResponse(ObjectType.SYMMETRIC_KEY, "u", Attributes(state=State.DESTROYED))
    assert [node.tag for node in answer(V14, Operation.EXPORT, response)] == [
        "ObjectType",
        "UniqueIdentifier",
        "Attribute",
    ]


# --- nothing younger leaves ----------------------------------------------------------------------

#: Tags of KMIP 1.0 to 1.4 that no row of HISTORY has: those of the translation itself.
_ATTRIBUTE_NAMES = {version: set() for version in VERSIONS}
for _version in VERSIONS:
    _ATTRIBUTE_NAMES[_version] = {
        name for tag, name in NAMES.items() if tag not in gate_of(_version).absent.attributes
    }


_ONLY_IN_1 = {
    "Certificate Identifier",
    "Certificate Issuer",
    "Certificate Subject",
    "Operation Policy Name",
}


#: Tags are numbered as they came: the last one of each version (§9.1.3.1 of its specification).
_LAST_TAGS = dict(zip(VERSIONS, (0x124, 0xF7, 0xD3, 0xB7, 0xA1), strict=True))


def find_younger(gate: VersionGate, parent: str, node: Node) -> list[str]:
    """What the version lacks, by the table and by the number of the tag, and names of attributes that it does not have."""
    found = []
    for child in children_of(node):
        absent = gate.absent
        if (
            child.tag in absent.tags
            or (parent, child.tag) in absent.fields
            or child.type in absent.item_types
            or (child.type is ENUMERATION and (child.tag, child.value) in absent.values)
            or any(child.tag == mask and child.value & bit for mask, bit in absent.bits)
            or child.tag in ("Attributes", "AttributeReference", "NewAttribute")
            or 0x420000 + _LAST_TAGS[gate.version] < TAG_NUMBERS.get(child.tag, 0) < 0x540000
        ):
            found.append(f"{child.tag} in {parent}")
        if child.tag == "AttributeName":
            name = child.value
            is_custom = name[:2] in ("x-", "y-") or name in _ONLY_IN_1
            if not is_custom and name not in _ATTRIBUTE_NAMES[gate.version]:
                found.append(name)
        if child.tag == "Attribute":
            name, value = children_of(child)[0].value, children_of(child)[-1]
            tag = TAGS.get(name, "AttributeValue")
            found += find_younger(gate, child.tag, structure(child.tag, value._replace(tag=tag)))
        found += find_younger(gate, child.tag, child)
    return found


@each_row(
    "operation", [operation for operation in ROWS if operation in CATALOGUE], ids=lambda o: o.name
)
@settings(deadline=None, max_examples=15)
@given(data=st.data())
def test_nothing_younger_than_the_request_leaves(operation, data):
    """Every answer with whatever it may hold, in every version."""
    version = data.draw(st.sampled_from(VERSIONS))
    gate = gate_of(version)
    if ("Operation", int(operation)) in gate.absent.values:
        return
    response = data.draw(values_of(PAYLOADS[operation].response))
    try:
        fields = answer(version, operation, response)
    except errors.FeatureNotSupported:  # the answer cannot do without it, and says so
        return
    name = f"{OPERATION_TAGS[operation]}Response"
    assert find_younger(gate, name, structure(name, *fields)) == []


def test_table_of_names_has_every_attribute_of_kmip_1():
    younger = HISTORY[ProtocolVersion(2, 0)].added.attributes
    assert not younger & NAMES.keys()
    for version in VERSIONS:
        assert HISTORY[version].added.attributes <= NAMES.keys()
