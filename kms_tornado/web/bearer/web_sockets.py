"""How web sockets end: with the token that opened them, or when `requires` refuses what they are to do.

The close code is one of those for applications (RFC 6455 §7.4.2): 4000 and the status that an HTTP request would get.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import time
import weakref
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from tornado.web import Finish

from ...auth.deny_list import DenyList
from ...auth.principal import Principal
from ...errors import AuthenticationError

if TYPE_CHECKING:
    from tornado.websocket import WebSocketHandler

_CLOSE_CODES = 4000
_TOKEN_REFUSED = 401
_LONGEST_PAUSE_S = 60.0  # timers do not know when somebody sets the clock
_FIRST_PAUSE_S = 1.0  # the web socket may not be open yet, and may never be
#: What Tornado calls once the web socket is open, and `requires` may guard.
_CALLBACKS = ("open", "on_message")


class RefusedCall(Finish):
    """Ends a method that `requires` has refused, and whatever has called that by ``super()``."""


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
    end_web_socket(handler, _TOKEN_REFUSED, reason)


def end_web_socket(handler: WebSocketHandler, status: int, reason: str) -> None:
    """Close the handler's web socket, and hand it no further message.

    status: of an HTTP request that is refused for the same reason. reason: 123 bytes at most (RFC 6455 §5.5).
    """
    # Who has no web socket loads none of this. Its class, because the host's own `close` may do something else.
    from tornado.websocket import WebSocketHandler

    # Tornado waits five seconds for the client's half of the closing handshake, and would hand over what comes.
    vars(handler)["on_message"] = _drop
    WebSocketHandler.close(handler, _CLOSE_CODES + status, reason)


def _drop(message: str | bytes) -> None:
    """Ignore a message; takes the place of the handler's on_message."""


_REFUSALS = (RefusedCall, AuthenticationError)


# Tornado logs whatever these methods raise as a fault, and cuts the connection: the client might never read the close
# code.
def end_refused_calls(handler: type[WebSocketHandler]) -> None:
    """Have a refusal end in `open` and `on_message`, and not in Tornado."""
    for name in _CALLBACKS:
        method = getattr(handler, name)
        # The function itself, not a flag: functools.wraps copies flags to a function that wraps this one.
        if getattr(method, "_ends_refused", None) is not method:
            setattr(handler, name, _end_refused(name, method))


def _end_refused(name: str, method: Callable[..., Any]) -> Callable[..., Awaitable[None] | None]:
    @functools.wraps(method)
    def ending(self: Any, *args: Any, **kwargs: Any) -> Awaitable[None] | None:
        result: Awaitable[None] | None
        # Otherwise a subclass calls this by super(), and must not go on.
        if getattr(type(self), name) is not ending:
            result = method(self, *args, **kwargs)
            return result
        try:
            result = method(self, *args, **kwargs)
        except _REFUSALS as exc:
            _end_call(self, name, exc)
            return None
        return _end_awaited(self, name, result) if inspect.isawaitable(result) else result

    ending._ends_refused = ending  # type: ignore[attr-defined]
    return ending


async def _end_awaited(handler: Any, name: str, result: Awaitable[None]) -> None:
    try:
        await result
    except _REFUSALS as exc:
        _end_call(handler, name, exc)


def _end_call(handler: Any, name: str, refusal: BaseException) -> None:
    """What was not opened is not closed either: as with any exception in `open`, on_close is not called."""
    if isinstance(
        refusal, AuthenticationError
    ):  # the handler's own; `requires` has closed it by now
        handler._refuse_call(refusal)
    if name == "open":
        vars(handler)["on_close"] = lambda: None
