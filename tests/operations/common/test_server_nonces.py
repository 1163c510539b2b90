"""Nonces of the server: reserved in blocks, counted in memory, never more than are safe."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from kms_tornado.domain import nonces
from kms_tornado.domain.nonces import RESERVED_BLOCK, NonceSource
from kms_tornado.errors import (
    BadCryptographicParameters,
    NoncesSpent,
    PermissionDenied,
    Unavailable,
    WrongNonceSource,
)
from kms_tornado.kmip.enums import (
    CryptographicAlgorithm,
    KeyFormatType,
    ObjectType,
    Operation,
    UsageLimitsUnit,
)
from kms_tornado.kmip.key_material import KeyMaterialField
from kms_tornado.kmip.objects import KeyBlock, KeyValue, SymmetricKey
from kms_tornado.kmip.payloads import EncryptRequest, ImportRequest
from kms_tornado.kmip.structures import CryptographicParameters, UsageLimits
from kms_tornado.operations.common import server_nonces
from kms_tornado.operations.common.server_nonces import ServerNonces
from kms_tornado.store.interface.changes import Conflict, ReserveNonces

from ... import postgres
from ...store.helpers import an_object, store_at
from ..inside import ALICE, Inside, a_principal

KEY, OTHER_KEY = bytes(32), b"k" * 32


class Database:
    """What `ServerNonces` asks of a database. Every reservation takes a while, and may fail."""

    def __init__(self, *, fails_with=()):
        self.reserved = Counter()
        self.reservations = []
        self.held = []
        self.held_back = set()
        self._failures = list(fails_with)

    def holds_back(self, uid):
        return uid in self.held_back

    async def reserve_nonces(self, reservation, drafts=()):
        await asyncio.sleep(0.001)
        if self._failures and (error := self._failures.pop(0)):
            raise error
        self.reserved[reservation.key] += reservation.count
        self.reservations.append(reservation)

    async def commit(self, changes, drafts=()):
        self.held += changes


SERVED = an_object("served", nonce_source=NonceSource.SERVER)
NEW, ANOTHER = an_object("new"), an_object("another")


async def take_all(table, database, *targets, key=KEY):
    takes = (table.take(database, target, key) for target in targets)
    return await asyncio.gather(*takes, return_exceptions=True)


def test_a_block_is_reserved_with_one_write_and_then_counted_down(monkeypatch):
    monkeypatch.setattr(server_nonces, "RESERVED_BLOCK", 100)

    async def main():
        table, database = ServerNonces(), Database()
        for number in range(1, 301):
            await table.take(database, SERVED, KEY)
            assert len(database.reservations) == -(-number // 100)
        assert database.reserved == {KEY: 300}

    asyncio.run(main())


@pytest.mark.parametrize("target", [SERVED, NEW], ids=["used before", "new"])
def test_first_uses_at_once_share_one_reservation(target):
    async def main():
        table, database = ServerNonces(), Database()
        assert await take_all(table, database, *[target] * 50) == [None] * 50
        assert database.reservations == [ReserveNonces(target.uid, KEY, RESERVED_BLOCK, 1)]

    asyncio.run(main())


def test_another_object_of_the_same_material_has_its_row_written_and_the_block_shared():
    async def main():
        table, database = ServerNonces(), Database()
        await take_all(table, database, NEW)
        await take_all(table, database, ANOTHER)
        assert [each.count for each in database.reservations] == [RESERVED_BLOCK, 0]
        assert await take_all(table, database, *[NEW, ANOTHER, SERVED] * 20) == [None] * 60
        assert database.reserved == {KEY: RESERVED_BLOCK}

    asyncio.run(main())


def test_key_whose_source_a_set_back_database_has_lost_is_given_it_again():
    """Else a caller could become the source of a key for which the server goes on making nonces."""

    async def main():
        table, database = ServerNonces(), Database()
        await take_all(table, database, NEW)
        table._budgets[KEY].fixed_at -= 3600
        await take_all(table, database, NEW)
        assert [each.count for each in database.reservations] == [RESERVED_BLOCK, 0]

    asyncio.run(main())


def test_block_of_the_server_is_of_no_use_once_a_caller_is_the_source():
    async def main():
        table, database = ServerNonces(), Database(fails_with=[None, WrongNonceSource("callers")])
        await take_all(table, database, NEW)
        taken_over = an_object("new", nonce_source=NonceSource.CALLER)
        (refusal,) = await take_all(table, database, taken_over)
        assert isinstance(refusal, WrongNonceSource)

    asyncio.run(main())


def test_every_key_has_a_block_of_its_own():
    async def main():
        table, database = ServerNonces(), Database()
        await table.take(database, SERVED, KEY)
        await table.take(database, SERVED, OTHER_KEY)
        assert database.reserved == {KEY: RESERVED_BLOCK, OTHER_KEY: RESERVED_BLOCK}

    asyncio.run(main())


@pytest.mark.parametrize("error", [Unavailable("down"), Conflict(), NoncesSpent("spent")])
def test_failed_reservation_fails_all_who_wait_for_it_and_gives_nothing(error):
    async def main():
        table, database = ServerNonces(), Database(fails_with=[error])
        assert await take_all(table, database, *[SERVED] * 9) == [error] * 9
        assert database.reservations == []
        await table.take(database, SERVED, KEY)
        assert database.reserved == {KEY: RESERVED_BLOCK}

    asyncio.run(main())


def test_request_that_is_given_up_cancels_nobody_elses_reservation():
    async def main():
        table, database = ServerNonces(), Database()
        first = asyncio.create_task(table.take(database, NEW, KEY))
        second = asyncio.create_task(table.take(database, NEW, KEY))
        await asyncio.sleep(0)
        first.cancel()
        await second
        assert first.cancelled()
        assert database.reserved == {KEY: RESERVED_BLOCK}

    asyncio.run(main())


def test_object_that_a_batch_made_has_single_nonces_in_its_commit():
    async def main():
        table, database = ServerNonces(), Database()
        database.held_back.add("new")
        await take_all(table, database, NEW, NEW)
        assert database.held == [ReserveNonces("new", KEY, 1, 1)] * 2
        assert database.reservations == []
        database.held_back.clear()
        await table.take(database, SERVED, KEY)
        assert database.reserved == {KEY: RESERVED_BLOCK}, "those of the batch are no credit"

    asyncio.run(main())


def test_keys_that_are_forgotten_lose_their_block(monkeypatch):
    monkeypatch.setattr(server_nonces, "_MAX_KEYS", 2)

    async def main():
        table, database = ServerNonces(), Database()
        for key in (b"1", b"2", b"1", b"3", b"1", b"2"):
            await table.take(database, SERVED, key)
        assert {key: number // RESERVED_BLOCK for key, number in database.reserved.items()} == {
            b"1": 1,
            b"2": 2,
            b"3": 1,
        }

    asyncio.run(main())


# --- with a service, on a real database ---------------------------------------------------------


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path):
    if request.param == "sqlite":
        return tmp_path / "kms.db"
    return postgres.empty_database()


@pytest.fixture
def open_kms(tmp_path, place):
    return lambda policy="conservative": Inside(
        tmp_path, backend=store_at(place).backend, crypto_policy=policy
    )


def import_key(kms, identifier, user=ALICE):
    block = KeyBlock(
        KeyFormatType.RAW,
        key_value=KeyValue(KeyMaterialField(b"the very same material, 32 bytes")),
        cryptographic_algorithm=CryptographicAlgorithm.AES,
        cryptographic_length=256,
    )
    request = ImportRequest(identifier, ObjectType.SYMMETRIC_KEY, object=SymmetricKey(block))
    return kms.do(user, Operation.IMPORT, request).unique_identifier


@pytest.fixture
def small(monkeypatch):
    """At most 40 nonces of the server's, reserved by tens."""
    monkeypatch.setattr(nonces, "MAX_SERVER_NONCES", 40)
    monkeypatch.setattr(server_nonces, "RESERVED_BLOCK", 10)


