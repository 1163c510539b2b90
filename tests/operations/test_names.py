"""Whose object a tag list, a Name or the ID placeholder means, whatever strangers grant (S5).

bob is attacked, alice is a colleague of his, and mallory grants objects of her own with bob's names.
"""

from __future__ import annotations

import itertools

import pytest

from ..kms import User, octets, structure, tagged, uid

_numbers = itertools.count(1)

USES = ["encrypt", "get", "get_attributes", "revoke", "destroy"]


class Granter(User):
    """A user whose grants to everyone end with the test."""

    def __init__(self, user: User) -> None:
        super().__init__(user.port, user.token, user.path, user.name)
        self._granted: list[tuple[str, tuple[str, ...]]] = []

    def plant(self, identifier: str, grantee: User | str, *operations: str) -> str:
        """Grant what others may stumble on; the identifier again."""
        self.grant(identifier, grantee, *operations)
        if grantee == "*":
            self._granted.append((identifier, operations))
        return identifier

    def withdraw_all(self) -> None:
        for identifier, operations in self._granted:
            self.withdraw(identifier, "*", *operations)


@pytest.fixture
def mallory(kms):
    user = Granter(kms.user())
    yield user
    user.withdraw_all()


@pytest.fixture
def tag(alice):
    return f"tag-{next(_numbers)}-{alice.port}"


def encrypt_refused(user, tag):
    return user.refused("Encrypt", uid([tag]), octets("Data", b"secret"))


# --- tag lists ----------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["by name", "*"])
@pytest.mark.parametrize(
    ("end", "line"),
    [
        pytest.param([], None, id="active"),
        pytest.param(
            ["revoke"], "Wrong_Key_Lifecycle_State: the object is Deactivated", id="revoked"
        ),
        pytest.param(
            ["revoke", "destroy"],
            "Item_Not_Found: your only objects with these tags are destroyed",
            id="destroyed",
        ),
    ],
)
def test_own_object_is_what_a_tag_list_means_suitable_or_not(bob, mallory, tag, way, end, line):
    key = bob.create(tags=[tag])
    planted = mallory.create(tags=[tag])
    mallory.plant(planted, bob.name if way == "by name" else "*", *USES)
    for operation in end:
        getattr(bob, operation)(key)
    if line is None:
        assert bob.encrypt([tag], b"secret").uid == key
    else:
        assert encrypt_refused(bob, tag) == line
    assert mallory.state_of(planted) == "Active"


def test_own_object_of_another_type_is_the_answer_too(bob, mallory, tag):
    bob.do(
        "Register",
        {"tag": "ObjectType", "type": "Enumeration", "value": "SecretData"},
        structure("Attributes", tagged(tag)),
        structure(
            "SecretData",
            {"tag": "SecretDataType", "type": "Enumeration", "value": "Password"},
            structure(
                "KeyBlock",
                {"tag": "KeyFormatType", "type": "Enumeration", "value": "Opaque"},
                structure("KeyValue", octets("KeyMaterial", b"password")),
            ),
        ),
    )
    mallory.plant(mallory.create(tags=[tag]), bob.name, *USES)
    assert encrypt_refused(bob, tag).startswith("Invalid_Field: the object is not a ")


def test_without_an_own_object_a_tag_list_means_what_was_granted_by_name(alice, bob, mallory, tag):
    shared = alice.create(tags=[tag])
    mallory.plant(mallory.create(tags=[tag]), "*", *USES)
    line = encrypt_refused(bob, tag)
    assert line.startswith("Item_Not_Found: no object to be used"), "only everyone may use it"
    alice.grant(shared, bob, "encrypt")
    assert bob.encrypt([tag], b"secret").uid == shared
    alice.revoke(shared)
    assert encrypt_refused(bob, tag).startswith("Wrong_Key_Lifecycle_State: ")


def test_tag_list_that_several_users_granted_is_refused(alice, bob, mallory, tag):
    """Anybody may grant to anybody by name: the newest could be anybody's."""
    shared = alice.create(tags=[tag])
    alice.grant(shared, bob, "encrypt")
    planted = [mallory.create(tags=[tag]) for _ in range(3)]
    for each in planted:
        mallory.plant(each, bob.name, "encrypt")
    line = encrypt_refused(bob, tag)
    assert line.startswith("Invalid_Field: several users granted you objects with these tags: ")
    alice.revoke(shared)
    assert encrypt_refused(bob, tag) == line, "nor does she take the place of a revoked one"
    assert bob.encrypt(planted[0], b"x").uid == planted[0], "by its identifier it can be used"


@pytest.mark.parametrize("way", ["*", "by name"])
def test_wrapping_key_by_tags_is_ones_own(bob, mallory, tag, way):
    bob.revoke(bob.create(tags=[tag]))
    mallory.plant(mallory.create(tags=[tag]), bob.name if way == "by name" else "*", "encrypt")
    key = bob.create()
    line = bob.refused(
        "Export",
        uid(key),
        structure(
            "KeyWrappingSpecification",
            {"tag": "WrappingMethod", "type": "Enumeration", "value": "Encrypt"},
            structure("EncryptionKeyInformation", uid([tag])),
        ),
    )
    assert line == "Wrong_Key_Lifecycle_State: the object is Deactivated"
