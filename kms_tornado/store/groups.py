"""Groups of changes that are one commit, and which of them cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from ..errors import KMIPError
from .base import Conflict, Groups, Refused
from .changes import apply


def apply_groups(connection: Connection, groups: Groups, *, now: int) -> None:
    """All of them as one; where that fails, one by one, to tell which. Raises Conflict and Refused."""
    places = [place for place, changes in enumerate(groups) if changes]
    try:
        with _savepoint(connection):
            apply(connection, [each for changes in groups for each in changes], now=now)
        return
    except KMIPError as exc:
        if len(places) == 1:
            raise Refused({places[0]: exc}) from None
    failures: dict[int, KMIPError] = {}
    for place in places:
        try:
            with _savepoint(connection):
                apply(connection, groups[place], now=now)
        except KMIPError as exc:
            failures[place] = exc
        except Conflict:
            if not failures:  # else it builds on one that failed
                raise
    if not failures:  # each can be, but not all together
        raise Conflict
    raise Refused(failures)


@contextmanager
def _savepoint(connection: Connection) -> Iterator[None]:
    connection.exec_driver_sql("SAVEPOINT one_group")
    try:
        yield
    except (KMIPError, Conflict):
        connection.exec_driver_sql("ROLLBACK TO one_group")
        raise
    connection.exec_driver_sql("RELEASE one_group")
