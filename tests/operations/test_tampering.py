"""What somebody gets who writes to the database without the master key: a refusal that the operator sees.

Every column of every table is edited, one at a time, behind the back of a server that runs: the operation
that decides by the row fails, loud, and one line in the log names the object. Below stand the edits that
nothing can notice, so that whoever changes that changes a test.
"""

from __future__ import annotations

import contextlib
import functools
import time
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import Engine, Integer, LargeBinary, Text, create_engine, make_url
from sqlalchemy import text as sql

from kms_tornado.store.sql.tables.schema import metadata

from .. import postgres
from ..kmip_items import Item, batch_item, import_items, name, number, octets, structure, text, uid
from ..kms import KMS, User, two_issuers

NONCE = bytes(range(12))
REFUSED = "General_Failure: the stored object cannot be used; tell the operator of the server"


# --- the server, its database, and what a test has there ----------------------------------------


@dataclass
class Place:
    """A server, and its database as an intruder sees it."""

    server: KMS
    url: str

    @functools.cached_property
    def engine(self) -> Engine:
        return create_engine(self.url)

    def write(self, statement: str, **values: Any) -> int:
        """Run SQL as an intruder does, for whom no constraint holds; the number of rows."""
        with self.engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(sql("SET session_replication_role = replica"))
            return connection.execute(sql(statement), values).rowcount

    def read(self, statement: str, **values: Any) -> list[dict[str, Any]]:
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(sql(statement), values).mappings()]

    @contextlib.contextmanager
    def one_error_line(self, *subjects: str):
        """The block makes the server log one line at the level ERROR, which names one of the subjects."""
        before = self.server.log_size
        yield
        deadline = time.monotonic() + 5
        while not (lines := self._errors(before)) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(lines) == 1, lines
        assert any(subject in lines[0] for subject in subjects), lines

    @contextlib.contextmanager
    def no_error_line(self):
        before = self.server.log_size
        yield
        assert self._errors(before) == []

    def _errors(self, start: int) -> list[str]:
        return [line for line in self.server.log_since(start).splitlines() if " ERROR " in line]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def place(request, tmp_path_factory):
    directory = tmp_path_factory.mktemp("tampering")
    # Without the scrub, which may find what was changed at any moment, and says so in the log, too.
    options, url = ["--scrub-interval", "0"], None
    if request.param == "postgresql":
        url = postgres.cluster().new_database()
        options += ["--database-url", url]
        url = make_url(url).set(drivername="postgresql+psycopg")
    with two_issuers() as issuers, KMS(directory, *issuers, options=options) as server:
        place = Place(server, url or f"sqlite:///{server.data_dir / 'kms.db'}")
        yield place
        place.engine.dispose()


@dataclass
class Scene:
    """Alice's key, granted to Bob; another key of hers; and an identifier that she removed.

    The other key was used with a nonce of hers.
    """

    place: Place
    alice: User
    bob: User
    key: str = ""
    other: str = ""
    removed: str = ""
    stranger: User | None = None
    values: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        alice = self.alice
        self.key = alice.create(*self.described("payroll"), tags=("first", "second"))
        self.other = alice.create(*self.described("other"), tags=("third",))
        alice.grant(self.key, self.bob, "get", "encrypt")
        self.removed = alice.import_key(f"removed-{self.key}", bytes(16))
        alice.revoke(self.removed)
        alice.destroy(self.removed, remove=True)
        self.values = {"key": self.key, "other": self.other, "removed": self.removed}
        self.values |= {"alice": alice.name, "bob": self.bob.name}
        of_two = "SELECT serial FROM objects WHERE uid IN (:key, :other) ORDER BY serial"
        first, second = self.place.read(of_two, key=self.key, other=self.other)
        self.values |= {"serial1": first["serial"], "serial2": second["serial"]}
        self.values |= self._use_nonce()

    @staticmethod
    def described(called: str) -> list[Item]:
        return [
            structure("Name", text("NameValue", called), name("NameType", 1)),
            text("ObjectGroup", "finance"),
            structure(
                "UsageLimits",
                {"tag": "UsageLimitsTotal", "type": "LongInteger", "value": 100},
                name("UsageLimitsUnit", "Object"),
            ),
        ]

    def _use_nonce(self) -> dict[str, Any]:
        """The key and the nonce of the records that the use leaves."""
        sources = "SELECT key FROM nonce_sources"
        before = {bytes(row["key"]) for row in self.place.read(sources)}
        self.alice.encrypt(self.other, b"data", octets("IVCounterNonce", NONCE))
        (key,) = {bytes(row["key"]) for row in self.place.read(sources)} - before
        nonces = "SELECT nonce FROM used_nonces WHERE key = :key ORDER BY nonce"
        _, used = self.place.read(nonces, key=key)
        return {"nonce_key": key, "nonce": bytes(used["nonce"])}

    def write(self, statement: str, **values: Any) -> int:
        return self.place.write(statement, **self._used_by(statement), **values)

    def read(self, statement: str) -> list[dict[str, Any]]:
        return self.place.read(statement, **self._used_by(statement))

    def _used_by(self, statement: str) -> dict[str, Any]:
        return {name: value for name, value in self.values.items() if f":{name}" in statement}


