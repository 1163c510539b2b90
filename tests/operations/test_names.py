"""Whose object a tag list, a Name or the ID placeholder means, whatever strangers grant (S5).

bob is attacked, alice is a colleague of his, and mallory grants objects of her own with bob's names.
"""

from __future__ import annotations

import itertools
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives import keywrap

from ..kmip_items import (
    attributes,
    batch_item,
    date,
    import_items,
    long_number,
    name,
    named,
    number,
    octets,
    structure,
    tagged,
    text,
    uid,
    vendor,
)
from ..kms import User
from ..rows import each_row
from .new_objects import import_object

_numbers = itertools.count(1)

WRAP_KEY, UNWRAP_KEY, DERIVE_KEY = 0x10, 0x20, 0x200
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


#: No use is left.
SPENT = structure(
    "UsageLimits",
    long_number("UsageLimitsTotal", 0),
    {"tag": "UsageLimitsUnit", "type": "Enumeration", "value": "Object"},
)


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


@pytest.mark.parametrize(
    ("newest", "line"),
    [
        pytest.param(
            {"algorithm": "HMACSHA256"}, "Incompatible_Cryptographic_Usage_Mask", id="mask"
        ),
        pytest.param(
            {"more": date("ProtectStopDate", "2020-01-01T00:00:00Z")},
            "Wrong_Key_Lifecycle_State",
            id="dates",
        ),
        pytest.param({"more": SPENT}, "Permission_Denied", id="limit"),
    ],
)
@pytest.mark.parametrize("way", ["own", "granted"])
def test_of_several_keys_with_the_tags_one_is_meant_that_may_be_used(
    alice, bob, tag, newest, line, way
):
    owner = alice if way == "granted" else bob
    rest = {**newest}
    more = [rest.pop("more")] if "more" in rest else []
    usable = owner.create(tags=[tag])
    unusable = owner.create(*more, tags=[tag], **rest)
    if owner is alice:
        for key in (usable, unusable):
            alice.grant(key, bob, "encrypt")
    assert bob.encrypt([tag], b"secret").uid == usable
    owner.revoke(usable)
    assert encrypt_refused(bob, tag).startswith(line)


def test_each_operation_means_the_key_that_is_for_it(bob, tag):
    for_data = bob.create(tags=[tag])
    for_codes = bob.create(tags=[tag], algorithm="HMACSHA256")
    assert bob.encrypt([tag], b"secret").uid == for_data
    assert bob.do("MAC", uid([tag]), octets("Data", b"secret")).uid == for_codes


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


# --- Locate: whose objects come first -----------------------------------------------------------


@pytest.fixture
def ranked(alice, bob, mallory, tag):
    """Objects with one Name, tag and group: the strangers' are the newest, bob's own is the oldest."""
    more = [named(tag), text("ObjectGroup", tag)]
    own = bob.create(*more, tags=[tag])
    by_name = [each.create(*more, tags=[tag]) for each in (alice, mallory)]
    alice.grant(by_name[0], bob, "encrypt", "get_attributes")
    mallory.plant(by_name[1], bob.name, "encrypt", "get_attributes")
    mallory.plant(by_name[1], "*", "encrypt", "get_attributes")
    other = mallory.create(structure("VendorAttributes", vendor("colour", b"x", "me")))
    everyone = mallory.create(*[text("ObjectGroup", tag)], tags=[tag])
    for each in (everyone, other):
        mallory.plant(each, "*", "encrypt", "get_attributes")
    return own, by_name, everyone


def test_own_objects_come_before_those_granted_by_name_and_those_before_everybodys(
    bob, tag, ranked
):
    own, by_name, everyone = ranked
    order = [own, by_name[1], by_name[0], everyone]
    for wanted in (tagged(tag), text("ObjectGroup", tag)):
        assert bob.locate(wanted) == (4, order)
        for offset, maximum in ((0, 1), (1, 1), (0, 2), (1, 3), (3, 2), (4, 1)):
            page = [number("OffsetItems", offset), number("MaximumItems", maximum)]
            assert bob.locate(wanted, more=page) == (4, order[offset : offset + maximum])
    assert bob.locate(named(tag)) == (3, order[:3])


