"""`kms-tornado audit export`: the audit as JSON lines, all of it or a selection, while servers serve."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ..audit.record import MalformedRecord, parse_object
from ..audit.selection import Selection
from ..errors import ConfigurationError
from ..store.base import EVER, AuditStore, Span
from ..store.object_checks import StoredSegment
from .line_output import write_lines
from .opening import open_database
from .progress import Progress
from .running import CommandContext


async def run(context: CommandContext) -> int:
    """Exit code 0: it is written; 1: it is, and has records that something else than a server wrote."""
    selection, span = _read_selection(context.arguments)
    async with open_database(context) as (store, _):
        # In this order: no checkpoint names a record that is read before it.
        checkpoints = await _write_checkpoints(store.audit) if selection.is_everything else 0
        total = sum(head.seq for head in (await store.audit.heads()).values())
        with Progress("records", total) as progress:
            export = _Export(selection, progress)
            await export.write_records(store.audit, span)
    for text in export.faults:
        print(text, file=sys.stderr)
    print(f"{export.written:,} records{_describe(selection, checkpoints)}", file=sys.stderr)
    return 1 if export.faults else 0


def _describe(selection: Selection, checkpoints: int) -> str:
    if selection.is_everything:
        return f" and {checkpoints:,} checkpoints"
    return "; a selection cannot be verified: export everything for that"


async def _write_checkpoints(store: AuditStore) -> int:
    after = written = 0
    while page := await store.read_checkpoints(after):
        write_lines([line.encode() for _, line in page])
        after, written = page[-1][0], written + len(page)
    return written


class _Export:
    """written: records. faults: in whole sentences, the first few."""

    _MOST_FAULTS = 20

    def __init__(self, selection: Selection, progress: Progress) -> None:
        self._selection = selection
        self._progress = progress
        self._read = 0
        self.written = 0
        self.faults: list[str] = []

    async def write_records(self, store: AuditStore, span: Span) -> None:
        """Chain after chain, each in its order."""
        chain = after = 0
        while segments := await store.read_segments(chain, after, span):
            for segment in segments:
                self._write_segment(segment)
                chain, after = segment.chain, segment.first
            self._progress.update(self._read)

    def _write_segment(self, segment: StoredSegment) -> None:
        if not segment.is_ours and len(self.faults) < self._MOST_FAULTS:
            self.faults.append(
                f"records {segment.chain}/{segment.first} to {segment.chain}/{segment.last} were not written by "
                "this server, or edited"
            )
        lines = [line for line in segment.lines if self._is_selected(line)]
        write_lines(lines)
        self._read += len(segment.lines)
        self.written += len(lines)

    def _is_selected(self, line: bytes) -> bool:
        if self._selection.is_everything:
            return True
        try:
            return self._selection.selects(parse_object(line))
        except MalformedRecord:  # its segment is not ours, which is told
            return False


def _read_selection(arguments: Mapping[str, Any]) -> tuple[Selection, Span]:
    since, until = arguments["since"], arguments["until"]
    if since is not None and until is not None and since >= until:
        raise ConfigurationError("--since is not before --until")
    selection = Selection(
        None if since is None else _format_time(since),
        None if until is None else _format_time(until),
        frozenset(arguments["principal"]),
        _lower(arguments["operation"]),
        frozenset(arguments["uid"]),
        _lower(arguments["result"]),
    )
    span = Span(
        EVER.since_ms if since is None else _to_milliseconds(since),
        EVER.until_ms if until is None else _to_milliseconds(until),
    )
    return selection, span


def _format_time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def _to_milliseconds(moment: datetime) -> int:
    return int(moment.timestamp()) * 1000 + moment.microsecond // 1000


def _lower(words: Sequence[str]) -> frozenset[str]:
    return frozenset(word.strip().lower() for word in words)