@pytest.fixture
def scene(place):
    with new_scene(place) as scene:
        yield scene
        place.write("DELETE FROM grants WHERE grantee = '*'")  # every Locate would meet them


@pytest.fixture(scope="module")
def kept_scene(place):
    """For tests that put back what they edit."""
    with new_scene(place) as scene:
        yield scene


@contextlib.contextmanager
def new_scene(place):
    users = place.server.user(), place.server.user()
    yield Scene(place, *users)
    for user in users:
        user.close()


# --- every column of every table ----------------------------------------------------------------

#: What meets the edit of a row: the requests that decide by it. {suffix}: that of a text that was edited.
PROBES = {
    "get": lambda scene: scene.alice.refused("Get", uid(scene.key)),
    "get of the new identifier": lambda scene: scene.alice.refused("Get", uid(f"{scene.key}x")),
    "get by the grantee": lambda scene: scene.bob.refused("Get", uid(scene.key)),
    "locate": lambda scene: scene.alice.refused("Locate"),
    "create": lambda scene: scene.alice.refused("Create", *CREATE),
    "use the nonce again": lambda scene: encrypt(scene, NONCE),
    "use another nonce": lambda scene: encrypt(scene, NONCE[::-1]),
    "take again": lambda scene: scene.alice.refused(
        "Import", *import_items(scene.removed, bytes(16))
    ),
    "take the new identifier": lambda scene: scene.alice.refused(
        "Import", *import_items(f"{scene.removed}x", bytes(16))
    ),
}


def encrypt(scene: Scene, nonce: bytes) -> str:
    return scene.alice.refused(
        "Encrypt", uid(scene.other), octets("Data", b"data"), octets("IVCounterNonce", nonce)
    )


CREATE = [
    name("ObjectType", "SymmetricKey"),
    structure(
        "Attributes", name("CryptographicAlgorithm", "AES"), number("CryptographicLength", 256)
    ),
]

#: Table → the condition for the row that is edited.
ROWS = {
    "objects": "uid = :key",
    "object_tags": "object = (SELECT serial FROM objects WHERE uid = :key) AND tag = 'first'",
    "object_values": (
        "object = (SELECT serial FROM objects WHERE uid = :key) AND path = 'ObjectGroup'"
    ),
    "object_names": "object = (SELECT serial FROM objects WHERE uid = :key)",
    "grants": (
        "object = (SELECT serial FROM objects WHERE uid = :key) AND grantee = :bob AND operation = 10"
    ),
    "owners": "owner = :alice",
    "tombstones": "uid = :removed",
    "nonce_sources": "key = :nonce_key",
    "used_nonces": "key = :nonce_key AND nonce = :nonce",
}

#: Table → column → the probe that meets the edit; "*" stands for the table's other columns.
NOTICED_BY = {
    "objects": {"*": "get", "uid": "get of the new identifier", "serial": "locate"},
    "object_tags": {"*": "locate"},
    "object_values": {"*": "locate"},
    "object_names": {"*": "locate"},
    "grants": {"*": "get by the grantee"},
    "owners": {"*": "create"},
    "tombstones": {"owner": "take again", "mac": "take again", "uid": "take the new identifier"},
    "nonce_sources": {"*": "use another nonce"},
    "used_nonces": {"*": "use the nonce again"},
}
#: Tables whose columns tests/store/sql/upkeep/test_sealing.py edits: what stands there is read at a start. And those of
#: the audit, which tests/commands/audit/test_verify.py and tests/store/sql/audit/test_log.py edit, and its index, which
#: tests/store/sql/audit/test_index.py does. used_proofs decides about no object.
ELSEWHERE = {
    "server_state", "audit_chains", "audit_checkpoints", "audit_segments",
    "audit_pages", "audit_index", "audit_uses", "audit_made", "used_proofs",
}  # fmt: skip

COLUMNS = [
    pytest.param(column, id=f"{table.name}.{column.name}")
    for table in metadata.sorted_tables
    for column in table.c
    if table.name not in ELSEWHERE
]


