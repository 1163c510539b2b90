"""Who may do what with which attribute (KMIP 2.1 §4), written out once more and in another order."""

from __future__ import annotations

import dataclasses

import pytest

from kms_tornado.domain.attribute_changes import (
    add_instance,
    delete_instances,
    modify_instance,
    set_instance,
)
from kms_tornado.domain.attribute_rules import (
    RULES,
    AttributeState,
    Grantees,
    Rule,
    check_grantee,
    check_quantum_safe,
    is_multi_instance,
    rule_for,
)
from kms_tornado.errors import (
    AttributeReadOnly,
    NotQuantumSafe,
    PermissionDenied,
    WrongKeyLifecycleState,
)
from kms_tornado.kmip.attribute_instance import AttributeInstance as Instance
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import CryptographicAlgorithm, Operation, State, UsageLimitsUnit
from kms_tornado.kmip.structures import UsageLimits

from ..rows import each_row

NOW = 1_800_000_000
S = State

#: What a client may only ask for when the object is made.
AT_CREATION = {
    "certificate_type", "cryptographic_algorithm", "cryptographic_domain_parameters",
    "cryptographic_length", "cryptographic_usage_mask", "fresh", "key_format_type", "object_type",
    "protection_level", "protection_period", "quantum_safe", "unique_identifier",
}  # fmt: skip

#: What a client may set, change and take away at any time.
FREE = {
    "alternative_names", "application_specific_information", "comment", "contact_information",
    "cryptographic_parameters", "description", "links", "names", "object_groups",
    "pkcs_12_friendly_name", "rotate_interval", "rotate_name", "rotate_offset", "vendor_attributes",
}  # fmt: skip

#: What has conditions: tested one by one below.
CONDITIONAL = {
    "activation_date", "deactivation_date", "process_start_date", "protect_stop_date", "extractable",
    "sensitive", "usage_limits",
}  # fmt: skip

FIELDS = [field.name for field in dataclasses.fields(Attributes)]
SERVER = sorted(set(FIELDS) - AT_CREATION - FREE - CONDITIONAL)


def held(state=S.ACTIVE, **attributes):
    return AttributeState(Attributes(**attributes), state, NOW)


def test_table_names_attributes_only_and_each_once():
    assert set(RULES) == AT_CREATION | FREE | CONDITIONAL
    assert set(RULES) <= set(FIELDS)


def test_server_s_attribute_is_set_by_no_client():
    assert [field for field in SERVER if rule_for(field).create] == []


@each_row("field", [*SERVER, *sorted(AT_CREATION)])
def test_attribute_that_is_not_for_clients_is_read_only_in_any_state(field):
    """Whether it is there or not, and whatever the value."""
    value = object()
    there = Attributes(**{field: (value,) if is_multi_instance(field) else value})
    for state in State:
        for attributes in (Attributes(), there):
            before = AttributeState(attributes, state, NOW)
            for change in (add_instance, set_instance, modify_instance):
                with pytest.raises(AttributeReadOnly):
                    change(before, Instance(field, value))
            with pytest.raises(AttributeReadOnly):
                delete_instances(before, field)


# --- what only tightens ---------------------------------------------------------------------------


@each_row("state", State)
@each_row(
    ("field", "tight"),
    [("sensitive", True), ("extractable", False)],
    ids=["sensitive", "extractable"],
)
@each_row("change", [set_instance, modify_instance])
def test_what_is_tight_stays_tight(change, field, tight, state):
    for before, wanted, allowed in (
        (not tight, tight, True),
        (not tight, not tight, True),
        (tight, tight, True),
        (tight, not tight, False),
    ):
        there = held(state, **{field: before})
        if allowed:
            assert getattr(change(there, Instance(field, wanted)), field) is wanted
        else:
            with pytest.raises(AttributeReadOnly):
                change(there, Instance(field, wanted))
        with pytest.raises(AttributeReadOnly):
            delete_instances(there, field)


# --- dates --------------------------------------------------------------------------------------

#: (attribute, the one there is) → the states in which it may be set to a later one.
DATES = {
    ("activation_date", None): {S.PRE_ACTIVE},
    ("activation_date", NOW + 5): {S.PRE_ACTIVE},
    ("deactivation_date", None): {S.PRE_ACTIVE, S.ACTIVE},
    ("deactivation_date", NOW + 5): {S.PRE_ACTIVE, S.ACTIVE},
    ("process_start_date", None): {S.PRE_ACTIVE, S.ACTIVE},
    ("process_start_date", NOW + 5): {S.PRE_ACTIVE, S.ACTIVE},
    ("process_start_date", NOW): set(),
    ("protect_stop_date", None): {S.PRE_ACTIVE, S.ACTIVE},
    ("protect_stop_date", NOW + 5): {S.PRE_ACTIVE, S.ACTIVE},
    ("protect_stop_date", NOW): set(),
}


