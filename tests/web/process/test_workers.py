"""Several processes on one port: one start, one stop, one data directory; a dead worker is replaced."""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ...server import (
    CREATE,
    NO_AUTH,
    ServerProcess,
    check_log,
    check_refused,
    eventually,
    read_all,
    run,
    send_head,
    serving,
    signalling,
    trusting,
)

TWO = ("--workers", "2")


def workers_of(server):
    """The process IDs of the workers that run."""
    pid = server.process.pid
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # ended before, or while it is read
        return False


@pytest.fixture(scope="module")
def two(tmp_path_factory, issuer):
    """A server of two workers, both with their keys. It was started where core dumps are allowed."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    argv = trusting(issuer, "--jwks-cooldown", "0.5")
    directory = tmp_path_factory.mktemp("two")
    limits = {resource.RLIMIT_CORE: (hard, hard)}
    server = ServerProcess(*argv, *TWO, cwd=directory, limits=limits).start()
    with contextlib.ExitStack() as stack:
        stack.callback(server.kill)
        # Whichever answers: while keys are on their way, nothing is fetched besides.
        eventually(lambda: {server.client.get("/ready").status for _ in range(20)} == {200})
        yield server
        stack.pop_all()
        assert server.stop() == 0
        check_log(server)


def test_keys_made_by_one_worker_are_served_by_all(two, issuer):
    token = issuer.token(aud="kms")
    assert len(workers_of(two)) == 2
    made = [two.client.create(token) for _ in range(10)]  # a connection each
    assert {two.client.get_key(token, uid).status for uid in made * 3} == {200}


def test_no_process_leaves_a_core_dump(two):
    pids = (two.process.pid, *workers_of(two))
    assert {resource.prlimit(pid, resource.RLIMIT_CORE) for pid in pids} == {(0, 0)}


def test_as_many_workers_as_cores_where_0_is_asked_for(tmp_path):
    with serving(*NO_AUTH, "--workers", "0", cwd=tmp_path) as server:
        assert len(workers_of(server)) == os.cpu_count()


def test_start_up_line_is_there_once(two):
    assert two.log.count("listening on") == 1


def test_worker_that_dies_is_replaced_and_the_port_stays_open(tmp_path):
    with ServerProcess(*NO_AUTH, *TWO, cwd=tmp_path) as server:
        victim, other = workers_of(server)
        os.kill(victim, signal.SIGKILL)
        server.wait_for_line(f"worker {victim} ended with -9")
        assert server.client.get("/health").status == 200
        eventually(lambda: len(workers_of(server)) == 2 and victim not in workers_of(server))
        assert other in workers_of(server)
        assert server.stop() == 0


def test_worker_that_is_asked_answers_with_the_metrics_of_all(tmp_path):
    with ServerProcess(*NO_AUTH, *TWO, "--metrics", cwd=tmp_path) as server:
        for _ in range(20):
            assert server.client.get("/version").status == 200
        counts = [
            float(value)
            for value in re.findall(
                r'kms_http_requests_total{[^}]*route="/version"[^}]*} (\S+)',
                server.client.get("/metrics").text,
            )
        ]
        assert sum(counts) == 20
        text = server.client.get("/metrics").text
        assert set(re.findall(r'process_start_time_seconds{worker="(\d)"}', text)) == {"1", "2"}
        assert text.count("# TYPE process_start_time_seconds") == 1
        [victim, _] = workers_of(server)
        os.kill(victim, signal.SIGKILL)
        assert "process_start_time_seconds" in server.client.get("/metrics").text
        assert server.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_signal_stops_all_of_them_and_lets_the_request_in_flight_end(tmp_path, issuer, number):
    body = str(CREATE).replace("'", '"').encode()
    with ServerProcess(*trusting(issuer), *TWO, cwd=tmp_path) as server:
        pids = workers_of(server)
        sock = send_head(server.client, len(body), issuer.token(aud="kms"))
        sock.sendall(body[:10])
        eventually(lambda: server.client.get("/health").status == 200)
        server.send(number)
        server.wait_for_line("stopping")
        sock.sendall(body[10:])
        assert b" 200 OK" in read_all(sock)
        sock.close()
        assert server.wait() == 0
        assert not any(map(is_running, pids))


def test_sighup_reaches_every_worker_within_its_cooldown_too(two, issuer):
    for _ in range(2):
        before, seen = issuer.fetches, len(two.output["stderr"])
        two.send(signal.SIGHUP)
        issuer.wait_for_fetches(before + 2)
        eventually(lambda seen=seen: sum("fetched again, as asked:" in x for x in two.output["stderr"][seen:]) == 2)  # fmt: skip


def test_sighup_that_a_worker_gets_while_it_starts_does_not_end_it(tmp_path):
    """The supervisor handles it by then, and passes it on."""
    server = ServerProcess(*NO_AUTH, *TWO, cwd=tmp_path, cold=True)
    with signalling(server, "NO TOKEN"), server:
        eventually(lambda: server.client.get("/health").status == 200)
        assert "ended with" not in server.log
        assert server.stop() == 0


def test_workers_end_with_their_supervisor(tmp_path):
    with ServerProcess(*NO_AUTH, *TWO, cwd=tmp_path) as server:
        pids = workers_of(server)
        server.kill()
        eventually(lambda: not any(map(is_running, pids)))


def test_database_that_is_away_is_waited_for_and_never_made_anew(tmp_path):
    data, away = tmp_path / "kms-data", tmp_path / "away"
    away.mkdir()
    with ServerProcess(*NO_AUTH, *TWO, cwd=tmp_path) as server:
        uid = server.client.create("x")
        for file in data.glob("kms.db*"):
            file.rename(away / file.name)
        victim = workers_of(server)[0]
        os.kill(victim, signal.SIGKILL)
        server.wait_for_line("unable to open database file")
        assert server.client.kmip("x", CREATE).status == 503
        assert list(data.glob("kms.db*")) == []
        for file in away.iterdir():
            file.rename(data / file.name)
        eventually(lambda: len(workers_of(server)) == 2 and victim not in workers_of(server))
        assert {server.client.get_key("x", uid).status for _ in range(10)} == {200}
        assert server.stop() == 0


def test_replacement_that_finds_a_mistake_leaves_the_others_to_serve(tmp_path):
    with ServerProcess(*NO_AUTH, *TWO, cwd=tmp_path) as server:
        key_file = tmp_path / "kms-data" / "master.key"
        key_file.chmod(0o644)
        victim, other = workers_of(server)
        os.kill(victim, signal.SIGKILL)
        server.wait_for_line("open to others")
        server.wait_for_line("ended with 2; another one starts")
        assert server.client.kmip("x", CREATE).status == 200
        key_file.chmod(0o600)
        eventually(lambda: len(workers_of(server)) == 2)
        assert other in workers_of(server)
        assert server.stop() == 0


def test_port_is_closed_as_soon_as_a_stop_begins(tmp_path):
    body = json.dumps(CREATE).encode()
    with ServerProcess(*NO_AUTH, *TWO, cwd=tmp_path) as server:
        sock = send_head(server.client, len(body), "x")
        eventually(lambda: server.client.get("/health").status == 200)
        server.send(signal.SIGTERM)
        server.wait_for_line("stopping")
        eventually(lambda: is_refused(server))  # well within the 10 s that the request may take
        sock.sendall(body)
        assert b" 200 OK" in read_all(sock)
        sock.close()
        assert server.wait() == 0


def test_port_is_closed_at_once_where_a_worker_is_busy_or_only_starting(tmp_path):
    with ServerProcess(*NO_AUTH, *TWO, cwd=tmp_path) as server:
        busy, _ = workers_of(server)
        os.kill(busy, signal.SIGSTOP)
        try:
            server.send(signal.SIGTERM)
            server.wait_for_line("stopping")
            eventually(lambda: is_refused(server))
        finally:
            os.kill(busy, signal.SIGCONT)
        assert server.wait() == 0
        assert "accepted for a moment" not in server.log


def is_refused(server):
    try:
        server.client.connect().close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:  # in the moment in which the port is closed
        return False
    return False


def test_signals_until_the_very_end_of_a_stop_are_harmless(tmp_path):
    with ServerProcess(*NO_AUTH, *TWO, cwd=tmp_path) as server:
        pid = server.process.pid
        while is_running(pid):
            with contextlib.suppress(ProcessLookupError):
                server.send(signal.SIGTERM)
        assert server.wait() == 0


STOPPED_WHILE_IT_STARTS = """
import os, signal
from kms_tornado.web.process.workers import Supervisor

