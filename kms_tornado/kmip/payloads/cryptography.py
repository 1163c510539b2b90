"""The cryptographic operations: with keys, digests and random numbers (KMIP 2.1 §6.1).

Data may be sent in parts: init_indicator marks the first, final_indicator the last, and the server's
correlation_value joins them. Data that is sent whole needs none of the three.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..enums import ValidityIndicator
from ..schema import Sparse
from ..structures import CryptographicParameters


@dataclass(frozen=True)
class EncryptRequest(Sparse):
    unique_identifier: str | None = None
    cryptographic_parameters: CryptographicParameters | None = None
    data: bytes | None = field(default=None, repr=False)
    iv_counter_nonce: bytes | None = None
    correlation_value: bytes | None = None
    init_indicator: bool | None = None
    final_indicator: bool | None = None
    authenticated_encryption_additional_data: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class EncryptResponse:
    unique_identifier: str
    data: bytes | None = field(default=None, repr=False)
    iv_counter_nonce: bytes | None = None
    authenticated_encryption_tag: bytes | None = None
    correlation_value: bytes | None = None


@dataclass(frozen=True)
class DecryptRequest(Sparse):
    unique_identifier: str | None = None
    cryptographic_parameters: CryptographicParameters | None = None
    data: bytes | None = field(default=None, repr=False)
    iv_counter_nonce: bytes | None = None
    correlation_value: bytes | None = None
    init_indicator: bool | None = None
    final_indicator: bool | None = None
    authenticated_encryption_additional_data: bytes | None = field(default=None, repr=False)
    authenticated_encryption_tag: bytes | None = None


@dataclass(frozen=True, slots=True)
class DecryptResponse:
    unique_identifier: str
    data: bytes | None = field(default=None, repr=False)
    correlation_value: bytes | None = None


@dataclass(frozen=True, slots=True)
class SignRequest:
    """Exactly one of these is set: data, which the server hashes, or digested_data, which the client has hashed."""

    unique_identifier: str | None = None
    cryptographic_parameters: CryptographicParameters | None = None
    data: bytes | None = field(default=None, repr=False)
    digested_data: bytes | None = field(default=None, repr=False)
    correlation_value: bytes | None = None
    init_indicator: bool | None = None
    final_indicator: bool | None = None


@dataclass(frozen=True, slots=True)
class SignResponse:
    unique_identifier: str
    signature_data: bytes | None = None
    correlation_value: bytes | None = None


@dataclass(frozen=True, slots=True)
class SignatureVerifyRequest:
    """As `SignRequest`, with the signature to verify."""

    unique_identifier: str | None = None
    cryptographic_parameters: CryptographicParameters | None = None
    data: bytes | None = field(default=None, repr=False)
    digested_data: bytes | None = field(default=None, repr=False)
    signature_data: bytes | None = None
    correlation_value: bytes | None = None
    init_indicator: bool | None = None
    final_indicator: bool | None = None


@dataclass(frozen=True, slots=True)
class SignatureVerifyResponse:
    """data: the message in a signature with message recovery. validity_indicator: None before the last part."""

    unique_identifier: str
    validity_indicator: ValidityIndicator | None = None
    data: bytes | None = field(default=None, repr=False)
    correlation_value: bytes | None = None


@dataclass(frozen=True, slots=True)
class MACRequest:
    unique_identifier: str | None = None
    cryptographic_parameters: CryptographicParameters | None = None
    data: bytes | None = field(default=None, repr=False)
    correlation_value: bytes | None = None
    init_indicator: bool | None = None
    final_indicator: bool | None = None


@dataclass(frozen=True, slots=True)
class MACResponse:
    unique_identifier: str
    mac_data: bytes | None = None
    correlation_value: bytes | None = None


@dataclass(frozen=True, slots=True)
class MACVerifyRequest:
    unique_identifier: str | None = None
    cryptographic_parameters: CryptographicParameters | None = None
    data: bytes | None = field(default=None, repr=False)
    mac_data: bytes | None = None
    correlation_value: bytes | None = None
    init_indicator: bool | None = None
    final_indicator: bool | None = None


@dataclass(frozen=True, slots=True)
class MACVerifyResponse:
    """validity_indicator: None before the last part."""

    unique_identifier: str
    validity_indicator: ValidityIndicator | None = None
    correlation_value: bytes | None = None


@dataclass(frozen=True, slots=True)
class HashRequest:
    cryptographic_parameters: CryptographicParameters
    data: bytes | None = field(default=None, repr=False)
    correlation_value: bytes | None = None
    init_indicator: bool | None = None
    final_indicator: bool | None = None


@dataclass(frozen=True, slots=True)
class HashResponse:
    """data: the digest."""

    data: bytes | None = field(default=None, repr=False)
    correlation_value: bytes | None = None


@dataclass(frozen=True, slots=True)
class RNGRetrieveRequest:
    """data_length: in bytes."""

    data_length: int


@dataclass(frozen=True, slots=True)
class RNGRetrieveResponse:
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class RNGSeedRequest:
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class RNGSeedResponse:
    """data_length: the number of bytes of the seed that were used."""

    data_length: int
