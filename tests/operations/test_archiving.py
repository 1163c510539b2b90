"""Archive and Recover (KMIP 2.1 §6.1.4, §6.1.42): what is to be had of an archived object, and by which way it is not."""

from __future__ import annotations

import pytest

from kms_tornado.errors import (
    ItemNotFound,
    ObjectArchived,
    ObjectDestroyed,
    WrongKeyLifecycleState,
)
from kms_tornado.kmip.attributes import Attributes, with_user_tags
from kms_tornado.kmip.enums import Operation, State
from kms_tornado.kmip.payloads import (
    ArchiveRequest,
    CheckRequest,
    DestroyRequest,
    EncryptRequest,
    GetAttributesRequest,
    LocateCriteria,
    LocateRequest,
    RecoverRequest,
    RevokeRequest,
)
from kms_tornado.kmip.schema import to_node
from kms_tornado.kmip.ttlv import children_of
from kms_tornado.store.postgres.backend import PostgresBackend

from .. import postgres
from ..kmip_items import (
    ACTIVATED,
    attributes,
    batch_item,
    flag,
    import_items,
    key_object,
    name,
    number,
    octets,
    structure,
    tagged,
    text,
    uid,
)
from ..rows import each_row
from .access_rows import ROWS, a_key_for
from .inside import ALICE, BOB, START, Inside
from .mentions import MENTIONS, wrapping


@pytest.fixture(params=["sqlite", "postgresql"])
def inside(request, tmp_path):
    backend = None
    if request.param == "postgresql":
        backend = PostgresBackend(postgres.empty_database())
    with Inside(tmp_path, backend=backend) as inside:
        yield inside


def archive(inside, key, user=ALICE):
    return inside.do(user, Operation.ARCHIVE, ArchiveRequest(key))


def recover(inside, key, user=ALICE):
    return inside.do(user, Operation.RECOVER, RecoverRequest(key))


# --- what is to be had --------------------------------------------------------------------------

#: What the specification lets be done with an archived object.
OF_ARCHIVED = {"GetAttributes", "GetAttributeList", "Recover"}


@each_row(("operation", "items"), ROWS)
def test_archived_object_is_recovered_before_anything_else_is_done_with_it(alice, operation, items):
    """Each operation of the catalogue: another answer before Recover than after it, and nothing changed."""
    key = a_key_for(alice, operation)
    assert alice.do("Archive", uid(key)).uid == key
    if operation in OF_ARCHIVED:
        alice.do(operation, uid(key), *items)
        return
    before = alice.do("GetAttributes", uid(key)).item
    line = alice.refused(operation, uid(key), *items)
    assert line == "Object_Archived: the object is archived: recover it first"
    assert alice.do("GetAttributes", uid(key)).item == before
    assert alice.do("Recover", uid(key)).uid == key
    answer = alice.send(structure(operation, uid(key), *items))
    assert answer.status == 200 or answer.text.startswith("Cryptographic_Failure: ")


def test_archive_date_tells_since_when_and_is_gone_with_recover(inside):
    key = inside.create(comment="x")
    before = inside.known(key)
    inside.clock = START + 5
    assert archive(inside, key).unique_identifier == key
    known = inside.known(key)
    assert known.archive_date == known.last_change_date == START + 5
    assert known.state is State.ACTIVE
    inside.clock = START + 9
    assert recover(inside, key).unique_identifier == key
    assert inside.known(key) == before.replace(last_change_date=START + 9)


def test_recover_of_an_object_that_is_on_line_changes_nothing(inside):
    key = inside.create()
    before = inside.known(key)
    inside.clock = START + 5
    recover(inside, key)
    assert inside.known(key) == before


def test_dates_that_pass_while_it_is_archived_count_afterwards(inside):
    key = inside.create(activation_date=START + 10, deactivation_date=START + 20)
    archive(inside, key)
    for clock, state in ((10, State.ACTIVE), (20, State.DEACTIVATED)):
        inside.clock = START + clock
        assert inside.state(key) is state
    recover(inside, key)
    with pytest.raises(WrongKeyLifecycleState):
        inside.encrypt(key)


