"""The errors of a store that is out of reach, or that failed through a fault of its own."""

from __future__ import annotations

from ...errors import Unavailable

#: The detail of every call on a store before `start` or after `stop`.
NOT_OPEN = "the store is not open"


#: The cause of an error that neither waiting nor another configuration mends.
DAMAGED = "damaged"


def make_unavailable(detail: str, cause: str = "out of reach") -> Unavailable:
    """The error for a database out of reach.

    detail: the reason, only for the log. cause: the same in a few fixed words that anybody may read.
    """
    return Unavailable("the database is out of reach", detail=detail, cause=cause)


def make_fault() -> RuntimeError:
    """The error for those who wait for a writer that failed through a fault of its own. It is answered 500, not 503.

    The writer logs the fault, with its traceback.
    """
    return RuntimeError("the database writer failed; the line before says why")
