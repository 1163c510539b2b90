"""Dates that pass between two requests: nothing has to happen for them to count."""

from __future__ import annotations

import json

import pytest

from kms_tornado.errors import (
    AttributeReadOnly,
    InvalidAttributeValue,
    ObjectDestroyed,
    PermissionDenied,
    UsageLimitExceeded,
    WrongKeyLifecycleState,
)
from kms_tornado.kmip.attributes import Attributes, with_user_tags
from kms_tornado.kmip.enums import CryptographicUsageMask as Mask
from kms_tornado.kmip.enums import Operation, RevocationReasonCode, State, UsageLimitsUnit
from kms_tornado.kmip.payloads import (
    ActivateRequest,
    AttributeReference,
    CheckRequest,
    DestroyRequest,
    EncryptRequest,
    GetAttributesRequest,
    LocateCriteria,
    LocateRequest,
    ObtainLeaseRequest,
    ObtainLeaseResponse,
    RevokeRequest,
)
from kms_tornado.kmip.schema import tag_of, to_node
from kms_tornado.kmip.structures import RevocationReason, UsageLimits
from kms_tornado.kmip.ttlv import children_of

from .inside import ALICE, BOB, START, Inside


@pytest.fixture
def kms(tmp_path):
    with Inside(tmp_path) as inside:
        yield inside


def tagged(*tags):
    return with_user_tags(Attributes(), tags).vendor_attributes


def located(kms, state):
    sought = LocateCriteria(children_of(to_node(Attributes(state=state), "Attributes")))
    found = kms.do(ALICE, Operation.LOCATE, LocateRequest(sought))
    return list(found.unique_identifiers)


def test_key_becomes_active_and_deactivated_on_its_dates(kms):
    key = kms.create(activation_date=START + 10, deactivation_date=START + 20)
    with pytest.raises(WrongKeyLifecycleState):
        kms.encrypt(key)
    assert kms.state(key) is State.PRE_ACTIVE
    kms.clock = START + 10
    assert kms.state(key) is State.ACTIVE
    box = kms.encrypt(key)
    kms.clock = START + 20
    assert kms.state(key) is State.DEACTIVATED
    with pytest.raises(WrongKeyLifecycleState):
        kms.encrypt(key)
    assert kms.decrypt(box) == b"data"


def test_locate_and_listings_know_the_state_of_now(kms):
    key = kms.create(activation_date=START + 10, deactivation_date=START + 20)
    kms.grant(key, BOB, Operation.GET)
    for clock, state in ((0, State.PRE_ACTIVE), (10, State.ACTIVE), (20, State.DEACTIVATED)):
        kms.clock = START + clock
        for each in State:
            assert located(kms, each) == ([key] if each is state else [])
        assert located(kms, None) == [key]
        name = state.name.title().replace("_A", "A")
        assert [each["state"] for each in kms.run(kms.rights.list_owned(ALICE))] == [name]
        assert [each["state"] for each in kms.run(kms.rights.list_granted(BOB))] == [name]


def test_tag_list_means_the_key_that_is_active_by_now(kms):
    earlier = kms.create(deactivation_date=START + 10, vendor_attributes=tagged("t"))
    later = kms.create(activation_date=START + 10, vendor_attributes=tagged("t"))
    tags = json.dumps(["t"])
    assert kms.encrypt(tags).unique_identifier == earlier
    kms.clock = START + 10
    assert kms.encrypt(tags).unique_identifier == later


def test_key_whose_dates_have_passed_is_destroyed_without_a_revocation(kms):
    key = kms.create(deactivation_date=START + 10)
    with pytest.raises(WrongKeyLifecycleState):
        kms.do(ALICE, Operation.DESTROY, DestroyRequest(key))
    kms.clock = START + 10
    kms.do(ALICE, Operation.DESTROY, DestroyRequest(key))
    assert kms.state(key) is State.DESTROYED


def test_revoked_key_stays_revoked_whatever_its_dates_say(kms):
    key = kms.create(activation_date=START, deactivation_date=START + 100)
    kms.do(ALICE, Operation.REVOKE, RevokeRequest(key))
    assert kms.known(key).deactivation_date == START
    kms.clock = START + 50
    assert kms.state(key) is State.DEACTIVATED


# --- three ways from Pre-Active to Active ---------------------------------------------------------


@pytest.mark.parametrize("way", ["Activate", "AddAttribute", "SetAttribute", "ModifyAttribute"])
def test_pre_active_key_is_activated(kms, way):
    key = kms.create(bare=False)
    assert kms.state(key) is State.PRE_ACTIVE
    if way == "Activate":
        kms.do(ALICE, Operation.ACTIVATE, ActivateRequest(key))
    else:
        change = {"A": kms.add, "S": kms.set, "M": kms.modify}[way[0]]
        change(key, "activation_date", START)
    assert kms.state(key) is State.ACTIVE
    assert kms.known(key).activation_date == START
    kms.encrypt(key)


