"""`kms-tornado audit reindex`: makes the index of the audit again from the records."""

from __future__ import annotations

import time

from ...wording import format_count
from ..opening import open_database
from ..output import say
from ..progress import Progress
from ..running import CommandContext


async def run(context: CommandContext) -> int:
    """Make the index again. Exit code 0: it has all records; 1: some are missing in the audit itself."""
    async with open_database(context) as (store, _):
        behind = await store.records.forget_index()
        indexed = 0
        with Progress("records", behind) as progress:
            while behind:
                # A server that serves may take steps, too: each record is in one of them.
                step = await store.records.take_step(int(time.time()), is_urgent=True)
                indexed, behind = indexed + max(behind - step.behind, 0), step.behind
                progress.update(indexed, indexed + behind)
                if not step.records and not step.is_anothers:
                    break
    say(f"the index has {format_count(indexed, 'record')}")
    if behind:
        say(
            f"{format_count(behind, 'record is', 'records are')} missing: run kms-tornado audit verify"
        )
    return 1 if behind else 0
