"""The operations that change the state of an object or replace it with a newer one (KMIP 2.1 §6.1)."""

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
class ObtainLeaseRequest:
    unique_identifier: str | None = None


@dataclass(frozen=True, slots=True)
class ObtainLeaseResponse:
    """lease_time: in seconds. last_change_date: tells whether what the client has cached is stale."""

    unique_identifier: str
    lease_time: Interval
    last_change_date: DateTime


@dataclass(frozen=True, slots=True)
class GetUsageAllocationRequest:
    """usage_limits_count: how many units of the Usage Limits the client is going to use."""

    unique_identifier: str | None = None
    usage_limits_count: LongInteger = field(kw_only=True)


@dataclass(frozen=True, slots=True)
class GetUsageAllocationResponse:
    unique_identifier: str


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """What the client intends to do. usage_limits_count: in the unit of the limits. lease_time: in seconds."""

    unique_identifier: str | None = None
    usage_limits_count: LongInteger | None = None
    cryptographic_usage_mask: int | None = None
    lease_time: Interval | None = None


@dataclass(frozen=True, slots=True)
class CheckResponse:
    """Those values of the request that are not allowed, each as the server would allow it."""

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
        """None where the client gave no reason, or only a text."""
        reason = self.revocation_reason
        return reason.revocation_reason_code if reason else None

    @property
    def message(self) -> str | None:
        reason = self.revocation_reason
        return reason.revocation_message if reason else None


@dataclass(frozen=True, slots=True)
class RevokeResponse:
    unique_identifier: str


@dataclass(frozen=True, slots=True)
class DestroyRequest:
    """remove (Cosmian's extension): delete the object and everything that is known of it.

    docs/dialects.md, "Operations of the published clients".
    """

    unique_identifier: str | None = None
    remove: bool | None = None


@dataclass(frozen=True, slots=True)
class DestroyResponse:
    unique_identifier: str


@dataclass(frozen=True, slots=True)
class ArchiveRequest:
    unique_identifier: str | None = None


@dataclass(frozen=True, slots=True)
class ArchiveResponse:
    unique_identifier: str


@dataclass(frozen=True, slots=True)
class RecoverRequest:
    unique_identifier: str | None = None


@dataclass(frozen=True, slots=True)
class RecoverResponse:
    unique_identifier: str


@dataclass(frozen=True, slots=True)
class ReKeyRequest:
    """offset: seconds from the Initial Date of the new key to its Activation Date."""

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
