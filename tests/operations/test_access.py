"""Every operation × everybody, from the catalogue; and who may create (docs/http.md, "Access rights")."""

from __future__ import annotations

import contextlib
import functools

import pytest

from kms_tornado.kmip.enums import Operation
from kms_tornado.kmip.tables import OPERATION_TAGS

from ..kmip_items import (
    attributes,
    batch_item,
    import_items,
    name,
    number,
    structure,
    tagged,
    text,
    uid,
)
from ..kms import KMS, two_issuers
from ..rows import each_row
from .access_rows import (
    _MASKS,
    ON_AN_OBJECT,
    OPERATIONS,
    OPERATIONS_NAMES,
    ROWS,
    a_key_for,
    is_answered,
    operation_name,
)

#: They name no object that is there, or two of them: tested one by one.
ON_NO_OBJECT = {
    Operation.RE_KEY_KEY_PAIR,
    Operation.CREATE, Operation.IMPORT, Operation.LOCATE, Operation.QUERY,
    Operation.DISCOVER_VERSIONS, Operation.HASH, Operation.RNG_RETRIEVE, Operation.RNG_SEED,
    Operation.CREATE_KEY_PAIR, Operation.REGISTER,
}  # fmt: skip


#: What the right `get` covers as well.
COVERED_BY_GET = {
    "Export", "GetAttributes", "Encrypt", "Decrypt", "MAC", "MACVerify", "Sign", "SignatureVerify",
}  # fmt: skip

#: How a right may reach somebody.
WAYS = ["by name", "by name, other issuer", "everyone", "everyone, other issuer"]

STRANGERS = ["same issuer", "other issuer", "other issuer, same name"]


def test_every_operation_has_its_place_in_the_matrix():
    assert set(OPERATIONS) == set(ON_AN_OBJECT) | ON_NO_OBJECT


@pytest.fixture(scope="module")
def owner(kms):
    return kms.user("the-owner")


@pytest.fixture(params=STRANGERS)
def stranger(request, kms):
    if request.param == "same issuer":
        return kms.user()
    if request.param == "other issuer":
        return kms.user(issuer=1)
    return kms.user("the-owner", issuer=1)


STATES = ["Active", "Deactivated", "Destroyed"]


@pytest.fixture(scope="module")
def theirs(owner):
    """State → a key of the owner's in it. It stays so, whatever strangers try."""
    keys = {state: owner.create(tags=["theirs"]) for state in STATES}
    for state in STATES[1:]:
        owner.revoke(keys[state])
    owner.destroy(keys["Destroyed"])
    return keys


@each_row(("operation", "items"), ROWS)
def test_what_is_not_yours_reads_like_what_is_not_there(owner, theirs, stranger, operation, items):
    absent = "0" * len(theirs["Active"])
    line = stranger.refused(operation, uid(absent), *items)
    assert line == f"Item_Not_Found: no object to be used for this operation: {absent}"
    for state, key in theirs.items():
        assert stranger.refused(operation, uid(key), *items).replace(key, absent) == line, state
    answers = owner.ask(*(batch_item("GetAttributes", uid(key)) for key in theirs.values()))
    states = [answer["ResponsePayload", "Attributes", "State"] for answer in answers]
    assert states == [*theirs], "nothing has changed"


@each_row(("operation", "items"), ROWS)
@pytest.mark.usefixtures("theirs")
def test_tags_of_others_read_like_no_tags(stranger, operation, items):
    lines = [stranger.refused(operation, uid([each]), *items) for each in ("theirs", "no-one")]
    assert lines[0].replace("theirs", "no-one") == lines[1]
    assert lines[1].startswith("Item_Not_Found: ")


@each_row(("operation", "items"), ROWS)
def test_the_owner_is_answered(owner, operation, items):
    key = a_key_for(owner, operation)
    answer = owner.send(structure(operation, uid(key), *items))
    assert answer.status == 200 or answer.text.startswith("Cryptographic_Failure: ")


@each_row("path", ["/kmip_2_1", "/kmip/2_1"])
@each_row("operation", sorted(OPERATION_TAGS[each] for each in OPERATIONS))
def test_nobody_is_answered_before_the_body_is_looked_at(kms, theirs, operation, path):
    key = theirs["Active"]
    for body in (structure(operation, uid(key)), structure(operation, uid("absent")), b"{"):
        answer = kms.nobody(path).send(body)
        assert answer.status == 401
        assert answer.text == (
            '{"error": "unauthorized", "error_description": "bearer token required"}'
        )


