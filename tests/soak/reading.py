"""Using and looking at objects, as their owner or as anybody else, on either server."""

from __future__ import annotations

import os
import random
from typing import Any

from ..kmip_items import Fields, batch_item, octets, uid
from . import messages as m
from .client import Server
from .ledger import Ledger
from .model import (
    DESTROYED,
    Contradiction,
    Record,
    expect_attributes,
    expect_protecting,
    expect_reading,
)
from .player import Answer, Player

_SEALED_KEPT = 3


async def get(player: Player, user: str) -> None:
    """As the owner, or as anybody, whatever was granted."""
    record = player.ledger.some_record(_owner(player, user), alive=random.random() < 0.9)
    if record is not None:
        await get_record(player, user, record)


async def get_record(
    player: Player, user: str, record: Record, server: Server | None = None
) -> None:
    answer = await player.read(
        user, record, m.bare("Get", uid(record.uid)), (record.state, record.right_of(user)),
        lambda answer: answer.result, expect_reading, "Get", server,
    )  # fmt: skip
    if answer is not None and answer.status == 200:
        check_material(player.ledger, record, m.material_of(m.fields_of(answer.body)))


async def get_in_binary(player: Player, user: str) -> None:
    record = player.ledger.some_record(_owner(player, user))
    if record is None:
        return
    item = batch_item("Get", uid(record.uid))
    answer = await player.read(
        user, record, m.binary(item), (record.state, record.right_of(user)),
        lambda answer: m.item_reason(_only_item(answer)), expect_reading, "binary Get",
    )  # fmt: skip
    if answer is not None and m.item_reason(_only_item(answer)) == "Success":
        check_material(player.ledger, record, m.material_of_item(_only_item(answer)))


def _only_item(answer: Answer) -> Fields:
    return m.items_of(answer.body, is_binary=True)[0]


def check_material(ledger: Ledger, record: Record, material: bytes) -> None:
    if record.material is None:
        record.material = material
    elif record.material != material:
        ledger.contradict("another material than before", record)


async def encrypt(player: Player, user: str) -> None:
    record = player.ledger.some_record(_owner(player, user))
    if record is None:
        return
    plaintext = os.urandom(random.choice((16, 64, 300)))
    answer = await player.read(
        user, record, m.bare("Encrypt", uid(record.uid), octets("Data", plaintext)),
        (record.state, record.right_of(user)), lambda answer: answer.result, expect_protecting, "Encrypt",
    )  # fmt: skip
    if answer is not None and answer.status == 200:
        seal = m.seal_of(m.fields_of(answer.body))
        record.sealed = [(plaintext, seal), *record.sealed[: _SEALED_KEPT - 1]]


async def decrypt(player: Player, user: str) -> None:
    record = player.ledger.some_record(_owner(player, user))
    if record is None or not record.sealed:
        return await encrypt(player, user)
    plaintext, seal = random.choice(record.sealed)
    answer = await player.read(
        user, record, m.bare("Decrypt", *m.decrypt_items(record.uid, seal)),
        (record.state, record.right_of(user)), lambda answer: answer.result, expect_reading, "Decrypt",
    )  # fmt: skip
    if answer is None or answer.status != 200:
        return None
    if m.fields_of(answer.body).octets("Data") != plaintext:
        player.ledger.contradict("another plaintext than was encrypted", record)
    return None


async def get_attributes(player: Player, user: str) -> None:
    record = player.ledger.some_record(_owner(player, user), alive=random.random() < 0.8)
    if record is not None:
        await read_attributes(player, user, record)


async def read_attributes(player: Player, user: str, record: Record) -> Answer | None:
    def outcome(answer: Answer) -> object:
        if answer.status != 200:
            return answer.result
        return describe_attributes(m.fields_of(answer.body)["Attributes"])

    registers = record.state, record.comment, record.replacement, record.right_of(user)
    answer = await player.read(
        user, record, m.bare("GetAttributes", uid(record.uid)), registers,
        outcome, expect_attributes, "GetAttributes",
    )  # fmt: skip
    if answer is not None and answer.status == 200:
        link = m.replacement_of(m.fields_of(answer.body)["Attributes"])
        if link is not None:
            add_replacement(player.ledger, record, link)
    return answer


def describe_attributes(attributes: Any) -> object:
    """As `expect_attributes` does."""
    return (*m.state_and_comment(attributes), m.replacement_of(attributes) is not None)


def add_replacement(ledger: Ledger, record: Record, identifier: str) -> None:
    """The new key has the old one's attributes; nobody was granted anything on it. Whoever sees it first adds it."""
    if record.successor == identifier:
        return
    if record.successor is not None:
        ledger.contradict(f"replaced by {identifier} and by {record.successor}", record)
        return
    record.successor = identifier
    made = Record(identifier, record.owner, record.tag)
    made.comment.confirmed = record.comment.confirmed
    try:
        ledger.add(made)
    except Contradiction as exc:
        ledger.contradict(f"ReKey: {exc}", record)


async def locate(player: Player, user: str) -> None:
    """By the tag of the object, as its owner or as a grantee; destroyed ones are not located."""
    record = player.ledger.some_record(_owner(player, user), alive=False)
    if record is None:
        return

    def outcome(answer: Answer) -> bool:
        listed = m.fields_of(answer.body).get("UniqueIdentifier") or []
        return record.uid in [item["value"] for item in listed]

    await player.read(
        user, record, m.bare("Locate", *m.located_by(record.tag)), (record.state, record.right_of(user)),
        outcome, lambda state, may: may and state != DESTROYED, "Locate",
    )  # fmt: skip


def _owner(player: Player, user: str) -> str:
    """Whose objects the user asks for: mostly the own ones."""
    return user if random.random() < 0.85 else random.choice(player.ledger.users)
