"""How a refused request ends: with an answer that no code of the handler can prevent or change.

A handler of an application may override `finish`, `write`, `set_status`, `write_error` and any other method of
Tornado's, and its overrides may need attributes that its `prepare` sets, which has not run for a refused request.
Tornado sends an answer through all of these methods. If one of them raised an exception, or did not call super(), a
stranger's connection would stay open without an answer.

So a refusal is written to the connection directly. Only these hooks of the application are called, and exceptions
that they raise are logged. Before the answer: `set_default_headers`, because pages of other origins cannot read a 401
without the headers of CORS, and `write_refusal`. After it: the access log and `on_finish`.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, cast

from tornado.web import RequestHandler

from ...errors import AuthenticationError, Unavailable
from ...redaction import mask_tokens
from ...request_context import HEADER, is_request_id, make_request_id
from ...wording import cut_value, format_value
from .hook_caller import HookCaller
from .hooks import HandlerHooks
from .refusal_texts import Refusal, describe_refusal, name_request
from .web_sockets import end_web_socket

if TYPE_CHECKING:
    from tornado.websocket import WebSocketHandler


log = logging.getLogger("kms_tornado.auth")


def refuse(handler: HandlerHooks, error: Exception) -> None:
    """Answer the request in the handler's place, and log it in one line; close a web socket that is open. Raises nothing.

    error: an AuthenticationError is answered with its status and a challenge (RFC 6750 §3), Unavailable
    with 503, TooManyRequests with 429, Tornado's HTTPError as it says. Anything else is a fault on this side, 500.
    """
    hooks = HookCaller()
    if not handler._finished:
        _answer(handler, describe_refusal(handler, error, hooks), hooks)
    elif handler._is_web_socket and handler.ws_connection is not None:  # type: ignore[attr-defined]
        refusal = describe_refusal(handler, error, hooks)
        end_web_socket(cast("WebSocketHandler", handler), refusal.status, refusal.description)
        _log(handler, refusal, _choose_request_id(handler, hooks), hooks.fault)


def end_failed(handler: HandlerHooks, error: BaseException) -> None:
    """Answer 500 where the handler failed, and its own error answer, too; cut off an answer that was begun."""
    if not handler._finished:
        request = handler.request
        line = f"{name_request(request)} failed, and so did the handler's answer to it"
        refusal = Refusal(500, "server_error", "internal error", logging.ERROR, line, fault=error)
        _answer(handler, refusal, HookCaller())


def _answer(handler: HandlerHooks, refusal: Refusal, hooks: HookCaller) -> None:
    if handler._principal is None:
        handler._current_user = None  # whatever the handler has assigned so far, nobody was let in
    if not handler._headers_written:
        hooks.call(RequestHandler.clear, handler)  # it calls set_default_headers
    RequestHandler.set_status(handler, refusal.status)
    body = _write_page(handler, refusal, hooks)
    request_id = _choose_request_id(handler, hooks)
    if not body:
        answer = {"error": refusal.error, "error_description": refusal.description}
        body = json.dumps(answer).encode()
        RequestHandler.set_header(handler, "Content-Type", "application/json; charset=UTF-8")
    headers = {
        "Cache-Control": "no-store",
        "Content-Length": str(len(body)),
        HEADER: request_id,
        **refusal.headers,
    }
    for name, value in headers.items():
        RequestHandler.set_header(handler, name, value)
    handler._headers.pop("WWW-Authenticate", None)
    for challenge in refusal.challenges:
        RequestHandler.add_header(handler, "WWW-Authenticate", challenge)
    if not hooks.call(handler._send_refusal, body, hooks, refusal.reason, refusal.cause):
        connection: Any = handler.request.connection
        connection.close()
    _log(handler, refusal, request_id, hooks.fault)


def _write_page(handler: HandlerHooks, refusal: Refusal, hooks: HookCaller) -> bytes:
    """The body that `write_refusal` has written, with its headers and cookies set; empty where it wrote nothing.

    Nothing is sent meanwhile, and the handler's own `finish` is not used.
    """
    error = refusal.cause
    if handler._headers_written or not isinstance(error, (AuthenticationError, Unavailable)):
        return b""

    def finish(chunk: str | bytes | dict[str, Any] | None = None) -> None:
        if chunk is not None:
            handler.write(chunk)

    vars(handler).update(finish=finish, flush=lambda include_footers=False: None)
    has_written = hooks.call(handler.write_refusal, error)
    del vars(handler)["finish"], vars(handler)["flush"]
    if not has_written:
        hooks.call(RequestHandler.clear, handler)
    RequestHandler.set_status(handler, refusal.status)
    page = b"".join(handler._write_buffer)
    if page:
        for cookie in vars(handler).get("_new_cookie", {}).values():
            RequestHandler.add_header(handler, "Set-Cookie", cookie.OutputString(None))
    return page


def _choose_request_id(handler: HandlerHooks, hooks: HookCaller) -> str:
    """The handler's request identifier: its attribute `request_id`, or the header that set_default_headers sets.

    Otherwise a new one is made, so that a refused user can ask an operator about the request.
    """
    candidates: list[object] = []
    # Not what a __getattr__ of the handler makes up, which may need what `prepare` sets.
    if "request_id" in vars(handler) or hasattr(type(handler), "request_id"):
        hooks.call(lambda: candidates.append(handler.request_id))  # type: ignore[attr-defined]
    candidates.append(handler._headers.get(HEADER))
    for candidate in candidates:
        if is_request_id(candidate):
            return str(candidate)
    return make_request_id()


def _log(
    handler: HandlerHooks, refusal: Refusal, request_id: str, fault: BaseException | None
) -> None:
    fields = _list_fields(handler, refusal, request_id)
    shown = [name for name in ("user", "issuer", "key_id", "request_id") if name in fields]
    line = refusal.line
    fault = refusal.fault or fault
    if fault is not None and refusal.fault is None:
        line += f"; a hook of {type(handler).__name__} failed"
    line += "".join([f" {name}={format_value(str(fields[name]))}" for name in shown])
    level = refusal.level if fault is None else logging.ERROR
    log.log(level, "%s", line, exc_info=fault, extra={"fields": fields})


def _list_fields(handler: HandlerHooks, refusal: Refusal, request_id: str) -> dict[str, object]:
    """{name: value} for logs that machines read; they become the `fields` of the log record."""
    request, principal, cause = handler.request, handler._principal, refusal.cause
    fields: dict[str, object] = {
        "request_id": request_id,
        "status": refusal.status,
        "method": cut_value(request.method or ""),
        "path": mask_tokens(cut_value(request.path)),
        "remote_ip": request.remote_ip,
        "reason": refusal.reason,
    }
    if principal is not None:  # the token is good, but not sufficient
        fields |= {"user": principal.name, "issuer": principal.issuer, "key_id": principal.key_id}
    for name in ("user", "issuer", "key_id"):
        if value := getattr(cause, name, ""):
            fields[name] = mask_tokens(cut_value(value))
    return {name: value for name, value in fields.items() if value not in (None, "")}
