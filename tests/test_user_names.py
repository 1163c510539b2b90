"""What a user may be called: whole categories of characters, at every place of a name."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_tornado.user_names import (
    MAX_NAME_LENGTH,
    MAX_USER_LENGTH,
    find_name_fault,
    find_user_fault,
)

from .rows import each_row

ISSUER = "https://issuer.example"
HIDDEN = "has characters that show nothing: control, format or separator characters"
PREFIX = "begins with group: or cert:, which stand before names of groups and of certificates"
SPACE = "begins or ends with a space"


def of_categories(*categories: str) -> list[str]:
    return [c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(c) in categories]


@each_row(
    "name",
    [
        pytest.param("alice", id="a name"),
        pytest.param("a", id="one character"),
        pytest.param("x" * 255, id="255 characters"),
        pytest.param("alice@example.com", id="an address"),
        pytest.param("auth0|507f1f77bcf86cd799439020", id="Auth0's"),
        pytest.param("bob_x.example#EXT#@tenant.example", id="a guest of Entra ID"),
        pytest.param("https://alice.example/card#me", id="a WebID"),
        pytest.param("spiffe://trust.example/ns/kms", id="a workload"),
        pytest.param("Alice Liddell", id="a space between"),
        pytest.param("Jos\u00e9 \u5f20", id="letters of the world"),
        pytest.param("\u0915\u094d\u0937", id="marks that compose nothing"),
        pytest.param("**", id="two stars"),
        pytest.param("groups:devs", id="not quite a group"),
        pytest.param("a group:", id="a group's prefix within"),
        pytest.param("\U0001f511", id="a picture"),
        pytest.param("\ue000", id="a private character"),
    ],
)
def test_good_names_pass_alone_and_behind_an_issuer(name: str) -> None:
    assert find_name_fault(name) is None
    assert find_user_fault(name) is None
    assert find_user_fault(f"{ISSUER}#{name}") is None


@each_row(
    ("name", "fault"),
    [
        pytest.param("group:", PREFIX, id="a group's prefix"),
        pytest.param("group:devs", PREFIX, id="a group"),
        pytest.param("gRoUp:devs", PREFIX, id="a group in other letters"),
        pytest.param("cert:bob", PREFIX, id="the user of a certificate"),
        pytest.param("", "is empty", id="empty"),
        pytest.param("*", "stands for every user, and is nobody's name", id="everyone"),
        pytest.param("x" * 256, "has more than 255 characters", id="256 characters"),
        pytest.param(" ", SPACE, id="a space"),
        pytest.param(" alice", SPACE, id="a space in front"),
        pytest.param("alice ", SPACE, id="a space behind"),
        pytest.param(" *", SPACE, id="a space and everyone"),
        pytest.param("alice\u200b", HIDDEN, id="zero width space"),
        pytest.param("*\u2060", HIDDEN, id="word joiner"),
        pytest.param("al\u00adice", HIDDEN, id="soft hyphen"),
        pytest.param("\ufeffalice", HIDDEN, id="byte order mark"),
        pytest.param("\u202eecila", HIDDEN, id="from right to left"),
        pytest.param("ali\u2028ce", HIDDEN, id="line separator"),
        pytest.param("alice\x00", HIDDEN, id="NUL"),
        pytest.param("alice\ud800", HIDDEN, id="a lone surrogate"),
        pytest.param("alice\ufe0f", HIDDEN, id="variation selector"),
        pytest.param("alice\u3164", HIDDEN, id="Hangul filler"),
        pytest.param("alice\u2800", HIDDEN, id="Braille without dots"),
        pytest.param("al\U0001d159ice", HIDDEN, id="a note without a head"),
        pytest.param("alice\U000e0041", HIDDEN, id="a tag"),
        pytest.param("alice\u00a0liddell", HIDDEN, id="no-break space"),
        pytest.param("Zoe\u0308", "is not in Unicode's normal form NFC", id="decomposed"),
        pytest.param("\u212bsa", "is not in Unicode's normal form NFC", id="Angstrom sign"),
        pytest.param("\uf900", "is not in Unicode's normal form NFC", id="compatibility ideograph"),
    ],
)
def test_bad_names_are_refused_alone_and_behind_an_issuer(name: str, fault: str) -> None:
    assert find_name_fault(name) == fault
    assert find_user_fault(f"{ISSUER}#{name}") == fault
    assert find_user_fault(f"cert:{name}") == fault
    if not name.startswith("cert:"):
        assert find_user_fault(name) == fault


def test_user_of_a_certificate_is_a_user_whom_no_token_names() -> None:
    assert find_user_fault("cert:bob") is None
    assert find_name_fault("cert:bob") == PREFIX
    assert find_user_fault("CERT:bob") == PREFIX


@each_row("category", ["Cc", "Cf", "Cs", "Zl", "Zp", "Zs"])
def test_no_character_of_the_category_stands_anywhere_but_the_space_between(category: str) -> None:
    characters = of_categories(category)
    assert characters
    for c in characters:
        for name in (c, f"{c}alice", f"alice{c}", f"{c}alice{c}", f"al{c}ice"):
            expected = c != " " or name != "al ice"
            assert (find_name_fault(name) is not None) is expected, ascii(name)


def test_whatever_unicode_ignores_is_refused() -> None:
    """The characters of Default_Ignorable_Code_Point, as DerivedCoreProperties.txt lists them."""
    ranges = (
        "AD 34F 61C 115F-1160 17B4-17B5 180B-180F 200B-200F 202A-202E 2060-206F 3164 FE00-FE0F "
        "FEFF FFA0 FFF0-FFF8 1BCA0-1BCA3 1D173-1D17A E0000-E0FFF"
    )
    for entry in ranges.split():
        first, _, last = entry.partition("-")
        for code in range(int(first, 16), int(last or first, 16) + 1):
            assert find_name_fault(f"alice{chr(code)}"), hex(code)


@given(st.text(max_size=20))
def test_an_accepted_name_is_the_only_spelling_of_what_is_seen(name: str) -> None:
    if find_name_fault(name) is None:
        assert name == unicodedata.normalize("NFC", name) == name.strip()
        assert name.encode()
        assert name != "*"


@each_row(
    "user",
    [
        pytest.param(f"{ISSUER}#", id="nobody of an issuer"),
        pytest.param(f"{ISSUER}\u200b#alice", id="an issuer that looks like another"),
        pytest.param(f" {ISSUER}#alice", id="a space before the issuer"),
        pytest.param(f"{ISSUER} #alice", id="a space behind the issuer"),
        pytest.param(f"{ISSUER}#{'x' * (MAX_NAME_LENGTH + 1)}", id="a name that is too long"),
        pytest.param(
            "https://" + "i" * MAX_USER_LENGTH + "#alice", id="an issuer that is too long"
        ),
    ],
)
def test_names_that_no_token_of_an_issuer_carries_are_refused(user: str) -> None:
    assert find_user_fault(user) is not None
