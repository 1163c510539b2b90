"""What a key may be used for: its Cryptographic Usage Mask and its Usage Limits (KMIP 2.1 §4.17, §4.64)."""

from __future__ import annotations

import dataclasses

from ..errors import IncompatibleCryptographicUsageMask, InvalidAttributeValue, PermissionDenied
from ..kmip.enums import CryptographicUsageMask, UsageLimitsUnit
from ..kmip.structures import UsageLimits


def check_usage(mask: int | None, needed: CryptographicUsageMask) -> None:
    """Raises IncompatibleCryptographicUsageMask unless the mask has the bit.

    No mask restricts nothing (cloudproof_kms_js creates keys without one); nor does Unrestricted.
    """
    if mask is None or mask & (needed | CryptographicUsageMask.UNRESTRICTED):
        return
    raise IncompatibleCryptographicUsageMask(
        f"the key's usage mask does not allow {needed.name or needed}"
    )


def fresh_limits(wanted: UsageLimits) -> UsageLimits:
    """Limits of which nothing is spent: the count is the server's, whatever a client says of it.

    Raises InvalidAttributeValue.
    """
    if wanted.usage_limits_total < 0:
        raise InvalidAttributeValue("UsageLimitsTotal may not be negative")
    if wanted.usage_limits_unit is None:
        raise InvalidAttributeValue("UsageLimits needs a UsageLimitsUnit")
    return dataclasses.replace(wanted, usage_limits_count=wanted.usage_limits_total)


def remaining(limits: UsageLimits) -> int:
    """Units that are left."""
    count = limits.usage_limits_count
    return limits.usage_limits_total if count is None else count


def is_begun(limits: UsageLimits) -> bool:
    """Something was spent: from then on neither total nor unit may change."""
    return remaining(limits) != limits.usage_limits_total


def check_left(limits: UsageLimits | None) -> None:
    """Raises PermissionDenied where nothing is left; None: there is no limit."""
    if limits is not None and remaining(limits) <= 0:
        raise PermissionDenied("the key's usage limit is spent")


def spent(limits: UsageLimits, size: int) -> UsageLimits:
    """The limits after one protection of so many bytes: Byte counts them, Object counts one.

    Raises PermissionDenied where that is more than is left; nothing is spent then.
    """
    check_left(limits)
    units = size if limits.usage_limits_unit is UsageLimitsUnit.BYTE else 1
    if units > remaining(limits):
        raise PermissionDenied("the key's usage limit leaves less than that")
    return dataclasses.replace(limits, usage_limits_count=remaining(limits) - units)
