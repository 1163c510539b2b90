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

import asyncio
import functools
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http.client import responses
from typing import TYPE_CHECKING, Any, cast

from tornado.httputil import HTTPServerRequest, ResponseStartLine
from tornado.web import HTTPError, RequestHandler

from ...auth.bearer import ChallengeFacts, format_challenges
from ...auth.bound.dpop import NONCE_HEADER
from ...errors import (
    AuthenticationError,
    InsufficientScope,
    MissingToken,
    TooManyRequests,
    Unavailable,
)
from ...redaction import mask_tokens
from ...request_context import HEADER, is_request_id, make_request_id
from ...wording import cut_value, format_value
from .web_sockets import end_web_socket

if TYPE_CHECKING:
    from tornado.websocket import WebSocketHandler

    from ...auth.request_auth import RequestAuth
    from .mixin import BearerAuthMixin

log = logging.getLogger("kms_tornado.auth")


@dataclass(frozen=True, slots=True)
class _Refusal:
    """An answer to a refused request, and the line in the log about it.

    error: the member of that name in the body.
    reason: fixed words for logs, as metrics have them.
    cause: the exception that was raised; its issuer and key ID go into the log.
    fault: an exception whose traceback is logged.
    challenges: the values of ``WWW-Authenticate``.
    """

    status: int
    error: str
    description: str
    level: int
    line: str
    reason: str = "internal_error"
    cause: BaseException | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: BaseException | None = None
    challenges: Sequence[str] = ()


class Hooks:
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


def refuse(handler: BearerAuthMixin[Any], error: Exception) -> None:
    """Answer the request in the handler's place, and log it in one line; close a web socket that is open. Raises nothing.

    error: an AuthenticationError is answered with its status and a challenge (RFC 6750 §3), Unavailable
    with 503, TooManyRequests with 429, Tornado's HTTPError as it says. Anything else is a fault on this side, 500.
    """
    hooks = Hooks()
    if not handler._finished:
        _answer(handler, _describe(handler, error, hooks), hooks)
    elif handler._is_web_socket and handler.ws_connection is not None:  # type: ignore[attr-defined]
        refusal = _describe(handler, error, hooks)
        end_web_socket(cast("WebSocketHandler", handler), refusal.status, refusal.description)
        _log(handler, refusal, _choose_request_id(handler, hooks), hooks.fault)


def end_failed(handler: BearerAuthMixin[Any], error: BaseException) -> None:
    """Answer 500 where the handler failed, and its own error answer, too; cut off an answer that was begun."""
    if not handler._finished:
        request = handler.request
        line = f"{_name(request)} failed, and so did the handler's answer to it"
        refusal = _Refusal(500, "server_error", "internal error", logging.ERROR, line, fault=error)
        _answer(handler, refusal, Hooks())


def _answer(handler: BearerAuthMixin[Any], refusal: _Refusal, hooks: Hooks) -> None:
    if handler._principal is None:
        handler._current_user = None  # a log that asks for it must not call get_current_user
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
    if not hooks.call(handler._send_refusal, body, hooks, refusal.reason):
        connection: Any = handler.request.connection
        connection.close()
    _log(handler, refusal, request_id, hooks.fault)


def _write_page(handler: BearerAuthMixin[Any], refusal: _Refusal, hooks: Hooks) -> bytes:
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


def _choose_request_id(handler: BearerAuthMixin[Any], hooks: Hooks) -> str:
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


def send_past_hooks(handler: RequestHandler, body: bytes, hooks: Hooks) -> None:
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


def _describe(handler: BearerAuthMixin[Any], error: Exception, hooks: Hooks) -> _Refusal:
    request = handler.request
    if isinstance(error, AuthenticationError):
        return _describe_refused_token(request, error, _format_challenges(handler, error, hooks))
    if isinstance(error, TooManyRequests):
        return _describe_too_many(request, error)
    if isinstance(error, Unavailable):
        return _describe_unavailable(request, error)
    if isinstance(error, HTTPError) and 400 <= error.status_code <= 599:  # a hook's own answer
        return _describe_http_error(handler, error, hooks)
    missing = _describe_missing_auth(handler)
    return _Refusal(
        500,
        "server_error",
        "the request's credentials could not be checked",
        logging.ERROR,
        f"{_name(request)}: {missing or 'the credentials could not be checked'}",
        fault=error if missing is None else None,
    )


def _describe_refused_token(
    request: HTTPServerRequest, error: AuthenticationError, challenges: Sequence[str]
) -> _Refusal:
    """The refusal of RFC 6750 §3, with a nonce where the proof lacks a good one (RFC 9449 §9)."""
    return _Refusal(
        error.status,
        error.code or "unauthorized",
        str(error),
        logging.INFO,
        f"refused {_name(request)} from {request.remote_ip}: {error}"
        + (f" ({cut_value(error.detail)})" if error.detail else ""),
        error.reason,
        error,
        {NONCE_HEADER: error.nonce} if error.nonce else {},
        challenges=challenges,
    )


