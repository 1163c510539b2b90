"""--metrics-listen: the metrics have a port to themselves."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from ...server import (
    NO_AUTH,
    Client,
    ServerProcess,
    check_refused,
    eventually,
    free_port,
    run,
    serving,
)

OWN = ("--metrics-listen", "127.0.0.1:0")


@pytest.fixture(scope="module", params=[(), ("--workers", "2")], ids=["one process", "two workers"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    directory = tmp_path_factory.mktemp("server")
    with serving(*NO_AUTH, *OWN, *request.param, cwd=directory) as running:
        yield running


@pytest.fixture(scope="module")
def metrics(server: ServerProcess) -> Client:
    line = server.wait_for_line("metrics are at")
    match = re.search(r"metrics are at http://127\.0\.0\.1:(\d+)/metrics$", line)
    assert match is not None
    return Client(int(match[1]))


def test_the_metrics_are_there_and_not_on_the_other_port(
    server: ServerProcess, metrics: Client
) -> None:
    answer = metrics.get("/metrics")
    assert answer.status == 200
    assert "kms_database_up" in answer.text
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    assert server.client.get("/metrics").status == 404
    assert server.client.get("/health").status == 200


@pytest.mark.parametrize("path", ["/", "/health", "/ready", "/version", "/whoami", "/kmip_2_1"])
def test_nothing_else_is_served_there(metrics: Client, path: str) -> None:
    assert metrics.get(path).status == 404
    assert metrics.post(path, body=b"{}").status == 404


def test_other_methods_and_long_bodies_are_refused(metrics: Client) -> None:
    assert metrics.post("/metrics", body=b"x").status == 405
    assert metrics.post("/metrics", body=bytes(100_000)).status in (405, 413)
    assert metrics.get("/metrics").status == 200


def test_it_answers_with_the_sum_of_what_the_port_of_everything_else_served(
    server: ServerProcess, metrics: Client
) -> None:
    def served() -> float:
        text = metrics.get("/metrics").text
        pattern = r'^kms_http_requests_total{[^}]*route="/version"[^}]*} (\S+)$'
        return sum(float(value) for value in re.findall(pattern, text, re.M))

    before = served()
    for _ in range(20):
        assert server.client.get("/version").status == 200
    assert served() == before + 20


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_port_in_use_is_one_line_and_exit_code_1_and_leaves_nothing_behind(
    tmp_path: Path, workers: str
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        finished = run(
            *NO_AUTH,
            *("--port", "0", "--workers", workers, "--metrics-listen", f"127.0.0.1:{port}"),
            cwd=tmp_path,
        )
    line = check_refused(finished, 1)
    assert f"port {port}" in line
    assert "in use" in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("no-such-host.invalid:9100", "no-such-host.invalid: "),
        ("9100", "write it as"),
        (":9100", "write it as"),
        ("::1:9100", "write it as"),
        ("127.0.0.1:", "the port"),
        ("127.0.0.1:65536", "the port"),
        ("127.0.0.1:9x", "the port"),
        ("*:9100", "not a host name"),
    ],
)
def test_an_address_that_is_none_is_refused_with_exit_code_2(
    tmp_path: Path, address: str, words: str
) -> None:
    finished = run(*NO_AUTH, "--port", "0", "--metrics-listen", address, cwd=tmp_path)
    line = check_refused(finished, 2)
    assert "--metrics-listen" in line
    assert words in line


def test_the_port_of_everything_else_is_refused(tmp_path: Path) -> None:
    port = str(free_port())
    finished = run(*NO_AUTH, "--port", port, "--metrics-listen", f"127.0.0.1:{port}", cwd=tmp_path)
    assert "is where everything else is served" in check_refused(finished, 2)


def test_an_ipv6_address_stands_in_brackets(tmp_path: Path) -> None:
    if not Path("/proc/net/if_inet6").exists():
        pytest.skip("no IPv6")
    with serving(*NO_AUTH, "--metrics-listen", "[::1]:0", cwd=tmp_path) as server:
        assert "http://[::1]:" in server.wait_for_line("metrics are at")


def test_silent_connections_keep_nobody_from_the_metrics_and_take_no_place_elsewhere(
    server: ServerProcess, metrics: Client
) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(150):
            stack.enter_context(socket.create_connection(("127.0.0.1", metrics.port), timeout=10))
        eventually(lambda: is_scraped(metrics))
        assert server.client.get("/health").status == 200


def is_scraped(metrics: Client) -> bool:
    with contextlib.suppress(OSError):
        return metrics.get("/metrics").status == 200
    return False
