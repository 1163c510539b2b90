"""The file of a backup: read completely and checked, before anything is done with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from ..crypto.sealing.envelope import MasterKey, SealBroken
from ..crypto.sealing.key_bundle import KeyBundle
from ..errors import ConfigurationError
from ..service.master_keys.key_ring import choose_bundle, load_keys
from ..store.dump import BadDump, DumpHeader, DumpReader
from ..store.interface.master_keys import OtherMasterKey
from .progress import Progress
from .running import CommandContext


class CheckedFile(NamedTuple):
    """A backup that was checked. bundle: the keys of its database."""

    reader: DumpReader
    header: DumpHeader
    bundle: KeyBundle
    rows: int


def check_file(context: CommandContext, file: Path) -> CheckedFile:
    """Read the file to its end, with the configured master keys. Raises ConfigurationError."""
    settings = context.settings.service
    if settings.data_dir is None:
        raise ConfigurationError("name a directory that is kept", "data_dir")
    keys = load_keys(settings, settings.data_dir.absolute(), may_make=False)
    with naming_faults(file):
        reader = DumpReader(file)
        header = reader.read_header()
        bundle = _choose_bundle(keys, header)
        rows = 0
        with Progress("rows checked", header.rows) as progress:
            for rows, _ in enumerate(reader.read_rows(bundle.row_mac), 1):
                progress.update(rows)
    return CheckedFile(reader, header, bundle, rows)


@contextmanager
def naming_faults(file: Path) -> Iterator[None]:
    """Turns errors about the file into a ConfigurationError that names it."""
    try:
        yield
    except BadDump as exc:
        raise ConfigurationError(f"{file}: {exc}") from None
    except OSError as exc:
        text = (exc.strerror or type(exc).__name__).lower()
        raise ConfigurationError(f"{file}: cannot be read: {text}") from exc


def _choose_bundle(keys: Sequence[MasterKey], header: DumpHeader) -> KeyBundle:
    try:
        return choose_bundle(keys, header.check, header.bundles)
    except OtherMasterKey:
        raise BadDump("it belongs to another master key than those that are configured") from None
    except SealBroken:
        raise BadDump("its first line is damaged") from None
