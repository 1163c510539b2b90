"""CreateKeyPair: kinds, links, attributes of both keys, and what is refused (KMIP 2.1 §6.1.9)."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization

from ..kmip_items import batch_item, name, number, structure, tagged, text, uid
from ..rows import each_row
from .new_objects import pair
from .objects.wrapping import wrapped_bytes


def common(*items):
    return structure("CommonAttributes", *items)


def curve(value):
    return structure("CryptographicDomainParameters", name("RecommendedCurve", value))


def halves(user, *items):
    made = user.do("CreateKeyPair", *items)
    return made["PrivateKeyUniqueIdentifier"], made["PublicKeyUniqueIdentifier"]


def attribute(user, key, *path):
    return user.do("GetAttributes", uid(key))[("Attributes", *path)]


KINDS = {
    "RSA": ([name("CryptographicAlgorithm", "RSA"), number("CryptographicLength", 2048)], 2048),
    "EC": ([name("CryptographicAlgorithm", "EC")], 256),
    "P-384 by length": (
        [name("CryptographicAlgorithm", "ECDSA"), number("CryptographicLength", 384)], 384,
    ),
    "P-521 by name": ([name("CryptographicAlgorithm", "ECDH"), curve("P_521")], 521),
    "Ed25519": ([name("CryptographicAlgorithm", "Ed25519")], 256),
    "X25519": ([name("CryptographicAlgorithm", "ECDH"), curve("CURVE25519")], 256),
    "Ed448": ([name("CryptographicAlgorithm", "Ed448")], 448),
    "X448": ([name("CryptographicAlgorithm", "ECDH"), curve("CURVE448")], 448),
    "secp256k1": ([name("CryptographicAlgorithm", "ECDSA"), curve("SECP256K1")], 256),
    "brainpool": ([name("CryptographicAlgorithm", "EC"), curve("BRAINPOOLP512R1")], 512),
}  # fmt: skip


@each_row("kind", KINDS)
def test_two_keys_are_made_that_belong_together(alice, kind):
    items, bits = KINDS[kind]
    private, public = halves(alice, common(*items))
    assert attribute(alice, private, "CryptographicLength") == bits
    plain = [wrapped_bytes(alice.do("Get", uid(each))) for each in (private, public)]
    loaded = serialization.load_der_private_key(plain[0], None)
    assert plain[1] == loaded.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def test_the_keys_link_to_each_other_and_have_the_tags_of_their_kind(alice):
    private, public = halves(
        alice, common(name("CryptographicAlgorithm", "EC"), tagged("invoices"))
    )
    for key, other, link in (
        (private, public, "PublicKeyLink"),
        (public, private, "PrivateKeyLink"),
    ):
        assert attribute(alice, key, "Link")[0]["value"] == [
            name("LinkType", link),
            text("LinkedObjectIdentifier", other),
        ]
    assert alice.do("Get", uid(["invoices", "_sk"])).uid == private
    assert alice.do("Get", uid(["invoices", "_pk"])).uid == public


def test_attributes_of_one_key_win_over_the_common_ones(alice):
    private, public = halves(
        alice,
        common(name("CryptographicAlgorithm", "EC"), text("Comment", "both")),
        structure(
            "PrivateKeyAttributes", text("Comment", "mine"), number("CryptographicUsageMask", 1)
        ),
        structure(
            "PublicKeyAttributes", number("CryptographicUsageMask", 2), uid("public-of-them")
        ),
    )
    assert public == "public-of-them"
    assert attribute(alice, private, "Comment") == "mine"
    assert attribute(alice, public, "Comment") == "both"
    masks = [attribute(alice, each, "CryptographicUsageMask") for each in (private, public)]
    assert masks == [1, 2]


def test_message_leaves_both_pre_active_in_the_standard_s_format(alice):
    (made,) = alice.ask(
        batch_item(
            "CreateKeyPair",
            common(name("CryptographicAlgorithm", "RSA"), number("CryptographicLength", 2048)),
        )
    )
    for half in ("Private", "Public"):
        key = made["ResponsePayload", f"{half}KeyUniqueIdentifier"]
        assert alice.state_of(key) == "PreActive"
        assert attribute(alice, key, "KeyFormatType") == "PKCS1"


def test_placeholder_means_the_private_key(alice):
    made, got = alice.ask(
        batch_item("CreateKeyPair", common(name("CryptographicAlgorithm", "EC"))),
        batch_item("Get"),
    )
    assert (
        got["ResponsePayload", "UniqueIdentifier"]
        == (made["ResponsePayload", "PrivateKeyUniqueIdentifier"])
    )
    block = {each["tag"]: each for each in got["ResponsePayload", "PrivateKey", "KeyBlock"]}
    assert block["KeyFormatType"]["value"] == "TransparentECPrivateKey"


def test_private_key_does_not_come_with_a_right_to_the_public_one(alice, bob):
    private, public = pair(alice)
    alice.grant(public, bob, "get")
    assert bob.do("Get", uid(public)).uid == public
    assert bob.refused("Get", uid(private)).startswith("Item_Not_Found: ")


@each_row(
    ("items", "reason"),
    [
        pytest.param([], "Missing_Data", id="no algorithm"),
        pytest.param([name("CryptographicAlgorithm", "AES")], "Unsupported", id="AES"),
        pytest.param(
            [name("CryptographicAlgorithm", "CoverCrypt")], "Unsupported", id="CoverCrypt"
        ),
        *(
            pytest.param(
                [name("CryptographicAlgorithm", "RSA"), number("CryptographicLength", bits)],
                "Invalid_Attribute_Value",
                id=f"RSA {bits}",
            )
            for bits in (-1, 0, 512, 1024, 2049, 8192, 16384, 2**31 - 1)
        ),
        pytest.param(
            [name("CryptographicAlgorithm", "EC"), number("CryptographicLength", 224)],
            "Invalid_Attribute_Value",
            id="EC 224",
        ),
        pytest.param(
            [name("CryptographicAlgorithm", "EC"), curve("P_192")], "Unsupported", id="P-192"
        ),
        pytest.param(
            [
                name("CryptographicAlgorithm", "EC"),
                curve("P_256"),
                number("CryptographicLength", 384),
            ],
            "Invalid_Field",
            id="curve and length",
        ),
        pytest.param(
            [name("CryptographicAlgorithm", "RSA"), curve("P_256")],
            "Invalid_Field",
            id="RSA's curve",
        ),
        pytest.param(
            [name("CryptographicAlgorithm", "Ed25519"), curve("P_256")],
            "Invalid_Field",
            id="Ed25519",
        ),
        pytest.param(
            [name("CryptographicAlgorithm", "ECDSA"), curve("CURVE25519")],
            "Unsupported",
            id="X25519",
        ),
        pytest.param(
            [name("CryptographicAlgorithm", "ECDSA"), curve("CURVE448")], "Unsupported", id="X448"
        ),
        pytest.param(
            [name("CryptographicAlgorithm", "EC"), curve("BRAINPOOLP320T1")],
            "Unsupported",
            id="320",
        ),
        pytest.param(
            [name("CryptographicAlgorithm", "EC"), name("KeyFormatType", "PKCS1")],
            "Key_Format_Type_Not_Supported",
            id="EC as PKCS1",
        ),
        pytest.param(
            [name("CryptographicAlgorithm", "EC"), uid("for both")],
            "Invalid_Attribute",
            id="one uid",
        ),
    ],
)
def test_what_is_no_pair_is_refused_and_leaves_nothing(alice, items, reason):
    assert alice.refused("CreateKeyPair", common(*items)).startswith(reason)
    assert alice.locate() == (0, [])


@pytest.mark.parametrize(
    "other", [name("CryptographicAlgorithm", "RSA"), number("CryptographicLength", 384)]
)
def test_halves_that_contradict_each_other_are_refused(alice, other):
    line = alice.refused(
        "CreateKeyPair",
        structure(
            "PrivateKeyAttributes",
            name("CryptographicAlgorithm", "EC"),
            number("CryptographicLength", 256),
        ),
        structure("PublicKeyAttributes", other),
    )
    assert line.startswith("Invalid_Field: ")


def test_taken_identifier_leaves_no_half(alice):
    taken = alice.create()
    line = alice.refused(
        "CreateKeyPair",
        common(name("CryptographicAlgorithm", "EC")),
        structure("PublicKeyAttributes", uid(taken)),
    )
    assert line.startswith("Object_Already_Exists: ")
    assert alice.locate() == (1, [taken])
