"""A database of the last version without codes is brought over once, and says so; nothing passes for one."""

from __future__ import annotations

import asyncio
import base64
import logging
import re
import shutil
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, inspect, make_url, text
from sqlalchemy.pool import NullPool

from kms_tornado.errors import ConfigurationError, GeneralFailure, ItemNotFound, KMIPError
from kms_tornado.kmip.enums import ObjectType, Operation, State
from kms_tornado.kmip.payloads import (
    DecryptRequest,
    GetAttributesRequest,
    GetRequest,
    LocateRequest,
)
from kms_tornado.service.kms import KMS
from kms_tornado.service.objects.access_rights import AccessRequest
from kms_tornado.settings.service import Secret, ServiceSettings
from kms_tornado.store import migrate
from kms_tornado.store.opening import open_store

from .... import postgres
from ....operations.inside import a_principal
from ...conftest import DATABASES

DATABASE = Path(__file__).parents[2] / "revision_0004.sql"
MASTER_KEY = base64.b64encode(bytes(range(32))).decode()
OTHER_KEY = base64.b64encode(bytes(32)).decode()

#: What is in the file: the identifiers that the server gave, and what it encrypted.
PRIVATE, PUBLIC = "96dc2521-70a3-43b4-82af-3374b69fcce0", "725b1c12-ab2a-4c0e-9773-a0c6d8022ca2"
SECRET, OPAQUE = "8e4ddb5d-f646-4d9c-8a15-bfc2c051faac", "57d517c2-05cd-4774-9165-8cd22d988bce"
SEALED = DecryptRequest(
    "key",
    data=b"\x18\xf0&\xa4\xcaU\x14\xdb\xed",
    iv_counter_nonce=b"\x06\xf1\x16\xc2\xf6Q\x83[\xb1\x19^(",
    authenticated_encryption_tag=b"\x9c\xcb\x1a]#\xae\xdaq\x11\xff\xd5\xc4I\x8d\x1a\xce",
)
OWN = ["key", "nonces", "sensitive", "destroyed", "revoked", PRIVATE, PUBLIC, SECRET, OPAQUE]


class Old:
    """The database, as a URL of ours and of SQLAlchemy's, and what is written to it by others."""

    def __init__(self, place, directory):
        self.directory = directory
        is_file = isinstance(place, Path)
        self.url = f"sqlite:///{place}" if is_file else place
        driver = "sqlite" if is_file else "postgresql+psycopg"
        self.engine = create_engine(make_url(self.url).set(drivername=driver), poolclass=NullPool)

    def fill(self):
        config = Config()
        config.set_main_option("script_location", str(migrate._MIGRATIONS))
        with self.engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "0004")
            for statement in DATABASE.read_text().splitlines():
                if statement.startswith("INSERT"):
                    self._insert(connection, statement)
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT setval('objects_serial_seq', 100)"))

    def _insert(self, connection, statement):
        if connection.dialect.name == "postgresql":  # it writes bytes in another way
            statement = re.sub(r"x'([0-9a-f]*)'", r"'\\x\1'", statement)
        connection.exec_driver_sql(statement)

    def write(self, *statements, **values):
        with self.engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement), values)

    def rows(self):
        """{table: its rows}, of all that are there."""
        with self.engine.connect() as connection:
            return {
                table: sorted(map(repr, connection.execute(text(f"SELECT * FROM {table}"))))
                for table in inspect(connection).get_table_names()
            }

    def kms(self, master_key=MASTER_KEY):
        settings = ServiceSettings(
            data_dir=self.directory,
            database_url=self.url,
            master_key=Secret(master_key),
            crypto_policy="permissive",
        )
        return KMS(settings)

    def start(self, body=None, **options):
        async def run():
            async with self.kms(**options) as kms:
                return await body(kms) if body else None

        return asyncio.run(run())


@pytest.fixture(scope="module", params=DATABASES)
def filled(request, tmp_path_factory):
    """Where a database of the last version without codes is: a file, or a URL."""
    directory = tmp_path_factory.mktemp("old")
    if request.param == "sqlite":
        place = directory / "kms.db"
        place.touch(0o600)
    else:
        place = postgres.cluster().new_database()
    Old(place, directory).fill()
    return place


