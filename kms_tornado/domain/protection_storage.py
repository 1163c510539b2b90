"""Where a new object may be stored, as a request permits it (KMIP 2.1 §7.33): this server stores in software alone."""

from __future__ import annotations

from ..errors import (
    KMIPError,
    PrivateProtectionStorageUnavailable,
    ProtectionStorageUnavailable,
    PublicProtectionStorageUnavailable,
)
from ..kmip.structures import ProtectionStorageMasks
from .computed_attributes import PROTECTION_STORAGE_MASK


def check_protection_storage(
    permitted: ProtectionStorageMasks | None,
    unavailable: type[KMIPError] = ProtectionStorageUnavailable,
) -> None:
    """Refuse an object that is to be stored in hardware, say: it would not be protected as its client thinks.

    permitted: each mask is one permitted combination; None, or no mask, permits all. unavailable: the error.
    """
    masks = () if permitted is None else permitted.masks
    if masks and all(mask & ~PROTECTION_STORAGE_MASK for mask in masks):
        raise unavailable("this server stores objects in software alone: permit Software")


def check_protection_storage_of_pair(
    common: ProtectionStorageMasks | None,
    private: ProtectionStorageMasks | None,
    public: ProtectionStorageMasks | None,
) -> None:
    """The same for a key pair. Raises three different errors."""
    check_protection_storage(common)
    check_protection_storage(private, PrivateProtectionStorageUnavailable)
    check_protection_storage(public, PublicProtectionStorageUnavailable)
