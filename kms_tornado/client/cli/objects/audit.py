"""What was done, with which object, by whom: `audit`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any

import click

from ..key_names import find_named
from ..output import Cell, show_json, show_table
from ..parameters import WholeNumber
from ..session import Session

#: The most records of one request, a limit of the server.
_PAGE = 1000

#: Who wants more has the server's operator run `kms-tornado audit export`.
_MOST = 1_000_000

RESULTS = ("Success", "Failed", "Refused", "Undone")


@click.command("audit")
@click.argument("key", metavar="[KEY]", required=False)
@click.option("--principal", metavar="USER", help="Only what USER did.")
@click.option("--operation", metavar="NAME", help="Only this operation, such as Decrypt.")
@click.option(
    "--result", type=click.Choice(RESULTS, case_sensitive=False), help="Only what ended so."
)
@click.option("--since", metavar="TIME", help="From then on: 2026-11-29 or 2026-11-29T11:45:00Z.")
@click.option("--until", metavar="TIME", help="Up to then.")
@click.option(
    "--limit",
    type=WholeNumber(1, _MOST),
    metavar="N",
    default=100,
    show_default=True,
    help="Records at most.",
)
@click.pass_obj
def audit(session: Session, /, key: str | None, limit: int, **filters: str | None) -> None:
    """List the newest records of what you did, and of what anybody did with objects of yours.

    KEY, an identifier or Name: those of one object. Auditors see what anybody did with anything.

    \b
    kmsctl audit invoices --operation Decrypt
    """
    if key is not None:  # an object that was removed has no Name any more
        key = find_named(session, key)
    records = [*islice(_read(session, {"uid": key, **filters}, limit), limit)]
    if session.is_json:
        show_json(records)
        return
    show_table(
        ("time", "principal", "operation", "unique_identifier", "result", "reason", "remote_ip"),
        [_make_row(record) for record in records],
    )


def _read(
    session: Session, filters: Mapping[str, str | None], limit: int
) -> Iterator[Mapping[str, Any]]:
    cursor = None
    while True:
        page = session.client.read_audit(**filters, limit=min(limit, _PAGE), cursor=cursor)
        yield from page.records
        cursor = page.next_cursor
        if cursor is None:
            return


def _make_row(record: Mapping[str, Any]) -> tuple[Cell, ...]:
    try:
        time: Cell = datetime.fromisoformat(record["time"])
    except (LookupError, TypeError, ValueError):
        time = str(record.get("time"))
    names = ("principal", "operation", "uid", "result", "reason", "remote_ip")
    return time, *(None if record.get(name) is None else str(record[name]) for name in names)
