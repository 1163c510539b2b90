"""Groups from a claim (`--jwt-group-claim`): every operation × {member, not a member, `*`, a name, another issuer's}."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kms_tornado.auth.rules.groups import MAX_GROUPS

from ..kmip_items import Item, batch_item, named, number, octets, structure, tagged, uid
from ..kms import KMS, User, two_issuers
from ..rows import each_row
from ..server import eventually
from .access_rows import ROWS, a_key_for, is_answered, operation_name

OPTIONS = ["--jwt-group-claim", "groups"]
USES = ("encrypt", "get_attributes")


@pytest.fixture(scope="module")
def kms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KMS]:
    directory = tmp_path_factory.mktemp("groups")
    with two_issuers() as issuers, KMS(directory, *issuers, options=OPTIONS) as server:
        yield server


def member(kms: KMS, *groups: Any, sub: str | None = None, issuer: int = 0) -> User:
    """Somebody whose token names the groups."""
    user = kms.user(sub, issuer=issuer)
    user.token = kms.issuers[issuer].token(sub=user.name.rpartition("#")[2], groups=[*groups])
    return user


def group(kms: KMS, name: str, issuer: int = 0) -> str:
    """As a grant names it."""
    return f"group:{kms.issuers[issuer].uri}#{name}"


@pytest.fixture(scope="module")
def people(kms: KMS) -> dict[str, User]:
    """Each with one token for all tests, which the server remembers."""
    return {
        "member": member(kms, "staff", "devs"),
        "not a member": member(
            kms, "ops", "Devs", "devs2", "group:devs", f"{kms.issuers[0].uri}#devs"
        ),
        "without groups": kms.user(),
        "named like it": kms.user("devs"),
        "other issuer": member(kms, "devs", f"{kms.issuers[0].uri}#devs", issuer=1),
    }


@pytest.mark.parametrize(("operation", "items"), ROWS)
def test_right_of_a_group_reaches_its_members_alone_until_it_is_withdrawn(
    kms: KMS, alice: User, people: dict[str, User], operation: str, items: list[Item]
) -> None:
    key, right = a_key_for(alice, operation), operation_name(operation)
    alice.grant(key, group(kms, "devs"), right)
    strangers = [user for way, user in people.items() if way != "member"]
    for user in strangers:
        assert not is_answered(user, operation, key, items)
    alice.withdraw(key, group(kms, "devs"), right)
    assert not is_answered(people["member"], operation, key, items), "its next request"
    alice.grant(key, group(kms, "devs"), right)
    assert is_answered(people["member"], operation, key, items)


@pytest.mark.parametrize(
    ("grantee", "may"),
    [
        pytest.param("*", {"member", "not a member", "without groups", "named like it", "other issuer"}, id="everyone"),
        pytest.param("group", {"member"}, id="the group"),
        pytest.param("other group", {"other issuer"}, id="the other issuer's group of that name"),
        pytest.param("member", {"member"}, id="a member by name"),
        pytest.param("named like it", {"named like it"}, id="a user of that name"),
        pytest.param("bare", set(), id="the group without its issuer"),
    ],
)  # fmt: skip
def test_each_grantee_is_whom_it_names(
    kms: KMS, alice: User, people: dict[str, User], grantee: str, may: set[str]
) -> None:
    names = {
        "*": "*",
        "group": group(kms, "devs"),
        "other group": group(kms, "devs", 1),
        "bare": "group:devs",
        **{way: user.name for way, user in people.items()},
    }
    key = alice.create()
    alice.grant(key, names[grantee], "encrypt")
    able = {
        way
        for way, user in people.items()
        if is_answered(user, "Encrypt", key, [octets("Data", b"x")])
    }
    assert able == may  # fmt: skip
    listed = {
        way
        for way, user in people.items()
        if any(o["object_id"] == key for o in user.listed("obtained"))
    }
    assert listed == may  # fmt: skip
    located = {way for way, user in people.items() if user.locate(uid(key)) == (1, [key])}
    assert located == may
    alice.withdraw(key, names[grantee], "encrypt")


def test_rights_of_name_groups_and_everyone_add_up_and_go_one_by_one(kms: KMS, alice: User) -> None:
    bob, key = member(kms, "a", "b"), alice.create()
    grants = {bob.name: "get", group(kms, "a"): "encrypt", group(kms, "b"): "mac", "*": "locate"}
    for grantee, right in grants.items():
        alice.grant(key, grantee, right)
    assert alice.grants_on(key) == {grantee: [right] for grantee, right in grants.items()}
    (obtained,) = [item for item in bob.listed("obtained") if item["object_id"] == key]
    assert obtained["operations"] == sorted(grants.values())
    assert obtained["granted_to"] == sorted(grants)
    alice.withdraw(key, bob.name, "get")
    assert bob.encrypt(key, b"x").uid == key
    alice.withdraw(key, group(kms, "a"), "encrypt")
    assert bob.refused("Encrypt", uid(key), octets("Data", b"x")).startswith("Item_Not_Found: ")
    (obtained,) = [item for item in bob.listed("obtained") if item["object_id"] == key]
    assert obtained["operations"] == ["locate", "mac"]
    assert obtained["granted_to"] == sorted([group(kms, "b"), "*"])


@pytest.mark.parametrize("count", [1, 2, 3, 5, MAX_GROUPS])
def test_any_number_of_groups_is_looked_at(kms: KMS, alice: User, count: int) -> None:
    names = [f"g-{count}-{number}" for number in range(count)]
    bob, key = member(kms, *names), alice.create(tags=[f"t-{count}"])
    for name in (names[0], names[-1]):
        alice.grant(key, group(kms, name), "encrypt")
        assert bob.encrypt(key, b"x").uid == key
        assert bob.encrypt([f"t-{count}"], b"x").uid == key
        assert bob.locate(tagged(f"t-{count}")) == (1, [key])
        alice.withdraw(key, group(kms, name), "encrypt")
        assert bob.locate(tagged(f"t-{count}")) == (0, [])
        assert bob.refused("Encrypt", uid(key), octets("Data", b"x")).startswith("Item_Not_Found")


def test_token_with_too_many_groups_is_refused_with_the_reason(kms: KMS) -> None:
    user = member(kms, *map(str, range(MAX_GROUPS + 1)))
    answer = user.exchange("GET", "/whoami")
    assert answer.status == 401
    assert json.loads(answer.body)["error_description"] == "token names too many groups"
    eventually(lambda: "groups names 257 groups, and at most 256 are read" in kms.log)
    assert (
        member(kms, *map(str, range(MAX_GROUPS)), *range(9)).exchange("GET", "/whoami").status
        == 200
    )


def test_whoami_lists_the_groups_as_grants_name_them(kms: KMS) -> None:
    user = member(kms, "b", "a", "a", 7, "", " c", "*", None, ["d"])
    groups = json.loads(user.exchange("GET", "/whoami").body)["groups"]
    assert groups == [group(kms, "a"), group(kms, "b")]


@pytest.mark.parametrize("prefix", ["group:", "cert:", "Group:", "CERT:"])
def test_user_whose_name_could_be_taken_for_a_group_is_refused(kms: KMS, prefix: str) -> None:
    answer = kms.user(f"{prefix}{kms.issuers[0].uri}#devs").exchange("GET", "/whoami")
    assert answer.status == 401
    assert json.loads(answer.body)["error_description"] == "user name not accepted"


@each_row(
    "grantee", ["group:", "group:*", "group: devs", "group:de\u200bvs", "group:group:devs", "GROUP:devs", "CERT:bob"]
)  # fmt: skip
def test_what_nobody_can_be_is_granted_nothing(alice: User, kms: KMS, grantee: str) -> None:
    body = {"unique_identifier": alice.create(), "user_id": grantee, "operation_types": ["get"]}
    answer = alice.change_access("grant", body)
    assert answer.status == 422
    assert answer.text.startswith("Invalid_Field: user_id ")


# --- S5: names and tags do not resolve to strangers' keys ---------------------------------------


@pytest.fixture
def bob(kms: KMS) -> User:
    return member(kms, "devs")


@pytest.fixture
def mallory(kms: KMS) -> User:
    return member(kms, "devs")


@pytest.fixture
def tag(request: pytest.FixtureRequest) -> str:
    return f"{request.node.name}-{os.getpid()}"


@pytest.mark.parametrize("end", [[], ["revoke"], ["revoke", "destroy"]])
def test_own_object_is_what_a_tag_list_means_before_those_of_ones_groups(
    kms: KMS, bob: User, mallory: User, tag: str, end: list[str]
) -> None:
    own = bob.create(tags=[tag])
    mallory.grant(mallory.create(tags=[tag]), group(kms, "devs"), *USES)
    for operation in end:
        getattr(bob, operation)(own)
    if end:
        bob.refused("Encrypt", uid([tag]), octets("Data", b"secret"))
    else:
        assert bob.encrypt([tag], b"secret").uid == own


def test_tag_list_means_what_a_group_was_granted_and_nothing_of_everyones(
    kms: KMS, alice: User, bob: User, mallory: User, tag: str
) -> None:
    shared, planted = alice.create(tags=[tag]), mallory.create(tags=[tag])
    mallory.grant(planted, "*", *USES)
    mallory.grant(planted, group(kms, "devs", 1), *USES)
    mallory.grant(planted, "group:devs", *USES)
    bob.refused("Encrypt", uid([tag]), octets("Data", b"x"))
    alice.grant(shared, group(kms, "devs"), *USES)
    assert bob.encrypt([tag], b"x").uid == shared
    mallory.withdraw(planted, "*", *USES)


def test_tag_list_that_users_granted_by_name_and_to_a_group_is_refused(
    kms: KMS, alice: User, bob: User, mallory: User, tag: str
) -> None:
    alice.grant(alice.create(tags=[tag]), bob, *USES)
    mallory.grant(mallory.create(tags=[tag]), group(kms, "devs"), *USES)
    line = bob.refused("Encrypt", uid([tag]), octets("Data", b"x"))
    assert line.startswith("Invalid_Field: several users granted you objects with these tags: ")


def test_locate_lists_own_objects_then_those_of_names_and_groups_then_everyones(
    kms: KMS, alice: User, bob: User, mallory: User, tag: str
) -> None:
    own = bob.create(named(tag))
    granted = [user.create(named(tag)) for user in (alice, mallory)]
    alice.grant(granted[0], bob, *USES)
    mallory.grant(granted[1], group(kms, "devs"), *USES)
    mallory.grant(granted[1], "*", *USES)
    kms.user().create(named(tag))
    assert bob.locate(named(tag)) == (3, [own, *reversed(granted)])
    mallory.withdraw(granted[1], group(kms, "devs"), *USES)
    assert bob.locate(named(tag)) == (3, [own, granted[0], granted[1]]), "last, as everyone's"
    mallory.withdraw(granted[1], "*", *USES)
    assert bob.locate(named(tag)) == (2, [own, granted[0]])


def test_located_name_means_no_object_where_several_users_granted_it_by_groups(
    kms: KMS, alice: User, bob: User, mallory: User, tag: str
) -> None:
    def locate_and_encrypt() -> Any:
        sought = structure("Attributes", named(tag))
        steps = (
            batch_item("Locate", number("MaximumItems", 1), sought),
            batch_item("Encrypt", octets("Data", b"x")),
        )
        return bob.ask(*steps)[1]  # fmt: skip

    shared = alice.create(named(tag))
    alice.grant(shared, group(kms, "devs"), *USES)
    assert locate_and_encrypt()["ResponsePayload", "UniqueIdentifier"] == shared
    mallory.grant(mallory.create(named(tag)), bob, *USES)
    assert locate_and_encrypt()["ResultStatus"] == "OperationFailed"


# --- with and without the option ----------------------------------------------------------------


def test_groups_of_a_shared_namespace_are_one_group(tmp_path: Path) -> None:
    with (
        two_issuers() as issuers,
        KMS(tmp_path, *issuers, options=OPTIONS, namespace="shared") as kms,
    ):
        alice, key = kms.user("alice"), kms.user("alice").create()
        alice.grant(key, "group:devs", "get")
        assert [member(kms, "devs", issuer=issuer).key_of(key) != b"" for issuer in (0, 1)] == [
            True
        ] * 2


def test_without_the_option_groups_have_no_rights_and_lose_those_they_had(tmp_path: Path) -> None:
    with two_issuers() as issuers:
        with KMS(tmp_path, *issuers, options=OPTIONS) as kms:
            alice, devs = kms.user("alice"), group(kms, "devs")
            key = alice.create()
            alice.grant(key, devs, "get")
            assert member(kms, "devs", sub="bob").key_of(key)
        with KMS(tmp_path, *issuers) as kms:
            alice, bob = kms.user("alice"), member(kms, "devs", sub="bob")
            assert bob.refused("Get", uid(key)).startswith("Item_Not_Found: ")
            assert bob.listed("obtained") == []
            body = {"unique_identifier": key, "user_id": devs, "operation_types": ["mac"]}
            assert alice.change_access("grant", body).text == (
                "Invalid_Field: user_id is a group, and this server reads groups from no claim"
            )
            assert alice.grants_on(key) == {devs: ["get"]}
            alice.withdraw(key, devs, "get")
            assert alice.grants_on(key) == {}
