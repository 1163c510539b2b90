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
from ..progress import Progress
from ..running import CommandContext
from .line_output import write_lines

EVERYTHING = RecordQuery()


async def run(context: CommandContext) -> int:
    """Export the records.

    Exit code 0: they are written; 1: they are, but something other than a server wrote some of them.
    """
    query = _read_query(context.arguments)
    async with open_database(context) as (store, _):
        # The order matters: so no checkpoint names a record that is read before it.
        checkpoints = await _write_checkpoints(store.audit) if query == EVERYTHING else 0
        total = sum(head.seq for head in (await store.audit.heads()).values())
        progress = Progress("records", total)
        # A bar among the records would be neither.
        with nullcontext() if sys.stdout.isatty() else progress:
            export = _Export(query, progress)
            await export.write_records(store.audit)
        export.faults += await store.checks.find_odd_values()
    for text in export.faults:
        print(text, file=sys.stderr)
    print(
        f"{format_count(export.written, 'record')}{_describe(query, checkpoints)}", file=sys.stderr
    )
    return 1 if export.faults else 0


def _describe(query: RecordQuery, checkpoints: int) -> str:
    if query == EVERYTHING:
        return f" and {format_count(checkpoints, 'checkpoint')}"
    return "; a selection cannot be verified: export everything for that"


async def _write_checkpoints(store: AuditStore) -> int:
    after = written = 0
    while page := await store.read_checkpoints(after):
        write_lines([line.encode() for _, line in page])
        after, written = page[-1][0], written + len(page)
    return written


class _Export:
    """Writes records. written: how many. faults: in whole sentences, the first few."""

    _MOST_FAULTS = 20

    def __init__(self, query: RecordQuery, progress: Progress) -> None:
        self._query = query
        self._progress = progress
        self._read = 0
        self.written = 0
        self.faults: list[str] = []

    async def write_records(self, store: AuditStore) -> None:
        """Write the records of one chain after the other, each in its order."""
        chain = after = 0
        while segments := await store.read_segments(chain, after):
            for segment in segments:
                self._write_segment(segment)
                chain, after = segment.chain, segment.first
            self._progress.update(self._read)

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
