"""Prometheus metrics for alerts, without a user or an identifier in any label.

The counters that the token layer, the key caches and the executor keep anyway are read at scrape time, so
that metrics cost a request next to nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from tornado.web import RequestHandler

from ..auth.request_auth import AuthStatistics, RequestAuth
from ..service.executor import Executor

#: Upper bounds of the histograms' buckets, in seconds.
_REQUEST_BUCKETS_S = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0
)  # fmt: skip
_VERIFICATION_BUCKETS_S = (0.00002, 0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.005)


class Metrics:
    """The metrics of one server, in a registry of their own; GET /metrics answers with `render_text`."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, auth: RequestAuth, executor: Executor | None = None) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        if executor is not None:
            self._registry.register(_ExecutorCollector(executor))
        self._requests = Counter(
            "kms_http_requests",
            "Answered requests by route, method and status",
            ["route", "method", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "kms_http_request_seconds",
            "Time from a request's headers to its answer",
            ["route"],
            buckets=_REQUEST_BUCKETS_S,
            registry=self._registry,
        )
        self._operations = Counter(
            "kms_operations",
            "KMIP operations by result reason",
            ["operation", "result"],
            registry=self._registry,
        )
        if auth.statistics() is not None:
            self._registry.register(_TokenLayerCollector(auth))
            verification = Histogram(
                "kms_auth_verification_seconds",
                "Time to verify a token that was not remembered, its signature included",
                buckets=_VERIFICATION_BUCKETS_S,
                registry=self._registry,
            )
            auth.observe_verifications(verification.observe)

    def observe_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answered request. route: its pattern, as paths would make an unlimited number of labels."""
        label = method if method in RequestHandler.SUPPORTED_METHODS else "other"
        self._requests.labels(route, label, status).inc()
        self._seconds.labels(route).observe(seconds)

    def observe_operations(self, log_entries: Iterable[Mapping[str, Any]]) -> None:
        """Count each operation by its entry in the access log.

        A request that failed before it reached an operation has an entry without a result.
        """
        for entry in log_entries:
            if "result" in entry:
                self._operations.labels(entry.get("operation", "none"), entry["result"]).inc()

    def render_text(self) -> bytes:
        """The metrics as Prometheus text."""
        return generate_latest(self._registry)


class _ExecutorCollector(Collector):
    """Reads an Executor at scrape time."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def collect(self) -> Iterator[Metric]:
        running = GaugeMetricFamily("kms_work_running", "Threads at work", labels=["lane"])
        waiting = GaugeMetricFamily(
            "kms_work_waiting", "Jobs that wait for a thread", labels=["lane"]
        )
        refused = CounterMetricFamily(
            "kms_work_refused", "Jobs that found no place to wait (503)", labels=["lane"]
        )
        for lane in (self._executor.light, self._executor.heavy):
            running.add_metric([lane.name], lane.running)
            waiting.add_metric([lane.name], lane.waiting)
            refused.add_metric([lane.name], lane.refused)
        yield from (running, waiting, refused)


class _TokenLayerCollector(Collector):
    """Reads the counts of authentication at scrape time."""

    def __init__(self, auth: RequestAuth) -> None:
        self._auth = auth

    def collect(self) -> Iterator[Metric]:
        statistics = self._auth.statistics()
        if statistics is None:
            return
        outcomes = CounterMetricFamily(
            "kms_auth_outcomes", "Token checks by outcome: ok, or why refused", labels=["outcome"]
        )
        for outcome, number in statistics.outcomes.items():
            outcomes.add_metric([outcome], number)
        yield outcomes
        yield CounterMetricFamily(
            "kms_auth_token_cache_hits",
            "Tokens found among those remembered",
            value=statistics.remembered_hits,
        )
        yield CounterMetricFamily(
            "kms_auth_token_cache_misses",
            "Tokens not found there",
            value=statistics.remembered_misses,
        )
        yield GaugeMetricFamily(
            "kms_auth_token_cache_size", "Tokens remembered now", value=statistics.remembered
        )
        yield from self._key_sets(statistics)

    def _key_sets(self, statistics: AuthStatistics) -> Iterator[Metric]:
        fetches = CounterMetricFamily(
            "kms_auth_key_fetches", "Refreshes of key sets", labels=["issuer", "result"]
        )
        age = GaugeMetricFamily(
            "kms_auth_key_age_seconds", "Since the last good refresh", labels=["issuer"]
        )
        success = GaugeMetricFamily(
            "kms_auth_key_last_success_timestamp_seconds",
            "When the last good refresh was",
            labels=["issuer"],
        )
        generation = GaugeMetricFamily(
            "kms_auth_key_set_generation", "Counts changes of the key set", labels=["issuer"]
        )
        keys = GaugeMetricFamily("kms_auth_keys", "Usable signing keys", labels=["issuer"])
        served = GaugeMetricFamily(
            "kms_auth_issuer_served",
            "1 where tokens of the issuer can be checked now, last good keys included",
            labels=["issuer"],
        )
        failing = GaugeMetricFamily(
            "kms_auth_issuer_failing", "1 where the last refresh failed", labels=["issuer"]
        )
        kept = GaugeMetricFamily(
            "kms_auth_keys_kept",
            "1 while keys that a former run has kept serve, as none were fetched since the start",
            labels=["issuer"],
        )
        for uri, counts in statistics.key_fetches.items():
            for result, number in counts.items():
                fetches.add_metric([uri, result], number)
        for status in self._auth.status():
            label = [status.issuer]
            if status.age_s is not None:
                age.add_metric(label, status.age_s)
                success.add_metric(label, time.time() - status.age_s)
            generation.add_metric(label, status.generation)
            keys.add_metric(label, status.keys)
            served.add_metric(label, status.is_served)
            kept.add_metric(label, status.state == "kept")
            failing.add_metric(label, status.failing_for_s is not None)
        yield from (fetches, age, success, generation, keys, served, failing, kept)
