"""`kmsctl encrypt` and `decrypt`, and `sym encrypt` and `sym decrypt`, which are the same: their options."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..session import Session
from .ckms_options import CkmsChoice, ckms_options

if TYPE_CHECKING:
    from .conversion import FileJob

F = TypeVar("F", bound=Callable[..., Any])


def _file_options(output_help: str) -> Callable[[F], F]:
    options = [
        click.argument("files", nargs=-1, required=True, metavar="FILE...",
                       type=click.Path(path_type=Path)),
        click.option("-o", "--output", "--output-file", "output", metavar="FILE",
                     type=click.Path(path_type=Path), help=output_help),
        click.option("--force", "is_forced", is_flag=True, help="Replace an output that exists."),
        click.option("-t", "--tag", "tags", metavar="TAG", multiple=True,
                     help="The key that has this tag; with several, all of them."),
    ]  # fmt: skip

    def add(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def _make_job(session: Session, **options: Any) -> FileJob:
    """Raises click.UsageError."""
    from .conversion import FileJob

    stated = {name: options.pop(name) for name in CkmsChoice.OPTIONS if name in options}
    return FileJob(session=session, ckms=CkmsChoice.from_options(**stated), **options)


@click.command(epilog="kmsctl encrypt report.pdf --for billing")
@_file_options("Instead of FILE.kms; - for stdout.")
@click.option(
    "--for",
    "-k",
    "--key-id",
    "key",
    metavar="KEY",
    help="The identifier or the Name of the key: AES in GCM mode, ChaCha20 or RSA.",
)
@ckms_options(is_encryption=True)
@click.pass_obj
def encrypt(session: Session, /, **options: Any) -> None:
    """Encrypt files. FILE becomes FILE.kms, and - is stdin.

    The server never gets the file: it wraps a random data key, another one for each file. Who may decrypt
    with KEY can decrypt the file.
    """
    from .conversion import encrypt_files

    encrypt_files(_make_job(session, **options))


@click.command(epilog="kmsctl decrypt report.pdf.kms")
@_file_options("Instead of FILE without .kms; - for stdout.")
@click.option(
    "--with",
    "-k",
    "--key-id",
    "key",
    metavar="KEY",
    help="Instead of the key that the file names: its identifier or Name.",
)
@ckms_options(is_encryption=False)
@click.pass_obj
def decrypt(session: Session, /, **options: Any) -> None:
    """Decrypt files. FILE.kms becomes FILE, and - is stdin.

    A file appears only once it has proved whole and authentic. What goes to stdout is authentic as well,
    but not known to be whole before the exit code is 0.
    """
    from .conversion import decrypt_files

    decrypt_files(_make_job(session, **options))