@contextlib.contextmanager
def granted(owner, key, kms, way, *rights):
    """Somebody who has the rights in this way, for as long as the block lasts."""
    grantee = kms.user(issuer=1 if "other issuer" in way else 0)
    named = "*" if way.startswith("everyone") else grantee
    owner.grant(key, named, *rights)
    try:
        yield grantee
    finally:
        if owner.exchange("GET", f"/access/list/{key}").status == 200:  # not removed meanwhile
            owner.withdraw(key, named, *rights)


RIGHTS = sorted(OPERATIONS_NAMES.values())


#: Those that a key of its own is made for by `a_key_for`; all others find the same one good.
_OF_A_KIND = {
    "Sign", "SignatureVerify", "GetUsageAllocation", "AdjustAttribute", "Activate", "Destroy", *_MASKS,
}  # fmt: skip


@pytest.fixture(scope="module")
def with_one_right(kms, owner):
    """Operation → (a grantee, right → a key for the operation on which the grantee has this right alone).

    Whoever is refused changes nothing, so that all tests may try the same keys.
    """
    grantee = kms.user()

    @functools.cache
    def make(kind):
        keys = {right: a_key_for(owner, kind) for right in RIGHTS}
        for right, key in keys.items():
            owner.grant(key, grantee, right)
        return keys

    yield lambda operation: (grantee, make(operation if operation in _OF_A_KIND else None))
    grantee.close()


@pytest.mark.parametrize(("operation", "items"), ROWS)
def test_a_right_allows_exactly_its_operation_and_what_get_covers(
    kms, owner, with_one_right, operation, items
):
    allowing = {operation_name(operation), *(["get"] if operation in COVERED_BY_GET else [])}
    grantee, stranger = kms.user(), kms.user()
    namesake = kms.user(grantee.name.rpartition("#")[2], issuer=1)
    for right in sorted(allowing):
        key = a_key_for(owner, operation)
        owner.grant(key, grantee, right)
        for user in (namesake, stranger, grantee):
            assert is_answered(user, operation, key, items) == (user is grantee), right

    key = a_key_for(owner, operation)
    state = {"Destroy": "Deactivated", "Activate": "PreActive"}.get(operation, "Active")
    owner.grant(key, grantee, *(set(RIGHTS) - allowing - {"get"}))
    assert not is_answered(grantee, operation, key, items), "all the others together"
    assert owner.state_of(key) == state

    grantee, keys = with_one_right(operation)
    namesake = kms.user(grantee.name.rpartition("#")[2], issuer=1)
    others = {right: key for right, key in keys.items() if right not in allowing}
    for user in (grantee, namesake, stranger):
        answers = user.ask(*(batch_item(operation, uid(key), *items) for key in others.values()))
        answered = {
            right: answer.item
            for (right, key), answer in zip(others.items(), answers, strict=True)
            if answer.get("ResultReason") != "ItemNotFound"
            or answer["ResultMessage"] != f"no object to be used for this operation: {key}"
        }
        assert answered == {}
    states = owner.ask(*(batch_item("GetAttributes", uid(key)) for key in others.values()))
    assert {each["ResponsePayload", "Attributes", "State"] for each in states} == {state}


@each_row("way", WAYS)
@each_row(("operation", "items"), ROWS)
def test_a_right_reaches_its_holder_until_it_is_withdrawn(kms, owner, operation, items, way):
    right = operation_name(operation)
    key = a_key_for(owner, operation)
    with granted(owner, key, kms, way, right) as grantee:
        assert is_answered(grantee, operation, key, items)
    assert not is_answered(grantee, operation, key, items)


