"""Where the commands for files read and write: names, the stream `-`, and files that must not be overwritten."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import cast

import click

from ...files.sealing import Writable
from ...files.source import Source, open_source
from ...files.target import Target, open_target
from ..output import Refused
from ..session import Session
from ..terminal_text import make_visible

#: stdin for what is read, stdout for what is written.
STREAM = Path("-")
SUFFIX = ".kms"


def name_encrypted(file: Path) -> Path:
    """``report.pdf.kms``; the output for stdin is stdout."""
    return STREAM if file == STREAM else rename(file, file.name + SUFFIX)


def name_decrypted(file: Path) -> Path:
    """The name before the encryption. Raises click.UsageError where it cannot be inferred."""
    if file == STREAM:
        return STREAM
    if file.suffix != SUFFIX:
        raise click.UsageError(f"{file} does not end in {SUFFIX}: name the output with -o")
    return rename(file, file.name.removesuffix(SUFFIX))


def rename(file: Path, name: str) -> Path:
    """The path of a file with another name in the same directory.

    Raises click.UsageError where that is not a file's name.
    """
    try:
        return file.with_name(name)
    except ValueError:  # /, . and ..kms
        raise click.UsageError(
            f"no output can be named after {file}: is it a directory? Name a file"
        ) from None


@contextmanager
def open_input(file: Path) -> Iterator[Source]:
    if file == STREAM:
        yield Source("stdin", cast(BufferedReader, sys.stdin.buffer))
    else:
        with open_source(file) as source:
            yield source


@contextmanager
def open_output(output: Path, *, replaces: bool) -> Iterator[Writable]:
    if output == STREAM:
        yield Target("stdout", sys.stdout.buffer)
        sys.stdout.buffer.flush()
    else:
        with open_target(output, replaces=replaces) as target:
            yield target


def check_output(session: Session, source: Source, output: Path, *, is_forced: bool) -> bool:
    """Check that the output may replace an existing file, if need be by asking the person.

    Raises click.UsageError for the file that is read, and Refused for one that is there, unless the person says yes.
    """
    if output == STREAM:
        if session.is_json:
            raise click.UsageError("--json prints on stdout: name an output with -o")
        return True
    if source.is_same_file(output):
        raise click.UsageError(f"{output} is the file that is read: name another output with -o")
    if is_forced or session.options.is_confirmed or not output.is_file():
        return is_forced or session.options.is_confirmed
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise Refused(f"{output} exists: name another output with -o, or replace it with --force")
    if not click.confirm(f"{make_visible(str(output))} exists. Replace it?", err=True):
        raise Refused("nothing was done")
    return True
