"""Granting, withdrawing and listing access rights (docs/http.md, "Access rights")."""

from __future__ import annotations

import http.client
import json
from urllib.parse import quote

import pytest

from ...kmip_items import attributes, flag, import_items, name, number, octets, tagged, uid
from ...kms import KMS, two_issuers
from ...operations.rules import check_failure
from ...rows import each_row

KEY = bytes(16)


# --- the exchanges of the wire reference --------------------------------------------------------


def test_every_exchange_of_the_wire_reference_takes_place(kms, alice, bob):
    billing = f"billing-{bob.token[-16:]}"
    alice.do(
        "Import",
        *import_items(billing, KEY)[:3],
        attributes(name("KeyFormatType", "TransparentSymmetricKey"), mask=12),
        import_items(billing, KEY)[4],
    )
    body = {
        "unique_identifier": billing,
        "user_id": bob.name,
        "operation_types": ["encrypt", "decrypt"],
    }
    answer = alice.change_access("grant", body)
    assert (answer.status, json.loads(answer.body)) == (
        200,
        {"success": f"Access for {bob.name} successfully added"},
    )
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert alice.listed(f"list/{billing}") == [
        {"user_id": bob.name, "operations": ["decrypt", "encrypt"]}
    ]
    assert alice.listed("owned") == [
        {
            "object_id": billing,
            "state": "Active",
            "attributes": {
                "ObjectType": "SymmetricKey",
                "CryptographicAlgorithm": "AES",
                "CryptographicLength": 128,
                "CryptographicUsageMask": 12,
                "KeyFormatType": "TransparentSymmetricKey",
            },
            "is_wrapped": False,
            "uses": 0,
            "last_used": None,
        }
    ]
    assert bob.listed("obtained") == [
        {
            "object_id": billing,
            "owner_id": alice.name,
            "state": "Active",
            "operations": ["decrypt", "encrypt"],
            "granted_to": [bob.name],
            "is_wrapped": False,
        }
    ]
    assert bob.listed("owned") == alice.listed("obtained") == []
    assert bob.decrypt(billing, bob.encrypt(billing, b"x")) == b"x"
    answer = alice.change_access("revoke", body)
    assert json.loads(answer.body) == {"success": f"Access for {bob.name} successfully deleted"}
    assert alice.listed(f"list/{billing}") == bob.listed("obtained") == []


@pytest.mark.parametrize(
    "names", [{"operation_type": "Encrypt"}, {"operation_types": ["ENCRYPT", "encrypt"]}]
)
def test_one_operation_or_a_list_in_any_letter_case(alice, bob, names):
    key = alice.create()
    body = {"unique_identifier": key, "user_id": bob.name, **names}
    for _ in range(2):
        assert alice.change_access("grant", body).status == 200
        assert alice.grants_on(key) == {bob.name: ["encrypt"]}, "twice is once"
    for _ in range(2):
        assert alice.change_access("revoke", body).status == 200
        assert alice.grants_on(key) == {}


def test_rights_add_up_and_go_one_by_one(alice, bob):
    key = alice.create()
    alice.grant(key, bob, "get_attributes")
    alice.grant(key, bob, "Rekey", "get")
    assert alice.grants_on(key) == {bob.name: ["get", "get_attributes", "rekey"]}
    alice.withdraw(key, bob, "get", "destroy")
    assert alice.grants_on(key) == {bob.name: ["get_attributes", "rekey"]}
    assert alice.withdraw(key, "nobody-ever", "get").endswith("successfully deleted")


def test_what_everyone_and_what_one_was_granted_is_one_entry(alice, bob, kms):
    key = alice.create()
    alice.grant(key, "*", "encrypt", "get_attributes")
    alice.grant(key, bob, "encrypt", "decrypt")
    try:
        (found,) = [each for each in bob.listed("obtained") if each["object_id"] == key]
        assert found["operations"] == ["decrypt", "encrypt", "get_attributes"]
        assert alice.listed("obtained") == [], "what is one's own was not obtained"
        assert bob.locate(uid(key)) == (1, [key])
        assert alice.locate(uid(key)) == (1, [key])
        assert alice.grants_on(key)["*"] == ["encrypt", "get_attributes"]
        assert kms.user(issuer=1).encrypt(key, b"x").uid == key
    finally:
        alice.withdraw(key, "*", "encrypt", "get_attributes")
    assert bob.encrypt(key, b"x").uid == key, "the other one stays"