def test_destroyed_object_is_neither_archived_nor_recovered(inside):
    key = inside.create()
    inside.do(ALICE, Operation.REVOKE, RevokeRequest(key))
    inside.do(ALICE, Operation.DESTROY, DestroyRequest(key))
    for operation in (archive, recover):
        with pytest.raises(ObjectDestroyed):
            operation(inside, key)


def test_being_archived_is_told_before_a_state_that_would_be_refused_too(inside):
    key = inside.create()
    inside.do(ALICE, Operation.REVOKE, RevokeRequest(key))
    archive(inside, key)
    with pytest.raises(ObjectArchived):
        inside.encrypt(key)


def test_digest_of_an_archived_key_is_not_computed(inside):
    key = inside.create()
    digests = inside.known(key).digests
    assert digests
    archive(inside, key)
    assert inside.known(key).digests == ()
    recover(inside, key)
    assert inside.known(key).digests == digests


def test_import_puts_an_object_on_line_whatever_its_archive_date(alice):
    date = {"tag": "ArchiveDate", "type": "DateTime", "value": "2020-01-01T00:00:00Z"}
    key = alice.import_key("", bytes(16), date)
    assert alice.key_of(key) == bytes(16)
    assert alice.do("GetAttributes", uid(key)).get("Attributes", "ArchiveDate") is None


# --- other ways to it ---------------------------------------------------------------------------


@pytest.mark.parametrize("title", MENTIONS)
def test_archived_key_that_a_request_mentions_besides_is_not_used(alice, title):
    operation, items, _ = MENTIONS[title]
    mine, other = alice.create(mask=0x200), alice.create(mask=0x200030)
    alice.do("AddAttribute", uid(mine), structure("NewAttribute", text("Comment", "x")))
    alice.do("Archive", uid(other))
    answer = alice.send(structure(operation, *items(mine, other)))
    if "link" in title:  # a link names an object, and does nothing with it
        assert not answer.text.startswith("Object_Archived"), answer.text
        return
    assert answer.text == "Object_Archived: the object is archived: recover it first"


def test_what_is_stored_wrapped_is_used_once_its_wrapping_key_is_recovered(alice):
    kek = alice.create(mask=0x30)
    wrapped = alice.do("Get", uid(alice.create(bits=256)), wrapping(kek)).item["value"][-1]
    stored = alice.do(
        "Import", uid(""), name("ObjectType", "SymmetricKey"), flag("ReplaceExisting", False),
        attributes(mask=12), wrapped,
    ).uid  # fmt: skip
    alice.encrypt(stored, b"x")
    alice.do("Archive", uid(kek))
    for operation, more in (("Encrypt", [octets("Data", b"x")]), ("Get", [name("KeyWrapType", "NotWrapped")])):  # fmt: skip
        assert alice.refused(operation, uid(stored), *more).startswith("Object_Archived: ")
    alice.do("Get", uid(stored))  # as it came, it needs no other key
    alice.do("Recover", uid(kek))
    alice.encrypt(stored, b"x")


def test_either_half_of_a_pair_keeps_it_from_being_replaced(alice):
    common = structure("CommonAttributes", name("CryptographicAlgorithm", "EC"))
    for half in ("PrivateKeyUniqueIdentifier", "PublicKeyUniqueIdentifier"):
        pair = alice.do("CreateKeyPair", common)
        request = text("PrivateKeyUniqueIdentifier", pair["PrivateKeyUniqueIdentifier"])
        alice.do("Archive", uid(pair[half]))
        assert alice.refused("ReKeyKeyPair", request).startswith("Object_Archived: ")
        alice.do("Recover", uid(pair[half]))
        alice.do("ReKeyKeyPair", request)


