"""Several master keys: the first seals, each opens what it sealed, and nothing else depends on which is first."""

from __future__ import annotations

import asyncio
import base64
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from kms_tornado.crypto.material import KeyMaterial
from kms_tornado.crypto.sealing.envelope import MasterKey
from kms_tornado.errors import ConfigurationError, GeneralFailure, KMIPError, NonceReused
from kms_tornado.kmip.enums import Operation
from kms_tornado.kmip.payloads import (
    DecryptRequest,
    EncryptRequest,
    EncryptResponse,
)
from kms_tornado.service.kms import KMS
from kms_tornado.service.master_keys.key_ring import ReadAgain
from kms_tornado.settings.service import ServiceSettings, make_service_settings

from ...operations.inside import a_principal
from ...server import NO_AUTH, ServerProcess, eventually, serving
from .place import ALICE, NEW, OLD, THIRD, Place, create, get, key_id, write_keys


async def encrypt(kms: KMS, uid: str, nonce: bytes | None = None) -> EncryptResponse:
    request = EncryptRequest(uid, data=b"data", iv_counter_nonce=nonce)
    response: EncryptResponse = await kms.service.execute(ALICE, Operation.ENCRYPT, request)
    return response


def refuse(place: Place, *keys: bytes) -> str:
    with pytest.raises(ConfigurationError) as caught:
        place.create(*keys)
    assert caught.value.field == "master_key_file"
    return caught.value.text


# --- which key seals, which opens ---------------------------------------------------------------


def test_first_key_seals_and_each_opens_what_it_sealed(place: Place) -> None:
    first = place.create(OLD)
    kept = place.material(first, OLD)
    second = place.create(NEW, OLD)
    assert place.sealed_under(first) == key_id(OLD)
    assert place.sealed_under(second) == key_id(NEW)
    for ring in ((NEW, OLD), (OLD, NEW), (THIRD, NEW, OLD)):
        assert place.material(first, *ring) == kept
        assert place.material(second, *ring) != kept


def test_database_with_one_key_stores_no_bundle(place: Place) -> None:
    place.create(OLD)
    assert place.sql("SELECT name FROM server_state ORDER BY name") == [
        ("database_id",), ("master_key_check",),
    ]  # fmt: skip


def test_old_key_is_not_needed_where_nothing_is_sealed_under_it(place: Place) -> None:
    place.create(OLD)
    uid = place.create(NEW, OLD)
    material = place.material(uid, NEW)
    assert place.material(uid, THIRD, NEW) == material
    assert place.material(uid, THIRD, OLD, NEW) == material
    place.create(THIRD)


