"""Where tests write: in memory, where the machine has room there, as they wait for a disk for nothing."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

_IN_MEMORY = Path("/dev/shm")
#: What three processes of tests have there at one time is a third of it.
_ROOM_BYTES = 1536 * 2**20


def choose_directory() -> Path:
    """TMPDIR where it is set, else a directory in memory, else the system's for temporary files."""
    if "TMPDIR" not in os.environ and _is_fit(_IN_MEMORY):
        return _IN_MEMORY
    return Path(tempfile.gettempdir())


def _is_fit(directory: Path) -> bool:
    """Tests run programs from there, and of a container's 64 MiB a single database would take most."""
    return (
        os.access(directory, os.W_OK | os.X_OK)
        and not os.statvfs(directory).f_flag & os.ST_NOEXEC
        and shutil.disk_usage(directory).free >= _ROOM_BYTES
    )


def use_directory() -> None:
    """Have pytest, this process and those that it starts write to it."""
    tempfile.tempdir = os.environ["TMPDIR"] = str(choose_directory())
