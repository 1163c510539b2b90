"""Figures: the numbers that a part of the server hands to `/metrics`, as plain values.

A part counts what it counts anyway; a function of no arguments tells it when somebody asks, so that it
costs a request nothing:

    metrics.add(lambda: [
        gauge("kms_connections_open", "Connections that are open", len(self._open)),
        counter("kms_connections_refused_total", "Connections refused", self._refused, "reason"),
    ])

Names follow Prometheus: they begin with ``kms_``, have base units (seconds, bytes) and end with ``_total``
where they count. Values of labels come from a fixed set or from the configuration, never from a client.
The table in docs/operating.md has a row for each name; a test compares it with a real server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

#: A number; with labels, one for each of their values: a text for one label, a tuple for several.
Values = float | Mapping[Any, float]


class Figure(NamedTuple):
    """One metric at one moment. kind: "gauge" or "counter". values: {values of the labels: number}."""

    name: str
    kind: str
    help: str
    labels: tuple[str, ...]
    values: Mapping[tuple[str, ...], float]


#: Tells a part's figures when somebody asks. Called in the event loop's thread; it never waits.
Source = Callable[[], Iterable[Figure]]


def gauge(name: str, help_text: str, values: Values, *labels: str) -> Figure:
    """A number that goes up and down."""
    return Figure(name, "gauge", help_text, labels, _by_labels(values))


def counter(name: str, help_text: str, values: Values, *labels: str) -> Figure:
    """A number that only grows; its name ends with ``_total``."""
    return Figure(name, "counter", help_text, labels, _by_labels(values))


def _by_labels(values: Values) -> Mapping[tuple[str, ...], float]:
    if not isinstance(values, Mapping):
        return {(): values}
    return {(key,) if isinstance(key, str) else key: value for key, value in values.items()}
