"""Which right allows what, how operations are named, and how a refusal reads."""

from __future__ import annotations

import contextlib

import pytest

from kms_tornado.domain.access import (
    check_grantee,
    check_new_grantee,
    format_operation_names,
    is_owner,
    item_not_found,
    parse_operation_name,
    sufficient_rights,
)
from kms_tornado.domain.managed_object import ManagedObject, UniqueIdentifier
from kms_tornado.domain.search import ObjectFilter
from kms_tornado.errors import InvalidField
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import ObjectType, Operation, State

from ..rows import each_row

KEY = ManagedObject(
    uid=UniqueIdentifier("k"),
    owner="https://a.example/#alice",
    object_type=ObjectType.SYMMETRIC_KEY,
    state=State.ACTIVE,
    attributes=Attributes(),
    tags=frozenset(),
    sealed=None,
    created_at=0,
)


def test_the_owner_owns():
    assert is_owner("https://a.example/#alice", KEY)


@pytest.mark.parametrize(
    "principal",
    [
        pytest.param("https://b.example/#alice", id="same name, other issuer"),
        pytest.param("https://a.example/#bob", id="same issuer, other name"),
        pytest.param("alice", id="bare name"),
        pytest.param("https://a.example/#Alice", id="other letter case"),
        pytest.param("https://a.example/#alice ", id="space behind"),
        pytest.param("", id="empty"),
        pytest.param("*", id="everyone"),
    ],
)
def test_nobody_else_owns(principal):
    assert not is_owner(principal, KEY)


@each_row("operation", Operation)
def test_a_right_allows_its_own_operation_and_get_what_it_covers(operation):
    rights = sufficient_rights({Operation.EXPORT, Operation.ENCRYPT})[operation]
    if operation in {Operation.EXPORT, Operation.ENCRYPT}:
        assert rights == (operation, Operation.GET)
    else:
        assert rights == (operation,)


@each_row("operation", Operation)
def test_a_shown_name_is_read_back_in_any_letter_case(operation):
    (name,) = format_operation_names(frozenset({operation}))
    for spelling in (name, name.upper(), name.title(), name.replace("_", "")):
        assert parse_operation_name(spelling) is operation


@each_row(
    "name",
    ["", " ", "*", "all", "get,encrypt", "get ", "gеt", "10", "0xA", "x" * 100_000, "get\n", "__class__"],
)  # fmt: skip
def test_an_unknown_name_is_refused_and_not_quoted(name):
    with pytest.raises(InvalidField) as caught:
        parse_operation_name(name)
    assert len(str(caught.value)) < 100


@each_row(
    ("user", "is_good"),
    [
        ("bob@example.com", True),
        ("https://a.example/#Zoë 鍵", True),
        ("*", True),
        ("x" * 255, True),
        ("x" * 256, False),
        ("https://a.example#" + "x" * 255, True),
        ("https://a.example#" + "x" * 256, False),
        ("https://a.example#*", False),
        (" *", False),
        ("alice ", False),
        ("alice\u200b", False),
        ("Zoe\u0308", False),
        ("", False),
        ("a\nb", False),
        ("a\0", False),
        ("\x85", False),
        ("group:devs", True),
        ("group:https://a.example#devs", True),
        ("group:*", False),
        ("group:", False),
        ("group: devs", False),
        ("group:a\0", False),
        ("Group:devs", False),
        ("cert:bob", True),
    ],
)
def test_a_grantee_is_a_name_that_a_token_may_carry(user, is_good):
    if is_good:
        check_grantee(user)
    else:
        with pytest.raises(InvalidField):
            check_grantee(user)


@pytest.mark.parametrize(
    ("user", "with_groups", "without"),
    [
        ("alice", True, True),
        ("*", True, True),
        ("group:devs", True, False),
        ("cert:bob", True, True),
        ("Group:devs", False, False),
    ],
)
def test_a_new_grantee_is_somebody_whom_a_token_or_a_certificate_may_name(
    user, with_groups, without
):
    for has_groups, is_good in ((True, with_groups), (False, without)):
        with contextlib.nullcontext() if is_good else pytest.raises(InvalidField):
            check_new_grantee(user, has_groups=has_groups)


def test_refusal_names_the_identifier():
    assert str(item_not_found("billing-1")).endswith(": billing-1")


def test_refusal_cuts_a_long_identifier():
    assert len(str(item_not_found("x" * 10_000))) < 200


def test_an_empty_filter_asks_for_nothing_in_particular():
    assert ObjectFilter() == ObjectFilter(tags=frozenset(), states=None)
