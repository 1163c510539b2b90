"""Interop and Log: there with --kmip-interop, and lines in the log."""

from __future__ import annotations

import pytest

from ..kmip_items import batch_item, name, text
from ..kms import KMS, two_issuers
from ..server import eventually


@pytest.fixture(scope="module")
def kms(tmp_path_factory):
    with (
        two_issuers() as issuers,
        KMS(tmp_path_factory.mktemp("kms"), *issuers, options=["--kmip-interop"]) as server,
    ):
        yield server


def test_query_names_them(alice):
    found = alice.do("Query", name("QueryFunction", "QueryOperations"))
    assert {"Interop", "Log"} <= {each["value"] for each in found.item["value"]}


@pytest.mark.parametrize("function", ["Begin", "End"])
def test_case_begins_and_ends_in_the_log(kms, alice, function):
    items = name("InteropFunction", function), text("InteropIdentifier", f"case-{function}")
    assert alice.do("Interop", *items).item["value"] == []
    line = f"{alice.name}: {function.lower()} case-{function} request_id="
    assert eventually(lambda: line in kms.log)


def test_reset_is_refused(alice):
    line = alice.refused("Interop", name("InteropFunction", "Reset"))
    assert line.startswith("Feature_Not_Supported: ")


def test_message_is_one_line_of_the_log(kms, alice):
    alice.do("Log", text("LogMessage", "registered\n2026-11-23 INFO forged: line"))
    assert eventually(lambda: r"says: registered\x0a2026-11-23 INFO forged: line" in kms.log)
    assert "\n2026-11-23 INFO forged" not in kms.log


def test_long_message_is_refused(alice):
    assert alice.refused("Log", text("LogMessage", "x" * 1025)).startswith("Invalid_Field: ")


def test_they_come_in_messages_too(alice):
    said = text("LogMessage", "in a message")
    [answer] = alice.ask(batch_item("Log", said))
    assert answer["ResultStatus"] == "Success"
