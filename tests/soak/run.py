"""One run: players, faults, rotation of keys and samples side by side, and the last look."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

from ..issuer import Issuer
from . import actions
from .faults import Faults
from .figures import Report, Sample, take_sample
from .final_check import check_everything, settle_record
from .ledger import Ledger
from .player import Player
from .site import Site
from .tokens import Tokens

#: Whose requests all players send, in turn.
USERS = [f"user-{number}" for number in range(8)]
PLAYERS = 32
#: When samples are taken, as parts of the requests. From the last but one on, the first server is spared.
SAMPLED_AT = (0.01, 0.1, 0.3, 0.55, 0.8)


async def run(site: Site, issuer: Issuer, total: int) -> Report:
    """total: requests."""
    ledger = Ledger(USERS)
    tokens = Tokens(issuer, USERS)
    await site.start()
    samples = [take_sample("start", site)]
    faults = Faults(site, ledger, tokens, total)
    servers = [server.seen for server in site.servers]
    players = [Player(ledger, tokens, servers) for _ in range(PLAYERS)]
    began = time.monotonic()
    rotation = asyncio.create_task(tokens.rotate_forever())
    sampling = asyncio.create_task(_sample(site, ledger, total, samples))
    injecting = asyncio.create_task(faults.run())
    async with asyncio.TaskGroup() as group:
        for player in players:
            group.create_task(_play(player, total, injecting))
    took_s = time.monotonic() - began
    samples.append(take_sample("end", site))
    if not ledger.is_hopeless:
        await injecting
        await check_everything(players[:8], site)
    for task in (injecting, sampling, rotation):
        task.cancel()
    for player in players:
        player.close()
    if not ledger.is_hopeless:
        await asyncio.sleep(1)
        samples.append(take_sample("idle", site))
        await faults.stop_idle_servers()
    return Report(
        took_s, dict(ledger.counts), len(ledger.records), faults.times, faults.counts, samples,
        {"rotations of the issuer's keys": tokens.rotations, "tokens of a key not yet known": tokens.refused_early},
        ledger.contradictions,
    )  # fmt: skip


async def _play(player: Player, total: int, injecting: asyncio.Task[None]) -> None:
    functions = [action for action, _ in actions.ACTIONS]
    weights = [weight for _, weight in actions.ACTIONS]
    counts = player.ledger.counts
    while counts["requests"] < total or not injecting.done():
        if player.ledger.is_hopeless:
            return
        if (record := player.ledger.due_record()) is not None:
            await settle_record(player, record)
            record.is_busy = False
        for action in random.choices(functions, weights, k=20):
            await action(player, random.choice(USERS))


async def _sample(site: Site, ledger: Ledger, total: int, samples: list[Sample]) -> None:
    for part in SAMPLED_AT:
        await ledger.until_requests(part * total)
        samples.append(await asyncio.to_thread(take_sample, f"{part:.0%}", site))
        print(f"{part:.0%}: {len(ledger.contradictions)} contradictions", flush=True)


# Errors that the faults are meant to cause.
_CAUSED = (
    "another one starts in", "the database is out of reach", "the database takes no writes",
)  # fmt: skip


def check_logs(directory: Path) -> list[str]:
    """Lines that only a fault of a server leaves."""
    bad = []
    for file in directory.glob("*/log.txt"):
        with file.open(encoding="utf-8", errors="backslashreplace") as lines:
            for line in lines:
                is_bad = any(word in line for word in ("Traceback", " ERROR ", "never retrieved"))
                if is_bad and not any(word in line for word in _CAUSED):
                    bad.append(f"{file.parent.name}: {line[:300]}")
    return bad
