"""What one use of a key takes off its Usage Limits (KMIP 2.1 §4.64): data and additional data, never nothing."""

from __future__ import annotations

import pytest

from kms_tornado.errors import (
    AttributeNotFound,
    IncompatibleCryptographicUsageMask,
    InvalidField,
    ItemNotFound,
    PermissionDenied,
    UsageLimitExceeded,
    WrongKeyLifecycleState,
)
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import (
    BlockCipherMode,
    CryptographicAlgorithm,
    DerivationMethod,
    HashingAlgorithm,
    ObjectType,
    Operation,
    UsageLimitsUnit,
    WrappingMethod,
)
from kms_tornado.kmip.enums import CryptographicUsageMask as Mask
from kms_tornado.kmip.objects import EncryptionKeyInformation, KeyWrappingSpecification
from kms_tornado.kmip.payloads import (
    CheckRequest,
    CreateKeyPairRequest,
    DeriveKeyRequest,
    EncryptRequest,
    GetRequest,
    GetUsageAllocationRequest,
    MACRequest,
    SignRequest,
)
from kms_tornado.kmip.structures import (
    CryptographicParameters,
    DerivationParameters,
    UsageLimits,
)

from ..rows import each_row
from .inside import ALICE, BOB, START, Inside

LIMIT = 100


@pytest.fixture
def kms(tmp_path):
    with Inside(tmp_path) as inside:
        yield inside


def limits(total: int = LIMIT, unit: UsageLimitsUnit = UsageLimitsUnit.BYTE) -> UsageLimits:
    return UsageLimits(total, None, unit)


def left(kms: Inside, key: str) -> int:
    found = kms.known(key).usage_limits
    assert found is not None
    assert found.usage_limits_count is not None
    return found.usage_limits_count


def limited(kms: Inside, mask: Mask, total: int = LIMIT, algorithm: str = "AES") -> str:
    return kms.create(
        cryptographic_algorithm=CryptographicAlgorithm[algorithm],
        cryptographic_usage_mask=int(mask),
        usage_limits=limits(total),
    )


# --- one use, whole -----------------------------------------------------------------------------


def encrypted(kms, total, data=b"", aad=None, mode=None):
    key = limited(kms, Mask.ENCRYPT, total)
    parameters = None if mode is None else CryptographicParameters(mode)
    kms.do(
        ALICE,
        Operation.ENCRYPT,
        EncryptRequest(key, parameters, data, authenticated_encryption_additional_data=aad),
    )
    return key


def maced(kms, total, data=b""):
    key = limited(kms, Mask.MAC_GENERATE, total, "HMAC_SHA256")
    kms.do(ALICE, Operation.MAC, MACRequest(key, data=data))
    return key


def signed(kms, total, **request):
    made = kms.do(
        ALICE,
        Operation.CREATE_KEY_PAIR,
        CreateKeyPairRequest(
            Attributes(cryptographic_algorithm=CryptographicAlgorithm.EC),
            Attributes(
                cryptographic_usage_mask=int(Mask.SIGN),
                usage_limits=limits(total),
            ),
            Attributes(cryptographic_usage_mask=int(Mask.VERIFY)),
        ),
    )
    key = made.private_key_unique_identifier
    kms.do(ALICE, Operation.SIGN, SignRequest(key, **request))
    return key


def encrypted_by_rsa(kms, total, data=b""):
    made = kms.do(
        ALICE,
        Operation.CREATE_KEY_PAIR,
        CreateKeyPairRequest(
            Attributes(
                cryptographic_algorithm=CryptographicAlgorithm.RSA, cryptographic_length=2048
            ),
            Attributes(cryptographic_usage_mask=int(Mask.DECRYPT)),
            Attributes(
                cryptographic_usage_mask=int(Mask.ENCRYPT),
                usage_limits=limits(total),
            ),
        ),
    )
    key = made.public_key_unique_identifier
    kms.do(ALICE, Operation.ENCRYPT, EncryptRequest(key, data=data))
    return key


def wrapped(kms, total):
    key = limited(kms, Mask.WRAP_KEY, total)
    specification = KeyWrappingSpecification(WrappingMethod.ENCRYPT, EncryptionKeyInformation(key))
    other = kms.create(cryptographic_length=256)
    kms.do(ALICE, Operation.GET, GetRequest(other, key_wrapping_specification=specification))
    return key


def derived(kms, total):
    key = limited(kms, Mask.DERIVE_KEY, total)
    request = DeriveKeyRequest(
        ObjectType.SYMMETRIC_KEY,
        (key,),
        derivation_method=DerivationMethod.HKDF,
        derivation_parameters=DerivationParameters(
            CryptographicParameters(hashing_algorithm=HashingAlgorithm.SHA_256),
            derivation_data=b"a label",
        ),
        attributes=Attributes(
            cryptographic_algorithm=CryptographicAlgorithm.AES,
            cryptographic_length=256,
            cryptographic_usage_mask=int(Mask.ENCRYPT),
        ),
    )
    kms.do(ALICE, Operation.DERIVE_KEY, request)
    return key


