"""Which records of the audit somebody asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Selection:
    """What a record must be to be told; an empty set selects all.

    since, until: RFC 3339 with milliseconds, in UTC, as records have it; a record of `until` is not selected.
    operations: in lower case. uids: the object, another one that took part, or one that was changed.
    """

    since: str | None = None
    until: str | None = None
    principals: frozenset[str] = frozenset()
    operations: frozenset[str] = frozenset()
    uids: frozenset[str] = frozenset()
    results: frozenset[str] = frozenset()

    @property
    def is_everything(self) -> bool:
        return self == Selection()

    def selects(self, record: Mapping[str, Any]) -> bool:
        """record: its members, of any type: something else may have written it."""
        time = str(record.get("time"))
        return (
            (self.since is None or time >= self.since)
            and (self.until is None or time < self.until)
            and _is_among(record.get("principal"), self.principals)
            and _is_among(str(record.get("operation")).lower(), self.operations)
            and _is_among(str(record.get("result")).lower(), self.results)
            and (not self.uids or any(uid in self.uids for uid in _list_uids(record)))
        )


def _is_among(value: Any, selected: frozenset[str]) -> bool:
    return not selected or (isinstance(value, str) and value in selected)


def _list_uids(record: Mapping[str, Any]) -> Sequence[str]:
    also, changed = record.get("also"), record.get("objects")
    uids = [record.get("uid"), *(also if isinstance(also, list) else ())]
    if isinstance(changed, list):
        uids += [state[0] for state in changed if isinstance(state, list) and state]
    return [uid for uid in uids if isinstance(uid, str)]
