"""Where bytes are written: a file that appears completely or not at all, or a stream such as stdout."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path

from .errors import FileError
from .sealing import Writable
from .write_behind import WriteBehind


class Target:
    """Writes bytes. Every fault is a FileError that names the target, except for a pipe that nobody reads any more."""

    def __init__(self, name: str, stream: Writable) -> None:
        self.name = name
        self._stream = stream

    def write(self, data: memoryview) -> int:
        try:
            return self._stream.write(data) or 0
        except BrokenPipeError:
            raise
        except OSError as exc:
            raise _unwritable_error(self.name, exc) from exc


@contextmanager
def open_target(path: Path, *, replaces: bool) -> Iterator[Writable]:
    """A file that has its name at the end of the block, and does not exist if the block raises an exception.

    Until then it has a temporary name in the same directory, and only its owner may read it. Its mode is then the one
    that the umask allows, as with cp and age; a replaced file passes on its own. Devices and pipes are written to
    directly. replaces: whether an existing file may be replaced.

    It is renamed without fsync, as cp, age and gpg do: with it, 1 GiB took 1.5 to 2.2 s instead of 1.0 to 1.2 on an
    idle disk, and 5 kB 8 ms instead of 0.03. Only if the machine itself fails within the next seconds, the file may be
    cut short.
    """
    if not replaces and os.path.islink(path) and not os.path.exists(path):
        # Whoever may write to this directory chooses a place where they may not write themselves.
        raise FileError(
            f"{path} is a symbolic link that leads to no file: name another output with -o, or follow it with "
            "--force"
        )
    path = Path(os.path.realpath(path))  # a symbolic link stays one
    status = _status(path)
    if status is not None and not stat.S_ISREG(status.st_mode):
        with _open_device(path) as target:
            yield target
        return
    check_replaceable(path, replaces=replaces)
    temporary = path.with_name(f".kmsctl-{secrets.token_hex(8)}.part")
    stream, mode = _create(temporary, path)
    try:
        with stream:
            with WriteBehind(Target(str(path), stream)) as target:
                yield target
            os.fchmod(stream.fileno(), mode if status is None else stat.S_IMODE(status.st_mode))
        check_replaceable(path, replaces=replaces)
        temporary.rename(path)
    except BaseException:  # Ctrl-C, too
        with suppress(OSError):
            temporary.unlink()
        raise


def check_replaceable(path: Path, *, replaces: bool) -> None:
    """Raises FileError where the path is an existing file that must not be replaced."""
    if not replaces and path.exists():
        raise FileError(f"{path} exists: name another output with -o, or replace it with --force")


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise _unwritable_error(str(path), exc) from exc


def _create(temporary: Path, path: Path) -> tuple[FileIO, int]:
    """(the new file, for its owner alone; the mode that the umask would give it)"""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        descriptor = os.open(temporary, flags, 0o666)
    except OSError as exc:
        raise _unwritable_error(str(path), exc) from exc
    mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
    os.fchmod(descriptor, 0o600)
    return FileIO(descriptor, "w"), mode


@contextmanager
def _open_device(path: Path) -> Iterator[Target]:
    """A device, a pipe or a socket, which cannot be renamed."""
    try:
        stream = open(path, "wb", buffering=0)  # noqa: SIM115
    except OSError as exc:
        raise _unwritable_error(str(path), exc) from exc
    with stream:
        yield Target(str(path), stream)


def _unwritable_error(name: str, exc: OSError) -> FileError:
    return FileError(f"{name} cannot be written: {exc.strerror}")
