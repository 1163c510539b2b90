"""PyKMIP's own server with its own client (`pip install pykmip`), as a peer to be measured beside.

As a server: ``python -m tests.bench.pykmip_peer DIRECTORY PORT CORE``.
"""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.bench.certificates import TLSFiles
from tests.bench.load import Measurement, cpu_seconds


def serve(directory: Path, port: int, core: int) -> None:
    os.sched_setaffinity(0, {core})
    from kmip.services.server import KmipServer

    policies = directory / "policies"
    policies.mkdir()
    config = directory / "server.conf"
    config.write_text(
        "[server]\nhostname=127.0.0.1\n"
        f"port={port}\ncertificate_path={directory / 'sc.pem'}\nkey_path={directory / 'sk.pem'}\n"
        f"ca_path={directory / 'ca.pem'}\nauth_suite=TLS1.2\npolicy_path={policies}\n"
        f"enable_tls_client_auth=True\nlogging_level=WARNING\ndatabase_path={directory / 'peer.db'}\n"
    )
    server = KmipServer(
        config_path=str(config),
        log_path=str(directory / "peer.log"),
        logging_level=logging.WARNING,
    )
    with server:
        server.serve()


@contextlib.contextmanager
def running(directory: Path, port: int, core: int) -> Iterator[subprocess.Popen[bytes]]:
    log = directory / "peer.out"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.pykmip_peer", str(directory), str(port), str(core)],
            stdout=sink,
            stderr=sink,
        )
    try:
        yield process
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()


def client(files: TLSFiles, port: int) -> Any:
    """An open ProxyKmipClient; the server may still be starting."""
    from kmip.pie.client import ProxyKmipClient

    # Each client warns that it has no file of options.
    logging.getLogger("kmip").setLevel(logging.ERROR)
    for attempt in range(100):
        made = ProxyKmipClient(
            hostname="127.0.0.1",
            port=port,
            cert=str(files.client_cert),
            key=str(files.client_key),
            ca=str(files.ca),
            ssl_version="PROTOCOL_TLSv1_2",
        )
        try:
            made.open()
        except OSError:
            if attempt == 99:
                raise
            time.sleep(0.1)
        else:
            return made
    raise AssertionError


def measure(
    clients: list[Any], operation: Callable[[Any], object], *, pid: int, seconds: float
) -> Measurement:
    """As `load.measure`: each client, on a thread of its own, calls again once it has its answer."""
    counts = [0] * len(clients)
    cpu = cpu_seconds(pid)
    begun = time.perf_counter()
    end = begun + seconds

    def work(place: int) -> None:
        while time.perf_counter() < end:
            operation(clients[place])
            counts[place] += 1

    threads = [threading.Thread(target=work, args=(place,)) for place in range(len(clients))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - begun
    return Measurement(sum(counts), took, cpu_seconds(pid) - cpu)


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
