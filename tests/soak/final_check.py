"""The last look: every object that was acknowledged, every right, and what was not answered."""

from __future__ import annotations

import asyncio
import collections
import functools
import itertools
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Any

from ..kmip_items import Fields, Item, batch_item, uid
from . import messages as m
from . import reading
from .client import Server
from .ledger import Ledger
from .model import (
    ABSENT,
    GRACE_S,
    Contradiction,
    Question,
    Record,
    Register,
    expect_attributes,
    expect_reading,
)
from .player import NoAnswerError, Player
from .site import Site

_IN_A_MESSAGE = 30
_SETTLES_WITHIN_S = 60.0


async def check_everything(players: Sequence[Player], site: Site) -> None:
    """Nothing else asks for anything meanwhile; the players share the work."""
    ledger = players[0].ledger
    await _settle(players[0])
    made = [await _find_unanswered(players[0], tag) for tag in list(ledger.unanswered)]
    ledger.counts["objects of unanswered requests that are there"] = sum(made)
    looks = collections.deque([*_looks_at_objects(ledger), *_looks_at_rights(ledger, site)])

    async def look(player: Player) -> None:
        while looks:
            await looks.popleft()(player)

    await asyncio.gather(*[look(player) for player in players])
    _check_rows(ledger, site)


_Look = Callable[[Player], Awaitable[None]]


def _looks_at_objects(ledger: Ledger) -> Iterator[_Look]:
    """Each at all objects of a message, as their owner."""
    by_owner: dict[str, list[Record]] = {user: [] for user in ledger.users}
    for record in ledger.records.values():
        by_owner[record.owner].append(record)
    for user, records in by_owner.items():
        for chunk in _chunks(records):
            yield functools.partial(_check_objects, user=user, records=chunk)


def _looks_at_rights(ledger: Ledger, site: Site) -> Iterator[_Look]:
    """As everybody to whom something was granted, on either server."""
    for user in ledger.users:
        granted = [
            record
            for record in ledger.records.values()
            if (right := record.grants.get(user)) is not None and right.was_written
        ]
        for chunk, server in itertools.product(_chunks(granted), site.servers):
            checks = [
                (record, "Get", [uid(record.uid)], _get_outcome, expect_reading,
                 (record.state, record.right_of(user)))
                for record in chunk
            ]  # fmt: skip
            yield functools.partial(_check_batch, user=user, checks=checks, server=server.seen)


async def _settle(player: Player) -> None:
    """Read what was left open, once nothing of it can be done any more."""
    await asyncio.sleep(GRACE_S + 1)
    deadline = time.monotonic() + _SETTLES_WITHIN_S
    while records := player.ledger.open_records():
        for record in records:
            await settle_record(player, record)
        if time.monotonic() > deadline:
            player.ledger.contradict("what became of it cannot be read", records[0])
            return


async def settle_record(player: Player, record: Record) -> None:
    """As its owner, its state and attributes; as each grantee, the right."""
    await reading.read_attributes(player, record.owner, record)
    for user, right in list(record.grants.items()):
        if not right.is_settled:
            await reading.get_record(player, user, record)


async def _find_unanswered(player: Player, tag: str) -> bool:
    """Whether the object is there, which then counts as acknowledged: once at most."""
    owner, identifier, key = player.ledger.unanswered[tag]
    try:
        answer, _ = await player.ask(owner, m.bare("Locate", *m.located_by(tag)))
        located = [i["value"] for i in m.fields_of(answer.body).get("UniqueIdentifier") or []]
        if len(located) > 1:
            raise Contradiction(f"one request made {located}")
        if not located:
            return False
        record = Record(located[0], owner, tag, key)
        record.comment.confirmed = await _comment_of(player, record)
        player.ledger.add(record)
    except (NoAnswerError, Contradiction) as exc:
        player.ledger.contradict(f"looking for {identifier or tag} of {owner}: {exc!r}")
    return True


async def _comment_of(player: Player, record: Record) -> str | None:
    answer, _ = await player.ask(record.owner, m.bare("GetAttributes", uid(record.uid)))
    return m.state_and_comment(m.fields_of(answer.body)["Attributes"])[1]


# --- many objects in a message ----------------------------------------------------------------------

_Check = tuple[
    Record, str, list[Item], Callable[[Fields], Any], Callable[..., Any], Sequence[Register]
]


async def _check_objects(player: Player, user: str, records: Sequence[Record]) -> None:
    checks: list[_Check] = []
    for record in records:
        state, right = record.state, Register(True)
        shown = (state, record.comment, record.replacement, right)
        checks.append(
            (record, "Get", [uid(record.uid)], _get_outcome, expect_reading, (state, right))
        )
        checks.append(
            (record, "GetAttributes", [uid(record.uid)], _shown, expect_attributes, shown)
        )
        for _, seal in record.sealed[:1]:
            items = m.decrypt_items(record.uid, seal)
            checks.append((record, "Decrypt", items, _get_outcome, expect_reading, (state, right)))
    await _check_batch(player, user, checks)


async def _check_batch(
    player: Player, user: str, checks: Sequence[_Check], server: Server | None = None
) -> None:
    body = m.batch(*[batch_item(operation, *items) for _, operation, items, *_ in checks])
    asked_at = time.monotonic()
    for _ in range(3):
        try:
            answer, _ = await player.ask(user, body, server=server)
            break
        except (NoAnswerError, Contradiction) as exc:
            failure = exc
    else:
        player.ledger.contradict(f"the last look as {user}: {failure!r}")
        return
    for check, item in zip(checks, m.items_of(answer.body), strict=True):
        record, operation, _, outcome, expected, registers = check
        try:
            with Question(asked_at, *registers) as question:
                question.check(outcome(item), expected)
            _check_content(player.ledger, record, operation, item)
        except Contradiction as exc:
            player.ledger.contradict(f"the last {operation} as {user}: {exc}", record)


def _get_outcome(item: Fields) -> str:
    return m.item_reason(item)


def _shown(item: Fields) -> object:
    if m.item_reason(item) != "Success":
        return ABSENT
    return reading.describe_attributes(item["ResponsePayload", "Attributes"])


def _check_content(ledger: Ledger, record: Record, operation: str, item: Fields) -> None:
    ledger.counts["last looks"] += 1
    if m.item_reason(item) != "Success":
        return
    if operation == "Get":
        reading.check_material(ledger, record, m.material_of_item(item))
    if operation == "Decrypt" and item.octets("ResponsePayload", "Data") != record.sealed[0][0]:
        raise Contradiction("another plaintext than was encrypted")


def _check_rows(ledger: Ledger, site: Site) -> None:
    """The database has these objects, and no others."""
    from ..postgres import name_of

    with site.postgres.connect(name_of(site.url)) as connection:
        rows = {uid_ for (uid_,) in connection.execute("SELECT uid FROM objects").fetchall()}
    missing, more = ledger.records.keys() - rows, rows - ledger.records.keys()
    if missing or more:
        ledger.contradict(
            f"rows: {len(missing)} missing, {len(more)} that nobody asked for: {[*missing, *more][:5]}"
        )


def _chunks(records: Iterable[Record]) -> Iterable[list[Record]]:
    everything = list(records)
    return (
        everything[start : start + _IN_A_MESSAGE]
        for start in range(0, len(everything), _IN_A_MESSAGE)
    )
