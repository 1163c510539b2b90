"""The rights that leave with a Sensitive object and come back: what is wrapped, and how it binds."""

from __future__ import annotations

import dataclasses

import pytest

from kms_tornado.domain.managed_object import ManagedObject, UniqueIdentifier
from kms_tornado.domain.wrapped_rights import (
    RIGHTS,
    WrappedRights,
    bind_rights,
    check_comes_back,
    describe_rights,
    restore_object,
    split_rights,
)
from kms_tornado.errors import InvalidField, PermissionDenied
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import (
    BlockCipherMode,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    ObjectType,
    State,
    UsageLimitsUnit,
)
from kms_tornado.kmip.structures import (
    CryptographicParameters,
    Name,
    UsageLimits,
    VendorAttribute,
)

from ..rows import each_row

NOW = 1_800_000_000
M, P, T = CryptographicUsageMask, CryptographicParameters, ObjectType
ENCRYPT, BOTH, FREE = int(M.ENCRYPT), int(M.ENCRYPT | M.DECRYPT), int(M.UNRESTRICTED)
BYTE, OBJECT = UsageLimitsUnit.BYTE, UsageLimitsUnit.OBJECT


def an_object(state=State.ACTIVE, **attributes):
    return ManagedObject(
        UniqueIdentifier("k"), "alice", T.SYMMETRIC_KEY, state, Attributes(sensitive=True, **attributes),
        frozenset(), None, NOW,
    )  # fmt: skip


def rights(**attributes):
    return WrappedRights("alice", Attributes(**{"sensitive": True, **attributes}))


#: Attribute → rows of (what the object had, what the request wants, what comes back).
BOUND = {
    "activation_date": [(NOW, NOW - 9, NOW), (NOW, NOW + 9, NOW + 9), (NOW, None, NOW)],
    "process_start_date": [(NOW, NOW - 9, NOW), (NOW, NOW + 9, NOW + 9), (NOW, None, NOW)],
    "protect_stop_date": [(NOW, NOW + 9, NOW), (NOW, NOW - 9, NOW - 9), (NOW, None, NOW)],
    "deactivation_date": [(NOW, NOW + 9, NOW), (NOW, NOW - 9, NOW - 9), (NOW, None, NOW)],
    "cryptographic_usage_mask": [
        (ENCRYPT, BOTH, ENCRYPT), (BOTH, ENCRYPT, ENCRYPT), (ENCRYPT, None, ENCRYPT),
        (ENCRYPT, FREE, ENCRYPT), (FREE, ENCRYPT, ENCRYPT), (ENCRYPT, int(M.DECRYPT), ENCRYPT),
        (ENCRYPT, FREE | BOTH, ENCRYPT), (0, BOTH, 0),
    ],
    "sensitive": [(True, False, True), (True, None, True), (True, True, True)],
    "extractable": [(False, True, False), (True, False, False), (False, None, False)],
    "cryptographic_algorithm": [
        (CryptographicAlgorithm.AES, CryptographicAlgorithm.CHACHA20, CryptographicAlgorithm.AES),
        (CryptographicAlgorithm.AES, None, CryptographicAlgorithm.AES),
    ],
    "cryptographic_parameters": [
        (P(BlockCipherMode.GCM), P(BlockCipherMode.ECB), P(BlockCipherMode.GCM)),
        (P(BlockCipherMode.GCM), P(tag_length=16), P(BlockCipherMode.GCM, tag_length=16)),
        (P(BlockCipherMode.GCM), None, P(BlockCipherMode.GCM)),
    ],
    "usage_limits": [
        (UsageLimits(9, 4, BYTE), None, UsageLimits(9, 4, BYTE)),
        (UsageLimits(9, 4, BYTE), UsageLimits(99, 99, BYTE), UsageLimits(9, 4, BYTE)),
        (UsageLimits(9, 4, BYTE), UsageLimits(9, 2, BYTE), UsageLimits(9, 2, BYTE)),
        (UsageLimits(9, 4, BYTE), UsageLimits(3, None, BYTE), UsageLimits(9, 3, BYTE)),
        (UsageLimits(9, 4, BYTE), UsageLimits(1, 1, OBJECT), UsageLimits(9, 4, BYTE)),
        (UsageLimits(9, None, BYTE), UsageLimits(99, 99, BYTE), UsageLimits(9, 9, BYTE)),
    ],
}  # fmt: skip


def test_table_has_every_right():
    assert set(BOUND) == set(RIGHTS)


@each_row("field", BOUND)
def test_request_tightens_what_the_object_had_and_nothing_else(field):
    for had, wants, expected in BOUND[field]:
        bound = bind_rights(Attributes(**{field: wants}), rights(**{field: had}))
        assert getattr(bound, field) == expected, (had, wants)


