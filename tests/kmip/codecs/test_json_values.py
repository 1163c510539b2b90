"""The accepted forms of each item type (docs/dialects.md, "JSON TTLV"), and those that are refused."""

from __future__ import annotations

import json
from binascii import unhexlify

import pytest

from kms_tornado.errors import InvalidField
from kms_tornado.kmip.codecs import json_codec, json_values
from kms_tornado.kmip.ttlv import Dialect, ItemType, Node, structure

from ...rows import each_row


def read(tag: str, type_name: str, value: object) -> Node:
    item = {"tag": tag, "type": type_name, "value": value}
    message = {"tag": "Get", "type": "Structure", "value": [item]}
    root, _ = json_codec.parse(json.dumps(message).encode())
    (node,) = root.value
    return node


def write(node: Node, dialect: Dialect) -> object:
    return json.loads(json_codec.format(structure("Get", node), dialect))["value"][0]["value"]


@each_row(
    ("tag", "type_name", "form", "value"),
    [
        ("CryptographicLength", "Integer", 256, 256),
        ("CryptographicLength", "Integer", -1, -1),
        ("CryptographicLength", "Integer", "0x0000000C", 12),
        ("CryptographicLength", "Integer", "0xffffffff", -1),
        ("CryptographicLength", "Integer", 2**31 - 1, 2**31 - 1),
        ("CryptographicUsageMask", "Integer", "Encrypt|Decrypt", 12),
        ("CryptographicUsageMask", "Integer", "Encrypt Decrypt", 12),
        ("CryptographicUsageMask", "Integer", "Encrypt | Wrap_Key", 20),
        ("CryptographicUsageMask", "Integer", "Encrypt|0x00000008", 12),
        ("StorageStatusMask", "Integer", "OnLineStorage|DestroyedStorage", 5),
        ("UsageLimitsTotal", "LongInteger", 7, 7),
        ("UsageLimitsTotal", "LongInteger", "0x0000000000000007", 7),
        ("UsageLimitsTotal", "LongInteger", "0xFFFFFFFFFFFFFFFF", -1),
        ("UsageLimitsTotal", "LongInteger", 2**52, 2**52),
        ("Modulus", "BigInteger", "0x00000000000000FF", 255),
        ("Modulus", "BigInteger", "0xFFFFFFFFFFFFFF00", -256),
        ("Modulus", "BigInteger", "0xFF01", 0xFF01),
        ("Modulus", "BigInteger", 3, 3),
        ("ObjectType", "Enumeration", "SymmetricKey", 2),
        ("ObjectType", "Enumeration", "symmetric_key", 2),
        ("ObjectType", "Enumeration", "0x00000002", 2),
        ("ObjectType", "Enumeration", 2, 2),
        ("OpaqueDataType", "Enumeration", "0x80127896", 0x80127896),
        ("AttributeReference", "Enumeration", "State", 0x42008D),
        ("AttributeReference", "Enumeration", "0x0042008D", 0x42008D),
        ("Sensitive", "Boolean", True, True),
        ("Sensitive", "Boolean", "0x0000000000000001", True),
        ("Sensitive", "Boolean", "0x0000000000000000", False),
        ("UniqueIdentifier", "TextString", "", ""),
        ("UniqueIdentifier", "TextString", "naïve 🔑", "naïve 🔑"),
        ("Data", "ByteString", "", b""),
        ("Data", "ByteString", "00fF", b"\x00\xff"),
        ("InitialDate", "DateTime", "1970-01-01T00:00:01Z", 1),
        ("InitialDate", "DateTime", "2026-11-23T10:00:00+00:00", 1795428000),
        ("InitialDate", "DateTime", "2026-11-23T11:30:00+01:30", 1795428000),
        ("InitialDate", "DateTime", "2026-11-23t10:00:00.999z", 1795428000),
        ("InitialDate", "DateTime", "0x0000000000000001", 1),
        ("InitialDate", "DateTime", "0xFFFFFFFFFFFFFFFF", -1),
        ("InitialDate", "DateTime", "0001-01-01T00:00:00+00:00", -62135596800),
        ("TimeStamp", "DateTimeExtended", "0x000000000000000A", 10),
        ("TimeStamp", "DateTimeExtended", "1970-01-01T00:00:00.000012Z", 12),
        ("LeaseTime", "Interval", 60, 60),
        ("LeaseTime", "Interval", "0x0000003C", 60),
    ],
)
def test_form_is_accepted(tag, type_name, form, value):
    node = read(tag, type_name, form)
    assert (node.tag, node.value) == (tag, value)
    assert type(node.value) is type(value)


