"""Files that nobody else can read: refused if others can read them, and created completely or not at all."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

# A key takes a few hundred bytes at most; more is some other file.
_MOST_BYTES = 4096


class UnusableFile(Exception):
    """A file that cannot be read, or that others can read. The text of the error continues after the file's name."""


def read_private_file(path: Path) -> bytes:
    """The contents of a file that nobody else can read, such as one with keys. Raises UnusableFile."""
    try:
        # Non-blocking: opening a named pipe would otherwise wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as exc:
        raise UnusableFile(describe_error(exc)) from exc
    try:
        # Checked on the open file, because its name may point elsewhere a moment later.
        fault = find_access_fault(os.fstat(descriptor), our_uid=os.geteuid())
        if fault:
            raise UnusableFile(fault)
        content = os.read(descriptor, _MOST_BYTES + 1)
    except OSError as exc:
        raise UnusableFile(describe_error(exc)) from exc
    finally:
        os.close(descriptor)
    if not content:
        raise UnusableFile("is empty")
    if len(content) > _MOST_BYTES:
        raise UnusableFile("is too long for a key")
    return content


def find_access_fault(status: os.stat_result, *, our_uid: int) -> str | None:
    """What is wrong with the type, owner or mode of a key file; None where nothing is.

    The rule is PostgreSQL's for its server key: the file belongs to our user and is open to nobody
    else, or it belongs to root and its group may read it, so that an administrator can hand out a
    file that stays root's.
    """
    if not stat.S_ISREG(status.st_mode):
        return "is a directory" if stat.S_ISDIR(status.st_mode) else "is not a regular file"
    if status.st_uid not in (our_uid, 0):
        return "belongs to another user"
    forbidden = 0o077 if status.st_uid == our_uid else 0o037
    if status.st_mode & forbidden:
        mode = stat.S_IMODE(status.st_mode)
        return f"is open to others (mode {mode:04o}); chmod 600 makes it ours alone"
    return None


def describe_error(exc: OSError) -> str:
    return (exc.strerror or type(exc).__name__).lower()


def make_private_file(path: Path, content: bytes) -> bool:
    """Create the file; False where another process has just created it. Raises OSError.

    The file appears under its own name completely or not at all: it is written and flushed under another name and then
    linked, which never overwrites. Of two processes that start at once, the second finds the file of the first.
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
    """Replace the file, so that a crash leaves either the old or the new one. Raises OSError.

    access: the owner, group and mode of the new file; None: readable by this user alone.
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
    """Flush the directory to disk, so that a new name in it survives a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
