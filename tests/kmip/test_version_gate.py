"""The gate: what a version lacks is in no request and no answer of it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kms_tornado import errors
from kms_tornado.kmip import versions
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.codecs import binary_codec, json_codec
from kms_tornado.kmip.enums import (
    CryptographicUsageMask,
    HashingAlgorithm,
    KeyFormatType,
    LinkType,
    ObjectType,
    Operation,
    ResultReason,
)
from kms_tornado.kmip.gates import GATES, make_gate
from kms_tornado.kmip.messages import requests
from kms_tornado.kmip.messages.bodies import parse_binary_message, parse_message, parse_request
from kms_tornado.kmip.messages.requests import RequestMessage
from kms_tornado.kmip.messages.responses import render_failure, render_response, render_success
from kms_tornado.kmip.objects import KeyBlock, SymmetricKey
from kms_tornado.kmip.payloads import (
    AttributeReference,
    EncryptRequest,
    EncryptResponse,
    GetAttributeListResponse,
    GetAttributesResponse,
    GetResponse,
    LocateRequest,
    LocateResponse,
    QueryResponse,
    ServerInformation,
)
from kms_tornado.kmip.schema import fields_of, from_node, tag_of, to_node
from kms_tornado.kmip.structures import (
    CryptographicParameters,
    Digest,
    Link,
    RotateName,
    VendorAttribute,
)
from kms_tornado.kmip.tables import OPERATION_TAGS, TAG_NUMBERS
from kms_tornado.kmip.ttlv import ItemType, Node, children_of, encoded_length
from kms_tornado.kmip.ttlv import structure as node_of
from kms_tornado.kmip.version_gate import VersionGate
from kms_tornado.kmip.versions import HISTORY, Changes, ProtocolVersion, Vocabulary

from ..kmip_items import batch_item, message, name, number, octets, structure, text, uid, version
from ..rows import each_row
from .payload_table import PAYLOADS
from .strategies import values_of

V10, V12, V13, V14 = (ProtocolVersion(1, minor) for minor in (0, 2, 3, 4))
V20, V21 = ProtocolVersion(2, 0), ProtocolVersion(2, 1)

#: As if 2.1 had brought one of everything, and dropped a field.
ROW = Changes(
    added=Vocabulary(
        attributes=frozenset({"Comment"}),
        tags=frozenset({"ObjectGroups"}),
        fields=frozenset(
            {
                ("Encrypt", "InitIndicator"),
                ("EncryptResponse", "CorrelationValue"),
                ("CryptographicParameters", "IVLength"),
                ("Locate", "OffsetItems"),
                ("BatchItem", "Ephemeral"),
                ("RequestHeader", "ClientCorrelationValue"),
                ("ResponseHeader", "ServerCorrelationValue"),
            }
        ),
        values=frozenset(
            {
                ("Operation", int(Operation.HASH)),
                ("HashingAlgorithm", int(HashingAlgorithm.SHA3_256)),
                ("HashingAlgorithm", int(HashingAlgorithm.SHA3_512)),
                ("KeyFormatType", int(KeyFormatType.PKCS12)),
                ("LinkType", int(LinkType.WRAPPING_KEY_LINK)),
                ("ObjectType", int(ObjectType.OPAQUE_OBJECT)),
                ("ResultReason", int(ResultReason.CONSTRAINT_VIOLATION)),
            }
        ),
        bits=frozenset({("CryptographicUsageMask", int(CryptographicUsageMask.UNRESTRICTED))}),
        item_types=frozenset({ItemType.DATE_TIME_EXTENDED}),
    ),
    removed=Vocabulary(fields=frozenset({("Encrypt", "FinalIndicator")})),
    taken_early=Vocabulary(fields=frozenset({("Locate", "OffsetItems")})),
    stand_ins={
        ("HashingAlgorithm", int(HashingAlgorithm.SHA3_512)): int(HashingAlgorithm.SHA_512),
        ("ResultReason", int(ResultReason.CONSTRAINT_VIOLATION)): int(ResultReason.INVALID_FIELD),
    },
)


def use(monkeypatch: pytest.MonkeyPatch, history: dict[ProtocolVersion, Changes]) -> None:
    """As if this were the table from which the server started."""
    gates = {version: make_gate(version, history) for version in history}
    monkeypatch.setattr(versions, "HISTORY", history)
    monkeypatch.setattr(requests, "GATES", gates)


@pytest.fixture
def row(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, {V20: Changes(), V21: ROW})


def read(spoken: ProtocolVersion, operation: str, *payload: dict, **more: object) -> RequestMessage:
    item = batch_item(operation, *payload)
    item["value"] += more.pop("in_item", [])
    header = [version(spoken.protocol_version_major, spoken.protocol_version_minor)]
    body = message(item, header=[*header, *more.pop("header", [])])
    encoded = json.dumps(body).encode()
    if more.pop("binary", False):
        return parse_binary_message(binary_codec.format(json_codec.parse(encoded)[0]), PAYLOADS)
    return parse_message(encoded, PAYLOADS)


def answer(spoken: ProtocolVersion, operation: str, response: object) -> Node:
    """The payload of the answer."""
    request = read(spoken, operation, uid("a"))
    (item,) = request.items
    root = render_response(request, [render_success(item, response, request.gate)], now=0)
    return children_of(root)[1].value[-1]


def attributes_in(spoken: ProtocolVersion, attributes: Attributes) -> Node:
    payload = answer(spoken, "GetAttributes", GetAttributesResponse("a", attributes))
    return children_of(payload)[1]


def tags_in(node: Node) -> list[str]:
    return [child.tag for child in children_of(node)]


def leaves_of(node: Node) -> Iterator[Node]:
    yield node
    for child in children_of(node):
        yield from leaves_of(child)


# --- requests -----------------------------------------------------------------------------------

HASH = structure("CryptographicParameters", name("HashingAlgorithm", "SHA_256"))
NEW_HASH = structure("CryptographicParameters", name("HashingAlgorithm", "SHA3_256"))


@pytest.mark.usefixtures("row")
@pytest.mark.parametrize("binary", [False, True], ids=["JSON", "binary"])
@pytest.mark.parametrize(
    ("operation", "payload", "text_of_refusal"),
    [
        pytest.param(
            "Encrypt",
            [octets("Data", b"x"), {"tag": "InitIndicator", "type": "Boolean", "value": True}],
            "KMIP 2.0 has no InitIndicator in Encrypt",
            id="a field",
        ),
        pytest.param(
            "Encrypt",
            [structure("CryptographicParameters", number("IVLength", 12))],
            "KMIP 2.0 has no IVLength in CryptographicParameters",
            id="a field of a structure",
        ),
        pytest.param(
            "AddAttribute",
            [structure("NewAttribute", text("Comment", "x"))],
            "KMIP 2.0 has no attribute Comment",
            id="a new attribute",
        ),
        pytest.param(
            "DeleteAttribute",
            [structure("CurrentAttribute", text("Comment", "x"))],
            "KMIP 2.0 has no attribute Comment",
            id="a current attribute",
        ),
        pytest.param(
            "Locate",
            [structure("Attributes", text("Comment", "x"))],
            "KMIP 2.0 has no attribute Comment",
            id="an attribute to locate by",
        ),
        *(
            pytest.param(
                "CreateKeyPair",
                [structure(tag, text("Comment", "x"))],
                "KMIP 2.0 has no attribute Comment",
                id=tag,
            )
            for tag in ("CommonAttributes", "PrivateKeyAttributes", "PublicKeyAttributes")
        ),
        *(
            pytest.param(
                operation,
                [name("AttributeReference", "Comment")],
                "KMIP 2.0 has no AttributeReference Comment",
                id=f"a reference in {operation}",
            )
            for operation in ("GetAttributes", "DeleteAttribute")
        ),
        pytest.param(
            "Get",
            [
                structure(
                    "KeyWrappingSpecification",
                    name("WrappingMethod", "Encrypt"),
                    text("AttributeName", "Comment"),
                )
            ],
            "KMIP 2.0 has no attribute Comment",
            id="an attribute to wrap",
        ),
        pytest.param(
            "Sign",
            [NEW_HASH],
            "KMIP 2.0 has no HashingAlgorithm SHA3_256",
            id="a value",
        ),
        pytest.param(
            "Encrypt",
            [
                structure(
                    "CryptographicParameters", name("MaskGeneratorHashingAlgorithm", "SHA3_256")
                )
            ],
            "KMIP 2.0 has no MaskGeneratorHashingAlgorithm SHA3_256",
            id="a value under another tag",
        ),
        pytest.param(
            "Create",
            [structure("Attributes", number("CryptographicUsageMask", 0x20000C))],
            "KMIP 2.0 has no bit 0x200000 in CryptographicUsageMask",
            id="a bit of a mask",
        ),
        pytest.param(
            "AddAttribute",
            [
                structure(
                    "NewAttribute",
                    structure(
                        "Attribute",
                        text("VendorIdentification", "x"),
                        text("AttributeName", "y"),
                        structure("AttributeValue", structure("ObjectGroups", text("Name", "z"))),
                    ),
                )
            ],
            "KMIP 2.0 has no ObjectGroups in AttributeValue",
            id="a tag in a vendor attribute",
        ),
        pytest.param(
            "AddAttribute",
            [
                structure(
                    "NewAttribute",
                    structure(
                        "Attribute",
                        text("VendorIdentification", "x"),
                        text("AttributeName", "y"),
                        {
                            "tag": "AttributeValue",
                            "type": "DateTimeExtended",
                            "value": "2020-01-01T00:00:00Z",
                        },
                    ),
                )
            ],
            "KMIP 2.0 has no item of type DateTimeExtended, as AttributeValue is",
            id="an item type",
        ),
    ],
)
def test_item_that_names_what_its_version_lacks_fails_in_words(
    operation, payload, text_of_refusal, binary
):
    (older,) = read(V20, operation, *payload, binary=binary).items
    (newer,) = read(V21, operation, *payload, binary=binary).items
    assert isinstance(older.request, errors.InvalidField)
    assert str(older.request).startswith(f"{text_of_refusal}: leave it out")
    assert "KMIP" not in str(newer.request)


@pytest.mark.usefixtures("row")
def test_operation_that_the_version_lacks_is_not_supported():
    (older,) = read(V20, "Hash", HASH, octets("Data", b"x")).items
    (newer,) = read(V21, "Hash", HASH, octets("Data", b"x")).items
    assert isinstance(older.request, errors.OperationNotSupported)
    assert older.operation is Operation.HASH
    assert not isinstance(newer.request, errors.KMIPError)


@pytest.mark.usefixtures("row")
def test_field_of_the_batch_item_fails_the_item():
    ephemeral = [{"tag": "Ephemeral", "type": "Boolean", "value": False}]
    (older,) = read(V20, "Get", uid("a"), in_item=ephemeral).items
    (newer,) = read(V21, "Get", uid("a"), in_item=ephemeral).items
    assert isinstance(older.request, errors.InvalidField)
    assert not isinstance(newer.request, errors.KMIPError)


@pytest.mark.usefixtures("row")
def test_field_of_the_header_fails_the_message():
    field = [text("ClientCorrelationValue", "x")]
    older = read(V20, "Get", uid("a"), header=field)
    assert older.header is None
    assert isinstance(older.items[0].request, errors.InvalidMessage)
    assert read(V21, "Get", uid("a"), header=field).header is not None


@pytest.mark.usefixtures("row")
def test_item_beside_a_refused_one_is_read():
    body = message(
        batch_item("Hash", HASH, item_id=b"1"),
        batch_item("Get", uid("a"), item_id=b"2"),
        header=[version(2, 0)],
    )
    refused, taken = parse_message(json.dumps(body).encode(), PAYLOADS).items
    assert isinstance(refused.request, errors.KMIPError)
    assert not isinstance(taken.request, errors.KMIPError)


@pytest.mark.usefixtures("row")
def test_what_a_version_dropped_is_gone_from_it_on():
    last = {"tag": "FinalIndicator", "type": "Boolean", "value": True}
    (older,) = read(V20, "Encrypt", octets("Data", b"x"), last).items
    (newer,) = read(V21, "Encrypt", octets("Data", b"x"), last).items
    assert isinstance(older.request, EncryptRequest)
    assert isinstance(newer.request, errors.InvalidField)


@pytest.mark.usefixtures("row")
def test_field_that_is_taken_early_is_read():
    (item,) = read(V20, "Locate", number("OffsetItems", 16)).items
    assert item.request == LocateRequest(offset_items=16)


def test_bare_operation_passes_no_gate(monkeypatch):
    use(monkeypatch, {V20: Changes(), V21: Changes(removed=ROW.added)})
    body = structure("AddAttribute", structure("NewAttribute", text("Comment", "x")))
    assert parse_request(json.dumps(body).encode(), PAYLOADS).operation is Operation.ADD_ATTRIBUTE


# --- answers ------------------------------------------------------------------------------------


@pytest.mark.usefixtures("row")
@pytest.mark.parametrize(
    ("operation", "response", "older", "newer"),
    [
        pytest.param(
            "Encrypt",
            EncryptResponse("a", b"x", correlation_value=b"c"),
            ["UniqueIdentifier", "Data"],
            ["UniqueIdentifier", "Data", "CorrelationValue"],
            id="a field",
        ),
        pytest.param(
            "Query",
            QueryResponse(operations=(Operation.GET, Operation.HASH)),
            ["Operation"],
            ["Operation", "Operation"],
            id="a value",
        ),
        pytest.param(
            "GetAttributeList",
            GetAttributeListResponse(
                "a", (AttributeReference("Comment"), AttributeReference("Name"))
            ),
            ["UniqueIdentifier", "AttributeReference"],
            ["UniqueIdentifier", "AttributeReference", "AttributeReference"],
            id="a reference",
        ),
    ],
)
def test_answer_holds_only_what_its_version_has(operation, response, older, newer):
    assert tags_in(answer(V20, operation, response)) == older
    assert tags_in(answer(V21, operation, response)) == newer


def vendor_attribute(value: Node) -> Attributes:
    return Attributes(vendor_attributes=(VendorAttribute("x", "y", value),))


@pytest.mark.usefixtures("row")
@pytest.mark.parametrize(
    ("attributes", "shown"),
    [
        pytest.param(
            Attributes(comment="x", description="y"), Attributes(description="y"), id="it"
        ),
        pytest.param(
            Attributes(cryptographic_usage_mask=0x20000C),
            Attributes(cryptographic_usage_mask=12),
            id="a bit",
        ),
        pytest.param(
            Attributes(
                cryptographic_parameters=CryptographicParameters(iv_length=12, tag_length=8)
            ),
            Attributes(cryptographic_parameters=CryptographicParameters(tag_length=8)),
            id="a field of a structure",
        ),
        pytest.param(
            Attributes(
                cryptographic_parameters=CryptographicParameters(
                    hashing_algorithm=HashingAlgorithm.SHA3_256, tag_length=8
                )
            ),
            Attributes(cryptographic_parameters=CryptographicParameters(tag_length=8)),
            id="a value that is optional",
        ),
        pytest.param(
            Attributes(
                cryptographic_parameters=CryptographicParameters(
                    hashing_algorithm=HashingAlgorithm.SHA3_512
                )
            ),
            Attributes(
                cryptographic_parameters=CryptographicParameters(
                    hashing_algorithm=HashingAlgorithm.SHA_512
                )
            ),
            id="a value with a stand-in",
        ),
        pytest.param(
            Attributes(
                links=(
                    Link(LinkType.WRAPPING_KEY_LINK, "a"),
                    Link(LinkType.REPLACEMENT_OBJECT_LINK, "b"),
                )
            ),
            Attributes(links=(Link(LinkType.REPLACEMENT_OBJECT_LINK, "b"),)),
            id="a structure that requires the value",
        ),
        pytest.param(
            Attributes(digests=(Digest(HashingAlgorithm.SHA3_256, b"x"),)),
            Attributes(),
            id="the only structure",
        ),
        pytest.param(
            vendor_attribute(Node("AttributeValue", ItemType.DATE_TIME_EXTENDED, 1)),
            Attributes(),
            id="a vendor attribute of that type",
        ),
        pytest.param(
            vendor_attribute(
                node_of(
                    "AttributeValue",
                    Node("Comment", ItemType.TEXT_STRING, "a vendor's own"),
                    node_of("Link", Node("LinkType", ItemType.ENUMERATION, 0x10E)),
                )
            ),
            Attributes(),
            id="a vendor attribute that would not be whole",
        ),
        pytest.param(
            vendor_attribute(
                node_of("AttributeValue", Node("Comment", ItemType.TEXT_STRING, "a vendor's own"))
            ),
            vendor_attribute(
                node_of("AttributeValue", Node("Comment", ItemType.TEXT_STRING, "a vendor's own"))
            ),
            id="a vendor attribute that is no attribute of KMIP",
        ),
    ],
)
def test_attribute_that_the_version_lacks_is_left_out_with_what_makes_no_sense_without_it(
    attributes, shown
):
    assert attributes_in(V20, attributes) == to_node(shown, "Attributes")
    assert attributes_in(V21, attributes) == to_node(attributes, "Attributes")


@pytest.mark.usefixtures("row")
@pytest.mark.parametrize(
    ("object_type", "key_format", "lacking"),
    [
        pytest.param(
            ObjectType.OPAQUE_OBJECT, KeyFormatType.RAW, "ObjectType OpaqueObject", id="in payload"
        ),
        pytest.param(
            ObjectType.SYMMETRIC_KEY, KeyFormatType.PKCS12, "KeyFormatType PKCS_12", id="deep in it"
        ),
    ],
)
def test_answer_that_its_version_has_no_value_for_fails_in_words(object_type, key_format, lacking):
    response = GetResponse(object_type, "a", SymmetricKey(KeyBlock(key_format)))
    assert answer(V21, "Get", response)
    with pytest.raises(errors.FeatureNotSupported) as refused:
        answer(V20, "Get", response)
    assert str(refused.value) == (
        f"KMIP 2.0 has no {lacking}, which the answer cannot do without: ask in a newer version"
    )


@pytest.mark.usefixtures("row")
def test_reason_that_the_version_lacks_is_answered_by_the_one_that_stands_in():
    class ConstraintViolation(errors.KMIPError):
        reason = "Constraint Violation"

    for spoken, reason in (
        (V20, ResultReason.INVALID_FIELD),
        (V21, ResultReason.CONSTRAINT_VIOLATION),
    ):
        request = read(spoken, "Get", uid("a"))
        failed = render_failure(request.items[0], ConstraintViolation("no"))
        root = render_response(request, [failed], now=0, server_correlation_value="s")
        header, item = children_of(root)
        values = {child.tag: child.value for child in children_of(item)}
        assert (values["ResultReason"], values["ResultMessage"]) == (int(reason), "no")
        assert ("ServerCorrelationValue" in tags_in(header)) is (spoken == V21)


@pytest.mark.usefixtures("row")
def test_length_of_an_item_is_that_of_what_is_sent():
    response = GetAttributesResponse("a", Attributes(comment="x" * 100, description="y"))
    request = read(V20, "GetAttributes", uid("a"))
    rendered = render_success(request.items[0], response, request.gate)
    root = render_response(request, [rendered], now=0)
    assert encoded_length(rendered) == encoded_length(children_of(root)[1]) < 200


# --- 2.0 and 2.1 as they are ----------------------------------------------------------------------


def test_newest_version_passes_without_a_check():
    assert GATES[V21] is None
    assert read(V21, "Get", uid("a")).gate is None


def test_answer_of_2_0_tells_nothing_of_rotation():
    attributes = Attributes(
        cryptographic_length=256,
        rotate_automatic=True,
        rotate_date=1,
        rotate_generation=1,
        rotate_interval=1,
        rotate_latest=True,
        rotate_name=RotateName("x", 1),
        rotate_offset=1,
    )
    assert tags_in(attributes_in(V20, attributes)) == ["CryptographicLength"]
    assert attributes_in(V21, attributes) == to_node(attributes, "Attributes")
    references = tuple(
        AttributeReference(tag_of(Attributes, field)) for field in attributes.set_fields()
    )
    listed = answer(V20, "GetAttributeList", GetAttributeListResponse("a", references))
    assert [child.value for child in children_of(listed)[1:]] == [
        TAG_NUMBERS["CryptographicLength"]
    ]


@pytest.mark.parametrize(
    ("operation", "payload"),
    [
        pytest.param("Ping", [], id="operation"),
        pytest.param("GetAttributes", [name("AttributeReference", "RotateLatest")], id="reference"),
        pytest.param(
            "SetAttribute",
            [structure("NewAttribute", {"tag": "RotateInterval", "type": "Interval", "value": 60})],
            id="attribute",
        ),
    ],
)
def test_request_of_2_0_cannot_name_what_came_with_2_1(operation, payload):
    (older,) = read(V20, operation, *payload).items
    assert str(older.request).startswith("KMIP 2.0 has no ")


ALL_RESPONSES = [
    pytest.param(operation, classes.response, id=OPERATION_TAGS[operation])
    for operation, classes in PAYLOADS.items()
]


def find_lacking(gate: VersionGate, parent: str, node: Node) -> Iterator[tuple[str, Node]]:
    """Whatever the version lacks, found without the gate's own code."""
    absent = gate.absent
    for child in children_of(node):
        is_attribute = parent.endswith(("Attributes", "Attribute")) and parent != "Attribute"
        if (
            child.tag in absent.tags
            or (is_attribute and child.tag in absent.attributes)
            or (parent, child.tag) in absent.fields
            or child.type in absent.item_types
            or (child.type is ItemType.ENUMERATION and (child.tag, child.value) in absent.values)
            or any(child.tag == mask and child.value & bit for mask, bit in absent.bits)
        ):
            yield parent, child
        yield from find_lacking(gate, child.tag, child)