def test_default_member_of_a_group_is_ones_own_newest(bob, tag, ranked):
    newest = bob.create(text("ObjectGroup", tag))
    default = [name("ObjectGroupMember", "GroupMemberDefault")]
    assert bob.locate(text("ObjectGroup", tag), more=default) == (1, [newest])


# --- Locate: what is compared -------------------------------------------------------------------

CRITERIA = {
    "Name": named("secret name"),
    "ObjectGroup": text("ObjectGroup", "secret group"),
    "State": name("State", "Active"),
    "ObjectType": name("ObjectType", "SymmetricKey"),
    "algorithm": name("CryptographicAlgorithm", "AES"),
    "length": number("CryptographicLength", 256),
    "mask": number("CryptographicUsageMask", 4),
    "description": text("Description", "secret"),
    "vendor attribute": structure("VendorAttributes", vendor("colour", b"red", "me")),
    "Sensitive": {"tag": "Sensitive", "type": "Boolean", "value": False},
    "date": date("InitialDate", "1970-01-01T00:00:00Z"),
}


@pytest.fixture
def described(alice):
    return alice.create(
        *(CRITERIA[each] for each in ("Name", "ObjectGroup", "description", "vendor attribute")),
        tags=["secret"],
        mask=12,
    )


def found_by(user, key, criterion):
    """Whether the key, among others, is found by the criterion."""
    wanted = [criterion]
    if criterion["tag"] == "InitialDate":
        wanted.append(date("InitialDate", "2999-01-01T00:00:00Z"))
    return key in user.locate(*wanted)[1]


@each_row("way", ["by name", "*"])
@each_row("right", ["get_attributes", "get", "encrypt", "get_attribute_list", "check"])
@each_row("criterion", CRITERIA.values(), ids=CRITERIA)
def test_attributes_are_compared_for_who_may_read_them(
    alice, bob, described, criterion, right, way
):
    grantee = bob.name if way == "by name" else "*"
    alice.grant(described, grantee, right)
    try:
        assert found_by(alice, described, criterion)
        assert found_by(bob, described, criterion) == (right in {"get_attributes", "get"})
        assert described in bob.locate()[1], "without criteria it is found"
        assert bob.locate(uid(described)) == (1, [described])
        has_tag = described in bob.locate(tagged("secret"))[1]
        assert has_tag == (way == "by name" or right in {"get_attributes", "get"})
    finally:
        alice.withdraw(described, grantee, right)


def test_object_granted_by_name_is_compared_if_everybody_may_read_it(alice, bob, described):
    alice.grant(described, bob, "encrypt")
    alice.grant(described, "*", "get_attributes")
    try:
        assert bob.locate(CRITERIA["Name"]) == (1, [described])
    finally:
        alice.withdraw(described, "*", "get_attributes")
    assert bob.locate(CRITERIA["Name"]) == (0, [])


@pytest.mark.parametrize("mask", [None, 1], ids=["no mask", "on-line"])
def test_destroyed_objects_are_found_by_who_may_read_the_state(alice, bob, mask):
    key = alice.create()
    alice.grant(key, bob, "encrypt")
    more = [] if mask is None else [number("StorageStatusMask", mask)]
    assert bob.locate(more=more) == (1, [key]), "what can be used is found"
    alice.revoke(key)
    alice.destroy(key)
    assert bob.locate(more=more) == (0, [])
    assert bob.locate(more=[number("StorageStatusMask", 5)]) == (0, [])
    alice.grant(key, bob, "get_attributes")
    assert bob.locate(more=[number("StorageStatusMask", 5)]) == (1, [key])


# --- the ID placeholder -------------------------------------------------------------------------


def located_then_encrypted(user, criterion, *more):
    data = octets("Data", b"secret")
    located, encrypted, again = user.ask(
        batch_item("Locate", *more, structure("Attributes", criterion)),
        batch_item("Encrypt", data),
        batch_item("Encrypt", name("UniqueIdentifier", "Locate"), data),
    )
    assert located["ResultStatus"] == "Success"
    for field in (("ResponsePayload", "UniqueIdentifier"), ("ResultReason",)):
        assert encrypted.get(*field) == again.get(*field), "by name it means the same"
    if encrypted["ResultStatus"] == "Success":
        return encrypted["ResponsePayload", "UniqueIdentifier"]
    return encrypted["ResultReason"]