@each_row("field", sorted(set(RIGHTS) - {"sensitive"}))
def test_request_has_its_way_where_the_object_had_nothing(field):
    for had, _, _ in BOUND[field]:
        bound = bind_rights(Attributes(**{field: had}), rights())
        assert getattr(bound, field) == had


def test_what_was_described_is_found_again_apart_from_other_attributes():
    target = an_object(
        cryptographic_usage_mask=ENCRYPT,
        usage_limits=UsageLimits(9, 4, BYTE),
        deactivation_date=NOW + 9,
        always_sensitive=True,
        names=(Name("n"),),
        comment="c",
    )
    described = describe_rights(target)
    assert described.names == ()
    assert described.state is None
    other = VendorAttribute.of_bytes("x", "owner", b"mallory")
    inner = described.replace(
        names=(Name("n"),), vendor_attributes=(*described.vendor_attributes, other)
    )
    found, others = split_rights(inner)
    assert found is not None
    assert found.owner == "alice"
    assert found.attributes.usage_limits == UsageLimits(9, 4, BYTE)
    assert found.attributes.object_type is T.SYMMETRIC_KEY
    assert others == Attributes(names=(Name("n"),), vendor_attributes=(other,))


def test_attributes_without_an_owner_are_a_client_s():
    inner = Attributes(sensitive=True, cryptographic_usage_mask=BOTH)
    assert split_rights(inner) == (None, inner)
    assert split_rights(None) == (None, None)


def test_two_owners_are_refused():
    owner = describe_rights(an_object()).vendor_attributes
    twice = (*owner, VendorAttribute.of_bytes("kms_tornado", "owner", b"mallory"))
    with pytest.raises(InvalidField):
        split_rights(Attributes(vendor_attributes=twice))


def test_object_comes_back_to_its_owner_and_as_what_it_was():
    wrapped, _ = split_rights(describe_rights(an_object()))
    assert wrapped is not None
    check_comes_back(wrapped, "alice", T.SYMMETRIC_KEY)
    with pytest.raises(PermissionDenied):
        check_comes_back(wrapped, "mallory", T.SYMMETRIC_KEY)
    with pytest.raises(InvalidField):
        check_comes_back(wrapped, "alice", T.SECRET_DATA)


@pytest.mark.parametrize(
    ("had", "has", "expected"),
    [(True, True, True), (False, True, False), (True, False, False), (None, True, False)],
)
def test_always_sensitive_and_never_extractable_are_not_raised(had, has, expected):
    new = an_object(always_sensitive=has, never_extractable=has)
    wrapped = rights(always_sensitive=had, never_extractable=had)
    restored = restore_object(new, wrapped, new.attributes, NOW).attributes
    assert (restored.always_sensitive, restored.never_extractable) == (expected, expected)


def test_compromised_object_comes_back_compromised_and_an_ended_one_deactivated():
    target = an_object(State.COMPROMISED, compromise_date=NOW - 5)
    wrapped, _ = split_rights(describe_rights(target))
    assert wrapped is not None
    new = an_object(State.ACTIVE)
    restored = restore_object(new, wrapped, new.attributes, NOW)
    assert (restored.state, restored.attributes.compromise_date) == (State.COMPROMISED, NOW - 5)
    ended = an_object(State.ACTIVE, deactivation_date=NOW)
    restored = restore_object(ended, rights(), ended.attributes, NOW)
    assert restored.state is State.DEACTIVATED


def test_object_that_is_deactivated_without_a_date_comes_back_so():
    """Only Import makes one. A compromise that the request tells of is not lost by it."""
    wrapped, _ = split_rights(describe_rights(an_object(State.DEACTIVATED)))
    assert wrapped is not None
    for state, after in [
        (State.ACTIVE, State.DEACTIVATED),
        (State.PRE_ACTIVE, State.DEACTIVATED),
        (State.COMPROMISED, State.COMPROMISED),
    ]:
        new = an_object(state)
        assert restore_object(new, wrapped, new.attributes, NOW).state is after


def test_compromise_without_a_date_leaves_the_request_s():
    wrapped, _ = split_rights(describe_rights(an_object(State.COMPROMISED)))
    assert wrapped is not None
    new = an_object(State.ACTIVE, compromise_date=NOW - 9)
    restored = restore_object(new, wrapped, new.attributes, NOW)
    assert (restored.state, restored.attributes.compromise_date) == (State.COMPROMISED, NOW - 9)


def test_every_right_that_the_server_enforces_is_wrapped():
    """A new attribute that limits use belongs into the table."""
    values = {field: rows[0][0] for field, rows in BOUND.items()}
    target = dataclasses.replace(an_object(), attributes=Attributes(**values))
    described = describe_rights(target)
    assert {field: getattr(described, field) for field in values} == values
