"""Cryptographic usage masks (KMIP 2.1 §4.17), and usage limits (KMIP 2.1 §4.64)."""

from __future__ import annotations

import pytest

from kms_tornado.crypto.keys.symmetric import KEY_LENGTHS
from kms_tornado.crypto.mac import HMACS
from kms_tornado.domain.managed_object import ManagedObject, UniqueIdentifier
from kms_tornado.domain.usage import (
    check_usage_left,
    check_usage_mask,
    consume_usage,
    default_usage_mask,
    is_partly_consumed,
    reset_usage_limits,
)
from kms_tornado.errors import (
    IncompatibleCryptographicUsageMask,
    InvalidAttributeValue,
    PermissionDenied,
)
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import CryptographicAlgorithm as Algorithm
from kms_tornado.kmip.enums import CryptographicUsageMask as Mask
from kms_tornado.kmip.enums import ObjectType, State, UsageLimitsUnit
from kms_tornado.kmip.structures import UsageLimits
from kms_tornado.kmip.tables import format_name

from ..rows import each_row


def an_object(mask, object_type=ObjectType.SYMMETRIC_KEY, algorithm=Algorithm.AES):
    attributes = Attributes(cryptographic_algorithm=algorithm, cryptographic_usage_mask=mask)
    uid = UniqueIdentifier("key")
    return ManagedObject(uid, "alice", object_type, State.ACTIVE, attributes, frozenset(), None, 0)


@each_row("needed", [Mask.ENCRYPT, Mask.DECRYPT])
@each_row("bit", Mask)
def test_a_bit_allows_itself_alone_and_unrestricted_allows_all(needed, bit):
    if bit in {needed, Mask.UNRESTRICTED}:
        check_usage_mask(an_object(int(bit)), needed)
    else:
        with pytest.raises(IncompatibleCryptographicUsageMask, match=format_name(needed)):
            check_usage_mask(an_object(int(bit)), needed)


@pytest.mark.parametrize("mask", [None, 12, 2108], ids=["none", "both", "cosmian_kms"])
def test_masks_of_the_published_clients_allow_encryption(mask):
    check_usage_mask(an_object(mask), Mask.ENCRYPT)
    check_usage_mask(an_object(mask), Mask.DECRYPT)


def test_a_mask_without_bits_allows_nothing():
    with pytest.raises(IncompatibleCryptographicUsageMask):
        check_usage_mask(an_object(0), Mask.ENCRYPT)


CIPHER = Mask.ENCRYPT | Mask.DECRYPT
WRAPPING = Mask.WRAP_KEY | Mask.UNWRAP_KEY
MACS = Mask.MAC_GENERATE | Mask.MAC_VERIFY
A, Kind = Algorithm, ObjectType

#: (object type, algorithm) → what an object without a mask may be used for.
DEFAULTS = {
    (Kind.SYMMETRIC_KEY, A.AES): CIPHER | WRAPPING,
    (Kind.SYMMETRIC_KEY, A.CHACHA20): CIPHER,
    (Kind.SYMMETRIC_KEY, A.CHACHA20_POLY1305): CIPHER,
    (Kind.SYMMETRIC_KEY, A.THREE_DES): CIPHER,
    **{(Kind.SYMMETRIC_KEY, algorithm): MACS for algorithm in HMACS},
    (Kind.SYMMETRIC_KEY, A.SEED): 0,
    (Kind.SYMMETRIC_KEY, None): 0,
    (Kind.PRIVATE_KEY, A.RSA): Mask.SIGN | Mask.DECRYPT | Mask.UNWRAP_KEY,
    (Kind.PUBLIC_KEY, A.RSA): Mask.VERIFY | Mask.ENCRYPT | Mask.WRAP_KEY,
    (Kind.CERTIFICATE, A.RSA): Mask.VERIFY | Mask.ENCRYPT,
    **{(Kind.PRIVATE_KEY, each): Mask.SIGN for each in (A.EC, A.ECDSA, A.ED25519, A.DSA)},
    **{(Kind.PUBLIC_KEY, each): Mask.VERIFY for each in (A.EC, A.ECDSA, A.ED25519, A.DSA)},
    **{(Kind.CERTIFICATE, each): Mask.VERIFY for each in (A.EC, A.ECDSA, A.ED25519, A.DSA)},
    **{
        (each, A.ECDH): Mask.KEY_AGREEMENT
        for each in (Kind.PRIVATE_KEY, Kind.PUBLIC_KEY, Kind.CERTIFICATE)
    },
    (Kind.PRIVATE_KEY, None): 0,
    (Kind.CERTIFICATE, None): 0,
    (Kind.SECRET_DATA, None): Mask.DERIVE_KEY,
    (Kind.SECRET_DATA, A.AES): Mask.DERIVE_KEY,
    (Kind.SECRET_DATA, A.HMAC_SHA256): Mask.DERIVE_KEY,
    (Kind.OPAQUE_OBJECT, None): 0,
}


@each_row(("object_type", "algorithm"), DEFAULTS)
def test_an_object_without_a_mask_has_the_uses_of_its_type_and_algorithm(object_type, algorithm):
    allowed = DEFAULTS[object_type, algorithm]
    assert default_usage_mask(object_type, algorithm) == allowed
    for needed in Mask:
        if needed & allowed:
            check_usage_mask(an_object(None, object_type, algorithm), needed)
        else:
            with pytest.raises(IncompatibleCryptographicUsageMask):
                check_usage_mask(an_object(None, object_type, algorithm), needed)


def test_every_symmetric_algorithm_of_the_server_has_a_default_mask():
    assert {(Kind.SYMMETRIC_KEY, algorithm) for algorithm in KEY_LENGTHS} <= set(DEFAULTS)


@each_row("object_type", ObjectType)
def test_no_default_mask_derives_and_does_something_else(object_type):
    for algorithm in [None, *Algorithm]:
        mask = default_usage_mask(object_type, algorithm)
        assert not mask & Mask.UNRESTRICTED, algorithm
        assert not mask & Mask.DERIVE_KEY or mask == Mask.DERIVE_KEY, algorithm


# --- usage limits -------------------------------------------------------------------------------

BYTE, OBJECT = UsageLimitsUnit.BYTE, UsageLimitsUnit.OBJECT


@each_row(
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