# --- who may ------------------------------------------------------------------------------------


def asked(user, key, other, *, verb="grant"):
    body = {"unique_identifier": key, "user_id": other, "operation_types": ["get"]}
    return user.change_access(verb, body)


@pytest.mark.parametrize("verb", ["grant", "revoke"])
def test_what_is_not_yours_reads_like_what_is_not_there(alice, bob, kms, verb):
    key, absent = alice.create(), "0" * 36
    alice.grant(key, bob, "get", "destroy", "import", "create")
    before = alice.grants_on(key)
    for user in (bob, kms.user(), kms.user(issuer=1)):
        for other in (user.name, "carol", alice.name, "*"):
            answers = [asked(user, each, other, verb=verb) for each in (key, absent)]
            assert answers[0].status == answers[1].status == 422
            assert answers[0].body.replace(key.encode(), absent.encode()) == answers[1].body
            assert answers[1].text.startswith("Item_Not_Found: ")
            heads = [sorted(set(a.headers.keys()) - {"Date"}) for a in answers]
            assert heads[0] == heads[1]
    assert alice.grants_on(key) == before


def test_grants_of_others_read_like_those_of_nothing(alice, bob, kms):
    key, absent = alice.create(), "0" * 36
    alice.grant(key, bob, "get")
    for user in (bob, kms.user(), kms.user(issuer=1)):
        answers = [user.exchange("GET", f"/access/list/{each}") for each in (key, absent)]
        assert answers[0].status == answers[1].status == 422
        assert answers[0].body.replace(key.encode(), absent.encode()) == answers[1].body


def test_granting_to_oneself_is_refused(alice):
    key = alice.create()
    line = asked(alice, key, alice.name).text
    assert line == "Invalid_Field: the owner has every right already"
    assert asked(alice, key, alice.name, verb="revoke").status == 200
    assert alice.key_of(key), "the owner's rights are not granted, so not withdrawn either"


def test_a_missing_object_is_not_found_by_anybody(alice):
    for verb in ("grant", "revoke"):
        assert asked(alice, "absent", "carol", verb=verb).text == (
            "Item_Not_Found: no object to be used for this operation: absent"
        )


# --- hostile bodies -----------------------------------------------------------------------------

GOOD = {"unique_identifier": "k", "user_id": "bob", "operation_types": ["get"]}


def but(**changes):
    """GOOD with changes; None leaves a member out."""
    return {name: value for name, value in {**GOOD, **changes}.items() if value is not None}


