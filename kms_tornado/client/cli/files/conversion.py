"""Encrypts and decrypts the files that a command names, one after the other."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import click

from ...files.container import DataKey, Header
from ...files.data_keys import unwrap_data_key, wrap_new_data_key
from ...files.encrypted_file import decrypt_stream, encrypt_stream
from ...files.errors import UntrueFile
from ...files.sealing import Observer, Writable
from ...files.source import Source
from ..key_names import Key, use_half, use_key
from ..output import say, show_json
from ..session import Session
from .ckms_options import CkmsChoice
from .endings import ending_in_order
from .names import (
    STREAM,
    check_output,
    name_decrypted,
    name_encrypted,
    open_input,
    open_output,
    rename,
)
from .progress import show_progress

T = TypeVar("T")

#: Reads the source and writes the target. Where it raises, nothing that the target got may be used.
Convert = Callable[["FileJob", Source, Writable, Observer], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileJob:
    """What a command is to do. key, tags: as the user named the key. ckms: None for kmsctl's own format."""

    session: Session
    files: Sequence[Path]
    output: Path | None
    is_forced: bool
    key: str | None
    tags: Sequence[str]
    ckms: CkmsChoice | None

    @property
    def names_key(self) -> bool:
        return self.key is not None or bool(self.tags)

    def use_key(self, action: Callable[[Key], T]) -> T:
        """Call the function with the key that the user named."""
        return use_key(self.session, self.key, self.tags, action)


def encrypt_files(job: FileJob) -> None:
    """Raises the errors of the client, FileError and click.UsageError."""
    outputs = _choose_outputs(job, name_encrypted, ".enc")
    if STREAM in outputs and sys.stdout.isatty():
        raise click.UsageError(
            "ciphertext is nothing for a terminal: name an output with -o, or redirect stdout"
        )
    _convert_all(job, outputs, _encrypt if job.ckms is None else _encrypt_for_ckms)


def decrypt_files(job: FileJob) -> None:
    """Raises the errors of the client, FileError and click.UsageError."""
    outputs = _choose_outputs(job, name_decrypted, ".plain")
    ckms = job.ckms
    if ckms is not None and ckms.key_algorithm is not None and STREAM in outputs:
        raise click.UsageError(
            "only the end of a file of ckms tells whether it is authentic: name an output with -o"
        )
    _convert_all(job, outputs, _decrypt if ckms is None else _decrypt_for_ckms)


def _encrypt(job: FileJob, source: Source, target: Writable, observe: Observer) -> None:
    client = job.session.client
    header, data_key = use_half(
        job.session,
        job.key,
        job.tags,
        lambda key: wrap_new_data_key(client, key),
        is_public=True,
    )
    encrypt_stream(source, target, header, data_key, observe)
    source.check_unchanged()


def _decrypt(job: FileJob, source: Source, target: Writable, observe: Observer) -> None:
    def unwrap(header: Header) -> DataKey:
        client = job.session.client
        if job.names_key:
            return job.use_key(lambda key: unwrap_data_key(client, header, key))
        return unwrap_data_key(client, header)

    decrypt_stream(source, target, unwrap, observe)


def _encrypt_for_ckms(job: FileJob, source: Source, target: Writable, observe: Observer) -> None:
    from .ckms_files import encrypt_ckms

    assert job.ckms is not None
    encrypt_ckms(job.session.client, job.use_key, job.ckms, source, target, observe)
    source.check_unchanged()


def _decrypt_for_ckms(job: FileJob, source: Source, target: Writable, observe: Observer) -> None:
    from .ckms_files import decrypt_ckms

    assert job.ckms is not None
    decrypt_ckms(job.session.client, job.use_key, job.ckms, source, target, observe)


def _choose_outputs(job: FileJob, name: Callable[[Path], Path], ckms_suffix: str) -> list[Path]:
    """The output for each file. ckms_suffix: replaces the file's own suffix, as in ckms."""
    if job.output is not None:
        if len(job.files) > 1:
            raise click.UsageError("-o names one output, and there are several files: leave it out")
        return [job.output]
    if job.ckms is None:
        return [name(file) for file in job.files]
    return [file if file == STREAM else rename(file, file.stem + ckms_suffix) for file in job.files]


def _convert_all(
    job: FileJob,
    outputs: Sequence[Path],
    convert: Convert,
) -> None:
    done = []
    for file, output in zip(job.files, outputs, strict=True):
        try:
            with ending_in_order():
                _convert(job, file, output, convert)
        except UntrueFile as exc:
            raise UntrueFile(f"{file}: {exc}") from exc
        if output != STREAM:
            say(f"{output} is written")
        done.append({"file": str(file), "output": str(output)})
    if job.session.is_json:
        show_json(done)


def _convert(
    job: FileJob,
    file: Path,
    output: Path,
    convert: Convert,
) -> None:
    with open_input(file) as source:
        replaces = check_output(job.session, source, output, is_forced=job.is_forced)
        with (
            show_progress(job.session, file.name, source.size) as observe,
            open_output(output, replaces=replaces) as target,
        ):
            convert(job, source, target, observe)
