"""The audit of a key service: what is recorded, and an older database is not served."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from kms_tornado.errors import ConfigurationError
from kms_tornado.kmip.enums import Operation
from kms_tornado.kmip.payloads import GetRequest
from kms_tornado.service.auditing.anchor_file import ANCHOR_FILE
from kms_tornado.service.auditing.signing_key import KEY_FILE
from kms_tornado.service.kms import KMS
from kms_tornado.service.verification.records import verify_audit

from .audited import ALICE, create, origin, settings_in, use, with_kms


def read_records(directory: Path):
    with sqlite3.connect(directory / "data/kms.db") as connection:
        rows = connection.execute(
            "SELECT lines FROM audit_segments ORDER BY chain, first"
        ).fetchall()
    return [json.loads(line) for (lines,) in rows for line in lines.split(b"\n")]


def of_alice(directory: Path):
    return [record for record in read_records(directory) if record["principal"] == ALICE.name]


def test_every_operation_is_a_record(tmp_path):
    uid = with_kms(settings_in(tmp_path), use)
    told = [(r["operation"], r["result"], r["reason"], r["uid"]) for r in of_alice(tmp_path)]
    # A Get that is the first one changes Fresh: one record, in the change's transaction.
    assert sorted(told, key=str) == sorted(
        [
            ("Create", "Success", None, uid),
            ("Get", "Success", None, uid),
            ("Get", "Success", None, uid),
            ("Get", "Failed", "Item_Not_Found", "absent"),
            ("AccessGrant", "Success", None, uid),
            ("AccessOwned", "Success", None, None),
        ],
        key=str,
    )
    assert {record["request_id"] for record in of_alice(tmp_path)} == {"dfb8822b6b0e65ef"}


def test_without_reads_changes_and_failures_are_recorded(tmp_path):
    with_kms(settings_in(tmp_path, audit_reads=False), use)
    told = [(r["operation"], r["result"]) for r in of_alice(tmp_path)]
    assert sorted(told) == [
        ("AccessGrant", "Success"), ("Create", "Success"), ("Get", "Failed"), ("Get", "Success"),
    ]  # fmt: skip


def test_start_and_stop_are_records_and_the_last_checkpoint_covers_both(tmp_path):
    with_kms(settings_in(tmp_path), create)
    operations = [record["operation"] for record in read_records(tmp_path)]
    assert operations == ["ChainBegin", "ServerStart", "Create", "ServerStop"]
    anchor = json.loads((tmp_path / "data" / ANCHOR_FILE).read_text())
    assert [head[:2] for head in anchor["chains"]] == [[1, 4]]


def verify(directory: Path, **changes):
    async def body(kms):
        return await verify_audit(kms.store, [_read_public(directory)], None)

    return with_kms(settings_in(directory, **changes), body)


def _read_public(directory: Path):
    from kms_tornado.audit.signing import parse_public_pem

    return parse_public_pem((directory / "data" / f"{KEY_FILE}.pub").read_bytes())


def test_audit_of_a_server_that_stopped_is_sound(tmp_path):
    with_kms(settings_in(tmp_path), use)
    report = verify(tmp_path)
    assert report.faults == []
    assert (report.objects, report.checkpoints, report.uncovered) == (1, 3, {})


def keep_copy(directory: Path) -> Path:
    copy = directory / "copy.db"
    with sqlite3.connect(directory / "data/kms.db") as connection, sqlite3.connect(copy) as other:
        connection.backup(other)
    return copy


def put_back(directory: Path, copy: Path) -> None:
    for path in (directory / "data").glob("kms.db*"):
        path.unlink()
    shutil.copy(copy, directory / "data/kms.db")


def test_database_that_is_older_than_the_anchor_is_refused_until_that_is_accepted(tmp_path, caplog):
    settings = settings_in(tmp_path)
    with_kms(settings, create)
    copy = keep_copy(tmp_path)
    with_kms(settings, create)
    put_back(tmp_path, copy)
    with pytest.raises(ConfigurationError, match="the database is older") as caught:
        with_kms(settings)
    assert caught.value.field == "accept_rollback"
    assert f"(anchor: {tmp_path}/data/{ANCHOR_FILE})" in str(caught.value)
    with_kms(dataclasses.replace(settings, accept_rollback=True), create)
    records = read_records(tmp_path)
    (accepted,) = (r for r in records if r["operation"] == "AcceptRollback")
    assert accepted["chain"] == 2  # the chain of before is never used again
    caplog.clear()
    with_kms(settings, create)
    assert caplog.messages == []
    report = verify(tmp_path)
    assert report.faults == []


def set_back(directory: Path, copy: Path) -> None:
    """As a failover to a standby that was behind does under a server that serves."""
    with sqlite3.connect(directory / "data/kms.db", timeout=30) as connection:
        tables = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table'"
        ).fetchall()
        connection.execute("ATTACH ? AS former", [os.fspath(copy)])
        connection.execute("BEGIN IMMEDIATE")
        for (table,) in tables:
            connection.execute(f"DELETE FROM main.{table}")
            connection.execute(f"INSERT INTO main.{table} SELECT * FROM former.{table}")


def findings(directory: Path):
    return [record for record in read_records(directory) if record["operation"] == "Finding"]


@pytest.mark.parametrize("more", [1, 2, 3], ids=["is behind", "is at the same number", "goes on"])
def test_database_that_is_set_back_under_a_server_is_told_and_the_anchor_stays(
    tmp_path, caplog, more
):
    """more: checkpoints that the server makes then. Its own chain is none that lost records."""
    settings = settings_in(tmp_path)
    before = {}

    async def body(kms):
        copy = keep_copy(tmp_path)
        async with KMS(settings) as other:
            await create(other)  # and its stop: two checkpoints that are lost
        await kms.audit._make_checkpoint()
        before["anchor"] = (tmp_path / "data" / ANCHOR_FILE).read_text()
        set_back(tmp_path, copy)
        for _ in range(more):
            await create(kms)
            await kms.audit._make_checkpoint()
        assert kms.audit.health().degraded == "altered"

    with_kms(settings, body)
    assert (tmp_path / "data" / ANCHOR_FILE).read_text() == before["anchor"]
    (told,) = (message for message in caplog.messages if "was set back" in message)
    assert f"(anchor: {tmp_path}/data/{ANCHOR_FILE})" in told
    (finding,) = (record for record in findings(tmp_path) if "generation" in record["detail"])
    assert finding["detail"]["generation"] == json.loads(before["anchor"])["checkpoint"]
    with pytest.raises(ConfigurationError, match=r"another history|is older"):
        with_kms(settings)
    caplog.clear()
    with_kms(dataclasses.replace(settings, accept_rollback=True), create)
    with_kms(settings)
    assert verify(tmp_path).faults == []
    caplog.clear()


def test_server_goes_on_once_another_one_accepted_the_older_database(tmp_path, caplog):
    settings, keys = settings_in(tmp_path), tmp_path / "keys"

    async def body(kms):
        copy = keep_copy(tmp_path)
        await create(kms)
        await kms.audit._make_checkpoint()
        set_back(tmp_path, copy)
        await create(kms)
        await kms.audit._make_checkpoint()
        assert kms.audit.health().degraded == "altered"
        # A server of another machine, with an anchor of its own.
        keys.mkdir()
        for name in (ANCHOR_FILE, "master.key"):
            shutil.copy(tmp_path / "data" / name, keys)
        elsewhere = dataclasses.replace(settings, master_key_file=(keys / "master.key",))
        async with KMS(dataclasses.replace(elsewhere, accept_rollback=True)) as other:
            await create(other)
            await other.audit._make_checkpoint()  # which no longer says so
            await kms.audit._make_checkpoint()
            newest, mine = (
                (place / ANCHOR_FILE).read_text() for place in (keys, tmp_path / "data")
            )
            assert mine == newest
        assert "a start has accepted the older one" in caplog.text

    with_kms(settings, body)
    caplog.clear()
    with_kms(settings)
    assert caplog.messages == []


def test_acceptance_counts_for_other_anchors_and_only_where_it_is_signed(tmp_path, caplog):
    settings, anchor = settings_in(tmp_path), tmp_path / "data" / ANCHOR_FILE
    with_kms(settings)
    copy = keep_copy(tmp_path)
    with_kms(settings)
    old = anchor.read_text()
    put_back(tmp_path, copy)
    with_kms(dataclasses.replace(settings, accept_rollback=True))
    anchor.write_text(old)  # of another machine
    with_kms(settings)
    anchor.write_text(old)
    with sqlite3.connect(tmp_path / "data/kms.db") as connection:
        forged = 'replace(line, \'"signature":"\', \'"signature":"A\')'
        connection.execute(
            f"UPDATE audit_checkpoints SET line = {forged} WHERE line LIKE '%rollback%'"
        )
    with pytest.raises(ConfigurationError, match="another history"):
        with_kms(settings)
    caplog.clear()


def test_anchor_is_never_replaced_by_an_older_checkpoint_of_another_process(tmp_path):
    async def body(kms):
        async with KMS(settings_in(tmp_path)) as other:
            line = await other.audit._store.newest_checkpoint()
            await create(kms)
            await kms.audit._make_checkpoint()
            newest = (tmp_path / "data" / ANCHOR_FILE).read_text()
            other.audit._anchor_file.write(line, json.loads(line)["checkpoint"])
            assert (tmp_path / "data" / ANCHOR_FILE).read_text() == newest

    with_kms(settings_in(tmp_path), body)


def test_accepting_without_need_is_warned_of(tmp_path, caplog):
    with_kms(settings_in(tmp_path))
    caplog.clear()
    with_kms(settings_in(tmp_path, accept_rollback=True))
    (warning,) = caplog.messages
    assert "--accept-rollback is not needed" in warning


def test_lost_anchor_is_warned_of_and_made_anew(tmp_path, caplog):
    with_kms(settings_in(tmp_path))
    (tmp_path / "data" / ANCHOR_FILE).unlink()
    caplog.clear()
    with_kms(settings_in(tmp_path))
    (warning,) = caplog.messages
    assert "the audit's anchor is gone" in warning
    assert (tmp_path / "data" / ANCHOR_FILE).exists()


def test_anchor_that_is_no_checkpoint_is_refused(tmp_path):
    with_kms(settings_in(tmp_path))
    (tmp_path / "data" / ANCHOR_FILE).write_text("{}")
    with pytest.raises(ConfigurationError, match=f"{ANCHOR_FILE}: is no checkpoint"):
        with_kms(settings_in(tmp_path))


def test_anchor_stands_beside_the_master_key_where_it_can_be_written(tmp_path):
    with_kms(settings_in(tmp_path))
    keys = tmp_path / "keys"
    keys.mkdir()
    shutil.move(tmp_path / "data/master.key", keys / "master.key")
    with_kms(settings_in(tmp_path, master_key_file=(keys / "master.key",)))
    newest, former = ((place / ANCHOR_FILE).read_text() for place in (keys, tmp_path / "data"))
    assert json.loads(newest)["checkpoint"] > json.loads(former)["checkpoint"]


def test_audit_key_is_made_once_closed_to_others_with_its_public_half_beside_it(tmp_path):
    with_kms(settings_in(tmp_path))
    path = tmp_path / "data" / KEY_FILE
    before = path.read_bytes()
    with_kms(settings_in(tmp_path))
    assert path.read_bytes() == before
    assert path.stat().st_mode & 0o777 == 0o600
    assert b"PRIVATE" not in path.with_name(f"{KEY_FILE}.pub").read_bytes()


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        pytest.param(lambda path: path.chmod(0o644), "is open to others", id="open to others"),
        pytest.param(lambda path: path.write_text("no key"), "is no private key", id="no key"),
        pytest.param(lambda path: (path.unlink(), path.mkdir()), "is a directory", id="directory"),
    ],
)
def test_audit_key_file_that_cannot_be_used_is_refused(tmp_path, spoil, why):
    with_kms(settings_in(tmp_path))
    spoil(tmp_path / "data" / KEY_FILE)
    with pytest.raises(ConfigurationError, match=why) as caught:
        with_kms(settings_in(tmp_path))
    assert caught.value.field == "audit_key_file"


def test_identifier_of_the_database_that_was_edited_is_refused(tmp_path):
    with_kms(settings_in(tmp_path))
    with sqlite3.connect(tmp_path / "data/kms.db") as connection:
        connection.execute(
            "UPDATE server_state SET value = replace(CAST(value AS TEXT), '|', '0|')"
            " WHERE name = 'database_id'"
        )
    with pytest.raises(ConfigurationError, match="identifier of the database was changed"):
        with_kms(settings_in(tmp_path))


def test_anchor_that_cannot_be_written_degrades_and_serves(tmp_path, caplog):
    async def body(kms):
        await create(kms)
        kms.audit._anchor_file._paths = (tmp_path / "absent" / ANCHOR_FILE,)
        await kms.audit._make_checkpoint()
        assert kms.audit.health().degraded == "anchor"
        await create(kms)

    with_kms(settings_in(tmp_path), body)
    assert "the audit's anchor cannot be written" in caplog.text
    caplog.clear()


def test_row_of_long_ago_is_found(tmp_path):
    settings = settings_in(tmp_path)
    with_kms(settings, create)
    copy = keep_copy(tmp_path)

    async def get(kms):
        (owned,) = await kms.access.list_owned(ALICE.name)
        await kms.service.execute(ALICE, Operation.GET, GetRequest(owned["object_id"]), origin())

    with_kms(settings, get)
    with sqlite3.connect(tmp_path / "data/kms.db") as connection:
        connection.execute("ATTACH ? AS former", [os.fspath(copy)])
        connection.execute("DELETE FROM objects")
        connection.execute("INSERT INTO objects SELECT * FROM former.objects")
    (fault,) = verify(tmp_path).found.values()
    assert fault.text == "its row is not the one of its last record: an older one was put back"