BODIES = {
    "empty": b"", "word": b"get", "brace": b"{", "null": b"null", "array": b"[]", "text": b'"get"',
    "not UTF-8": b'{"user_id":"\xff"}', "byte order mark": b"\xef\xbb\xbf{}",
    "NaN": b'{"user_id":NaN}', "deep": b"[" * 60_000, "deep and closed": b"[" * 30_000 + b"]" * 30_000,
    "duplicate": b'{"user_id":"a","user_id":"b"}', "form": b"user_id=bob&operation_type=get",
    "surrogate": json.dumps(but(user_id="\ud800")).encode(), "nothing": {},
    "too long": but(user_id="x" * 70_000), "a million": b" " * 1_000_000 + b"{}",
    "no identifier": but(unique_identifier=None), "no user": but(user_id=None),
    "no operation": but(operation_types=None), "identifier of a number": but(unique_identifier=1),
    "identifier of an array": but(unique_identifier=["k"]), "empty identifier": but(unique_identifier=""),
    "tag list": but(unique_identifier='["t"]'), "bracket": but(unique_identifier="["),
    "null user": {**GOOD, "user_id": None}, "user of a number": but(user_id=1),
    "user of an array": but(user_id=["a", "b"]), "user of an object": but(user_id={}),
    "empty user": but(user_id=""), "long user": but(user_id="x" * 3000),
    "user of two lines": but(user_id="a\nb"), "null in user": but(user_id="a\0"),
    "space before the user": but(user_id=" alice"), "space behind everyone": but(user_id="* "),
    "zero width user": but(user_id="alice\u200b"), "two paragraphs": but(user_id="a\u2029b"),
    "user not in NFC": but(user_id="Zoe\u0308"), "everyone of an issuer": but(user_id="https://a.example#*"),
    "no operations": but(operation_types=[]), "operations of text": but(operation_types="get"),
    "operations of null": but(operation_types=[None]), "of numbers": but(operation_types=[10]),
    "nested operations": but(operation_types=[["get"]]), "object": but(operation_types={"get": True}),
    "unknown operation": but(operation_types=["get", "fly"]), "all": but(operation_types=["*"]),
    "number as text": but(operation_types=["10"]), "hexadecimal": but(operation_types=["0x0000000A"]),
    "space": but(operation_types=["get "]), "long operation": but(operation_types=["x" * 50_000]),
    "single of a list": but(operation_types=None, operation_type=["get"]),
    "single of null": {**but(operation_types=None), "operation_type": None},
    "unknown single": but(operation_types=None, operation_type="fly"),
    "both": but(operation_type="get"), "another member": but(expires="2030-01-01"),
    "letter case of members": {"Unique_Identifier": "k", "user_id": "bob", "operation_types": ["get"]},
    "TTLV": {"tag": "Get", "type": "Structure", "value": []},
}  # fmt: skip


@each_row("verb", ["grant", "revoke"])
@each_row("body", BODIES.values(), ids=BODIES)
def test_hostile_body_is_refused_in_one_line(alice, body, verb):
    answer = alice.change_access(verb, body)
    assert answer.status == 422
    check_failure(answer.body, answer.headers["Content-Type"])
    assert "Item_Not_Found" not in answer.text
    assert "xxxx" not in answer.text


@pytest.mark.parametrize("path", ["grant", "revoke"])
def test_chunked_and_odd_content_types_are_read(alice, path):
    connection = http.client.HTTPConnection("127.0.0.1", alice.port, timeout=10)
    body = json.dumps(but(unique_identifier=alice.create())).encode()
    connection.request(
        "POST",
        f"/access/{path}",
        iter([body[:9], body[9:]]),
        {"Authorization": f"Bearer {alice.token}", "Content-Type": "text/x-odd"},
    )
    assert connection.getresponse().status == 200
    connection.close()


# --- identifiers in the path --------------------------------------------------------------------


@pytest.mark.parametrize(
    "identifier",
    ["a/b/c-{}", "{}/", "//{}", "a b?c=d&e#f%2F{}", "Zoë-鍵-{}", "..-{}", "%", "a+b-{}", "{}\n"],
)
def test_identifier_of_any_text_is_listed(alice, bob, identifier):
    wanted = identifier.format(alice.token[-16:])
    alice.import_key(wanted, KEY)
    alice.grant(wanted, bob, "encrypt")
    paths = {quote(wanted), quote(wanted, safe="")}
    for path in paths:
        assert alice.listed(f"list/{path}") == [{"user_id": bob.name, "operations": ["encrypt"]}]
    alice.revoke(wanted)
    alice.destroy(wanted, remove=True)


@each_row(
    ("path", "status"),
    [
        ("list/", 404),
        ("list", 404),
        ("list/%FF", 404),
        ("list/%00", 422),
        ("list/%5B%22t%22%5D", 422),
        ("list/" + "x" * 5000, 422),
        ("list/%0d%0aSet-Cookie:%20a=b", 422),
    ],
)
def test_path_that_names_nothing_is_refused(alice, path, status):
    answer = alice.exchange("GET", f"/access/{path}")
    assert answer.status == status
    assert answer.body
    assert "Set-Cookie" not in answer.headers


