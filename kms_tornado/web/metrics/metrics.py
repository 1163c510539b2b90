"""Prometheus metrics for alerts, with no user and no identifier in any label.

Whatever the parts of the server count anyway is read at scrape time (`figures`), so that metrics cost a request next to
nothing: four counts and two times.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from tornado.web import RequestHandler

from ... import __version__
from ...auth.request_auth import RequestAuth
from ...service.kms import KMS
from ..paced import Paced
from .figures import Figure, Source, gauge
from .sources import (
    audit_figures,
    database_figures,
    executor_figures,
    scrub_figures,
    token_figures,
)

#: Upper bounds of the histograms' buckets, in seconds.
_REQUEST_BUCKETS_S = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0
)  # fmt: skip
_LAG_BUCKETS_S = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_VERIFICATION_BUCKETS_S = (0.00002, 0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.005)

#: Seconds between two renderings. Each takes milliseconds of the event loop, and anybody may ask for one without a
#: token.
_PAUSE_S = 0.05

#: The label of a message with several operations, whose time is that of all of them.
_BATCH = "batch"


class Metrics:
    """The metrics of one server, in a registry of their own; GET /metrics answers with `render_text`."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, auth: RequestAuth, kms: KMS | None = None) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for every one
        self._registry = CollectorRegistry()
        self._scrapes = Paced(self._render, _PAUSE_S)
        ProcessCollector(registry=self._registry)
        self.add(_build_figures)
        if kms is not None:
            self._add_kms(kms)
        self._add_requests()
        self._add_lag()
        if auth.statistics() is not None:
            self._add_tokens(auth)

    def _add_kms(self, kms: KMS) -> None:
        self.add(lambda: database_figures(kms))
        self.add(lambda: audit_figures(kms))
        if kms.scrubber is not None:
            scrubber = kms.scrubber
            self.add(lambda: scrub_figures(scrubber))
        if kms.executor is not None:
            executor = kms.executor
            self.add(lambda: executor_figures(executor))

    def _add_requests(self) -> None:
        requests = Counter(
            "kms_http_requests",
            "Answered requests by route, method and status",
            ["route", "method", "status"],
            registry=self._registry,
        )
        seconds = Histogram(
            "kms_http_request_seconds",
            "Time from a request's headers to its answer",
            ["route"],
            buckets=_REQUEST_BUCKETS_S,
            registry=self._registry,
        )
        operations = Counter(
            "kms_operations",
            "KMIP operations by result reason",
            ["operation", "result"],
            registry=self._registry,
        )
        operation_seconds = Histogram(
            "kms_operation_seconds",
            "Time from the headers of a request for one operation to its answer; batches have their own",
            ["operation"],
            buckets=_REQUEST_BUCKETS_S,
            registry=self._registry,
        )
        self._count_request = _Children(lambda key: requests.labels(*key).inc)
        self._observe_request = _Children(lambda route: seconds.labels(route).observe)
        self._count_operation = _Children(lambda key: operations.labels(*key).inc)
        self._observe_operation = _Children(lambda name: operation_seconds.labels(name).observe)

    def _add_lag(self) -> None:
        lag = Histogram(
            "kms_event_loop_lag_seconds",
            "By how much a timer was late, four times a second: every request waits for that long",
            buckets=_LAG_BUCKETS_S,
            registry=self._registry,
        )
        #: Called with seconds.
        self.observe_lag: Callable[[float], None] = lag.observe

    def add_messages(self) -> Callable[[str, Sequence[Mapping[str, Any]], float], None]:
        """A function that counts a message of KMIP over TLS: its outcome, its operations' log entries, its seconds."""
        messages = Counter(
            "kms_kmip_messages",
            "Messages of KMIP over TLS by outcome: answered, refused, failed",
            ["outcome"],
            registry=self._registry,
        )
        message_seconds = Histogram(
            "kms_kmip_message_seconds",
            "Time from the head of a message of KMIP over TLS to its answer",
            buckets=_REQUEST_BUCKETS_S,
            registry=self._registry,
        )
        count_message = _Children(lambda outcome: messages.labels(outcome).inc)

        def observe(outcome: str, log_entries: Sequence[Mapping[str, Any]], seconds: float) -> None:
            count_message[outcome]()
            message_seconds.observe(seconds)
            self.observe_operations(log_entries, seconds)

        return observe

    def _add_tokens(self, auth: RequestAuth) -> None:
        self.add(lambda: token_figures(auth))
        verification = Histogram(
            "kms_auth_verification_seconds",
            "Time to verify a token that was not remembered, its signature included",
            buckets=_VERIFICATION_BUCKETS_S,
            registry=self._registry,
        )
        auth.observe_verifications(verification.observe)

    def add(self, source: Source) -> None:
        """Show the figures of another part from now on."""
        self._registry.register(_FigureCollector(source))

    def observe_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answered request. route: its pattern, as paths would make an unlimited number of labels."""
        label = method if method in RequestHandler.SUPPORTED_METHODS else "other"
        self._count_request[route, label, status]()
        self._observe_request[route](seconds)

    def observe_operations(self, log_entries: Iterable[Mapping[str, Any]], seconds: float) -> None:
        """Count each operation by its entry in the access log. seconds: of the whole request.

        A request that failed before it reached an operation has an entry without a result.
        """
        names = []
        for entry in log_entries:
            if "result" in entry:
                name = entry.get("operation", "none")
                names.append(name)
                self._count_operation[name, entry["result"]]()
        if names:
            self._observe_operation[names[0] if len(names) == 1 else _BATCH](seconds)

    async def scrape(self) -> bytes:
        """The metrics as Prometheus text. However often anybody asks, the event loop is not held up."""
        return await self._scrapes.run()

    def render_text(self) -> bytes:
        """The metrics as Prometheus text, made at once."""
        return generate_latest(self._registry)

    async def _render(self) -> bytes:
        return self.render_text()


class _Children(dict[Any, Callable[..., None]]):
    """{values of the labels: the metric with these values}. A look-up here takes a tenth of the time of `labels()`."""

    def __init__(self, make: Callable[[Any], Callable[..., None]]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, key: Any) -> Callable[..., None]:
        child = self[key] = self._make(key)
        return child


class _FigureCollector(Collector):
    """Asks a source at scrape time."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def collect(self) -> Iterator[Metric]:
        for figure in self._source():
            family_type = GaugeMetricFamily if figure.kind == "gauge" else CounterMetricFamily
            family = family_type(figure.name, figure.help, labels=figure.labels)
            for labels, value in figure.values.items():
                family.add_metric(labels, value)
            yield family

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that a source is not asked before its part has started."""
        return ()


def _build_figures() -> Iterable[Figure]:
    build = {(__version__, platform.python_version()): 1.0}
    yield gauge("kms_build_info", "1; the labels name the versions", build, "version", "python")
