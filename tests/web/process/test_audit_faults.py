"""The audit under faults: a server that is killed, stopped, without its database or on a full disk.

Afterwards every record fits the others, and each change that was acknowledged has one record; none has two.
"""

from __future__ import annotations

import json
import resource
import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ... import postgres
from ...server import CREATE, NO_AUTH, ServerProcess, eventually, node, run, value_of

ADMIN = "x"
KINDS = ("sqlite", "postgresql")


class Place:
    """A directory with the keys, and a database."""

    def __init__(self, directory: Path, kind: str) -> None:
        self.directory = directory
        self.url: str | None = None
        if kind == "postgresql":
            self.url = postgres.cluster().new_database()
        self.options = [*NO_AUTH, *(() if self.url is None else ("--database-url", self.url))]

    def server(self, **more: Any) -> ServerProcess:
        return ServerProcess(*self.options, cwd=self.directory, **more)

    def check(self, load: Load) -> Counter[tuple[str, str]]:
        """All is well, and what was acknowledged is recorded once; how often each (operation, object) is recorded."""
        done = run("audit", "verify", *self.options, cwd=self.directory)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.startswith("all is well: ")
        records = self._read_records()
        told = Counter(
            (record["operation"], record["uid"])
            for record in records
            if record["operation"] in OPERATIONS and record["result"] == "Success"
        )
        assert load.acknowledged
        assert {one: told[one] for one in load.acknowledged if told[one] != 1} == {}
        assert [one for one, number in told.items() if number > 1] == []
        return told

    def chains(self, behind: int = 0) -> set[int]:
        """That have records of changes. behind: how many records, the oldest, do not count."""
        records = self._read_records()[behind:]
        return {record["chain"] for record in records if "objects" in record}

    def count_records(self) -> int:
        return len(self._read_records())

    def _read_records(self) -> list[dict[str, Any]]:
        connection: Any
        if self.url is None:
            connection = sqlite3.connect(self.directory / "kms-data/kms.db")
        else:
            connection = psycopg.connect(self.url)
        with connection:
            rows = connection.execute("SELECT lines FROM audit_segments ORDER BY serial").fetchall()
        connection.close()
        return [json.loads(line) for (lines,) in rows for line in bytes(lines).split(b"\n")]


OPERATIONS = ("Create", "AccessGrant", "Revoke")


class Load(threading.Thread):
    """Creates, reads, grants and revokes keys, until the end; a request that fails is left as it is.

    acknowledged: (operation, identifier) of changes. refused: statuses of other answers.
    """

    def __init__(self, server: ServerProcess) -> None:
        super().__init__(daemon=True)
        self.server = server
        self.acknowledged: list[tuple[str, str]] = []
        self.refused: Counter[int] = Counter()
        self.ends = threading.Event()

    def run(self) -> None:
        while not self.ends.is_set():
            try:
                self._use_one()
            except Exception:  # the server is gone, or has cut the connection
                time.sleep(0.01)

    def _use_one(self) -> None:
        client = self.server.client
        answer = client.kmip(ADMIN, CREATE)
        if answer.status != 200:
            self.refused[answer.status] += 1
            time.sleep(0.01)
            return
        uid = value_of(answer.json(), "UniqueIdentifier")
        self.acknowledged.append(("Create", uid))
        self._note("Get", uid, client.get_key(ADMIN, uid))
        grant = {"unique_identifier": uid, "user_id": "bob", "operation_types": ["get"]}
        headers = {"Content-Type": "application/json"}
        self._note("AccessGrant", uid, client.post("/access/grant", headers=headers, body=grant))
        revoke = node("Revoke", node("UniqueIdentifier", uid), node("RevocationReason", "rotated"))
        self._note("Revoke", uid, client.kmip(ADMIN, revoke))

    def _note(self, operation: str, uid: str, answer: Any) -> None:
        if answer.status != 200:
            self.refused[answer.status] += 1
        elif operation in OPERATIONS:
            self.acknowledged.append((operation, uid))

    def has_done(self, more: int) -> Callable[[], bool]:
        """Whether so many more changes were acknowledged from now on."""
        number = len(self.acknowledged) + more
        return lambda: len(self.acknowledged) >= number


