"""New objects as rows, for a database that adds them in one statement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...audit.record import Draft
from ...kmip.attributes import count_values
from ..interface.changes import Insert
from .commits import Commit, GroupCommit
from .statements import Noted
from .tables.owners import units_of
from .tables.row_macs import RowAuthenticator
from .tables.rows import format_row
from .tables.side_tables import (
    make_name_rows,
    make_tag_rows,
    make_value_rows_of_new,
    names_of,
)

#: {column: value}
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Addition:
    """The rows that commits add. In `tags`, `values` and `names`, `object` is the identifier.

    differences: {owner: units of their new objects}
    """

    objects: Sequence[Row]
    tags: Sequence[Row]
    values: Sequence[Row]
    names: Sequence[Row]
    differences: Mapping[str, int]
    authenticator: RowAuthenticator
    drafts: Sequence[Draft] = ()

    @property
    def noted(self) -> Noted:
        """The drafts of the audit's records about these objects."""
        if not self.drafts:
            return ()
        return [(self.drafts, {row["uid"]: (None, row["mac"]) for row in self.objects})]

    def join(self, later: Addition) -> Addition:
        """Both as one."""
        differences = Counter(self.differences)
        differences.update(later.differences)
        return Addition(
            [*self.objects, *later.objects],
            [*self.tags, *later.tags],
            [*self.values, *later.values],
            [*self.names, *later.names],
            differences,
            self.authenticator,
            [*self.drafts, *later.drafts],
        )


#: Values of the attributes and tags, and objects, whose rows are made in a few milliseconds.
_FEW = 200


def is_long_addition(commits: Sequence[Commit | GroupCommit]) -> bool:
    """Whether making the addition of these commits would hold the event loop."""
    count = sum(
        1 + count_values(change.new.attributes) + len(change.new.tags)
        for commit in commits
        for change in commit.changes
        if isinstance(change, Insert)
    )
    return count > _FEW


def make_addition(commits: Sequence[Commit | GroupCommit]) -> Addition:
    """The rows that the commits add. commits: at least one, each of which only adds."""
    authenticator = commits[0].authenticator
    added = [
        (change.new, commit.now)
        for commit in commits
        for change in commit.changes
        if isinstance(change, Insert)
    ]
    by_uid = [(new.uid, new) for new, _ in added]
    rows = [
        format_row(new, authenticator, generation=new.generation, now=now) for new, now in added
    ]
    differences: Counter[str] = Counter()
    for row in rows:
        differences[row["owner"]] += units_of(row, len(row["sealed"] or b""))
    return Addition(
        rows,
        make_tag_rows(by_uid),
        make_value_rows_of_new(by_uid),
        make_name_rows({uid: names_of(new) for uid, new in by_uid if new.attributes.names}),
        differences,
        authenticator,
        [draft for commit in commits for draft in commit.drafts],
    )
