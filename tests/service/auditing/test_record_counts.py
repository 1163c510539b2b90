"""Numbers of records over time."""

from __future__ import annotations

import pytest

from kms_tornado.audit.query import FoundRecord, Place
from kms_tornado.service.auditing.record_counts import RecordCounts
from kms_tornado.service.auditing.request import (
    MAX_STEPS,
    BadAuditRequest,
    StatisticsRequest,
    parse_statistics_request,
)

from ...rows import each_row

DAY_S = 86_400
NOW = 20_000 * DAY_S  # a midnight


def asked(**parameters: str) -> StatisticsRequest:
    return parse_statistics_request({name: [value] for name, value in parameters.items()}, now=NOW)


def record(at_s: float, operation: str = "Encrypt", result: str = "Success") -> FoundRecord:
    return FoundRecord(
        Place(round(at_s * 1000), 1, 1), b"", "alice", frozenset(), operation, result
    )


def test_records_are_counted_by_step_result_and_operation() -> None:
    counts = RecordCounts(asked(step="hour"))
    for one in (
        record(NOW - 1),
        record(NOW - 2, result="Failed"),
        record(NOW - 3, "Create"),
        record(NOW - 7200),
        record(NOW - 7201, "Sign"),
    ):
        assert counts.take(one)
    told = counts.render(is_whole=True)
    assert told["results"] == {"Failed": 1, "Success": 4}
    assert told["operations"] == {"Encrypt": 3, "Create": 1, "Sign": 1}
    assert [(step["uses"], step["results"]) for step in told["steps"]] == [
        (1, {"Success": 1}),
        (1, {"Success": 1}),
        (1, {"Failed": 1, "Success": 2}),
    ]
    assert told["counted_since"] == told["since"]


def test_numbers_of_too_many_records_say_from_when_on_they_are() -> None:
    counts = RecordCounts(asked())
    counts.take(record(NOW - 60))
    told = counts.render(is_whole=False)
    assert told["since"] < told["counted_since"] < told["until"]
    nothing = RecordCounts(asked()).render(is_whole=False)
    assert nothing["counted_since"] == nothing["until"]


def test_without_times_the_last_day_is_asked_for() -> None:
    request = asked()
    assert (request.since_ms, request.until_ms) == ((NOW - DAY_S) * 1000, NOW * 1000)
    assert request.query.since_ms == request.since_ms


@each_row(
    "parameters",
    [
        pytest.param({"step": "second"}, id="step"),
        pytest.param({"limit": "5"}, id="a parameter of /audit alone"),
        pytest.param({"since": "2024-10-05", "until": "2024-10-05"}, id="no time"),
        pytest.param({"since": "2024-10-05", "until": "2024-10-04"}, id="backwards"),
        pytest.param({"since": "2099-01-01"}, id="in the future"),
        pytest.param({"since": "2020-01-01", "step": "hour"}, id="too many steps"),
        pytest.param({"uid": ""}, id="no identifier"),
    ],
)
def test_what_makes_no_sense_is_refused(parameters: dict[str, str]) -> None:
    with pytest.raises(BadAuditRequest):
        asked(**parameters)


def test_as_many_steps_as_there_may_be() -> None:
    request = asked(since="2023-09-01", until="2024-10-05", step="day")
    assert (request.until_ms - request.since_ms) // 1000 == MAX_STEPS * DAY_S
    with pytest.raises(BadAuditRequest):
        asked(since="2023-09-01", until="2024-10-06", step="day")
