"""A server whose database goes away and comes back: /ready, the metrics and the log tell it, once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ...server import CREATE, ServerProcess, eventually
from ...server import NO_AUTH as OPEN


@pytest.fixture(params=[(), ("--workers", "2")], ids=["one process", "two workers"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(*OPEN, "--metrics", *request.param, cwd=tmp_path) as running:
        yield running


def values(server: ServerProcess, name: str) -> list[float]:
    """The values of the metric, one for each worker."""
    text = server.client.get("/metrics").text
    return [float(value) for value in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.M)]


def test_an_outage_is_told_since_when_why_and_once_by_each_process(server: Any) -> None:
    uid = server.client.create("x")
    file = server.cwd / "kms-data" / "kms.db"
    before = server.client.ready()["database"]
    assert before["state"] == "OK"
    processes = len(values(server, "kms_database_up"))
    assert set(values(server, "kms_database_up")) == {1}

    file.rename(file.with_name("away"))
    for _ in range(10):
        assert server.client.get_key("x", uid).status == 503
        assert server.client.kmip("x", CREATE).status == 503
        assert server.client.get("/access/owned").status == 503
    eventually(lambda: set(values(server, "kms_database_up")) == {0})
    answer = server.client.get("/ready")
    check = answer.json()["checks"]["database"]
    assert answer.status == 503
    assert (check["state"], check["cause"]) == ("DOWN", "file")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", check["since"])
    assert check["since"] >= before["since"]
    assert str(file) not in answer.text
    assert set(values(server, "kms_database_outages_total")) == {1}

    file.with_name("away").rename(file)
    for _ in range(processes):
        server.wait_for_line("the database is back")
    eventually(lambda: set(values(server, "kms_database_up")) == {1})
    assert server.client.ready()["database"]["state"] == "OK"
    # Its audit is back a moment later.
    eventually(lambda: server.client.get_key("x", uid).status == 200)
    assert server.stop() == 0

    lines = [line for line in server.output["stderr"] if "kms_tornado.store" in line]
    assert len([line for line in lines if "is out of reach: " in line]) == processes
    assert len([line for line in lines if "is back after " in line]) == processes
    assert len(lines) == 2 * processes
    assert "No such file" in lines[0]
    assert [line for line in lines if "request_id" in line] == []
    assert not re.search(r"(WARNING|ERROR) *kms_tornado\.(auth|web)", server.log)
