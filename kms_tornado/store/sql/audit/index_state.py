"""IndexState: how far the index of the audit has come, in one row of `server_state`."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

#: The name of the row.
STATE_NAME = "audit_index"
#: The version of the format of entries and of the row. With another version, the index is made again.
_VERSION = 3


@dataclass(frozen=True, slots=True)
class IndexState:
    """The contents of the row in `server_state`; `index` explains the other members.

    ranges: of the newest page, chain → (first record, last record).
    holder, seen: which process took the last step, and when, in seconds since the Unix epoch.
    v: the version of the format.
    """

    step: int = 0
    holder: str = ""
    seen: int = 0
    positions: Mapping[int, int] = field(default_factory=dict)
    page: int = 0
    ranges: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    records: int = 0
    since: int = 0
    until: int = 0
    ceiling: int = 0
    v: int = _VERSION

    def format(self) -> bytes:
        return json.dumps(dataclasses.asdict(self), separators=(",", ":")).encode()


def parse_state(value: bytes) -> IndexState | None:
    """The state; None where its version is another one, or something else wrote it."""
    try:
        members: dict[str, Any] = json.loads(value)
        members["positions"] = {int(key): int(seq) for key, seq in members["positions"].items()}
        members["ranges"] = parse_ranges(members["ranges"])
        state = IndexState(**members)
    except (ValueError, TypeError, LookupError, AttributeError):
        return None
    return state if state.v == _VERSION else None


def parse_ranges(members: Mapping[str, Sequence[int]]) -> dict[int, tuple[int, int]]:
    """The ranges in a page's row. Raises ValueError, TypeError or AttributeError for what something else wrote."""
    return {int(chain): (int(first), int(last)) for chain, (first, last) in members.items()}
