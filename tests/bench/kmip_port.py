"""KMIP over TLS beside HTTP with JSON, and beside PyKMIP's server with PyKMIP's client on both.

``python -m tests.bench.kmip_port [--pairs N] [--seconds S]``. 16 connections, one server, which has a core to itself.
The goals: binary on a kept connection at least 1.3 times JSON, for get and encrypt; a new connection for each message,
resumed, at least half of kept ones; create, get and encrypt at least ten times PyKMIP's. By the server's CPU time.
"""

from __future__ import annotations

import argparse
import itertools
import os
import re
import socket
import ssl
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bench import certificates, pykmip_peer, tls_floor
from tests.bench.kms import peer_operations
from tests.bench.load import Connection, Measurement, cpu_seconds, measure
from tests.bench.ours import CREATE, Ours, close, encrypt
from tests.issuer import Issuer
from tests.kmip_items import batch_item, message, structure, uid
from tests.server import ServerProcess, trusting
from tests.ttlv import in_binary

CONNECTIONS = 16
_PEER_PORT = 15698
#: Result Status, Success (KMIP 2.1 §9.1.3).
_SUCCESS = bytes.fromhex("42007f05000000040000000000000000")


class KMIPConnection(Connection):
    """Messages of binary TTLV on one connection."""

    def find_body(self) -> bytes | None:
        whole = 8 + int.from_bytes(self.received[4:8], "big")
        return self.received if len(self.received) >= max(whole, 9) else None

    def is_success(self) -> bool:
        return _SUCCESS in self.received


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=1.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, Issuer("RS256") as issuer:
        directory = Path(name)
        files = certificates.make(directory)
        with _serving(issuer, files, directory) as (ours, port):
            os.sched_setaffinity(0, {1})
            trust = ssl.create_default_context(cafile=str(files.ca))
            trust.load_cert_chain(files.client_cert, files.client_key)
            _compare_with_json(ours, port, trust, options.pairs, options.seconds)
            _compare_resumed(ours, port, files, directory, options.pairs, options.seconds)
            _compare_with_pykmip(ours, port, files, directory, options.pairs, options.seconds)


@contextmanager
def _serving(
    issuer: Issuer, files: certificates.TLSFiles, directory: Path
) -> Iterator[tuple[Ours, int]]:
    """A server whose token's user and whose certificate's user are the same one, and its KMIP port."""
    tls = ssl.create_default_context(cafile=str(files.ca))
    argv = trusting(
        issuer,
        *("--tls-cert-file", str(files.server_cert), "--tls-key-file", str(files.server_key)),
        *("--data-dir", str(directory), "--log-level", "info", "--kmip-port", "0"),
        *("--kmip-clients-ca-cert-file", str(files.ca), "--kmip-user-namespace", "shared"),
        *("--kmip-crypto-policy", "permissive"),
    )
    wrapper = ["taskset", "--cpu-list", "0"]
    with ServerProcess(*argv, cwd=directory, tls=tls, wrapper=wrapper) as server:
        line = server.wait_for_line("KMIP over TLS is at")
        match = re.search(r"KMIP over TLS is at \S+:(\d+)", line)
        assert match is not None
        token = issuer.token(sub="alice", aud="kms", exp=int(time.time()) + 36_000)
        yield Ours(server.port, server.process.pid, token, tls), int(match[1])


def _compare_with_json(
    ours: Ours, port: int, trust: ssl.SSLContext, pairs: int, seconds: float
) -> None:
    keys = [ours.ask(CREATE)["UniqueIdentifier"] for _ in range(100)]
    requests = {
        "get": [structure("Get", uid(key)) for key in keys],
        "encrypt": [encrypt(key) for key in keys],
    }
    print(f"beside HTTP with JSON, {CONNECTIONS} connections, by the server's CPU (by wall)")
    for operation, items in requests.items():
        json_turn = ours.in_turn(items)
        binary = [_encode(item) for item in items]
        turn = itertools.cycle(binary)
        over_http = ours.connect(CONNECTIONS)
        over_tls = [KMIPConnection(port, trust) for _ in range(CONNECTIONS)]
        measured = []
        for _ in range(pairs):
            kept = measure(over_tls, lambda turn=turn: next(turn), pid=ours.pid, seconds=seconds)
            text = measure(over_http, json_turn, pid=ours.pid, seconds=seconds)
            measured.append((kept, text))
        close(over_http)
        close(over_tls)
        print(
            f"  {operation:<8} {_middle(kept.cpu_us for kept, _ in measured):5.0f} µs a message"
            f"   {_middle(text.cpu_us / kept.cpu_us for kept, text in measured):5.2f} x JSON"
            f" ({_middle(kept.per_second / text.per_second for kept, text in measured):.2f})"
        )


