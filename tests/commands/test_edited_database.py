"""Commands on a database that something else than a server edited: one line that says so, and nothing a terminal obeys."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from ..server import NO_AUTH, run
from ..service.auditing.test_audit import create, settings_in, use, with_kms


@pytest.fixture
def database(tmp_path: Path) -> Path:
    with_kms(settings_in(tmp_path), create)
    return tmp_path / "data" / "kms.db"


def edit(database: Path, statement: str, *values: Any) -> None:
    with sqlite3.connect(database) as connection:
        assert connection.execute(statement, values).rowcount


def command(database: Path, *words: str) -> tuple[int, str, str]:
    """(exit code, stdout, stderr)"""
    done = run(*words, *NO_AUTH, "--data-dir", str(database.parent), cwd=database.parent)
    return done.returncode, done.stdout, done.stderr


def test_backup_names_an_object_whose_row_is_of_other_types(database: Path) -> None:
    edit(database, "UPDATE objects SET uid = ?, sealed = 'text'", "\x1b[31mred")
    code, told, errors = command(database, "backup", str(database.with_name("backup")))
    assert code == 1
    assert "?[31mred is in it as something else than a server wrote it" in told
    assert "\x1b" not in told + errors
    assert "Traceback" not in errors


def test_text_of_the_database_is_printed_without_what_a_terminal_obeys(database: Path) -> None:
    red = '"time":"\\u001b[31m'
    edit(database, 'UPDATE audit_checkpoints SET line = replace(line, \'"time":"\', ?)', red)
    code, told, errors = command(database, "audit", "verify")
    assert code == 1
    assert "another history than this server's anchor" in told
    assert "\x1b" not in told + errors


def test_identifier_of_the_database_that_was_edited_is_told(database: Path) -> None:
    edit(database, "UPDATE server_state SET value = 'x' WHERE name = 'database_id'")
    code, told, errors = command(database, "audit", "verify")
    assert (code, told) == (2, "")
    assert "the identifier of the database was changed by something else" in errors


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE grants SET grantee = 'mallory@example.com'", "rows of grants do not fit it"),
        ("INSERT INTO grants SELECT object, 'mallory@example.com', operation FROM grants", "rows of grants do not fit it"),
        ("UPDATE audit_chains SET head = lower(hex(zeroblob(32)))", "was edited: its hash is not the one that the head of its chain names"),
    ],
    ids=["grantee", "forged grant", "head of a chain"],
)  # fmt: skip
def test_edited_row_beside_objects_and_records_is_told_by_audit_verify(
    tmp_path: Path, statement: str, fault: str
) -> None:
    with_kms(settings_in(tmp_path), use)  # a key that is granted
    database = tmp_path / "data" / "kms.db"
    assert command(database, "audit", "verify")[0] == 0
    edit(database, statement)
    code, told, _ = command(database, "audit", "verify")
    assert code == 1
    assert fault in told
    assert "1 fault: " in told


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_chains SET seq = seq - 1", "DELETE FROM audit_chains"]
)
def test_objects_are_compared_although_the_head_of_a_chain_was_moved(
    database: Path, statement: str
) -> None:
    edit(database, statement)
    edit(database, "UPDATE objects SET state = state + 1")
    code, told, _ = command(database, "audit", "verify")
    assert code == 1
    assert "the head of chain 1 was set back to record 1/" in told
    assert "something else than this server wrote its row" in told
    assert "2 faults: " in told


@pytest.mark.parametrize("words", [["verify"], ["audit", "export"]], ids=" ".join)
def test_database_without_its_check_value_is_not_told_to_be_empty(
    database: Path, words: list[str]
) -> None:
    edit(database, "DELETE FROM server_state WHERE name LIKE '%check%'")
    code, told, errors = command(database, *words)
    assert (code, told) == (2, "")
    assert "the database holds objects, but no check value of their master key" in errors