# --- what becomes of grants ---------------------------------------------------------------------


def test_owner_who_takes_an_identifier_again_starts_without_grants(alice, bob):
    wanted = f"reused-{bob.token[-16:]}"
    for _ in range(3):
        alice.import_key(wanted, KEY)
        assert alice.grants_on(wanted) == {}
        assert bob.refused("Get", uid(wanted)).startswith("Item_Not_Found: ")
        alice.grant(wanted, bob, "get")
        assert bob.key_of(wanted) == KEY
        alice.revoke(wanted)
        alice.destroy(wanted, remove=True)
        assert bob.listed("obtained") == []


def test_grants_stay_when_the_owner_imports_over_a_key(alice, bob):
    wanted = f"rotated-{bob.token[-16:]}"
    alice.import_key(wanted, KEY)
    alice.grant(wanted, bob, "get")
    alice.import_key(wanted, b"\1" * 16, replace=True)
    assert bob.key_of(wanted) == b"\1" * 16


def test_destroyed_objects_stay_listed_with_their_grants(alice, bob):
    key = alice.create()
    alice.grant(key, bob, "get")
    alice.revoke(key)
    alice.destroy(key)
    assert alice.grants_on(key) == {bob.name: ["get"]}
    assert [each["state"] for each in alice.listed("owned")] == ["Destroyed"]
    assert [each["state"] for each in bob.listed("obtained")] == ["Destroyed"]
    assert bob.refused("Get", uid(key)).startswith("Object_Destroyed: ")
    assert bob.locate() == (0, [])


def test_a_grantee_may_end_a_key_and_it_stays_its_owners(alice, bob):
    key = alice.create()
    alice.grant(key, bob, "revoke", "destroy")
    bob.revoke(key)
    bob.destroy(key)
    assert alice.state_of(key) == "Destroyed"
    bob.do("Destroy", uid(key), flag("Remove", True))
    assert alice.listed("owned") == []


def test_own_and_then_granted_objects_are_found_newest_first_and_paged(alice, bob):
    tag = f"both-{bob.token[-16:]}"
    keys = []
    for owner in (alice, bob, alice, bob):
        keys.insert(0, owner.create(tags=[tag]))
        if owner is alice:
            alice.grant(keys[0], bob, "encrypt", "get", "destroy")
    nearest = [keys[0], keys[2], keys[1], keys[3]]
    for wanted in (tagged(tag), tagged(tag, "_kk"), name("State", "Active")):
        assert bob.locate(wanted) == (4, nearest)
        for offset in range(5):
            more = [number("OffsetItems", offset), number("MaximumItems", 2)]
            assert bob.locate(wanted, more=more) == (4, nearest[offset : offset + 2])
    assert bob.encrypt([tag], b"x").uid == keys[0]
    bob.revoke(keys[0])
    assert bob.encrypt([tag], b"x").uid == keys[2], "his own, though alice's is newer"
    bob.revoke(keys[2])
    line = bob.refused("Encrypt", uid([tag]), octets("Data", b""))
    assert line == "Wrong_Key_Lifecycle_State: the object is Deactivated", "his own, of no use"
    for key in (keys[0], keys[2]):
        bob.destroy(key)
    line = bob.refused("Encrypt", uid([tag]), octets("Data", b""))
    assert line == "Item_Not_Found: your only objects with these tags are destroyed"
    for key in (keys[0], keys[2]):
        bob.destroy(key, remove=True)
    assert bob.encrypt([tag], b"x").uid == keys[1], "alice's, the newest that is Active"
    assert alice.locate(tagged(tag)) == (2, [keys[1], keys[3]])


