"""What a process of the server does at its start, so that nobody else on the host reads its secrets.

Only the command does this; an application that embeds the handlers decides about its own process. On Linux, everybody
who may look into /proc/PID of a process can read the environment with which it was started, even variables that the
process has removed since; so the values are overwritten there, too. And a process that is not dumpable belongs to root
in /proc, so that other processes of the same user cannot read its environment or memory, or attach a debugger.
"""

from __future__ import annotations

import ctypes
import os
import re
import resource
import sys
from collections.abc import Collection
from pathlib import Path

#: An operation of prctl(2).
_PR_SET_DUMPABLE = 4
#: The fields of /proc/self/stat with the addresses between which the environment was passed, counted
#: behind the name of the program, which may have spaces (proc(5): env_start, env_end are 50 and 51).
_ENVIRONMENT_FIELDS = slice(47, 49)
#: Variables that libraries of the server read whenever they connect, so they stay: libpq's password, and
#: proxies, whose URLs may hold one.
_READ_LATER = re.compile(r"PGPASSWORD|(https?|all)_proxy", re.IGNORECASE)


def harden_process() -> None:
    """Write no core dumps, be readable to nobody, and forget the variables from which the options were read.

    To be called before workers are forked: they inherit all of it, and have the master key in memory.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold every key in use
    hide_variables()
    forbid_dumps()


def hide_variables() -> None:
    """Remove this program's variables from the environment, and their values from where others may read them.

    Misspelt variables are removed as well, because they may contain the same secrets. Variables that libraries read
    later stay in the environment, and are only hidden from others.
    """
    removed = {name for name in os.environ if name.startswith("KMS_")}
    read_later = {name for name in os.environ if _READ_LATER.fullmatch(name)}
    for name in removed:
        del os.environ[name]
    for name in read_later:
        os.environ[name] = str(os.environ[name])  # from now on, the C library uses a copy
    _overwrite({os.fsencode(name) for name in removed | read_later})


def _overwrite(names: Collection[bytes]) -> None:
    """Zero the values of the variables in the memory that /proc/self/environ shows."""
    block = _find_environment() if sys.platform == "linux" else None
    if block is None:
        return
    position, end = block
    for entry in ctypes.string_at(position, end - position).split(b"\0"):
        name, separator, value = entry.partition(b"=")
        if separator and name in names:
            ctypes.memset(position + len(name) + 1, 0, len(value))
        position += len(entry) + 1


def _find_environment() -> tuple[int, int] | None:
    """The start and the end address of the environment with which the process was started."""
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    except OSError:  # /proc is not mounted, so nobody reads anything there
        return None
    start, end = map(int, fields[_ENVIRONMENT_FIELDS])
    return (start, end) if 0 < start < end else None


def forbid_dumps() -> None:
    """Make the process not dumpable, which forked processes inherit (prctl(2)); only Linux has this."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
