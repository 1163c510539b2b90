"""Cryptographic usage masks (KMIP 2.1 §4.17), and usage limits (KMIP 2.1 §4.64)."""

from __future__ import annotations

import pytest

from kms_tornado.domain.usage import (
    check_usage_left,
    check_usage_mask,
    consume_usage,
    is_partly_consumed,
    reset_usage_limits,
)
from kms_tornado.errors import (
    IncompatibleCryptographicUsageMask,
    InvalidAttributeValue,
    PermissionDenied,
)
from kms_tornado.kmip.enums import CryptographicUsageMask as Mask
from kms_tornado.kmip.enums import UsageLimitsUnit
from kms_tornado.kmip.structures import UsageLimits


@pytest.mark.parametrize("needed", [Mask.ENCRYPT, Mask.DECRYPT])
@pytest.mark.parametrize("bit", Mask)
def test_a_bit_allows_itself_alone_and_unrestricted_allows_all(needed, bit):
    if bit in {needed, Mask.UNRESTRICTED}:
        check_usage_mask(int(bit), needed)
    else:
        with pytest.raises(IncompatibleCryptographicUsageMask, match=needed.name):
            check_usage_mask(int(bit), needed)


@pytest.mark.parametrize("mask", [None, 12, 2108], ids=["none", "both", "cosmian_kms"])
def test_masks_of_the_published_clients_allow_encryption(mask):
    check_usage_mask(mask, Mask.ENCRYPT)
    check_usage_mask(mask, Mask.DECRYPT)


def test_a_mask_without_bits_allows_nothing():
    with pytest.raises(IncompatibleCryptographicUsageMask):
        check_usage_mask(0, Mask.ENCRYPT)


# --- usage limits -------------------------------------------------------------------------------

BYTE, OBJECT = UsageLimitsUnit.BYTE, UsageLimitsUnit.OBJECT


@pytest.mark.parametrize(
    ("unit", "left", "size", "after"),
    [
        pytest.param(BYTE, 16, 15, 1, id="bytes"),
        pytest.param(BYTE, 16, 16, 0, id="the last bytes"),
        pytest.param(BYTE, 16, 17, None, id="a byte too many"),
        pytest.param(BYTE, 16, 0, 15, id="no bytes count as one"),
        pytest.param(BYTE, 1, 0, 0, id="no bytes are the last byte"),
        pytest.param(BYTE, 0, 0, None, id="no bytes of nothing"),
        pytest.param(OBJECT, 2, 1000, 1, id="objects count one each"),
        pytest.param(OBJECT, 1, 0, 0, id="the last object"),
        pytest.param(OBJECT, 0, 0, None, id="no object is left"),
        pytest.param(OBJECT, -1, 0, None, id="less than nothing"),
    ],
)
def test_protection_is_taken_off_what_is_left(unit, left, size, after):
    limits = UsageLimits(100, left, unit)
    if after is None:
        with pytest.raises(PermissionDenied):
            consume_usage(limits, size)
    else:
        assert consume_usage(limits, size) == UsageLimits(100, after, unit)


@pytest.mark.parametrize("count", [None, 0, 7, 10**12])
def test_new_limits_are_whole_whatever_a_client_says_of_them(count):
    limits = reset_usage_limits(UsageLimits(10, count, BYTE))
    assert limits == UsageLimits(10, 10, BYTE)
    assert not is_partly_consumed(limits)
    assert is_partly_consumed(consume_usage(limits, 1))


@pytest.mark.parametrize("limits", [UsageLimits(-1, None, BYTE), UsageLimits(5)])
def test_limits_that_mean_nothing_are_refused(limits):
    with pytest.raises(InvalidAttributeValue):
        reset_usage_limits(limits)


def test_what_has_no_limit_is_never_spent():
    check_usage_left(None)
    check_usage_left(UsageLimits(1, 1, OBJECT))
    with pytest.raises(PermissionDenied):
        check_usage_left(UsageLimits(1, 0, OBJECT))
