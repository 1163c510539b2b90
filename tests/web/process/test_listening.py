"""The port: found, free or in use, and named by the start-up line."""

from __future__ import annotations

import os
import socket
import sys

import pytest

from kms_tornado.web.process.listening import Sockets

from ...server import NO_AUTH, check_refused, free_port, run, serving


def test_port_0_is_a_free_port_and_the_start_up_line_names_it(tmp_path):
    with serving(*NO_AUTH, cwd=tmp_path) as server:
        assert server.port != 0
        assert server.client.get("/health").json() == {"status": "UP"}
        assert server.output["stdout"] == []


def test_a_port_that_is_free_is_taken(tmp_path):
    port = free_port()
    with serving(*NO_AUTH, cwd=tmp_path, port=port) as server:
        assert server.port == port


def test_server_on_ipv6_writes_its_address_in_brackets(tmp_path):
    if not socket.has_ipv6 or not os.path.exists("/proc/net/if_inet6"):
        pytest.skip("no IPv6")
    with serving(*NO_AUTH, "--hostname", "::1", cwd=tmp_path) as server:
        assert server.url == f"http://[::1]:{server.port}"


def test_port_in_use_is_one_line_and_exit_code_1(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        line = check_refused(run(*NO_AUTH, "--port", str(port), cwd=tmp_path), 1)
    assert f"port {port}" in line
    assert "in use" in line


@pytest.mark.parametrize("workers", ["1", "2"])
def test_port_in_use_leaves_no_files_behind(tmp_path, workers):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        finished = run(*NO_AUTH, "--port", port, "--workers", workers, cwd=tmp_path)
    assert "in use" in check_refused(finished, 1)
    assert list(tmp_path.iterdir()) == []
    assert "master key" not in finished.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shuts down a socket that listens")
def test_port_is_closed_where_other_processes_have_its_socket_open():
    one = socket.create_server(("127.0.0.1", 0))
    address = one.getsockname()
    with one.dup():
        Sockets((one,), (), ()).close_for_all()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, timeout=5)
