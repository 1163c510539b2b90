"""What each kind of client expects is one row, and nobody asks a client's name."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

import kms_tornado
from kms_tornado.errors import InvalidMessage, MissingInitializationVector
from kms_tornado.kmip.enums import BlockCipherMode, EncodingOption, KeyFormatType
from kms_tornado.kmip.versions import SUPPORTED_VERSIONS, ProtocolVersion
from kms_tornado.operations.common.client_profile import (
    BARE_OPERATION,
    MESSAGE_2,
    ClientProfile,
    choose_message_profile,
)

from ...rows import each_row

PACKAGE = Path(kms_tornado.__file__).parent


@each_row(
    ("field", "bare", "message"),
    [
        ("activates_new_objects", True, False),
        ("returns_given_iv", True, False),
        ("missing_iv_error", MissingInitializationVector, InvalidMessage),
        ("attributes_in_key_value", True, False),
        ("default_symmetric_format", KeyFormatType.RAW, None),
        ("key_pairs_in_der", True, False),
        ("default_encoding_option", EncodingOption.NO_ENCODING, EncodingOption.TTLV_ENCODING),
        ("nist_key_wrap", BlockCipherMode.AES_KEY_WRAP_PADDING, BlockCipherMode.NIST_KEY_WRAP),
        ("returns_wrapping_parameters", False, True),
    ],
)
def test_bare_operations_and_messages_differ(field, bare, message):
    assert (getattr(BARE_OPERATION, field), getattr(MESSAGE_2, field)) == (bare, message)


@each_row("field", [field.name for field in dataclasses.fields(ClientProfile)])
def test_every_field_tells_the_rows_apart_and_is_asked_for_somewhere(field):
    profiles = [BARE_OPERATION, *map(choose_message_profile, SUPPORTED_VERSIONS)]
    assert any(getattr(profile, field) != getattr(MESSAGE_2, field) for profile in profiles)
    asked = f"client.{field}"
    assert any(asked in path.read_text() for path in PACKAGE.rglob("*.py"))


@pytest.mark.parametrize(
    ("minor", "has_tag_behind_data", "key_pairs_in_der"),
    [(0, True, True), (1, True, True), (2, True, True), (3, True, False), (4, False, False)],
)
def test_messages_of_kmip_1(minor, has_tag_behind_data, key_pairs_in_der):
    profile = choose_message_profile(ProtocolVersion(1, minor))
    assert profile == dataclasses.replace(
        MESSAGE_2,
        has_tag_behind_data=has_tag_behind_data,
        key_pairs_in_der=key_pairs_in_der,
        kmip1_version=ProtocolVersion(1, minor),
    )


@pytest.mark.parametrize("minor", [0, 1])
def test_messages_of_kmip_2(minor):
    assert choose_message_profile(ProtocolVersion(2, minor)) is MESSAGE_2


def test_no_operation_asks_which_client_it_has_before_it():
    asking = [
        path.name
        for path in (PACKAGE / "operations").rglob("*.py")
        if path.name != "client_profile.py"
        and re.search(r"BARE_OPERATION|MESSAGE_2", path.read_text())
    ]
    assert asking == []
