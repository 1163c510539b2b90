"""batch FILE."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .runner import Kmsctl

CREATE = {
    "tag": "Create",
    "type": "Structure",
    "value": [
        {"tag": "ObjectType", "type": "Enumeration", "value": "SymmetricKey"},
        {
            "tag": "Attributes",
            "type": "Structure",
            "value": [{"tag": "CryptographicAlgorithm", "type": "Enumeration", "value": "AES"}],
        },
    ],
}
GET_NOTHING = {
    "tag": "Get",
    "value": [{"tag": "UniqueIdentifier", "type": "TextString", "value": "no-such-key"}],
}


def message(*operations: str) -> dict[str, object]:
    """A RequestMessage with one batch item for each operation."""
    return {"tag": "RequestMessage", "type": "Structure", "value": [
        {"tag": "RequestHeader", "type": "Structure", "value": [
            {"tag": "ProtocolVersion", "type": "Structure", "value": [
                {"tag": "ProtocolVersionMajor", "type": "Integer", "value": 2},
                {"tag": "ProtocolVersionMinor", "type": "Integer", "value": 1}]},
            {"tag": "BatchCount", "type": "Integer", "value": len(operations)}]},
        *({"tag": "BatchItem", "type": "Structure", "value": [
            {"tag": "Operation", "type": "Enumeration", "value": operation},
            {"tag": "UniqueBatchItemID", "type": "ByteString", "value": f"{number:02}"},
            {"tag": "RequestPayload", "type": "Structure", "value": CREATE["value"]}]}
          for number, operation in enumerate(operations))]}  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(json.dumps([CREATE, CREATE]), id="array"),
        pytest.param(f"{json.dumps(CREATE)}\n\n{json.dumps(CREATE)}\n", id="lines"),
        pytest.param(json.dumps(message("Create", "Create"), indent=2), id="message"),
        pytest.param("\ufeff" + json.dumps([CREATE, CREATE]), id="byte order mark"),
    ],
)
def test_every_form_of_file_is_one_request(alice: Kmsctl, tmp_path: Path, text: str) -> None:
    file = tmp_path / "batch"
    file.write_text(text, encoding="utf-8")
    outcome = alice("batch", file, "--kmip-json")
    assert outcome.code == 0
    rows = [line.split("\t") for line in outcome.lines]
    assert [row[:3] for row in rows] == [["1", "Create", "Success"], ["2", "Create", "Success"]]
    assert len({row[3] for row in rows}) == 2
    assert outcome.stderr.count('"RequestMessage"') == 1


def test_bare_operation_is_a_batch_of_one(alice: Kmsctl) -> None:
    (row,) = alice("batch", "-", stdin=json.dumps(CREATE).encode()).lines
    assert row.startswith("1\tCreate\tSuccess\t")


def test_any_failure_makes_the_exit_code_1(alice: Kmsctl) -> None:
    outcome = alice("batch", "-", stdin=json.dumps([GET_NOTHING, CREATE]).encode())
    assert outcome.code == 1
    assert outcome.stderr == ""
    failed, created = outcome.lines
    assert failed.split("\t")[:3] == ["1", "Get", "ItemNotFound"]
    assert created.split("\t")[:3] == ["2", "Create", "Success"]


@pytest.mark.parametrize(
    ("continuation", "statuses"),
    [
        ("continue", ["Success", "OperationFailed", "Success"]),
        ("stop", ["Success", "OperationFailed"]),
        ("undo", ["OperationUndone", "OperationFailed"]),
    ],
)
def test_on_error_says_what_a_failure_means_for_the_others(
    alice: Kmsctl, continuation: str, statuses: list[str]
) -> None:
    text = json.dumps([CREATE, GET_NOTHING, CREATE])
    outcome = alice("batch", "-", "--on-error", continuation, "--json", stdin=text.encode())
    assert outcome.code == 1
    assert [item["status"] for item in json.loads(outcome.stdout)] == statuses


def test_json_has_the_responses(alice: Kmsctl) -> None:
    query = {
        "tag": "Query",
        "value": [{"tag": "QueryFunction", "type": "Enumeration", "value": "QueryObjects"}],
    }
    (item,) = json.loads(alice("batch", "-", "--json", stdin=json.dumps(query).encode()).stdout)
    assert (item["operation"], item["status"], item["unique_identifier"]) == (
        "Query",
        "Success",
        None,
    )
    assert item["payload"][0]["tag"] == "ObjectType"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", "the file is empty", id="empty"),
        pytest.param("[]", "the array is empty", id="no operation"),
        pytest.param("[", "not JSON", id="no JSON"),
        pytest.param(json.dumps(CREATE) + "\n{", "line 2", id="no JSON on a line"),
        pytest.param('{"tag": "Creat", "value": []}', "operation 1 is none", id="no operation"),
        pytest.param("[1]", "operation 1 is none", id="a number"),
        pytest.param(
            json.dumps([CREATE, {"tag": "Get", "value": [{"tag": "Nonsense", "type": "Integer", "value": 1}]}]),
            "operation 2: unknown tag",
            id="unknown tag",
        ),
        pytest.param(json.dumps([CREATE] * 101), "split the file", id="too many"),
        pytest.param('{"tag": "Get", "value": 5}', "operation 1: ", id="no structure"),
        pytest.param("[" * 500 + "]" * 500, "nested", id="deep"),
    ],
)  # fmt: skip
def test_file_that_is_no_batch_is_told_where_it_is_wrong(
    alice: Kmsctl, text: str, words: str
) -> None:
    outcome = alice("batch", "-", stdin=text.encode(), KMS_URL="http://127.0.0.1:1")
    assert (outcome.code, outcome.stdout) == (1, "")
    (line,) = outcome.stderr.splitlines()
    assert words in line


def test_file_that_is_no_text_is_refused(alice: Kmsctl) -> None:
    outcome = alice("batch", "-", stdin=b"\xff\xfe")
    assert outcome.code == 1
    assert "no text in UTF-8" in outcome.stderr


def test_message_says_itself_what_a_failure_means(alice: Kmsctl) -> None:
    text = json.dumps(message("Create"))
    outcome = alice("batch", "-", "--on-error", "undo", stdin=text.encode())
    assert outcome.code == 1
    assert "says itself" in outcome.stderr


def test_message_goes_as_it_is_and_each_item_is_told_of(alice: Kmsctl) -> None:
    """What nobody knows fails its item, and a vendor's extension is none of kmsctl's business."""
    sent = message("Create", "Fly", "Create")
    extension = {"tag": "MessageExtension", "type": "Structure", "value": [
        {"tag": "VendorIdentification", "type": "TextString", "value": "acme"},
        {"tag": "CriticalityIndicator", "type": "Boolean", "value": False},
        {"tag": "VendorExtension", "type": "Structure", "value": [
            {"tag": "0x540001", "name": "Colour", "type": "TextString", "value": "red"},
            {"tag": "Colour", "type": "Hue", "value": "red"}]}]}  # fmt: skip
    sent["value"][1]["value"].append(extension)  # type: ignore[index]
    outcome = alice("batch", "-", "--kmip-json", stdin=json.dumps(sent).encode())
    assert outcome.code == 1
    rows = [line.split("\t")[:3] for line in outcome.lines]
    assert rows == [
        ["1", "Create", "Success"],
        ["2", "Fly", "OperationNotSupported"],
        ["3", "Create", "Success"],
    ]
