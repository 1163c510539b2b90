"""The database of a command, with the master keys. It is opened while servers serve, and never created or upgraded."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from ..audit.record import COMMAND, make_draft
from ..crypto.sealing.envelope import KeyRing
from ..errors import ConfigurationError, GeneralFailure
from ..service.auditing.log_target import LogTarget
from ..service.auditing.stream import AuditStream
from ..service.master_keys.key_ring import open_ring
from ..settings.service import ServiceSettings
from ..store.interface.audit import ALTERED_IDENTIFIER
from ..store.interface.master_keys import LOST_CHECK_VALUE
from ..store.interface.object_store import ObjectStore
from ..store.opening import open_store
from .running import CommandContext


class OpenDatabase(NamedTuple):
    """An open database. store: it checks rows by the key bundle of the ring."""

    store: ObjectStore
    ring: KeyRing


def find_data_dir(context: CommandContext) -> Path:
    """The data directory of the configuration. Raises ConfigurationError."""
    data_dir = context.settings.service.data_dir
    if data_dir is None:
        raise ConfigurationError(
            "the data of --dev is gone with its server; name a directory that is kept", "data_dir"
        )
    if not data_dir.is_dir():
        raise ConfigurationError(f"{data_dir.absolute()}: is no directory", "data_dir")
    return data_dir.absolute()


@asynccontextmanager
async def open_database(context: CommandContext) -> AsyncIterator[OpenDatabase]:
    """The database. Raises ConfigurationError, and Unavailable where it is out of reach for now."""
    settings, data_dir = context.settings.service, find_data_dir(context)
    store = open_store(settings.database_url, data_dir, may_make=False, may_upgrade=False)
    try:
        await store.start()
        if await store.master_key_check() is None:
            is_new = not await store.holds_objects()
            fault = "the database is empty" if is_new else LOST_CHECK_VALUE
            raise ConfigurationError(fault, "database_url")
        ring = await open_ring(settings, data_dir, store)
        try:
            await store.audit.open()  # what a command changes is recorded
        except GeneralFailure as exc:
            raise ConfigurationError(ALTERED_IDENTIFIER, "database_url") from exc
        async with _stream_of(settings, store):
            yield OpenDatabase(store, ring)
    finally:
        await store.stop()


@asynccontextmanager
async def _stream_of(settings: ServiceSettings, store: ObjectStore) -> AsyncIterator[None]:
    """A stream of records to the server's --audit-log, too. It never writes to stdout, and does not create the file."""
    path = settings.audit_log
    if path is None or str(path) == "-" or not path.exists():
        yield
        return
    stream = AuditStream(LogTarget(path, may_make=False), store.audit)
    try:
        yield
    finally:
        await stream.stop()


async def record(store: ObjectStore, operation: str, detail: Mapping[str, object]) -> None:
    """Record what a command does, apart from changes of objects; durable on return. Raises Unavailable."""
    await store.audit.append([make_draft(COMMAND, operation, detail=detail)])
