"""Operations of the audit are found by any spelling, and docs/audit.md has those that are not KMIP's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kms_tornado.service.auditing.operation_names import OWN_OPERATIONS, find_operation

PAGE = Path(__file__).parents[3] / "docs/audit.md"


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("GetAttributes", "GetAttributes"),
        ("get_attributes", "GetAttributes"),
        ("rekey", "ReKey"),
        ("MAC_VERIFY", "MACVerify"),
        ("accessgrant", "AccessGrant"),
        ("who_am_i", "WhoAmI"),
        ("SomethingNewer", "SomethingNewer"),
    ],
)
def test_operation_is_found_by_any_spelling(spelling: str, name: str) -> None:
    assert find_operation(spelling) == name


def test_page_names_what_is_not_of_kmip() -> None:
    [row] = re.findall(r"^\| `operation` \| (.*) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert tuple(re.findall(r"`(\w+)`", row.replace("[", "").replace("beside an Encrypt", ""))) == (
        OWN_OPERATIONS
    )
