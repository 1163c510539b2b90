"""`kms-tornado verify`: checks every stored object, by its MAC and the audit's records."""

from __future__ import annotations

from ..audit.verification import ChainVerifier
from ..errors import ConfigurationError
from ..service.verification.objects import RecordReader
from ..service.verification.records import NotAccepted, Report, verify_objects
from ..wording import format_count, make_printable
from .opening import open_database
from .output import say
from .progress import Progress
from .running import CommandContext


async def run(context: CommandContext) -> int:
    """Print one line for each fault. Exit code 0: there is none; 1: there are some."""
    report = Report()
    async with open_database(context) as (store, _):
        reader = RecordReader(store, ChainVerifier({}))
        with Progress("objects", await store.checks.count()) as progress:
            try:
                await verify_objects(
                    store,
                    reader,
                    report,
                    accepted=context.arguments["accept"],
                    progress=progress.update,
                )
            except NotAccepted as exc:
                raise ConfigurationError(
                    f"--accept {make_printable(str(exc))}: something else than a server wrote its row, or it was "
                    "changed a moment ago; put the row of a backup in its place, or try again"
                ) from None
    print_objects(report)
    if report.faults:
        say(
            f"{format_count(len(report.faults), 'fault')} of the audit itself, the first: {report.faults[0]}; "
            "run kms-tornado audit verify"
        )
    say(f"{count_faults(report)}: {format_count(report.objects, 'object')}")
    return 1 if report.faults or report.found or report.unfit or report.unknown else 0


def print_objects(report: Report) -> None:
    """Print a line for each object that is not as it should be, or is so again."""
    for uid, fault in sorted(report.found.items()):
        state = "not refused" if fault.is_told_only else "refused"
        say(make_printable(f"object {uid}: {fault.text} ({state})"))
    for uid, text in sorted(report.unfit.items()):
        say(
            make_printable(
                f"object {uid}: {text}, which something else than this server changed (searches for it are refused)"
            )
        )
    for uid in report.unknown:
        say(
            make_printable(
                f"object {uid}: there is none of this identifier, and nothing was accepted"
            )
        )
    for uid in sorted(report.cleared):
        say(make_printable(f"object {uid}: it is as its last record left it, and used again"))


def count_faults(report: Report) -> str:
    number = len(report.faults) + len(report.found) + len(report.unfit)
    return format_count(number, "fault") if number else "all is well"