OLDER_GATES = {spoken: make_gate(spoken, HISTORY) for spoken in [*HISTORY][:-1]}


@each_row(("operation", "cls"), ALL_RESPONSES)
@settings(deadline=None, max_examples=12)
@given(data=st.data())
def test_any_answer_is_read_as_a_message_of_its_version(operation, cls, data):
    """Every payload with whatever it may hold: nothing too new is left, and it is still a payload."""
    spoken = data.draw(st.sampled_from(sorted(OLDER_GATES, key=str)))
    gate = OLDER_GATES[spoken]
    payload = to_node(data.draw(values_of(cls)), "ResponsePayload")
    try:
        shown = gate.restrict_payload(operation, payload, cls)
    except errors.FeatureNotSupported:  # in words: see the tests above
        return
    assert [*find_lacking(gate, f"{OPERATION_TAGS[operation]}Response", shown)] == []
    from_node(cls, with_formats_of_kmip_2(shown))
    assert gate.restrict_payload(operation, shown, cls) == shown


def with_formats_of_kmip_2(node: Node) -> Node:
    """Before 1.3, transparent keys on curves have formats of their own, which KMIP 2 has dropped."""
    if isinstance(node.value, tuple):
        return node._replace(value=tuple(map(with_formats_of_kmip_2, node.value)))
    if node.tag == "KeyFormatType":
        return node._replace(value={0x0E: 0x14, 0x0F: 0x15}.get(node.value, node.value))
    return node


