"""Interop and Log, the operations of interoperability test suites (KMIP 2.1 §6.1)."""

from __future__ import annotations

from dataclasses import dataclass

from ..enums import InteropFunction


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
