"""The process: exit codes, signals, start-up line, ports, data directory, master key."""

from __future__ import annotations

import base64
import json
import os
import re
import resource
import signal
import socket
import stat
import threading
import time

import pytest

from ...issuer import Issuer
from ...server import (
    CREATE,
    QUICK,
    ServerProcess,
    check_log,
    eventually,
    free_port,
    run,
    serving,
    trusting,
)

NO_AUTH = ("--insecure-no-auth",)


@pytest.fixture(scope="module")
def issuer():
    with Issuer("ES256") as issuer:
        yield issuer


def one_line(finished, code):
    """The command ended with the code and one line on stderr, apart from log lines before it."""
    assert finished.returncode == code, finished.stderr
    assert finished.stdout == ""
    assert "Traceback" not in finished.stderr
    assert "usage:" not in finished.stderr
    said = [x for x in finished.stderr.splitlines() if x.startswith("kms-tornado: ")]
    assert len(said) == 1, finished.stderr
    assert finished.stderr.splitlines()[-1] == said[0]
    return said[0]


def head(client, length, token, path="/kmip_2_1"):
    """A connection on which the head of a request has been sent."""
    sock = client.connect()
    sock.sendall(
        f"POST {path} HTTP/1.1\r\nHost: kms\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Length: {length}\r\n\r\n".encode()
    )
    return sock


def read_all(sock):
    received = b""
    while chunk := sock.recv(65536):
        received += chunk
    return received


# --- what is no serving -------------------------------------------------------------------------


def test_version_prints_name_and_version(tmp_path):
    finished = run("--version", cwd=tmp_path)
    assert finished.returncode == 0
    assert re.fullmatch(r"kms-tornado \d+\.\d+\.\d+\S*\n", finished.stdout)


def test_help_names_flags_and_their_variables(tmp_path):
    finished = run("--help", cwd=tmp_path)
    assert finished.returncode == 0
    for word in ("--jwt-issuer-uri", "KMS_JWT_ISSUER_URI", "token issuer", "storage"):
        assert word in finished.stdout


def test_print_config_names_each_source_and_makes_no_data(tmp_path):
    finished = run(
        *NO_AUTH, "--print-config", cwd=tmp_path, KMS_PORT="4711", KMS_MASTER_KEY="c2VjcmV0"
    )
    assert finished.returncode == 0
    lines = finished.stdout.splitlines()
    assert all(re.fullmatch(r"(# )?\S+ = .*  # (flag|environment|file|default)", x) for x in lines)
    assert "port = 4711  # environment" in lines
    assert "c2VjcmV0" not in finished.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        pytest.param((), ("--jwt-issuer-uri", "--insecure-no-auth"), id="nobody to trust"),
        pytest.param((*NO_AUTH, "--port", "99999"), ("--port (flag)",), id="out of range"),
        pytest.param(
            (*NO_AUTH, "--prot", "1"), ("--prot (flag)", "unknown option"), id="unknown flag"
        ),
        pytest.param(
            (*NO_AUTH, "--hostname", "0.0.0.0"), ("--hostname (flag)",), id="not loopback"
        ),
        pytest.param(
            (*NO_AUTH, "-c", "nothing.toml"), ("--config (flag)", "nothing.toml"), id="no file"
        ),
        pytest.param(
            (*NO_AUTH, "--data-dir", "/dev/null"), ("--data-dir (flag)", "not a dir"), id="no dir"
        ),
        pytest.param(
            (*NO_AUTH, "--database-url", "oracle://u:hunter2@h/d"),
            ("--database-url (flag)",),
            id="database of another kind",
        ),
        pytest.param(
            (*NO_AUTH, "--database-url", "postgresql://kms:hunter2@127.0.0.1:1/kms"),
            ("--database-url (flag)", "postgresql://kms:***@127.0.0.1:1/kms", "refused"),
            id="database server that is not there",
        ),
        pytest.param(
            ("--jwt-issuer-uri", "https://i.example", "--hostname", "203.0.113.7", "--port", "0"),
            ("--hostname (flag)", "203.0.113.7"),
            id="not an address of this machine",
        ),
    ],
)
def test_bad_configuration_is_one_line_and_exit_code_2(tmp_path, argv, words):
    line = one_line(run(*argv, cwd=tmp_path), 2)
    for word in words:
        assert word in line
    assert "hunter2" not in line