def changed(column) -> str:
    """SQL for another value of the column's type."""
    if isinstance(column.type, LargeBinary):
        return "(SELECT mac FROM owners WHERE mac IS NOT NULL ORDER BY owner LIMIT 1)"
    if isinstance(column.type, Text):
        return f"{column.name} || 'x'"
    assert isinstance(column.type, Integer)
    if column.name in ("serial", "object"):  # of another row, and of none
        return "(SELECT max(serial) + 1000 FROM objects)"
    return f"COALESCE({column.name}, 0) + 50"


def test_every_table_of_the_database_is_listed():
    assert {table.name for table in metadata.sorted_tables} == ELSEWHERE | set(NOTICED_BY)


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.usefixtures("place")
def test_a_column_that_was_edited_is_refused_loud(request, column):
    table = column.table.name
    # Once it is edited, a column that finds the row finds it no more: its scene cannot be put back.
    finds = column.name in ROWS[table].split() or column.name in {"serial", "object"}
    scene = request.getfixturevalue("scene" if finds else "kept_scene")
    probes = NOTICED_BY[table]
    probe = PROBES[probes.get(column.name) or probes["*"]]
    with scene.place.no_error_line():
        scene.alice.key_of(scene.key), scene.bob.key_of(scene.key), scene.alice.locate()
        scene.alice.create()
    [[before]] = [
        row.values() for row in scene.read(f"SELECT {column.name} FROM {table} WHERE {ROWS[table]}")
    ]
    if column.name == "mac" and table == "owners":
        scene.write(f"UPDATE owners SET mac = NULL WHERE {ROWS[table]}")
    else:
        done = scene.write(
            f"UPDATE {table} SET {column.name} = {changed(column)} WHERE {ROWS[table]}"
        )
        assert done == 1
    for _ in range(2):
        with scene.place.one_error_line(scene.key, scene.other, scene.removed, scene.alice.name):
            assert probe(scene) == REFUSED
    if not finds:
        put_back = f"UPDATE {table} SET {column.name} = :before WHERE {ROWS[table]}"
        assert scene.write(put_back, before=before) == 1


# --- larger edits -------------------------------------------------------------------------------


OF_KEY = "object = (SELECT serial FROM objects WHERE uid = :key)"

