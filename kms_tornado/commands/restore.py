"""`kms-tornado restore FILE`: makes a new database with everything in a backup."""

from __future__ import annotations

from pathlib import Path

from ..audit.record import COMMAND, make_draft
from ..errors import ConfigurationError, GeneralFailure
from ..service.auditing.anchor_file import AnchorFile
from ..service.auditing.audit import Audit
from ..service.auditing.signing_key import (
    KEY_FILE,
    check_configured_audit_key,
    load_audit_key,
)
from ..store.data_dir import make_data_dir
from ..store.dump import BadDump
from ..store.interface.audit import ALTERED_IDENTIFIER, Restored
from ..store.opening import describe_database, leaving_nothing_unused, open_store
from ..wording import format_count
from .dump_file import CheckedFile, check_file, naming_faults
from .opening import open_database
from .output import say
from .progress import Progress
from .running import CommandContext


async def run(context: CommandContext) -> int:
    """Restore a backup. Exit code 0: the database exists, and opens with the configured master keys."""
    file: Path = context.arguments["file"]
    dump = check_file(context, file)
    settings = context.settings.service
    if settings.data_dir is None:
        raise ConfigurationError("name a directory that is kept", "data_dir")
    check_configured_audit_key(settings.audit_key_file)
    with leaving_nothing_unused(settings.database_url, settings.data_dir):
        return await _restore(context, dump, make_data_dir(settings.data_dir))


async def _restore(context: CommandContext, dump: CheckedFile, data_dir: Path) -> int:
    """Make the database, and say so."""
    file: Path = context.arguments["file"]
    settings = context.settings.service
    anchor_file = AnchorFile(settings.master_key_file, data_dir)
    anchor = anchor_file.read()
    restored = Restored(
        make_draft(COMMAND, "Restore", detail={"made": dump.header.made}),
        0 if anchor is None else max(anchor.checkpoint.heads, default=0),
        dump.bundle.row_mac,
    )
    store = open_store(settings.database_url, data_dir)
    with naming_faults(file), Progress("rows", dump.header.rows) as progress:
        # Read again, and so checked again: it may be another file by now. Nothing is there before the end.
        rows = dump.reader.read_rows(dump.bundle.row_mac)
        # In the same transaction: no restored database is there of which no record tells.
        try:
            segments = await store.fill(dump.header, rows, progress.update, restored)
        except GeneralFailure:
            raise BadDump(f"it was made like this: {ALTERED_IDENTIFIER}") from None
    async with open_database(context) as (opened, _):
        opened.audit.announce(segments)
        number = sum((await opened.master_keys.count_envelopes()).values())
        key = load_audit_key(settings.audit_key_file, data_dir / KEY_FILE)
        await Audit(opened.audit, key, anchor_file, records_reads=True).accept_restored(anchor)
    name = describe_database(settings.database_url, data_dir)
    content = format_count(dump.rows, "row")
    sealed = format_count(number, "sealed object")
    say(f"{name} has {content} as of {dump.header.made}, with {sealed}")
    say("everything that was done later is undone, also what was revoked, destroyed and withdrawn")
    if anchor is not None:
        say(
            f"the anchor {anchor.path} is this database's from now on: a server that goes on with "
            "the one before is refused its next start"
        )
    return 0
