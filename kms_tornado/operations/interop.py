"""Interop and Log, which annotate the server's log during conformance tests (KMIP 2.1 §6.1.23, §6.1.28).

They are offered with --kmip-interop only. Each writes one line to the log, and changes nothing else.
"""

from __future__ import annotations

import logging

from ..errors import FeatureNotSupported, InvalidField
from ..kmip.enums import InteropFunction
from ..kmip.payloads.interop import InteropRequest, InteropResponse, LogRequest, LogResponse
from ..wording import cut_value
from .common.call import Call

log = logging.getLogger("kms_tornado.interop")

MAX_MESSAGE_LENGTH = 1024


async def interop(call: Call, request: InteropRequest) -> InteropResponse:
    """Log the Begin or End of a test case. Reset is refused: it would delete other users' objects."""
    if request.interop_function is InteropFunction.RESET:
        raise FeatureNotSupported("Reset is not supported: nothing is deleted on such a request")
    identifier = _check_length(request.interop_identifier or "", "InteropIdentifier")
    log.info(
        "%s: %s %s", call.principal, request.interop_function.name.lower(), cut_value(identifier)
    )
    return InteropResponse()


async def log_(call: Call, request: LogRequest) -> LogResponse:
    """Log the message, always as one line: the format of the log escapes line breaks."""
    message = _check_length(request.log_message, "LogMessage")
    log.info("%s says: %s", call.principal, cut_value(message))
    return LogResponse()


def _check_length(text: str, tag: str) -> str:
    if len(text) > MAX_MESSAGE_LENGTH:
        raise InvalidField(f"{tag} has at most {MAX_MESSAGE_LENGTH} characters")
    return text
