"""Clients that connect and do nothing, or drip, or never stop: they lose their connections, and nobody else waits."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator

import pytest

from ..server import NO_AUTH, ServerProcess, eventually
from .client import CREATE, QUERY, Connection, Site, ask, serving_kmip

#: Less than a server's own.
WAITS = {
    "transport.connections.HANDSHAKE_S": 1.0,
    "transport.connections.HEAD_S": 1.0,
    "transport.connections.BODY_S": 1.0,
    "kmip_server.listener.IDLE_S": 3.0,
    "web.process.kmip_port.IDLE_S": 3.0,
}


@pytest.fixture(scope="module")
def server(site: Site) -> Iterator[ServerProcess]:
    options = (*NO_AUTH, "--metrics", "--max-body-size", "100000", "--max-connections", "300")
    with serving_kmip(site, *options, constants=WAITS) as running:
        yield running


def dropped(server: ServerProcess, reason: str) -> float:
    for line in server.client.get("/metrics").text.splitlines():
        if line.startswith(f'kms_kmip_connections_dropped_total{{reason="{reason}"}}'):
            return float(line.rpartition(" ")[2])
    raise AssertionError(f"there is no series for {reason}")


def test_two_hundred_half_open_handshakes_hold_nobody_up(site: Site, server: ServerProcess) -> None:
    before = dropped(server, "handshake")
    with contextlib.ExitStack() as stack:
        for number in range(200):
            half = socket.create_connection(("127.0.0.1", server.kmip_port), timeout=20)
            stack.enter_context(half)
            if number % 2:
                half.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")  # of a ClientHello
        with Connection(server.kmip_port, site.trust(site.alice)) as alice:
            assert alice.create()  # one after the other, they would take minutes
        eventually(lambda: dropped(server, "handshake") >= before + 200)


def test_bytes_that_are_no_tls_are_not_answered_as_a_message(
    site: Site, server: ServerProcess
) -> None:
    with socket.create_connection(("127.0.0.1", server.kmip_port), timeout=20) as plain:
        plain.sendall(ask(QUERY))
        with contextlib.suppress(ConnectionError):
            assert b"\x42\x00\x7b" not in plain.recv(1000)


#: What a client sends before it says no more → why it is dropped.
UNFINISHED = {
    b"\x42\x00": "head",
    struct.pack(">II", 0x42007801, 4096) + bytes(100): "body",
    b"": "idle",
}


def test_client_that_stops_sending_loses_its_connection(site: Site, server: ServerProcess) -> None:
    """All of them at the same time."""
    before = {reason: dropped(server, reason) for reason in UNFINISHED.values()}
    with contextlib.ExitStack() as stack:
        slow = {
            start: stack.enter_context(Connection(server.kmip_port, site.trust(site.alice)))
            for start in UNFINISHED
        }
        for start, connection in slow.items():
            assert connection.create()
            connection.send(start)
        assert [start for start, connection in slow.items() if not connection.is_closed()] == []
    assert {reason: dropped(server, reason) - before[reason] for reason in before} == dict.fromkeys(
        before, 1
    )


def drip(connection: Connection) -> bool:
    """Send one more byte; whether the connection has ended."""
    try:
        connection.send(b"\0")
        return connection.socket.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def send_much(connection: Connection, octets: bytes) -> None:
    """Raises OSError where no more can be sent."""
    for _ in range(100_000):
        connection.send(octets)


def test_client_that_drips_loses_its_connection_too(site: Site, server: ServerProcess) -> None:
    before = dropped(server, "body")
    whole = ask(QUERY)
    header = whole[8 : 16 + int.from_bytes(whole[12:16], "big")]
    with Connection(server.kmip_port, site.trust(site.alice)) as slow:
        slow.send(struct.pack(">II", 0x42007801, 96000) + header)
        slow.socket.settimeout(0.05)
        assert eventually(lambda: drip(slow))
    assert dropped(server, "body") > before


def test_stream_without_end_is_answered_once_and_closed(site: Site, server: ServerProcess) -> None:
    with Connection(server.kmip_port, site.trust(site.alice)) as endless:
        endless.send(struct.pack(">II", 0x42007801, 2**32 - 8))
        with pytest.raises(OSError):
            send_much(endless, bytes(65536))
    with Connection(server.kmip_port, site.trust(site.bob)) as bob:
        assert bob.create()


def test_client_that_reads_nothing_holds_no_more_than_its_own_connection(
    site: Site, server: ServerProcess
) -> None:
    """It is not read on while its answers wait: what it sends ahead fills its own buffers."""
    with Connection(server.kmip_port, site.trust(site.alice)) as deaf:
        deaf.socket.settimeout(0.5)
        with pytest.raises(OSError):
            send_much(deaf, ask(QUERY) * 10)
        with Connection(server.kmip_port, site.trust(site.bob)) as bob:
            assert bob.do(CREATE)[0]["ResultStatus"] == "Success"
