"""Fills a database with as many objects as a site has in years: ``python -m tests.bench.population DIR NUMBER [OWNERS [URL]]``.

The first object is made by the server itself. All others are copies of its rows, each with an identifier, an owner, a Name, a tag and an
envelope of its own and the codes that belong to them, and are written past the store, which would take four times as long. They have no
records: the next start takes them over, as it does objects of a version without an audit.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from kms_tornado.auth.principal import Principal
from kms_tornado.crypto.material import KeyMaterial
from kms_tornado.crypto.sealing.envelope import EnvelopeContext, KeyRing, seal
from kms_tornado.domain.managed_object import UniqueIdentifier
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import CryptographicAlgorithm, ObjectType, Operation
from kms_tornado.kmip.payloads import CreateRequest
from kms_tornado.kmip.structures import Name
from kms_tornado.service.kms import KMS
from kms_tornado.settings.service import ServiceSettings
from kms_tornado.store.sql.tables.owners import count_mac
from kms_tornado.store.sql.tables.row_macs import RowAuthenticator, digest_sealed

#: So many different tags has each owner: of a thousand objects, ten have the same one.
TAGS = 100
_TOGETHER = 5000
_BEGAN = 1_700_000_000  # the first was made then, each a second after the one before
_NAME = "name-of-the-template"
_MATERIAL = KeyMaterial(bytes(range(32)))
#: What the next start begins anew, and what it makes of the objects that are there.
_AUDIT_TABLES = (
    "audit_chains", "audit_segments", "audit_checkpoints", "audit_pages", "audit_index", "audit_uses", "audit_made",
)  # fmt: skip

Row = Mapping[str, Any]


def owner_of(number: int, owners: int) -> str:
    return f"owner-{number % owners}"


def uid_of(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-000000000000"


def tag_of(number: int, owners: int) -> str:
    return f"tag-{number // owners % TAGS}"


class Database(Protocol):
    """A driver's connection, by which rows are written past the store."""

    def rows(self, table: str) -> list[Row]: ...

    def add(self, table: str, rows: Sequence[Row]) -> None: ...

    def execute(self, text: str) -> None: ...

    def finish(self) -> None:
        """Commit all of it, and have the database look at it."""


class SQLite:
    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path)
        self._connection.row_factory = sqlite3.Row

    def rows(self, table: str) -> list[Row]:
        return [dict(row) for row in self._connection.execute(f"SELECT * FROM {table}")]

    def add(self, table: str, rows: Sequence[Row]) -> None:
        names = list(rows[0])
        marks = ", ".join("?" * len(names))
        self._connection.executemany(
            f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})",
            [tuple(row.values()) for row in rows],
        )

    def execute(self, text: str) -> None:
        self._connection.execute(text)

    def finish(self) -> None:
        self._connection.commit()
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.close()


class PostgreSQL:
    def __init__(self, url: str) -> None:
        import psycopg
        from psycopg.rows import dict_row

        self._connection = psycopg.connect(url, row_factory=dict_row)

    def rows(self, table: str) -> list[Row]:
        return list(self._connection.execute(f"SELECT * FROM {table}").fetchall())

    def add(self, table: str, rows: Sequence[Row]) -> None:
        with (
            self._connection.cursor() as cursor,
            cursor.copy(f"COPY {table} ({', '.join(rows[0])}) FROM STDIN") as copy,
        ):
            for row in rows:
                copy.write_row(tuple(row.values()))

    def execute(self, text: str) -> None:
        self._connection.execute(text)

    def finish(self) -> None:
        self.execute("SELECT setval('objects_serial_seq', (SELECT max(serial) FROM objects))")
        self._connection.commit()
        self._connection.autocommit = True
        self.execute("VACUUM ANALYZE")
        self._connection.close()


@dataclass(frozen=True)
class Template:
    """The rows of the object that the server made, in `objects` and the tables beside it."""

    row: Row
    values: Sequence[Row]
    name: Row


def populate(settings: ServiceSettings, number: int, owners: int) -> float:
    """Fill an empty place; returns the seconds that it took."""
    ring, authenticator = asyncio.run(_make_template(settings))
    began = time.perf_counter()
    assert settings.data_dir is not None
    database = _open(settings)
    template = _take_template(database)
    for first in range(0, number, _TOGETHER):
        numbers = range(first, min(first + _TOGETHER, number))
        objects = list(_copy(template, numbers, owners, ring, authenticator))
        database.add("objects", objects)
        for table, rows in _beside(template, objects).items():
            database.add(table, rows)
        _say(first, number, began)
    database.add("owners", [_count(n, number, owners, authenticator) for n in range(owners)])
    database.execute("DELETE FROM server_state WHERE name = 'database_id'")
    for table in _AUDIT_TABLES:
        database.execute(f"DELETE FROM {table}")
    database.finish()
    (settings.data_dir / "audit-anchor.json").unlink()
    return time.perf_counter() - began


