"""What players do: a table of actions with their weights; here those of several operations, and those to be refused."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

from ..kmip_items import batch_item, octets, uid
from . import messages as m
from . import reading, writing
from .model import Contradiction, Record
from .player import NoAnswerError, Player

Action = Callable[[Player, str], Awaitable[None]]


async def make_in_batch(player: Player, user: str) -> None:
    """An object, its comment, itself, and an item that fails alone: one transaction."""
    tag, comment = f"t{player.ledger.next_number()}", f"c{player.ledger.next_number()}"
    body = m.batch(
        batch_item("Create", *m.create_items(tag)),
        batch_item("AddAttribute", *m.comment_items("", comment)[1:]),
        batch_item("Get"),
        batch_item("Get", uid("nowhere")),
    )
    try:
        answer, _ = await player.ask(user, body)
        items = m.items_of(answer.body) if answer.status == 200 else []
        reasons = [m.item_reason(item) for item in items]
        if reasons != ["Success", "Success", "Success", "Item_Not_Found"]:
            raise Contradiction(f"{answer.status} {answer.body[:600]!r}")
        record = Record(items[0]["ResponsePayload", "UniqueIdentifier"], user, tag)
        record.material, record.comment.confirmed = m.material_of_item(items[2]), comment
        player.ledger.add(record)
        player.ledger.counts["acknowledged writes"] += 1
    except NoAnswerError:
        player.ledger.unanswered[tag] = (user, None, None)
    except Contradiction as exc:
        player.ledger.contradict(f"a batch as {user}: {exc}")


async def change_two(player: Player, user: str) -> None:
    """Both comments in one transaction: both are changed, or none."""
    records = [record for _ in range(2) if (record := player.ledger.writable_record(user))]
    if len(records) == 2 and all(record.comment.confirmed is not None for record in records):
        value = f"c{player.ledger.next_number()}"
        items = [batch_item("ModifyAttribute", *m.comment_items(r.uid, value)) for r in records]
        changes = [(record, record.comment, value) for record in records]
        await player.write(user, m.batch(*items, header=m.UNDO), changes, f"two comments {value}")
    for record in records:
        record.is_busy = False


async def misbehave(player: Player, user: str) -> None:
    body, status = random.choice(BAD_REQUESTS)
    try:
        answer, _ = await player.ask(user, body)
        if answer.status != status:
            raise Contradiction(f"{answer.status} {answer.body[:200]!r}, expected {status}")
    except NoAnswerError:
        return
    except Contradiction as exc:
        player.ledger.contradict(f"a bad request as {user}: {bytes(body[:80])!r}: {exc}")


BAD_REQUESTS = [
    (m.Body(b"{"), 422),
    (m.Body(b"\xff\x00" * 40), 422),
    (m.Body(b"[]" * 3000), 422),
    (m.bare("Frobnicate"), 422),
    (m.bare("Get", uid("nowhere")), 422),
    (m.bare("Destroy", uid("nowhere")), 422),
    (m.bare("Encrypt", uid("nowhere"), octets("Data", b"x" * 5000)), 422),
    (m.bare("Create", m.SYMMETRIC), 422),
    (m.Body(b"\x42\x00\x78\x01\x00\x00\x00\x10", "/kmip", is_binary=True), 200),
    (m.access("grant", "nowhere", "somebody"), 422),
    (m.Body(b"{}", "/access/grant"), 422),
    (m.Body(b"{}", "/nowhere"), 404),
]


async def use_withdrawn_token(player: Player, user: str) -> None:
    token = player.tokens.withdrawn(user)
    if token is None:
        return await reading.get(player, user)
    player.ledger.counts["requests with a withdrawn token"] += 1
    try:
        await player.ask(user, m.bare("Locate"), token=token)
    except NoAnswerError:
        return None
    except Contradiction as exc:
        player.ledger.contradict(f"a withdrawn token of {user}: {exc}")
    return None


#: (action, its share). Out of 1,000 objects some 60 are made.
ACTIONS: list[tuple[Action, int]] = [
    (reading.get, 300), (reading.encrypt, 150), (reading.decrypt, 160), (reading.get_in_binary, 80), (reading.get_attributes, 60), (reading.locate, 40),
    (writing.create, 50), (writing.import_key, 10), (make_in_batch, 20), (writing.change_comment, 40), (change_two, 10),
    (writing.change_grant, 15), (writing.revoke, 15), (writing.destroy, 12), (writing.re_key, 8), (misbehave, 20),
    (use_withdrawn_token, 10),
]  # fmt: skip
