"""Groups of changes that are one commit, and which of them cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ...errors import KMIPError
from ..base import Conflict, Groups, Refused
from .changes import apply
from .statements import Runner


def apply_groups(runner: Runner, groups: Groups, *, now: int) -> None:
    """All of them as one; where that fails, one by one, to tell which. Raises Conflict and Refused."""
    places = [place for place, changes in enumerate(groups) if changes]
    try:
        with _savepoint(runner):
            apply(runner, [each for changes in groups for each in changes], now=now)
        return
    except KMIPError as exc:
        if len(places) == 1:
            raise Refused({places[0]: exc}) from None
    failures: dict[int, KMIPError] = {}
    for place in places:
        try:
            with _savepoint(runner):
                apply(runner, groups[place], now=now)
        except KMIPError as exc:
            failures[place] = exc
        except Conflict:
            if not failures:  # else it builds on one that failed
                raise
    if not failures:  # each can be, but not all together
        raise Conflict
    raise Refused(failures)


@contextmanager
def _savepoint(runner: Runner) -> Iterator[None]:
    runner.command("SAVEPOINT one_group")
    try:
        yield
    except (KMIPError, Conflict):
        runner.command("ROLLBACK TO one_group")
        raise
    runner.command("RELEASE one_group")
