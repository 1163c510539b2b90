"""`kms-tornado backup FILE`: writes everything in the database at one moment to a file, while servers serve."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from ..errors import ConfigurationError
from ..service.private_file import flush_directory
from ..store.dump import DumpWriter
from ..wording import format_count, format_size, make_printable
from .dump_file import check_file
from .opening import open_database, record
from .output import say
from .progress import Progress
from .running import CommandContext

# A backup writes all the time.
_LONG_SILENT_S = 3600


async def run(context: CommandContext) -> int:
    """Write or check a backup.

    Exit code 0: the file is whole; 1: it is, but something other than a server wrote some rows.
    """
    target: Path = context.arguments["file"]
    if context.arguments["check"]:
        file = _find_newest(target)
        dump = check_file(context, file)
        say(f"{file} is whole: {format_count(dump.rows, 'row')}, as of {dump.header.made}")
        return 0
    async with open_database(context) as (store, ring):
        with _new_file(target) as (file, stream), Progress("rows") as progress:
            dumped = await store.dump(DumpWriter(stream, ring.row_mac), progress.update)
            detail = {"file": str(file), "objects": dumped.objects}
            # Before the file has its name: no backup is there of which no record tells.
            await record(store, "Backup", detail)
        key_ids = sorted(key_id.hex() for key_id in await store.master_keys.count_envelopes())
    objects, rows = format_count(dumped.objects, "object"), format_count(dumped.rows, "row")
    say(f"{file} has {objects} in {rows}, {_measure(file)}")
    if key_ids:
        say(f"key material in it is sealed under the master key {', '.join(key_ids)}")
    for uid in dumped.altered:
        say(make_printable(f"{uid} is in it as something else than a server wrote it"))
    for text in dumped.odd:
        say(text)
    return 1 if dumped.altered or dumped.odd else 0


def _find_newest(target: Path) -> Path:
    """The target; if it is a directory, the newest backup in it that was named by its time. Raises ConfigurationError."""
    if not target.is_dir():
        return target
    names = sorted(target.glob("kms-*.backup"))
    if not names:
        raise ConfigurationError(f"{target}: there is no backup in it that was named by its time")
    return names[-1]


def _measure(file: Path) -> str:
    return format_size(file.stat().st_size)


def _remove_drafts(path: Path) -> None:
    """Remove what backups of this name, or of names by the time, left when they were killed. Raises OSError."""
    pattern = re.compile(rf"\.(kms-[-\dTZ]+\.backup|{re.escape(path.name)})\.[0-9a-f]{{16}}")
    for draft in path.parent.glob(".*"):
        if pattern.fullmatch(draft.name) and draft.stat().st_mtime < time.time() - _LONG_SILENT_S:
            draft.unlink(missing_ok=True)


def _name_by_time(directory: Path, now: datetime) -> Path:
    """The file of the first second that no backup has, neither a whole one nor one that is being written."""
    while True:
        path = directory / f"kms-{now:%Y-%m-%dT%H%M%SZ}.backup"
        if not os.path.lexists(path) and not any(directory.glob(f".{path.name}.*")):
            return path
        now += timedelta(seconds=1)


def _open_draft(target: Path) -> tuple[Path, Path, BinaryIO]:
    """(the path of the backup, of its draft, the draft). target: of the backup, or a directory. Raises OSError."""
    directory = target if target.is_dir() else target.parent
    lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)  # others choose their names when this one's draft is there
        path = _name_by_time(target, datetime.now(UTC)) if directory == target else target
        if os.path.lexists(path):
            raise FileExistsError
        _remove_drafts(path)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        return path, draft, os.fdopen(os.open(draft, flags, 0o600), "wb")
    finally:
        os.close(lock)


@contextmanager
def _new_file(target: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """A file that appears under its path once it is whole and on disk. target: its path, or a directory.

    Raises ConfigurationError.
    """
    path, draft = target, None
    try:
        path, draft, stream = _open_draft(target)
        with stream:
            yield path, stream
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
        if draft is not None:
            draft.unlink(missing_ok=True)