@pytest.fixture
def old(filled, tmp_path):
    if isinstance(filled, Path):
        return Old(Path(shutil.copy(filled, tmp_path)), tmp_path)
    return Old(postgres.cluster().new_database(like=filled), tmp_path)


async def do(kms, user, operation, request):
    return await kms.service.execute(a_principal(user), operation, request)


async def octets_of(kms, uid, user="alice"):
    found = (await do(kms, user, Operation.GET, GetRequest(uid))).object
    return found.key_block.key_value.key_material.octets


def warnings(caplog):
    return [
        record.getMessage()
        for record in caplog.records
        if record.name.startswith("kms_tornado.store") and record.levelno >= logging.WARNING
    ]


# --- brought over -------------------------------------------------------------------------------


def test_every_object_is_usable_as_before(old):
    async def body(kms):
        assert await octets_of(kms, "key") == bytes(range(32))
        assert await octets_of(kms, "key", "bob") == bytes(range(32))
        assert await octets_of(kms, "bobs") == bytes(range(2, 18))
        assert await octets_of(kms, "revoked") == bytes(range(3, 19))
        assert (await do(kms, "bob", Operation.DECRYPT, SEALED)).data == b"old words"
        for uid in OWN:
            await do(kms, "alice", Operation.GET_ATTRIBUTES, GetAttributesRequest(uid))
        for uid in (PUBLIC, SECRET, OPAQUE):
            await do(kms, "alice", Operation.GET, GetRequest(uid))
        with pytest.raises(KMIPError, match="Sensitive"):
            await octets_of(kms, "sensitive")
        located = await do(kms, "alice", Operation.LOCATE, LocateRequest())
        assert {*located.unique_identifiers} == {*OWN, "bobs"} - {"destroyed"}
        return await kms.access.list_grants("alice", "key")

    for _ in range(2):
        assert old.start(body) == [
            {"user_id": "*", "operations": ["get_attributes"]},
            {"user_id": "bob", "operations": ["decrypt", "encrypt", "get"]},
        ]


def test_changes_go_on(old):
    async def body(kms):
        for uid in ("key", "nonces"):
            change = AccessRequest(uid, "carol", frozenset({Operation.GET}))
            await kms.access.grant("alice", change)
            assert await octets_of(kms, uid, "carol")
            await kms.access.withdraw("alice", change)
            with pytest.raises(ItemNotFound):
                await octets_of(kms, uid, "carol")

    old.start(body)


def test_a_warning_says_how_much_was_taken_over_and_the_next_start_is_silent(old, caplog):
    for expected in ("(objects: 10, access rights: 5, owners: 2)", None):
        caplog.clear()
        old.start()
        lines = warnings(caplog)
        assert len(lines) == (1 if expected else 0)
        assert all(expected in line for line in lines)


def test_nobody_knows_what_nonces_the_server_made_under_an_old_key(old):
    async def body(kms):
        found = [await kms.store.get(uid) for uid in OWN]
        return {each.uid for each in found if each.nonce_source == 3}, {
            each.uid for each in found if each.object_type is ObjectType.SYMMETRIC_KEY
        }

    marked, symmetric = old.start(body)
    assert marked == symmetric


def test_of_several_starts_at_once_one_brings_it_over(old, caplog):
    async def start():
        async with old.kms() as kms:
            return await octets_of(kms, "key")

    async def main():
        return await asyncio.gather(*(start() for _ in range(4)))

    assert asyncio.run(main()) == [bytes(range(32))] * 4
    assert len(warnings(caplog)) == 1


def test_an_edit_after_it_was_brought_over_is_refused(old):
    old.start()
    old.write("UPDATE objects SET usage_mask = 1 WHERE uid = 'key'")
    with pytest.raises(GeneralFailure):
        old.start(lambda kms: octets_of(kms, "key"))


def test_an_object_that_cannot_be_read_does_not_stop_the_start(old):
    old.write("UPDATE objects SET attributes = 'no JSON' WHERE uid = 'key'")
    old.start(lambda kms: octets_of(kms, "nonces"))
    with pytest.raises(GeneralFailure):
        old.start(lambda kms: octets_of(kms, "key"))


