"""`kmsctl audit`, and when a key was used last."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kms_tornado.client import KMSClient

from ....rows import each_row
from ....server import eventually
from ..conftest import ALICE, BOB, Place
from ..runner import Kmsctl


@pytest.fixture(scope="module")
def key(client: KMSClient, alice: Kmsctl, bob: Kmsctl) -> str:
    """Alice's key, which she made and used twice, and Bob tried to get."""
    made = client.create_symmetric_key(name="ledger")
    client.decrypt(made, client.encrypt(made, b"data"))
    assert bob("sym", "keys", "export", "-k", made, "exported").code == 1
    eventually(lambda: len(alice("audit", made).lines) == 5)
    return made


def test_records_of_a_key_are_listed_the_newest_first(alice: Kmsctl, key: str) -> None:
    rows = [line.split("\t") for line in alice("audit", key).lines]
    told = [(row[1], row[2], row[3], row[4]) for row in rows]
    told.remove((ALICE, "ReserveNonces", key, "Success"))  # of the same moment as the use
    assert told == [
        (BOB, "Export", key, "Failed"),
        (ALICE, "Decrypt", key, "Success"),
        (ALICE, "Encrypt", key, "Success"),
        (ALICE, "Create", key, "Success"),
    ]
    assert abs(datetime.fromisoformat(rows[0][0]) - datetime.now(UTC)).total_seconds() < 3600
    by_name = [line.split("\t") for line in alice("audit", "ledger").lines]
    # To find a Name is a use of its own, whose record may be there already.
    assert [row for row in by_name if row[2] != "AccessList"] == rows


def test_records_are_filtered_and_as_many_as_asked_for(alice: Kmsctl, key: str) -> None:
    assert len(alice("audit", key, "--operation", "Decrypt").lines) == 1
    assert len(alice("audit", key, "--result", "Failed", "--principal", BOB).lines) == 1
    assert len(alice("audit", key, "--limit", "2").lines) == 2
    assert alice("audit", key, "--since", "2100-01-01").lines == []


def test_records_are_whole_for_programs(alice: Kmsctl, key: str) -> None:
    (record,) = json.loads(alice("audit", key, "--operation", "Decrypt", "--json").stdout)
    assert record["uid"] == key
    assert {"chain", "seq", "prev", "request_id", "protocol"} <= record.keys()


def test_what_others_did_is_told_of_own_objects_alone(alice: Kmsctl, bob: Kmsctl, key: str) -> None:
    rows = [line.split("\t") for line in alice("audit", "--principal", BOB).lines]
    assert [(row[2], row[3]) for row in rows] == [("Export", key)]
    assert bob("audit", "--principal", ALICE).lines == []


def test_refusal_is_one_line(place: Place, tmp_path: Path) -> None:
    outcome = place.kmsctl("x" * 255, tmp_path)("audit")
    assert outcome.code == 1
    assert "the server refuses this: a user whose name" in outcome.stderr
    assert outcome.stderr.count("\n") == 1


@each_row(
    ("option", "value", "code", "words"),
    [
        ("--since", "yesterday", 1, "since: a date or a time"),
        ("--operation", "*", 1, "operation: a name"),
        ("--result", "Good", 2, "'Good' is not one of"),
        ("--limit", "0", 2, "--limit"),
        ("--limit", "99999999999999999999", 2, "--limit"),
    ],
)
def test_parameter_that_makes_no_sense_is_refused_in_one_line(
    alice: Kmsctl, option: str, value: str, code: int, words: str
) -> None:
    outcome = alice("audit", option, value)
    assert outcome.code == code
    assert outcome.stderr.count("\n") == 1
    assert words in outcome.stderr


def test_last_use_of_the_own_keys_is_listed(alice: Kmsctl, client: KMSClient, key: str) -> None:
    owned = json.loads(alice("access-rights", "owned", "--json").stdout)
    (told,) = [item for item in owned if item["unique_identifier"] == key]
    assert told["uses"] == 2
    (decrypted,) = client.read_audit(uid=key, operation="Decrypt").records
    assert told["last_used"][:19] == decrypted["time"][:19]
