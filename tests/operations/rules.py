"""What an answer to a bare operation may contain (docs/dialects.md), as a walk over its items.

Two published clients read the answers, each with demands of its own; the rules are what both accept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

Item = dict[str, Any]

#: Names that the clients know, where the specification spells them in another way.
SPELLINGS = {
    "ObjectType": {
        "Certificate", "SymmetricKey", "PublicKey", "PrivateKey", "SecretData", "OpaqueObject",
    },
    "CryptographicAlgorithm": {
        "AES", "ChaCha20", "ChaCha20Poly1305", "THREE_DES", "HMACSHA1", "HMACSHA224", "HMACSHA256",
        "HMACSHA384", "HMACSHA512", "RSA", "EC", "ECDSA", "ECDH", "ECMQV", "Ed25519", "Ed448", "DSA",
        "DH",
    },
    "KeyFormatType": {
        "Raw", "Opaque", "PKCS1", "PKCS8", "X509", "ECPrivateKey", "TransparentSymmetricKey",
        "TransparentRSAPrivateKey", "TransparentRSAPublicKey", "TransparentECPrivateKey",
        "TransparentECPublicKey", "TransparentDSAPrivateKey", "TransparentDSAPublicKey",
        "TransparentDHPrivateKey", "TransparentDHPublicKey",
    },
    "State": {
        "PreActive", "Active", "Deactivated", "Compromised", "Destroyed", "Destroyed_Compromised",
    },
    "LinkType": {
        "CertificateLink", "PublicKeyLink", "PrivateKeyLink", "DerivationBaseObjectLink",
        "DerivedKeyLink", "ReplacementObjectLink", "ReplacedObjectLink", "ParentLink", "ChildLink",
        "PreviousLink", "NextLink", "PKCS12CertificateLink", "PKCS12PasswordLink", "WrappingKeyLink",
    },
    "RevocationReasonCode": {
        "Unspecified", "KeyCompromise", "CACompromise", "AffiliationChanged", "Superseded",
        "CessationOfOperation", "PrivilegeWithdrawn",
    },
}  # fmt: skip

#: What may stand inside the Object of a GetResponse.
IN_OBJECT = {
    "AttributeName", "AttributeValue", "Attributes", "ByteString", "CryptographicAlgorithm",
    "CryptographicLength", "CryptographicUsageMask", "Key", "KeyBlock", "KeyFormatType", "KeyMaterial",
    "KeyValue", "Link", "LinkType", "LinkedObjectIdentifier", "Object", "ObjectType",
    "VendorAttributes", "VendorIdentification", "CertificateType", "CertificateValue",
    "OpaqueDataType", "OpaqueDataValue", "SecretDataType", "KeyWrappingData", "WrappingMethod",
    "EncryptionKeyInformation", "UniqueIdentifier",
    "Modulus", "PublicExponent", "PrivateExponent", "P", "Q", "G", "X", "Y", "PrimeExponentP",
    "PrimeExponentQ", "CRTCoefficient", "RecommendedCurve", "D", "QString",
}  # fmt: skip

#: Operation → (children that must be there, others that may).
CHILDREN = {
    "Create": ({"ObjectType", "UniqueIdentifier"}, set()),
    "CreateKeyPair": ({"PrivateKeyUniqueIdentifier", "PublicKeyUniqueIdentifier"}, set()),
    "ReKeyKeyPair": ({"PrivateKeyUniqueIdentifier", "PublicKeyUniqueIdentifier"}, set()),
    "ReKey": ({"UniqueIdentifier"}, set()),
    "Register": ({"UniqueIdentifier"}, set()),
    "Import": ({"UniqueIdentifier"}, set()),
    "Get": ({"ObjectType", "UniqueIdentifier", "Object"}, set()),
    "Export": ({"ObjectType", "UniqueIdentifier", "Attributes"}, {"Object"}),
    "Encrypt": (
        {"UniqueIdentifier", "Data"},
        {"IvCounterNonce", "AuthenticatedEncryptionTag", "CorrelationValue"},
    ),
    "Decrypt": ({"UniqueIdentifier", "Data"}, {"CorrelationValue"}),
    "DeriveKey": ({"UniqueIdentifier"}, set()),
    "Sign": ({"UniqueIdentifier"}, {"SignatureData", "CorrelationValue"}),
    "SignatureVerify": ({"UniqueIdentifier"}, {"ValidityIndicator", "CorrelationValue"}),
    "MAC": ({"UniqueIdentifier"}, {"MACData", "CorrelationValue"}),
    "MACVerify": ({"UniqueIdentifier"}, {"ValidityIndicator", "CorrelationValue"}),
    "Hash": (set(), {"Data", "CorrelationValue"}),
    "RNGRetrieve": ({"Data"}, set()),
    "RNGSeed": ({"DataLength"}, set()),
    "Locate": ({"LocatedItems", "UniqueIdentifier"}, set()),
    "Revoke": ({"UniqueIdentifier"}, set()),
    "Destroy": ({"UniqueIdentifier"}, set()),
    "GetAttributes": ({"UniqueIdentifier", "Attributes"}, set()),
    "GetAttributeList": ({"UniqueIdentifier"}, {"AttributeReference"}),
    "ObtainLease": ({"UniqueIdentifier", "LeaseTime", "LastChangeDate"}, set()),
    **dict.fromkeys(
        [
            "AddAttribute",
            "SetAttribute",
            "ModifyAttribute",
            "DeleteAttribute",
            "Activate",
            "Check",
            "AdjustAttribute",
            "GetUsageAllocation",
            "Archive",
            "Recover",
        ],
        ({"UniqueIdentifier"}, set()),
    ),
    "Query": (
        set(),
        {
            "Operation",
            "ObjectType",
            "VendorIdentification",
            "ServerInformation",
            "RNGParameters",
            "ProfileInformation",
            "CapabilityInformation",
            "ProtectionStorageMask",
        },
    ),
    "DiscoverVersions": (set(), {"ProtocolVersion"}),
    "Interop": (set(), set()),
    "Log": (set(), set()),
}

#: No client reads these, so they repeat what repeats, as KMIP has it.
UNREAD = {"Query", "DiscoverVersions", "GetAttributeList"}

REASONS = {
    "Item_Not_Found", "Object_Already_Exists", "Permission_Denied", "Wrong_Key_Lifecycle_State",
    "Invalid_Field", "Missing_Data", "Invalid_Message", "Invalid_Attribute",
    "Invalid_Attribute_Value", "Cryptographic_Failure", "Missing_Initialization_Vector",
    "Incompatible_Cryptographic_Usage_Mask", "Key_Format_Type_Not_Supported",
    "Key_Compression_Type_Not_Supported", "Key_Wrap_Type_Not_Supported",
    "Unsupported_Cryptographic_Parameters", "Bad_Cryptographic_Parameters", "General_Failure", "Invalid_Correlation_Value", "Server_Limit_Exceeded",
    "Operation_Not_Supported", "Feature_Not_Supported", "Object_Destroyed", "Sensitive",
    "Not_Extractable", "Non_Unique_Name_Attribute", "Attribute_Read_Only",
    "Attribute_Single_Valued", "Multi_Valued_Attribute", "Attribute_Not_Found",
    "Attribute_Instance_Not_Found", "Usage_Limit_Exceeded",
    "Protection_Storage_Unavailable", "Private_Protection_Storage_Unavailable",
    "Public_Protection_Storage_Unavailable", "Invalid_Data_Type", "Invalid_Object_Type", "Numeric_Range", "Object_Archived", "Encoding_Option_Error",
}  # fmt: skip

#: A vendor's number that has no name (opaque data types) is written as a number.
_NAME_OR_EXTENSION = re.compile(r"[A-Za-z][A-Za-z0-9_]*|0x8[0-9A-F]{7}")
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def check_failure(body: bytes, content_type: str) -> None:
    """422: one line of plain text, a known reason in front (§3)."""
    assert content_type == "text/plain; charset=utf-8"
    line = body.decode("utf-8")
    assert line == line.strip()
    assert line.splitlines() == [line]
    assert line.isprintable() or not re.search(r"[\x00-\x1f\x7f-\x9f]", line)
    reason, colon, message = line.partition(": ")
    assert colon
    assert reason in REASONS, line
    assert message
    assert len(line) < 400, "the answer to nonsense is short"


def check_answer(body: bytes) -> None:
    """A body of status 200: an answer to a bare operation, or a ResponseMessage."""
    if json.loads(body)["tag"] == "ResponseMessage":
        check_message(body)
        return
    root = json.loads(body, object_pairs_hook=_members_in_order)
    operation = root["tag"].removesuffix("Response")
    assert root["tag"] != operation, "the root is <Operation>Response"
    assert root["type"] == "Structure"
    needed, allowed = CHILDREN[operation]
    found = [child["tag"] for child in root["value"]]
    assert needed <= set(found) <= needed | allowed, found
    for item in _walk(root):
        _check_item(item)
        if operation not in UNREAD:
            _check_siblings(item)
    _check_tags(root)
    for child in root["value"]:
        if child["tag"] == "UniqueIdentifier" and operation != "Locate":
            assert child["type"] == "TextString", "identifiers are TextStrings"
        if child["tag"] == "Object":
            _check_object(child)
    if operation not in {"Export", "GetAttributes", "ObtainLease", "Query"}:  # no client reads them
        types = {item["type"] for item in _walk(root)} - {"BigInteger"}
        assert types <= {"Structure", "Integer", "Enumeration", "TextString", "ByteString"}, types
    if operation == "Locate":
        _check_located(root)
    if operation == "Encrypt":
        parts = {child["tag"]: child["value"] for child in root["value"]}
        # What published clients can ask for is authenticated; the rest takes --crypto-policy.
        assert len(parts.get("AuthenticatedEncryptionTag", 32 * "0")) in {24, 26, 28, 30, 32}


def check_message(body: bytes) -> None:
    """§12: header, items, and in each of them what belongs to its result status."""
    root = json.loads(body)
    is_untyped = "type" not in root
    for item in _walk_any(root):
        is_structure = isinstance(item["value"], list)
        if is_structure and is_untyped:
            assert list(item) == ["tag", "value"]
        else:
            assert list(item) == ["tag", "type", "value"]
            assert (item["type"] == "Structure") is is_structure
        # The specification's names, not the clients'.
        assert item["tag"] not in {"IvCounterNonce", "VendorAttributes", "Object"}
        if item.get("type") == "Enumeration" and item["tag"] != "Operation":
            assert _NAME_OR_EXTENSION.fullmatch(item["value"]), item
    header, *items = root["value"]
    assert header["tag"] == "ResponseHeader"
    fields = {child["tag"]: child["value"] for child in header["value"]}
    assert set(fields) - {"ServerCorrelationValue"} == {
        "ProtocolVersion", "TimeStamp", "BatchCount",
    }  # fmt: skip
    assert _DATE.fullmatch(fields["TimeStamp"])
    assert fields["BatchCount"] == len(items) >= 1
    for item in items:
        assert item["tag"] == "BatchItem"
        tags = [child["tag"] for child in item["value"]]
        status = next(c["value"] for c in item["value"] if c["tag"] == "ResultStatus")
        rest = [tag for tag in tags if tag not in {"Operation", "UniqueBatchItemID"}]
        assert (
            rest
            in {
                "Success": [["ResultStatus", "ResponsePayload"]],
                "OperationFailed": [["ResultStatus", "ResultReason", "ResultMessage"]],
                "OperationUndone": [["ResultStatus"], ["ResultStatus", "ResponsePayload"]],
            }[status]
        )


def _walk_any(item: Item) -> Iterator[Item]:
    yield item
    for child in item["value"] if isinstance(item["value"], list) else ():
        yield from _walk_any(child)


def _members_in_order(pairs: list[tuple[str, Any]]) -> Item:
    assert [name for name, _ in pairs] == ["tag", "type", "value"], "members in this order"
    return dict(pairs)


def _walk(item: Item) -> Iterator[Item]:
    yield item
    if item["type"] == "Structure":
        for child in item["value"]:
            yield from _walk(child)


def _check_item(item: Item) -> None:
    """The column "emit" of §4's table."""
    tag, value = item["tag"], item["value"]
    match item["type"]:
        case "Structure":
            assert isinstance(value, list)
        case "Integer" | "Interval":
            assert type(value) is int
        case "LongInteger" | "DateTimeExtended":
            assert re.fullmatch(r"0x[0-9A-F]{16}", value)
        case "BigInteger":
            assert re.fullmatch(r"0x([0-9A-F]{16})+", value)
        case "Enumeration":
            assert _NAME_OR_EXTENSION.fullmatch(value), (tag, value)
            assert value in SPELLINGS.get(tag, {value}), (tag, value)
        case "Boolean":
            assert isinstance(value, bool)
        case "TextString":
            assert isinstance(value, str)
        case "ByteString":
            assert len(value) % 2 == 0
            assert not re.search(r"[^0-9A-F]", value)
        case "DateTime":
            assert _DATE.fullmatch(value)
        case other:
            raise AssertionError(f"{tag} is a {other}")
    # The clients' names, never the specification's.
    assert tag not in {"IVCounterNonce", "RandomIV", "Attribute", "EncodingOption", "SymmetricKey"}
    if tag == "CryptographicUsageMask":
        assert item["type"] == "Integer"
    if tag == "LinkedObjectIdentifier":
        assert item["type"] == "TextString"


