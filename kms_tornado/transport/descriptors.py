"""File descriptors: how many this process may have open, and how many connections are possible with them."""

from __future__ import annotations

import contextlib
import os
import resource
import sys

#: How many descriptors are kept for later: connections to the database, to issuers and between workers, log files,
#: connections that are being refused.
_LATER = 96
_OPEN_ELSEWHERE = 32  # where the system does not tell how many are open


def raise_limit() -> None:
    """Raise the soft limit, often 1,024, to the hard one. Call it before workers are forked."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # a system may say "unlimited" and mean less
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def read_limit() -> int:
    """The soft limit."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft


def count_free(in_use: int) -> int:
    """How many connections the limit allows besides `in_use` descriptors and those that are opened later; at least 1.

    If the limit is very low, a quarter of it is kept for later ones.
    """
    limit = read_limit()
    return max(1, limit - in_use - min(_LATER, limit // 4))


def count_open() -> int:
    """How many descriptors this process has open now."""
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:
        return _OPEN_ELSEWHERE
