"""`kms-tornado verify`: 0 where every object is as it should be, 1 where one is not; beside a server that serves."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from .. import postgres
from ..issuer import Issuer
from ..kmip_items import import_items, uid
from ..kms import KMS, User
from ..server import run


class Place:
    """A server of the module, and the same configuration for commands."""

    def __init__(self, kms: KMS, issuer: Issuer, url: str | None) -> None:
        self.kms = kms
        self.url = url
        more = [] if url is None else ["--database-url", url]
        self._options = ["--jwt-issuer-uri", issuer.uri, "--data-dir", str(kms.data_dir), *more]

    def verify(self, *words: str, code: int = 0) -> list[str]:
        """The lines of stdout, or of stderr where it refuses."""
        done = run("verify", *words, *self._options, cwd=self.kms.directory)
        assert done.returncode == code, done.stdout + done.stderr
        assert bool(done.stderr) == (code == 2)
        return (done.stderr if code == 2 else done.stdout).splitlines()

    def sql(self, *statements: str) -> None:
        connection: Any
        if self.url is None:
            connection = sqlite3.connect(self.kms.data_dir / "kms.db")
        else:
            connection = psycopg.connect(self.url)
        with connection:
            for statement in statements:
                connection.execute(statement)
        connection.close()

    def keep(self, uid: str) -> None:
        self.sql(
            "DROP TABLE IF EXISTS kept",
            f"CREATE TABLE kept AS SELECT * FROM objects WHERE uid = '{uid}'",
        )

    def put_back(self, uid: str) -> None:
        self.sql(
            f"DELETE FROM objects WHERE uid = '{uid}'", "INSERT INTO objects SELECT * FROM kept"
        )


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    url = None
    if request.param == "postgresql":
        url = postgres.cluster().new_database()
    # Otherwise the server may find what is put back before the command does.
    options = ["--scrub-interval", "0", *([] if url is None else ["--database-url", url])]
    with (
        Issuer("ES256") as issuer,
        KMS(tmp_path_factory.mktemp("verify"), issuer, options=options) as kms,
    ):
        yield Place(kms, issuer, url)


@pytest.fixture
def user(place: Place) -> User:
    return place.kms.user()


OLD = "its row is not the one of its last record: an older one was put back"


def test_revoked_key_that_was_put_back_is_refused_by_the_server_that_serves(
    place: Place, user: User
) -> None:
    key = user.create()
    user.key_of(key)
    (line,) = place.verify()
    assert line.startswith("all is well: ")
    place.keep(key)
    user.revoke(key)
    place.put_back(key)
    assert user.state_of(key) == "Active"
    assert place.verify(code=1)[0] == f"object {key}: {OLD} (refused)"
    assert user.refused("Get", uid(key)).startswith("General_Failure: the stored object cannot")
    assert place.verify(code=1)[0] == f"object {key}: {OLD} (refused)"
    lines = place.verify("--accept", key)
    assert lines[-1].startswith("all is well: ")
    assert user.state_of(key) == "Active"
    user.revoke(key)
    user.destroy(key, remove=True)
    assert place.verify()[-1].startswith("all is well: ")


def test_object_whose_row_is_put_back_is_used_again(place: Place, user: User) -> None:
    key = user.create()
    octets = user.key_of(key)
    place.keep(key)
    place.sql(f"DELETE FROM objects WHERE uid = '{key}'")
    told = "it is gone, and no record tells of its removal"
    assert place.verify(code=1)[0] == f"object {key}: {told} (refused)"
    stranger = place.kms.user()
    taken = stranger.refused("Import", *import_items(key, bytes(32)))
    assert taken.startswith("Object_Already_Exists: ")
    place.put_back(key)
    lines = place.verify()
    assert lines[0] == f"object {key}: it is as its last record left it, and used again"
    assert user.key_of(key) == octets
    user.revoke(key)
    user.destroy(key, remove=True)


def test_identifier_to_accept_that_no_object_has_is_told(place: Place, user: User) -> None:
    key = user.create()
    lines = place.verify("--accept", "nobody", "--accept", key, code=1)
    assert lines[0] == "object nobody: there is none of this identifier, and nothing was accepted"
    assert lines[1].startswith("all is well: ")
    user.revoke(key)
    user.destroy(key, remove=True)


def test_row_that_was_edited_is_not_accepted(place: Place, user: User) -> None:
    key = user.create()
    place.keep(key)
    place.sql(f"UPDATE objects SET state = 5 WHERE uid = '{key}'")
    (line,) = place.verify("--accept", key, code=2)
    assert f"--accept {key}: something else than a server wrote its row" in line
    place.put_back(key)
    assert place.verify()[-1].startswith("all is well: ")