@pytest.mark.parametrize("way", ["by name", "*"])
@pytest.mark.parametrize("page", [[], [number("MaximumItems", 1)]], ids=["all", "one"])
def test_located_name_means_ones_own_object_for_what_follows(bob, mallory, tag, page, way):
    """The attack: a newer key of the same Name, granted to everybody."""
    own = bob.create(named(tag))
    planted = mallory.create(named(tag))
    mallory.plant(planted, bob.name if way == "by name" else "*", "encrypt", "get_attributes")
    assert bob.locate(named(tag), more=page) == (2, [own, planted][: 1 if page else 2])
    assert located_then_encrypted(bob, named(tag), *page) == own
    bob.revoke(own)
    assert located_then_encrypted(bob, named(tag), *page) == "WrongKeyLifecycleState"


def test_what_everybody_may_use_is_located_and_yet_not_meant(alice, bob, mallory, tag):
    planted = mallory.create(named(tag))
    mallory.plant(planted, "*", "encrypt", "get_attributes")
    assert bob.locate(named(tag)) == (1, [planted])
    assert located_then_encrypted(bob, named(tag)) == "MissingData"
    shared = alice.create(named(tag))
    alice.grant(shared, bob, "encrypt", "get_attributes")
    assert located_then_encrypted(bob, named(tag)) == shared, "what was granted by name is"
    mallory.plant(planted, bob.name, "encrypt")
    assert located_then_encrypted(bob, named(tag)) == "MissingData", "one of several is not"


def test_one_of_several_that_users_granted_by_name_is_not_meant_on_any_page(
    alice, bob, mallory, tag
):
    shared = [alice.create(text("ObjectGroup", tag), tags=[tag]) for _ in range(2)]
    for each in shared:
        alice.grant(each, bob, "encrypt", "get_attributes")
    first, group = [number("MaximumItems", 1)], text("ObjectGroup", tag)
    assert located_then_encrypted(bob, group, *first) == shared[1], "the newest of one user"
    planted = mallory.create(text("ObjectGroup", tag), tags=[tag])
    mallory.plant(planted, bob.name, "encrypt", "get_attributes")
    assert bob.locate(group, more=first) == (3, [planted])
    for page in ([], first, [*first, number("OffsetItems", 1)]):
        assert located_then_encrypted(bob, group, *page) == "MissingData"
    own = bob.create(text("ObjectGroup", tag))
    assert located_then_encrypted(bob, group, *first) == own
    behind = [*first, number("OffsetItems", 1)]
    assert bob.locate(group, more=behind) == (4, [planted])
    assert located_then_encrypted(bob, group, *behind) == "MissingData", "he has one of his own"


def test_default_member_of_a_group_that_everybody_may_use_is_not_meant(bob, mallory, tag):
    planted = mallory.create(text("ObjectGroup", tag))
    mallory.plant(planted, "*", "encrypt", "get_attributes")
    default = name("ObjectGroupMember", "GroupMemberDefault")
    group = text("ObjectGroup", tag)
    assert bob.locate(group, more=[default]) == (1, [planted])
    assert located_then_encrypted(bob, group, default) == "MissingData"


def test_a_location_that_leaves_nothing_does_not_leave_what_was_meant_before(bob, mallory, tag):
    mallory.plant(mallory.create(named(tag)), "*", "encrypt", "get_attributes")
    key = bob.create()
    results = bob.ask(
        batch_item("Locate", structure("Attributes", uid(key))),
        batch_item("Locate", structure("Attributes", named(tag))),
        batch_item("Encrypt", octets("Data", b"secret")),
    )
    assert [each["ResultStatus"] for each in results] == ["Success", "Success", "OperationFailed"]


# --- every place for a list of tags -------------------------------------------------------------


def kek_of(tags_or_uid):
    return structure(
        "KeyWrappingSpecification",
        name("WrappingMethod", "Encrypt"),
        structure("EncryptionKeyInformation", uid(tags_or_uid)),
    )


