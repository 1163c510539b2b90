"""Objects to store, and a store that is open for one test."""

from __future__ import annotations

import asyncio
import functools
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.pool import NullPool

from kms_tornado.crypto.sealing.row_mac import RowMAC
from kms_tornado.domain.managed_object import ManagedObject, SealedMaterial, UniqueIdentifier
from kms_tornado.domain.search import LocateSearch, ObjectFilter
from kms_tornado.kmip.attributes import Attributes
from kms_tornado.kmip.enums import CryptographicAlgorithm, KeyFormatType, ObjectType, State
from kms_tornado.kmip.schema import to_node
from kms_tornado.kmip.ttlv import children_of
from kms_tornado.store.interface.master_keys import CheckValues
from kms_tornado.store.interface.object_store import ObjectStore
from kms_tornado.store.postgres.backend import PostgresBackend
from kms_tornado.store.sql.store import SQLStore
from kms_tornado.store.sql.tables.row_macs import RowAuthenticator
from kms_tornado.store.sqlite.backend import SQLiteBackend

from ..server import warm_servers
from ..warm import WarmProcess

#: What stands for the master key: the key of rows' codes, and its check values.
ROW_MAC = RowMAC(bytes(32))
AUTHENTICATOR = RowAuthenticator(ROW_MAC)
CHECK = CheckValues(current=b"check of rows with codes", former=b"check")

ALICE, BOB = "alice@example.com", "bob@example.com"

KEY_ATTRIBUTES = Attributes(
    cryptographic_algorithm=CryptographicAlgorithm.AES,
    cryptographic_length=256,
    cryptographic_usage_mask=0x83C,
    key_format_type=KeyFormatType.RAW,
    initial_date=1_700_000_000,
)


def an_object(uid: str, **changes: Any) -> ManagedObject:
    values: dict[str, Any] = {
        "owner": ALICE,
        "object_type": ObjectType.SYMMETRIC_KEY,
        "state": State.ACTIVE,
        "attributes": KEY_ATTRIBUTES,
        "tags": frozenset({"_kk"}),
        "sealed": SealedMaterial(b"sealed " + uid.encode("utf-8", "surrogatepass")),
        "created_at": 1_700_000_000,
    }
    return ManagedObject(uid=UniqueIdentifier(uid), **{**values, **changes})


def seeking(
    *,
    tags: Iterable[str] = (),
    states: Any = None,
    archived: bool | None = False,
    **attributes: Any,
) -> ObjectFilter:
    """A filter for objects with these attributes."""
    nodes = children_of(to_node(Attributes(**attributes), "Attributes"))
    return ObjectFilter(frozenset(tags), states, nodes, archived=archived)


#: A file of SQLite's, or the URL of a PostgreSQL.
Place = Path | str


def store_at(place: Place, **options: Any) -> ObjectStore:
    """options: of the backend."""
    if isinstance(place, Path):
        return SQLStore(SQLiteBackend(place, **options))
    return SQLStore(PostgresBackend(place, **options))


@asynccontextmanager
async def opened(place: Place, **options: Any) -> AsyncIterator[Any]:
    store = store_at(place, **options)
    await store.start()
    try:
        await store.authenticate_rows(ROW_MAC, CHECK)
        yield store
    finally:
        await store.stop()


def run(main: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(main)


def with_store(place: Place, body: Callable[[Any], Awaitable[Any]], **options: Any) -> Any:
    """Run the body with a store that is open, in an event loop of its own."""

    async def main() -> Any:
        async with opened(place, **options) as store:
            return await body(store)

    return asyncio.run(main())


async def locate(
    store: Any, search: LocateSearch, *after: Any
) -> tuple[int, list[UniqueIdentifier]]:
    """(number of all matches, identifiers of the page)."""
    page = await store.locate(search, *after)
    return page.total, list(page.uids)


def uids(found: Iterable[ManagedObject]) -> list[str]:
    return [each.uid for each in found]


def python(program: str, *arguments: str) -> WarmProcess:
    """Another process with our helpers at hand."""
    return warm_servers().start_program(program, *arguments)


def write_behind(place: Place, statement: str, **values: Any) -> None:
    """Run SQL as somebody who writes to the database, not through the store."""
    with engine_behind(place).begin() as connection:
        assert connection.execute(text(statement), values).rowcount


@functools.lru_cache(maxsize=8)
def engine_behind(place: Place) -> Engine:
    """For SQL that does not go through the store. It keeps no connection; the first one takes it 20 ms."""
    url = f"sqlite:///{place}" if isinstance(place, Path) else place
    drivername = "sqlite" if isinstance(place, Path) else "postgresql+psycopg"
    return create_engine(make_url(url).set(drivername=drivername), poolclass=NullPool)


async def until(check: Callable[[], object], timeout_s: float = 30) -> None:
    """Return once the check is true, while the event loop goes on."""
    async with asyncio.timeout(timeout_s):
        for _ in itertools.count():
            if check():
                return
            await asyncio.sleep(0.002)
