"""The enumeration classes against the specification's tables."""

from __future__ import annotations

import json
from enum import IntEnum, IntFlag
from importlib import resources
from pathlib import Path

import pytest

from kms_tornado.kmip import enums
from kms_tornado.kmip.tables import DROPPED, ENUMERATIONS, TAG_NUMBERS, format_name, normalise

from ..rows import each_row

SHARED = Path(__file__).parents[3] / "shared/kmip/kmip-2.1-enumerations.json"

CLASSES = {
    cls.__name__: cls
    for cls in vars(enums).values()
    if isinstance(cls, type) and issubclass(cls, IntEnum | IntFlag) and cls.__module__ != "enum"
}
MEMBERS = [(name, member) for name, cls in CLASSES.items() for member in cls]


def test_member_has_the_number_that_its_name_has_in_the_table():
    ours = {f"{name}.{member.name}": member.value for name, member in MEMBERS}
    of_the_table = {
        f"{name}.{member.name}": ENUMERATIONS[name].number(member.name) for name, member in MEMBERS
    }
    assert ours == of_the_table


@each_row("name", CLASSES)
def test_class_leaves_no_value_of_the_specification_out(name):
    dropped = set(DROPPED.get(name, {}).values())
    assert {member.value for member in CLASSES[name]} == set(ENUMERATIONS[name].oasis) - dropped


def test_usage_mask_has_eighteen_bits():
    assert len(enums.CryptographicUsageMask) == 18


def test_table_in_the_package_is_the_shared_one():
    if not SHARED.exists():
        pytest.skip("the shared tables are not here")
    packaged = resources.files("kms_tornado.kmip").joinpath("enumerations.json")
    assert json.loads(packaged.read_text("utf-8")) == json.loads(SHARED.read_text("utf-8"))


@pytest.mark.parametrize(
    ("tag", "number"),
    [
        ("ActivationDate", 0x420001),
        ("IVCounterNonce", 0x42003D),
        ("UniqueBatchItemID", 0x420093),
        ("RandomIV", 0x4200C5),
        ("AuthenticatedEncryptionTag", 0x4200FF),
        ("AttributeReference", 0x42013B),
        ("AsynchronousCorrelationValues", 0x420176),
    ],
)
def test_tag_has_the_number_of_the_appendix(tag, number):
    assert TAG_NUMBERS[tag] == number


def test_tag_names_are_normalised():
    assert [normalise(tag) for tag in TAG_NUMBERS] == list(TAG_NUMBERS)


def test_people_are_told_the_names_that_clients_send():
    assert {name: format_name(member) for name, member in MEMBERS} != {}
    mask = enums.CryptographicUsageMask
    assert [
        format_name(enums.CryptographicAlgorithm.CHACHA20),
        format_name(enums.HashingAlgorithm.SHA_256),
        format_name(mask.MAC_GENERATE),
        format_name(mask.SIGN | mask.VERIFY),
    ] == ["ChaCha20", "SHA_256", "MACGenerate", "Sign|Verify"]
