"""Making and changing objects: what each change says it did, and what nobody said."""

from __future__ import annotations

import os
import random

from ..kmip_items import uid
from . import messages as m
from . import reading
from .model import DEACTIVATED, DESTROYED, Contradiction, Record
from .player import NoAnswerError, Player


async def create(player: Player, user: str) -> None:
    tag = f"t{player.ledger.next_number()}"
    await make(player, user, tag, m.bare("Create", *m.create_items(tag)))


async def import_key(player: Player, user: str) -> None:
    number, key = player.ledger.next_number(), os.urandom(32)
    tag, identifier = f"t{number}", f"imported-{number}"
    await make(player, user, tag, m.import_body(identifier, key, tag), identifier, key)


async def make(
    player: Player, user: str, tag: str, body: m.Body, uid_: str | None = None, key: bytes | None = None
) -> None:  # fmt: skip
    try:
        answer, _ = await player.ask(user, body)
        if answer.status != 200:
            raise Contradiction(f"refused with {answer.body[:200]!r}")
        player.ledger.add(Record(m.fields_of(answer.body).uid, user, tag, key))
        player.ledger.counts["acknowledged writes"] += 1
    except NoAnswerError:
        player.ledger.unanswered[tag] = (user, uid_, key)
    except Contradiction as exc:
        player.ledger.contradict(f"making an object as {user}: {exc}")


async def change_comment(player: Player, user: str) -> None:
    if record := player.ledger.writable_record(user):
        verb = "AddAttribute" if record.comment.confirmed is None else "ModifyAttribute"
        value = f"c{player.ledger.next_number()}"
        body = m.bare(verb, *m.comment_items(record.uid, value))
        await player.write(user, body, [(record, record.comment, value)], f"{verb} {value}")
        record.is_busy = False


async def change_grant(player: Player, user: str) -> None:
    """Grant or withdraw the right to get; both servers obey as soon as it is acknowledged."""
    record = player.ledger.writable_record(user)
    if record is None:
        return
    grantee = random.choice([name for name in player.ledger.users if name != user])
    for _ in range(random.choice((1, 2))):
        right = record.right_of(grantee)
        verb = "revoke" if right.confirmed else "grant"
        body = m.access(verb, record.uid, grantee)
        change = (record, right, not right.confirmed)
        if await player.write(user, body, [change], f"{verb} {grantee}") is None:
            break
        for server in player.servers:
            await reading.get_record(player, grantee, record, server)
    record.is_busy = False


async def revoke(player: Player, user: str) -> None:
    if record := player.ledger.writable_record(user):
        body = m.bare("Revoke", *m.revoke_items(record.uid))
        await player.write(user, body, [(record, record.state, DEACTIVATED)], "Revoke")
        record.is_busy = False


async def destroy(player: Player, user: str) -> None:
    if record := player.ledger.writable_record(user, state=DEACTIVATED):
        body = m.bare("Destroy", uid(record.uid))
        await player.write(user, body, [(record, record.state, DESTROYED)], "Destroy")
        record.is_busy = False


async def re_key(player: Player, user: str) -> None:
    record = player.ledger.writable_record(user)
    if record is None:
        return
    if not record.replacement.confirmed:
        answer = await player.write(
            user, m.bare("ReKey", uid(record.uid)), [(record, record.replacement, True)], "ReKey"
        )
        if answer is not None:
            reading.add_replacement(player.ledger, record, m.fields_of(answer.body).uid)
    record.is_busy = False