def test_object_under_a_key_that_is_away_is_refused_and_named_in_the_log(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    uid = place.create(OLD)
    place.create(NEW, OLD)
    with pytest.raises(GeneralFailure):
        place.material(uid, NEW)
    [line] = [line for line in caplog.messages if uid in line]
    assert f"sealed under the master key {key_id(OLD).hex()}" in line
    assert place.material(uid, NEW, OLD)


def test_keys_may_stand_in_several_files_and_in_the_variable(tmp_path: Path) -> None:
    place = Place(tmp_path)
    uid = place.create(OLD)
    place.create(NEW, OLD)
    files = (write_keys(tmp_path / "new", NEW), write_keys(tmp_path / "old", OLD, NEW))
    assert asyncio.run(_get_with(place, uid, master_key_file=files))
    value = ",".join(base64.b64encode(key).decode() for key in (NEW, OLD))
    assert asyncio.run(_get_with(place, uid, master_key=value))


async def _get_with(place: Place, uid: str, **keys: Any) -> bytes:
    async with KMS(make_service_settings(data_dir=place.directory / "data", **keys)) as kms:
        return await get(kms, uid)


# --- what stays as it is ------------------------------------------------------------------------


def test_nonce_that_was_used_stays_used_under_every_ring(place: Place) -> None:
    uid = place.create(OLD)
    nonce = b"nonce of 12."
    place.open([OLD], lambda kms: encrypt(kms, uid, nonce))
    for ring in ([NEW, OLD], [OLD, NEW], [THIRD, OLD]):
        with pytest.raises(NonceReused):
            place.open(ring, lambda kms: encrypt(kms, uid, nonce))
    place.open([NEW, OLD], lambda kms: encrypt(kms, uid, b"another nonc"))


def test_codes_of_rows_and_of_kept_keys_stay_as_they_are(place: Place) -> None:
    async def codes(kms: KMS) -> tuple[bytes, bytes]:
        assert kms._ring is not None
        return kms.kept_keys_mac(b"file"), kms._ring.row_mac(b"row")

    first = place.open([OLD], codes)
    own = MasterKey(KeyMaterial(OLD)).own_bundle
    assert first == (own.kept_keys_mac(b"file"), own.row_mac(b"row"))  # as of the versions before
    for ring in ([NEW, OLD], [NEW], [THIRD, NEW], [THIRD]):
        assert place.open(ring, codes) == first


def test_what_was_encrypted_is_decrypted_under_every_ring(place: Place) -> None:
    uid = place.create(OLD)
    sealed = place.open([OLD], lambda kms: encrypt(kms, uid))
    request = DecryptRequest(
        uid,
        data=sealed.data,
        iv_counter_nonce=sealed.iv_counter_nonce,
        authenticated_encryption_tag=sealed.authenticated_encryption_tag,
    )
    for ring in ([NEW, OLD], [OLD]):
        found = place.open(ring, lambda kms: kms.service.execute(ALICE, Operation.DECRYPT, request))
        assert found.data == b"data"


# --- refusals -----------------------------------------------------------------------------------


def test_ring_without_a_key_of_the_database_is_refused_and_changes_nothing(place: Place) -> None:
    place.create(OLD)
    before = place.sql("SELECT * FROM server_state")
    assert "not the one that this database was made with" in refuse(place, NEW)
    assert "none of the master keys is one that this database" in refuse(place, NEW, THIRD)
    assert place.sql("SELECT * FROM server_state") == before
    place.create(THIRD, OLD)


BUNDLE = "name LIKE 'key_bundle:%'"


def _copy_bundle_of_another_database(place: Place) -> str:
    other = Place(place.directory / "other")
    other.directory.mkdir()
    other.create(THIRD)
    other.create(NEW, THIRD)
    [[value]] = other.sql(f"SELECT hex(value) FROM server_state WHERE {BUNDLE}")
    return f"UPDATE server_state SET value = x'{value}' WHERE {BUNDLE}"


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda _: f"UPDATE server_state SET value = x'00' WHERE {BUNDLE}", id="cut"),
        pytest.param(lambda _: f"UPDATE server_state SET value = x'' WHERE {BUNDLE}", id="empty"),
        pytest.param(
            lambda _: (
                "UPDATE server_state SET value = CAST(substr(value, 1, 40) || x'0000' || "
                f"substr(value, 43) AS BLOB) WHERE {BUNDLE}"
            ),
            id="two bytes",
        ),
        pytest.param(lambda _: f"UPDATE server_state SET value = 'x' WHERE {BUNDLE}", id="text"),
        pytest.param(_copy_bundle_of_another_database, id="of another database"),
    ],
)
@pytest.mark.parametrize("ring", [(NEW,), (NEW, OLD), (OLD, NEW)], ids=["new", "both", "turned"])
def test_bundle_that_something_else_wrote_is_refused(
    place: Place, edit: Callable[[Place], str], ring: tuple[bytes, ...]
) -> None:
    uid = place.create(OLD)
    place.create(NEW, OLD)
    statement = edit(place)
    place.sql(statement)
    assert "changed by something else than this server" in refuse(place, *ring)
    assert place.material(uid, OLD)  # the first key needs no bundle