def work(worker):
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    if worker.number == 1:
        worker.report_ready()
    else:
        os.kill(os.getppid(), signal.SIGTERM)
    signal.sigwait({signal.SIGTERM})
    if worker.number == 2:
        worker.report_ready()
    return 0

raise SystemExit(Supervisor(
    work, count=2, shutdown_timeout_s=5,
    on_started=lambda: print("started", flush=True), on_stopping=lambda: print("stopping", flush=True),
).run())
"""


def test_a_stop_while_workers_still_start_is_a_clean_one():
    """What is done at the end of a start would use the port, which is closed by then."""
    argv = [sys.executable, "-c", STOPPED_WHILE_IT_STARTS]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stdout, done.stderr) == (0, "stopping\n", "")


def test_bad_configuration_that_shows_at_the_start_is_said_once_with_exit_code_2(tmp_path):
    (tmp_path / "master.key").write_text("rubbish")
    (tmp_path / "master.key").chmod(0o600)
    argv = ("--master-key-file", "master.key", "--port", "0")
    line = check_refused(run(*NO_AUTH, *TWO, *argv, cwd=tmp_path), 2)
    assert "--master-key-file (flag)" in line


def test_port_in_use_is_one_line_and_exit_code_1(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        assert "cannot listen" in check_refused(
            run(*NO_AUTH, *TWO, "--port", port, cwd=tmp_path), 1
        )
