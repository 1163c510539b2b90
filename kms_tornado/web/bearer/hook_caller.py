"""The application's own code around a refusal: HookCaller calls it, and the answer is sent past it."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any, cast

from tornado.httputil import ResponseStartLine
from tornado.web import RequestHandler


class HookCaller:
    """Calls code of the application. Its exceptions are caught; the first one is kept for the log."""

    def __init__(self) -> None:
        self.fault: BaseException | None = None

    def call(self, hook: Callable[..., object], *args: object) -> bool:
        """Call the hook; whether it returned without an exception."""
        try:
            hook(*args)
        except (Exception, asyncio.CancelledError) as exc:  # Tornado, too, takes both for a fault
            self.fault = self.fault or exc
            return False
        return True


def send_past_hooks(handler: RequestHandler, body: bytes, hooks: HookCaller) -> None:
    """Send the handler's status and headers with this body, and then do what ends a request.

    If the handler had already sent headers of its own, the connection is closed.
    """
    connection: Any = handler.request.connection
    connection.set_close_callback(None)
    has_begun = handler._headers_written
    handler._headers_written = handler._finished = True  # from now on Tornado sends nothing
    if cast("object", handler._prepared_future) is not None:
        # For a handler that streams, Tornado calls it at the end of the body that nobody reads.
        own = functools.partial(RequestHandler.on_connection_close, handler)
        setattr(handler, "on_connection_close", own)  # noqa: B010
    if has_begun:
        connection.close()
    else:
        start_line = ResponseStartLine("", handler._status_code, handler._reason)
        chunk = b"" if handler.request.method == "HEAD" else body
        connection.write_headers(start_line, handler._headers, chunk)
        connection.finish()
    hooks.call(handler._log)
    hooks.call(handler.on_finish)
    handler._break_cycles()
