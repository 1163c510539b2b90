"""A failover in the middle of writes: PostgreSQL with a synchronous standby, and a server on both hosts."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from ... import replicas
from ...server import CREATE, NO_AUTH, check_refused, eventually, node, run, serving, value_of

JSON = {"Content-Type": "application/json"}
WRITERS = 4
#: A promotion takes about 0.2 s, and this machine may be busy.
SOON_S = 20.0


@pytest.fixture(scope="module")
def pair():
    made = replicas.Pair()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def server(pair, tmp_path_factory):
    with pair.primary.connect() as connection:
        connection.execute("CREATE DATABASE kms TEMPLATE template0")
    argv = (*NO_AUTH, "--database-url", pair.url("kms"))
    told = "kms_tornado.store: the database is out of reach: "
    cwd = tmp_path_factory.mktemp("server")
    with serving(*argv, cwd=cwd, expected_error=told) as process:
        yield process


def identifier(uid):
    return node("UniqueIdentifier", uid)


def kmip(server, body):
    return server.client.post("/kmip_2_1", headers=JSON, body=body, timeout_s=30)


def grant(server, uid):
    body = {"unique_identifier": uid, "user_id": "bob", "operation_types": ["get"]}
    return server.client.post("/access/grant", headers=JSON, body=body, timeout_s=30)


class Writer(threading.Thread):
    """Creates, grants, revokes and destroys, one after another, and knows what was acknowledged.

    acknowledged: identifier → what was done to it. uncertain: identifiers whose last change was answered 503:
    it may be done or not.
    """

    STEPS = ("granted", "Deactivated", "Destroyed")

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server = server
        self.acknowledged = {}
        self.uncertain = set()
        self.statuses = Counter()
        #: When each answer 200 came.
        self.times = []
        self.ends = threading.Event()

    def run(self):
        turn = 0
        while not self.ends.is_set():
            created = self.send(kmip(self.server, CREATE))
            if created is None:
                continue
            uid = value_of(created.json(), "UniqueIdentifier")
            self.acknowledged[uid] = []
            turn += 1
            for step in self.STEPS[: turn % 4]:
                if self.send(self.change(step, uid)) is None:
                    self.uncertain.add(uid)
                    break
                self.acknowledged[uid].append(step)

    def change(self, step, uid):
        if step == "granted":
            return grant(self.server, uid)
        if step == "Destroyed":
            return kmip(self.server, node("Destroy", identifier(uid)))
        reason = node("RevocationReason", "rotated")
        return kmip(self.server, node("Revoke", identifier(uid), reason))

    def send(self, answer):
        """None for what was not acknowledged."""
        self.statuses[answer.status] += 1
        if answer.status == 200:
            self.times.append(time.monotonic())
            return answer
        assert answer.headers["Retry-After"], answer.text
        time.sleep(0.02)
        return None


def check_kept(server, writer):
    for uid, steps in writer.acknowledged.items():
        if uid in writer.uncertain:
            continue
        answer = kmip(server, node("GetAttributes", identifier(uid)))
        assert answer.status == 200, (uid, steps, answer.text)
        states = {"Deactivated", "Destroyed"}.intersection(steps)
        expected = "Destroyed" if "Destroyed" in states else "".join(states) or "Active"
        attributes = value_of(answer.json(), "Attributes")
        assert value_of({"value": attributes}, "State") == expected, (uid, steps)
        if "granted" in steps:
            listed = server.client.get(f"/access/list/{uid}").json()
            assert [entry["user_id"] for entry in listed] == ["bob"], uid


def count_done(writers):
    return sum(len(writer.acknowledged) for writer in writers)


def wait_until_each_writes_after(writers, moment):
    eventually(lambda: all(writer.times[-1] > moment for writer in writers), timeout_s=SOON_S)


def test_a_primary_that_was_demoted_in_place_is_unavailable_until_it_is_promoted_again(
    server, pair
):
    uid = value_of(kmip(server, CREATE).json(), "UniqueIdentifier")
    pair.primary.alter("SET default_transaction_read_only = on")
    try:
        for answer in (kmip(server, CREATE), grant(server, uid)):
            assert answer.status == 503
            assert answer.headers["Retry-After"]
        assert server.client.get("/ready").status == 503
        assert kmip(server, node("Get", identifier(uid))).status == 503
    finally:
        pair.primary.alter("RESET default_transaction_read_only")
    assert eventually(lambda: kmip(server, CREATE).status == 200)
    assert server.client.get("/ready").status == 200
    assert "25006" in server.log or "read-only" in server.log


def test_a_write_whose_wait_for_the_standby_was_cancelled_is_not_acknowledged(server, pair):
    """PostgreSQL answers COMMIT all the same, with a warning: a failover would lose what it has done."""
    waiting = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    with ThreadPoolExecutor(1) as pool, pair.primary.connect() as admin:
        with pair.standby.frozen():
            answer = pool.submit(kmip, server, CREATE)
            assert eventually(lambda: admin.execute(waiting).fetchall(), timeout_s=SOON_S)
            assert answer.result(SOON_S).status == 503
        assert kmip(server, CREATE).status == 200
    # The database is looked at before the line is written.
    assert eventually(lambda: "wait for the synchronous standby was cancelled" in server.log)


def test_a_create_whose_connection_ends_in_the_wait_for_the_standby_waits_for_it_on_another(
    server, pair
):
    """It is done on the primary and can be seen there, but a failover would lose it."""
    waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND pid <> %s"
    with ThreadPoolExecutor(1) as pool, pair.primary.connect() as admin:

        def wait_for_other(pid):
            rows = eventually(lambda: admin.execute(waiting, [pid]).fetchall(), timeout_s=SOON_S)
            return rows[0][0]

        with pair.standby.frozen():
            answer = pool.submit(kmip, server, CREATE)
            first = wait_for_other(0)
            admin.execute("SELECT pg_terminate_backend(%s)", [first])
            wait_for_other(first)
            assert not answer.done()
        created = answer.result(SOON_S)
    uid = value_of(created.json(), "UniqueIdentifier")
    assert kmip(server, node("Get", identifier(uid))).status == 200


def test_nothing_acknowledged_is_lost_when_the_standby_is_promoted_in_the_middle_of_writes(
    server, pair
):
    writers = [Writer(server) for _ in range(WRITERS)]
    for writer in writers:
        writer.start()
    eventually(lambda: count_done(writers) > 60, timeout_s=SOON_S)

    pair.primary.kill()
    killed = time.monotonic()
    eventually(lambda: any(writer.statuses[503] for writer in writers), timeout_s=SOON_S)
    assert server.client.get("/ready").status == 503
    pair.standby.promote()
    promoted = time.monotonic()
    wait_until_each_writes_after(writers, promoted)
    times = (moment for writer in writers for moment in writer.times)
    took = min(moment for moment in times if moment > promoted) - promoted
    print(f"served again {took:.2f} s after the promotion")
    assert server.client.get("/ready").status == 200

    for writer in writers:
        writer.ends.set()
    for writer in writers:
        writer.join(SOON_S)
        assert not writer.is_alive()
    statuses = sum((writer.statuses for writer in writers), Counter())
    assert set(statuses) == {200, 503}, statuses
    assert time.monotonic() - killed < 60
    assert took < SOON_S
    for writer in writers:
        check_kept(server, writer)


def test_a_standby_alone_is_refused_in_one_line(pair, tmp_path):
    """After the failover, the old standby is the primary; a new standby follows it."""
    standby = replicas.Node(pair.standby)
    try:
        argv = (*NO_AUTH, "--database-url", standby.url("kms"), "--port", "0")
        line = check_refused(run(*argv, cwd=tmp_path), 1)
        assert f"database postgresql://kms@127.0.0.1:{standby.port}/kms: " in line
        assert "session is read-only" in line
    finally:
        standby.stop()