#: The edit → (its statements, the requests that are refused for it).
EDITS = {
    "a right for a stranger": (
        ["INSERT INTO grants SELECT serial, :stranger, 10 FROM objects WHERE uid = :key"],
        ["get by a stranger", "locate by a stranger", "tags by a stranger", "list of grants"],
    ),
    "a right for everybody": (
        ["INSERT INTO grants SELECT serial, '*', 10 FROM objects WHERE uid = :key"],
        ["get by a stranger", "get by the grantee", "locate by a stranger"],
    ),
    "a right for a stranger, in both places": (
        ["INSERT INTO grants SELECT serial, :stranger, 10 FROM objects WHERE uid = :key",
         """UPDATE objects SET grants = '{"' || :stranger || '":[10]}' WHERE uid = :key"""],
        ["get by a stranger", "get", "locate by a stranger", "tags by a stranger"],
    ),
    "one more right of the grantee": (
        [f"INSERT INTO grants SELECT object, grantee, 20 FROM grants WHERE {OF_KEY} AND operation = 10"],
        ["get by the grantee", "destroy by the grantee"],
    ),
    "a right that is gone": (
        [f"DELETE FROM grants WHERE {OF_KEY} AND operation = 10"],
        ["get by the grantee", "locate", "list of grants", "grant", "withdraw"],
    ),
    "all rights gone": (
        [f"DELETE FROM grants WHERE {OF_KEY}"], ["get by the grantee", "locate", "list of grants"]
    ),
    "flags and mask": (
        ["UPDATE objects SET attributes = replace(attributes, '\"Sensitive\",6,true',"
         " '\"Sensitive\",6,false'), sensitive = 0, extractable = 1, usage_mask = 16383"
         " WHERE uid = :key"],
        ["get", "get by the grantee", "locate"],
    ),
    "the owner": (
        ["UPDATE objects SET owner = :stranger WHERE uid = :key",
         f"UPDATE object_tags SET owner = :stranger WHERE {OF_KEY}",
         f"UPDATE object_values SET owner = :stranger WHERE {OF_KEY}",
         f"UPDATE object_names SET owner = :stranger WHERE {OF_KEY}"],
        ["get by a stranger", "get", "locate by a stranger", "tags by a stranger"],
    ),
    "identifiers of two objects": (
        ["UPDATE objects SET uid = 'swap' WHERE uid = :key",
         "UPDATE objects SET uid = :key WHERE uid = :other",
         "UPDATE objects SET uid = :other WHERE uid = 'swap'"],
        ["get", "get of the other", "locate"],
    ),
    "serials of two objects": (
        ["UPDATE objects SET serial = -1 WHERE uid = :key",
         "UPDATE objects SET serial = :serial1 WHERE uid = :other",
         "UPDATE objects SET serial = :serial2 WHERE uid = :key"],
        ["locate", "get by the grantee"],
    ),
    "material of another object": (
        ["UPDATE objects SET sealed = (SELECT o.sealed FROM objects o WHERE o.uid = :other),"
         " sealed_digest = (SELECT o.sealed_digest FROM objects o WHERE o.uid = :other)"
         " WHERE uid = :key"],
        ["get", "get by the grantee"],
    ),
    # No envelope is opened, so nothing but the digest of the sealed material shows it.
    "material taken away": (
        ["UPDATE objects SET sealed = NULL WHERE uid = :key"],
        ["get", "get by the grantee", "own tags"],
    ),
    "a row copied from another object": (
        ["UPDATE objects SET uid = 'gone' || uid WHERE uid = :key",
         "UPDATE objects SET uid = :key WHERE uid = :other"],
        ["get", "locate"],
    ),
    "no tags": ([f"DELETE FROM object_tags WHERE {OF_KEY}"], ["locate"]),
    "one tag more": (
        ["INSERT INTO object_tags SELECT serial, 'more', owner, created_at FROM objects WHERE uid = :key"],
        ["locate", "tags"],
    ),
    "no names": ([f"DELETE FROM object_names WHERE {OF_KEY}"], ["locate"]),
    "one name more": (
        ["INSERT INTO object_names SELECT owner, '7=more', 1, serial FROM objects WHERE uid = :key"],
        ["locate"],
    ),
    "no values": ([f"DELETE FROM object_values WHERE {OF_KEY}"], ["locate"]),
    "one value more": (
        ["INSERT INTO object_values SELECT serial, 99, 99, owner, 'ObjectGroup', '7=more', NULL"
         " FROM objects WHERE uid = :key"],
        ["locate", "locate by group"],
    ),
    "no code": (["UPDATE objects SET mac = NULL WHERE uid = :key"], ["get", "locate", "own tags"]),
    "the count of objects is gone": (["DELETE FROM owners WHERE owner = :alice"], ["create"]),
    "fewer objects": (["UPDATE owners SET objects = 0 WHERE owner = :alice"], ["create"]),
    "a used nonce is forgotten": (
        ["DELETE FROM used_nonces WHERE key = :nonce_key AND nonce = :nonce"],
        ["use the nonce again", "use another nonce"],
    ),
    "all used nonces are forgotten": (
        ["DELETE FROM used_nonces WHERE key = :nonce_key"],
        ["use the nonce again", "use another nonce"],
    ),
    "no nonce was ever used": (
        ["DELETE FROM used_nonces WHERE key = :nonce_key",
         "DELETE FROM nonce_sources WHERE key = :nonce_key"],
        ["use the nonce again", "use another nonce"],
    ),
    "the key has no source of nonces": (
        ["UPDATE objects SET nonce_source = NULL WHERE uid = :other"],
        ["use the nonce again", "get of the other"],
    ),
    "the identifier of a removed object is another's": (
        ["UPDATE tombstones SET owner = :stranger WHERE uid = :removed"],
        ["take again", "take by a stranger"],
    ),
}  # fmt: skip

REQUESTS = {
    **PROBES,
    "get by a stranger": lambda scene: scene.stranger.refused("Get", uid(scene.key)),
    "get of the other": lambda scene: scene.alice.refused("Get", uid(scene.other)),
    "locate by a stranger": lambda scene: scene.stranger.refused("Locate"),
    "locate by group": lambda scene: scene.alice.refused(
        "Locate", structure("Attributes", text("ObjectGroup", "more"))
    ),
    "tags": lambda scene: scene.alice.refused("Get", uid(["more"])),
    "own tags": lambda scene: scene.alice.refused("Get", uid(["first"])),
    "tags by a stranger": lambda scene: scene.stranger.refused("Get", uid(["first", "second"])),
    "destroy by the grantee": lambda scene: scene.bob.refused("Destroy", uid(scene.key)),
    "list of grants": lambda scene: scene.alice.exchange("GET", f"/access/list/{scene.key}").text,
    "grant": lambda scene: change_access(scene, "grant"),
    "withdraw": lambda scene: change_access(scene, "revoke"),
    "take by a stranger": lambda scene: scene.stranger.refused(
        "Import", *import_items(scene.removed, bytes(16))
    ),
}


