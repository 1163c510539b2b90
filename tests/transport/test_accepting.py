"""More clients than there is room for: silent ones make room, others are told, and nothing spins."""

from __future__ import annotations

import contextlib
import json
import re
import resource
import socket
import subprocess
import time
from pathlib import Path

import pytest

from ..bench.load import cpu_seconds
from ..issuer import Issuer, write_tls_files
from ..keys import certificate, private_key, private_pem
from ..server import CREATE, NO_AUTH, ServerProcess, check_log, eventually, trusting
from ..tls_files import FILES, trusting_context
from .silent_clients import is_answered, silent

HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
#: A request that is busy until its body has come.
BEGUN = (
    b"POST /kmip_2_1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Content-Length: 9\r\n\r\n{"
)
#: Less than a server's own.
WAITS = {"transport.connections._QUIET_S": 0.25, "transport.accepting._CALM_S": 0.4}
QUIET_S = 0.3  # after which a silent connection may lose its place
WATCHED_S = 0.5  # in which a loop that spins takes all of a processor


@contextlib.contextmanager
def limited(directory, *argv, tls=False):
    context = None
    if tls:
        key = private_key("ES256", "tls")
        pem = certificate(key, names=("localhost",))
        write_tls_files(directory, pem, private_pem(key))
        context, argv = trusting_context(pem), (*FILES, *argv)
    argv = (*NO_AUTH, "--metrics", *argv)
    with ServerProcess(*argv, cwd=directory, tls=context, constants=WAITS) as server:
        yield server
        assert server.stop() == 0
        assert "Traceback" not in server.log


def count(server, series):
    """The number of a series, of all workers."""
    text = server.client.get("/metrics").text
    name, _, labels = series.partition("{")
    found = re.findall(rf"^{name}(\{{.*\}})? (\S+)$", text, re.M)
    assert found
    return sum(float(value) for given, value in found if labels.rstrip("}") in given)


def made_room_or_refused(server):
    dropped = count(server, 'kms_connections_dropped_total{reason="quiet"}')
    return dropped + count(server, 'kms_connections_refused_total{reason="full"}')


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_hundreds_of_silent_connections_beyond_the_limit_keep_nobody_out(tmp_path, tls, workers):
    """With TLS they never shake hands."""
    with limited(tmp_path, "--max-connections", "50", "--workers", workers, tls=tls) as server:
        with silent(server.port, 300):
            eventually(lambda: is_answered(server))
            before, began = cpu_seconds(server.process.pid), time.monotonic()
            time.sleep(WATCHED_S)
            took = time.monotonic() - began
            assert cpu_seconds(server.process.pid) - before < 0.5 * took
            assert is_answered(server)
            # Each of those beyond the limit had a place and lost it, or got none.
            assert eventually(lambda: made_room_or_refused(server) >= 300 - 50 * int(workers))
            assert count(server, 'kms_connections{state="quiet"}') <= 50 * int(workers)
        check_log(server)


def test_connections_that_serve_requests_keep_their_place_among_silent_ones(tmp_path):
    with (
        limited(tmp_path, "--max-connections", "20") as server,
        silent(server.port, 10, data=HEALTH) as served,
    ):
        for sock in served:
            assert sock.recv(65536).startswith(b"HTTP/1.1 200")
        with silent(server.port, 10):
            time.sleep(QUIET_S)
            with silent(server.port, 10):
                for sock in served:
                    sock.sendall(HEALTH)
                    assert sock.recv(65536).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_newcomer_is_refused_at_once_where_all_are_busy_and_the_others_are_not_disturbed(
    tmp_path, tls
):
    with limited(tmp_path, "--max-connections", "5", tls=tls) as server:
        with contextlib.ExitStack() as stack:
            busy = []
            for _ in range(5):
                sock = server.client.connect()
                if tls:
                    sock = server.tls.wrap_socket(sock, server_hostname="127.0.0.1")
                stack.enter_context(sock)
                sock.sendall(BEGUN)
                busy.append(sock)
            with server.client.connect() as late:
                if tls:
                    assert late.recv(65536) == b""
                else:
                    late.sendall(HEALTH)
                    received = b"".join(iter(lambda: late.recv(65536), b""))
                    assert received.startswith(b"HTTP/1.1 503 ")
                    assert b"Retry-After: 1\r\n" in received
                    assert b"Connection: close\r\n" in received
                    assert received.endswith(b'try again"}')
            for sock in busy:
                sock.sendall(b'"a": 11}')
                assert sock.recv(65536).startswith(b"HTTP/1.1 422")
            server.wait_for_line(r"connections are refused: all 5 .*--max-connections")
        assert eventually(lambda: is_answered(server))
        assert count(server, 'kms_connections_refused_total{reason="full"}') >= 1
        assert count(server, "kms_connections_limit") == 5


@pytest.mark.parametrize("workers", ["1", "2"])
def test_without_descriptors_accepting_pauses_with_one_line_and_goes_on_when_there_are_some(
    tmp_path, workers
):
    with limited(tmp_path, "--workers", workers) as server:
        pids = [server.process.pid]
        if workers == "2":
            children = Path(f"/proc/{pids[0]}/task/{pids[0]}/children")
            pids = [int(pid) for pid in children.read_text().split()]
        # Below what the server has open already: accept(2) fails whatever it does.
        for pid in pids:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (5, 20_000))
        before, began = cpu_seconds(server.process.pid), time.monotonic()
        with silent(server.port, 30):
            server.wait_for_line("no connections are accepted for a moment: Too many open files")
            time.sleep(WATCHED_S)
            took = time.monotonic() - began
            assert cpu_seconds(server.process.pid) - before < 0.5 * took
            for pid in pids:
                resource.prlimit(pid, resource.RLIMIT_NOFILE, (1024, 20_000))
            assert eventually(lambda: is_answered(server))
            server.wait_for_line("connections are accepted as before")
            assert len(re.findall("for a moment", server.log)) <= int(workers)
            assert count(server, "kms_accept_pauses_total") >= 1
            assert len(server.output["stderr"]) < 20 + 100 * (workers == "2")


