"""What changes the state of an object, or replaces it by a newer one (KMIP 2.1 §6.1)."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..attributes import Attributes
from ..enums import RevocationReasonCode
from ..schema import DateTime, Interval, LongInteger
from ..structures import ProtectionStorageMasks, RevocationReason


@dataclass(frozen=True, slots=True)
class ActivateRequest:
    unique_identifier: str | None = None


@dataclass(frozen=True, slots=True)
class ActivateResponse:
    unique_identifier: str


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """What the client intends. usage_limits_count: units to be used. lease_time: seconds."""

    unique_identifier: str | None = None
    usage_limits_count: LongInteger | None = None
    cryptographic_usage_mask: int | None = None
    lease_time: Interval | None = None


@dataclass(frozen=True, slots=True)
class CheckResponse:
    """Of the request's values those that are not allowed, as the server would have them."""

    unique_identifier: str | None = None
    usage_limits_count: LongInteger | None = None
    cryptographic_usage_mask: int | None = None
    lease_time: Interval | None = None


@dataclass(frozen=True, slots=True)
class RevokeRequest:
    unique_identifier: str | None = None
    revocation_reason: RevocationReason | None = None
    compromise_occurrence_date: DateTime | None = None

    @property
    def reason(self) -> RevocationReasonCode | None:
        """None where the client gave no reason, or a text alone."""
        given = self.revocation_reason
        return given.revocation_reason_code if given else None

    @property
    def message(self) -> str | None:
        given = self.revocation_reason
        return given.revocation_message if given else None


@dataclass(frozen=True, slots=True)
class RevokeResponse:
    unique_identifier: str


@dataclass(frozen=True, slots=True)
class DestroyRequest:
    """remove: Cosmian's extension, forget the object altogether (KMIP.md §8)."""

    unique_identifier: str | None = None
    remove: bool | None = None


@dataclass(frozen=True, slots=True)
class DestroyResponse:
    unique_identifier: str


@dataclass(frozen=True, slots=True)
class ReKeyRequest:
    """offset: seconds from the new key's Initial Date to its Activation Date."""

    unique_identifier: str | None = None
    offset: Interval | None = None
    attributes: Attributes = field(default_factory=Attributes)
    protection_storage_masks: ProtectionStorageMasks | None = None


@dataclass(frozen=True, slots=True)
class ReKeyResponse:
    unique_identifier: str


@dataclass(frozen=True, slots=True)
class ReKeyKeyPairRequest:
    private_key_unique_identifier: str | None = None
    offset: Interval | None = None
    common_attributes: Attributes = field(default_factory=Attributes)
    private_key_attributes: Attributes = field(default_factory=Attributes)
    public_key_attributes: Attributes = field(default_factory=Attributes)
    common_protection_storage_masks: ProtectionStorageMasks | None = None
    private_protection_storage_masks: ProtectionStorageMasks | None = None
    public_protection_storage_masks: ProtectionStorageMasks | None = None


@dataclass(frozen=True, slots=True)
class ReKeyKeyPairResponse:
    private_key_unique_identifier: str
    public_key_unique_identifier: str
