"""Interop, Log and PKCS#11: what test suites ask for (KMIP 2.1 §6.1)."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..enums import InteropFunction
from ..schema import EnumerationNumber


@dataclass(frozen=True, slots=True)
class InteropRequest:
    interop_function: InteropFunction
    interop_identifier: str | None = None


@dataclass(frozen=True, slots=True)
class InteropResponse:
    pass


@dataclass(frozen=True, slots=True)
class LogRequest:
    log_message: str


@dataclass(frozen=True, slots=True)
class LogResponse:
    pass


@dataclass(frozen=True, slots=True)
class PKCS11Request:
    """pkcs_11_function: its place in CK_FUNCTION_LIST, counted from 1 (§11.38)."""

    pkcs_11_function: EnumerationNumber
    pkcs_11_interface: str | None = None
    correlation_value: bytes | None = None
    pkcs_11_input_parameters: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class PKCS11Response:
    """pkcs_11_return_code: a CK_RV (§11.39)."""

    pkcs_11_function: EnumerationNumber
    pkcs_11_return_code: EnumerationNumber
    pkcs_11_interface: str | None = None
    correlation_value: bytes | None = None
    pkcs_11_output_parameters: bytes | None = field(default=None, repr=False)