def test_limit_that_is_lowered_while_it_runs_closes_silent_connections(tmp_path):
    with limited(tmp_path) as server, silent(server.port, 100):
        time.sleep(QUIET_S)
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (80, 20_000))
        assert eventually(lambda: is_answered(server))


def test_busy_site_of_500_connections_meets_no_limit(tmp_path):
    body = json.dumps(CREATE).encode()
    create = BEGUN.replace(b": 9", b": %d" % len(body))[:-1] + body
    with (
        limited(tmp_path, "--user-concurrency", "0") as server,  # without tokens all are one user
        silent(server.port, 500) as socks,
    ):
        for request in (HEALTH, create, HEALTH):
            for sock in socks:
                sock.sendall(request)
            for sock in socks:
                assert sock.recv(65536).startswith(b"HTTP/1.1 200")
        assert not re.search("refused|dropped|for a moment", server.log)
        for name in ("refused_total", "dropped_total"):
            assert count(server, f"kms_connections_{name}") == 0
        assert count(server, 'kms_connections{state="busy"}') == 1  # that which asks


# --- one address --------------------------------------------------------------------------------


def own_address(family):
    """An address of this machine that is not its loopback; skips where it has none."""
    is_wanted = re.compile(r"[0-9.]+" if family == socket.AF_INET else r"f[cd0-9a-f:]+|2[0-9a-f:]+")
    for line in subprocess.run(
        ["ip", "-o", "address"], capture_output=True, text=True
    ).stdout.splitlines():
        address = line.split()[3].partition("/")[0]
        if is_wanted.fullmatch(address) and not address.startswith(("127.", "fe80")):
            return address
    pytest.skip("this machine has loopback addresses only")


@pytest.mark.parametrize(
    ("family", "hostname"),
    [(socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")],
    ids=["IPv4", "IPv6"],
)
def test_one_address_has_half_of_the_places_and_loopback_needs_none_of_them(
    tmp_path, family, hostname
):
    address = own_address(family)
    loopback = "127.0.0.1" if family == socket.AF_INET else "::1"
    with Issuer("ES256") as issuer:
        argv = trusting(issuer, "--hostname", hostname, "--max-connections", "20")
        begun = BEGUN.replace(
            b"Content-Type", b"Authorization: Bearer " + issuer.token(aud="kms").encode() + b"\r\nContent-Type"
        )  # fmt: skip
        with ServerProcess(*argv, cwd=tmp_path) as server:
            with silent(server.port, 10, host=address, data=begun):
                eventually(lambda: refused(address, server.port))
                server.wait_for_line("has 10 connections open")
                assert server.log.count("connections are refused") == 1
                with silent(server.port, 8, host=loopback, data=HEALTH) as others:
                    for sock in others:
                        assert sock.recv(65536).startswith(b"HTTP/1.1 200")
            assert eventually(lambda: not refused(address, server.port))
            assert server.stop() == 0
            check_log(server)


def test_quiet_connection_of_an_address_makes_room_behind_any_number_of_its_busy_ones(tmp_path):
    address = own_address(socket.AF_INET)
    with Issuer("ES256") as issuer:
        argv = trusting(issuer, "--hostname", "0.0.0.0", "--max-connections", "160")
        begun = BEGUN.replace(
            b"Content-Type", b"Authorization: Bearer TOKEN\r\nContent-Type"
        )  # fmt: skip
        with (
            ServerProcess(*argv, cwd=tmp_path, constants=WAITS) as server,
            contextlib.ExitStack() as stack,
        ):
            for user in ("alice", "bob"):  # the busy ones came first
                data = begun.replace(b"TOKEN", issuer.token(aud="kms", sub=user).encode())
                stack.enter_context(silent(server.port, 39, host=address, data=data))
            stack.enter_context(silent(server.port, 2, host=address))
            assert eventually(lambda: not refused(address, server.port))


def test_busy_site_behind_one_trusted_proxy_has_all_places(tmp_path):
    """An application's address is no proxy's: it has half of them."""
    address = own_address(socket.AF_INET)
    with Issuer("ES256") as issuer:
        argv = trusting(issuer, "--hostname", "0.0.0.0", "--max-connections", "20")
        argv = (*argv, "--trusted-proxies", address)
        begun = BEGUN.replace(
            b"Content-Type", b"Authorization: Bearer " + issuer.token(aud="kms").encode() + b"\r\nContent-Type"
        )  # fmt: skip
        with ServerProcess(*argv, cwd=tmp_path) as server:
            with silent(server.port, 19, host=address, data=begun) as socks:
                assert eventually(lambda: not refused(address, server.port))
                for sock in socks:
                    sock.sendall(b'"a": 11}')
                    assert sock.recv(65536).startswith(b"HTTP/1.1 422")
            assert "connections are refused" not in server.log
            assert server.stop() == 0
            check_log(server)


def refused(host, port):
    with socket.create_connection((host, port), timeout=10) as sock:
        sock.sendall(HEALTH)
        try:
            return sock.recv(65536).startswith(b"HTTP/1.1 503")
        except ConnectionError:
            return True