@each_row(
    ("tag", "type_name", "form"),
    [
        ("CryptographicLength", "Integer", True),  # a bool is an int to Python
        ("CryptographicLength", "Integer", False),
        ("CryptographicLength", "Integer", None),
        ("CryptographicLength", "Integer", 1.0),
        ("CryptographicLength", "Integer", "256"),
        ("CryptographicLength", "Integer", "0xC"),
        ("CryptographicLength", "Integer", "0x00000000C"),
        ("CryptographicLength", "Integer", "0x0000_00C"),
        ("CryptographicLength", "Integer", " 0x0000000C"),
        ("CryptographicLength", "Integer", "0x0000000C\n"),
        ("CryptographicLength", "Integer", "Encrypt"),
        ("CryptographicLength", "Integer", 2**31),
        ("CryptographicLength", "Integer", -(2**31) - 1),
        ("CryptographicLength", "Integer", []),
        ("CryptographicUsageMask", "Integer", "Encrypt|Destroy"),
        ("CryptographicUsageMask", "Integer", ""),
        ("CryptographicUsageMask", "Integer", "|"),
        ("CryptographicUsageMask", "Integer", "Encrypt|0x8"),
        ("CryptographicUsageMask", "Enumeration", True),
        ("CryptographicUsageMask", "Enumeration", 2**31),
        ("UsageLimitsTotal", "LongInteger", 2**52 + 1),
        ("UsageLimitsTotal", "LongInteger", "0x07"),
        ("UsageLimitsTotal", "LongInteger", True),
        ("UsageLimitsTotal", "LongInteger", 1e3),
        ("Modulus", "BigInteger", "FF"),
        ("Modulus", "BigInteger", "0x"),
        ("Modulus", "BigInteger", "0x-1"),
        ("Modulus", "BigInteger", "0x" + "F" * 5000),
        ("Modulus", "BigInteger", 2**60),
        ("Modulus", "BigInteger", False),
        ("ObjectType", "Enumeration", "Key"),
        ("ObjectType", "Enumeration", ""),
        ("ObjectType", "Enumeration", True),
        ("ObjectType", "Enumeration", None),
        ("ObjectType", "Enumeration", 2.0),
        ("ObjectType", "Enumeration", -2),
        ("ObjectType", "Enumeration", 2**32),
        ("ObjectType", "Enumeration", "0x"),
        ("ObjectType", "Enumeration", "0x000000002"),
        ("ObjectType", "Enumeration", "0xZZ"),
        ("ObjectType", "Enumeration", ["SymmetricKey"]),
        ("Data", "Enumeration", "Plaintext"),
        ("AttributeValue", "Enumeration", "AES"),
        ("Sensitive", "Boolean", 1),
        ("Sensitive", "Boolean", 0),
        ("Sensitive", "Boolean", "true"),
        ("Sensitive", "Boolean", "0x1"),
        ("Sensitive", "Boolean", None),
        ("UniqueIdentifier", "TextString", 7),
        ("UniqueIdentifier", "TextString", None),
        ("UniqueIdentifier", "TextString", {}),
        ("UniqueIdentifier", "TextString", "a\0b"),
        ("Data", "ByteString", "0"),
        ("Data", "ByteString", "0x00"),
        ("Data", "ByteString", "00 11"),
        ("Data", "ByteString", "00\n"),
        ("Data", "ByteString", "AAECAw=="),
        ("Data", "ByteString", "é0"),
        ("Data", "ByteString", "００"),
        ("Data", "ByteString", 12),
        ("Data", "ByteString", [0, 1]),
        ("InitialDate", "DateTime", 1795428000),
        ("InitialDate", "DateTime", "2026-11-23T10:00:00"),
        ("InitialDate", "DateTime", "2026-11-23"),
        ("InitialDate", "DateTime", "2026-W48-1T10:00:00Z"),
        ("InitialDate", "DateTime", "20261123T100000Z"),
        ("InitialDate", "DateTime", "2026-13-23T10:00:00Z"),
        ("InitialDate", "DateTime", "2026-11-23T25:00:00Z"),
        ("InitialDate", "DateTime", "2026-11-23T10:00:00+25:00"),
        ("InitialDate", "DateTime", "now"),
        ("InitialDate", "DateTime", "0x01"),
        ("TimeStamp", "DateTimeExtended", 1),
        ("TimeStamp", "DateTimeExtended", "0x1"),
        ("LeaseTime", "Interval", -1),
        ("LeaseTime", "Interval", 2**32),
        ("LeaseTime", "Interval", True),
        ("LeaseTime", "Interval", "60"),
    ],
)
def test_form_is_refused(tag, type_name, form):
    with pytest.raises(InvalidField, match=tag):
        read(tag, type_name, form)


