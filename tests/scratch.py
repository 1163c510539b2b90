"""Where tests write: in memory, where the machine has room there, as they wait for a disk for nothing."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

_IN_MEMORY = Path("/dev/shm")
#: What four processes of tests have there at one time is a third of it.
_ROOM_BYTES = 1536 * 2**20
#: PostgreSQL's hundred databases take another gigabyte.
_ROOM_WITH_DATABASES_BYTES = 3 * 2**30


def choose_directory() -> Path:
    """TMPDIR where it is set, else a directory in memory, else the system's for temporary files."""
    if "TMPDIR" not in os.environ and _is_fit(_IN_MEMORY, _ROOM_BYTES):
        return _IN_MEMORY
    return Path(tempfile.gettempdir())


def choose_for_databases() -> Path:
    """In memory where tests write there, and PostgreSQL's databases have room, too; else on the disk."""
    is_in_memory = Path(tempfile.gettempdir()) == _IN_MEMORY
    fits = is_in_memory and _is_fit(_IN_MEMORY, _ROOM_WITH_DATABASES_BYTES)
    return _IN_MEMORY if fits else Path("/tmp")


def _is_fit(directory: Path, room_bytes: int) -> bool:
    """Tests run programs from there, and of a container's 64 MiB a single database would take most."""
    return (
        os.access(directory, os.W_OK | os.X_OK)
        and not os.statvfs(directory).f_flag & os.ST_NOEXEC
        and shutil.disk_usage(directory).free >= room_bytes
    )


def use_directory() -> None:
    """Have pytest, this process and those that it starts write to it."""
    tempfile.tempdir = os.environ["TMPDIR"] = str(choose_directory())
