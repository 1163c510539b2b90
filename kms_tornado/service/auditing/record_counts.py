"""RecordCounts: how many records there are in each step of time, by result, and how many uses of keys."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ...audit.indexing import USES, format_time
from ...audit.query import FoundRecord
from ...audit.record import SUCCESS
from .request import StatisticsRequest


class RecordCounts:
    """Counts records, which come newest first."""

    def __init__(self, request: StatisticsRequest) -> None:
        self._request = request
        self._results: Counter[str] = Counter()
        self._operations: Counter[str] = Counter()
        #: {number of the step: {result: number}}; "uses" is beside the results.
        self._steps: dict[int, Counter[str]] = {}
        self._oldest_ms: int | None = None

    def take(self, record: FoundRecord) -> bool:
        """Count a record. Always True: there is no limit."""
        request, time_ms = self._request, record.place.time_ms
        self._results[record.result] += 1
        self._operations[record.operation] += 1
        number = (time_ms - request.since_ms) // request.step_ms
        step = self._steps.setdefault(number, Counter())
        step[record.result] += 1
        if record.operation in USES and record.result == SUCCESS:
            step["uses"] += 1
        self._oldest_ms = time_ms
        return True

    def render(self, *, is_whole: bool) -> dict[str, Any]:
        """The numbers, without steps that have no records.

        is_whole: whether all records were counted. If not, those from the oldest one taken to the end were.
        """
        request = self._request
        oldest_ms = request.until_ms if self._oldest_ms is None else self._oldest_ms
        return {
            "since": format_time(request.since_ms),
            "until": format_time(request.until_ms),
            "step_seconds": request.step_ms // 1000,
            "counted_since": format_time(request.since_ms if is_whole else oldest_ms),
            "results": dict(sorted(self._results.items())),
            "operations": dict(self._operations.most_common()),
            "steps": [
                {
                    "at": format_time(request.since_ms + number * request.step_ms),
                    "uses": step.pop("uses", 0),
                    "results": dict(sorted(step.items())),
                }
                for number, step in sorted(self._steps.items())
            ],
        }
