"""`kms-tornado audit export`: the audit as JSON lines, all of it or a selection, while servers serve."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

from ...audit.chain import is_chained
from ...audit.query import RecordQuery
from ...errors import ConfigurationError
from ...service.auditing.operation_names import find_operation
from ...store.interface.audit import AuditStore
from ...store.interface.object_checks import StoredSegment
from ...wording import format_count
from ..opening import open_database
from ..output import tell
from ..progress import Progress
from ..running import CommandContext
from .line_output import write_lines

EVERYTHING = RecordQuery()


async def run(context: CommandContext) -> int:
    """Export the records.

    Exit code 0: they are written; 1: they are, but something other than a server wrote some of them.
    """
    query = _read_query(context.arguments)
    export = _Export(query)
    async with open_database(context) as (store, _):
        try:
            await export.write(store.audit)
        except BrokenPipeError:  # as with `| head`: what was found until then is told
            is_whole = False
        except OSError:
            number = format_count(export.written, "record")
            tell(f"the export is not whole: it has {number}, and at most a part of what follows")
            raise
        else:
            is_whole = True
            export.faults += await store.checks.find_odd_values()
    for text in export.faults:
        tell(text)
    if is_whole:
        tell(f"{format_count(export.written, 'record')}{_describe(query, export.checkpoints)}")
    return 1 if export.faults else 0


def _describe(query: RecordQuery, checkpoints: int) -> str:
    if query == EVERYTHING:
        return f" and {format_count(checkpoints, 'checkpoint')}"
    return "; a selection cannot be verified: export everything for that"


class _Export:
    """Writes checkpoints and records. written: how many records. faults: in whole sentences, the first few."""

    _MOST_FAULTS = 20

    def __init__(self, query: RecordQuery) -> None:
        self._query = query
        self._read = 0
        self.checkpoints = 0
        self.written = 0
        self.faults: list[str] = []

    async def write(self, store: AuditStore) -> None:
        """Write the checkpoints, if everything is asked for, and the records. Raises OSError."""
        # The order matters: so no checkpoint names a record that is read before it.
        if self._query == EVERYTHING:
            await self._write_checkpoints(store)
        total = sum(head.seq for head in (await store.heads()).values())
        progress = Progress("records", total)
        # A bar among the records would be neither.
        with nullcontext() if sys.stdout.isatty() else progress:
            await self._write_records(store, progress)

    async def _write_checkpoints(self, store: AuditStore) -> None:
        after = 0
        while page := await store.read_checkpoints(after):
            write_lines([line.encode() for _, line in page])
            after = page[-1][0]
            self.checkpoints += len(page)

    async def _write_records(self, store: AuditStore, progress: Progress) -> None:
        """Write the records of one chain after the other, each in its order."""
        chain = after = 0
        while segments := await store.read_segments(chain, after):
            for segment in segments:
                self._write_segment(segment)
                chain, after = segment.chain, segment.first
            progress.update(self._read)

    def _write_segment(self, segment: StoredSegment) -> None:
        lines = segment.lines
        is_ours = segment.is_ours and is_chained(lines)
        if not is_ours and len(self.faults) < self._MOST_FAULTS:
            self.faults.append(segment.fault)
        if self._query != EVERYTHING:
            lines = [one.line for one in self._query.find(segment.chain, segment.first, lines)]
        write_lines(lines)
        self._read += len(segment.lines)
        self.written += len(lines)


def _read_query(arguments: Mapping[str, Any]) -> RecordQuery:
    since_ms, until_ms = arguments["since"], arguments["until"]
    operation: str | None = arguments["operation"]
    if since_ms is not None and until_ms is not None and since_ms > until_ms:
        raise ConfigurationError("--since is behind --until")
    return RecordQuery(
        uid=arguments["uid"],
        principal=arguments["principal"],
        operation=None if operation is None else find_operation(operation),
        result=arguments["result"],
        since_ms=since_ms,
        until_ms=until_ms,
    )
