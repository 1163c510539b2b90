"""Which request this is, and where it comes from: determined once for each request, before any log line about it."""

from __future__ import annotations

from typing import Any

from tornado.httputil import HTTPHeaders, HTTPServerRequest

from ..request_context import HEADER, current_request_id, is_request_id, make_request_id
from .trusted_proxies import TrustedProxies, forget_client

# Tornado makes a connection object for each request (`HTTP1Connection`), and runs all requests of a client's
# connection in one task, whose context keeps the identifier of the request before. So the connection object
# tells whether its request has been named.
_ATTRIBUTE = "kms_tornado_request_id"


def begin_request(connection: Any, proxies: TrustedProxies) -> None:
    """Name the request that is about to be read. Called before its head has arrived."""
    if proxies:
        forget_client(connection.context)
    _name(connection, make_request_id())


def read_proxy_headers(connection: Any, headers: HTTPHeaders, proxies: TrustedProxies) -> bool:
    """Use what a trusted proxy says about the request; whether a trusted proxy sent it."""
    if not proxies.apply(connection.context, headers):
        return False
    request_id = headers.get(HEADER, "")
    if is_request_id(request_id):
        _name(connection, request_id)
    return True


def identify_request(request: HTTPServerRequest, proxies: TrustedProxies) -> str:
    """The identifier of a request that has a handler.

    If the routes are mounted in an application, no fast lane has named the request before the handler was created.
    """
    connection: Any = request.connection
    if getattr(connection, _ATTRIBUTE, None) is None:
        _name(connection, make_request_id())
        if proxies and read_proxy_headers(connection, request.headers, proxies):
            request.remote_ip = connection.context.remote_ip
            request.protocol = connection.context.protocol
    return request_id_of(connection)


def request_id_of(connection: Any) -> str:
    """The identifier of a request that already has one."""
    request_id: str = getattr(connection, _ATTRIBUTE)
    return request_id


def _name(connection: Any, request_id: str) -> None:
    setattr(connection, _ATTRIBUTE, request_id)
    current_request_id.set(request_id)
