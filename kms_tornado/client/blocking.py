"""KMSClient: the calls, each of which waits for its answer.

`blocking` turns a function of `calls` into a method with the same arguments, which returns the result instead of the
`Exchange`. `asynchronous` does the same for AsyncKMSClient, so that each call is declared once.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Sequence
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from ..argument_types import check_type
from ..errors import KMIPError
from ..kmip.schema import Declared
from . import exchanges
from .calls import access, attributes, audit, cryptography, keys, objects
from .connection import ConnectionSettings, FixedToken, TokenSource
from .errors import InvalidSettings
from .exchanges import Exchange
from .performing import PerformBlocking
from .transport import Observe, Transport

P = ParamSpec("P")
T = TypeVar("T")


def blocking(prepare: Callable[P, Exchange[T]]) -> Callable[Concatenate[KMSClient, P], T]:
    """The method of KMSClient that runs the exchange which the function prepares."""

    @functools.wraps(prepare)
    def call(self: KMSClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._transport.run(prepare(*args, **kwargs))

    describe_method(call, prepare)
    return call


def describe_method(method: Any, prepare: Callable[..., Any]) -> None:
    """Let `help` and `inspect` show the method's own arguments and result, not those of the function."""
    signature = inspect.signature(prepare)
    result = str(signature.return_annotation).removeprefix("Exchange[").removesuffix("]")
    myself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    method.__signature__ = signature.replace(
        parameters=[myself, *signature.parameters.values()], return_annotation=result
    )


class NoToken:
    """A token source for servers and routes that need no token."""

    def token(self) -> None:
        return None

    def renew(self) -> bool:
        return False


def make_transport(
    server_url: str | None,
    token: str | TokenSource | None,
    settings: ConnectionSettings | None,
    observe: Observe | None,
) -> Transport:
    """The transport for the arguments of a client. Raises InvalidSettings, and TypeError for a wrong type."""
    check_type(server_url, str | None, "server_url")
    check_type(settings, ConnectionSettings | None, "settings")
    check_type(token, str | TokenSource | None, "token")
    check_type(observe, Callable | None, "observe")
    if settings is None:
        url = server_url or os.environ.get("KMS_URL")
        if not url:
            raise InvalidSettings("no server is named: give server_url, or set KMS_URL")
        settings = ConnectionSettings(server_url=url)
    elif server_url is not None:
        raise InvalidSettings("server_url and settings both name a server: give one of them")
    if token is None:
        token = os.environ.get("KMS_TOKEN") or None
    source: TokenSource
    if isinstance(token, str):
        source = FixedToken(token.strip())
    else:
        source = token if token is not None else NoToken()
    return Transport(settings, source, observe)


class KMSClient(PerformBlocking):
    """A client whose methods wait for their answers. Threads may share it.

    server_url, token: by default the environment variables KMS_URL and KMS_TOKEN.
    token: a text, a DPoPToken, or an object that provides a token and renews it.
    settings: in place of server_url, where more than a URL is needed.
    observe: called with "request" or "answer" and the body; bodies may contain keys.
    Raises KMIPError, in the class of its result reason, where the server refuses an operation, and ClientError where
    there is no answer.
    """

    def __init__(
        self,
        server_url: str | None = None,
        token: str | TokenSource | None = None,
        *,
        settings: ConnectionSettings | None = None,
        observe: Observe | None = None,
    ) -> None:
        self._transport = make_transport(server_url, token, settings, observe)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._transport.close()

    def run(self, exchange: Exchange[T]) -> T:
        """Run any exchange, for a request that has no method."""
        return self._transport.run(exchange)

    def perform_batch(self, requests: Sequence[Declared]) -> list[Declared | KMIPError]:
        """Several operations in one request; a response or a KMIPError for each, in order.

        They are carried out one after the other. A new key is Pre-Active here unless it has an Activation
        Date: docs/python-client.md, "Batches".
        """
        return self._transport.run(exchanges.perform_batch(requests))

    create_symmetric_key = blocking(keys.create_symmetric_key)
    create_key_pair = blocking(keys.create_key_pair)
    import_object = blocking(objects.import_object)
    register = blocking(objects.register)
    derive_key = blocking(keys.derive_key)
    get = blocking(objects.get)
    export = blocking(objects.export)
    rekey = blocking(keys.rekey)
    rekey_key_pair = blocking(keys.rekey_key_pair)
    activate = blocking(objects.activate)
    revoke = blocking(objects.revoke)
    destroy = blocking(objects.destroy)
    locate = blocking(objects.locate)

    encrypt = blocking(cryptography.encrypt)
    decrypt = blocking(cryptography.decrypt)
    sign = blocking(cryptography.sign)
    verify = blocking(cryptography.verify)
    mac = blocking(cryptography.mac)
    mac_verify = blocking(cryptography.mac_verify)
    hash = blocking(cryptography.hash_data)

    get_attributes = blocking(attributes.get_attributes)
    add_attribute = blocking(attributes.add_attribute)
    set_attribute = blocking(attributes.set_attribute)
    modify_attribute = blocking(attributes.modify_attribute)
    delete_attribute = blocking(attributes.delete_attribute)

    grant = blocking(access.grant)
    withdraw = blocking(access.withdraw)
    list_grants = blocking(access.list_grants)
    list_owned = blocking(access.list_owned)
    list_obtained = blocking(access.list_obtained)
    read_audit = blocking(audit.read_audit)
    whoami = blocking(access.whoami)
    server_version = blocking(access.server_version)
