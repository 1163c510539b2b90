"""`kmsctl batch FILE`: many KMIP operations in one request."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

import click

from .data import read_part
from .output import Refused, printing, show_json, show_table
from .parameters import InputFile
from .session import Session

if TYPE_CHECKING:
    from .batch_file import ItemResult


@click.command("batch")
@click.argument("file", metavar="FILE", type=InputFile("rb"))
@click.option(
    "--on-error",
    "continuation",
    metavar="WHAT",
    type=click.Choice(["continue", "stop", "undo"], case_sensitive=False),
    help="What a failed operation means for the others: continue with them (what the server "
    "does unless told otherwise), stop and keep what was done, or undo that, too.",
)
@click.pass_obj
def batch(session: Session, file: BinaryIO, continuation: str | None) -> int:
    """Send the KMIP operations of FILE in one request, and print how each ended.

    FILE holds JSON TTLV: a RequestMessage, a bare operation, an array of these, or one on each line; - is
    stdin. At most 100 operations. The exit code is 1 where any of them failed. --json prints the
    responses, too.

    \b
    kmsctl batch operations.jsonl
    """  # fmt: skip
    from ..exchanges import Exchange
    from .batch_file import InvalidBatchFile, make_message, parse_results

    name = getattr(file, "name", "<stdin>")
    try:
        text = read_part(file).decode("utf-8-sig")
        body = make_message(text, continuation and continuation.capitalize())
    except UnicodeDecodeError:
        raise Refused(f"{name}: the file is no text in UTF-8") from None
    except InvalidBatchFile as exc:
        raise Refused(f"{name}: {exc}") from None
    results = session.client.run(Exchange("POST", "/kmip", parse_results, body))
    with printing(*filter(None, (result.unique_identifier for result in results))):
        _show(session, results)
    return 0 if all(result.is_success for result in results) else 1


def _show(session: Session, results: list[ItemResult]) -> None:
    if session.is_json:
        show_json(
            [
                {
                    "number": result.number,
                    "operation": result.operation,
                    "status": result.status,
                    "reason": result.reason,
                    "message": result.message,
                    "unique_identifier": result.unique_identifier,
                    "payload": result.payload,
                }
                for result in results
            ]
        )
        return
    show_table(
        ("number", "operation", "result", "unique_identifier", "message"),
        [
            (
                result.number,
                result.operation,
                result.status if result.reason is None else result.reason,
                result.unique_identifier,
                result.message,
            )
            for result in results
        ],
    )