def test_activation_date_is_moved_while_it_is_to_come(kms):
    key = kms.create(activation_date=START + 10)
    kms.modify(key, "activation_date", START + 20)
    kms.clock = START + 10
    assert kms.state(key) is State.PRE_ACTIVE
    kms.clock = START + 20
    with pytest.raises(WrongKeyLifecycleState):
        kms.modify(key, "activation_date", START + 30)


def test_activate_is_for_pre_active_objects_and_before_their_end(kms):
    key = kms.create()
    with pytest.raises(WrongKeyLifecycleState, match="Active"):
        kms.do(ALICE, Operation.ACTIVATE, ActivateRequest(key))
    over = kms.create(bare=False, deactivation_date=START)
    with pytest.raises(WrongKeyLifecycleState, match="Deactivation"):
        kms.do(ALICE, Operation.ACTIVATE, ActivateRequest(over))


@pytest.mark.parametrize("field", ["process_start_date", "protect_stop_date"])
def test_date_that_has_come_is_not_moved(kms, field):
    key = kms.create(activation_date=START - 10, **{field: START + 10})
    kms.modify(key, field, START + 5)
    kms.clock = START + 5
    with pytest.raises(WrongKeyLifecycleState):
        kms.modify(key, field, START + 100)
    with pytest.raises(AttributeReadOnly):
        kms.delete(key, attribute_reference=reference(field))


def reference(field):
    return AttributeReference(tag_of(Attributes, field))


def test_dates_out_of_order_are_refused_at_creation_and_later(kms):
    with pytest.raises(InvalidAttributeValue):
        kms.create(activation_date=START, deactivation_date=START - 1)
    key = kms.create(activation_date=START + 10, deactivation_date=START + 20)
    for field, value in (
        ("activation_date", START + 21),
        ("deactivation_date", START + 9),
        ("process_start_date", START + 9),
        ("protect_stop_date", START + 21),
    ):
        with pytest.raises(InvalidAttributeValue):
            kms.modify(key, field, value)


def test_process_start_and_protect_stop_bound_the_use(kms):
    key = kms.create(
        activation_date=START - 10, process_start_date=START + 10, protect_stop_date=START + 20
    )
    box = kms.encrypt(key)
    with pytest.raises(WrongKeyLifecycleState):
        kms.decrypt(box)
    kms.clock = START + 10
    assert kms.decrypt(box) == b"data"
    kms.clock = START + 20
    assert kms.decrypt(box) == b"data"
    with pytest.raises(WrongKeyLifecycleState):
        kms.encrypt(key)
    assert kms.state(key) is State.ACTIVE


# --- usage limits -------------------------------------------------------------------------------


def limits(total, unit=UsageLimitsUnit.BYTE):
    return UsageLimits(total, None, unit)


def left(kms, key):
    return kms.known(key).usage_limits.usage_limits_count


def test_bytes_are_counted_and_never_overspent(kms):
    key = kms.create(usage_limits=limits(10))
    box = kms.encrypt(key, b"123456")
    assert left(kms, key) == 4
    with pytest.raises(PermissionDenied):
        kms.encrypt(key, b"12345")
    assert left(kms, key) == 4
    kms.encrypt(key, b"1234")
    with pytest.raises(PermissionDenied):
        kms.encrypt(key, b"")
    assert kms.decrypt(box) == b"123456", "processing is not limited"


def test_objects_are_counted_whatever_their_size(kms):
    key = kms.create(usage_limits=limits(2, UsageLimitsUnit.OBJECT))
    kms.encrypt(key, bytes(1000))
    kms.encrypt(key, b"")
    with pytest.raises(PermissionDenied):
        kms.encrypt(key, b"")


def test_what_fails_costs_nothing(kms):
    key = kms.create(usage_limits=limits(2, UsageLimitsUnit.OBJECT))
    with pytest.raises(Exception):  # noqa: B017  (whatever the cipher says of such a nonce)
        kms.do(ALICE, Operation.ENCRYPT, EncryptRequest(key, data=b"x", iv_counter_nonce=b"short"))
    assert left(kms, key) == 2


def test_limits_may_change_until_something_is_spent(kms):
    key = kms.create(usage_limits=limits(10))
    kms.modify(key, "usage_limits", UsageLimits(20, 15, UsageLimitsUnit.BYTE))
    assert left(kms, key) == 20, "the count is the server's"
    kms.encrypt(key, b"1")
    for change in (kms.set, kms.modify):
        with pytest.raises(AttributeReadOnly):
            change(key, "usage_limits", limits(1000))
    with pytest.raises(AttributeReadOnly):
        kms.delete(key, attribute_reference=reference("usage_limits"))
    assert left(kms, key) == 19


def test_check_asks_without_spending(kms):
    key = kms.create(usage_limits=limits(10), cryptographic_usage_mask=int(Mask.ENCRYPT))
    kms.do(ALICE, Operation.CHECK, CheckRequest(key, usage_limits_count=10))
    with pytest.raises(UsageLimitExceeded):
        kms.do(ALICE, Operation.CHECK, CheckRequest(key, usage_limits_count=11))
    with pytest.raises(PermissionDenied):
        kms.do(ALICE, Operation.CHECK, CheckRequest(key, lease_time=3601))
    assert left(kms, key) == 10


