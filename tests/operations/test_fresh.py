"""Fresh: an object was not given out yet, and members of a group are taken by it (KMIP 2.1 §4.24)."""

from __future__ import annotations

import pytest

from kms_tornado.errors import Unavailable
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import CryptographicAlgorithm, ObjectType, Operation
from kms_tornado.kmip.payloads import CreateRequest, GetRequest
from kms_tornado.store.interface.faults import make_unavailable

from ..kmip_items import batch_item, flag, name, number, structure, text, uid
from .inside import ALICE, Inside
from .new_objects import BLOCKS, pair, registered
from .objects.wrapping import under

POOL = text("ObjectGroup", "pool")
MEMBER = name("ObjectGroupMember", "GroupMemberFresh")


def is_fresh(user, key):
    return user.do("GetAttributes", uid(key))["Attributes", "Fresh"]


def fresh_members(user):
    return set(user.locate(POOL, more=[MEMBER])[1])


def rekeyed(user):
    old = user.create(POOL)
    user.key_of(old)
    return [user.do("ReKey", uid(old)).uid]


def derived(user):
    base = user.create(bits=256, mask=0x200)
    new = structure(
        "Attributes",
        name("CryptographicAlgorithm", "AES"),
        number("CryptographicLength", 128),
        POOL,
    )
    parameters = structure(
        "DerivationParameters",
        structure("CryptographicParameters", name("HashingAlgorithm", "SHA256")),
        {"tag": "DerivationData", "type": "ByteString", "value": "00"},
    )
    return [
        user.do(
            "DeriveKey",
            name("ObjectType", "SymmetricKey"),
            uid(base),
            name("DerivationMethod", "HMAC"),
            parameters,
            new,
        ).uid
    ]


MAKERS = {
    "Create": lambda user: [user.create(POOL)],
    "CreateKeyPair": lambda user: pair(user, "EC", POOL),
    "Register": lambda user: [
        registered(user, *(BLOCKS[at].values), POOL) for at in range(0, len(BLOCKS), 6)
    ],
    "Import": lambda user: [user.import_key("", bytes(16), POOL)],
    "ReKey": rekeyed,
    "DeriveKey": derived,
}


@pytest.mark.parametrize("made_by", MAKERS)
def test_every_new_object_is_fresh_until_it_is_given_out(alice, made_by):
    made = MAKERS[made_by](alice)
    assert [is_fresh(alice, key) for key in made] == [True] * len(made)
    assert fresh_members(alice) == set(made)
    for key in made:
        alice.do("Get", uid(key))
        assert not is_fresh(alice, key)
    assert fresh_members(alice) == set()
    assert set(alice.locate(POOL)[1]) >= set(made)


def wrapped(user, key):
    user.do("Get", uid(key), under(user.import_key("", bytes(32))))


WAYS_OUT = {
    "Get": lambda user, key: user.do("Get", uid(key)),
    "Get, wrapped": wrapped,
    "Get in a message": lambda user, key: user.ask(batch_item("Get", uid(key))),
    "Get in a batch": lambda user, key: user.ask(
        batch_item("Get", uid(key)), batch_item("GetAttributes", uid(key))
    ),
    "Export": lambda user, key: user.do("Export", uid(key)),
}


@pytest.mark.parametrize("way", WAYS_OUT)
def test_each_way_out_makes_it_used(alice, way):
    key = alice.create(POOL)
    WAYS_OUT[way](alice, key)
    assert not is_fresh(alice, key)


def test_exported_object_is_not_fresh_where_it_is_imported(alice):
    key = alice.create(POOL)
    assert alice.do("Export", uid(key))["Attributes", "Fresh"] is False


def test_get_of_somebody_else_makes_it_used(alice, bob):
    key = alice.create(POOL)
    alice.grant(key, bob, "get")
    bob.key_of(key)
    assert not is_fresh(alice, key)


def test_what_gives_no_key_out_leaves_it_fresh(alice, bob):
    key = alice.create(POOL, flag("Sensitive", True))
    alice.encrypt(key, b"data")
    alice.refused("Get", uid(key))
    alice.refused("Get", uid(key), name("KeyFormatType", "PKCS8"))
    bob.refused("Get", uid(key))
    alice.do("GetAttributes", uid(key))
    assert is_fresh(alice, key)


@pytest.mark.parametrize("stated", [True, False])
def test_what_a_client_states_counts(alice, stated):
    key = alice.create(POOL, flag("Fresh", stated))
    assert is_fresh(alice, key) is stated


def test_client_cannot_make_a_used_object_fresh_again(alice):
    key = alice.create(POOL)
    alice.key_of(key)
    line = alice.refused("SetAttribute", uid(key), structure("NewAttribute", flag("Fresh", True)))
    assert line.startswith("Attribute_Read_Only: ")


def test_pool_is_emptied_by_locate_and_get_in_one_batch(alice):
    """Each takes the one that is found first, which is not found again."""
    pool = {alice.create(POOL) for _ in range(3)}
    take = [
        batch_item("Locate", number("MaximumItems", 1), MEMBER, structure("Attributes", POOL)),
        batch_item("Get"),
    ]

    def take_one():
        _, got = alice.ask(*take)
        return got["ResponsePayload", "UniqueIdentifier"]

    assert {take_one() for _ in range(3)} == pool
    assert fresh_members(alice) == set()
    _, got = alice.ask(*take)
    assert got["ResultStatus"] == "OperationFailed"


def create(kms, **attributes):
    requested = Attributes(
        cryptographic_algorithm=CryptographicAlgorithm.AES, cryptographic_length=256, **attributes
    )
    return kms.do(ALICE, Operation.CREATE, CreateRequest(ObjectType.SYMMETRIC_KEY, requested))


def test_key_is_given_out_while_nothing_can_be_written_but_not_a_member_of_a_pool(
    tmp_path, monkeypatch
):
    async def refuse(changes):
        raise make_unavailable("database or disk is full")

    with Inside(tmp_path) as kms:
        alone, member = create(kms), create(kms, object_groups=("pool",))
        with monkeypatch.context() as patch:
            patch.setattr(kms.store, "commit", refuse)
            assert kms.do(ALICE, Operation.GET, GetRequest(alone.unique_identifier)).object
            with pytest.raises(Unavailable):
                kms.do(ALICE, Operation.GET, GetRequest(member.unique_identifier))
        assert kms.do(ALICE, Operation.GET, GetRequest(member.unique_identifier)).object


def test_only_the_first_get_writes(tmp_path, monkeypatch):
    with Inside(tmp_path) as kms:
        made = create(kms)
        written = []
        commit = kms.store.commit

        async def counting(changes):
            written.append(changes)
            await commit(changes)

        monkeypatch.setattr(kms.store, "commit", counting)
        for _ in range(3):
            kms.do(ALICE, Operation.GET, GetRequest(made.unique_identifier))
        assert len(written) == 1
