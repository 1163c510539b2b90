"""Two servers on one PostgreSQL under a mixed load, killed and restarted all the while, lose nothing.

    KMS_SOAK_REQUESTS=500000 tox -e soak -- tests/soak -s

prints the figures. Without the variable the run is a short one. KMS_SOAK_REPORT names a file for the
figures as JSON.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from ..issuer import Issuer
from .faults import names
from .figures import growth_mib
from .run import check_logs, run
from .site import site

REQUESTS = int(os.environ.get("KMS_SOAK_REQUESTS", "20000"))
#: Of a process between 55 % of the requests and the end: caches fill up, and nothing else may grow.
MOST_GROWTH_MIB = 48
MOST_DESCRIPTORS = 200
STOPS_WITHIN_S = 16.0


@pytest.mark.soak
def test_nothing_acknowledged_is_lost_and_no_two_answers_contradict(tmp_path: Path) -> None:
    with Issuer("ES256") as issuer, site(tmp_path, issuer) as both:
        report = asyncio.run(run(both, issuer, REQUESTS))
    print("\n" + report.to_text())
    if file := os.environ.get("KMS_SOAK_REPORT"):
        report.write(Path(file))
    assert report.contradictions == []
    assert report.counts.get("status 500", 0) == 0
    assert check_logs(tmp_path) == []
    assert set(report.faults) == set(names())
    assert max(report.times["stop: SIGTERM to exit"]) < STOPS_WITHIN_S
    by_name = {sample.at: sample for sample in report.samples}
    assert all(
        growth < MOST_GROWTH_MIB for growth in growth_mib(by_name["55%"], by_name["end"]).values()
    )
    assert max(by_name["end"].descriptors.values()) < MOST_DESCRIPTORS
    assert report.tokens["rotations of the issuer's keys"] > 2
