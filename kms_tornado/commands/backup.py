"""`kms-tornado backup FILE`: writes everything in the database at one moment to a file, while servers serve."""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from ..errors import ConfigurationError
from ..service.private_file import flush_directory
from ..store.dump import DumpWriter
from ..wording import format_count, format_size, make_printable
from .dump_file import check_file
from .opening import open_database, record
from .progress import Progress
from .running import CommandContext

# A backup writes all the time.
_LONG_SILENT_S = 3600


async def run(context: CommandContext) -> int:
    """Write or check a backup.

    Exit code 0: the file is whole; 1: it is, but something other than a server wrote some rows.
    """
    is_check: bool = context.arguments["check"]
    file = _name_file(context.arguments["file"], is_check=is_check)
    if is_check:
        dump = check_file(context, file)
        print(f"{file} is whole: {format_count(dump.rows, 'row')}, as of {dump.header.made}")
        return 0
    async with open_database(context) as (store, ring):
        with _new_file(file) as stream, Progress("rows") as progress:
            dumped = await store.dump(DumpWriter(stream, ring.row_mac), progress.update)
            detail = {"file": str(file), "objects": dumped.objects}
            # Before the file has its name: no backup is there of which no record tells.
            await record(store, "Backup", detail)
        key_ids = sorted(key_id.hex() for key_id in await store.count_envelopes())
    objects, rows = format_count(dumped.objects, "object"), format_count(dumped.rows, "row")
    print(f"{file} has {objects} in {rows}, {_measure(file)}")
    if key_ids:
        print(f"key material in it is sealed under the master key {', '.join(key_ids)}")
    for uid in dumped.altered:
        print(make_printable(f"{uid} is in it as something else than a server wrote it"))
    return 1 if dumped.altered else 0


def _name_file(path: Path, *, is_check: bool) -> Path:
    """The path; if it is a directory, a file in it: a new one, or the newest one if it is to be checked.

    Raises ConfigurationError.
    """
    if not path.is_dir():
        return path
    if not is_check:
        return path / f"kms-{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}.backup"
    names = sorted(path.glob("kms-*.backup"))
    if not names:
        raise ConfigurationError(f"{path}: there is no backup in it that was named by its time")
    return names[-1]


def _measure(file: Path) -> str:
    return format_size(file.stat().st_size)


def _remove_drafts(path: Path) -> None:
    """Remove what backups of this name, or of names by the time, left when they were killed. Raises OSError."""
    pattern = re.compile(rf"\.(kms-[-\dTZ]+\.backup|{re.escape(path.name)})\.[0-9a-f]{{16}}")
    for draft in path.parent.glob(".*"):
        if pattern.fullmatch(draft.name) and draft.stat().st_mtime < time.time() - _LONG_SILENT_S:
            draft.unlink(missing_ok=True)


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    """A file that appears under its name once it is whole and on disk. Raises ConfigurationError."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        if os.path.lexists(path):
            raise FileExistsError
        _remove_drafts(path)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with os.fdopen(os.open(draft, flags, 0o600), "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.link(draft, path)  # never overwrites
        flush_directory(path.parent)
    except FileExistsError:
        raise ConfigurationError(
            f"{path}: is there already, and no backup is overwritten"
        ) from None
    except OSError as exc:
        text = (exc.strerror or type(exc).__name__).lower()
        raise ConfigurationError(f"{path}: cannot be written: {text}") from exc
    finally:
        draft.unlink(missing_ok=True)