LEASES = {
    "Pre-Active": (lambda kms: kms.create(activation_date=START + 10), True),
    "Active": (lambda kms: kms.create(), True),
    "Deactivated": (lambda kms: ended(kms, RevocationReasonCode.SUPERSEDED), True),
    "Compromised": (lambda kms: ended(kms, RevocationReasonCode.KEY_COMPROMISE), False),
}


def ended(kms, reason):
    key = kms.create()
    kms.do(ALICE, Operation.REVOKE, RevokeRequest(key, RevocationReason(reason)))
    return key


@pytest.mark.parametrize("state", LEASES)
def test_lease_of_the_length_that_the_attribute_tells_can_be_had(kms, state):
    """As the OASIS case TC-95 has it: no lease for a compromised key, so that who uses it notices."""
    make, is_given = LEASES[state]
    key = make(kms)
    request = ObtainLeaseRequest(key)
    if not is_given:
        with pytest.raises(PermissionDenied, match="Compromised"):
            kms.do(ALICE, Operation.OBTAIN_LEASE, request)
        return
    lease = kms.do(ALICE, Operation.OBTAIN_LEASE, request)
    attributes = kms.do(ALICE, Operation.GET_ATTRIBUTES, GetAttributesRequest(key)).attributes
    assert lease == ObtainLeaseResponse(key, attributes.lease_time, attributes.last_change_date)


@pytest.mark.parametrize(
    ("dates", "clock", "lasts"),
    [
        pytest.param({"deactivation_date": 60}, 0, 60, id="until it is Deactivated"),
        pytest.param({"deactivation_date": 60}, 59, 1, id="never without an end before it"),
        pytest.param({"deactivation_date": 60}, 60, 3600, id="afterwards as usual"),
        pytest.param({"deactivation_date": 4000}, 0, 3600, id="no longer than usual"),
        pytest.param({"protect_stop_date": 30, "deactivation_date": 60}, 0, 30, id="the first end"),
        pytest.param({"protect_stop_date": 30, "deactivation_date": 60}, 30, 30, id="the next one"),
        pytest.param({"activation_date": 30}, 0, 3600, id="a beginning ends none"),
    ],
)
def test_lease_ends_when_a_use_is_known_to_end(kms, dates, clock, lasts):
    """A client that relies on the lease would else go on when the key may be used no more."""
    key = kms.create(**{field: START + date for field, date in dates.items()})
    kms.clock = START + clock
    lease = kms.do(ALICE, Operation.OBTAIN_LEASE, ObtainLeaseRequest(key))
    assert lease.lease_time == lasts
    assert kms.known(key).lease_time == 3600, "the attribute is the usual length (§4.28)"
    kms.do(ALICE, Operation.CHECK, CheckRequest(key, lease_time=lasts))
    with pytest.raises(PermissionDenied):
        kms.do(ALICE, Operation.CHECK, CheckRequest(key, lease_time=lasts + 1))


def test_lease_tells_when_the_object_last_changed(kms):
    key = kms.create()
    kms.clock = START + 7
    kms.set(key, "comment", "new")
    assert (
        kms.do(ALICE, Operation.OBTAIN_LEASE, ObtainLeaseRequest(key)).last_change_date == START + 7
    )


def test_destroyed_object_has_no_lease(kms):
    key = ended(kms, RevocationReasonCode.SUPERSEDED)
    kms.do(ALICE, Operation.DESTROY, DestroyRequest(key))
    with pytest.raises(ObjectDestroyed):
        kms.do(ALICE, Operation.OBTAIN_LEASE, ObtainLeaseRequest(key))


@pytest.mark.parametrize(
    ("mask", "clock", "allowed"),
    [
        pytest.param(Mask.ENCRYPT, 0, False, id="Pre-Active"),
        pytest.param(Mask.ENCRYPT, 10, True, id="Active"),
        pytest.param(Mask.ENCRYPT, 15, False, id="after Protect Stop"),
        pytest.param(Mask.DECRYPT, 10, False, id="before Process Start"),
        pytest.param(Mask.DECRYPT, 12, True, id="after Process Start"),
        pytest.param(Mask.DECRYPT, 20, True, id="Deactivated"),
        pytest.param(Mask.ENCRYPT | Mask.DECRYPT, 12, True, id="both, while both"),
        pytest.param(Mask.ENCRYPT | Mask.DECRYPT, 20, False, id="both, when one is over"),
    ],
)
def test_check_answers_as_the_use_would(kms, mask, clock, allowed):
    key = kms.create(
        activation_date=START + 10,
        process_start_date=START + 12,
        protect_stop_date=START + 15,
        deactivation_date=START + 20,
        cryptographic_usage_mask=12,
    )
    kms.clock = START + clock
    request = CheckRequest(key, cryptographic_usage_mask=int(mask))
    if allowed:
        assert kms.do(ALICE, Operation.CHECK, request).unique_identifier == key
    else:
        with pytest.raises(WrongKeyLifecycleState):
            kms.do(ALICE, Operation.CHECK, request)
