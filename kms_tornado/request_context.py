"""The identifier of the request that is being worked on, which each line of the log contains.

It is a context variable, so tasks and threads that a request starts see it, however deep they are. It does not say who
sends the request, and nothing is decided by it.
"""

from __future__ import annotations

import os
import re
from contextvars import ContextVar

#: Empty where no request is being worked on.
current_request_id: ContextVar[str] = ContextVar("kms_tornado_request_id", default="")

#: The header in which an identifier comes from a trusted proxy and goes back to the client.
HEADER = "X-Request-ID"

# What proxies and tracing make: UUIDs, ULIDs, base64, `1-67891233-abcdef012345678912345678`. No comma, so
# that two headers are none, and no quotes or spaces, so that it reads as one word in a line. And no JWT, which a
# proxy may hand on from a client: the identifier stands in logs and in the audit.
_PLAIN = re.compile(r"(?!eyJ[A-Za-z0-9_-]*\.)[A-Za-z0-9][A-Za-z0-9._~:+/=@-]{0,127}", re.ASCII)


def make_request_id() -> str:
    """16 hexadecimal digits that nobody can guess, because whoever knows them can ask an operator about the request."""
    return os.urandom(8).hex()


def is_request_id(value: object) -> bool:
    """Whether the text may stand in a header and a line of the log as it is."""
    return isinstance(value, str) and _PLAIN.fullmatch(value) is not None