def wrapped_by(tags_or_uid, data):
    return structure(
        "Object",
        structure(
            "KeyBlock",
            name("KeyFormatType", "Raw"),
            structure("KeyValue", structure("KeyMaterial", octets("ByteString", data))),
            name("CryptographicAlgorithm", "AES"),
            structure(
                "KeyWrappingData",
                name("WrappingMethod", "Encrypt"),
                structure("EncryptionKeyInformation", uid(tags_or_uid)),
                name("EncodingOption", "NoEncoding"),
            ),
        ),
    )


def wrap(user, tags, kek):
    user.do("Get", uid(user.create()), kek_of(tags))


def export_wrapped(user, tags, kek):
    user.do("Export", uid(user.create()), kek_of(tags))


def unwrap(user, tags, kek):
    wrapped = keywrap.aes_key_wrap_with_padding(kek, bytes(16))
    items = [uid(""), name("ObjectType", "SymmetricKey"), name("KeyWrapType", "NotWrapped")]
    user.do("Import", *items, attributes(algorithm="AES"), wrapped_by(tags, wrapped))


def derive(user, tags, kek, *more):
    user.do(
        "DeriveKey",
        name("ObjectType", "SymmetricKey"),
        *more,
        uid(tags),
        name("DerivationMethod", "HKDF"),
        structure("DerivationParameters", *([] if more else [octets("Salt", b"x")])),
        attributes(bits=256, algorithm="AES"),
    )


@pytest.mark.parametrize("way", ["by name", "*"])
@pytest.mark.parametrize(
    ("use", "right"),
    [
        pytest.param(wrap, "encrypt", id="wrapping by Get"),
        pytest.param(export_wrapped, "encrypt", id="wrapping by Export"),
        pytest.param(unwrap, "decrypt", id="unwrapping by Import"),
        pytest.param(derive, "derive_key", id="base of DeriveKey"),
    ],
)
def test_tags_of_a_further_object_mean_none_of_everybodys(bob, mallory, tag, use, right, way):
    kek = bytes(range(32))
    uses = number("CryptographicUsageMask", WRAP_KEY | UNWRAP_KEY | DERIVE_KEY)
    planted = mallory.import_key("", kek, tagged(tag), uses)
    if way == "*":
        mallory.plant(planted, "*", right)
        with pytest.raises(AssertionError, match="Item_Not_Found"):
            use(bob, [tag], kek)
        use(bob, planted, kek)
    else:
        mallory.plant(planted, bob.name, right)
        use(bob, [tag], kek)
        bob.create(tags=[tag], mask=0x80)  # his own ends the search, though it suits none of these
        with pytest.raises(AssertionError, match="Incompatible_Cryptographic_Usage_Mask"):
            use(bob, [tag], kek)


def test_stored_wrapped_object_names_its_wrapping_key_by_identifier(bob, tag):
    """A list of tags would mean another key for each user of the object."""
    kek = bytes(range(32))
    key = bob.import_key(
        "", kek, tagged(tag), number("CryptographicUsageMask", WRAP_KEY | UNWRAP_KEY)
    )
    wrapped = keywrap.aes_key_wrap_with_padding(kek, bytes(16))
    items = [uid(""), name("ObjectType", "SymmetricKey"), attributes(algorithm="AES")]
    line = bob.refused("Import", *items, wrapped_by([tag], wrapped))
    assert line.startswith("Invalid_Field: what is stored wrapped names the wrapping key")
    stored = bob.do("Import", *items, wrapped_by(key, wrapped)).uid
    assert bob.encrypt(stored, b"x").uid == stored


def test_link_to_a_list_of_tags_is_refused_at_creation_too(bob, tag):
    link = structure(
        "Link",
        structure(
            "Link", name("LinkType", "PrivateKeyLink"), text("LinkedObjectIdentifier", '["t"]')
        ),
    )
    line = bob.refused(
        "Create", name("ObjectType", "SymmetricKey"), attributes(link, algorithm="AES")
    )
    assert line == "Invalid_Attribute_Value: a link names an object by its identifier"


# --- what a grantee leaves behind ---------------------------------------------------------------


