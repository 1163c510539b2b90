"""What a key may be used for, and how often: usage mask and usage limits (KMIP 2.1 §4.17, §4.64)."""

from __future__ import annotations

import dataclasses

from ..errors import (
    IncompatibleCryptographicUsageMask,
    InvalidAttributeValue,
    InvalidField,
    PermissionDenied,
    UsageLimitExceeded,
)
from ..kmip.enums import CryptographicUsageMask, UsageLimitsUnit
from ..kmip.structures import UsageLimits

# A plain number: an operator of an IntFlag makes a new member each time, which takes twenty times as long.
_UNRESTRICTED = int(CryptographicUsageMask.UNRESTRICTED)

#: The bits for applying protection; the others process protected data, or move keys.
PROTECTING = frozenset(
    {
        CryptographicUsageMask.SIGN,
        CryptographicUsageMask.ENCRYPT,
        CryptographicUsageMask.WRAP_KEY,
        CryptographicUsageMask.MAC_GENERATE,
        CryptographicUsageMask.CERTIFICATE_SIGN,
        CryptographicUsageMask.CRL_SIGN,
        CryptographicUsageMask.AUTHENTICATE,
        CryptographicUsageMask.FPE_ENCRYPT,
    }
)


def split_usage_mask(mask: int) -> tuple[CryptographicUsageMask, ...]:
    """The bits that are set. Raises InvalidField for a bit that KMIP does not define."""
    bits = tuple(bit for bit in CryptographicUsageMask if mask & bit)
    if mask < 0 or sum(bits) != mask:
        raise InvalidField("CryptographicUsageMask has bits that mean nothing")
    return bits


def check_usage_mask(mask: int | None, needed: CryptographicUsageMask) -> None:
    """Raises IncompatibleCryptographicUsageMask unless the mask has the bit.

    Neither a key without a mask (cloudproof_kms_js creates such keys) nor one with Unrestricted is limited.
    """
    if mask is None or int(mask) & (int(needed) | _UNRESTRICTED):
        return
    raise IncompatibleCryptographicUsageMask(
        f"the key's usage mask does not allow {needed.name or needed}"
    )


def reset_usage_limits(requested: UsageLimits) -> UsageLimits:
    """Limits of which nothing is used: the server keeps the count and ignores the client's.

    Raises InvalidAttributeValue.
    """
    if requested.usage_limits_total < 0:
        raise InvalidAttributeValue("UsageLimitsTotal may not be negative")
    if requested.usage_limits_unit is None:
        raise InvalidAttributeValue("UsageLimits needs a UsageLimitsUnit")
    return dataclasses.replace(requested, usage_limits_count=requested.usage_limits_total)


def remaining_units(limits: UsageLimits) -> int:
    """The units that are left."""
    count = limits.usage_limits_count
    return limits.usage_limits_total if count is None else count


def is_partly_consumed(limits: UsageLimits) -> bool:
    """Whether any units were consumed; from then on neither total nor unit may change."""
    return remaining_units(limits) != limits.usage_limits_total


def check_usage_left(limits: UsageLimits | None) -> None:
    """Raises PermissionDenied where nothing is left. limits: None where there are none."""
    if limits is not None and remaining_units(limits) <= 0:
        raise PermissionDenied("the key's usage limit is spent")


def check_units_left(limits: UsageLimits | None, units: int) -> None:
    """Raises UsageLimitExceeded where fewer units are left than the client means to use."""
    if limits is not None and units > remaining_units(limits):
        raise UsageLimitExceeded("the key's usage limit leaves less than that")


def consume_usage(limits: UsageLimits, size: int) -> UsageLimits:
    """The limits after protecting size bytes once: the unit Byte counts bytes, Object counts operations.

    size: of everything that the key's use covers: data, and additional data beside it. A use without
    any counts as one byte, for even the tag of an empty message is worth something to a forger.
    Raises PermissionDenied where that is more than is left.
    """
    check_usage_left(limits)
    units = max(1, size) if limits.usage_limits_unit is UsageLimitsUnit.BYTE else 1
    if units > remaining_units(limits):
        raise PermissionDenied("the key's usage limit leaves less than that")
    return dataclasses.replace(limits, usage_limits_count=remaining_units(limits) - units)
