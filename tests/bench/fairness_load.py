"""What puts load on the server in `fairness`: closed-loop connections over TLS, in a process of its own.

``python -m tests.bench.fairness_load PORT CA < load.json``, where the JSON says which connections there
are and what each of them sends again and again. It runs until SIGTERM, then prints how often it was
answered with which status. Only the standard library, so that it starts at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
import ssl
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

#: Where the server says when to come back, the load comes back sooner: it is no polite client.
PAUSE_S = 0.1


@dataclass
class Connections:
    """count connections that each send these requests in turn, each once the one before is answered.

    The beginning of a request has no answer, so such connections stay idle.
    """

    count: int
    requests: Sequence[bytes]


async def send_for_ever(
    port: int, tls: ssl.SSLContext, requests: Sequence[bytes], answers: Counter[str]
) -> None:
    while True:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, limit=1 << 26, ssl=tls, ssl_handshake_timeout=300
            )
            try:
                for request in itertools.cycle(requests):
                    writer.write(request)
                    answers[status := await read_status(reader)] += 1
                    if status in {"429", "503"}:
                        await asyncio.sleep(PAUSE_S)
            finally:
                writer.close()
        answers["reconnected"] += 1
        await asyncio.sleep(PAUSE_S)


async def read_status(reader: asyncio.StreamReader) -> str:
    """The status of the next answer, whose body is read and dropped."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    await reader.readexactly(int(length))
    return head[9:12].decode()


async def run(port: int, tls: ssl.SSLContext, load: list[Connections]) -> None:
    answers: Counter[str] = Counter()
    done = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, done.set)
    tasks = [
        asyncio.create_task(send_for_ever(port, tls, connections.requests, answers))
        for connections in load
        for _ in range(connections.count)
    ]
    print("running", flush=True)
    await done.wait()
    for task in tasks:
        task.cancel()
    print(json.dumps(answers), flush=True)
    os._exit(0)  # without a word to the server on each of the connections


def main() -> None:
    os.nice(10)  # what the load computes must not be what delays the client that is measured
    load = [
        Connections(entry["count"], [text.encode("latin-1") for text in entry["requests"]])
        for entry in json.load(sys.stdin)
    ]
    asyncio.run(run(int(sys.argv[1]), ssl.create_default_context(cafile=sys.argv[2]), load))


if __name__ == "__main__":
    main()
