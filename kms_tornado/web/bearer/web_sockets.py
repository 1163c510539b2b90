"""Web sockets end with the token that opened them: when it expires, or is put on the deny list."""

from __future__ import annotations

import asyncio
import time
import weakref
from typing import TYPE_CHECKING

from ...auth.deny_list import DenyList
from ...auth.principal import Principal

if TYPE_CHECKING:
    from tornado.websocket import WebSocketHandler

#: The close code, of those for applications (RFC 6455 §7.4.2): 4000 and the status of an HTTP request.
TOKEN_REFUSED = 4401

_LONGEST_PAUSE_S = 60.0  # timers do not know when somebody sets the clock
_FIRST_PAUSE_S = 1.0  # the web socket may not be open yet, and may never be


class WebSockets:
    """The web sockets of a `BearerAuth`. It keeps none of them alive: a web socket may end long before its token."""

    def __init__(self) -> None:
        self._principals: weakref.WeakKeyDictionary[WebSocketHandler, Principal] = (
            weakref.WeakKeyDictionary()
        )

    def add(self, handler: WebSocketHandler, principal: Principal, leeway_s: float) -> None:
        """Close the handler's web socket, once it is open, `leeway_s` after the principal's token expires."""
        self._principals[handler] = principal
        close_at(handler, principal.expires_at + leeway_s)

    def close_denied(self, denied: DenyList) -> None:
        """Close the web sockets of the tokens that are on the list."""
        for handler, principal in list(self._principals.items()):
            if denied.find(principal.claims, principal.issuer) is not None:
                del self._principals[handler]
                _close_or_wait(weakref.ref(handler), "token denied", _FIRST_PAUSE_S)


def close_at(handler: WebSocketHandler, end: float) -> None:
    """Close the handler's web socket at `end`, in seconds since the Unix epoch."""
    _wait_until(weakref.ref(handler), end)


def _wait_until(handler: weakref.ref[WebSocketHandler], end: float) -> None:
    if handler() is None:  # a token may be good for years, and have opened thousands by then
        return
    left_s = end - time.time()
    if left_s > 0:
        asyncio.get_running_loop().call_later(
            min(left_s, _LONGEST_PAUSE_S), _wait_until, handler, end
        )
    else:
        _close_or_wait(handler, "token expired", _FIRST_PAUSE_S)


def _close_or_wait(reference: weakref.ref[WebSocketHandler], reason: str, pause_s: float) -> None:
    handler = reference()
    if handler is None:
        return
    if handler.ws_connection is None:  # it is not open yet, or no longer
        asyncio.get_running_loop().call_later(
            pause_s, _close_or_wait, reference, reason, min(2 * pause_s, _LONGEST_PAUSE_S)
        )
        return
    # Who has no web socket loads none of this. Its class, because the host's own `close` may do something else.
    from tornado.websocket import WebSocketHandler

    # Tornado waits five seconds for the client's half of the closing handshake, and would hand over what comes.
    vars(handler)["on_message"] = _drop
    WebSocketHandler.close(handler, TOKEN_REFUSED, reason)


def _drop(message: str | bytes) -> None:
    """Ignore a message; takes the place of the handler's on_message."""
