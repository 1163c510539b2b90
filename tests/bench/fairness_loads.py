"""The loads of `fairness`: what one user's 16 connections, or more, send again and again."""

from __future__ import annotations

import os
from collections.abc import Callable

from tests.bench.fairness_load import Connections
from tests.bench.fairness_server import Stage
from tests.kmip_items import (
    Item,
    attributes,
    batch_item,
    message,
    name,
    number,
    octets,
    structure,
    uid,
)

OBJECTS = 10_000
GRANTS = 3_000
TO_EVERYBODY = 12  # one grant of so many: 250 in all, the most of one owner
IDLE = 500
BATCH = 100
MIB = 1024 * 1024

CREATE = [name("ObjectType", "SymmetricKey"), attributes(algorithm="AES", bits=256)]


def key_pair(bits: int) -> Item:
    common = structure(
        "CommonAttributes",
        name("CryptographicAlgorithm", "RSA"),
        number("CryptographicLength", bits),
    )
    return structure("CreateKeyPair", common)


def make_heavy_jobs(stage: Stage) -> list[Connections]:
    client = stage.client("load")
    return [Connections(16, [client.post(key_pair(4096))])]


def make_wide_searches(stage: Stage) -> list[Connections]:
    client = stage.client("load")
    for _ in range(OBJECTS // BATCH):
        client.make_many([batch_item("Create", *CREATE)] * BATCH)
    by_attributes = structure("Locate", attributes(algorithm="AES", bits=256))
    return [
        Connections(8, [client.post(structure("Locate"))]),
        Connections(4, [client.post(by_attributes)]),
        Connections(4, [client.head("GET", "/access/owned")]),
    ]


def make_big_bodies(stage: Stage) -> list[Connections]:
    client = stage.client("load")
    key = client.make(structure("Create", *CREATE))
    encrypt = [uid(key), octets("Data", os.urandom(MIB))]
    return [
        Connections(12, [client.post(structure("Encrypt", *encrypt))]),
        Connections(4, [client.post(message(*[batch_item("Encrypt", *encrypt)] * 6))]),
    ]


def make_big_batches(stage: Stage) -> list[Connections]:
    client = stage.client("load")
    key = client.make(structure("Create", *CREATE))
    operations = [
        batch_item("Create", *CREATE),
        batch_item("Get", uid(key)),
        batch_item("GetAttributes", uid(key)),
        batch_item("Encrypt", uid(key), octets("Data", os.urandom(1024))),
    ]
    return [Connections(4, [client.post(message(*[item] * BATCH))]) for item in operations]


def make_grants(stage: Stage) -> list[Connections]:
    """3,000 objects granted: to everybody as many as one owner may, the others to the user who is measured."""
    client = stage.client("load")
    uids: list[str] = []
    for _ in range(GRANTS // BATCH):
        uids += client.make_many([batch_item("Create", *CREATE)] * BATCH)

    def grant(position: int) -> Item:
        user = "measured" if position % TO_EVERYBODY else "*"
        return {
            "unique_identifier": uids[position], "user_id": user, "operation_types": ["get"]
        }  # fmt: skip

    for position in range(GRANTS):
        client.do(grant(position), "/access/grant")
    changes = [
        client.post(grant(position), path)
        for position in range(40)
        for path in ("/access/revoke", "/access/grant")
    ]
    obtained = stage.client("other")
    return [
        Connections(8, changes),
        Connections(4, [obtained.post(structure("Locate"))]),
        Connections(4, [obtained.head("GET", "/access/obtained")]),
    ]


def make_idle_connections(stage: Stage) -> list[Connections]:
    """One half silent, the other in the middle of a head."""
    beginning = stage.client("load").head("GET", "/access/owned")[:-10]
    return [Connections(IDLE // 2, [b""]), Connections(IDLE // 2, [beginning])]


LOADS: dict[str, Callable[[Stage], list[Connections]]] = {
    "heavy jobs": make_heavy_jobs,
    "wide searches": make_wide_searches,
    "big bodies": make_big_bodies,
    "big batches": make_big_batches,
    "3,000 grants": make_grants,
    "500 idle connections": make_idle_connections,
}