# --- what is not taken --------------------------------------------------------------------------


def refuse(database, match, **options):
    before = database.rows()
    with pytest.raises(ConfigurationError, match=match):
        database.start(**options)
    assert database.rows() == before


def test_another_master_key_is_refused_before_anything_is_written(old):
    for _ in range(2):
        with pytest.raises(
            ConfigurationError, match="not the one that this database was made with"
        ):
            old.start(master_key=OTHER_KEY)
        with old.engine.connect() as connection:
            codes = connection.execute(text("SELECT mac FROM objects UNION SELECT mac FROM owners"))
            assert codes.all() == [(None,)]
    refuse(old, "not the one", master_key=OTHER_KEY)
    old.start(lambda kms: octets_of(kms, "key"))


FORMER = "(SELECT value FROM server_state WHERE name = 'former')"


@pytest.mark.parametrize(
    ("edits", "match"),
    [
        pytest.param([f"UPDATE server_state SET value = {FORMER} WHERE name = 'master_key_check'"],
                     "check value of an older version", id="the former check value"),
        pytest.param([f"UPDATE server_state SET value = {FORMER} WHERE name = 'master_key_check'",
                      "UPDATE objects SET mac = NULL"],
                     "check value of an older version", id="the former check value, and no codes"),
        pytest.param(["DELETE FROM server_state WHERE name = 'master_key_check'"],
                     "no check value", id="no check value"),
        pytest.param(["UPDATE server_state SET name = 'x' WHERE name = 'master_key_check'"],
                     "no check value", id="under another name"),
        pytest.param(["UPDATE server_state SET value = (SELECT mac FROM owners LIMIT 1)"],
                     "not the one", id="another check value"),
    ],
)  # fmt: skip
def test_a_check_value_that_was_edited_is_refused_at_the_start(old, edits, match):
    old.write("INSERT INTO server_state SELECT 'former', value FROM server_state")
    old.start()
    old.write(*edits)
    refuse(old, match)


def test_a_revision_that_was_edited_is_refused_at_the_start(old):
    old.start()
    for revision in ("0004", "9999"):
        old.write("UPDATE alembic_version SET version_num = :revision", revision=revision)
        with pytest.raises(ConfigurationError):
            old.start()


def test_who_has_the_former_check_value_and_strips_all_codes_is_met_by_the_warning_alone(
    old, caplog
):
    """Left to the operator: a database that was once without codes can be made to look so again."""
    old.write("INSERT INTO server_state SELECT 'former', value FROM server_state")
    old.start()
    old.write(
        f"UPDATE server_state SET value = {FORMER} WHERE name = 'master_key_check'",
        "UPDATE objects SET mac = NULL, grants = '', state = 2 WHERE uid = 'revoked'",
        "UPDATE objects SET mac = NULL, grants = ''",
    )
    caplog.clear()
    old.start(lambda kms: octets_of(kms, "revoked"))
    assert len(warnings(caplog)) == 1


def test_a_new_database_never_looks_like_an_old_one(new_place, tmp_path, caplog):
    database = Old(new_place, tmp_path)
    database.start()
    assert warnings(caplog) == []
    with database.engine.connect() as connection:
        ((value,),) = connection.execute(
            text("SELECT value FROM server_state WHERE name = 'master_key_check'")
        ).all()
    assert bytes(value).hex() not in DATABASE.read_text()


def test_states_of_old_objects_are_kept(old):
    async def body(kms):
        found = [await kms.store.get(uid) for uid in ("key", "revoked", "destroyed")]
        return [each.state for each in found]

    assert old.start(body) == [State.ACTIVE, State.DEACTIVATED, State.DESTROYED]


def test_command_changes_no_database_of_an_older_version(old):
    before = old.rows()

    async def start():
        store = open_store(old.url, old.directory, may_make=False, may_upgrade=False)
        with pytest.raises(ConfigurationError, match="an older version of kms_tornado has written"):
            await store.start()
        await store.stop()

    asyncio.run(start())
    assert old.rows() == before
