"""A KMS is opened and closed as a whole, and says which setting keeps it from that."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import os
import sqlite3
import threading

import pytest

from kms_tornado.errors import ConfigurationError, Unavailable
from kms_tornado.service.kms import KMS
from kms_tornado.service.load.executor import Busy, LaneSize
from kms_tornado.service.master_keys.key_ring import KEY_FILE
from kms_tornado.settings.service import Secret, ServiceSettings


def open_and_close(settings):
    async def run():
        async with KMS(settings):
            pass

    asyncio.run(run())


@pytest.mark.parametrize("part", ["service", "access", "store"])
def test_nothing_is_there_before_the_start_and_after_the_end(tmp_path, part):
    async def run():
        kms = KMS(ServiceSettings(data_dir=tmp_path / "data"))
        with pytest.raises(Unavailable):
            getattr(kms, part)
        async with kms:
            assert getattr(kms, part)
        with pytest.raises(Unavailable):
            getattr(kms, part)

    asyncio.run(run())


def test_one_that_is_open_is_not_opened_again_and_stays_open(tmp_path):
    async def run():
        async with KMS(ServiceSettings(data_dir=tmp_path / "data")) as kms:
            with pytest.raises(RuntimeError, match="open already"):
                await kms.__aenter__()
            assert await kms.store.holds_objects() is False

    asyncio.run(run())


def test_first_start_makes_a_master_key_and_the_next_takes_it(tmp_path):
    settings = ServiceSettings(data_dir=tmp_path / "data")
    open_and_close(settings)
    key = (tmp_path / "data" / KEY_FILE).read_bytes()
    open_and_close(settings)
    assert (tmp_path / "data" / KEY_FILE).read_bytes() == key


def _empty(database):
    database.write_bytes(b"")


def _lack_log(database):
    """What `cp kms.db` leaves of a server's first keys, which are in kms.db-wal."""
    connection = sqlite3.connect(database, isolation_level=None)
    for table in ("server_state", "audit_chains", "audit_segments", "audit_checkpoints"):
        connection.execute(f"DELETE FROM {table}")
    connection.close()


@pytest.mark.parametrize(
    "lose", [_empty, os.unlink, _lack_log], ids=["0 bytes", "absent", "without its log"]
)
def test_empty_database_in_the_place_of_one_that_is_known_is_refused(tmp_path, lose):
    settings = ServiceSettings(data_dir=tmp_path / "data")
    open_and_close(settings)
    lose(tmp_path / "data" / "kms.db")
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="the database is empty") as caught:
            open_and_close(settings)
        assert caught.value.field == "accept_rollback"
    open_and_close(dataclasses.replace(settings, accept_rollback=True))
    open_and_close(settings)


def test_empty_database_beside_a_master_key_is_warned_of_once(tmp_path, caplog):
    settings = ServiceSettings(data_dir=tmp_path / "data")
    open_and_close(settings)
    for path in ("kms.db", "audit-anchor.json"):
        (tmp_path / "data" / path).unlink()
    caplog.clear()
    open_and_close(settings)
    [warning] = caplog.messages
    assert f"{tmp_path}/data/kms.db is empty, and its master key was there before" in warning
    caplog.clear()
    open_and_close(settings)
    assert caplog.messages == []


def test_empty_database_and_a_master_key_from_elsewhere_are_warned_of_too(tmp_path, caplog):
    key = Secret(base64.b64encode(bytes(32)).decode())
    open_and_close(ServiceSettings(data_dir=tmp_path, master_key=key))
    warning, of_audit = caplog.messages
    assert "all is well" in warning
    assert "made a new key for the audit's checkpoints" in of_audit
    assert key.value not in warning


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        pytest.param({"data_dir": None}, "data_dir", id="no directory"),
        pytest.param({"database_url": "oracle://h/d"}, "database_url", id="unknown database"),
        pytest.param({"database_url": "sqlite:///odd"}, "database_url", id="no database"),
        pytest.param({"master_key": Secret("AA==")}, "master_key", id="no key"),
    ],
)
def test_fault_of_a_setting_names_its_field(tmp_path, settings, field):
    (tmp_path / "odd").write_text("no database\n" * 1000)
    with pytest.raises(ConfigurationError) as caught:
        open_and_close(ServiceSettings(**{"data_dir": tmp_path, **settings}))
    assert caught.value.field == field
    assert str(caught.value).startswith(f"{field}: ")


@pytest.mark.parametrize("name", ["master_key", "master_key_file"])
def test_another_master_key_than_that_of_the_database_is_refused(tmp_path, name):
    data_dir = tmp_path / "data"
    open_and_close(ServiceSettings(data_dir=data_dir))
    other = base64.b64encode(os.urandom(32)).decode()
    file = tmp_path / "other"
    file.touch(0o600)
    file.write_text(other)
    values = {"master_key": Secret(other), "master_key_file": (file,)}
    with pytest.raises(ConfigurationError, match="not the one that this database") as caught:
        open_and_close(ServiceSettings(data_dir=data_dir, **{name: values[name]}))
    assert caught.value.field == name
    assert other not in str(caught.value)


def test_answer_to_what_is_done_is_formatted_even_where_no_thread_is_free_and_not_on_the_loop(
    tmp_path,
):
    none = LaneSize(threads=1, waiting=0, waiting_per_principal=0)

    async def run():
        async with KMS(ServiceSettings(data_dir=tmp_path / "data"), light=none) as kms:
            release = asyncio.Event()
            loop = asyncio.get_running_loop()

            def occupy():
                asyncio.run_coroutine_threadsafe(release.wait(), loop).result()

            occupied = asyncio.create_task(kms.offload(occupy, principal="a"))
            await asyncio.sleep(0)
            with pytest.raises(Busy):
                await kms.offload(lambda: "refused", principal="a")
            answer = await kms.run_surely(threading.current_thread, principal="a")
            release.set()
            await occupied
            return answer

    assert asyncio.run(run()) is not threading.main_thread()


def test_one_users_searches_do_not_wait_behind_all_those_of_another(tmp_path):
    async def run():
        answered = []

        async def search(kms, user):
            await kms.store.list_owned(user)
            answered.append(user)

        gate = threading.Event()
        async with KMS(ServiceSettings(data_dir=tmp_path / "data")) as kms:
            busy = asyncio.create_task(kms.offload(gate.wait, principal="carol"))
            searches = [asyncio.create_task(search(kms, "alice")) for _ in range(8)]
            searches.append(asyncio.create_task(search(kms, "bob")))
            for _ in range(5):  # until all of them wait
                await asyncio.sleep(0)
            assert kms.executor.light.waiting == len(searches)
            gate.set()
            await asyncio.gather(busy, *searches)
        assert "bob" in answered[:2]

    asyncio.run(run())
