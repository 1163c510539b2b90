"""What a replacement key takes over from the key it replaces (KMIP 2.1 §6.1.47), by the rule alone."""

from __future__ import annotations

import pytest

from kms_tornado.domain.rotation import (
    check_not_cover_crypt,
    check_not_replaced,
    make_replacement,
    mark_latest,
    mark_replaced,
)
from kms_tornado.errors import (
    FeatureNotSupported,
    InvalidAttribute,
    InvalidField,
    WrongKeyLifecycleState,
)
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import CryptographicAlgorithm, LinkType, ObjectType, State
from kms_tornado.kmip.structures import Link, Name, VendorAttribute

NOW = 1_800_000_000
OLD = Attributes(
    object_type=ObjectType.SYMMETRIC_KEY,
    state=State.ACTIVE,
    cryptographic_algorithm=CryptographicAlgorithm.AES,
    cryptographic_length=256,
    names=(Name("payroll"),),
    initial_date=NOW - 100,
    activation_date=NOW - 100,
    deactivation_date=NOW + 1000,
)


NOTHING = Attributes()


def replaced_by(requested: Attributes = NOTHING, *, offset: int | None = None) -> Attributes:
    return make_replacement(OLD, requested, offset=offset, now=NOW, uid="old")


def test_what_a_client_could_ask_for_is_taken_over_and_a_link_leads_to_the_old_key():
    new = replaced_by()
    assert new.names == OLD.names
    assert new.cryptographic_algorithm is CryptographicAlgorithm.AES
    assert new.links == (Link(LinkType.REPLACED_OBJECT_LINK, "old"),)


@pytest.mark.parametrize("field", ["object_type", "state", "initial_date", "unique_identifier"])
def test_what_belongs_to_one_key_is_not_taken_over(field):
    assert getattr(replaced_by(), field) is None


def test_offset_moves_the_dates_as_far_as_the_activation():
    new = replaced_by(offset=50)
    assert new.activation_date == NOW + 50
    assert new.deactivation_date == NOW + 50 + 1100


def test_date_that_has_passed_is_left_out():
    old = OLD.replace(deactivation_date=NOW)
    assert (
        make_replacement(old, Attributes(), offset=None, now=NOW, uid="o").deactivation_date is None
    )


def test_negative_offset_is_refused():
    with pytest.raises(InvalidField):
        replaced_by(offset=-1)


@pytest.mark.parametrize(
    "requested",
    [
        pytest.param(Attributes(cryptographic_length=128), id="another length"),
        pytest.param(Attributes(cryptographic_usage_mask=4), id="another mask"),
        pytest.param(Attributes(state=State.ACTIVE), id="the server's"),
    ],
)
def test_request_may_not_change_what_modify_attribute_could_not(requested):
    with pytest.raises(InvalidAttribute):
        replaced_by(requested)


def test_request_may_repeat_algorithm_and_length():
    assert replaced_by(Attributes(cryptographic_length=256)).cryptographic_length == 256


def test_protection_is_never_weaker_than_the_old_key_s():
    old = OLD.replace(sensitive=True, extractable=False)
    new = make_replacement(old, Attributes(), offset=None, now=NOW, uid="o")
    assert (new.sensitive, new.extractable) == (True, False)
    with pytest.raises(InvalidAttribute):
        make_replacement(old, Attributes(sensitive=False), offset=None, now=NOW, uid="o")


def test_requested_vendor_attribute_wins_by_vendor_and_name():
    one, two, other = (
        VendorAttribute.of_bytes(vendor, "n", value)
        for vendor, value in (("x", b"1"), ("x", b"2"), ("y", b"1"))
    )
    old = OLD.replace(vendor_attributes=(one, other))
    requested = Attributes(vendor_attributes=(two,))
    new = make_replacement(old, requested, offset=None, now=NOW, uid="o")
    assert new.vendor_attributes == (other, two)


def test_old_key_gives_its_name_away_and_is_replaced_once():
    old = mark_replaced(OLD, new_uid="new", now=NOW)
    assert old.names == ()
    assert old.rotate_latest is False
    assert old.links == (Link(LinkType.REPLACEMENT_OBJECT_LINK, "new"),)
    check_not_replaced(OLD)
    with pytest.raises(WrongKeyLifecycleState):
        check_not_replaced(old)


def test_new_key_is_the_latest_of_its_line():
    new = mark_latest(Attributes(), OLD.replace(rotate_generation=2), now=NOW)
    assert (new.rotate_generation, new.rotate_latest, new.rotate_date) == (3, True, NOW)


def test_cover_crypt_is_not_supported():
    check_not_cover_crypt(OLD)
    rekey = VendorAttribute.of_bytes("cosmian", "cover_crypt_rekey_action", b"x")
    with pytest.raises(FeatureNotSupported):
        check_not_cover_crypt(OLD, Attributes(vendor_attributes=(rekey,)))