@each_row("state", State)
@each_row(("field", "there"), DATES)
def test_date_is_changed_as_long_as_it_matters(field, there, state):
    before = held(state, **{field: there})
    changes = [set_instance, modify_instance, *([] if there else [add_instance])]
    for change in changes:
        if state in DATES[field, there]:
            assert getattr(change(before, Instance(field, NOW + 9)), field) == NOW + 9
        else:
            with pytest.raises(WrongKeyLifecycleState):
                change(before, Instance(field, NOW + 9))
    with pytest.raises(AttributeReadOnly):
        delete_instances(before, field)


# --- limits -------------------------------------------------------------------------------------


def test_usage_limits_change_until_something_is_spent():
    whole, begun = (UsageLimits(10, count, UsageLimitsUnit.BYTE) for count in (10, 9))
    wanted = UsageLimits(50, 3, UsageLimitsUnit.OBJECT)
    for change in (set_instance, modify_instance):
        after = change(held(usage_limits=whole), Instance("usage_limits", wanted))
        assert after.usage_limits == UsageLimits(50, 50, UsageLimitsUnit.OBJECT)
        with pytest.raises(AttributeReadOnly):
            change(held(usage_limits=begun), Instance("usage_limits", wanted))
    assert delete_instances(held(usage_limits=whole), "usage_limits").usage_limits is None
    with pytest.raises(AttributeReadOnly):
        delete_instances(held(usage_limits=begun), "usage_limits")


@pytest.mark.parametrize(
    ("algorithm", "length", "safe"),
    [
        (CryptographicAlgorithm.AES, 256, True),
        (CryptographicAlgorithm.AES, 128, False),
        (CryptographicAlgorithm.CHACHA20, 256, True),
        (CryptographicAlgorithm.RSA, 4096, False),
        (CryptographicAlgorithm.EC, 521, False),
        (None, None, False),
    ],
)
def test_quantum_safe_is_promised_of_what_is(algorithm, length, safe):
    wanted = Attributes(cryptographic_algorithm=algorithm, cryptographic_length=length)
    check_quantum_safe(wanted)
    wanted = dataclasses.replace(wanted, quantum_safe=True)
    if safe:
        check_quantum_safe(wanted)
    else:
        with pytest.raises(NotQuantumSafe):
            check_quantum_safe(wanted)


# --- who, besides the owner -------------------------------------------------------------------------

#: What others change by the right to the operation alone; all else is the owner's, or nobody's.
DESCRIPTIVE = {"comment", "contact_information", "description"}
#: (attribute, the present date, the new one) → the further right; None: the owner alone.
DATES_OF_GRANTEES = {
    ("deactivation_date", None, NOW + 99): Operation.REVOKE,
    ("deactivation_date", None, NOW - 1): Operation.REVOKE,
    ("deactivation_date", NOW + 9, NOW + 8): Operation.REVOKE,
    ("deactivation_date", NOW + 9, NOW + 9): Operation.REVOKE,
    ("deactivation_date", NOW + 9, NOW + 10): None,
    ("protect_stop_date", None, NOW + 99): Operation.REVOKE,
    ("protect_stop_date", NOW + 9, NOW): Operation.REVOKE,
    ("protect_stop_date", NOW + 9, NOW + 10): None,
    ("activation_date", None, NOW): Operation.ACTIVATE,
    ("activation_date", NOW + 9, NOW): Operation.ACTIVATE,
    ("activation_date", NOW + 9, NOW + 10): None,
    ("process_start_date", None, NOW + 9): None,
    ("process_start_date", NOW + 9, NOW): None,
}


@each_row("field", FIELDS)
def test_grantee_changes_what_describes_and_nothing_else(field):
    rule, before = rule_for(field), held()
    if field in DESCRIPTIVE:
        assert check_grantee(before, field, "x") is None
        assert check_grantee(before, field, None) is None
    elif field == "vendor_attributes":
        assert check_grantee(before, field, "x", "x") is None
        for value in ("x", None):
            with pytest.raises(PermissionDenied, match="Attribute is changed by the owner"):
                check_grantee(before, field, value, "cosmian")
    elif not (rule.add or rule.modify or rule.delete):
        assert check_grantee(before, field, "x") is None, "the change itself is refused"
    else:
        with pytest.raises(PermissionDenied):
            check_grantee(before, field, None)
        if field not in {name for name, _, _ in DATES_OF_GRANTEES}:
            with pytest.raises(PermissionDenied):
                check_grantee(before, field, "x")


@each_row(("field", "there", "wanted"), DATES_OF_GRANTEES)
def test_date_that_ends_or_begins_use_earlier_needs_that_right(field, there, wanted):
    right = DATES_OF_GRANTEES[field, there, wanted]
    before = held(**{field: there})
    if right is None:
        with pytest.raises(PermissionDenied):
            check_grantee(before, field, wanted)
    else:
        assert check_grantee(before, field, wanted) is right


def test_rule_that_says_nothing_leaves_the_attribute_to_the_owner():
    assert Rule().grantees is Grantees.NOTHING