def test_after_re_key_by_a_grantee_nothing_of_the_owners_is_meant(alice, bob, tag):
    key = alice.create(named(tag), tags=[tag])
    alice.grant(key, "*", "rekey", "encrypt")
    try:
        renewed, encrypted = bob.ask(
            batch_item("ReKey", uid(key)), batch_item("Encrypt", octets("Data", b"x"))
        )
    finally:
        alice.withdraw(key, "*", "rekey", "encrypt")
    assert renewed["ResultStatus"] == "Success"
    assert encrypted["ResultReason"] == "ItemNotFound"


@pytest.mark.parametrize("operation", ["AddAttribute", "SetAttribute", "ModifyAttribute", "ReKey"])
@pytest.mark.parametrize("what", ["Name", "tags", "ObjectGroup", "Link"])
def test_grantee_gives_no_name_to_the_owners_object(alice, mallory, tag, operation, what):
    """By which the owner would then find it, instead of another key of theirs."""
    key, other = alice.create(), alice.create()
    alice.grant(key, mallory, "add_attribute", "set_attribute", "modify_attribute", "rekey")
    alice.grant(other, mallory, "get_attributes")
    value = {
        "Name": named(tag),
        "tags": vendor("tag", f'["{tag}"]'.encode()),
        "ObjectGroup": text("ObjectGroup", tag),
        "Link": structure(
            "Link", name("LinkType", "PrivateKeyLink"), text("LinkedObjectIdentifier", other)
        ),
    }[what]
    if operation == "ReKey":
        wrapped = {"tags": "VendorAttributes", "Link": "Link"}.get(what)
        inner = structure(wrapped, value) if wrapped else value
        line = mallory.refused("ReKey", uid(key), structure("Attributes", inner))
    else:
        line = mallory.refused(operation, uid(key), structure("NewAttribute", value))
    assert line.startswith("Permission_Denied: ")
    assert alice.locate(named(tag)) == alice.locate(tagged(tag)) == (0, [])


def test_private_key_of_another_owner_is_not_behind_a_public_key(bob, mallory):
    """mallory's link would choose among bob's private keys."""
    mask = [structure("PrivateKeyAttributes", number("CryptographicUsageMask", 0x20)),
            structure("PublicKeyAttributes", number("CryptographicUsageMask", 0x10))]  # fmt: skip
    pair = bob.do(
        "CreateKeyPair",
        structure(
            "CommonAttributes",
            name("CryptographicAlgorithm", "RSA"),
            number("CryptographicLength", 2048),
        ),
        *mask,
    )
    private, public = pair["PrivateKeyUniqueIdentifier"], pair["PublicKeyUniqueIdentifier"]
    wrapped = bob.do("Get", uid(bob.create()), kek_of(public))
    data = wrapped.octets("Object", "KeyBlock", "KeyValue", "KeyMaterial", "ByteString")
    der = bob.do("Get", uid(public)).octets(
        "Object", "KeyBlock", "KeyValue", "KeyMaterial", "ByteString"
    )
    link = structure(
        "Link",
        structure(
            "Link", name("LinkType", "PrivateKeyLink"), text("LinkedObjectIdentifier", private)
        ),
    )
    planted = import_object(mallory, "PublicKey", "X509", der, link)
    mallory.grant(planted, bob, "decrypt")
    items = [uid(""), name("ObjectType", "SymmetricKey"), name("KeyWrapType", "NotWrapped")]
    items.append(attributes(algorithm="AES"))
    line = bob.refused("Import", *items, wrapped_by(planted, data))
    assert line == "Invalid_Field: the private key of the wrapping key is not at hand"
    assert bob.do("Import", *items, wrapped_by(public, data)).uid


# --- the identifier of a removed object ---------------------------------------------------------


@pytest.fixture
def removed(bob, tag):
    """The identifier of a key that bob removed, and that others still name."""
    identifier = bob.import_key(f"payroll {tag}", bytes(32))
    bob.revoke(identifier)
    bob.destroy(identifier, remove=True)
    return identifier


def requested(identifier, *more):
    return structure("Attributes", uid(identifier), name("CryptographicAlgorithm", "AES"), *more)


