"""Files for the user alone: read only if nobody else may read them, and written completely, with mode 0600."""

from __future__ import annotations

import os
import shlex
import stat
from contextlib import suppress
from pathlib import Path

from ..errors import ConfigurationError

#: What the client keeps on the user's disk stands here.
DIRECTORY_NAME = ".kms_tornado"

#: A configuration has a few kilobytes; more than this is some other file that was named by mistake.
MOST_BYTES = 1024 * 1024


def user_directory() -> Path:
    """Where the client keeps its files: ~/.kms_tornado.

    Raises ConfigurationError where the user has no home directory.
    """
    try:
        return Path.home() / DIRECTORY_NAME
    except RuntimeError as exc:
        raise ConfigurationError("the home directory is unknown: set HOME") from exc


def read_regular_file(path: Path) -> tuple[bytes, os.stat_result]:
    """The bytes of a file, and the status of the file that was read. Symbolic links are followed.

    Raises FileNotFoundError where there is none, ConfigurationError for anything else that cannot be read.
    """
    descriptor = -1
    try:
        # A fifo without a writer would otherwise wait forever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            kind = "a directory" if stat.S_ISDIR(status.st_mode) else "not a regular file"
            raise ConfigurationError(f"{path} is {kind}: name a file")
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(MOST_BYTES + 1)
    except (FileNotFoundError, ConfigurationError):
        raise
    except (OSError, ValueError) as exc:
        raise ConfigurationError(f"{path} cannot be read: {reason_of(exc)}") from exc
    finally:
        if descriptor >= 0:
            os.close(descriptor)
    if len(data) > MOST_BYTES:
        raise ConfigurationError(f"{path} is larger than {MOST_BYTES // 1024} KiB: name another")
    return data, status


def check_private(path: Path, status: os.stat_result) -> None:
    """Refuse one of our own files with a secret if somebody else owns it, or may read or write it."""
    check_unwritable(path, status)
    if is_readable(status):
        raise ConfigurationError(describe_readable(path))


def check_unwritable(path: Path, status: os.stat_result) -> None:
    """Refuse a file with a secret if anybody but the user and root owns it or may write it.

    Whoever may write it decides where secrets are sent.
    """
    if status.st_uid not in {os.geteuid(), 0}:
        raise ConfigurationError(
            f"{path} holds secrets, but belongs to another user: make a copy of your own, "
            "and remove what is secret from the other one"
        )
    if status.st_mode & 0o022:
        raise ConfigurationError(
            f"{path} holds secrets, and others may change it: run chmod 600 {shlex.quote(str(path))}"
        )


def is_readable(status: os.stat_result) -> bool:
    """Whether others than the owner may read the file."""
    return bool(status.st_mode & 0o044)


def describe_readable(path: Path) -> str:
    """The text for a user whose file with a secret can be read by others."""
    return f"{path} holds secrets that others may read: run chmod 600 {shlex.quote(str(path))}"


def write_private_file(path: Path, data: bytes) -> None:
    """Replace the file completely, with mode 0600, or leave it as it was.

    A symbolic link stays one: the file to which it leads is replaced. A missing directory is created, with mode 0700.
    Raises ConfigurationError where it cannot be written.
    """
    try:
        target = Path(os.path.realpath(path))
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{os.urandom(8).hex()}")
        try:
            _write_new(temporary, data)
            os.replace(temporary, target)
        except BaseException:  # Ctrl-C, too
            with suppress(OSError):
                temporary.unlink()
            raise
    except (OSError, ValueError) as exc:
        raise ConfigurationError(f"{path} cannot be written: {reason_of(exc)}") from exc


def _write_new(path: Path, data: bytes) -> None:
    """Write, durably, a file that does not exist yet."""
    descriptor = os.open(
        path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
    )
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def reason_of(error: OSError | ValueError) -> str:
    """The operating system's words in lower case; Python's own if the error came before the system was asked."""
    text = (error.strerror if isinstance(error, OSError) else None) or "not a file name"
    return text[0].lower() + text[1:]
