"""Interop and Log: notes of a conformance run for the server's log (KMIP 2.1 §6.1.23, §6.1.28).

Offered with --kmip-interop only. Neither changes anything: each writes one line to the log.
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
    """Begin or End of a case. Reset would let a client delete the objects of others."""
    if request.interop_function is InteropFunction.RESET:
        raise FeatureNotSupported("Reset is not supported: nothing is deleted on such a request")
    identifier = _check_length(request.interop_identifier or "", "InteropIdentifier")
    log.info("%s: %s %s", call.principal, request.interop_function.name.lower(), identifier)
    return InteropResponse()


async def log_(call: Call, request: LogRequest) -> LogResponse:
    """One line, whatever the message contains: the format of the log escapes line breaks."""
    log.info("%s says: %s", call.principal, _check_length(request.log_message, "LogMessage"))
    return LogResponse()


def _check_length(text: str, tag: str) -> str:
    if len(text) > MAX_MESSAGE_LENGTH:
        raise InvalidField(f"{tag} has at most {MAX_MESSAGE_LENGTH} characters")
    return text
