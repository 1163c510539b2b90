"""How alive the server is while 50 clients make RSA-4096 keys: ``python -m tests.bench.busy``.

The server has all cores, as it would. Prints the latency of GET /health and of Get, idle and meanwhile,
and how the 50 ended: 200, or 503 with a time to come back.
"""

from __future__ import annotations

import http.client
import json
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.issuer import Issuer
from tests.kmip_items import name, number, structure, uid
from tests.kms import KMS, User

CLIENTS = 50
PAIR = structure(
    "CreateKeyPair",
    structure(
        "CommonAttributes",
        name("CryptographicAlgorithm", "RSA"),
        number("CryptographicLength", 4096),
    ),
)


def health_caller(port: int) -> Callable[[], None]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def ask() -> None:
        connection.request("GET", "/health")
        assert connection.getresponse().read()

    return ask


def get_caller(user: User, key: str) -> Callable[[], None]:
    body = structure("Get", uid(key))

    def ask() -> None:
        assert user.exchange("POST", user.path, json.dumps(body).encode()).status == 200

    return ask


def measure_latencies(ask: Callable[[], None], until: Callable[[], bool]) -> list[float]:
    """Milliseconds of one request after the other, a pause between them."""
    milliseconds = []
    while not until() or len(milliseconds) < 100:
        began = time.perf_counter()
        ask()
        milliseconds.append(1000 * (time.perf_counter() - began))
        time.sleep(0.005)
    return milliseconds


def format_line(label: str, milliseconds: list[float]) -> str:
    p50, p99 = statistics.median(milliseconds), statistics.quantiles(milliseconds, n=100)[98]
    return f"{label:24} p50 {p50:6.1f}  p99 {p99:6.1f}  max {max(milliseconds):6.1f} ms  ({len(milliseconds)})"


def measure_while_making(
    users: list[User], ask: Callable[[], None]
) -> tuple[list[float], dict[int, int]]:
    """Latencies while each user makes a pair, and how often they got which status."""
    answers: Counter[int] = Counter()

    def make(user: User) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", user.port, timeout=600)
        headers = {"Authorization": f"Bearer {user.token}"}
        connection.request("POST", user.path, json.dumps(PAIR), headers)
        answers[connection.getresponse().status] += 1
        connection.close()

    threads = [threading.Thread(target=make, args=(user,)) for user in users]
    for thread in threads:
        thread.start()
    return measure_latencies(ask, lambda: not any(thread.is_alive() for thread in threads)), dict(
        answers
    )


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as directory,
        Issuer("ES256") as issuer,
        KMS(Path(directory), issuer) as kms,
    ):
        reader = kms.user()
        asks = {"health": health_caller(kms.port), "get": get_caller(reader, reader.create())}
        for label, ask in asks.items():
            print(format_line(f"{label}, idle", measure_latencies(ask, lambda: True)))
        for owners in (1, CLIENTS):
            for label, ask in asks.items():
                users = [kms.user(f"owner-{number % owners}") for number in range(CLIENTS)]
                milliseconds, answers = measure_while_making(users, ask)
                print(format_line(f"{label}, {CLIENTS} of {owners} owners", milliseconds), answers)


if __name__ == "__main__":
    main()
