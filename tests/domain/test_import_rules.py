"""Where Import and Register differ (KMIP 2.1 §6.1.25), written out once more, and the states of imported objects."""

from __future__ import annotations

import dataclasses

import pytest

from kms_tornado.domain.attribute_rules import RULES
from kms_tornado.domain.import_rules import (
    IMPORT_RULES,
    OnImport,
    check_importable,
    check_matches,
    choose_state,
    is_supplied_destroyed,
    keep_usage_limits,
    select_kept,
    without_import_only,
)
from kms_tornado.domain.rotation import mark_latest
from kms_tornado.errors import InvalidAttribute, InvalidAttributeValue, InvalidField
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import ObjectGroupMember, RevocationReasonCode, State, UsageLimitsUnit
from kms_tornado.kmip.structures import RevocationReason, UsageLimits

from ..rows import each_row

NOW = 1_800_000_000
S, R = State, RevocationReasonCode
FIELDS = {field.name for field in dataclasses.fields(Attributes)}

OWN = {
    "archive_date", "protection_storage_mask", "random_number_generator", "short_unique_identifier",
}  # fmt: skip
CHECKED = {"certificate_length", "digests", "key_value_present", "opaque_data_type"}
#: No attribute of objects, but a criterion of Locate.
REFUSED = {"object_group_member"}


def test_import_takes_every_attribute_but_one_and_keeps_what_is_not_the_server_s_to_tell():
    assert {name for name, rule in IMPORT_RULES.items() if rule is OnImport.OWN} == OWN
    assert {name for name, rule in IMPORT_RULES.items() if rule is OnImport.CHECKED} == CHECKED
    assert set(IMPORT_RULES) == FIELDS - set(RULES) - REFUSED
    assert not any(rule.create for name, rule in RULES.items() if name in IMPORT_RULES)


def test_criterion_of_locate_is_no_attribute_of_an_imported_object():
    with pytest.raises(InvalidAttribute, match="ObjectGroupMember"):
        check_importable(Attributes(object_group_member=ObjectGroupMember(1)))


@each_row(
    "supplied",
    [
        {"always_sensitive": True},
        {"always_sensitive": True, "sensitive": False},
        {"never_extractable": True},
        {"never_extractable": True, "extractable": True},
        {"rotate_generation": -1},
        *({name: 2**40} for name in sorted(FIELDS) if name.endswith("_date")),
    ],
    ids=str,
)
def test_values_that_cannot_be_true_are_refused(supplied):
    with pytest.raises(InvalidAttributeValue):
        check_importable(Attributes(**supplied))


def test_flags_about_the_past_go_with_those_of_today():
    check_importable(Attributes(always_sensitive=True, sensitive=True))
    check_importable(Attributes(never_extractable=True, extractable=False))
    check_importable(Attributes(always_sensitive=False, never_extractable=False))


def test_what_is_kept_and_what_register_would_take_are_all_of_it():
    supplied = Attributes(
        state=S.ACTIVE, comment="c", lease_time=7, rotate_latest=False, certificate_length=3
    )
    assert select_kept(supplied) == {
        "lease_time": 7, "rotate_latest": False, "certificate_length": 3,
    }  # fmt: skip
    assert without_import_only(supplied).set_fields() == {"comment": "c"}


def test_what_the_object_shows_is_not_to_be_contradicted():
    shown = Attributes(certificate_length=5, key_value_present=True)
    check_matches(Attributes(certificate_length=5, opaque_data_type=1), shown)
    check_matches(Attributes(), shown)
    for wrong in (Attributes(certificate_length=4), Attributes(key_value_present=False)):
        with pytest.raises(InvalidAttributeValue, match="is not that of the object"):
            check_matches(wrong, shown)


