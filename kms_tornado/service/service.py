"""Service: the operation table, and the way from a principal and a request to a response."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any
from weakref import WeakValueDictionary

from ..auth.principal import Principal
from ..crypto.envelope import MasterKey
from ..crypto.policy import CryptoPolicy
from ..errors import GeneralFailure, OperationNotSupported
from ..kmip.enums import Operation
from ..operations import (
    attribute_changes,
    attributes,
    create,
    derivation,
    discovery,
    encryption,
    interop,
    key_pairs,
    lifecycle,
    locate,
    mac,
    register,
    retrieve,
    rng,
    rotation,
    signing,
)
from ..operations.common.call import Call, SharedOffload, Surroundings
from ..operations.common.transaction import Transaction
from ..operations.objects import stored_wrapped as kept_wrapped
from ..store.base import Conflict, Objects, ObjectStore
from .catalogue import object_types
from .limits import check_data

Function = Callable[[Call, Any], Awaitable[Any]]

#: Everything that the server can do. Query answers from it; what is not here is not supported.
OPERATIONS: Mapping[Operation, Function] = MappingProxyType(
    {
        Operation.CREATE: create.create,
        Operation.LOCATE: locate.locate,
        Operation.GET: retrieve.get,
        Operation.GET_ATTRIBUTES: attributes.get_attributes,
        Operation.GET_ATTRIBUTE_LIST: attributes.get_attribute_list,
        Operation.ADD_ATTRIBUTE: attribute_changes.add_attribute,
        Operation.SET_ATTRIBUTE: attribute_changes.set_attribute,
        Operation.MODIFY_ATTRIBUTE: attribute_changes.modify_attribute,
        Operation.DELETE_ATTRIBUTE: attribute_changes.delete_attribute,
        Operation.CHECK: lifecycle.check,
        Operation.ACTIVATE: lifecycle.activate,
        Operation.REVOKE: lifecycle.revoke,
        Operation.RE_KEY: rotation.re_key,
        Operation.RE_KEY_KEY_PAIR: rotation.re_key_key_pair,
        Operation.DESTROY: lifecycle.destroy,
        Operation.QUERY: discovery.query,
        Operation.DISCOVER_VERSIONS: discovery.discover_versions,
        Operation.ENCRYPT: encryption.encrypt,
        Operation.DECRYPT: encryption.decrypt,
        Operation.DERIVE_KEY: derivation.derive_key,
        Operation.SIGN: signing.sign,
        Operation.SIGNATURE_VERIFY: signing.signature_verify,
        Operation.MAC: mac.mac,
        Operation.MAC_VERIFY: mac.mac_verify,
        Operation.HASH: mac.hash_,
        Operation.RNG_RETRIEVE: rng.rng_retrieve,
        Operation.RNG_SEED: rng.rng_seed,
        Operation.CREATE_KEY_PAIR: key_pairs.create_key_pair,
        Operation.REGISTER: register.register,
        Operation.IMPORT: register.import_,
        Operation.EXPORT: retrieve.export,
    }
)

#: Offered besides with --kmip-interop: what they are for is a conformance run.
INTEROP_OPERATIONS: Mapping[Operation, Function] = MappingProxyType(
    {Operation.INTEROP: interop.interop, Operation.LOG: interop.log_}
)

#: How often an operation decides anew after another writer changed the object in between.
ATTEMPTS = 10


class Service:
    """Runs operations for verified principals. Knows nothing of HTTP and JSON.

    operations: what this server answers, and Query names.
    """

    def __init__(
        self,
        store: ObjectStore,
        master_key: MasterKey,
        offload: SharedOffload,
        *,
        privileged_users: frozenset[str] = frozenset(),
        crypto_policy: CryptoPolicy = CryptoPolicy.CONSERVATIVE,
        kmip_interop: bool = False,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._now = now
        #: (principal, identifier) → the turn of those who change what it names; gone with the last.
        self._turns: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
        self.operations = {**OPERATIONS, **INTEROP_OPERATIONS} if kmip_interop else OPERATIONS
        self._surroundings = Surroundings(
            master_key,
            offload,
            kept_wrapped.opened,
            tuple(self.operations),
            object_types(self.operations),
            privileged_users,
            crypto_policy,
        )

    async def execute(self, principal: Principal, operation: Operation, request: Any) -> Any:
        """The response payload. Raises KMIPError, or Unavailable where the store is out of reach."""
        try:
            return await self.attempt(principal, operation, request, self._store, bare=True)
        except Conflict:
            pass  # read again and decide again: nothing was written
        async with self.turn(principal, request):
            for _ in range(ATTEMPTS - 1):
                try:
                    return await self.attempt(principal, operation, request, self._store, bare=True)
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
        bare: bool = False,
    ) -> Any:
        """As `execute` on the given objects, once. Raises Conflict, too."""
        function = self.operations.get(operation)
        if function is None:
            raise OperationNotSupported(f"{operation.name} is not offered by this server")
        check_data(request)
        call = Call(principal.name, operation, objects, self.now(), bare, self._surroundings)
        return await function(call, request)

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
