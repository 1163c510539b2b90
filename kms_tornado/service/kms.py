"""KMS: one key service with its store, its master key and its threads, opened and closed together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Self, TypeVar

from ..crypto.envelope import MasterKey
from ..domain.user_naming import UserNaming, find_naming_fault
from ..errors import ConfigurationError, GeneralFailure, Unavailable
from ..settings import ServiceSettings
from ..store.base import CheckValues, Compute, ObjectStore, OtherMasterKey
from ..store.data_dir import make_data_dir
from ..store.opening import describe_database, open_store
from .access_rights import AccessRights
from .executor import HEAVY, LIGHT, Executor, LaneSize
from .master_key import load_master_key
from .service import Service

T = TypeVar("T")

_log = logging.getLogger(__name__)

KEY_FILE = "master.key"


class KMS:
    """The key service: open within ``async with KMS(settings)``, raises Unavailable outside of it.

    may_make_database: whether the start makes one where there is none. is_throw_away: whether the data directory
    is removed at the end.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        *,
        light: LaneSize = LIGHT,
        heavy: LaneSize = HEAVY,
        may_make_database: bool = True,
        is_throw_away: bool = False,
    ) -> None:
        self._settings = settings
        self._may_make_database = may_make_database
        self._is_throw_away = is_throw_away
        self._lane_sizes = light, heavy
        self._stack = contextlib.AsyncExitStack()
        self.executor: Executor | None = None
        self._store: ObjectStore | None = None
        self._service: Service | None = None
        self._access: AccessRights | None = None
        self._master_key: MasterKey | None = None

    @property
    def service(self) -> Service:
        """Raises Unavailable while the KMS is not open."""
        if self._service is None:
            raise Unavailable("the key service is not started")
        return self._service

    @property
    def access(self) -> AccessRights:
        """Raises Unavailable while the KMS is not open."""
        if self._access is None:
            raise Unavailable("the key service is not started")
        return self._access

    @property
    def store(self) -> ObjectStore:
        """Raises Unavailable while the KMS is not open."""
        if self._store is None:
            raise Unavailable("the key service is not started")
        return self._store

    @property
    def kept_keys_mac(self) -> Callable[[bytes], bytes]:
        """The code of a message, under a key for the issuers' keys that are kept. Raises Unavailable."""
        if self._master_key is None:
            raise Unavailable("the key service is not started")
        return self._master_key.kept_keys_mac

    async def check_user_naming(self, naming: UserNaming, issuers: Collection[str]) -> None:
        """Refuse a naming of users under which the owners of the objects would find none of them.

        Called by a server, before it serves; an application that mounts the KMS names its users itself.
        Raises ConfigurationError, and Unavailable while the KMS is not open.
        """
        try:
            kept = await self.store.settle_naming(naming, issuers)
        except GeneralFailure as exc:
            raise ConfigurationError(
                "the database's row about the naming of users was changed by something else than this "
                "server; restore a backup"
            ) from exc
        if fault := find_naming_fault(kept, naming):
            raise ConfigurationError(*fault)

    async def offload(
        self, function: Callable[[], T], *, principal: str, heavy: bool = False, size: int = 0
    ) -> T:
        """Run on a thread what would block the event loop for more than about a millisecond.

        size: bytes of data that the function holds while it waits for a thread.
        Raises Unavailable where the queue is full, and while the KMS is not open.
        """
        if self.executor is None:
            raise Unavailable("the key service is not started")
        return await self.executor.run(function, principal=principal, heavy=heavy, size=size)

    async def run_surely(self, function: Callable[[], T], *, principal: str) -> T:
        """As `offload`; where the queue is full, the function runs on a thread apart from it.

        For the answer to an operation that is done: a 503 would say that nothing was changed.
        """
        try:
            return await self.offload(function, principal=principal)
        except Unavailable:
            return await asyncio.to_thread(function)

    async def __aenter__(self) -> Self:
        """Raises ConfigurationError where directory, database or master key cannot be used.

        Raises Unavailable where the database is out of reach for now.
        """
        try:
            await self._open()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._service = self._access = self._master_key = None
        await self._stack.aclose()

    async def _open(self) -> None:
        data_dir = self._settings.data_dir
        if data_dir is None:
            raise ConfigurationError("a directory is needed", "data_dir")
        light, heavy = self._lane_sizes
        self.executor = Executor(light=light, heavy=heavy)
        self._stack.callback(self.executor.close)
        make_data_dir(data_dir)
        store = await _start_store(
            self._settings.database_url,
            data_dir,
            may_make=self._may_make_database,
            compute=self.executor.run,
        )
        self._stack.push_async_callback(store.stop)
        master_key = await _load_master_key(
            self._settings, data_dir, store, is_throw_away=self._is_throw_away
        )
        self._store, self._master_key = store, master_key
        self._access = AccessRights(store, self.offload)
        self._service = Service(store, master_key, self.offload, self._settings)


async def _start_store(
    database_url: str, data_dir: Path, *, may_make: bool, compute: Compute
) -> ObjectStore:
    """Raises ConfigurationError about database_url, and Unavailable."""
    try:
        store = open_store(database_url, data_dir, may_make=may_make, compute=compute)
        await store.start()
    except ConfigurationError as exc:
        if exc.fields:
            raise
        raise ConfigurationError(exc.text, "database_url") from exc
    return store


async def _load_master_key(
    settings: ServiceSettings, data_dir: Path, store: ObjectStore, *, is_throw_away: bool
) -> MasterKey:
    """The master key that this database belongs to, by which its rows are known from now on.

    Raises ConfigurationError before serving.
    """
    value = None if settings.master_key is None else settings.master_key.value
    is_new = await store.master_key_check() is None and not await store.holds_objects()
    if is_new:
        _warn_of_a_lost_database(settings, data_dir)
    master_key = load_master_key(
        value=value,
        file=settings.master_key_file,
        default_file=data_dir / KEY_FILE,
        may_make=is_new,
        is_throw_away=is_throw_away,
    )
    check = CheckValues(master_key.check_value, master_key.former_check_value)
    try:
        await store.authenticate_rows(master_key.row_mac, check)
    except OtherMasterKey:
        raise ConfigurationError(
            "the master key is not the one that this database was made with",
            "master_key" if value else "master_key_file",
        ) from None
    return master_key


def _warn_of_a_lost_database(settings: ServiceSettings, data_dir: Path) -> None:
    """One line where the master key of an empty database was there before.

    A first start with a key that was made elsewhere looks the same, so it is no error.
    """
    key_file = settings.master_key_file or data_dir / KEY_FILE
    has_value = settings.master_key is not None and settings.master_key.value
    if not has_value and not os.path.lexists(key_file):
        return
    _log.warning(
        "the database %s is empty, and its master key was there before: if this server has had keys, "
        "stop it and put its database back, with the file -wal beside it where there is one; on a first "
        "start with a key that you made, all is well",
        describe_database(settings.database_url, data_dir),
    )