def _compare_resumed(
    ours: Ours,
    port: int,
    files: certificates.TLSFiles,
    directory: Path,
    pairs: int,
    seconds: float,
) -> None:
    """A new connection for each message beside kept ones, both one at a time, and beside TLS alone."""
    key = ours.ask(CREATE)["UniqueIdentifier"]
    request = _encode(structure("Get", uid(key)))
    print("\na new connection for each get, resumed, one at a time, by the server's CPU")
    with tls_floor.running(directory, 0) as (floor_pid, floor_port):
        for version in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2):
            trust = ssl.create_default_context(cafile=str(files.ca))
            trust.load_cert_chain(files.client_cert, files.client_key)
            trust.maximum_version = version
            kept = [KMIPConnection(port, trust)]
            measured = [
                (
                    measure(kept, lambda: request, pid=ours.pid, seconds=seconds),
                    _measure_resumed(port, trust, [request], ours.pid, seconds),
                    _measure_resumed(floor_port, trust, [request], floor_pid, seconds),
                )
                for _ in range(pairs)
            ]
            close(kept)
            print(
                f"  {version.name}  kept {_middle(one.cpu_us for one, _, _ in measured):5.0f} µs"
                f"   new {_middle(new.cpu_us for _, new, _ in measured):5.0f} µs"
                f"   TLS alone {_middle(least.cpu_us for _, _, least in measured):5.0f} µs"
                f"   kept ÷ new {_middle(one.cpu_us / new.cpu_us for one, new, _ in measured):4.2f}"
            )


def _encode(item: dict[str, Any]) -> bytes:
    operation, fields = item["tag"], item["value"]
    tree = message(batch_item(operation, *fields))
    return in_binary(tree)


def _measure_resumed(
    port: int, trust: ssl.SSLContext, requests: list[bytes], pid: int, seconds: float
) -> Measurement:
    """A connection for each message, one after another, each with the session of the one before."""
    session: ssl.SSLSession | None = None
    count = 0
    cpu, begun = cpu_seconds(pid), time.perf_counter()
    while (took := time.perf_counter() - begun) < seconds:
        with socket.create_connection(("127.0.0.1", port)) as raw:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with trust.wrap_socket(raw, server_hostname="127.0.0.1", session=session) as one:
                if session is not None:
                    assert one.session_reused
                one.sendall(requests[count % len(requests)])
                received = one.recv(65536)
                assert _SUCCESS in received
                session = one.session
        count += 1
    return Measurement(count, took, cpu_seconds(pid) - cpu)


def _compare_with_pykmip(
    ours: Ours,
    port: int,
    files: certificates.TLSFiles,
    directory: Path,
    pairs: int,
    seconds: float,
) -> None:
    """PyKMIP's client takes more time than our server, so the ratio of CPU is what tells."""
    peer = directory / "peer"
    peer.mkdir()
    certificates.copy(files, peer)
    print("\nbeside PyKMIP 0.11, its client on both sides, by the server's CPU (by wall)")
    with pykmip_peer.running(peer, _PEER_PORT, 0) as process:
        there = [pykmip_peer.client(files, _PEER_PORT) for _ in range(CONNECTIONS)]
        here = [pykmip_peer.client(files, port) for _ in range(CONNECTIONS)]
        theirs, mine = peer_operations(there[0]), peer_operations(here[0])
        for operation in ("create", "get", "encrypt"):
            measured = [
                (
                    pykmip_peer.measure(here, mine[operation], pid=ours.pid, seconds=seconds),
                    pykmip_peer.measure(there, theirs[operation], pid=process.pid, seconds=seconds),
                )
                for _ in range(pairs)
            ]
            print(
                f"  {operation:<8} {_middle(own.cpu_us for own, _ in measured):5.0f} µs,"
                f" PyKMIP {_middle(other.cpu_us for _, other in measured):6.0f} µs"
                f"   {_middle(other.cpu_us / own.cpu_us for own, other in measured):6.1f} x"
                f" ({_middle(own.per_second / other.per_second for own, other in measured):.1f})"
            )
        for client in (*here, *there):
            client.close()


def _middle(ratios: Iterator[float]) -> float:
    return statistics.median(ratios)


if __name__ == "__main__":
    main()
