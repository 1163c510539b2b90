"""Commands on a database that something else than a server edited: one line that says so, and nothing a terminal obeys."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import BigInteger, Integer, LargeBinary, Text

from kms_tornado import __main__
from kms_tornado.commands import running
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import Operation, RevocationReasonCode
from kms_tornado.kmip.payloads import DestroyRequest, EncryptRequest, RevokeRequest
from kms_tornado.kmip.structures import Name, RevocationReason
from kms_tornado.store.sql.tables.schema import metadata

from ..rows import each_row
from ..server import NO_AUTH, run
from ..service.auditing.audited import ALICE, CREATE, create, origin, settings_in, use, with_kms


@pytest.fixture
def database(tmp_path: Path) -> Path:
    with_kms(settings_in(tmp_path), create)
    return tmp_path / "data" / "kms.db"


@pytest.fixture
def full_database(tmp_path: Path) -> Path:
    """With a row in every table."""

    async def fill(kms: Any) -> None:
        async def execute(operation: Operation, request: Any) -> Any:
            return await kms.service.execute(ALICE, operation, request, origin())

        await use(kms)
        members = {**vars(CREATE.attributes), "names": (Name("one"),), "object_groups": ("g",)}
        named = dataclasses.replace(CREATE, attributes=Attributes(**members))
        made = await execute(Operation.CREATE, named)
        uid = made.unique_identifier
        await execute(Operation.ENCRYPT, EncryptRequest(uid, data=b"1", iv_counter_nonce=b"n" * 12))
        gone = await create(kms)
        reason = RevocationReason(RevocationReasonCode.KEY_COMPROMISE)
        await execute(
            Operation.REVOKE, RevokeRequest(revocation_reason=reason, unique_identifier=gone)
        )
        await execute(Operation.DESTROY, DestroyRequest(gone, remove=True))
        await kms.store.proofs.use(b"p" * 32, 2**31)
        await kms.indexer.catch_up()

    with_kms(settings_in(tmp_path), fill)
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


def odd_values(database: Path) -> Iterator[tuple[str, str, object]]:
    """(table, column, a value of a type that no server writes there) of every column that takes one."""
    for table in metadata.sorted_tables:
        for column in table.columns:
            for value in ("a text", b"\xffbytes", 7):
                with sqlite3.connect(database) as connection, contextlib.suppress(sqlite3.Error):
                    statement = (
                        f"UPDATE {table.name} SET {column.name} = ? RETURNING typeof({column.name})"
                    )
                    kinds = connection.execute(statement, (value,)).fetchall()
                    connection.rollback()
                    if kinds and kinds[0][0] != KINDS[type(column.type)]:
                        yield table.name, column.name, value


KINDS = {Text: "text", LargeBinary: "blob", Integer: "integer", BigInteger: "integer"}


@pytest.fixture
def command_here(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a command in this process, which takes a twentieth of the time."""
    monkeypatch.setattr(running, "harden_process", lambda: None)
    monkeypatch.setattr("kms_tornado.logs.configure", lambda *_: None)

    def run_here(database: Path, *words: str) -> int:
        code = __main__.main([*words, *NO_AUTH, "--data-dir", str(database.parent)])
        # A connection that waits for the collector keeps the log of this run beside the next run's database.
        for generation in (1, 2):  # the second takes long
            if database.with_name(f"{database.name}-wal").exists():
                gc.collect(generation)
        return code

    return run_here


def test_value_of_another_type_in_any_column_is_told_by_the_commands_that_verify(
    full_database: Path, command_here: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    tried = [*odd_values(full_database)]
    assert len({(table, column) for table, column, _ in tried}) > 60
    sound = full_database.read_bytes()
    missed = []
    for number, (table, column, value) in enumerate(tried):
        edit(full_database, f"UPDATE {table} SET {column} = ?", value)
        words = (["verify"], ["audit", "verify"])[number % 2]
        code = command_here(full_database, *words)
        told, errors = capfd.readouterr()
        if code == 0 or (code == 2 and not errors) or "Traceback" in errors:
            missed.append((table, column, value, code, told, errors))
        full_database.write_bytes(sound)
    assert missed == []


OF_COMMANDS = [
    ("audit_segments SET first = 'x'", "audit reindex", 1, "records are missing: run kms-tornado audit verify"),
    ("audit_segments SET last = 'x'", "audit reindex", 1, "records are missing: run kms-tornado audit verify"),
    ("audit_segments SET chain = 'x'", "audit tail", 1, "records in a row that does not say which"),
    ("audit_segments SET last = x'00'", "audit tail", 1, "records in a row that does not say which"),
    ("audit_segments SET since = since + 1", "audit tail", 1, "not written by this server, or edited"),
    ("audit_segments SET chain = 'x'", "audit export", 1, "the column chain of audit_segments has text in "),
    ("audit_segments SET chain = x'00'", "audit verify", 1, "the column chain of audit_segments has bytes in "),
    ("objects SET owner = x'00ff'", "audit reindex", 0, ""),
    ("objects SET owner = x'00ff'", "owners", 0, "2\t?"),
    ("objects SET sealed = 'text'", "rewrap", 1, "sealed_digest does not fit the sealed material"),
    ("objects SET sealed = 7", "transfer alice@example.com bob@example.com", 1, " stays: the stored object cannot be used"),
    ("objects SET sealed = x'00'", "backup BACKUP", 1, " is in it as something else than a server wrote it"),
    ("audit_chains SET seq = 'x'", "backup BACKUP", 1, "the column seq of audit_chains has text in 1 of its rows"),
    ("objects SET uid = x'00ff'", "verify", 1, "the column uid of objects has bytes in 1 of its rows, where servers write text"),
]  # fmt: skip


@each_row("edits, words, expected, told", OF_COMMANDS)
def test_command_says_in_a_sentence_which_value_is_damaged(
    full_database: Path,
    command_here: Any,
    capfd: pytest.CaptureFixture[str],
    edits: str,
    words: str,
    expected: int,
    told: str,
) -> None:
    sound = full_database.read_bytes()
    edit(full_database, f"UPDATE OR REPLACE {edits}")
    backup = full_database.with_name("backup")
    code = command_here(full_database, *words.replace("BACKUP", str(backup)).split())
    full_database.write_bytes(sound)
    backup.unlink(missing_ok=True)
    output = "".join(capfd.readouterr())
    assert (code, "Traceback" in output) == (expected, False), output
    assert told in output
