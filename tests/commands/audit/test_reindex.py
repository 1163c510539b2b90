"""`kms-tornado audit reindex`: beside a server that serves, and where records are missing."""

from __future__ import annotations

from ...kms import User
from ...server import eventually
from ...store.helpers import write_behind
from ..conftest import Place


def read_uses(user: User) -> list[int]:
    return [item["uses"] for item in user.listed("owned")]


def test_index_that_was_changed_is_as_the_records_say_again(place: Place) -> None:
    user = place.kms.user()
    user.key_of(user.create())
    eventually(lambda: read_uses(user) == [1])
    write_behind(place.database, "UPDATE audit_uses SET uses = 1000")
    assert read_uses(user) == [1000]
    done = place.run("audit", "reindex")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("the index has ")
    assert read_uses(user) == [1]


def test_records_that_are_gone_are_told_and_end_the_command(place: Place) -> None:
    write_behind(
        place.database,
        "INSERT INTO audit_chains (chain, session, seen, seq, head) VALUES (99, 'nobody', :seen, 7, :head)",
        seen=1 << 62,
        head="0" * 64,
    )
    done = place.run("audit", "reindex")
    assert done.returncode == 1
    assert "7 records are missing: run kms-tornado audit verify" in done.stdout
