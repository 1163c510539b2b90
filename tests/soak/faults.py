"""What happens to the servers during the run: a table of faults, one after another, and how long each takes."""

from __future__ import annotations

import asyncio
import itertools
import random
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

from .ledger import Ledger
from .site import KeyServer, Site
from .tokens import Tokens

#: Until a request is answered again by each server.
RECOVERS_WITHIN_S = 120.0
_PAUSE_S = 0.5
# From here on the processes of the first server live, so that their growth can be seen.
_SPARED_FROM = 0.5
# Requests between two faults: a longer run has more of them, a short one has each of them once.
_REQUESTS_A_FAULT = 6_000


@dataclass
class Faults:
    """Injects them. times: {what was measured: seconds, in their order}; counts: {fault: how often}."""

    site: Site
    ledger: Ledger
    tokens: Tokens
    total: int
    times: dict[str, list[float]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    async def run(self) -> None:
        """Until all are done; they are spread evenly over the requests."""
        number = max(len(_TABLE), self.total // _REQUESTS_A_FAULT)
        for index, (name, fault) in enumerate(itertools.islice(itertools.cycle(_TABLE), number)):
            await self.ledger.until_requests((index + 0.5) / (number + 0.5) * self.total)
            self.counts[name] = self.counts.get(name, 0) + 1
            try:
                await fault(self)
            except AssertionError as exc:
                self.ledger.contradict(f"{name}: {exc}")
            await asyncio.sleep(_PAUSE_S)

    async def stop_idle_servers(self) -> None:
        for server in self.site.servers:
            try:
                self.note("stop: SIGTERM to exit, idle", await server.stop())
            except AssertionError as exc:
                self.ledger.contradict(f"the last stop: {exc}")

    def victim(self) -> KeyServer:
        first, second = self.site.servers
        is_spared = self.ledger.counts["requests"] > _SPARED_FROM * self.total
        return second if is_spared else random.choice((first, second))

    def note(self, name: str, seconds: float) -> None:
        self.times.setdefault(name, []).append(seconds)

    async def recover(self, name: str, *servers: KeyServer) -> None:
        """Until these have answered a request that was sent after now; how long that takes is noted."""
        since = time.monotonic()
        for server in servers:
            try:
                took = await server.seen.await_answer(since, RECOVERS_WITHIN_S)
            except TimeoutError:
                self.ledger.contradict(f"{server.seen.name} answers nothing well after {name}")
                took = RECOVERS_WITHIN_S
            self.note(f"recovery: {name}", took)


async def _kill_worker(faults: Faults) -> None:
    victim = faults.victim()
    victim.kill_worker()
    await faults.recover("worker killed", victim)


async def _kill_server(faults: Faults) -> None:
    victim = faults.victim()
    await victim.kill()
    await _start(faults, victim, "server killed, from its start")


async def _restart_server(faults: Faults) -> None:
    victim = faults.victim()
    faults.note("stop: SIGTERM to exit", await victim.stop())
    await _start(faults, victim, "server stopped, from its start")


async def _start(faults: Faults, server: KeyServer, name: str) -> None:
    server.start()
    faults.tokens.server_starts()
    await faults.recover(name, server)
    faults.tokens.server_started()


async def _hang_up(faults: Faults) -> None:
    for server in faults.site.servers:
        server.process.send_signal(signal.SIGHUP)
    await faults.recover("SIGHUP", *faults.site.servers)


async def _kill_backend(faults: Faults) -> None:
    faults.site.postgres.kill_backend(faults.site.url)
    await asyncio.sleep(0.1)  # PostgreSQL has noticed it by then
    await faults.recover("PostgreSQL backend killed", *faults.site.servers)


async def _end_backend(faults: Faults) -> None:
    faults.site.postgres.end_backend(faults.site.url)
    await faults.recover("PostgreSQL backend ended", *faults.site.servers)


async def _restart_fast(faults: Faults) -> None:
    faults.note("PostgreSQL away: fast", await faults.site.postgres.restart(signal.SIGINT))
    await faults.recover("PostgreSQL is back: fast", *faults.site.servers)


async def _restart_immediate(faults: Faults) -> None:
    faults.note("PostgreSQL away: immediate", await faults.site.postgres.restart(signal.SIGQUIT))
    await faults.recover("PostgreSQL is back: immediate", *faults.site.servers)


Fault = Callable[[Faults], Awaitable[None]]
_TABLE: list[tuple[str, Fault]] = [
    ("kill -9 of a worker", _kill_worker),
    ("SIGHUP", _hang_up),
    ("kill -9 of a PostgreSQL backend", _kill_backend),
    ("kill -9 of a whole server", _kill_server),
    ("fast restart of PostgreSQL", _restart_fast),
    ("SIGTERM and a start", _restart_server),
    ("kill -9 of a worker", _kill_worker),
    ("end of a PostgreSQL backend", _end_backend),
    ("immediate restart of PostgreSQL", _restart_immediate),
    ("SIGTERM and a start", _restart_server),
]


def names() -> Iterator[str]:
    """Of all faults, each once."""
    return iter(dict(_TABLE))
