"""Interop and Log: what a conformance run says to the server (KMIP 2.1 §6.1.23, §6.1.28).

Offered with --kmip-interop alone. Neither changes anything: they are lines in the log.
"""

from __future__ import annotations

import logging

from ..errors import FeatureNotSupported, InvalidField
from ..kmip.enums import InteropFunction
from ..kmip.payloads.interop import InteropRequest, InteropResponse, LogRequest, LogResponse
from .common.call import Call

log = logging.getLogger("kms_tornado.interop")

MAX_MESSAGE_LENGTH = 1024


async def interop(call: Call, request: InteropRequest) -> InteropResponse:
    """Begin and End of a case. Reset would have a client delete what others keep here."""
    if request.interop_function is InteropFunction.RESET:
        raise FeatureNotSupported("Reset is not supported: nothing is deleted on such a request")
    identifier = _bounded(request.interop_identifier or "", "InteropIdentifier")
    log.info("%s: %s %s", call.principal, request.interop_function.name.lower(), identifier)
    return InteropResponse()


async def log_(call: Call, request: LogRequest) -> LogResponse:
    """One line, whatever the message holds: the log's format sees to that."""
    log.info("%s says: %s", call.principal, _bounded(request.log_message, "LogMessage"))
    return LogResponse()


def _bounded(text: str, tag: str) -> str:
    if len(text) > MAX_MESSAGE_LENGTH:
        raise InvalidField(f"{tag} has at most {MAX_MESSAGE_LENGTH} characters")
    return text