def _describe_too_many(request: HTTPServerRequest, error: TooManyRequests) -> _Refusal:
    return _Refusal(
        429,
        "too_many_requests",
        str(error),
        logging.INFO,
        f"refused {_name(request)} from {request.remote_ip}: {error}",
        error.reason,
        error,
        {"Retry-After": str(error.retry_after_s)},
    )


def _describe_unavailable(request: HTTPServerRequest, error: Unavailable) -> _Refusal:
    return _Refusal(
        503,
        "temporarily_unavailable",
        str(error),
        logging.INFO if error.is_told_once else logging.WARNING,
        f"{_name(request)}: {error}" + (f" ({error.detail})" if error.detail else ""),
        error.reason,
        error,
        {"Retry-After": str(error.retry_after_s)},
    )


def _describe_http_error(handler: BearerAuthMixin[Any], error: HTTPError, hooks: Hooks) -> _Refusal:
    request, phrase = handler.request, responses.get(error.status_code, "refused")
    descriptions = [phrase]
    # It is formatted only now, and its arguments need not fit.
    hooks.call(lambda: descriptions.insert(0, str(error)))
    # RFC 9110 §15.5.2: 401 has a challenge. Whoever raised it says nothing about the token.
    has_challenge = error.status_code == 401
    return _Refusal(
        error.status_code,
        phrase.lower().replace(" ", "_"),
        error.reason or phrase,
        logging.INFO,
        f"refused {_name(request)} from {request.remote_ip}: {cut_value(descriptions[0])}",
        "http_error",
        error,
        challenges=_format_challenges(handler, MissingToken(), hooks) if has_challenge else (),
    )


def _describe_missing_auth(handler: BearerAuthMixin[Any]) -> str | None:
    """The text to log if the application has no token checker; None if it has one."""
    try:
        auth: object = handler.bearer_auth
    except Exception:  # the application's property
        return None
    if hasattr(auth, "check_now") and not isinstance(auth, type):
        return None
    setting = "no bearer_auth" if auth is None else f"as bearer_auth a {type(auth).__name__}"
    return (
        f"{type(handler).__name__} refuses every request, because the application's settings have {setting}: "
        "write tornado.web.Application(routes, bearer_auth=BearerAuth.from_issuer(…))"
    )


def _format_challenges(
    handler: BearerAuthMixin[Any], error: AuthenticationError, hooks: Hooks
) -> Sequence[str]:
    """The challenges, without the parts for which a hook of the application failed or returned no text."""
    challenges = [format_challenges(ChallengeFacts(), error)]

    def ask_host() -> None:
        auth = handler.bearer_auth
        if auth is None:
            return
        facts = ChallengeFacts(
            auth.realm, auth.proof_algorithms, " ".join(_list_scopes(handler, auth, error))
        )
        challenges.append(format_challenges(facts, error))
        facts = replace(facts, resource_metadata=handler.resource_metadata_url())
        challenges.append(format_challenges(facts, error))

    hooks.call(ask_host)
    return challenges[-1]


def _list_scopes(
    handler: BearerAuthMixin[Any], auth: RequestAuth, error: AuthenticationError
) -> Sequence[str]:
    """The scopes that a request needs: those of every token, and those of the method's `requires`.

    If a good token lacks a claim that every token needs, its holder is not told which one.
    """
    if isinstance(error, InsufficientScope) and not error.scope:
        return ()
    method = getattr(handler, (handler.request.method or "").lower(), None)
    scope: str = error.scope or getattr(method, "_required_scope", "")
    return [*dict.fromkeys((*auth.scopes, *scope.split()))]


def _name(request: HTTPServerRequest) -> str:
    """Method and path of the request, shortened: either may have 64 KiB."""
    return f"{cut_value(request.method or '')} {cut_value(request.path)}"


def _log(
    handler: BearerAuthMixin[Any], refusal: _Refusal, request_id: str, fault: BaseException | None
) -> None:
    fields = _list_fields(handler, refusal, request_id)
    shown = [name for name in ("issuer", "key_id", "request_id") if name in fields]
    line = refusal.line
    fault = refusal.fault or fault
    if fault is not None and refusal.fault is None:
        line += f"; a hook of {type(handler).__name__} failed"
    line += "".join([f" {name}={format_value(str(fields[name]))}" for name in shown])
    level = refusal.level if fault is None else logging.ERROR
    log.log(level, "%s", line, exc_info=fault, extra={"fields": fields})


def _list_fields(
    handler: BearerAuthMixin[Any], refusal: _Refusal, request_id: str
) -> dict[str, object]:
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
    for name in ("issuer", "key_id"):
        if value := getattr(cause, name, ""):
            fields[name] = mask_tokens(cut_value(value))
    return {name: value for name, value in fields.items() if value not in (None, "")}