USES = [
    pytest.param(encrypted, {"data": b"12345"}, 5, id="encrypt"),
    pytest.param(encrypted, {"data": b"12345", "aad": b"678"}, 8, id="encrypt with AAD"),
    pytest.param(encrypted, {"aad": b"678"}, 3, id="authenticate AAD alone"),
    pytest.param(encrypted, {}, 1, id="encrypt nothing"),
    pytest.param(encrypted, {"aad": b""}, 1, id="encrypt nothing with nothing"),
    pytest.param(encrypted, {"mode": BlockCipherMode.CTR}, 1, id="encrypt nothing by CTR"),
    pytest.param(encrypted_by_rsa, {"data": b"12345"}, 5, id="encrypt by RSA"),
    pytest.param(encrypted_by_rsa, {}, 1, id="encrypt nothing by RSA"),
    pytest.param(maced, {"data": b"12345"}, 5, id="MAC"),
    pytest.param(maced, {}, 1, id="MAC of nothing"),
    pytest.param(signed, {"data": b"12345"}, 5, id="sign"),
    pytest.param(signed, {"data": b""}, 1, id="sign nothing"),
    pytest.param(signed, {"digested_data": bytes(32)}, 32, id="sign a digest"),
    pytest.param(derived, {}, 32, id="derive"),
]


@each_row(("use", "request_", "units"), USES)
def test_use_takes_all_that_it_protects_and_one_byte_at_least(kms, use, request_, units):
    assert left(kms, use(kms, LIMIT, **request_)) == LIMIT - units


@each_row(("use", "request_", "units"), USES)
def test_use_that_takes_the_last_byte_passes_and_one_byte_less_is_refused(
    kms, use, request_, units
):
    assert left(kms, use(kms, units, **request_)) == 0
    with pytest.raises(PermissionDenied):
        use(kms, units - 1, **request_)


def test_wrapping_takes_what_is_wrapped(kms):
    assert left(kms, wrapped(kms, LIMIT)) <= LIMIT - 32


def test_empty_messages_come_to_an_end(kms):
    key = limited(kms, Mask.ENCRYPT | Mask.DECRYPT, 2)
    boxes = [kms.encrypt(key, b"") for _ in range(2)]
    with pytest.raises(PermissionDenied):
        kms.encrypt(key, b"")
    assert [kms.decrypt(box) for box in boxes] == [b"", b""], "processing is not limited"


def test_unit_object_counts_uses_whatever_their_additional_data(kms):
    key = kms.create(
        cryptographic_usage_mask=int(Mask.ENCRYPT), usage_limits=limits(2, UsageLimitsUnit.OBJECT)
    )
    request = EncryptRequest(key, data=b"", authenticated_encryption_additional_data=bytes(50))
    kms.do(ALICE, Operation.ENCRYPT, request)
    assert left(kms, key) == 1


# --- in parts -----------------------------------------------------------------------------------


def part(kms, key, data, value=None, *, aad=None, is_last=False):
    request = EncryptRequest(
        key,
        data=data,
        correlation_value=value,
        init_indicator=True if value is None else None,
        final_indicator=True if is_last else None,
        authenticated_encryption_additional_data=aad,
    )
    return kms.do(ALICE, Operation.ENCRYPT, request).correlation_value


def test_first_part_takes_its_additional_data_and_each_part_one_byte_at_least(kms):
    key = limited(kms, Mask.ENCRYPT)
    value = part(kms, key, b"12345", aad=b"678")
    assert left(kms, key) == LIMIT - 8
    value = part(kms, key, b"90", value)
    assert left(kms, key) == LIMIT - 10
    value = part(kms, key, b"", value)
    assert left(kms, key) == LIMIT - 11
    part(kms, key, b"", value, is_last=True)
    assert left(kms, key) == LIMIT - 12


def test_additional_data_of_a_first_part_is_refused_beyond_the_limit(kms):
    key = limited(kms, Mask.ENCRYPT, 7)
    with pytest.raises(PermissionDenied):
        part(kms, key, b"12345", aad=b"678")
    assert left(kms, key) == 7
    part(kms, key, b"12345", aad=b"67")


def test_parts_of_a_mac_take_one_byte_each_at_least(kms):
    key = limited(kms, Mask.MAC_GENERATE, algorithm="HMAC_SHA256")
    first = kms.do(ALICE, Operation.MAC, MACRequest(key, data=b"", init_indicator=True))
    assert left(kms, key) == LIMIT - 1
    value = first.correlation_value
    kms.do(ALICE, Operation.MAC, MACRequest(key, correlation_value=value, final_indicator=True))
    assert left(kms, key) == LIMIT - 2