# --- KMIP 1.0 to 1.4 ----------------------------------------------------------------------------

_ATTRIBUTES_OF_1_0 = """
    ActivationDate ApplicationSpecificInformation ArchiveDate CertificateType CompromiseDate
    CompromiseOccurrenceDate ContactInformation CryptographicAlgorithm
    CryptographicDomainParameters CryptographicLength CryptographicParameters
    CryptographicUsageMask DeactivationDate DestroyDate Digest InitialDate LastChangeDate LeaseTime
    Link Name ObjectGroup ObjectType ProcessStartDate ProtectStopDate RevocationReason State
    UniqueIdentifier UsageLimits Attribute
"""

_ATTRIBUTES_SINCE = {
    ProtocolVersion(1, 1): """CertificateLength X_509CertificateIdentifier X_509CertificateSubject
        X_509CertificateIssuer DigitalSignatureAlgorithm Fresh""",
    V12: "AlternativeName KeyValuePresent KeyValueLocation OriginalCreationDate",
    V13: "RandomNumberGenerator",
    V14: """Description Comment Sensitive AlwaysSensitive Extractable NeverExtractable
        PKCS_12FriendlyName""",
}


@pytest.mark.parametrize("minor", range(5))
def test_attributes_of_each_minor_version(minor):
    """KMIP 1: each version's own, and nothing of 2.x, whatever the server knows of an object."""
    spoken = ProtocolVersion(1, minor)
    gate = OLDER_GATES[spoken]
    known = {
        *_ATTRIBUTES_OF_1_0.split(),
        *(
            tag
            for since, tags in _ATTRIBUTES_SINCE.items()
            if since.protocol_version_minor <= minor
            for tag in tags.split()
        ),
    }
    for tag in (field.tag for field in fields_of(Attributes)):
        node = node_of("Attributes", Node(tag, ItemType.BYTE_STRING, b""))
        assert bool(gate.restrict("Attributes", node).value) is (tag in known), tag