@pytest.mark.parametrize("named", ["by name", "*"])
def test_a_newer_key_that_somebody_grants_does_not_take_the_place_of_ones_own(alice, kms, named):
    """Or whoever grants it would read what others encrypt."""
    mallory = kms.user()
    tag = f"mine-{alice.token[-16:]}"
    key = alice.create(tags=[tag])
    sealed = alice.encrypt([tag], b"x")
    planted = [mallory.create(tags=[tag]) for _ in range(3)]
    grantee = alice.name if named == "by name" else "*"
    rights = ["get", "revoke", "destroy"]
    for each in planted:
        mallory.grant(each, grantee, *rights)
    try:
        assert alice.encrypt([tag], b"x").uid == key
        alice.revoke([tag])
        assert alice.state_of(key) == "Deactivated"
        assert alice.decrypt([tag], sealed) == b"x", "nor does an Active one, of a revoked one"
        assert {mallory.state_of(each) for each in planted} == {"Active"}
    finally:
        for each in planted:
            mallory.withdraw(each, grantee, *rights)


def test_the_right_comes_before_state_and_usage(alice, bob):
    key = alice.create(mask=8)
    alice.revoke(key)
    alice.grant(key, bob, "decrypt")
    line = bob.refused("Encrypt", uid(key), octets("Data", b""))
    assert line.startswith("Item_Not_Found: "), "nothing is learnt of its state"


def test_grants_survive_a_restart(tmp_path):
    with two_issuers() as issuers:
        with KMS(tmp_path, *issuers) as kms:
            alice, bob = kms.user("alice"), kms.user("bob")
            key = alice.create()
            alice.grant(key, bob, "encrypt", "get_attributes")
            alice.grant(key, "*", "mac")
            alice.withdraw(key, bob, "get_attributes")
        with KMS(tmp_path, *issuers) as kms:
            alice, bob = kms.user("alice"), kms.user("bob")
            assert alice.grants_on(key) == {"*": ["mac"], bob.name: ["encrypt"]}
            assert bob.encrypt(key, b"x").uid == key
            assert bob.refused("GetAttributes", uid(key)).startswith("Item_Not_Found: ")


# --- users' names -------------------------------------------------------------------------------


def test_in_namespaces_a_bare_name_is_nobody(kms):
    alice, bob = kms.user(), kms.user()
    key = alice.create()
    bare = bob.name.rpartition("#")[2]
    assert bob.name == f"{kms.issuers[0].uri}#{bare}"
    alice.grant(key, bare, "get")
    assert bob.refused("Get", uid(key)).startswith("Item_Not_Found: ")
    alice.grant(key, f"{kms.issuers[1].uri}#{bare}", "get")
    assert bob.refused("Get", uid(key)).startswith("Item_Not_Found: ")
    assert kms.user(bare, issuer=1).key_of(key)


def test_in_a_shared_namespace_a_name_is_one_person(tmp_path):
    with two_issuers() as issuers, KMS(tmp_path, *issuers, namespace="shared") as kms:
        alice, bob = kms.user("alice"), kms.user("bob")
        assert bob.name == "bob"
        key = alice.create()
        alice.grant(key, "bob", "get")
        assert bob.key_of(key) == kms.user("bob", issuer=1).key_of(key)
        assert kms.user("Bob").refused("Get", uid(key)).startswith("Item_Not_Found: ")
        assert asked(kms.user("alice", issuer=1), key, "alice").status == 422


def test_the_log_says_who_granted_what_to_whom(tmp_path):
    with two_issuers() as issuers, KMS(tmp_path, *issuers, namespace="shared") as kms:
        alice = kms.user("alice")
        key = alice.create()
        alice.grant(key, "bob", "get", "encrypt")
        asked(kms.user("eve"), key, "eve")
    # Stopped, so that the last line is written.
    lines = [line for line in kms.log.splitlines() if "/access/grant" in line]
    assert len(lines) == 2
    for word in ("user=alice", f"uid={key}", "grantee=bob", "rights=encrypt,get", "result=Success"):
        assert word in lines[0].replace('"', "")
    for word in ("user=eve", "grantee=eve", "result=Item_Not_Found"):
        assert word in lines[1]
