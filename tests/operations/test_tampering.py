"""Rows that somebody changed in the database by hand (docs/security.md, "Abuse cases").

Material is sealed for one object, owner, type and version; state, masks and grants have no seal.
"""

from __future__ import annotations

import contextlib
import sqlite3

import pytest

from ..kms import uid

#: What was changed → the statement; :mine is Alice's object, :theirs Bob's.
CHANGES = {
    "sealed material of another object": (
        "UPDATE objects SET sealed = (SELECT sealed FROM objects WHERE uid = :theirs)"
        " WHERE uid = :mine"
    ),
    "owner": (
        "UPDATE objects SET owner = (SELECT owner FROM objects WHERE uid = :mine)"
        " WHERE uid = :theirs"
    ),
    "object type": "UPDATE objects SET object_type = 7 WHERE uid = :mine",
    "version": "UPDATE objects SET version = 2 WHERE uid = :mine",
    "a bit": "UPDATE objects SET sealed = zeroblob(length(sealed)) WHERE uid = :mine",
    "identifier": "UPDATE objects SET uid = :moved WHERE uid = :mine",
    "attributes": "UPDATE objects SET attributes = '{}' WHERE uid = :mine",
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_row_is_of_no_use_and_the_log_says_which(kms, alice, bob, change):
    mine, theirs = alice.create(), bob.create()
    moved = f"moved-{mine}"
    assert alice.key_of(mine)
    with contextlib.closing(sqlite3.connect(kms.data_dir / "kms.db")) as database, database:
        done = database.execute(CHANGES[change], {"mine": mine, "theirs": theirs, "moved": moved})
        assert done.rowcount == 1
    wanted = {"owner": theirs, "identifier": moved}.get(change, mine)
    line = alice.refused("Get", uid(wanted))
    assert line.startswith("General_Failure: the stored object cannot be ")
    (said,) = [each for each in kms.log.splitlines() if " ERROR " in each and wanted in each]
    assert "object" in said