def count_writes(kms, monkeypatch):
    writes = []
    submit = kms.store.backend.submit

    def counting(job, **options):
        writes.append(job)
        return submit(job, **options)

    monkeypatch.setattr(kms.store.backend, "submit", counting)
    return writes


def test_first_encryption_writes_once_and_later_ones_nothing(open_kms, monkeypatch):
    with open_kms() as kms:
        key = kms.create()
        writes = count_writes(kms, monkeypatch)
        for _ in range(200):
            kms.encrypt(key)
        assert len(writes) == 1
        request = EncryptRequest(key, data=b"x")

        async def many():
            calls = (
                kms.service.attempt(a_principal(ALICE), Operation.ENCRYPT, request, kms.store)
                for _ in range(100)
            )
            return await asyncio.gather(*calls)

        assert len({each.iv_counter_nonce for each in kms.run(many())}) == 100
        assert len(writes) == 1


def test_spent_key_says_rekey_and_each_restart_loses_a_block_at_most(open_kms, small):
    done = 0
    with open_kms() as kms:
        key = kms.create()
        for _ in range(3):
            kms.encrypt(key)
            done += 1
    with open_kms() as kms:
        for _ in range(12):
            kms.encrypt(key)
            done += 1
    with open_kms() as kms:
        for _ in range(10):
            kms.encrypt(key)
            done += 1
        for _ in range(2):
            with pytest.raises(NoncesSpent, match="ReKey"):
                kms.encrypt(key)
        assert done == 3 + 12 + 10
        with pytest.raises(WrongNonceSource):
            bring(kms, key)
    with open_kms() as kms, pytest.raises(NoncesSpent):
        kms.encrypt(key)


