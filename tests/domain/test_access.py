"""Who may do what, and how a refusal reads."""

from __future__ import annotations

import pytest

from kms_tornado.domain.access import may, not_found
from kms_tornado.domain.managed_object import ManagedObject, ObjectFilter, UniqueIdentifier
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import ObjectType, Operation, State

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


@pytest.mark.parametrize("operation", Operation)
def test_the_owner_may_do_everything(operation):
    assert may("https://a.example/#alice", operation, KEY)


@pytest.mark.parametrize("operation", Operation)
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
def test_nobody_else_may_do_anything(principal, operation):
    assert not may(principal, operation, KEY)


def test_refusal_names_the_identifier():
    assert str(not_found("billing-1")).endswith(": billing-1")


def test_refusal_cuts_a_long_identifier():
    assert len(str(not_found("x" * 10_000))) < 200


def test_an_empty_filter_asks_for_nothing_in_particular():
    assert ObjectFilter() == ObjectFilter(tags=frozenset(), states=None)
