"""KMS: one key service with its store, its master key and its threads, opened and closed together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Self, TypeVar

from ..auth.bound.replays import SharedProofs
from ..crypto.sealing.envelope import KeyRing
from ..errors import ConfigurationError, Unavailable
from ..settings.service import ServiceSettings
from ..store.data_dir import make_data_dir
from ..store.interface.object_store import ObjectStore
from ..store.opening import leaving_nothing_unused
from .auditing.anchor_file import AnchorFile
from .auditing.audit import Audit
from .auditing.auditor import Auditor
from .auditing.indexer import AuditIndexer
from .auditing.log_target import LogTarget
from .auditing.record_reader import RecordReader
from .auditing.signing_key import check_configured_audit_key
from .auditing.stream import AuditStream
from .load.executor import HEAVY, LIGHT, Executor, LaneSize
from .load.loop_turns import LoopTurns
from .master_keys.key_ring import check_configured_keys, open_ring, reload_ring
from .objects.access_rights import AccessRights
from .objects.listing import ObjectListing
from .objects.listing_cursor import ListingCursors
from .opening import refuse_lost_database, start_audit, start_store
from .proof_memory import ProofMemory
from .service import Service
from .verification.scrub import Scrubber

T = TypeVar("T")

_log = logging.getLogger(__name__)

#: The message whose MAC is the key of DPoP nonces.
_NONCE_KEY = b"key of DPoP nonces"


class KMS:
    """The key service: open within ``async with KMS(settings)``; outside of that it raises Unavailable.

    may_make_database: whether the start creates a database where there is none.
    is_throw_away: whether the data directory is removed at the end.
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
        #: The turns of everything that takes long on the event loop.
        self.loop_turns = LoopTurns()
        self.executor: Executor | None = None
        self._store: ObjectStore | None = None
        self._service: Service | None = None
        self._access: AccessRights | None = None
        self._ring: KeyRing | None = None
        self._reload: asyncio.Future[None] | None = None
        self._stream: AuditStream | None = None
        self._reopening: asyncio.Future[None] | None = None
        self._proof_memory: ProofMemory | None = None
        #: None while the KMS is not open.
        self.audit: Audit | None = None
        self.indexer: AuditIndexer | None = None
        self._record_reader: RecordReader | None = None
        self._listing: ObjectListing | None = None
        #: None while the KMS is not open.
        self.scrubber: Scrubber | None = None

    @property
    def auditor(self) -> Auditor | None:
        """The auditor; None while the KMS is not open, when no operation can be carried out either."""
        return None if self.audit is None else self.audit.auditor

    @property
    def service(self) -> Service:
        """Raises Unavailable while the KMS is not open."""
        return _require(self._service)

    @property
    def access(self) -> AccessRights:
        """Raises Unavailable while the KMS is not open."""
        return _require(self._access)

    @property
    def record_reader(self) -> RecordReader:
        """Raises Unavailable while the KMS is not open."""
        return _require(self._record_reader)

    @property
    def listing(self) -> ObjectListing:
        """Raises Unavailable while the KMS is not open."""
        return _require(self._listing)

    @property
    def store(self) -> ObjectStore:
        """Raises Unavailable while the KMS is not open."""
        return _require(self._store)

    @property
    def kept_keys_mac(self) -> Callable[[bytes], bytes]:
        """The MAC of a message, under a key for the issuers' kept keys. Raises Unavailable."""
        return _require(self._ring).kept_keys_mac

    @property
    def shared_proofs(self) -> SharedProofs:
        """What all servers of the database share for checking DPoP proofs. Raises Unavailable."""
        # What is kept of issuers begins otherwise, so that no code of theirs is this key.
        nonce_key = _require(self._ring).kept_keys_mac(_NONCE_KEY)
        return SharedProofs(_require(self._proof_memory), nonce_key)

    def reload_master_keys_soon(self) -> None:
        """Read the master keys again, as on SIGHUP. The log says which ones are used from then on."""
        if self._ring is not None:
            self._reload = asyncio.ensure_future(self._reload_master_keys(self._ring))

    def reopen_audit_log_soon(self) -> None:
        """Open the file of --audit-log again, as on SIGHUP, after a rotation."""
        if self._stream is not None:
            self._reopening = asyncio.ensure_future(self._stream.reopen())

    async def _reload_master_keys(self, ring: KeyRing) -> None:
        settings, data_dir = self._settings, self._settings.data_dir
        assert data_dir is not None  # it is open
        try:
            await reload_ring(ring, settings, data_dir, self.store)
        except (ConfigurationError, Unavailable) as exc:
            reason = exc.text if isinstance(exc, ConfigurationError) else str(exc)
            _log.error("the old master keys stay in use: %s", reason)
            return
        newest, *older = (key.key_id.hex() for key in ring.keys)
        _log.info(
            "master keys: %s seals%s", newest, "".join(f", {key_id} opens" for key_id in older)
        )

    async def offload(
        self, function: Callable[[], T], *, principal: str, heavy: bool = False, size: int = 0
    ) -> T:
        """Run on a thread a function that would block the event loop for more than about a millisecond.

        size: bytes of data that the function holds while it waits for a thread.
        Raises Unavailable where the queue is full, and while the KMS is not open.
        """
        executor = _require(self.executor)
        return await executor.run(function, principal=principal, heavy=heavy, size=size)

    async def run_surely(self, function: Callable[[], T], *, principal: str) -> T:
        """As `offload`, but if the queue is full, the function runs on a thread outside of the pool.

        It is for the answer to an operation that was carried out: a 503 would say that nothing was changed.
        """
        try:
            return await self.offload(function, principal=principal)
        except Unavailable:
            return await asyncio.to_thread(function)

    async def __aenter__(self) -> Self:
        """Raises ConfigurationError where directory, database or master key cannot be used.

        Raises Unavailable where the database is out of reach for now, and RuntimeError where it is open already.
        """
        if self._store is not None:
            raise RuntimeError("the KMS is open already: what opens it twice would close it once")
        with leaving_nothing_unused(self._settings.database_url, self._find_data_dir()):
            try:
                await self._open()
            except BaseException:
                self._forget_parts()
                await self._stack.aclose()
                raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._forget_parts()
        if self._reload is not None:
            self._reload.cancel()
        await self._stack.aclose()

    def _forget_parts(self) -> None:
        """Refuse requests from now on, and keep checks of readiness from asking a closed database."""
        self._service = self._access = self._ring = self.audit = self.scrubber = None
        self.indexer = self._record_reader = self._listing = self._proof_memory = None
        self._store = self.executor = self._stream = None

    def _find_data_dir(self) -> Path:
        if self._settings.data_dir is None:
            raise ConfigurationError("a directory is needed", "data_dir")
        return self._settings.data_dir

    async def _open(self) -> None:
        data_dir = self._find_data_dir()
        check_configured_keys(self._settings)  # before a start that fails leaves anything behind
        check_configured_audit_key(self._settings.audit_key_file)
        light, heavy = self._lane_sizes
        self.executor = Executor(light=light, heavy=heavy, loop_turns=self.loop_turns)
        self._stack.callback(self.executor.close)
        make_data_dir(data_dir)
        anchor_file = AnchorFile(self._settings.master_key_file, data_dir)
        # Before the database is read: another process may add to both of them meanwhile.
        anchor = await asyncio.to_thread(anchor_file.read)
        store = await start_store(
            self._settings.database_url,
            data_dir,
            may_make=self._may_make_database,
            compute=self.executor.run,
        )
        # Before the store's stop is pushed, so that what that still commits is written, too.
        self._stream = self._make_stream(store)
        self._stack.push_async_callback(store.stop)
        if self._stream is not None:
            await self._open_stream(self._stream)
        await refuse_lost_database(store, anchor, accepts_rollback=self._settings.accept_rollback)
        ring = await open_ring(self._settings, data_dir, store, is_throw_away=self._is_throw_away)
        audit = await start_audit(
            self._settings,
            data_dir,
            store,
            anchor_file,
            anchor,
            self._stream,
            is_throw_away=self._is_throw_away,
        )
        self._stack.push_async_callback(audit.stop)
        self._store, self._ring, self.audit = store, ring, audit
        self._start_tasks(store)
        self._make_services(store, ring, audit.auditor)

    def _start_tasks(self, store: ObjectStore) -> None:
        """Start the tasks that run beside the requests until the end."""
        self._proof_memory = ProofMemory(store.proofs)
        self.scrubber = Scrubber(store, interval_s=self._settings.scrub_interval_s)
        self.indexer = AuditIndexer(store.records)
        for part in (self._proof_memory, self.scrubber, self.indexer):
            part.start()
            self._stack.push_async_callback(part.stop)

    def _make_services(self, store: ObjectStore, ring: KeyRing, auditor: Auditor) -> None:
        """Make the objects that answer requests."""
        settings = self._settings
        assert self.indexer is not None
        self._access = AccessRights(store, self.offload, auditor=auditor)
        self._service = Service(
            store, ring, self.offload, settings, auditor=auditor, loop_turns=self.loop_turns
        )
        self._listing = ObjectListing(
            store,
            auditor,
            self.offload,
            ListingCursors(ring.bundle.make_cursor_seal()),
            readers=self._service.attribute_readers,
            knows_uses=settings.audit_reads,
        )
        self._record_reader = RecordReader(store, self.indexer, auditor, settings.auditors)

    def _make_stream(self, store: ObjectStore) -> AuditStream | None:
        """The stream to --audit-log, if there is one. It is not open yet."""
        path = self._settings.audit_log
        if path is None:
            return None
        stream = AuditStream(LogTarget(path), store.audit)
        self._stack.push_async_callback(stream.stop)
        return stream

    async def _open_stream(self, stream: AuditStream) -> None:
        """Raises ConfigurationError where the file cannot be opened."""
        if self._may_make_database:
            await stream.open()
        else:  # the replacement of a worker, which serves although the file's disk went away meanwhile
            await stream.reopen()


def _require(part: T | None) -> T:
    """The given part of an open KMS. Raises Unavailable where the KMS is not open."""
    if part is None:
        raise Unavailable("the key service is not started")
    return part
