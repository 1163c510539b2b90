"""Signals that stop the server."""

from __future__ import annotations

import ctypes
import gc
import json
import platform
import signal
import time
from pathlib import Path

import pytest

from kms_tornado.web.process.serving import exempt_from_collection

from ...read_queue import until_read
from ...server import CREATE, NO_AUTH, ServerProcess, check_log, eventually, read_all, send_head


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name)
def test_signal_lets_the_request_in_flight_end_and_exits_0(tmp_path, number):
    body = json.dumps(CREATE).encode()
    with ServerProcess(*NO_AUTH, cwd=tmp_path) as server:
        idle = server.client.connect()
        idle.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert idle.recv(65536).startswith(b"HTTP/1.1 200")
        sock = send_head(server.client, len(body), "x")
        sock.sendall(body[:-10])
        until_read(sock)
        server.send(number)
        server.wait_for_line("stopping")

        def is_refused():
            try:
                server.client.connect().close()
            except ConnectionRefusedError:
                return True
            except ConnectionResetError:  # in the moment in which the port is closed
                return False
            return False

        eventually(is_refused)
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


@pytest.mark.parametrize("workers", [(), ("--workers", "2")], ids=["one process", "two workers"])
def test_signal_that_another_thread_receives_stops_an_idle_server(tmp_path, workers):
    """The kernel chooses the thread: here one is chosen for it, as no test can wait for the chance."""
    with ServerProcess(*NO_AUTH, *workers, cwd=tmp_path) as server:
        main = server.process.pid
        if workers:
            children = Path(f"/proc/{main}/task/{main}/children")
            main = int(eventually(lambda: children.read_text().split())[0])
        threads = Path(f"/proc/{main}/task")
        others = eventually(lambda: [int(t.name) for t in threads.iterdir() if int(t.name) != main])
        time.sleep(0.3)  # until the main thread sleeps in the event loop, with nothing to wake it
        send_to_thread(main, others[0], signal.SIGTERM)
        if workers:
            server.wait_for_line(f"worker {main} ended with 0", timeout_s=10)
            assert server.stop() == 0
        else:
            assert server.wait(10) == 0


def send_to_thread(pid, thread, number):
    """tgkill(2), which the standard library offers for the own process only."""
    numbers = {"x86_64": 234, "aarch64": 131}
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.syscall(numbers[platform.machine()], pid, thread, int(number)) == 0


def test_signals_in_the_last_moment_are_harmless(tmp_path):
    for _ in range(3):
        with ServerProcess(*NO_AUTH, cwd=tmp_path) as server:
            while server.process.poll() is None:
                server.send(signal.SIGTERM)
                server.send(signal.SIGHUP)
                time.sleep(0.002)
            assert server.wait() == 0


def test_collections_while_serving_pass_over_what_the_start_made():
    made_at_the_start = [[] for _ in range(1000)]
    try:
        exempt_from_collection()
        looked_at = {id(each) for each in gc.get_objects()}
    finally:
        gc.unfreeze()
    assert looked_at.isdisjoint(map(id, made_at_the_start))