@each_row("way", WAYS)
@each_row(("operation", "items"), ROWS)
def test_a_tag_list_finds_what_the_right_by_name_is_for(kms, owner, operation, items, way):
    tag = f"shared-{operation}-{way}-{len(items)}-{owner.port}"
    key = a_key_for(owner, operation, [tag])
    elsewhere = "locate" if operation != "Locate" else "revoke"
    is_by_name = way.startswith("by name")  # anybody may grant everyone anything, with any tag
    with granted(owner, key, kms, way, elsewhere) as grantee:
        assert not is_answered(grantee, operation, [tag], items)
        assert grantee.locate(tagged(tag)) == ((1, [key]) if is_by_name else (0, []))
        assert grantee.locate(uid(key)) == (1, [key]), "any right will do"
    with granted(owner, key, kms, way, operation_name(operation)) as grantee:
        is_found = is_by_name or operation in {"Get", "GetAttributes"}
        assert grantee.locate(tagged(tag)) == ((1, [key]) if is_found else (0, []))
        assert is_answered(grantee, operation, [tag], items) == is_by_name
    assert grantee.locate(tagged(tag)) == (0, [])
    assert not is_answered(grantee, operation, [tag], items)


@pytest.mark.parametrize("right", ["import", "get", "create", "destroy"])
def test_replacing_stays_the_owners(kms, owner, right):
    key = owner.create()
    before = owner.key_of(key)
    with granted(owner, key, kms, "by name", right) as grantee:
        line = grantee.refused("Import", *import_items(key, bytes(16), replace=True))
    assert line == owner.refused("Import", *import_items(key, bytes(16)))
    assert owner.key_of(key) == before


def test_locate_counts_only_what_the_caller_may_see(owner, stranger):
    key = owner.create(tags=["theirs"])
    for wanted in (tagged("theirs"), uid(key), name("State", "Active")):
        assert stranger.locate(wanted) == (0, [])
        assert stranger.locate(wanted, more=[number("OffsetItems", 1)]) == (0, [])
    assert owner.locate(uid(key)) == (1, [key])


@pytest.mark.parametrize("replace", [True, False])
def test_import_over_an_identifier_of_somebody_else_is_refused(owner, stranger, replace):
    key = owner.create()
    before = owner.key_of(key)
    line = stranger.refused("Import", *import_items(key, bytes(16), replace=replace))
    assert line == owner.refused("Import", *import_items(key, bytes(16)))
    assert owner.key_of(key) == before
    taken = stranger.refused(
        "Create", name("ObjectType", "SymmetricKey"), attributes(uid(key))
    )  # fmt: skip
    assert taken.startswith("Object_Already_Exists: ")


def test_a_link_gives_no_right(owner, stranger):
    key = owner.create()
    link = structure(
        "Link",
        structure("Link", name("LinkType", "ParentLink"), text("LinkedObjectIdentifier", key)),
    )
    stranger.create(link)
    assert stranger.refused("Get", uid(key)).startswith("Item_Not_Found: ")


def test_shared_namespace_makes_one_person_of_one_name(tmp_path):
    """The twin of "other issuer, same name": there the refusal, here what would be allowed."""
    with two_issuers() as issuers, KMS(tmp_path, *issuers, namespace="shared") as kms:
        key = kms.user("alice").create()
        assert kms.user("alice", issuer=1).do("Get", uid(key)).uid == key
        line = kms.user("bob", issuer=1).refused("Get", uid(key))
        assert line.startswith("Item_Not_Found: ")


def test_only_privileged_users_create_where_there_are_any(tmp_path):
    with contextlib.ExitStack() as stack:
        issuers = stack.enter_context(two_issuers())
        privileged = f"{issuers[0].uri}#root"
        kms = stack.enter_context(
            KMS(tmp_path, *issuers, options=["--privileged-users", privileged])
        )
        root, other = kms.user("root"), kms.user("other")
        namesake = kms.user("root", issuer=1)
        key = root.create()
        root.import_key("mine", bytes(16))
        create = [name("ObjectType", "SymmetricKey"), attributes()]
        for user in (other, namesake):
            for operation, items in (
                ("Create", create),
                ("Import", import_items("x", bytes(16))),
                ("Import", import_items("mine", bytes(16), replace=True)),
                ("Create", [name("ObjectType", "PrivateKey"), attributes()]),
            ):
                assert user.refused(operation, *items) == (
                    "Permission_Denied: creating objects is left to privileged users"
                )
            # To be privileged is to create, not to see what is of others; nor the other way round.
            assert user.refused("Get", uid(key)).startswith("Item_Not_Found: ")
            assert user.locate() == (0, [])