def test_key_format_is_a_field_long_before_it_is_an_attribute():
    """Also Opaque Data Type, Certificate Type and others: an attribute of 2.x under an older tag."""
    block = KeyBlock(KeyFormatType.RAW)
    payload = answer(V10, "Get", GetResponse(ObjectType.SYMMETRIC_KEY, "a", SymmetricKey(block)))
    assert [leaf.value for leaf in leaves_of(payload) if leaf.tag == "KeyFormatType"] == [1]
    attributes = Attributes(key_format_type=KeyFormatType.RAW)
    assert tags_in(answer(V14, "GetAttributes", GetAttributesResponse("a", attributes))) == [
        "UniqueIdentifier"
    ]


@pytest.mark.parametrize(
    ("spoken", "operation", "response", "tags"),
    [
        pytest.param(
            V12, "Locate", LocateResponse(3, ("a",)), ["UniqueIdentifier"], id="LocatedItems of 1.3"
        ),
        pytest.param(
            V13,
            "Locate",
            LocateResponse(3, ("a",)),
            ["LocatedItems", "UniqueIdentifier"],
            id="LocatedItems in 1.3",
        ),
        pytest.param(
            V13,
            "Encrypt",
            EncryptResponse("a", b"x", authenticated_encryption_tag=b"t", correlation_value=b"c"),
            ["UniqueIdentifier", "Data", "CorrelationValue"],
            id="the tag of 1.4",
        ),
        pytest.param(
            V14,
            "Query",
            QueryResponse(
                operations=(Operation.GET, Operation.SET_ATTRIBUTE), protection_storage_masks=(1,)
            ),
            ["Operation"],
            id="what Query knows of 2.0",
        ),
        pytest.param(
            V14,
            "Query",
            QueryResponse(
                vendor_identification="v", server_information=ServerInformation(server_name="s")
            ),
            ["VendorIdentification", "ServerInformation"],
            id="what 2.0 tells of a server",
        ),
    ],
)
def test_later_fields_are_not_sent_to_earlier_clients(spoken, operation, response, tags):
    assert tags_in(answer(spoken, operation, response)) == tags


