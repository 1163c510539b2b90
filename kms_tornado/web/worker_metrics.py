"""Metrics of several workers: whichever is asked answers for all, each under its own `worker` label.

Every worker tells its own on a Unix socket in a directory that the supervisor made for them. Nothing is
added up here: a worker that was replaced begins at zero, and only Prometheus can tell that from less.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

_WAIT_S = 2.0  # for a worker that is busy; one that is dead refuses at once


class WorkerMetrics:
    """``async with WorkerMetrics(directory, number, own):`` others can ask this worker.

    own: this worker's metrics as Prometheus text.
    """

    def __init__(self, directory: Path, number: int, own: Callable[[], bytes]) -> None:
        self._directory = directory
        self._path = directory / f"{number}.sock"
        self._own = own
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> WorkerMetrics:
        self._path.unlink(missing_ok=True)  # of the one before
        self._server = await asyncio.start_unix_server(self._tell, self._path)
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._server is not None
        self._server.close()
        self._path.unlink(missing_ok=True)

    async def text(self) -> bytes:
        """Those of all workers that answer."""
        paths = sorted(self._directory.glob("*.sock"), key=lambda path: int(path.stem))
        texts = await asyncio.gather(*map(_ask, paths))
        told = {path.stem: text.decode() for path, text in zip(paths, texts, strict=True) if text}
        registry = CollectorRegistry()
        registry.register(_Labelled(told))
        return await asyncio.to_thread(generate_latest, registry)

    async def _tell(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            writer.write(self._own())
            await writer.drain()
        writer.close()


async def _ask(path: Path) -> bytes:
    """What the worker says; nothing where it is gone."""
    try:
        async with asyncio.timeout(_WAIT_S):
            reader, writer = await asyncio.open_unix_connection(path)
            try:
                return await reader.read()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return b""


class _Labelled(Collector):
    """The families of every text, once each, with the label on every sample."""

    def __init__(self, texts: dict[str, str]) -> None:
        self._texts = texts

    def collect(self) -> Iterator[Metric]:
        merged: dict[str, Metric] = {}
        for worker, text in self._texts.items():
            for family in text_string_to_metric_families(text):
                into = merged.setdefault(
                    family.name, Metric(family.name, family.documentation, family.type)
                )
                for sample in family.samples:
                    into.samples.append(sample._replace(labels={"worker": worker, **sample.labels}))
        yield from merged.values()

    def describe(self) -> Sequence[Metric]:
        return ()
