"""The undocumented names of Tornado that this package relies on, each with the reason.

A release of Tornado may rename any of them. Some would then fail in the middle of a request; others
would fail silently: a method that Tornado no longer calls checks no token. So `check_tornado` looks
for all of them at start, and its error names the one that is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import FunctionType

import tornado
from tornado import (
    http1connection,
    httpserver,
    httputil,
    iostream,
    simple_httpclient,
    tcpclient,
    web,
)

from ...errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class InternalName:
    """One undocumented name. An empty `name` stands for the class itself.

    owner: the module and class that have it, as ``tornado.web.RequestHandler``.
    assigned_in: the method of the class that assigns the attribute to each instance; None where the class itself has
    it.
    """

    owner: str
    name: str
    why: str
    assigned_in: str | None = None


_HANDLER = "tornado.web.RequestHandler"
_SERVER_CONNECTION = "tornado.http1connection.HTTP1Connection"
_CONNECTION_CONTEXT = "tornado.httpserver._HTTPRequestContext"
_STREAM = "tornado.iostream.BaseIOStream"
_CLIENT = "tornado.simple_httpclient.SimpleAsyncHTTPClient"
_CLIENT_CONNECTION = "tornado.simple_httpclient._HTTPConnection"
_TCP_CLIENT = "tornado.tcpclient.TCPClient"

#: Names used by the token layer, which applications embed: `mixin`, `refusals` and `fetch_client`.
TOKEN_LAYER = (
    InternalName(_HANDLER, "_execute", "overridden: the token is checked before all else"),
    InternalName(
        _HANDLER, "_transforms", "a refusal is written before Tornado sets it", "_execute"
    ),
    InternalName(
        _HANDLER, "_prepared_future", "a refused request's streamed body waits for it", "__init__"
    ),
    InternalName(_HANDLER, "_headers", "those of a refusal, which no hook sends", "clear"),
    InternalName(_HANDLER, "_status_code", "that of a refusal, which no hook sends", "set_status"),
    InternalName(_HANDLER, "_reason", "that of a refusal, which no hook sends", "set_status"),
    InternalName(_HANDLER, "_headers_written", "a refusal is sent once", "flush"),
    InternalName(_HANDLER, "_finished", "nothing is sent after a refusal", "finish"),
    InternalName(
        _HANDLER,
        "_handle_request_exception",
        "overridden: a handler that fails twice has an answer",
    ),
    InternalName(
        _HANDLER, "_write_buffer", "the page that a handler writes for a refusal", "clear"
    ),
    InternalName(_HANDLER, "_new_cookie", "the cookies of such a page", "set_cookie"),
    InternalName(_HANDLER, "_log", "the access log has refusals"),
    InternalName(_HANDLER, "_break_cycles", "a refused request's handler is freed at once"),
    InternalName(
        _HANDLER, "_cross_origin_protection", "overridden: a checked token makes it needless"
    ),
    InternalName(
        _HANDLER, "_check_cross_origin", "tells requests of other pages, which may send a cookie"
    ),
    InternalName(_CLIENT, "_connection_class", "overridden: fetches use our connection class"),
    InternalName(_CLIENT, "tcp_client", "replaced by one that notes its streams", "initialize"),
    InternalName(_TCP_CLIENT, "_create_stream", "overridden: a cancelled fetch closes its stream"),
    InternalName(_CLIENT_CONNECTION, "", "subclassed: a cancelled fetch ends at once"),
    InternalName(_CLIENT_CONNECTION, "run", "overridden: notes the connection and its task"),
    InternalName(_CLIENT_CONNECTION, "_remove_timeout", "a cancelled fetch leaves no timer"),
    InternalName(_CLIENT_CONNECTION, "_release", "a cancelled fetch leaves its client's queue"),
    InternalName(_CLIENT_CONNECTION, "_handle_exception", "a reset fails the fetch at once"),
    InternalName(
        _CLIENT_CONNECTION, "on_connection_close", "overridden: a reset fails the fetch at once"
    ),
    InternalName(
        _CLIENT_CONNECTION, "final_callback", "a cancelled fetch answers nobody", "__init__"
    ),
    InternalName(_CLIENT_CONNECTION, "stream", "a cancelled fetch closes it", "run"),
)

#: Names used by the folder `fast_routes`, besides those of the token layer.
FAST_ROUTES = (
    InternalName(
        "tornado.httputil.HTTPServerRequest",
        "_start_time",
        "the log tells how long a request took that went the fast way",
        "__init__",
    ),
    InternalName(
        _SERVER_CONNECTION, "params", "those of the server, for all connections", "__init__"
    ),
    InternalName(
        _SERVER_CONNECTION, "_request_start_line", "tells a head that was read already", "__init__"
    ),
    InternalName(
        "tornado.http1connection.HTTP1ConnectionParameters",
        "header_timeout",
        "taken from there: heads have no timers",
        "__init__",
    ),
    InternalName(
        "tornado.http1connection.HTTP1ServerConnection",
        "stream",
        "closed where no head comes",
        "__init__",
    ),
)

#: Names used by the server itself, besides those of the token layer: `service_handler`, `transport.streams` and
#: `process.http_front`.
SERVER = (
    InternalName(
        _HANDLER, "_unimplemented_method", "tells which methods a handler has (405's Allow)"
    ),
    InternalName(
        _SERVER_CONNECTION, "set_body_timeout", "limits the time that a refused body may take"
    ),
    InternalName(
        _SERVER_CONNECTION, "set_max_body_size", "the server counts a body's bytes itself"
    ),
    InternalName(
        _SERVER_CONNECTION, "_read_finished", "an answer may precede the body's end", "__init__"
    ),
    InternalName(
        _SERVER_CONNECTION,
        "_disconnect_on_finish",
        "such an answer leaves the connection open",
        "__init__",
    ),
    InternalName(
        _CONNECTION_CONTEXT,
        "_orig_remote_ip",
        "the peer of the connection, whose word may count about where a request comes from",
        "__init__",
    ),
    InternalName(
        _CONNECTION_CONTEXT,
        "_orig_protocol",
        "the protocol of the connection, which a proxy's request may be told to differ from",
        "__init__",
    ),
    InternalName(
        "tornado.httpserver.HTTPServer", "conn_params", "heads have no timers", "initialize"
    ),
    InternalName(
        _STREAM, "_handle_events", "overridden: a half-closed connection is not listened to"
    ),
    InternalName(
        _STREAM, "_handle_read", "overridden: a stream is listened to until more comes than is read"
    ),
    InternalName(_STREAM, "_read_max_bytes", "one read gets what has come unasked", "__init__"),
    InternalName(_STREAM, "_state", "a half-closed connection is not listened to", "__init__"),
    InternalName(_STREAM, "_read_buffer_size", "tells a head that does not end", "__init__"),
    InternalName(
        _STREAM,
        "_find_read_pos",
        "overridden: a head that drips in is not searched again and again",
    ),
    InternalName(_STREAM, "_check_max_bytes", "a head that is too long ends its connection"),
    InternalName(_STREAM, "_read_buffer", "a head is searched for its end", "__init__"),
    InternalName(_STREAM, "_read_regex", "tells that a head is read", "__init__"),
    InternalName(
        _STREAM,
        "_try_inline_read",
        "overridden: what has not come yet is not looked for before each answer",
    ),
    InternalName(_STREAM, "_read_from_buffer", "what has come already is read"),
    InternalName(_STREAM, "_check_closed", "nothing is read from a stream that is closed"),
    InternalName(
        _STREAM, "_add_io_state", "overridden: a handshake is not tried before the client speaks"
    ),
    InternalName(_STREAM, "_read_partial", "as much is read as has come", "__init__"),
    InternalName(_STREAM, "_total_write_done_index", "tells whether anybody reads", "__init__"),
    InternalName(
        "tornado.iostream.SSLIOStream",
        "_ssl_accepting",
        "tells a handshake that does not end",
        "__init__",
    ),
    InternalName(
        "tornado.iostream.SSLIOStream",
        "_handshake_reading",
        "a handshake waits for what the client sends",
        "__init__",
    ),
)

_MODULES = {
    module.__name__: module
    for module in (
        http1connection,
        httpserver,
        httputil,
        iostream,
        simple_httpclient,
        tcpclient,
        web,
    )
}


def check_tornado(names: tuple[InternalName, ...]) -> None:
    """Raise ConfigurationError for the first name that the installed Tornado lacks."""
    for internal in names:
        module_name, _, class_name = internal.owner.rpartition(".")
        owner = getattr(_MODULES[module_name], class_name, None)
        if not isinstance(owner, type) or not _has(owner, internal):
            full_name = f"{internal.owner}.{internal.name}".removesuffix(".")
            raise ConfigurationError(
                f"Tornado {tornado.version} does not fit this release of kms_tornado: it has no "
                f"{full_name} ({internal.why}); install a version of Tornado that has it, such as 6.6"
            )


def _has(owner: type, internal: InternalName) -> bool:
    if not internal.name:
        return True
    if internal.assigned_in is None:
        return hasattr(owner, internal.name)
    # An attribute that exists on instances only; making one would need a connection. The method
    # that assigns it names it in its code.
    method = getattr(owner, internal.assigned_in, None)
    return isinstance(method, FunctionType) and internal.name in method.__code__.co_names