@pytest.mark.parametrize("minor", range(3))
def test_later_fields_are_accepted_early(minor):
    """Percona's keyring sends OffsetItems in 1.0."""
    (item,) = read(ProtocolVersion(1, minor), "Locate", number("OffsetItems", 16)).items
    assert item.request == LocateRequest(offset_items=16)


@pytest.mark.parametrize(
    ("operation", "payload"),
    [
        pytest.param("SetAttribute", [], id="SetAttribute is of 2.0"),
        pytest.param("Encrypt", [], id="Encrypt is of 1.2"),
        pytest.param("DiscoverVersions", [], id="DiscoverVersions is of 1.1"),
        pytest.param("Get", [name("UniqueIdentifier", "IDPlaceholder")], id="placeholder of 2.0"),
        pytest.param("Locate", [number("StorageStatusMask", 5)], id="storage of 2.0"),
    ],
)
def test_request_of_1_0_names_what_1_0_has(operation, payload):
    (item,) = read(V10, operation, *payload).items
    assert str(item.request).startswith("KMIP 1.0 has no ")


def reason_in(spoken: ProtocolVersion, reason: ResultReason) -> ResultReason:
    gate = OLDER_GATES[spoken]
    item = node_of("BatchItem", Node("ResultReason", ItemType.ENUMERATION, int(reason)))
    return ResultReason(gate.replace_reason(item).value[0].value)