def bring(kms, key, nonce=b"nonce of 12."):
    return kms.do(ALICE, Operation.ENCRYPT, EncryptRequest(key, data=b"x", iv_counter_nonce=nonce))


def test_two_processes_never_make_more_than_are_safe(tmp_path, place, small):
    done = Counter()
    with (
        Inside(tmp_path, backend=store_at(place).backend, crypto_policy="conservative") as one,
        Inside(tmp_path, backend=store_at(place).backend, crypto_policy="conservative") as two,
    ):
        key = one.create()
        for turn in range(100):
            kms = (one, two)[turn % 3 == 0]
            try:
                kms.encrypt(key)
                done[kms] += 1
            except NoncesSpent:
                done["spent"] += 1
        assert done["spent"]
        assert 20 <= done[one] + done[two] <= 40


def test_failed_encryption_does_not_give_its_nonce_back(open_kms, small):
    """Whether anything of it was seen is not known."""
    with open_kms() as kms:
        key = kms.create(usage_limits=UsageLimits(20, usage_limits_unit=UsageLimitsUnit.BYTE))
        for _ in range(40):
            with pytest.raises(PermissionDenied):
                kms.encrypt(key, b"more than twenty bytes")
        with pytest.raises(NoncesSpent):
            kms.encrypt(key, b"less")


def test_refused_request_takes_no_nonce(open_kms, small):
    with open_kms() as kms:
        key = kms.create()
        refused = EncryptRequest(key, CryptographicParameters(tag_length=1), b"x")
        for _ in range(50):
            with pytest.raises(BadCryptographicParameters):
                kms.do(ALICE, Operation.ENCRYPT, refused)
        for _ in range(40):
            kms.encrypt(key)


@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
def test_reservation_cut_off_by_an_outage_leaves_nothing_wrong(
    open_kms, small, monkeypatch, is_done
):
    with open_kms() as kms:
        key = kms.create()
        submit, failures = kms.store.backend.submit, [True]

        async def cut_off(job, **options):
            if is_done:
                await submit(job, **options)
            if failures.pop():
                raise Unavailable("cut off")

        with monkeypatch.context() as patched:
            patched.setattr(kms.store.backend, "submit", cut_off)
            with pytest.raises(Unavailable):
                kms.encrypt(key)
        for _ in range(30 if is_done else 40):
            kms.encrypt(key)
        with pytest.raises(NoncesSpent):
            kms.encrypt(key)
        with pytest.raises(WrongNonceSource):
            bring(kms, key)


def test_same_material_under_another_identifier_spends_the_same_nonces(open_kms, small):
    with open_kms() as kms:
        keys = [import_key(kms, f"key-{number}") for number in range(3)]
        for turn in range(40):
            kms.encrypt(keys[turn % 3])
        for key in keys:
            with pytest.raises(NoncesSpent):
                kms.encrypt(key)
            with pytest.raises(WrongNonceSource):
                bring(kms, key)
