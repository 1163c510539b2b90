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
from tests.kms import KMS, User, name, number, structure, uid

CLIENTS = 50
PAIR = structure(
    "CreateKeyPair",
    structure(
        "CommonAttributes",
        name("CryptographicAlgorithm", "RSA"),
        number("CryptographicLength", 4096),
    ),
)


def health(port: int) -> Callable[[], None]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def ask() -> None:
        connection.request("GET", "/health")
        assert connection.getresponse().read()

    return ask


def get(user: User, key: str) -> Callable[[], None]:
    body = structure("Get", uid(key))

    def ask() -> None:
        assert user.exchange("POST", user.path, json.dumps(body).encode()).status == 200

    return ask


def latencies(ask: Callable[[], None], until: Callable[[], bool]) -> list[float]:
    """Milliseconds of one request after the other, a pause between them."""
    found = []
    while not until() or len(found) < 100:
        began = time.perf_counter()
        ask()
        found.append(1000 * (time.perf_counter() - began))
        time.sleep(0.005)
    return found


def shown(label: str, found: list[float]) -> str:
    p50, p99 = statistics.median(found), statistics.quantiles(found, n=100)[98]
    return f"{label:24} p50 {p50:6.1f}  p99 {p99:6.1f}  max {max(found):6.1f} ms  ({len(found)})"


def while_making(users: list[User], ask: Callable[[], None]) -> tuple[list[float], dict[int, int]]:
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
    return latencies(ask, lambda: not any(each.is_alive() for each in threads)), dict(answers)


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as directory,
        Issuer("ES256") as issuer,
        KMS(Path(directory), issuer) as kms,
    ):
        reader = kms.user()
        asks = {"health": health(kms.port), "get": get(reader, reader.create())}
        for label, ask in asks.items():
            print(shown(f"{label}, idle", latencies(ask, lambda: True)))
        for owners in (1, CLIENTS):
            for label, ask in asks.items():
                users = [kms.user(f"owner-{number % owners}") for number in range(CLIENTS)]
                found, answers = while_making(users, ask)
                print(shown(f"{label}, {CLIENTS} of {owners} owners", found), answers)


if __name__ == "__main__":
    main()
