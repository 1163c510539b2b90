"""AdjustAttribute (KMIP 2.1 §6.1.3): which attributes, by how much, and for whom."""

from __future__ import annotations

import pytest

from kms_tornado.errors import (
    AttributeNotFound,
    AttributeReadOnly,
    InvalidAttribute,
    InvalidDataType,
    InvalidField,
    ItemNotFound,
    KMIPError,
    NumericRange,
    ObjectDestroyed,
    PermissionDenied,
)
from kms_tornado.kmip.enums import AdjustmentType, Operation, RevocationReasonCode, UsageLimitsUnit
from kms_tornado.kmip.payloads import (
    AdjustAttributeRequest,
    AttributeReference,
    DestroyRequest,
    RevokeRequest,
)
from kms_tornado.kmip.structures import (
    Name,
    RevocationReason,
    UsageLimits,
    VendorAttribute,
)
from kms_tornado.kmip.ttlv import ItemType, Node

from ..kmip_items import attributes, batch_item, flag, name, number, structure, text, uid
from ..rows import each_row
from .inside import ALICE, BOB, START, Inside

UP, DOWN, NEGATE = AdjustmentType.INCREMENT, AdjustmentType.DECREMENT, AdjustmentType.NEGATE
OURS = AttributeReference("counter", "acme")


@pytest.fixture
def inside(tmp_path):
    with Inside(tmp_path) as inside:
        yield inside


def counter(value, item_type=ItemType.INTEGER, vendor="acme"):
    return VendorAttribute(vendor, "counter", Node("AttributeValue", item_type, value))


def adjust(inside, key, reference, kind, by=None, user=ALICE):
    if isinstance(reference, str):
        reference = AttributeReference(reference)
    request = AdjustAttributeRequest(
        key, attribute_reference=reference, adjustment_type=kind, adjustment_value=by
    )
    return inside.do(user, Operation.ADJUST_ATTRIBUTE, request)


def count_of(inside, key):
    return next(
        value.attribute_value.value
        for value in inside.known(key).vendor_attributes
        if value.key == ("acme", "counter")
    )


# --- by how much --------------------------------------------------------------------------------

TYPES = {
    ItemType.INTEGER: (-(2**31), 2**31 - 1),
    ItemType.LONG_INTEGER: (-(2**63), 2**63 - 1),
    ItemType.BIG_INTEGER: (-(2**16384) + 1, 2**16384 - 1),
    ItemType.INTERVAL: (0, 2**32 - 1),
}

RESULTS = [
    pytest.param(UP, None, 7, 8, id="by one, where nothing is said"),
    pytest.param(DOWN, None, 7, 6, id="down by one"),
    pytest.param(UP, 5, 7, 12, id="up"),
    pytest.param(UP, -5, 7, 2, id="up by less than nothing"),
    pytest.param(DOWN, 7, 7, 0, id="down to nothing"),
    pytest.param(UP, 0, 7, 7, id="by nothing"),
    pytest.param(DOWN, -(2**20), 7, 7 + 2**20, id="down by less than nothing"),
]


@each_row(("kind", "by", "before", "after"), RESULTS)
@each_row("item_type", TYPES, ids=lambda each: each.name)
def test_number_of_any_type_moves_by_what_is_asked_for(inside, item_type, kind, by, before, after):
    key = inside.create(vendor_attributes=(counter(before, item_type),))
    adjust(inside, key, OURS, kind, by)
    assert count_of(inside, key) == after


@pytest.mark.parametrize("item_type", TYPES, ids=lambda each: each.name)
def test_number_that_would_not_fit_its_type_is_refused_and_stays(inside, item_type):
    least, greatest = TYPES[item_type]
    for bound, kind in ((least, DOWN), (greatest, UP)):
        key = inside.create(vendor_attributes=(counter(bound, item_type),))
        with pytest.raises(NumericRange, match="counter"):
            adjust(inside, key, OURS, kind)
        assert count_of(inside, key) == bound


def test_negating_turns_the_sign_of_a_number_and_no_interval_below_zero(inside):
    key = inside.create(vendor_attributes=(counter(7),), rotate_interval=60)
    adjust(inside, key, OURS, NEGATE)
    assert count_of(inside, key) == -7
    with pytest.raises(NumericRange):
        adjust(inside, key, "RotateInterval", NEGATE)
    assert inside.known(key).rotate_interval == 60