def _open(settings: ServiceSettings) -> Database:
    assert settings.data_dir is not None
    if settings.database_url.startswith("postgresql"):
        return PostgreSQL(settings.database_url)
    return SQLite(settings.data_dir / "kms.db")


async def _make_template(settings: ServiceSettings) -> tuple[KeyRing, RowAuthenticator]:
    async with KMS(settings) as kms:
        attributes = Attributes(
            cryptographic_algorithm=CryptographicAlgorithm.AES,
            cryptographic_length=256,
            cryptographic_usage_mask=0x0C,
            names=(Name(_NAME),),
        )
        request = CreateRequest(ObjectType.SYMMETRIC_KEY, attributes)
        user = Principal("template", "template", "", {}, 0)
        await kms.service.execute(user, Operation.CREATE, request)
        store: Any = kms.store
        assert kms._ring is not None
        return kms._ring, store._authenticator


def _take_template(database: Database) -> Template:
    """Read it, and take it away."""
    (row,) = database.rows("objects")
    (name,) = database.rows("object_names")
    template = Template(row, database.rows("object_values"), name)
    for table in ("object_names", "object_tags", "object_values", "objects", "owners"):
        database.execute(f"DELETE FROM {table}")
    return template


def _copy(
    template: Template,
    numbers: range,
    owners: int,
    ring: KeyRing,
    authenticator: RowAuthenticator,
) -> Iterator[dict[str, Any]]:
    """Rows of `objects`."""
    row = template.row
    object_type = ObjectType(row["object_type"])
    for number in numbers:
        uid, owner = UniqueIdentifier(uid_of(number)), owner_of(number, owners)
        sealed = seal(ring, _MATERIAL, EnvelopeContext(uid, owner, object_type, row["version"]))
        copy = {
            **row,
            "serial": number + 1,
            "uid": uid,
            "owner": owner,
            "attributes": row["attributes"].replace(_NAME, f"name-{number}"),
            "tags": f'["_kk","{tag_of(number, owners)}"]',
            "sealed": sealed,
            "sealed_digest": digest_sealed(sealed),
            "created_at": _BEGAN + number,
        }
        copy["mac"] = authenticator.object_mac(copy)
        yield copy


def _beside(template: Template, objects: Sequence[Row]) -> dict[str, list[Row]]:
    tags, values, names = [], [], []
    for row in objects:
        serial, owner, name = row["serial"], row["owner"], f"name-{row['serial'] - 1}"
        common = {"object": serial, "owner": owner}
        for tag in row["tags"][2:-2].split('","'):
            tags.append({**common, "tag": tag, "created_at": row["created_at"]})
        for value in template.values:
            values.append({**value, **common, "value": value["value"].replace(_NAME, name)})
        names.append(
            {**template.name, **common, "name": template.name["name"].replace(_NAME, name)}
        )
    return {"object_tags": tags, "object_values": values, "object_names": names}


def _count(owner: int, number: int, owners: int, authenticator: RowAuthenticator) -> Row:
    """The row of `owners`. Each object takes one unit."""
    name, own = owner_of(owner, owners), len(range(owner, number, owners))
    return {"owner": name, "objects": own, "mac": count_mac(authenticator, name, own)}


def _say(done: int, number: int, began: float) -> None:
    if done % 50_000 == 0:
        took_s = time.perf_counter() - began
        print(f"{done} of {number} objects, {took_s:.0f} s", file=sys.stderr, flush=True)


def settings_for(directory: Path, url: str = "") -> ServiceSettings:
    more: dict[str, Any] = {"database_url": url} if url else {}
    return ServiceSettings(data_dir=directory, scrub_interval_s=0, **more)


def main() -> None:
    directory, number = Path(sys.argv[1]), int(sys.argv[2])
    owners = int(sys.argv[3]) if len(sys.argv) > 3 else 1000
    seconds = populate(settings_for(directory, *sys.argv[4:5]), number, owners)
    print(f"{number} objects of {owners} owners in {seconds:.0f} s")


if __name__ == "__main__":
    main()