def test_usage_mask_sent_as_enumeration_is_an_integer():
    assert read("CryptographicUsageMask", "Enumeration", 12) == Node(
        "CryptographicUsageMask", ItemType.INTEGER, 12
    )


@each_row(
    ("node", "cosmian", "oasis"),
    [
        pytest.param(Node("Data", ItemType.BYTE_STRING, b"\xab"), "AB", "AB", id="upper-case hex"),
        pytest.param(
            Node("CryptographicUsageMask", ItemType.INTEGER, 12), 12, "Encrypt|Decrypt", id="mask"
        ),
        pytest.param(
            Node("CryptographicUsageMask", ItemType.INTEGER, 0x4004), 0x4004, 0x4004, id="odd mask"
        ),
        pytest.param(Node("CryptographicUsageMask", ItemType.INTEGER, 0), 0, 0, id="empty mask"),
        pytest.param(Node("CryptographicLength", ItemType.INTEGER, 256), 256, 256, id="integer"),
        pytest.param(
            Node("UsageLimitsTotal", ItemType.LONG_INTEGER, -2),
            "0xFFFFFFFFFFFFFFFE",
            "0xFFFFFFFFFFFFFFFE",
            id="long integer",
        ),
        pytest.param(
            Node("Modulus", ItemType.BIG_INTEGER, 2**63),
            "0x00000000000000008000000000000000",
            "0x00000000000000008000000000000000",
            id="big integer",
        ),
        pytest.param(
            Node("HashingAlgorithm", ItemType.ENUMERATION, 6), "SHA256", "SHA_256", id="name"
        ),
        pytest.param(
            Node("KeyFormatType", ItemType.ENUMERATION, 0x80000001),
            "0x80000001",
            "0x80000001",
            id="value without a name",
        ),
        pytest.param(
            Node("InitialDate", ItemType.DATE_TIME, 1795428000),
            "2026-11-23T10:00:00+00:00",
            "2026-11-23T10:00:00+00:00",
            id="date",
        ),
        pytest.param(
            Node("InitialDate", ItemType.DATE_TIME, 2**62),
            "0x4000000000000000",
            "0x4000000000000000",
            id="date beyond the year 9999",
        ),
    ],
)
def test_value_is_written_in_the_form_of_the_dialect(node, cosmian, oasis):
    assert write(node, Dialect.COSMIAN) == cosmian
    assert write(node, Dialect.OASIS) == oasis
    assert write(node, Dialect.OASIS_UNTYPED) == oasis


def test_long_byte_string_is_read_in_slices_between_which_other_threads_may_run(monkeypatch):
    sizes = []

    def watched(digits):
        sizes.append(len(digits))
        return unhexlify(digits)

    monkeypatch.setattr(json_values, "unhexlify", watched)
    octets = bytes(range(256)) * 10_000
    assert read("Data", "ByteString", octets.hex()).value == octets
    assert sum(sizes) == 2 * len(octets)
    assert max(sizes) <= 128 * 1024


def test_refusal_quotes_no_value_of_more_than_sixty_characters():
    with pytest.raises(InvalidField) as caught:
        read("ObjectType", "Enumeration", "\U000e0001" * 500)
    assert len(str(caught.value)) < 100
    assert str(caught.value).isprintable()
