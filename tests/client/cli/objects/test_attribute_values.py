"""NAME=VALUE to a KMIP attribute, and back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from kms_tornado.client.cli.objects.attribute_values import (
    TAGS,
    InvalidAttributeText,
    attribute_names,
    parse_attribute,
    parse_reference,
)
from kms_tornado.client.cli.objects.shown_attributes import show_attributes
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.payloads import AttributeReference
from kms_tornado.kmip.schema import fields_of
from kms_tornado.kmip.structures import VendorAttribute
from kms_tornado.kmip.ttlv import ItemType, Node, structure

from ....rows import each_row


@each_row(
    ("text", "shown"),
    [
        ("Name=invoices", {"Name": [{"NameValue": "invoices", "NameType": "UninterpretedTextString"}]}),
        ("name=a=b", {"Name": [{"NameValue": "a=b", "NameType": "UninterpretedTextString"}]}),
        ("Cryptographic Length=128", {"CryptographicLength": 128}),
        ("cryptographic-algorithm=aes", {"CryptographicAlgorithm": "AES"}),
        ("CryptographicUsageMask=Encrypt|Decrypt", {"CryptographicUsageMask": ["Encrypt", "Decrypt"]}),
        ("CryptographicUsageMask=encrypt, sign", {"CryptographicUsageMask": ["Sign", "Encrypt"]}),
        ("CryptographicUsageMask=12", {"CryptographicUsageMask": ["Encrypt", "Decrypt"]}),
        ("Sensitive=yes", {"Sensitive": True}),
        ("Extractable=0", {"Extractable": False}),
        ("ActivationDate=2030-01-02T03:04:05Z", {"ActivationDate": datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)}),
        ("ActivationDate=1893553445", {"ActivationDate": datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)}),
        ("RotateInterval=90d", {"RotateInterval": 7776000}),
        ("RotateInterval=12 h", {"RotateInterval": 43200}),
        ("Link=PublicKeyLink:some:uid", {"Link": [{"LinkType": "PublicKeyLink", "LinkedObjectIdentifier": "some:uid"}]}),
        ("UsageLimits=10", {"UsageLimits": {"UsageLimitsTotal": 10}}),
        (
            'UsageLimits={"Usage Limits Total": 10, "UsageLimitsUnit": "Byte"}',
            {"UsageLimits": {"UsageLimitsTotal": 10, "UsageLimitsUnit": "Byte"}},
        ),
        (
            'CryptographicParameters={"BlockCipherMode": "GCM", "RandomIV": true, "TagLength": 16}',
            {"CryptographicParameters": {"BlockCipherMode": "GCM", "RandomIV": True, "TagLength": 16}},
        ),
        ("ApplicationSpecificInformation=ssh", {"ApplicationSpecificInformation": [{"ApplicationNamespace": "ssh"}]}),
        ("acme:room=7", {"acme:room": "7"}),
        ("Tag=b, a,,b", {"Tag": ["a", "b"]}),
        ("ShortUniqueIdentifier=00ff", {"ShortUniqueIdentifier": "00ff"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_text_becomes_an_attribute_and_is_shown_again(text: str, shown: dict[str, Any]) -> None:
    assert show_attributes(parse_attribute(text).attributes) == shown


@each_row(
    ("text", "words"),
    [
        ("Name", "not NAME=VALUE"),
        ("Stat=Active", "did you mean State"),
        ("Nonsense=1", "is no attribute"),
        ("Attribute=1", "is no attribute"),
        ("CryptographicLength=long", "a number is needed"),
        ("CryptographicLength=99999999999", "no CryptographicLength"),
        ("CryptographicUsageMask=Fly", "no CryptographicUsageMask"),
        ("State=Asleep", "the values are PreActive, Active"),
        ("Sensitive=maybe", "write true or false"),
        ("ActivationDate=tomorrow", "write now, 2030-12-31"),
        ("RotateInterval=1 year", "write seconds, or 90d"),
        ("Link=somewhere", "write TYPE:IDENTIFIER"),
        ("AlternativeName=x", "write a JSON object with AlternativeNameValue"),
        ('UsageLimits={"Total": 1}', "UsageLimits has no 'Total'"),
        ("UsageLimits={", "no JSON object"),
        ("ShortUniqueIdentifier=xyz", "hexadecimal"),
    ],
)
def test_text_that_is_no_attribute_is_refused_with_what_is_expected(text: str, words: str) -> None:
    with pytest.raises(InvalidAttributeText) as refused:
        parse_attribute(text)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("State", AttributeReference("State")),
        ("activation date", AttributeReference("ActivationDate")),
        ("tags", AttributeReference("tag", "cosmian")),
        ("LinkType", AttributeReference("Link")),  # as ckms names the links
        ("acme:room", AttributeReference("room", "acme")),
    ],
)
def test_name_becomes_a_reference(name: str, reference: AttributeReference) -> None:
    assert parse_reference(name) == reference


def test_every_attribute_of_kmip_has_its_name_here() -> None:
    tags = {field.tag for field in fields_of(Attributes) if field.name != "vendor_attributes"}
    assert set(attribute_names()) == {*tags, TAGS}
    assert all(parse_reference(name) for name in attribute_names())


@pytest.mark.parametrize("text", ["1900000000", "1900000000000"])
def test_date_is_a_number_of_seconds_or_as_in_ckms_of_milliseconds(text: str) -> None:
    shown = show_attributes(parse_attribute(f"ActivationDate={text}").attributes)
    assert shown["ActivationDate"] == datetime.fromtimestamp(1900000000, UTC)


def test_date_without_a_zone_is_local_time(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = show_attributes(parse_attribute("ActivationDate=2030-01-02T03:04:05").attributes)
    assert shown["ActivationDate"] == datetime.fromisoformat("2030-01-02T03:04:05").astimezone()


def test_value_of_a_vendor_is_shown_with_all_that_it_repeats() -> None:
    value = structure(
        "AttributeValue",
        Node("0x540001", ItemType.INTEGER, 1),
        structure("0x540002", Node("0x540003", ItemType.BIG_INTEGER, 2**16_000)),
        Node("0x540001", ItemType.INTEGER, 2),
    )
    attributes = Attributes(vendor_attributes=(VendorAttribute("acme", "box", value),))
    assert show_attributes(attributes) == {
        "acme:box": {"0x540001": [1, 2], "0x540002": {"0x540003": hex(2**16_000)}}
    }


def test_custom_attribute_of_several_values_is_shown_with_all_of_them() -> None:
    values = [Node("AttributeValue", ItemType.TEXT_STRING, rack) for rack in ("1", "2")]
    attributes = Attributes(
        vendor_attributes=(
            *(VendorAttribute("x", "Rack", value) for value in values),
            VendorAttribute("y", "Rack", values[0]),
        )
    )
    assert show_attributes(attributes) == {"x:Rack": ["1", "2"], "y:Rack": "1"}