def test_archived_secret_is_no_password_of_a_file(alice):
    secret = alice.do(
        "Register",
        name("ObjectType", "SecretData"),
        attributes(ACTIVATED, algorithm=None, mask=0x200),
        structure(
            "SecretData",
            name("SecretDataType", "Password"),
            key_object(b"open sesame", algorithm=None, form="Raw")["value"][0],
        ),
    ).uid
    link = structure(
        "Link", name("LinkType", "PKCS12PasswordLink"), text("LinkedObjectIdentifier", secret)
    )
    file = structure(
        "PrivateKey",
        structure(
            "KeyBlock",
            name("KeyFormatType", "PKCS_12"),
            structure("KeyValue", octets("KeyMaterial", b"0\x03\x02\x01\x03")),
        ),
    )
    items = [name("ObjectType", "PrivateKey"), structure("Attributes", link), file]
    (before,) = alice.ask(batch_item("Register", *items))
    assert before["ResultReason"] != "ObjectArchived"
    alice.do("Archive", uid(secret))
    (refused,) = alice.ask(batch_item("Register", *items))
    assert refused["ResultReason"] == "ObjectArchived"


def test_archived_object_is_not_replaced(alice):
    key = alice.import_key("", bytes(16))
    alice.do("Archive", uid(key))
    line = alice.refused("Import", *import_items(key, bytes([1] * 16), replace=True))
    assert line.startswith("Object_Archived: ")
    alice.do("Recover", uid(key))
    assert alice.key_of(key) == bytes(16)
    alice.import_key(key, bytes([1] * 16), replace=True)


def test_stream_does_not_go_on_with_a_key_that_was_archived_meanwhile(inside):
    key = inside.create()
    first = EncryptRequest(key, data=b"one", init_indicator=True)
    value = inside.do(ALICE, Operation.ENCRYPT, first).correlation_value
    archive(inside, key)
    last = EncryptRequest(key, data=b"two", correlation_value=value, final_indicator=True)
    with pytest.raises(ObjectArchived):
        inside.do(ALICE, Operation.ENCRYPT, last)
    recover(inside, key)
    inside.do(ALICE, Operation.ENCRYPT, last)


# --- rights -------------------------------------------------------------------------------------


def test_who_may_do_everything_else_neither_archives_nor_recovers(inside):
    key = inside.create()
    inside.grant(key, BOB, *set(Operation) - {Operation.ARCHIVE, Operation.RECOVER})
    with pytest.raises(ItemNotFound):
        archive(inside, key, BOB)
    archive(inside, key)
    with pytest.raises(ItemNotFound):
        recover(inside, key, BOB)
    for request in (RevokeRequest(key), DestroyRequest(key), DestroyRequest(key, remove=True)):
        operation = Operation.REVOKE if isinstance(request, RevokeRequest) else Operation.DESTROY
        with pytest.raises(ObjectArchived):
            inside.do(BOB, operation, request)
    inside.grant(key, BOB, Operation.RECOVER)
    recover(inside, key, BOB)
    inside.encrypt(key, user=BOB)


# --- finding it ---------------------------------------------------------------------------------

ONLINE, ARCHIVAL, DESTROYED = 1, 2, 4

#: Mask → what is found with it.
SEARCHED = {
    None: "kept",
    ONLINE: "kept",
    ARCHIVAL: "away",
    ONLINE | ARCHIVAL: "away kept",
    DESTROYED: "gone",
    ONLINE | DESTROYED: "gone kept",
    ARCHIVAL | DESTROYED: "away gone",
    ONLINE | ARCHIVAL | DESTROYED: "away gone kept",
}


def locate(inside, mask=None, user=ALICE, **sought):
    criteria = LocateCriteria(children_of(to_node(Attributes(**sought), "Attributes")), ())
    request = LocateRequest(criteria=criteria, storage_status_mask=mask)
    found = inside.do(user, Operation.LOCATE, request)
    assert found.located_items == len(found.unique_identifiers)
    return set(found.unique_identifiers)


@pytest.fixture
def stock(inside):
    made = {
        title: inside.create(unique_identifier=title, object_groups=("g",))
        for title in ("kept", "away", "gone")
    }
    archive(inside, "away")
    inside.do(ALICE, Operation.REVOKE, RevokeRequest("gone"))
    inside.do(ALICE, Operation.DESTROY, DestroyRequest("gone"))
    return made


def test_archived_objects_are_found_where_the_mask_asks_for_them(inside, stock):
    for mask, found in SEARCHED.items():
        assert locate(inside, mask) == set(found.split()), mask
        assert locate(inside, mask, object_groups=("g",)) == set(found.split()), mask
    assert locate(inside, state=State.ACTIVE) == {"kept"}
    assert locate(inside, ARCHIVAL, archive_date=START) == {"away"}
    assert locate(inside, archive_date=START) == set()
    recover(inside, "away")
    assert locate(inside) == {"kept", "away"}
    assert locate(inside, ARCHIVAL) == set()