def test_files_that_hold_something_else_are_named_with_their_option(tmp_path):
    (tmp_path / "odd").write_text("no database, and no certificate either\n" * 100)
    odd = str(tmp_path / "odd")
    line = one_line(run(*NO_AUTH, "--database-url", f"sqlite:///{odd}", cwd=tmp_path), 2)
    assert "--database-url (flag)" in line
    assert odd in line
    argv = ("--jwt-issuer-uri", "https://i.example", "--jwks-ca-file", odd, "--port", "0")
    line = one_line(run(*argv, cwd=tmp_path), 2)
    assert "--jwks-ca-file (flag)" in line
    assert odd in line


def test_bad_variable_is_named_with_its_source(tmp_path):
    line = one_line(run(*NO_AUTH, cwd=tmp_path, KMS_PORT="x"), 2)
    assert "KMS_PORT" in line
    assert "environment" in line


def test_port_in_use_is_one_line_and_exit_code_1(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = one_line(run(*NO_AUTH, "--port", str(port), cwd=tmp_path), 1)
    assert f"port {port}" in line
    assert "in use" in line


# --- starting -----------------------------------------------------------------------------------


def test_port_0_is_a_free_port_and_the_start_up_line_names_it(tmp_path):
    with serving(*NO_AUTH, cwd=tmp_path) as server:
        assert server.port != 0
        assert server.client.get("/health").json() == {"status": "UP"}
        assert server.output["stdout"] == []


def test_a_port_that_is_free_is_taken(tmp_path):
    port = free_port()
    with serving(*NO_AUTH, cwd=tmp_path, port=port) as server:
        assert server.port == port


def test_start_up_line_is_there_at_log_level_error(tmp_path):
    with serving(*NO_AUTH, "--log-level", "error", cwd=tmp_path) as server:
        server.client.get("/health")
    assert sum("listening on" in line for line in server.output["stderr"]) == 1
    assert "/health" not in server.log


def test_start_up_line_in_json_names_the_url_too(tmp_path):
    with serving(*NO_AUTH, "--log-format", "json", cwd=tmp_path) as server:
        pass
    entries = [json.loads(line) for line in server.output["stderr"]]
    assert f"listening on {server.url}" in [entry["message"] for entry in entries]


def test_server_on_ipv6_writes_its_address_in_brackets(tmp_path):
    if not socket.has_ipv6 or not os.path.exists("/proc/net/if_inet6"):
        pytest.skip("no IPv6")
    with serving(*NO_AUTH, "--hostname", "::1", cwd=tmp_path) as server:
        assert server.url == f"http://[::1]:{server.port}"


# --- stopping -----------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name)
def test_signal_lets_the_request_in_flight_end_and_exits_0(tmp_path, number):
    body = json.dumps(CREATE).encode()
    with ServerProcess(*NO_AUTH, cwd=tmp_path) as server:
        idle = server.client.connect()
        idle.sendall(b"GET /health HTTP/1.1\r\nHost: kms\r\n\r\n")
        assert idle.recv(65536).startswith(b"HTTP/1.1 200")
        sock = head(server.client, len(body), "x")
        sock.sendall(body[:-10])
        time.sleep(0.1)
        server.send(number)
        server.wait_for_line("stopping")

        def is_refused():
            try:
                server.client.connect(1).close()
            except ConnectionRefusedError:
                return True
            return False

        eventually(is_refused, 3)
        server.send(number)  # a second one is harmless
        assert server.process.poll() is None
        sock.sendall(body[-10:])
        answer = read_all(sock)
        sock.close()
        assert answer.startswith(b"HTTP/1.1 200")
        assert b"Connection: close" in answer
        assert b"CreateResponse" in answer
        assert idle.recv(65536) == b""
        idle.close()
        assert server.wait() == 0
        check_log(server)


def test_idle_connection_does_not_hold_the_stop_up(tmp_path):
    with ServerProcess(*NO_AUTH, cwd=tmp_path) as server, server.client.connect() as idle:
        idle.sendall(b"GET /health HTTP/1.1\r\nHost: kms\r\n\r\n")
        idle.recv(65536)
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 2


def test_signals_in_the_last_moment_are_harmless(tmp_path):
    for _ in range(3):
        with ServerProcess(*NO_AUTH, cwd=tmp_path) as server:
            while server.process.poll() is None:
                server.send(signal.SIGTERM)
                server.send(signal.SIGHUP)
                time.sleep(0.002)
            assert server.wait() == 0


def test_shutdown_timeout_bounds_a_request_whose_body_never_ends(tmp_path):
    with ServerProcess(*NO_AUTH, "--shutdown-timeout", "0.5", cwd=tmp_path) as server:
        with head(server.client, 100, "x"):
            time.sleep(0.1)
            began = time.monotonic()
            assert server.stop() == 0
        assert 0.4 < time.monotonic() - began < 3
        check_log(server)


def test_shutdown_timeout_bounds_a_request_that_waits_for_a_silent_issuer(tmp_path):
    with Issuer("ES256") as issuer:
        issuer.answers[issuer.jwks_path] = Issuer.silent
        argv = trusting(issuer, "--shutdown-timeout", "0.3", "--jwks-timeout", "20")
        with ServerProcess(*argv, cwd=tmp_path) as server:
            with head(server.client, 2, issuer.token(aud="kms")) as sock:
                sock.sendall(b"{}")
                time.sleep(0.2)
                began = time.monotonic()
                assert server.stop() == 0
            assert time.monotonic() - began < 4
            check_log(server)


def test_every_request_that_was_sent_before_the_stop_is_answered_whole(tmp_path):
    wrong = []
    with ServerProcess(*NO_AUTH, cwd=tmp_path) as server:
        ending = threading.Event()

        def hammer():
            connection = server.client.connection()
            try:
                while not ending.is_set():
                    connection.request("POST", "/kmip_2_1", body=json.dumps(CREATE))
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


def test_sighup_fetches_the_keys_again(tmp_path):
    with Issuer("ES256") as issuer:
        argv = trusting(issuer, "--jwks-cooldown", "0")
        with serving(*argv, cwd=tmp_path) as server:
            issuer.wait_for_fetches(1)
            # The whole of the first fetch is over: one that is under way would be joined.
            eventually(lambda: server.client.get("/ready").status == 200)
            server.send(signal.SIGHUP)
            issuer.wait_for_fetches(2)


def test_sighup_within_the_cooldown_fetches_nothing(tmp_path):
    with Issuer("ES256") as issuer, serving(*trusting(issuer), cwd=tmp_path) as server:
        server.wait_for_line("loaded 1 signing keys")
        server.send(signal.SIGHUP)
        time.sleep(0.5)
        assert issuer.fetches == 1
        assert server.client.get("/health").status == 200


# --- data directory and master key --------------------------------------------------------------


def new_key():
    return base64.b64encode(os.urandom(32)).decode()


def test_data_directory_and_its_files_are_ours_alone(tmp_path):
    with serving(*NO_AUTH, cwd=tmp_path) as server:
        server.client.create("x")
        data = tmp_path / "kms-data"
        assert stat.S_IMODE(data.stat().st_mode) == 0o700
        names = {path.name for path in data.iterdir()}
        assert {"kms.db", "master.key"} <= names
        assert {stat.S_IMODE((data / name).stat().st_mode) for name in names} == {0o600}
        assert "back it up" in server.log


def test_data_survives_kill_9(tmp_path):
    with ServerProcess(*NO_AUTH, cwd=tmp_path) as server:
        uids = [server.client.create("x") for _ in range(5)]
        before = [server.client.get_key("x", uid).body for uid in uids]
        server.kill()
    with serving(*NO_AUTH, cwd=tmp_path) as server:
        assert [server.client.get_key("x", uid).body for uid in uids] == before
        assert "made a new master key" not in server.log


def test_two_servers_on_one_data_directory_serve_each_others_keys(tmp_path):
    with serving(*NO_AUTH, cwd=tmp_path) as one, serving(*NO_AUTH, cwd=tmp_path) as two:
        first, second = one.client.create("x"), two.client.create("x")
        assert two.client.get_key("x", first).status == 200
        assert one.client.get_key("x", second).status == 200


def test_two_servers_that_start_at_once_agree_on_one_master_key(tmp_path):
    servers = [ServerProcess(*NO_AUTH, cwd=tmp_path) for _ in range(2)]
    threads = [threading.Thread(target=server.start) for server in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    try:
        uid = servers[0].client.create("x")
        assert servers[1].client.get_key("x", uid).status == 200
    finally:
        assert [server.stop() for server in servers] == [0, 0]


@pytest.fixture(scope="module")
def used_data_dir(tmp_path_factory):
    """A data directory whose database belongs to a master key that was given in a file."""
    directory = tmp_path_factory.mktemp("used")
    key = directory / "key"
    key.touch(0o600)
    key.write_text(new_key())
    with serving(*NO_AUTH, "--master-key-file", "key", cwd=directory) as server:
        server.client.create("x")
    return directory


def test_the_right_master_key_is_taken_from_the_environment(used_data_dir):
    key = (used_data_dir / "key").read_text()
    with serving(*NO_AUTH, cwd=used_data_dir, env={"KMS_MASTER_KEY": key}) as server:
        assert server.client.create("x")
        assert key not in server.log


@pytest.mark.parametrize(
    ("argv", "variables", "words"),
    [
        pytest.param((), {"KMS_MASTER_KEY": new_key()}, "not the one", id="another key"),
        pytest.param((), {"KMS_MASTER_KEY": "c2hvcnQ="}, "5 bytes", id="too short"),
        pytest.param((), {"KMS_MASTER_KEY": "no base64!"}, "not base64", id="no base64"),
        pytest.param((), {}, "no such file", id="none, and none is made"),
        pytest.param(("--master-key-file", "open"), {}, "open to others", id="open to others"),
        pytest.param(("--master-key-file", "gone"), {}, "no such file", id="named file is gone"),
        pytest.param(
            ("--master-key-file", "key"), {"KMS_MASTER_KEY": new_key()}, "not together", id="both"
        ),
    ],
)
def test_wrong_master_key_ends_the_start_before_listening(used_data_dir, argv, variables, words):
    (used_data_dir / "open").write_text(new_key())
    (used_data_dir / "open").chmod(0o644)
    finished = run(*NO_AUTH, *argv, "--port", "0", cwd=used_data_dir, **variables)
    line = one_line(finished, 2)
    assert words in line
    source = "environment" if variables and not argv else "flag" if argv else "default"
    name = "KMS_MASTER_KEY" if source == "environment" else "--master-key-file"
    assert name in line
    assert f"({source})" in line
    assert "listening" not in finished.stderr
    for secret in (*variables.values(), (used_data_dir / "key").read_text()):
        assert secret not in finished.stderr
    assert not (used_data_dir / "kms-data" / "master.key").exists()


def test_full_disk_is_503_and_loses_nothing(tmp_path):
    def no_large_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))

    kept, statuses = [], []
    with serving(*NO_AUTH, cwd=tmp_path) as server:
        kept.append(server.client.create("x"))
    with ServerProcess(*NO_AUTH, cwd=tmp_path, preexec=no_large_files) as server:
        for _ in range(600):
            answer = server.client.kmip("x", CREATE)
            statuses.append(answer.status)
            if answer.status == 200:
                kept.append(answer.json()["value"][1]["value"])
                continue
            assert answer.status == 503
            assert answer.headers["Retry-After"]
            break
        assert statuses[-1] == 503
        assert server.client.get_key("x", kept[0]).status == 200  # reading goes on
        assert server.client.get("/health").status == 200
        assert server.stop() == 0
        assert "Traceback" not in server.log
    with serving(*NO_AUTH, cwd=tmp_path) as server:
        assert all(server.client.get_key("x", uid).status == 200 for uid in kept)
        assert server.client.kmip("x", CREATE).status == 200


def test_deleted_database_is_503_and_not_ready(tmp_path):
    with ServerProcess(*NO_AUTH, cwd=tmp_path) as server:
        uid = server.client.create("x")
        assert server.client.get("/ready").status == 200
        (tmp_path / "kms-data" / "kms.db").unlink()
        assert server.client.get_key("x", uid).status == 503
        assert server.client.kmip("x", CREATE).status == 503
        answer = server.client.get("/ready")
        assert answer.status == 503
        assert answer.json()["checks"]["database"]["status"] == "DOWN"
        assert server.client.get("/health").status == 200
        assert server.stop() == 0
        assert "Traceback" not in server.log


def test_start_up_is_quick(tmp_path, issuer):
    with serving(*trusting(issuer, *QUICK), cwd=tmp_path) as server:
        assert server.started_in_s < 5
