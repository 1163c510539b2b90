"""Encrypt and Decrypt: what is done with keys (KMIP 2.1 §6.1)."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..structures import CryptographicParameters


@dataclass(frozen=True, slots=True)
class EncryptRequest:
    unique_identifier: str | None = None
    data: bytes | None = field(default=None, repr=False)
    cryptographic_parameters: CryptographicParameters | None = None
    iv_counter_nonce: bytes | None = None
    authenticated_encryption_additional_data: bytes | None = field(default=None, repr=False)
    correlation_value: bytes | None = None
    init_indicator: bool | None = None
    final_indicator: bool | None = None


@dataclass(frozen=True, slots=True)
class EncryptResponse:
    unique_identifier: str
    data: bytes | None = field(default=None, repr=False)
    iv_counter_nonce: bytes | None = None
    authenticated_encryption_tag: bytes | None = None
    correlation_value: bytes | None = None


@dataclass(frozen=True, slots=True)
class DecryptRequest:
    unique_identifier: str | None = None
    data: bytes | None = field(default=None, repr=False)
    cryptographic_parameters: CryptographicParameters | None = None
    iv_counter_nonce: bytes | None = None
    authenticated_encryption_additional_data: bytes | None = field(default=None, repr=False)
    authenticated_encryption_tag: bytes | None = None
    correlation_value: bytes | None = None
    init_indicator: bool | None = None
    final_indicator: bool | None = None


@dataclass(frozen=True, slots=True)
class DecryptResponse:
    unique_identifier: str
    data: bytes | None = field(default=None, repr=False)
    correlation_value: bytes | None = None
