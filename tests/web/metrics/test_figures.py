"""What a part of the server hands to /metrics is a line there, whatever its labels."""

from __future__ import annotations

from typing import Any

import pytest

from kms_tornado.auth.no_auth import InsecureNoAuth
from kms_tornado.web.metrics.figures import Figure, counter, gauge
from kms_tornado.web.metrics.metrics import Metrics

from ...rows import each_row


@each_row(
    ("figure", "lines"),
    [
        pytest.param(gauge("kms_a", "A", 3), ["# TYPE kms_a gauge", "kms_a 3.0"], id="a number"),
        pytest.param(
            counter("kms_b_total", "B", {"x": 1, "y": 2}, "kind"),
            [
                "# TYPE kms_b_total counter",
                'kms_b_total{kind="x"} 1.0',
                'kms_b_total{kind="y"} 2.0',
            ],
            id="one label",
        ),
        pytest.param(
            gauge("kms_c", "C", {("u", "v"): True}, "first", "second"),
            ['kms_c{first="u",second="v"} 1.0'],
            id="two labels",
        ),
    ],
)
def test_a_figure_is_a_line_for_each_of_its_values(figure: Figure, lines: list[str]) -> None:
    metrics = Metrics(InsecureNoAuth("admin"))
    metrics.add(lambda: [figure])
    text = metrics.render_text().decode().splitlines()
    assert [line for line in lines if line not in text] == []


def test_a_source_is_asked_anew_for_each_answer_and_not_before() -> None:
    asked: list[int] = []

    def source() -> Any:
        asked.append(1)
        yield gauge("kms_asked", "How often", len(asked))

    metrics = Metrics(InsecureNoAuth("admin"))
    metrics.add(source)
    assert asked == []
    metrics.render_text()
    assert b"kms_asked 2.0" in metrics.render_text()
