"""Service: the way from a principal and a request to a response.

An operation reads objects, decides, and commits its changes in one step at its end. The database
takes a change only if its object is still as it was when it was read; else it raises Conflict, and
nothing was written. So no lock is held while an operation computes, and a conflict costs nothing but
time: the operation is run again on what is there now.

    attempt     runs the operation once; it may end in Conflict
    execute     attempts an operation up to ATTEMPTS times, then fails with TooManyConflicts
    take_turn   from the second attempt on: one after another for those that name the same object

The first attempt waits for nobody. It succeeds nearly always, and where it does not there may be many
others: of a hundred that change one object at once, one succeeds in each round, and most would run out
of attempts. If they take turns, each needs one more attempt. Turns are kept in memory, for this process
alone: between processes the attempts have to suffice. A message of several operations goes the same way
as a whole (`batch`).
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import dataclasses
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from ..audit.entry import AuditEntry
from ..audit.record import Origin
from ..auth.principal import Principal
from ..crypto.policy import CryptoPolicy
from ..crypto.sealing.envelope import KeyRing
from ..domain.access import may_create_objects, sufficient_rights
from ..errors import GeneralFailure, OperationNotSupported, Unavailable
from ..kmip.enums import Operation
from ..kmip.tables import OPERATION_TAGS, format_name
from ..operations.common.call import Call, ServiceContext, SharedOffload
from ..operations.common.client_profile import BARE_OPERATION, MESSAGE_2, ClientProfile
from ..operations.common.transaction import Transaction
from ..operations.objects import stored_wrapped
from ..settings.service import ServiceSettings
from ..store.interface.changes import Conflict
from ..store.interface.object_store import ObjectStore
from ..store.interface.objects import Objects
from .auditing.auditor import Auditor, name_reason
from .catalogue import collect_object_types, collect_payload_types, select_operations
from .load.limits import check_data
from .load.loop_turns import LoopTurns

T = TypeVar("T")

#: How many times an operation is run if other writers keep changing its object in between. Each time one of
#: them got on, but not always another: of two servers the slower one lost ten in a row to the faster.
ATTEMPTS = 30


class TooManyConflicts(GeneralFailure):
    """Another writer changed the object during each of the ATTEMPTS."""

    def __init__(self) -> None:
        super().__init__("the object is changed by others all the time; try again")


class Service:
    """Runs operations for verified principals. It knows nothing about HTTP and JSON.

    operations: the rows of the operations that this server offers, which Query lists.
    payloads: the classes of their requests and responses, for the codecs.
    loop_turns: the turns of messages that take long.
    """

    def __init__(
        self,
        store: ObjectStore,
        ring: KeyRing,
        offload: SharedOffload,
        settings: ServiceSettings,
        *,
        now: Callable[[], float] = time.time,
        auditor: Auditor | None = None,
        loop_turns: LoopTurns | None = None,
    ) -> None:
        """auditor: makes the records of operations that have an origin; None makes none.

        loop_turns: None makes new ones.
        """
        self._store = store
        self.auditor = auditor
        self._now = now
        self.loop_turns = LoopTurns() if loop_turns is None else loop_turns
        #: (principal, identifier) → the lock of its turns. An entry lasts as long as a request uses it.
        self._turns: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
        self.operations = select_operations(kmip_interop=settings.kmip_interop)
        self.payloads = collect_payload_types(self.operations)
        self._context = ServiceContext(
            ring,
            offload,
            stored_wrapped.unwrap_stored,
            tuple(self.operations),
            collect_object_types(self.operations),
            sufficient_rights(
                {operation for operation, row in self.operations.items() if row.is_covered_by_get}
            ),
            settings,
            CryptoPolicy(settings.crypto_policy),
        )

    @property
    def attribute_readers(self) -> Sequence[Operation]:
        """The rights any of which lets a grantee read the attributes of an object."""
        return self._context.sufficient_rights[Operation.GET_ATTRIBUTES]

    async def execute(
        self, principal: Principal, operation: Operation, request: Any, origin: Origin | None = None
    ) -> Any:
        """The response payload. Raises KMIPError, or Unavailable where the store is out of reach.

        origin: the origin under which the operation is recorded; None records nothing.
        """
        auditor = self.auditor
        if auditor is None or origin is None:
            return await self._execute(principal, operation, request, None)
        entry = auditor.begin(origin, OPERATION_TAGS[operation])
        try:
            response = await self._execute(principal, operation, request, entry)
        except BaseException as exc:
            auditor.fail(entry, name_reason(exc), find_identifier(request))
            raise
        auditor.succeed(entry, find_identifier(response) or find_identifier(request))
        return response

    async def _execute(
        self, principal: Principal, operation: Operation, request: Any, entry: AuditEntry | None
    ) -> Any:
        try:
            return await self.attempt(
                principal, operation, request, self._store, client=BARE_OPERATION, entry=entry
            )
        except Conflict:
            pass
        async with self.take_turn(principal, request):
            for _ in range(ATTEMPTS - 1):
                if entry is not None:
                    entry.begin_again()
                try:
                    return await self.attempt(
                        principal,
                        operation,
                        request,
                        self._store,
                        client=BARE_OPERATION,
                        entry=entry,
                    )
                except Conflict:
                    continue
        raise TooManyConflicts

    @contextlib.asynccontextmanager
    async def take_turn(self, principal: Principal, *requests: Any) -> AsyncIterator[None]:
        """Wait until no other request of the principal has its turn on an object that these requests name.

        The locks are taken in the order of the identifiers, so that no two requests wait for each other. Each principal
        has turns of its own, so naming another user's object holds nobody up.
        """
        locks = [
            self._turns.setdefault((principal.name, identifier), asyncio.Lock())
            for identifier in sorted(_collect_identifiers(requests))
        ]
        async with contextlib.AsyncExitStack() as stack:
            for lock in locks:
                await stack.enter_async_context(lock)
            yield

    async def attempt(
        self,
        principal: Principal,
        operation: Operation,
        request: Any,
        objects: Objects,
        *,
        client: ClientProfile = MESSAGE_2,
        entry: AuditEntry | None = None,
    ) -> Any:
        """One attempt of `execute`, on these objects; the caller makes the entry for the audit.

        Raises Conflict, too.
        """
        row = self.operations.get(operation)
        if row is None:
            raise OperationNotSupported(f"{format_name(operation)} is not offered by this server")
        check_data(request)
        call = Call(
            principal.name,
            operation,
            objects,
            self.now(),
            client,
            self._context,
            principal.groups,
            entry,
        )
        return await row.function(call, request)

    def under_policy(self, crypto_policy: str) -> Service:
        """The same service for another transport, with another crypto policy."""
        if crypto_policy == self._context.settings.crypto_policy:
            return self
        other = copy.copy(self)
        settings = dataclasses.replace(self._context.settings, crypto_policy=crypto_policy)
        other._context = dataclasses.replace(
            self._context, settings=settings, crypto_policy=CryptoPolicy(crypto_policy)
        )
        return other

    def begin_transaction(self, *, undoes: bool = False) -> Transaction:
        """A new transaction over the store. undoes: for a batch with Undo."""
        return Transaction(self._store, undoes=undoes)

    def may_create_objects(self, principal: Principal) -> bool:
        """Whether the principal may create, register and import objects (--privileged-users)."""
        return may_create_objects(principal.name, self._context.settings.privileged_users)

    async def run_surely(self, principal: Principal, function: Callable[[], T]) -> T:
        """Run the function on a thread, even if the queue is full.

        For the answer to an operation that was carried out.
        """
        try:
            return await self._context.offload(function, principal=principal.name)
        except Unavailable:
            return await asyncio.to_thread(function)

    def now(self) -> int:
        """Whole seconds since the Unix epoch."""
        return int(self._now())


def _collect_identifiers(requests: Iterable[Any]) -> set[str]:
    """The identifiers of the objects that the requests are about."""
    identifiers: set[str] = set()
    for request in requests:
        identifier = getattr(request, "unique_identifier", None)
        if identifier is None:
            identifiers.update(getattr(request, "unique_identifiers", ()))
        else:
            identifiers.add(identifier)
    return identifiers


def find_identifier(payload: Any) -> str | None:
    """The identifier in a request or a response; of a key pair, the private key's.

    If a request names tags, only its response has the identifier.
    """
    uid: Any = getattr(payload, "unique_identifier", None) or getattr(
        payload, "private_key_unique_identifier", None
    )
    return uid if isinstance(uid, str) and uid else None