def takers(user, identifier):
    """Operation → its items, each of which would give the identifier to an object of the user."""
    base = user.create(mask=DERIVE_KEY)
    ec = structure("CommonAttributes", name("CryptographicAlgorithm", "EC"))
    pair = user.do("CreateKeyPair", ec)
    key = import_items(identifier, bytes(32))[-1]
    symmetric = name("ObjectType", "SymmetricKey")
    return {
        "Import": import_items(identifier, bytes(32)),
        "Import over it": import_items(identifier, bytes(32), replace=True),
        "Create": [symmetric, requested(identifier)],
        "Register": [symmetric, requested(identifier), key],
        "DeriveKey": [
            symmetric,
            uid(base),
            name("DerivationMethod", "HKDF"),
            structure("DerivationParameters", octets("Salt", b"x")),
            requested(identifier, number("CryptographicLength", 256)),
        ],
        "ReKey": [uid(base), structure("Attributes", uid(identifier))],
        "CreateKeyPair": [ec, structure("PublicKeyAttributes", uid(identifier))],
        "ReKeyKeyPair": [
            text("PrivateKeyUniqueIdentifier", pair["PrivateKeyUniqueIdentifier"]),
            structure("PrivateKeyAttributes", uid(identifier)),
        ],
    }


TAKERS = [
    "Import", "Import over it", "Create", "Register", "DeriveKey", "ReKey", "CreateKeyPair",
    "ReKeyKeyPair",
]  # fmt: skip


@pytest.mark.parametrize("way", TAKERS)
def test_removed_identifier_is_taken_by_nobody_but_its_owner(bob, mallory, removed, way):
    operation = way.split()[0]
    line = mallory.refused(operation, *takers(mallory, removed)[way])
    assert line == "Object_Already_Exists: the unique identifier is taken"
    assert bob.refused("Get", uid(removed)).startswith("Item_Not_Found: ")
    bob.do(operation, *takers(bob, removed)[way])
    assert bob.do("GetAttributes", uid(removed)).uid == removed
    assert mallory.refused("GetAttributes", uid(removed)).startswith("Item_Not_Found: ")


@pytest.mark.parametrize("option", ["Continue", "Stop", "Undo"])
def test_removed_identifier_is_not_taken_in_a_batch_either(bob, mallory, tag, option):
    """By a grantee who removes the key, and takes its identifier in the same message."""
    identifier = bob.import_key(f"shared {tag}", bytes(32))
    bob.revoke(identifier)
    bob.grant(identifier, mallory, "destroy")
    header = [name("BatchErrorContinuationOption", option)]
    results = mallory.ask(
        batch_item("Destroy", uid(identifier), {"tag": "Remove", "type": "Boolean", "value": True}),
        batch_item("Import", *import_items(identifier, bytes(32))),
        header=header,
    )
    assert results[-1]["ResultReason"] == "ObjectAlreadyExists"
    assert (bob.exchange("GET", f"/access/list/{quote(identifier)}").status == 200) == (
        option == "Undo"
    )
    assert mallory.refused("Import", *import_items(identifier, bytes(32))).startswith(
        "Object_Already_Exists: "
    )


def test_removed_identifier_does_not_come_back_by_a_grantees_re_key(bob, mallory, removed):
    key = bob.create()
    bob.grant(key, mallory, "rekey")
    line = mallory.refused("ReKey", uid(key), structure("Attributes", uid(removed)))
    assert line.startswith("Permission_Denied: ")


@pytest.mark.parametrize("twin", ["{} ", " {}", "{}\u200b", "A{}"], ids=ascii)
def test_identifier_that_looks_alike_is_another_one(bob, mallory, tag, twin):
    """Identifiers are compared octet by octet, so that no twin is reached by the name of its sibling."""
    identifier = bob.import_key(f"a{tag}", bytes(32))
    other = twin.format(identifier) if twin != "A{}" else identifier.replace("a", "A", 1)
    planted = mallory.import_key(other, bytes(32))
    mallory.plant(planted, "*", "encrypt")
    assert bob.encrypt(identifier, b"x").uid == identifier
    bob.revoke(identifier)
    bob.destroy(identifier, remove=True)
    line = bob.refused("Encrypt", uid(identifier), octets("Data", b"x"))
    assert line.startswith("Item_Not_Found: ")
