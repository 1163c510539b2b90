"""How many cores this process may use: by its affinity, and by the CPU quota of its control group (a container's)."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path


def count_cores(
    groups: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")
) -> int:
    """The number of cores, at least 1; a quota of one and a half cores counts as two.

    groups, membership: where version 2 of control groups is mounted, and the file that names the process's own group.
    """
    quotas = [math.ceil(quota) for quota in _read_quotas(groups, membership)]
    return max(1, min([_count_usable(), *quotas]))


def _count_usable() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _read_quotas(groups: Path, membership: Path) -> Iterator[float]:
    """The quotas of the process's group and of those that contain it, in cores (cgroup-v2.rst, "cpu.max")."""
    for group in _list_groups(groups, membership):
        try:
            quota, period = (group / "cpu.max").read_text().split()
            if quota != "max":
                yield int(quota) / int(period)
        except (OSError, ValueError, ZeroDivisionError):  # the root has none, nor has version 1
            continue


def _list_groups(groups: Path, membership: Path) -> Iterator[Path]:
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        if line.startswith("0::/"):
            group = groups / line.removeprefix("0::/")
            yield from (each for each in (group, *group.parents) if each.is_relative_to(groups))
