"""New files that nobody else can read, and that are there whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def make_private_file(path: Path, content: bytes) -> bool:
    """Make the file; False where another process has just done so. Raises OSError.

    Under its own name the file appears whole or not at all: it is written and flushed under another
    name and then linked, which never overwrites. Of two processes that start at once the second finds
    the file of the first.
    """
    draft = write_draft(path, content)
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink(missing_ok=True)
    flush_directory(path.parent)
    return True


def replace_private_file(
    path: Path, content: bytes, *, access: os.stat_result | None = None
) -> None:
    """Put the content in the file's place, so that a crash leaves the old one or the new one. Raises OSError.

    access: the owner, group and mode that it gets; None: ours alone.
    """
    draft = write_draft(path, content)
    try:
        if access is not None:
            os.chown(draft, access.st_uid, access.st_gid)
            draft.chmod(access.st_mode & 0o7777)
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    flush_directory(path.parent)


def write_draft(path: Path, content: bytes) -> Path:
    """A new file beside it, flushed to disk."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)  # the umask may have taken permissions away
            file.write(content)
            file.flush()
            os.fsync(descriptor)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    return draft


def flush_directory(path: Path) -> None:
    """Write the directory's entries to disk, so that a new name survives a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
