"""The server of one process: its start-up line, its stop, what SIGHUP does."""

from __future__ import annotations

import contextlib
import json
import signal
import sqlite3
import threading
import time

import pytest

from ...issuer import Issuer
from ...read_queue import until_read
from ...server import (
    CREATE,
    NO_AUTH,
    QUICK,
    ServerProcess,
    check_log,
    read_all,
    send_head,
    serving,
    signalling,
    trusting,
)

# --- starting -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def silent(tmp_path_factory, issuer):
    argv = trusting(issuer, *QUICK, "--log-level", "error")
    with serving(*argv, cwd=tmp_path_factory.mktemp("silent")) as server:
        yield server


def test_start_up_line_is_there_at_log_level_error(silent):
    assert silent.client.get("/health").status == 200
    assert sum("listening on" in line for line in silent.output["stderr"]) == 1
    assert "/health" not in silent.log


def test_start_up_line_in_json_names_the_url_too(tmp_path):
    with serving(*NO_AUTH, "--log-format", "json", cwd=tmp_path) as server:
        pass
    entries = [json.loads(line) for line in server.output["stderr"]]
    assert f"listening on {server.url}" in [entry["message"] for entry in entries]


_BODY = json.dumps(CREATE).encode()
CREATE_REQUEST = (
    b"POST /kmip_2_1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(_BODY), _BODY)
)


def send_create(client):
    sock = client.connect()
    sock.sendall(CREATE_REQUEST)
    return sock


# --- stopping -----------------------------------------------------------------------------------


def test_idle_connection_does_not_hold_the_stop_up(tmp_path):
    argv = (*NO_AUTH, "--shutdown-timeout", "60")  # longer than `stop` waits
    with ServerProcess(*argv, cwd=tmp_path) as server, server.client.connect() as idle:
        idle.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        idle.recv(65536)
        assert server.stop() == 0


def test_shutdown_timeout_bounds_a_request_whose_body_never_ends(tmp_path):
    with ServerProcess(*NO_AUTH, "--shutdown-timeout", "0.5", cwd=tmp_path) as server:
        with send_head(server.client, 100, "x") as sock:
            until_read(sock)
            began = time.monotonic()
            assert server.stop() == 0  # which would not wait for ever
        assert time.monotonic() - began > 0.4
        check_log(server)


def test_shutdown_timeout_bounds_a_request_that_waits_for_a_silent_issuer(tmp_path):
    with Issuer("ES256") as issuer:
        issuer.answers[issuer.jwks_path] = Issuer.silent
        # The issuer is waited for longer than `stop` waits.
        argv = trusting(issuer, "--shutdown-timeout", "0.3", "--jwks-timeout", "30")
        with ServerProcess(*argv, cwd=tmp_path) as server:
            with send_head(server.client, 2, issuer.token(aud="kms")) as sock:
                sock.sendall(b"{}")
                until_read(sock)
                assert server.stop() == 0
            check_log(server)


def test_requests_that_a_stop_does_not_wait_for_get_no_answer_and_leave_no_error(tmp_path):
    """Whatever they wait for: here another process has locked the database."""
    with ServerProcess(*NO_AUTH, "--shutdown-timeout", "0.3", cwd=tmp_path) as server:
        with send_create(server.client) as sock:
            assert sock.recv(12) == b"HTTP/1.1 200"
        with contextlib.closing(sqlite3.connect(tmp_path / "kms-data" / "kms.db")) as other:
            other.execute("BEGIN IMMEDIATE")
            clients = [send_create(server.client) for _ in range(4)]
            for client in clients:
                until_read(client)
            assert server.stop() == 0
        answers = []
        for client in clients:
            with client, contextlib.suppress(ConnectionError):
                answers.append(read_all(client))
        assert b"".join(answers) == b""
        check_log(server)


def test_a_connection_that_is_told_to_close_is_closed_though_its_client_asks_on(tmp_path):
    """Else a busy client holds the stop up, and its last request is cut off."""
    told = []
    with ServerProcess(*NO_AUTH, cwd=tmp_path) as server:

        def hammer():
            with server.client.connect() as client, contextlib.suppress(ConnectionError):
                answers_after = -1
                while True:
                    client.sendall(CREATE_REQUEST)
                    head = client.recv(65536)
                    if not head:
                        break
                    if b"Connection: close" in head or answers_after >= 0:
                        answers_after += 1
                told.append(answers_after)

        threads = [threading.Thread(target=hammer) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        assert server.stop() == 0
        for thread in threads:
            thread.join(10)
        check_log(server)
    assert max(told, default=0) <= 1


def test_every_request_that_was_sent_before_the_stop_is_answered_whole(tmp_path):
    wrong = []
    with ServerProcess(*NO_AUTH, cwd=tmp_path) as server:
        ending = threading.Event()

        def hammer():
            connection = server.client.connection()
            try:
                while not ending.is_set():
                    headers = {"Content-Type": "application/json"}
                    connection.request("POST", "/kmip_2_1", json.dumps(CREATE), headers)
                    answer = connection.getresponse()
                    body = answer.read()
                    if answer.status != 200 or not body.endswith(b"}"):
                        wrong.append((answer.status, body))
            except OSError:
                pass  # closed between two requests, or refused
            except Exception as exc:
                if type(exc).__name__ != "RemoteDisconnected":
                    wrong.append(exc)
            finally:
                connection.close()

        threads = [threading.Thread(target=hammer) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        assert server.stop() == 0
        ending.set()
        for thread in threads:
            thread.join(10)
        check_log(server)
    assert wrong == []


def test_sighup_takes_a_removed_key_out_the_moment_the_cooldown_ends_and_says_so(tmp_path):
    """Several of them are one fetch."""
    with Issuer("ES256") as issuer:
        argv = trusting(issuer, "--jwks-cooldown", "3")
        with serving(*argv, cwd=tmp_path) as server:
            token = issuer.token(aud="kms")
            server.wait_for_line("loaded 1 signing key")
            issuer.rotate(keep_old=False)
            for _ in range(3):
                server.send(signal.SIGHUP)
                server.wait_for_line(
                    r"as asked, when the cooldown ends, (at most )?[0-3]\.\d s from now"
                )
            assert server.client.create(token), "the old keys serve until then"
            server.wait_for_line("fetched again, as asked: 1 key, changed")
            assert server.client.get_key(token, "*").status == 401
            assert issuer.fetches == 2


def test_sighup_while_the_server_is_still_starting_is_harmless(tmp_path):
    argv = ("--jwt-issuer-uri", "http://127.0.0.1:9", "--jwks-refresh-interval", "1")
    server = ServerProcess(*argv, cwd=tmp_path, cold=True)
    with signalling(server, r"--jwks-refresh-interval"), server:
        assert server.client.get("/health").status == 200
        assert server.stop() == 0