def _check_siblings(item: Item) -> None:
    """What repeats is nested in an array of its own tag, and nothing else repeats (§4, 1)."""
    if item["type"] != "Structure":
        return
    tags = [child["tag"] for child in item["value"]]
    if item["tag"] in tags:
        assert set(tags) == {item["tag"]}, "an array holds one tag"
    else:
        repeatable = {
            "ObjectGroup",
            "SubjectAlternativeName",
            "IssuerAlternativeName",
            "AlternativeName",
            "ApplicationSpecificInformation",
            *(tag for tag in tags if tag.startswith("CertificateSubject")),
        }
        once = [tag for tag in tags if tag not in repeatable]
        assert len(once) == len(set(once)), tags
    for array in {"VendorAttributes", "Link"} & set(tags) - {item["tag"]}:
        (outer,) = (child for child in item["value"] if child["tag"] == array)
        assert {child["tag"] for child in outer["value"]} == {array}


def _check_tags(root: Item) -> None:
    """The server's own tags never show."""
    for item in _walk(root):
        if item["tag"] != "AttributeValue":
            continue
        with_underscore = re.search(rb'"_', bytes.fromhex(item["value"]))
        assert with_underscore is None


def _check_object(item: Item) -> None:
    """The object of a GetResponse: nothing that one of the clients cannot read."""
    for each in _walk(item):
        assert each["tag"] in IN_OBJECT, each["tag"]
        assert each["type"] in {
            "Structure", "Integer", "Enumeration", "TextString", "ByteString", "BigInteger",
        }  # fmt: skip
    held = {child["tag"]: child["value"] for child in item["value"]}
    if set(held) in (
        {"CertificateType", "CertificateValue"},
        {"OpaqueDataType", "OpaqueDataValue"},
    ):
        return
    assert set(held) - {"SecretDataType"} == {"KeyBlock"}
    fields = {child["tag"]: child["value"] for child in held["KeyBlock"]}
    needed = {"KeyFormatType", "KeyValue"}
    if "SecretDataType" not in held:
        needed |= {"CryptographicAlgorithm", "CryptographicLength"}
    assert needed <= set(fields) <= needed | {"KeyWrappingData"}
    if isinstance(
        fields["KeyValue"], str
    ):  # in TTLV and wrapped, which no published client asks for
        assert "KeyWrappingData" in fields
        return
    _check_key_value(fields)