def change_access(scene: Scene, verb: str) -> str:
    body = {
        "unique_identifier": scene.key,
        "user_id": scene.bob.name,
        "operation_types": ["get", "decrypt"],
    }
    return scene.alice.change_access(verb, body).text


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_is_refused_loud_by_all_that_decide_by_it(scene, edit):
    statements, requests = EDITS[edit]
    scene.stranger = scene.place.server.user()
    scene.values["stranger"] = scene.stranger.name
    for statement in statements:
        assert scene.write(statement) > 0
    for request in requests:
        names = scene.key, scene.other, scene.removed, scene.alice.name
        with scene.place.one_error_line(*names):
            assert REQUESTS[request](scene) == REFUSED, request


# --- what a write and a batch do with an edited row ---------------------------------------------

WRITES = {
    "Revoke": lambda scene: scene.alice.refused(
        "Revoke", uid(scene.key), text("RevocationReason", "rotated")
    ),
    "AddAttribute": lambda scene: scene.alice.refused(
        "AddAttribute", uid(scene.key), structure("NewAttribute", text("Comment", "new"))
    ),
    "Destroy": lambda scene: scene.alice.refused("Destroy", uid(scene.key)),
    "Import in its place": lambda scene: scene.alice.refused(
        "Import", *import_items(scene.key, bytes(16), replace=True)
    ),
    "grant": REQUESTS["grant"],
    "withdraw": REQUESTS["withdraw"],
}


@pytest.mark.parametrize("write", WRITES)
def test_a_change_does_not_make_an_edited_row_good(scene, write):
    scene.write("UPDATE objects SET usage_mask = 16383 WHERE uid = :key")
    of_key = "SELECT * FROM objects WHERE uid = :key"
    before = scene.place.read(of_key, key=scene.key)
    with scene.place.one_error_line(scene.key):
        assert WRITES[write](scene) == REFUSED
    assert scene.place.read(of_key, key=scene.key) == before
    assert REQUESTS["get"](scene) == REFUSED


def test_an_item_of_a_batch_is_refused_alone(scene):
    scene.write("UPDATE objects SET state = 1 WHERE uid = :key")
    with scene.place.one_error_line(scene.key):
        edited, good = scene.alice.ask(
            batch_item("Get", uid(scene.key)), batch_item("Get", uid(scene.other))
        )
    assert edited["ResultReason"] == "GeneralFailure"
    assert good["ResultStatus"] == "Success"


def test_a_search_after_changes_in_a_batch_is_checked_too(scene):
    scene.write(f"UPDATE object_values SET owner = 'x' WHERE {OF_KEY}")
    with scene.place.one_error_line(scene.key):
        made, located = scene.alice.ask(batch_item("Create", *CREATE), batch_item("Locate"))
    assert located["ResultReason"] == "GeneralFailure"
    del made


# --- what nothing here can notice ---------------------------------------------------------------


def test_an_older_row_of_the_same_object_passes_and_is_left_to_the_audit_chain(scene):
    """A replay: every byte is one that this server wrote. Only a record outside the database shows it."""
    of_key = "SELECT * FROM objects WHERE uid = :key"
    (old,) = scene.place.read(of_key, key=scene.key)
    scene.alice.revoke(scene.key)
    assert scene.alice.state_of(scene.key) == "Deactivated"
    columns = ", ".join(f"{column} = :{column}" for column in old)
    scene.place.write(f"UPDATE objects SET {columns} WHERE uid = :uid", **old)
    with scene.place.no_error_line():
        assert scene.alice.state_of(scene.key) == "Active"


def test_a_row_that_is_gone_is_gone_without_a_word(scene):
    for table in ("object_tags", "object_values", "object_names"):
        scene.write(f"DELETE FROM {table} WHERE object = :serial2")
    scene.write("DELETE FROM objects WHERE uid = :other")
    with scene.place.no_error_line():
        assert scene.alice.refused("Get", uid(scene.other)).startswith("Item_Not_Found")


def test_who_deletes_a_tombstone_frees_the_identifier(scene):
    scene.write("DELETE FROM tombstones WHERE uid = :removed")
    with scene.place.no_error_line():
        scene.bob.import_key(scene.removed, bytes(16))


def test_a_search_cannot_find_what_was_hidden_from_its_index(scene):
    scene.write(f"DELETE FROM object_tags WHERE {OF_KEY}")
    with scene.place.no_error_line():
        assert scene.alice.refused("Get", uid(["first"])).startswith("Item_Not_Found")
        assert scene.alice.key_of(scene.key)
