"""Web sockets end with the token that opened them."""

from __future__ import annotations

import asyncio
import time
import weakref
from typing import TYPE_CHECKING

from ...auth.principal import Principal
from ...auth.request_auth import RequestAuth
from .auth import BearerAuth

if TYPE_CHECKING:
    from tornado.websocket import WebSocketHandler

#: The close code, of those for applications (RFC 6455 §7.4.2): 4000 and the status of an HTTP request.
TOKEN_EXPIRED = 4401

_LONGEST_PAUSE_S = 60.0  # timers do not know when somebody sets the clock


def close_when_expired(
    handler: WebSocketHandler, principal: Principal, auth: RequestAuth | None
) -> None:
    """Close the handler's web socket when the principal's token is no longer good for `auth`."""
    leeway_s = auth.settings.policy.leeway_s if isinstance(auth, BearerAuth) else 0
    # The timer does not hold the handler, whose web socket may have ended long before.
    _set_timer(weakref.ref(handler), principal.expires_at + leeway_s)


def _set_timer(handler: weakref.ref[WebSocketHandler], end: float) -> None:
    left_s = end - time.time()
    pause_s = min(left_s, _LONGEST_PAUSE_S) if left_s > 0 else _LONGEST_PAUSE_S
    asyncio.get_running_loop().call_later(pause_s, _look, handler, end)


def _look(reference: weakref.ref[WebSocketHandler], end: float) -> None:
    handler = reference()
    if handler is None:
        return
    if handler.ws_connection is None or time.time() < end:  # it is not open yet, or no longer
        _set_timer(reference, end)
        return
    # Who has no web socket loads none of this. Its class, because the host's own `close` may do something else.
    from tornado.websocket import WebSocketHandler

    WebSocketHandler.close(handler, TOKEN_EXPIRED, "token expired")
