"""The metrics of several workers: whichever worker gets the request returns those of all, labelled by worker.

Every worker serves its own metrics on a Unix socket in a directory that the supervisor made for them. The
metrics are not added up: the counters of a replaced worker start at zero again, and only Prometheus, which
has a series for each worker, can tell such a restart from a decrease.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from ..paced import Paced

_PAUSE_S = 0.2  # between two mergings, each of which takes some 10 ms a worker on a thread
_FETCH_TIMEOUT_S = 2.0  # for a worker that is busy; the socket of a dead one refuses at once


class WorkerMetrics:
    """Shows this worker's metrics to the others, within ``async with``.

    number: this worker's. scrape_own: returns this worker's metrics as Prometheus text.
    """

    def __init__(
        self, directory: Path, number: int, scrape_own: Callable[[], Awaitable[bytes]]
    ) -> None:
        self._directory = directory
        self._path = directory / f"{number}.sock"
        self._scrape_own = scrape_own
        self._scrapes = Paced(self._merge_all, _PAUSE_S)
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> WorkerMetrics:
        self._path.unlink(missing_ok=True)  # left by the worker that had the number before
        self._server = await asyncio.start_unix_server(self._serve, self._path)
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._server is not None
        self._server.close()
        self._path.unlink(missing_ok=True)

    async def scrape(self) -> bytes:
        """The metrics of all workers that answer, as Prometheus text."""
        return await self._scrapes.run()

    async def _merge_all(self) -> bytes:
        paths = sorted(self._directory.glob("*.sock"), key=lambda path: int(path.stem))
        texts = await asyncio.gather(*map(_fetch_text, paths))
        by_worker = {
            path.stem: text.decode() for path, text in zip(paths, texts, strict=True) if text
        }
        registry = CollectorRegistry()
        registry.register(_MergedCollector(by_worker))
        return await asyncio.to_thread(generate_latest, registry)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            writer.write(await self._scrape_own())
            await writer.drain()
        writer.close()


async def _fetch_text(path: Path) -> bytes:
    """A worker's metrics, from the socket at the path; empty where the worker is gone."""
    try:
        async with asyncio.timeout(_FETCH_TIMEOUT_S):
            reader, writer = await asyncio.open_unix_connection(path)
            try:
                return await reader.read()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return b""


class _MergedCollector(Collector):
    """Merges the workers' metrics: each family once, its samples with a `worker` label."""

    def __init__(self, texts: dict[str, str]) -> None:
        self._texts = texts

    def collect(self) -> Iterator[Metric]:
        merged: dict[str, Metric] = {}
        for worker, text in self._texts.items():
            for family in text_string_to_metric_families(text):
                merged_family = merged.setdefault(
                    family.name, Metric(family.name, family.documentation, family.type)
                )
                for sample in family.samples:
                    merged_family.samples.append(
                        sample._replace(labels={"worker": worker, **sample.labels})
                    )
        yield from merged.values()

    def describe(self) -> Sequence[Metric]:
        return ()
