"""AsyncKMSClient: the calls of KMSClient, to be awaited."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from ..errors import KMIPError
from ..kmip.schema import Declared
from . import exchanges
from .blocking import describe_method, make_transport
from .calls import access, attributes, audit, cryptography, keys, objects
from .connection import ConnectionSettings, TokenSource
from .exchanges import Exchange
from .per_process import PerProcess
from .performing import PerformAsynchronous
from .pool import MAX_KEPT
from .transport import Observe

P = ParamSpec("P")
T = TypeVar("T")


def asynchronous(
    prepare: Callable[P, Exchange[T]],
) -> Callable[Concatenate[AsyncKMSClient, P], Coroutine[Any, Any, T]]:
    """The method of AsyncKMSClient that runs the exchange which the function prepares."""

    @functools.wraps(prepare)
    async def call(self: AsyncKMSClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.run(lambda: prepare(*args, **kwargs))

    describe_method(call, prepare)
    return call


class AsyncKMSClient(PerformAsynchronous):
    """A client whose methods are awaited. Arguments and exceptions are those of KMSClient.

    At most MAX_KEPT requests run at a time; others wait for their turn. If a call is cancelled, only the waiting stops:
    a request that was sent is carried out all the same, and its thread ends with the answer, or after timeout_s.
    """

    # urllib3 blocks, so each request that runs has a thread. A library with an event loop of its own would
    # be a second way to speak TLS, to a proxy and to retry, and one more dependency. The threads hold the
    # global lock only while they write and read JSON.

    def __init__(
        self,
        server_url: str | None = None,
        token: str | TokenSource | None = None,
        *,
        settings: ConnectionSettings | None = None,
        observe: Observe | None = None,
    ) -> None:
        self._transport = make_transport(server_url, token, settings, observe)
        self._threads = PerProcess(
            lambda: ThreadPoolExecutor(MAX_KEPT, thread_name_prefix="kms-client")
        )
        self._is_closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections. Calls that still wait for their turn get CancelledError."""
        self._is_closed = True
        self._threads.get().shutdown(wait=False, cancel_futures=True)
        self._transport.close()

    async def run(self, prepare: Callable[[], Exchange[T]]) -> T:
        """The result of the exchange that the function prepares. This happens on a thread, since bodies may be long."""
        if self._is_closed:
            raise RuntimeError("the client is closed: make a new one")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._threads.get(), lambda: self._transport.run(prepare())
        )

    async def perform_batch(self, requests: Sequence[Declared]) -> list[Declared | KMIPError]:
        """As `KMSClient.perform_batch`."""
        return await self.run(lambda: exchanges.perform_batch(requests))

    create_symmetric_key = asynchronous(keys.create_symmetric_key)
    create_key_pair = asynchronous(keys.create_key_pair)
    import_object = asynchronous(objects.import_object)
    register = asynchronous(objects.register)
    derive_key = asynchronous(keys.derive_key)
    get = asynchronous(objects.get)
    export = asynchronous(objects.export)
    rekey = asynchronous(keys.rekey)
    rekey_key_pair = asynchronous(keys.rekey_key_pair)
    activate = asynchronous(objects.activate)
    revoke = asynchronous(objects.revoke)
    destroy = asynchronous(objects.destroy)
    locate = asynchronous(objects.locate)

    encrypt = asynchronous(cryptography.encrypt)
    decrypt = asynchronous(cryptography.decrypt)
    sign = asynchronous(cryptography.sign)
    verify = asynchronous(cryptography.verify)
    mac = asynchronous(cryptography.mac)
    mac_verify = asynchronous(cryptography.mac_verify)
    hash = asynchronous(cryptography.hash_data)

    get_attributes = asynchronous(attributes.get_attributes)
    add_attribute = asynchronous(attributes.add_attribute)
    set_attribute = asynchronous(attributes.set_attribute)
    modify_attribute = asynchronous(attributes.modify_attribute)
    delete_attribute = asynchronous(attributes.delete_attribute)

    grant = asynchronous(access.grant)
    withdraw = asynchronous(access.withdraw)
    list_grants = asynchronous(access.list_grants)
    list_owned = asynchronous(access.list_owned)
    list_obtained = asynchronous(access.list_obtained)
    read_audit = asynchronous(audit.read_audit)
    whoami = asynchronous(access.whoami)
    server_version = asynchronous(access.server_version)