def _check_key_value(fields: dict[str, Any]) -> None:
    """The format among the inner attributes tells the shape of the material."""
    value = {child["tag"]: child["value"] for child in fields["KeyValue"]}
    known = {child["tag"]: child["value"] for child in value["Attributes"]}
    key_format, parts = known["KeyFormatType"], [each["tag"] for each in value["KeyMaterial"]]
    match key_format:
        case "Raw":
            assert parts == ["ByteString"]
            assert not fields["KeyFormatType"].startswith("Transparent")
        case "TransparentSymmetricKey":
            assert parts == ["Key"]
        case _:
            assert key_format.startswith("Transparent")
            assert not {"Key", "ByteString"} & set(parts)
    if key_format != "Raw":
        assert key_format == fields["KeyFormatType"]
    elif fields["KeyFormatType"] == "Opaque":
        pass  # its length is what its client says
    elif known["ObjectType"] == "SymmetricKey" and "KeyWrappingData" not in fields:
        held = len(value["KeyMaterial"][0]["value"]) * 4
        is_tdes = fields["CryptographicAlgorithm"] == "THREE_DES"  # told as it was stated
        assert fields["CryptographicLength"] in ({held // 8 * 7, held} if is_tdes else {held})


def _check_located(root: Item) -> None:
    """LocatedItems counts all, UniqueIdentifiers are those of the page."""
    located, found = root["value"]
    assert (located["tag"], located["type"]) == ("LocatedItems", "Integer")
    assert found["type"] == "Structure"
    assert all(child["type"] == "TextString" for child in found["value"])
    assert located["value"] >= len(found["value"])