# --- GetUsageAllocation (§6.1.23) ---------------------------------------------------------------


def allocate(kms, key, units, user=ALICE):
    request = GetUsageAllocationRequest(key, usage_limits_count=units)
    return kms.do(user, Operation.GET_USAGE_ALLOCATION, request)


def test_allocation_counts_as_used_beside_what_the_server_itself_protects(kms):
    """As the OASIS case TC-51 has it, with an Encrypt between."""
    key = limited(kms, Mask.ENCRYPT)
    kms.do(ALICE, Operation.CHECK, CheckRequest(key, usage_limits_count=50))
    assert allocate(kms, key, 50).unique_identifier == key
    kms.encrypt(key, bytes(10))
    assert left(kms, key) == 40
    for ask in (
        lambda: kms.do(ALICE, Operation.CHECK, CheckRequest(key, usage_limits_count=41)),
        lambda: allocate(kms, key, 41),
    ):
        with pytest.raises(UsageLimitExceeded):
            ask()
    allocate(kms, key, 40)
    with pytest.raises(PermissionDenied):
        kms.encrypt(key, b"x")
    with pytest.raises(UsageLimitExceeded):
        allocate(kms, key, 1)
    assert left(kms, key) == 0


@pytest.mark.parametrize("unit", UsageLimitsUnit)
def test_allocation_is_in_the_unit_of_the_limits(kms, unit):
    key = kms.create(cryptographic_usage_mask=int(Mask.ENCRYPT), usage_limits=limits(9, unit))
    allocate(kms, key, 8)
    assert left(kms, key) == 1


@pytest.mark.parametrize(
    ("units", "error"),
    [
        (0, InvalidField),
        (-1, InvalidField),
        (-(2**63), InvalidField),
        (LIMIT + 1, UsageLimitExceeded),
        (2**63 - 1, UsageLimitExceeded),
    ],
)
def test_allocation_of_nothing_of_less_or_of_too_much_is_refused(kms, units, error):
    key = limited(kms, Mask.ENCRYPT)
    with pytest.raises(error):
        allocate(kms, key, units)
    assert left(kms, key) == LIMIT


def test_check_of_a_negative_count_is_refused(kms):
    key = limited(kms, Mask.ENCRYPT)
    with pytest.raises(InvalidField):
        kms.do(ALICE, Operation.CHECK, CheckRequest(key, usage_limits_count=-1))


def test_key_without_limits_or_that_never_protects_has_nothing_to_allocate(kms):
    with pytest.raises(AttributeNotFound):
        allocate(kms, kms.create(), 1)
    key = limited(kms, Mask.DECRYPT | Mask.UNWRAP_KEY | Mask.DERIVE_KEY)
    with pytest.raises(IncompatibleCryptographicUsageMask):
        allocate(kms, key, 1)
    assert left(kms, key) == LIMIT


@pytest.mark.parametrize(
    ("seconds", "is_given"),
    [
        pytest.param(0, False, id="Pre-Active"),
        pytest.param(10, True, id="Active"),
        pytest.param(15, False, id="after the Protect Stop Date"),
        pytest.param(20, False, id="Deactivated"),
    ],
)
def test_allocation_is_given_while_the_key_protects(kms, seconds, is_given):
    key = kms.create(
        cryptographic_usage_mask=int(Mask.ENCRYPT),
        usage_limits=limits(),
        activation_date=START + 10,
        protect_stop_date=START + 15,
        deactivation_date=START + 20,
    )
    kms.clock = START + seconds
    if is_given:
        allocate(kms, key, 1)
    else:
        with pytest.raises(WrongKeyLifecycleState):
            allocate(kms, key, 1)
    assert left(kms, key) == LIMIT - is_given


def test_right_to_get_a_key_is_none_to_use_up_its_limits(kms):
    key = limited(kms, Mask.ENCRYPT)
    kms.grant(key, BOB, Operation.GET, Operation.CHECK, Operation.OBTAIN_LEASE)
    with pytest.raises(ItemNotFound):
        allocate(kms, key, 1, user=BOB)
    kms.grant(key, BOB, Operation.GET_USAGE_ALLOCATION)
    allocate(kms, key, 1, user=BOB)
    assert left(kms, key) == LIMIT - 1


def test_limits_stay_as_they_are_once_some_of_them_are_allocated(kms):
    key = limited(kms, Mask.ENCRYPT)
    allocate(kms, key, 1)
    with pytest.raises(Exception, match="UsageLimits cannot change"):
        kms.modify(key, "usage_limits", limits(10**6))
