"""Revoke and Destroy: what changes the state of an object (KMIP 2.1 §6.1)."""

from __future__ import annotations

from dataclasses import dataclass

from ..enums import RevocationReasonCode
from ..schema import DateTime
from ..structures import RevocationReason


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
    remove: bool = False


@dataclass(frozen=True, slots=True)
class DestroyResponse:
    unique_identifier: str
