"""Service: the way from a principal and a request to a response."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any
from weakref import WeakValueDictionary

from ..auth.principal import Principal
from ..crypto.envelope import MasterKey
from ..crypto.policy import CryptoPolicy
from ..domain.access import sufficient_rights
from ..errors import GeneralFailure, OperationNotSupported
from ..kmip.enums import Operation
from ..operations.common.call import Call, ServiceContext, SharedOffload
from ..operations.common.client_profile import BARE_OPERATION, MESSAGE_2, ClientProfile
from ..operations.common.transaction import Transaction
from ..operations.objects import stored_wrapped
from ..settings import ServiceSettings
from ..store.base import Conflict, Objects, ObjectStore
from .catalogue import object_types, offered_operations, payload_types
from .limits import check_data

#: How often an operation decides anew after another writer changed the object in between.
ATTEMPTS = 10


class Service:
    """Runs operations for verified principals. Knows nothing of HTTP and JSON.

    operations: the rows of what this server answers, and Query names. payloads: those of their
    requests and responses, for the codecs.
    """

    def __init__(
        self,
        store: ObjectStore,
        master_key: MasterKey,
        offload: SharedOffload,
        settings: ServiceSettings,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._now = now
        #: (principal, identifier) → the turn of those who change what it names; gone with the last.
        self._turns: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
        self.operations = offered_operations(kmip_interop=settings.kmip_interop)
        self.payloads = payload_types(self.operations)
        self._context = ServiceContext(
            master_key,
            offload,
            stored_wrapped.unwrap_stored,
            tuple(self.operations),
            object_types(self.operations),
            sufficient_rights(
                {operation for operation, row in self.operations.items() if row.is_covered_by_get}
            ),
            settings,
            CryptoPolicy(settings.crypto_policy),
        )

    async def execute(self, principal: Principal, operation: Operation, request: Any) -> Any:
        """The response payload. Raises KMIPError, or Unavailable where the store is out of reach."""
        try:
            return await self.attempt(
                principal, operation, request, self._store, client=BARE_OPERATION
            )
        except Conflict:
            pass  # read again and decide again: nothing was written
        async with self.turn(principal, request):
            for _ in range(ATTEMPTS - 1):
                try:
                    return await self.attempt(
                        principal, operation, request, self._store, client=BARE_OPERATION
                    )
                except Conflict:
                    continue
        raise too_many_conflicts()

    @contextlib.asynccontextmanager
    async def turn(self, principal: Principal, *requests: Any) -> AsyncIterator[None]:
        """For those who met a Conflict: one after another where they name the same object.

        Of many who change one object at once, one succeeds in each round, so that most would run out
        of ATTEMPTS. In order, so that none waits in a circle; each principal for itself, so that naming
        the object of another holds nobody up.
        """
        locks = [
            self._turns.setdefault((principal.name, each), asyncio.Lock())
            for each in sorted(_named_in(requests))
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
    ) -> Any:
        """As `execute` on the given objects, once. Raises Conflict, too."""
        row = self.operations.get(operation)
        if row is None:
            raise OperationNotSupported(f"{operation.name} is not offered by this server")
        check_data(request)
        call = Call(principal.name, operation, objects, self.now(), client, self._context)
        return await row.function(call, request)

    def transaction(self, *, undoes: bool = False) -> Transaction:
        """A new one over the store. undoes: for a batch with Undo."""
        return Transaction(self._store, undoes=undoes)

    def now(self) -> int:
        """Whole seconds since the Unix epoch."""
        return int(self._now())


def _named_in(requests: Iterable[Any]) -> set[str]:
    """The identifiers that the requests name as their objects."""
    named: set[str] = set()
    for request in requests:
        one = getattr(request, "unique_identifier", None)
        named.update(getattr(request, "unique_identifiers", ()) if one is None else (one,))
    return named


def too_many_conflicts() -> GeneralFailure:
    return GeneralFailure("the object is changed by others all the time; try again")
