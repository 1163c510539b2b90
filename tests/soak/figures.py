"""What the run shows besides the checker: memory, descriptors, the event loops' lag, and times, as one table."""

from __future__ import annotations

import contextlib
import json
import os
import re
import statistics
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from ..bench.load import resident_mib
from .site import KeyServer, Site

_BUCKET = re.compile(r"^kms_event_loop_lag_seconds_bucket\{(.*)\} (\S+)$", re.M)
_LE = re.compile(r'le="([^"]+)"')


@dataclass
class Sample:
    """At one moment. memory_mib: {"A 0": supervisor, "A 1": worker …}; descriptors likewise."""

    at: str
    memory_mib: dict[str, float] = field(default_factory=dict)
    descriptors: dict[str, int] = field(default_factory=dict)
    pids: dict[str, int] = field(default_factory=dict)
    lag_p99_s: dict[str, float] = field(default_factory=dict)


def take_sample(at: str, site: Site) -> Sample:
    sample = Sample(at)
    for server in site.servers:
        for number, pid in enumerate((server.process.pid, *server.workers())):
            with contextlib.suppress(OSError):  # it has just been killed
                name = f"{server.seen.name} {number}"
                sample.memory_mib[name] = resident_mib(pid)
                sample.descriptors[name] = len(os.listdir(f"/proc/{pid}/fd"))
                sample.pids[name] = pid
        with contextlib.suppress(OSError, ValueError):
            sample.lag_p99_s[server.seen.name] = _lag_p99_s(server)
    return sample


def _lag_p99_s(server: KeyServer) -> float:
    """The bucket that 99 of 100 observations are in, of both workers since they started."""
    url = f"http://127.0.0.1:{server.metrics_port}/metrics"
    with urllib.request.urlopen(url, timeout=5) as answer:
        text = answer.read().decode()
    buckets: dict[float, float] = {}
    for labels, count in _BUCKET.findall(text):
        le = _LE.search(labels)
        assert le is not None
        buckets[float(le[1])] = buckets.get(float(le[1]), 0) + float(count)
    total = max(buckets.values())
    return min(limit for limit, count in buckets.items() if count >= 0.99 * total)


@dataclass
class Report:
    """All figures of a run."""

    took_s: float
    counts: dict[str, int]
    objects: int
    times: dict[str, list[float]]
    faults: dict[str, int]
    samples: list[Sample]
    tokens: dict[str, int]
    contradictions: list[str]

    def to_text(self) -> str:
        per_second = self.counts["requests"] / self.took_s
        lines = [
            f"{self.counts['requests']:,} requests in {self.took_s:.0f} s: {per_second:.0f} a second;"
            f" {self.objects:,} objects; {len(self.contradictions)} contradictions",
            *(f"  {name:<58} {count:>9,}" for name, count in sorted(self.counts.items())),
            *(f"  {name:<58} {count:>9,}" for name, count in self.tokens.items()),
            "faults",
            *(f"  {name:<58} {count:>9,}" for name, count in self.faults.items()),
            f"times, in seconds{'':<33} {'number':>7} {'median':>8} {'most':>8}",
            *(_time_row(name, values) for name, values in sorted(self.times.items())),
            *(_sample_rows(self.samples)),
            *(f"CONTRADICTION {text}" for text in self.contradictions),
        ]
        return "\n".join(lines)

    def write(self, file: Path) -> None:
        file.write_text(json.dumps(self.__dict__, default=vars, indent=1))


def _time_row(name: str, values: list[float]) -> str:
    return f"  {name:<48} {len(values):>7} {statistics.median(values):>8.2f} {max(values):>8.2f}"


def _sample_rows(samples: list[Sample]) -> list[str]:
    names = sorted({name for sample in samples for name in sample.memory_mib})
    head = f"{'':<12}" + "".join(f"{name:>18}" for name in names) + "   99 % of lags within"
    rows = [f"memory in MiB (descriptors); 0 is the supervisor\n{head}"]
    for sample in samples:
        cells = "".join(f"{_cell(sample, name):>18}" for name in names)
        lags = ", ".join(f"{name} {lag:g} s" for name, lag in sample.lag_p99_s.items())
        rows.append(f"  {sample.at:<10}{cells}   {lags}")
    return rows


def _cell(sample: Sample, name: str) -> str:
    if name not in sample.memory_mib:
        return "-"
    return f"{sample.memory_mib[name]:.0f} ({sample.descriptors[name]})"


def growth_mib(before: Sample, after: Sample) -> dict[str, float]:
    """{process: growth} of those that lived from one sample to the other."""
    return {
        name: after.memory_mib[name] - before.memory_mib[name]
        for name, pid in sorted(before.pids.items())
        if after.pids.get(name) == pid
    }