def test_negating_turns_a_boolean_which_nothing_else_does(inside):
    key = inside.create(vendor_attributes=(counter(False, ItemType.BOOLEAN),))
    adjust(inside, key, OURS, NEGATE)
    assert count_of(inside, key) is True
    for kind in (UP, DOWN):
        with pytest.raises(InvalidDataType, match="negated"):
            adjust(inside, key, OURS, kind)


def test_attribute_that_is_not_set_counts_as_zero_or_false(inside):
    key = inside.create()
    adjust(inside, key, "RotateInterval", UP, 3600)
    assert inside.known(key).rotate_interval == 3600
    adjust(inside, key, "Sensitive", NEGATE)
    assert inside.known(key).sensitive is True


def test_change_is_one_of_the_object(inside):
    key = inside.create(rotate_interval=60)
    inside.clock = START + 9
    adjust(inside, key, "RotateInterval", UP)
    assert inside.known(key).last_change_date == START + 9


# --- which attributes ---------------------------------------------------------------------------

REFUSED = [
    pytest.param("CryptographicLength", UP, None, AttributeReadOnly, id="set at creation"),
    pytest.param("CryptographicUsageMask", UP, 4, AttributeReadOnly, id="usage mask"),
    pytest.param("LeaseTime", UP, 10**6, AttributeReadOnly, id="the server's"),
    pytest.param("RotateGeneration", DOWN, None, AttributeReadOnly, id="of the rotation"),
    pytest.param("ProtectionStorageMask", NEGATE, None, AttributeReadOnly, id="computed"),
    pytest.param("UsageLimits", UP, 5, InvalidDataType, id="a structure"),
    pytest.param("Name", UP, None, InvalidDataType, id="of several values"),
    pytest.param("Comment", UP, None, InvalidDataType, id="a text"),
    pytest.param("DeactivationDate", UP, 60, InvalidDataType, id="a date"),
    pytest.param("Extractable", NEGATE, None, AttributeReadOnly, id="what cannot be taken back"),
    pytest.param("RotateInterval", NEGATE, 1, InvalidField, id="Negate by a number"),
    pytest.param("AttributeName", UP, None, InvalidField, id="no attribute"),
    pytest.param("Attribute", UP, None, InvalidField, id="all of a vendor"),
    pytest.param(AttributeReference("other", "acme"), UP, None, AttributeNotFound, id="an absent one of a vendor"),
    pytest.param(AttributeReference("tag", "cosmian"), UP, None, InvalidDataType, id="the tags"),
]  # fmt: skip


@pytest.mark.parametrize(("reference", "kind", "by", "error"), REFUSED)
def test_what_is_no_number_or_not_the_client_s_is_refused_and_nothing_changes(
    inside, reference, kind, by, error
):
    key = inside.create(
        rotate_interval=60,
        comment="x",
        extractable=False,
        deactivation_date=START + 60,
        names=(Name("one"), Name("two")),
        usage_limits=UsageLimits(10, None, UsageLimitsUnit.OBJECT),
        vendor_attributes=(
            counter(1),
            VendorAttribute.of_bytes("cosmian", "tag", b'["a"]'),
        ),
    )
    before = inside.known(key)
    with pytest.raises(error):
        adjust(inside, key, reference, kind, by)
    assert inside.known(key) == before


def test_attributes_of_this_server_are_not_adjusted(inside):
    key = inside.create()
    server = AttributeReference("owner", "kms_tornado")
    with pytest.raises((AttributeNotFound, InvalidAttribute)):
        adjust(inside, key, server, UP)


def test_attribute_of_a_destroyed_object_stays(inside):
    key = inside.create(rotate_interval=60)
    reason = RevocationReason(RevocationReasonCode.SUPERSEDED)
    inside.do(ALICE, Operation.REVOKE, RevokeRequest(key, reason))
    inside.do(ALICE, Operation.DESTROY, DestroyRequest(key))
    with pytest.raises(ObjectDestroyed):
        adjust(inside, key, "RotateInterval", UP)


# --- for whom -----------------------------------------------------------------------------------


