"""Reads and writes the files of the verbs: written completely or not at all, and secret ones only for their owner."""

from __future__ import annotations

import os
import secrets
import stat
import sys
from contextlib import suppress
from pathlib import Path

import click

from ..data import naming_file
from ..output import Refused, confirm, say, show_json
from ..session import Session

#: More is no key, but a file that was named by mistake.
MOST_BYTES = 1024 * 1024

STREAM = "-"


def read_input(path: str, *, most_bytes: int | None = MOST_BYTES) -> bytes:
    """The bytes of a file, or of stdin for "-"."""
    count = -1 if most_bytes is None else most_bytes + 1
    if path == STREAM:
        with naming_file("stdin"):
            octets = sys.stdin.buffer.read(count)
    else:
        with naming_file(path), open(path, "rb") as file:
            octets = file.read(count)
    if most_bytes is not None and len(octets) > most_bytes:
        raise Refused(f"{path} is larger than {most_bytes >> 20} MiB: that is no key file")
    return octets


def write_output(
    path: str, octets: bytes, *, secret: str = "", is_text: bool = False, replaces: bool = False
) -> None:
    """Write a file that appears completely or not at all, or to stdout for "-".

    secret: what only its owner may see in the file, in words; "" for nothing, and then the umask decides.
    replaces: whether an existing file may be replaced.
    """
    if path == STREAM:
        _write_stdout(octets, secret, is_text=is_text)
        return
    target = Path(os.path.realpath(path))  # a symbolic link stays one
    if target.exists() and not target.is_file():
        target.write_bytes(octets)  # a device or a pipe; a directory raises
        return
    check_replaceable(path, replaces=replaces)
    temporary = target.with_name(f".kmsctl-{secrets.token_hex(8)}.part")
    try:
        _write_new(temporary, octets, 0o600 if secret else 0o666)
        if replaces:
            temporary.replace(target)
        else:
            _rename_unless_taken(temporary, target)
    except FileExistsError:
        raise _refusal(path) from None
    except OSError as exc:
        raise OSError(exc.errno, exc.strerror, path) from exc  # in place of the temporary name
    finally:
        with suppress(OSError):
            temporary.unlink()


def is_printable(octets: bytes) -> bool:
    """Whether the octets may be shown on a terminal: text in UTF-8 without control characters."""
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character in "\n\t" for character in text)


def show_written(session: Session, file: str, text: str, **more: str) -> None:
    """Report what was written, for `--json`, and to a person at a terminal; nothing if it went to stdout."""
    if file == STREAM:
        return
    if session.is_json:
        show_json({**more, "file": file})
    say(text)


def _rename_unless_taken(temporary: Path, target: Path) -> None:
    """Give the file its name.

    Raises FileExistsError if another file has appeared, which a plain rename would replace.
    """
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without links, such as that of a memory stick
        if target.exists():
            raise FileExistsError from None
        temporary.rename(target)


def check_replaceable(path: str, *, replaces: bool) -> None:
    """Refuse an existing file, unless it may be replaced. This is done before the request, so that none is wasted."""
    if not replaces and path != STREAM and os.path.lexists(path):
        mode = os.stat(path).st_mode if os.path.exists(path) else stat.S_IFREG
        if stat.S_ISREG(mode):
            raise _refusal(path)


def _refusal(path: str) -> click.ClickException:
    return click.ClickException(f"{path} exists: name another file, or replace it with --force")


def _write_new(path: Path, octets: bytes, mode: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with open(os.open(path, flags, mode), "wb") as file:
        file.write(octets)
        file.flush()
        os.fsync(file.fileno())


def _write_stdout(octets: bytes, secret: str, *, is_text: bool) -> None:
    if sys.stdout.isatty():
        if not is_text:
            raise click.UsageError(
                "this is binary, and a terminal would take it for commands: write it to a file, or"
                " choose a format that is text"
            )
        if secret:
            confirm(f"{secret} will be shown on this terminal in the clear.")
    sys.stdout.buffer.write(octets)
    sys.stdout.buffer.flush()