def test_who_may_not_read_attributes_does_not_learn_by_the_mask_what_is_archived(inside, stock):
    inside.grant("away", BOB, Operation.ENCRYPT)
    inside.grant("kept", BOB, Operation.ENCRYPT)
    assert locate(inside, user=BOB) == {"kept"}
    for mask in SEARCHED:
        assert locate(inside, mask, BOB) == ({"kept"} if mask in {None, ONLINE} else set()), mask
    inside.grant("away", BOB, Operation.GET_ATTRIBUTES)
    assert locate(inside, ARCHIVAL, BOB) == {"away"}


def keys_with(inside, tag, number_of=1):
    made = [
        inside.create(**with_user_tags(Attributes(), frozenset({tag})).set_fields())
        for _ in range(number_of)
    ]
    return made[0] if number_of == 1 else made


def test_tags_mean_the_object_that_is_on_line_however_many_newer_ones_are_archived(inside):
    older = keys_with(inside, "t")
    for key in keys_with(inside, "t", 101):
        archive(inside, key)
    assert inside.encrypt('["t"]').unique_identifier == older
    archive(inside, older)
    with pytest.raises(ObjectArchived):
        inside.encrypt('["t"]')
    found = inside.do(ALICE, Operation.GET_ATTRIBUTES, GetAttributesRequest('["t"]'))
    assert found.attributes.archive_date == START


def test_recover_by_tags_means_the_archived_one_and_archive_the_other(inside):
    one, two = keys_with(inside, "t", 2)
    archive(inside, one)
    assert archive(inside, '["t"]').unique_identifier == two
    inside.do(ALICE, Operation.RECOVER, RecoverRequest(two))
    assert recover(inside, '["t"]').unique_identifier == one
    assert inside.do(ALICE, Operation.CHECK, CheckRequest(one)).unique_identifier == one


# --- in a message -------------------------------------------------------------------------------


def test_recover_sets_the_placeholder_and_archive_leaves_it(alice):
    created = alice.ask(
        batch_item("Create", name("ObjectType", "SymmetricKey"), attributes(tagged("a"))),
        batch_item("Archive"),
        batch_item("GetAttributes", name("AttributeReference", "ArchiveDate")),
        batch_item("Get"),
        batch_item("Recover"),
        batch_item("Get"),
    )
    assert [item["ResultStatus"] for item in created] == [
        "Success", "Success", "Success", "OperationFailed", "Success", "Success",
    ]  # fmt: skip
    assert created[3]["ResultReason"] == "ObjectArchived"
    key = created[0]["ResponsePayload", "UniqueIdentifier"]
    alice.do("Archive", uid(key))
    recovered = alice.ask(batch_item("Recover", uid(key)), batch_item("Get"))
    assert recovered[1]["ResponsePayload", "UniqueIdentifier"] == key


def test_found_by_the_mask_and_recovered_in_one_message(alice):
    key = alice.create(tags=["only"])
    alice.do("Archive", uid(key))
    sought = structure("Attributes", tagged("only"))
    answers = alice.ask(
        batch_item("Locate", number("StorageStatusMask", ARCHIVAL), sought),
        batch_item("Recover"),
        batch_item("Get"),
    )
    assert [item["ResultStatus"] for item in answers] == ["Success"] * 3
    assert answers[2]["ResponsePayload", "UniqueIdentifier"] == key


@pytest.mark.parametrize("operation", ["Archive", "Recover"])
def test_undo_takes_it_back(alice, operation):
    key = alice.create()
    if operation == "Recover":
        alice.do("Archive", uid(key))
    before = alice.do("GetAttributes", uid(key)).item
    alice.ask(
        batch_item(operation, uid(key), item_id=b"1"),
        batch_item("Get", uid("absent"), item_id=b"2"),
        header=[name("BatchErrorContinuationOption", "Undo")],
    )
    assert alice.do("GetAttributes", uid(key)).item == before