def test_grantee_adjusts_what_only_describes_and_nothing_that_is_the_owner_s(inside):
    key = inside.create(rotate_interval=60, vendor_attributes=(counter(7),))
    with pytest.raises(ItemNotFound):
        adjust(inside, key, OURS, UP, user=BOB)
    inside.grant(key, BOB, Operation.ADJUST_ATTRIBUTE)
    adjust(inside, key, OURS, UP, user=BOB)
    assert count_of(inside, key) == 8
    for reference in ("RotateInterval", "Sensitive", AttributeReference("tag", "cosmian")):
        with pytest.raises(PermissionDenied):
            adjust(inside, key, reference, UP, user=BOB)
    assert inside.known(key).rotate_interval == 60


@pytest.mark.parametrize("value", [0, 60, 2**32 - 1])
def test_refusal_of_a_grantee_tells_nothing_of_the_value(inside, value):
    key = inside.create(rotate_interval=value)
    inside.grant(key, BOB, Operation.ADJUST_ATTRIBUTE)
    errors = set()
    for kind in AdjustmentType:
        with pytest.raises(KMIPError) as refusal:
            adjust(inside, key, "RotateInterval", kind, user=BOB)
        errors.add((type(refusal.value), str(refusal.value)))
    assert errors == {
        (PermissionDenied, "RotateInterval is changed by the owner of the object alone")
    }


# --- on the wire --------------------------------------------------------------------------------

COUNTER = {"tag": "RotateInterval", "type": "Interval", "value": 1}
REFERENCE = name("AttributeReference", "RotateInterval")


def told(user, key):
    return user.do("GetAttributes", uid(key), REFERENCE)["Attributes", "RotateInterval"]


def test_placeholder_names_the_object_and_undo_takes_the_change_back(alice):
    key = alice.create(COUNTER)
    up = [REFERENCE, name("AdjustmentType", "Increment"), number("AdjustmentValue", 4)]
    made = alice.ask(
        batch_item("Create", name("ObjectType", "SymmetricKey"), attributes(COUNTER)),
        batch_item("AdjustAttribute", *up),
        batch_item("GetAttributes", REFERENCE),
    )
    assert [item["ResultStatus"] for item in made] == ["Success"] * 3
    assert made[2]["ResponsePayload", "Attributes", "RotateInterval"] == 5
    undone = alice.ask(
        batch_item("AdjustAttribute", uid(key), *up, item_id=b"1"),
        batch_item("Get", uid("absent"), item_id=b"2"),
        header=[name("BatchErrorContinuationOption", "Undo")],
    )
    assert undone[0]["ResultStatus"] != "Success"
    assert told(alice, key) == 1


@pytest.mark.parametrize("item_type", ["Integer", "LongInteger", "BigInteger", "Interval"])
def test_amount_may_be_a_number_of_any_type(alice, item_type):
    value = 3 if item_type in {"Integer", "Interval"} else "0x0000000000000003"
    amount = {"tag": "AdjustmentValue", "type": item_type, "value": value}
    key = alice.create(COUNTER)
    alice.do("AdjustAttribute", uid(key), REFERENCE, name("AdjustmentType", "Increment"), amount)
    assert told(alice, key) == 4


@each_row(
    ("items", "line"),
    [
        pytest.param([REFERENCE], "Missing_Data: AdjustmentType", id="no type"),
        pytest.param([name("AdjustmentType", "Negate")], "Missing_Data: AttributeReference", id="no attribute"),
        pytest.param([REFERENCE, name("AdjustmentType", 4)], "Invalid_", id="a type that KMIP has not"),
        pytest.param([REFERENCE, name("AdjustmentType", "Increment"), text("AdjustmentValue", "1")], "Invalid_Data_Type: ", id="a text"),
        pytest.param([REFERENCE, name("AdjustmentType", "Increment"), structure("AdjustmentValue")], "Invalid_Data_Type: ", id="a structure"),
        pytest.param([REFERENCE, name("AdjustmentType", "Increment"), flag("AdjustmentValue", True)], "Invalid_Data_Type: ", id="a Boolean"),
        pytest.param([REFERENCE, name("AdjustmentType", "Increment"), number("AdjustmentValue", -2)], "Numeric_Range: ", id="too much"),
    ],
)  # fmt: skip
def test_request_that_makes_no_sense_is_refused_in_words(alice, items, line):
    key = alice.create(COUNTER)
    assert alice.refused("AdjustAttribute", uid(key), *items).startswith(line)
    assert told(alice, key) == 1
