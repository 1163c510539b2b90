"""What /ready says: the state of each check and of the whole, in words that strangers may read."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest

from kms_tornado.auth.issuers.key_status import KeyStatus
from kms_tornado.errors import Unavailable
from kms_tornado.service.auditing.audit import AuditHealth
from kms_tornado.service.auditing.trail import AuditStatus
from kms_tornado.store.health import DatabaseStatus
from kms_tornado.web.readiness import Readiness

from ..rows import each_row


def status(state: str, number: int = 1) -> KeyStatus:
    return KeyStatus(
        issuer=f"https://i{number}.example",
        state=state,
        keys=2,
        age_s=12.4,
        failing_for_s=3.0,
        problem="http://10.1.2.3/keys answered HTTP 500",
        cause=None if state == "ok" else "HTTP 500",
        since=0.0,
        generation=1,
    )


class AuditOf:
    """An audit of which this is wrong."""

    def __init__(
        self, cause: str | None = None, degraded: str | None = None, *, records_reads: bool = True
    ) -> None:
        self.records_reads = records_reads
        self._health = AuditHealth(AuditStatus(cause, 0.0, 0, 0), degraded)

    async def try_again(self) -> None:
        pass

    def health(self) -> AuditHealth:
        return self._health


def check(
    readiness: Readiness,
    *states: str,
    database: str = "up",
    is_stopping: bool = False,
    audit: AuditOf | None = None,
    scrubber: Any = None,
) -> dict[str, Any]:
    class Store:
        async def check(self) -> DatabaseStatus:
            cause = {"up": None, "read-only": "disk full", "down": "no connection"}[database]
            return DatabaseStatus(database, 86400.0, 1.0, cause, 0)

    class Closed:
        @property
        def store(self) -> Any:
            raise Unavailable("the key service is not started")

        audit = scrubber = None

    kms: Any = (
        Closed()
        if database == "closed"
        else SimpleNamespace(store=Store(), audit=audit, scrubber=scrubber)
    )
    statuses = [status(state, number) for number, state in enumerate(states)]
    auth: Any = SimpleNamespace(status=lambda: statuses)
    return asyncio.run(readiness.check(kms, auth, is_stopping=is_stopping))


@each_row(
    ("states", "whole", "each"),
    [
        pytest.param((), "OK", [], id="no issuer, as with --insecure-no-auth"),
        pytest.param(("ok",), "OK", ["OK"], id="one that is served"),
        pytest.param(("failing",), "DEGRADED", ["DEGRADED"], id="the last good keys serve"),
        pytest.param(("kept",), "DEGRADED", ["DEGRADED"], id="kept keys serve"),
        pytest.param(("loading",), "DOWN", ["DOWN"], id="nothing fetched yet"),
        pytest.param(("missing",), "DOWN", ["DOWN"], id="never fetched"),
        pytest.param(("stale",), "DOWN", ["DOWN"], id="too stale"),
        pytest.param(("ok", "missing"), "DEGRADED", ["OK", "DOWN"], id="one of two is served"),
        pytest.param(("stale", "kept"), "DEGRADED", ["DOWN", "DEGRADED"], id="one of two has kept"),
        pytest.param(("stale", "loading"), "DOWN", ["DOWN", "DOWN"], id="neither is"),
    ],
)
def test_the_server_is_ready_where_one_issuer_is_served(
    states: tuple[str, ...], whole: str, each: list[str]
) -> None:
    answer = check(Readiness(), *states)
    assert answer["state"] == whole
    checks = [c for name, c in answer["checks"].items() if name.startswith("issuer ")]
    assert [c["state"] for c in checks] == each
    assert all(("cause" in c) == (c["state"] != "OK") for c in checks)
    assert all(c["age_seconds"] == 12 for c in checks)


@each_row(
    ("arguments", "name", "cause"),
    [
        ({"database": "down"}, "database", "no connection"),
        ({"database": "closed"}, "database", "not started"),
        ({"is_stopping": True}, "server", "stopping"),
    ],
)
def test_without_the_database_and_while_it_stops_it_is_not(
    arguments: dict[str, Any], name: str, cause: str
) -> None:
    answer = check(Readiness(), "ok", **arguments)
    assert answer["state"] == answer["checks"][name]["state"] == "DOWN"
    assert answer["checks"][name]["cause"] == cause
    assert all("since" in c for c in answer["checks"].values())


def test_with_a_database_that_only_reads_it_is_degraded_and_serves() -> None:
    answer = check(Readiness(), "ok", database="read-only")
    assert answer["state"] == "DEGRADED"
    assert answer["checks"]["database"] == {
        "state": "DEGRADED",
        "since": "1970-01-02T00:00:00Z",
        "cause": "disk full",
    }


def test_an_application_without_a_token_check_is_not_ready() -> None:
    status = DatabaseStatus("up", 0.0, 1.0, None, 0)
    kms: Any = SimpleNamespace(
        store=SimpleNamespace(check=lambda: asyncio.sleep(0, result=status)),
        audit=None,
        scrubber=None,
    )
    answer = asyncio.run(Readiness().check(kms, None, is_stopping=False))
    assert answer["state"] == answer["checks"]["tokens"]["state"] == "DOWN"


def test_strangers_read_no_address_but_that_of_the_issuer_and_a_time_in_utc() -> None:
    text = str(check(Readiness(), "failing", database="down"))
    assert "10.1.2" not in text
    assert "'since': '1970-01-01T00:00:00Z'" in text


def test_since_is_the_time_of_the_last_change(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("kms_tornado.web.readiness.time.time", lambda: clock[0])
    readiness = Readiness()
    seen = []
    for at, database in [(110, "closed"), (120, "closed"), (130, "closed")]:
        clock[0] = at
        since = check(readiness, "ok", database=database)["checks"]["database"]["since"]
        seen.append(since[-5:-1])
    assert seen == ["1:50", "1:50", "1:50"]


@each_row(
    ("audit", "database", "whole", "state", "cause"),
    [
        pytest.param(AuditOf(), "up", "OK", "OK", None, id="well"),
        pytest.param(AuditOf("disk full"), "up", "DOWN", "DOWN", "disk full", id="not written"),
        pytest.param(
            AuditOf(degraded="anchor"), "up", "DEGRADED", "DEGRADED", "anchor", id="anchor"
        ),
        pytest.param(AuditOf(degraded="log"), "up", "DEGRADED", "DEGRADED", "log", id="log"),
        pytest.param(
            AuditOf(), "read-only", "DOWN", "DOWN", "disk full", id="nothing to write yet"
        ),
        pytest.param(
            AuditOf(records_reads=False), "read-only", "DEGRADED", "OK", None, id="without reads"
        ),
    ],
)
def test_the_audit_is_ready_where_it_can_be_written(
    audit: AuditOf, database: str, whole: str, state: str, cause: str | None
) -> None:
    answer = check(Readiness(), "ok", database=database, audit=audit)
    assert answer["state"] == whole
    assert answer["checks"]["audit"]["state"] == state
    assert answer["checks"]["audit"].get("cause") == cause


@pytest.mark.parametrize(
    ("findings", "whole", "told"),
    [
        pytest.param({}, "OK", {"state": "OK"}, id="nothing"),
        pytest.param({"a": 1}, "DEGRADED", {"state": "DEGRADED", "cause": "refused"}, id="one"),
    ],
)
def test_objects_that_are_refused_are_told_and_it_serves(
    findings: dict[str, int], whole: str, told: dict[str, str]
) -> None:
    scrubber = SimpleNamespace(status=lambda: SimpleNamespace(findings=findings))
    answer = check(Readiness(), "ok", scrubber=scrubber)
    assert answer["state"] == whole
    assert answer["checks"]["objects"].items() >= told.items()


@each_row(("days", "cause"), [(30, None), (7.1, None), (6.9, "ends soon"), (-1, "ended")])
def test_end_of_the_certificate_is_told_a_week_before(days: float, cause: str | None) -> None:
    readiness = Readiness()
    assert "certificate" not in check(readiness, "ok")["checks"]
    readiness.certificate_end = time.time() + days * 86400
    told = check(readiness, "ok")
    certificate = told["checks"]["certificate"]
    assert certificate["ends"].endswith("Z")
    assert certificate.get("cause") == cause
    assert told["state"] == certificate["state"] == ("OK" if cause is None else "DEGRADED")