def test_bundle_that_is_gone_is_made_again_by_a_ring_with_the_first_key(place: Place) -> None:
    place.create(OLD)
    uid = place.create(NEW, OLD)
    place.sql(f"DELETE FROM server_state WHERE {BUNDLE}")
    refuse(place, NEW)
    place.create(NEW, OLD)
    assert place.material(uid, NEW)


def test_servers_with_turned_rings_make_one_database(tmp_path: Path) -> None:
    for attempt in range(3):
        place = Place(tmp_path / str(attempt))
        place.directory.mkdir()
        rings = [place.directory / "ab", place.directory / "ba"]
        write_keys(rings[0], OLD, NEW)
        write_keys(rings[1], NEW, OLD)
        asyncio.run(_open_at_once(place, rings))


async def _open_at_once(place: Place, files: Sequence[Path]) -> None:
    both = [
        KMS(ServiceSettings(data_dir=place.directory / "data", master_key_file=(file,)))
        for file in files
    ]
    await asyncio.gather(*(kms.__aenter__() for kms in both))
    try:
        uids = [await create(kms) for kms in both]
        materials = [[await get(kms, uid) for uid in uids] for kms in both]
        assert materials[0] == materials[1]
    finally:
        for kms in both:
            await kms.__aexit__(None, None, None)


# --- keys that come while a server serves -------------------------------------------------------


def test_key_that_another_server_seals_under_is_read_when_it_is_met(place: Place) -> None:
    place.create(OLD)

    async def body(kms: KMS) -> None:
        write_keys(place.file, OLD, NEW)  # the file is the server's own
        async with KMS(place.settings(NEW, OLD)) as other:
            theirs = await create(other)
            assert await get(kms, theirs) == await get(other, theirs)
        assert place.sealed_under(theirs) == key_id(NEW)
        # It only opens, although it stands first by now.
        assert place.sealed_under(await create(kms)) == key_id(OLD)

    place.open([OLD], body)


def test_keys_are_read_again_once_a_second_at_most(place: Place) -> None:
    now = 100.0
    read = ReadAgain(place.settings(OLD), place.directory, lambda: now)
    assert [key.key_id for key in read()] == [key_id(OLD)]
    assert read() == ()
    now += 0.99
    assert read() == ()
    now += 0.02
    write_keys(place.file, OLD, NEW)
    assert [key.key_id for key in read()] == [key_id(OLD), key_id(NEW)]


def test_keys_that_cannot_be_read_again_are_told_and_the_object_is_refused(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.create(OLD)
    uid = place.create(NEW, OLD)

    async def body(kms: KMS) -> None:
        place.file.write_text("nonsense\n")
        with pytest.raises(KMIPError):
            await get(kms, uid)

    place.open([OLD], body)
    assert any("has 6 bytes" in line and "nonsense" not in line for line in caplog.messages)


def test_sighup_reads_the_keys_and_seals_under_the_first(tmp_path: Path) -> None:
    place = Place(tmp_path)
    options = ("--master-key-file", str(write_keys(tmp_path / "keys", OLD)), "--data-dir", "data")
    stays = "the old master keys stay in use: "
    with serving(*NO_AUTH, *options, cwd=tmp_path, expected_error=stays) as server:
        first = server.client.create("x")
        write_keys(place.file, NEW, OLD)
        reload(server, f"master keys: {key_id(NEW).hex()} seals, {key_id(OLD).hex()} opens")
        second = server.client.create("x")
        assert place.sealed_under(first) == key_id(OLD)
        assert place.sealed_under(second) == key_id(NEW)
        assert server.client.get_key("x", first).status == 200
        place.file.write_text("nonsense\n")
        reload(server, stays)
        assert server.client.get_key("x", second).status == 200
    admin = a_principal("admin")
    assert place.open(
        [NEW], lambda kms: get(kms, second, admin)
    )  # its bundle was stored before it sealed


def reload(server: ServerProcess, line: str) -> None:
    server.send(signal.SIGHUP)
    eventually(lambda: line in server.log)
