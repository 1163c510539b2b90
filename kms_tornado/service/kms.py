"""KMS: one key service with its store, its master key and its threads, opened and closed together."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

from ..crypto.envelope import MasterKey
from ..crypto.policy import CryptoPolicy
from ..errors import ConfigurationError, Unavailable
from ..store.base import ObjectStore
from ..store.data_dir import make_data_dir
from ..store.opening import open_store
from .access_rights import AccessRights
from .executor import HEAVY, LIGHT, Executor, LaneSize
from .master_key import load_master_key
from .service import Service

T = TypeVar("T")

KEY_FILE = "master.key"


@dataclass(frozen=True, slots=True)
class Storage:
    """Where a KMS keeps what it keeps.

    master_key: base64 text of KMS_MASTER_KEY; master_key_file: None means the one in data_dir.
    """

    data_dir: Path
    database_url: str = "sqlite:///kms.db"
    master_key_file: Path | None = None
    master_key: str | None = None


class KMS:
    """``async with KMS(storage)``: open between the two ends, Unavailable before and after."""

    def __init__(
        self,
        storage: Storage,
        *,
        privileged_users: frozenset[str] = frozenset(),
        crypto_policy: CryptoPolicy = CryptoPolicy.CONSERVATIVE,
        kmip_interop: bool = False,
        light: LaneSize = LIGHT,
        heavy: LaneSize = HEAVY,
    ) -> None:
        self._storage = storage
        self._privileged_users = privileged_users
        self._crypto_policy = crypto_policy
        self._kmip_interop = kmip_interop
        self._lane_sizes = light, heavy
        self._stack = contextlib.AsyncExitStack()
        self.executor: Executor | None = None
        self._store: ObjectStore | None = None
        self._service: Service | None = None
        self._access: AccessRights | None = None

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

    async def offload(self, function: Callable[[], T], *, principal: str, heavy: bool = False) -> T:
        """Run what would block the loop for more than about a millisecond on a thread.

        Raises Unavailable where the queue is full, and while the KMS is not open.
        """
        if self.executor is None:
            raise Unavailable("the key service is not started")
        return await self.executor.run(function, principal=principal, heavy=heavy)

    async def offload_surely(self, function: Callable[[], T], *, principal: str) -> T:
        """As `offload`, for the answer to what was done already: where no thread is free, right here.

        A 503 says that nothing was changed.
        """
        try:
            return await self.offload(function, principal=principal)
        except Unavailable:
            return function()

    async def __aenter__(self) -> Self:
        """Raises ConfigurationError where directory, database or master key cannot be used."""
        try:
            await self._open()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._service = self._access = None
        await self._stack.aclose()

    async def _open(self) -> None:
        light, heavy = self._lane_sizes
        self.executor = Executor(light=light, heavy=heavy)
        self._stack.callback(self.executor.close)
        make_data_dir(self._storage.data_dir)
        with naming("--database-url"):
            store = open_store(self._storage.database_url, self._storage.data_dir)
            await store.start()
        self._stack.push_async_callback(store.stop)
        master_key = await _master_key(self._storage, store)
        self._store = store
        self._access = AccessRights(store, self.offload)
        self._service = Service(
            store,
            master_key,
            self.offload,
            privileged_users=self._privileged_users,
            crypto_policy=self._crypto_policy,
            kmip_interop=self._kmip_interop,
        )


async def _master_key(storage: Storage, store: ObjectStore) -> MasterKey:
    """The master key that this database belongs to. Raises ConfigurationError before serving."""
    option = "KMS_MASTER_KEY" if storage.master_key else "--master-key-file"
    known = await store.master_key_check()
    with naming(option):
        master_key = load_master_key(
            value=storage.master_key,
            file=storage.master_key_file,
            default_file=storage.data_dir / KEY_FILE,
            may_make=known is None and not await store.holds_objects(),
        )
    if known is None:
        known = await store.set_master_key_check(master_key.check_value())
    if not master_key.matches(known):
        raise ConfigurationError(
            f"{option}: the master key is not the one that this database was made with"
        )
    return master_key


@contextlib.contextmanager
def naming(option: str, start: str = "") -> Iterator[None]:
    """Put the option in front of a fault that begins with `start` and does not name it."""
    try:
        yield
    except ConfigurationError as exc:
        text = str(exc)
        if text.startswith(option) or not text.startswith(start):
            raise
        raise ConfigurationError(f"{option}: {text}") from exc
