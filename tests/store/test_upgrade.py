"""A database that an older version made works on, with all that is in it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from alembic import command
from alembic.config import Config

from kms_tornado.errors import NonUniqueName
from kms_tornado.kmip.attributes import dump_attributes
from kms_tornado.kmip.enums import State
from kms_tornado.kmip.structures import Name
from kms_tornado.store import migrate
from kms_tornado.store.base import Insert, Remove, Replace
from kms_tornado.store.sqlite_file import SQLiteFile

from .helpers import ALICE, BOB, KEY_ATTRIBUTES, an_object, uids, with_store

NAMED = replace(
    KEY_ATTRIBUTES,
    names=(Name("payroll"), Name("x" * 3000)),
    object_groups=("finance",),
    sensitive=True,
    activation_date=1_700_000_001,
)
OBJECTS = [
    an_object("one", tags=frozenset({"t"})),
    an_object("named", attributes=NAMED),
    an_object("bobs", owner=BOB, attributes=NAMED),
    an_object("gone", state=State.DESTROYED, sealed=None, attributes=NAMED),
]

INSERT_OBJECT = """
    INSERT INTO objects (serial, uid, owner, object_type, state, algorithm, length, usage_mask,
        key_format, attributes, tags, sealed, version, generation, created_at, changed_at)
    VALUES (?, ?, ?, ?, ?, 3, 256, 2108, 1, ?, ?, ?, 1, 1, 1700000000, 5)
"""


def make_at_first_revision(path):
    """As the first release left it: its revision, its tables, its rows."""
    file = SQLiteFile(path)
    file._make_private()
    file._identity = file._seen()
    config = Config()
    config.set_main_option("script_location", str(migrate._MIGRATIONS))
    with file.open_writer() as connection:
        config.attributes["connection"] = connection
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        command.upgrade(config, "0001")
        for serial, each in enumerate(OBJECTS, 1):
            tags = "[" + ",".join(f'"{tag}"' for tag in sorted(each.tags)) + "]"
            connection.exec_driver_sql(
                INSERT_OBJECT,
                (
                    serial,
                    each.uid,
                    each.owner,
                    int(each.object_type),
                    int(each.state),
                    dump_attributes(each.attributes),
                    tags,
                    each.sealed,
                ),
            )
            for tag in each.tags:
                connection.exec_driver_sql(
                    "INSERT INTO object_tags VALUES (?, ?, ?, 1700000000)",
                    (serial, tag, each.owner),
                )
        connection.exec_driver_sql(
            "INSERT INTO server_state VALUES ('master_key_check', ?)", (b"check",)
        )
        tables = connection.exec_driver_sql("SELECT name FROM sqlite_master").scalars().all()
        assert not {"grants", "owners", "object_values"} & set(tables)
        connection.exec_driver_sql("COMMIT")


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "kms.db"
    make_at_first_revision(path)
    return path


def test_every_object_is_there_as_it_was(path):
    async def body(store):
        assert await store.master_key_check() == b"check"
        assert [await store.get(each.uid) for each in OBJECTS] == OBJECTS
        assert uids(await store.with_tags(frozenset({"t"}), principal=ALICE)) == ["one"]

    with_store(path, body)
    with_store(path, body)


def test_objects_change_and_go(path):
    async def body(store):
        changed = replace(OBJECTS[0], state=State.DEACTIVATED)
        await store.commit([Replace(changed, seen=1)])
        await store.commit([Remove(each.uid, seen=1) for each in OBJECTS[1:]])
        assert await store.get("one") == replace(changed, generation=2)
        assert await store.get("named") is None

    with_store(path, body)


def test_names_of_living_objects_are_taken(path):
    async def body(store):
        for name in NAMED.names:
            with pytest.raises(NonUniqueName):
                await store.commit(
                    [Insert(an_object("new", attributes=replace(KEY_ATTRIBUTES, names=(name,))))]
                )
        await store.commit([Remove("named", seen=1)])
        await store.commit([Insert(an_object("new", attributes=NAMED))])

    with_store(path, body)
