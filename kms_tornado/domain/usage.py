"""What a key may be used for, and how often: usage mask and usage limits (KMIP 2.1 §4.17, §4.64)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

from ..errors import (
    AttributeNotFound,
    IncompatibleCryptographicUsageMask,
    InvalidAttributeValue,
    InvalidField,
    KeyFormatTypeNotSupported,
    PermissionDenied,
    UsageLimitExceeded,
)
from ..kmip.enums import (
    CryptographicAlgorithm,
    CryptographicUsageMask,
    KeyFormatType,
    ObjectType,
    UsageLimitsUnit,
)
from ..kmip.structures import UsageLimits
from ..kmip.tables import format_name
from .managed_object import ManagedObject

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
_PROTECTING_BITS = sum(PROTECTING)


_A, _M, _O = CryptographicAlgorithm, CryptographicUsageMask, ObjectType

_ENCRYPTION = _M.ENCRYPT | _M.DECRYPT
_WRAPPING = _M.WRAP_KEY | _M.UNWRAP_KEY
_MACS = _M.MAC_GENERATE | _M.MAC_VERIFY
_SIGNING = frozenset({_A.EC, _A.ECDSA, _A.ED25519, _A.ED448, _A.DSA})

#: (object type, algorithm) → the uses of an object for which no client named any: what keys of the
#: algorithm are for, and nothing else. Two uses of one key may give the same result; one of them may show
#: what the other one hides, so whoever wants more names it. An object without a row has no use.
_DEFAULT_MASKS: Mapping[tuple[ObjectType, CryptographicAlgorithm], int] = MappingProxyType(
    {
        # cloudproof_kms_js names no mask, and both encrypts and wraps with the keys that it creates.
        (_O.SYMMETRIC_KEY, _A.AES): int(_ENCRYPTION | _WRAPPING),
        **{
            (_O.SYMMETRIC_KEY, algorithm): int(_ENCRYPTION)
            for algorithm in (_A.CHACHA20, _A.CHACHA20_POLY1305, _A.THREE_DES)
        },
        **{
            (_O.SYMMETRIC_KEY, algorithm): int(_MACS)
            for algorithm in _A
            if algorithm.name.startswith("HMAC_")
        },
        (_O.PRIVATE_KEY, _A.RSA): int(_M.SIGN | _M.DECRYPT | _M.UNWRAP_KEY),
        (_O.PUBLIC_KEY, _A.RSA): int(_M.VERIFY | _M.ENCRYPT | _M.WRAP_KEY),
        (_O.CERTIFICATE, _A.RSA): int(_M.VERIFY | _M.ENCRYPT),
        **{(_O.PRIVATE_KEY, algorithm): int(_M.SIGN) for algorithm in _SIGNING},
        **{
            (object_type, algorithm): int(_M.VERIFY)
            for object_type in (_O.PUBLIC_KEY, _O.CERTIFICATE)
            for algorithm in _SIGNING
        },
        **{
            (object_type, algorithm): int(_M.KEY_AGREEMENT)
            for object_type in (_O.PRIVATE_KEY, _O.PUBLIC_KEY, _O.CERTIFICATE)
            for algorithm in (_A.ECDH, _A.ECMQV, _A.DH)
        },
    }
)


def default_usage_mask(object_type: ObjectType, algorithm: CryptographicAlgorithm | None) -> int:
    """The usage mask of an object for which no client stated one.

    Secret data, for whatever algorithm, may be used to derive keys, which is how a password becomes a key. It is not
    for MACs: a password could be guessed from the MACs of data that the guesser chose.
    """
    if object_type is _O.SECRET_DATA:
        return int(_M.DERIVE_KEY)
    return 0 if algorithm is None else _DEFAULT_MASKS.get((object_type, algorithm), 0)


def usage_mask_of(target: ManagedObject) -> int:
    """The object's usage mask. One that was stored without a mask by an older server has the default."""
    mask = target.attributes.cryptographic_usage_mask
    if mask is None:
        return default_usage_mask(target.object_type, target.attributes.cryptographic_algorithm)
    return int(mask)


def split_usage_mask(mask: int) -> tuple[CryptographicUsageMask, ...]:
    """The bits that are set. Raises InvalidField for a bit that KMIP does not define."""
    bits = tuple(bit for bit in CryptographicUsageMask if mask & bit)
    if mask < 0 or sum(bits) != mask:
        raise InvalidField("CryptographicUsageMask has bits that mean nothing")
    return bits


def is_opaque_key(target: ManagedObject) -> bool:
    """Whether the object is a symmetric key whose octets only its client understands.

    Secret data never is: its octets are the secret in either format, and PyKMIP calls all of it Opaque.
    """
    return (
        target.object_type is ObjectType.SYMMETRIC_KEY
        and target.attributes.key_format_type is KeyFormatType.OPAQUE
    )


def check_is_not_opaque(target: ManagedObject) -> None:
    """Refuse to use a key that the server only keeps. Raises KeyFormatTypeNotSupported."""
    if is_opaque_key(target):
        raise KeyFormatTypeNotSupported(
            "the key is Opaque: it is kept and given back, and not used, as only its client knows what its "
            "octets mean: register it as Raw to use it"
        )


def check_usage_mask(target: ManagedObject, needed: CryptographicUsageMask) -> None:
    """Raises IncompatibleCryptographicUsageMask unless the object's mask has the bit, or is Unrestricted."""
    if usage_mask_of(target) & (int(needed) | _UNRESTRICTED):
        return
    raise IncompatibleCryptographicUsageMask(
        f"the key's usage mask does not allow {format_name(needed)}: "
        "CryptographicUsageMask is set when the object is made"
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
    """Raises UsageLimitExceeded where fewer units are left than the client means to use.

    Raises InvalidField for a negative number.
    """
    if units < 0:
        raise InvalidField("UsageLimitsCount may not be negative")
    if limits is not None and units > remaining_units(limits):
        raise UsageLimitExceeded("the key's usage limit leaves less than that")


def check_protects(target: ManagedObject) -> None:
    """Raises IncompatibleCryptographicUsageMask where no use of the object applies protection."""
    if not usage_mask_of(target) & (_PROTECTING_BITS | _UNRESTRICTED):
        raise IncompatibleCryptographicUsageMask(
            "the key's usage mask allows nothing that protects data, so there is nothing to allocate"
        )


def allocate_usage(limits: UsageLimits | None, units: int) -> UsageLimits:
    """The limits after giving the client that many units, all of which count as used (KMIP 2.1 §6.1.23).

    Raises AttributeNotFound for an object without limits, InvalidField for no units at all, and
    UsageLimitExceeded where fewer are left.
    """
    if limits is None:
        raise AttributeNotFound("the object has no UsageLimits, so its use needs no allocation")
    if units < 1:
        raise InvalidField("UsageLimitsCount must be at least 1")
    check_units_left(limits, units)
    return dataclasses.replace(limits, usage_limits_count=remaining_units(limits) - units)


def consume_usage(limits: UsageLimits, size: int) -> UsageLimits:
    """The limits after protecting size bytes once: the unit Byte counts bytes, Object counts operations.

    size: of everything that this use of the key covers: data, and additional data beside it. A use without any data
    counts as one byte, because even the tag of an empty message is of value to a forger.
    Raises PermissionDenied where that is more than is left.
    """
    check_usage_left(limits)
    units = max(1, size) if limits.usage_limits_unit is UsageLimitsUnit.BYTE else 1
    if units > remaining_units(limits):
        raise PermissionDenied("the key's usage limit leaves less than that")
    return dataclasses.replace(limits, usage_limits_count=remaining_units(limits) - units)