@each_row(
    ("reason", "in_1_4", "in_1_0"),
    [
        pytest.param(reason, in_1_4, in_1_0, id=reason.name)
        for reason, in_1_4, in_1_0 in (
            (ResultReason.OBJECT_NOT_FOUND, 0x01, 0x01),
            (ResultReason.OBJECT_DESTROYED, 0x01, 0x01),
            (ResultReason.NON_UNIQUE_NAME_ATTRIBUTE, 0x07, 0x07),
            (ResultReason.INVALID_ATTRIBUTE_VALUE, 0x07, 0x07),
            (ResultReason.UNSUPPORTED_ATTRIBUTE, 0x07, 0x07),
            (ResultReason.OBJECT_ALREADY_EXISTS, 0x18, 0x07),
            (ResultReason.WRONG_KEY_LIFECYCLE_STATE, 0x0C, 0x0C),
            (ResultReason.INCOMPATIBLE_CRYPTOGRAPHIC_USAGE_MASK, 0x0C, 0x0C),
            (ResultReason.NOT_AUTHORISED, 0x0C, 0x0C),
            (ResultReason.SENSITIVE, 0x16, 0x0C),
            (ResultReason.NOT_EXTRACTABLE, 0x17, 0x0C),
            (ResultReason.UNSUPPORTED_CRYPTOGRAPHIC_PARAMETERS, 0x07, 0x07),
            (ResultReason.BAD_CRYPTOGRAPHIC_PARAMETERS, 0x0A, 0x0A),
            (ResultReason.MISSING_INITIALIZATION_VECTOR, 0x0A, 0x0A),
            (ResultReason.UNSUPPORTED_PROTOCOL_VERSION, 0x04, 0x04),
            (ResultReason.KEY_VALUE_NOT_PRESENT, 0x13, 0x100),
            (ResultReason.UNKNOWN_OBJECT_GROUP, 0x07, 0x07),
            (ResultReason.CONSTRAINT_VIOLATION, 0x0C, 0x0C),
            (ResultReason.UNKNOWN_TAG, 0x07, 0x07),
            (ResultReason.INTERNAL_SERVER_ERROR, 0x100, 0x100),
            (ResultReason.PERMISSION_DENIED, 0x0C, 0x0C),
        )
    ],
)
def test_reason_is_the_nearest_that_the_version_has(reason, in_1_4, in_1_0):
    assert reason_in(V14, reason) == in_1_4
    assert reason_in(V10, reason) == in_1_0


@each_row("reason", ResultReason, ids=lambda reason: reason.name)
def test_every_reason_has_a_number_of_1_0(reason):
    assert reason_in(V10, reason) in {*range(1, 0x12), 0x100}