@contextmanager
def loaded(server: ServerProcess, load: Load | None = None) -> Iterator[Load]:
    """load: that goes on with what it knows."""
    one = Load(server)
    if load is not None:
        one.acknowledged = load.acknowledged
    others = [Load(server) for _ in range(3)]
    for other in others:
        other.acknowledged, other.refused = one.acknowledged, one.refused
    for each in (one, *others):
        each.start()
    try:
        yield one
    finally:
        for each in (one, *others):
            each.ends.set()
        for each in (one, *others):
            each.join()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "moments",
    [
        pytest.param([1, 30], id="two moments"),
        pytest.param([*range(1, 101, 5)], id="twenty moments", marks=pytest.mark.soak),
    ],
)
def test_server_that_is_killed_leaves_every_acknowledged_change_with_its_record(
    tmp_path: Path, kind: str, moments: list[int]
) -> None:
    place, load = Place(tmp_path, kind), None
    for moment in moments:
        with place.server() as server:
            with loaded(server, load) as load:
                eventually(load.has_done(moment), timeout_s=30)
                server.kill()
            told = place.check(load)
    assert {operation for operation, _ in told} == set(OPERATIONS)


def test_connections_to_postgresql_that_are_cut_lose_and_double_no_record(tmp_path: Path) -> None:
    place = Place(tmp_path, "postgresql")
    assert place.url is not None
    cut = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with place.server() as server, loaded(server) as load:
        with psycopg.connect(place.url, autocommit=True) as admin:
            for _ in range(15):
                eventually(load.has_done(7), timeout_s=30)
                admin.execute(cut)
        eventually(load.has_done(20), timeout_s=30)
    told = place.check(load)
    # What was not acknowledged may be recorded, where it was made, and is not, where it was not.
    assert len(told) >= len(load.acknowledged)
    assert {operation for operation, _ in told} == set(OPERATIONS)


def test_full_disk_is_answered_503_and_the_audit_goes_on_once_there_is_room(tmp_path: Path) -> None:
    place = Place(tmp_path, "sqlite")
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    with place.server() as server:
        with loaded(server) as load:
            eventually(load.has_done(20))
            files = (tmp_path / "kms-data").glob("kms.db*")
            size = max(path.stat().st_size for path in files)
            limit = (size + 20_000, resource.RLIM_INFINITY)
            resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, limit)
            eventually(lambda: load.refused[503] > 20)
            eventually(lambda: server.client.ready()["audit"]["state"] == "DOWN")
            assert server.client.get("/ready").status == 503
            resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, unlimited)
            eventually(load.has_done(20), timeout_s=30)
            eventually(lambda: server.client.get("/ready").status == 200)
        assert set(load.refused) == {503}
        assert server.stop() == 0
    place.check(load)


def test_server_that_stood_still_for_longer_than_its_lease_goes_on_with_another_chain(
    tmp_path: Path,
) -> None:
    place = Place(tmp_path, "postgresql")
    short = {"store.sql.audit.chains._STALE_S": 1}
    with place.server(constants=short) as one:
        with loaded(one) as load:
            eventually(load.has_done(20), timeout_s=30)
            one.send(signal.SIGSTOP)
            before, behind = place.chains(), place.count_records()
            time.sleep(3.1)  # its chains are anybody's by then
            with place.server(constants=short) as two:
                with loaded(two, load) as load:
                    eventually(load.has_done(20), timeout_s=30)
                    assert place.chains(behind) & before  # taken over, as they were free
                    one.send(signal.SIGCONT)
                    eventually(load.has_done(40), timeout_s=30)
                created = one.client.create(ADMIN)
                load.acknowledged.append(("Create", created))
                assert two.stop() == 0
        assert one.stop() == 0
        assert not [line for line in one.output["stderr"] if "was changed by something" in line]
    told = place.check(load)
    assert told["Create", created] == 1
    assert place.chains() > before