@pytest.mark.parametrize(
    ("count", "kept"), [(None, 100), (100, 100), (40, 40), (0, 0), (101, None), (-1, None)]
)
def test_count_of_the_limits_is_kept_within_the_total(count, kept):
    supplied = UsageLimits(100, count, UsageLimitsUnit.OBJECT)
    if kept is None:
        with pytest.raises(InvalidAttributeValue, match="UsageLimitsCount"):
            keep_usage_limits(supplied)
    else:
        limits = keep_usage_limits(supplied)
        assert limits is not None
        assert (limits.usage_limits_total, limits.usage_limits_count) == (100, kept)
    assert keep_usage_limits(None) is None


COMPROMISE, ENDED = RevocationReason(R.KEY_COMPROMISE), RevocationReason(R.SUPERSEDED)

#: What is supplied → the state in which the object begins; dates advance it afterwards.
STATES = [
    *(({"state": state}, state) for state in S if "DESTROYED" not in state.name),
    ({}, S.PRE_ACTIVE),
    ({"activation_date": NOW - 1}, S.PRE_ACTIVE),
    ({"revocation_reason": ENDED}, S.DEACTIVATED),
    ({"revocation_reason": RevocationReason(None, "rotated")}, S.DEACTIVATED),
    ({"revocation_reason": COMPROMISE}, S.COMPROMISED),
    ({"revocation_reason": RevocationReason(R.CA_COMPROMISE)}, S.COMPROMISED),
    ({"compromise_date": NOW + 9}, S.COMPROMISED),
    ({"compromise_occurrence_date": 0}, S.COMPROMISED),
    ({"state": S.ACTIVE, "revocation_reason": ENDED}, S.ACTIVE),
    ({"state": S.ACTIVE, "activation_date": NOW}, S.ACTIVE),
    ({"state": S.PRE_ACTIVE, "activation_date": NOW - 1}, S.PRE_ACTIVE),
]


@each_row(("supplied", "state"), STATES, ids=str)
def test_state_is_the_supplied_one_or_what_the_other_attributes_tell(supplied, state):
    attributes = Attributes(**supplied)
    assert choose_state(attributes, has_material=True, now=NOW) is state
    assert not is_supplied_destroyed(attributes)


@pytest.mark.parametrize(
    ("supplied", "state"),
    [
        ({"state": S.DESTROYED}, S.DESTROYED),
        ({"state": S.DESTROYED_COMPROMISED}, S.DESTROYED_COMPROMISED),
        ({"destroy_date": 0}, S.DESTROYED),
        ({"destroy_date": NOW + 9, "compromise_date": 0}, S.DESTROYED_COMPROMISED),
        ({"destroy_date": 0, "revocation_reason": COMPROMISE}, S.DESTROYED_COMPROMISED),
    ],
    ids=str,
)
def test_destroyed_object_is_one_without_material(supplied, state):
    attributes = Attributes(**supplied)
    assert is_supplied_destroyed(attributes)
    assert choose_state(attributes, has_material=False, now=NOW) is state
    with pytest.raises(InvalidField, match="leave the object out"):
        choose_state(attributes, has_material=True, now=NOW)


@each_row(
    "supplied",
    [
        *(
            {"state": state, **tells}
            for state in (S.PRE_ACTIVE, S.ACTIVE, S.DEACTIVATED)
            for tells in (
                {"compromise_date": 0},
                {"compromise_occurrence_date": 0},
                {"revocation_reason": COMPROMISE},
            )
        ),
        {"state": S.ACTIVE, "activation_date": NOW + 1},
    ],
    ids=str,
)
def test_state_that_says_too_much_is_refused(supplied):
    with pytest.raises(InvalidAttributeValue):
        choose_state(Attributes(**supplied), has_material=True, now=NOW)


def test_destroyed_object_that_was_compromised_says_so_in_its_state():
    supplied = Attributes(state=S.DESTROYED, compromise_date=0)
    with pytest.raises(InvalidAttributeValue):
        choose_state(supplied, has_material=False, now=NOW)


def test_generation_ends_with_the_greatest_integer():
    """An imported key may have any; its replacement must still be told in TTLV."""
    old = Attributes(rotate_generation=2**31 - 1)
    assert mark_latest(Attributes(), old, now=NOW).rotate_generation == 2**31 - 1
