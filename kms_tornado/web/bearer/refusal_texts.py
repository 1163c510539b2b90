"""Refusal: what a refused request is answered, and what the log says of it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from http.client import responses

from tornado.httputil import HTTPServerRequest
from tornado.web import HTTPError

from ...auth.bearer import ChallengeFacts, format_challenges
from ...auth.bound.dpop import NONCE_HEADER
from ...auth.request_auth import RequestAuth
from ...errors import (
    AuthenticationError,
    InsufficientScope,
    MissingToken,
    TooManyRequests,
    Unavailable,
)
from ...wording import cut_value
from .hook_caller import HookCaller
from .hooks import HandlerHooks


@dataclass(frozen=True, slots=True)
class Refusal:
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


def describe_refusal(handler: HandlerHooks, error: Exception, hooks: HookCaller) -> Refusal:
    """The answer to the error, as `refusals.refuse` says. hooks: calls what the application has to be asked."""
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
    return Refusal(
        500,
        "server_error",
        "the request's credentials could not be checked",
        logging.ERROR,
        f"{name_request(request)}: {missing or 'the credentials could not be checked'}",
        fault=error if missing is None else None,
    )


def _describe_refused_token(
    request: HTTPServerRequest, error: AuthenticationError, challenges: Sequence[str]
) -> Refusal:
    """The refusal of RFC 6750 §3, with a nonce where the proof lacks a good one (RFC 9449 §9)."""
    return Refusal(
        error.status,
        error.code or "unauthorized",
        str(error),
        logging.INFO,
        f"refused {name_request(request)} from {request.remote_ip}: {error}"
        + (f" ({cut_value(error.detail)})" if error.detail else ""),
        error.reason,
        error,
        {NONCE_HEADER: error.nonce} if error.nonce else {},
        challenges=challenges,
    )


def _describe_too_many(request: HTTPServerRequest, error: TooManyRequests) -> Refusal:
    return Refusal(
        429,
        "too_many_requests",
        str(error),
        logging.INFO,
        f"refused {name_request(request)} from {request.remote_ip}: {error}",
        error.reason,
        error,
        {"Retry-After": str(error.retry_after_s)},
    )


def _describe_unavailable(request: HTTPServerRequest, error: Unavailable) -> Refusal:
    return Refusal(
        503,
        "temporarily_unavailable",
        str(error),
        logging.INFO if error.is_told_once else logging.WARNING,
        f"{name_request(request)}: {error}" + (f" ({error.detail})" if error.detail else ""),
        error.reason,
        error,
        {"Retry-After": str(error.retry_after_s)},
    )


def _describe_http_error(handler: HandlerHooks, error: HTTPError, hooks: HookCaller) -> Refusal:
    request, phrase = handler.request, responses.get(error.status_code, "refused")
    descriptions = [phrase]
    # It is formatted only now, and its arguments need not fit.
    hooks.call(lambda: descriptions.insert(0, str(error)))
    # RFC 9110 §15.5.2: 401 has a challenge. Whoever raised it says nothing about the token.
    has_challenge = error.status_code == 401
    return Refusal(
        error.status_code,
        phrase.lower().replace(" ", "_"),
        error.reason or phrase,
        logging.INFO,
        f"refused {name_request(request)} from {request.remote_ip}: {cut_value(descriptions[0])}",
        "http_error",
        error,
        challenges=_format_challenges(handler, MissingToken(), hooks) if has_challenge else (),
    )


def _describe_missing_auth(handler: HandlerHooks) -> str | None:
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
    handler: HandlerHooks, error: AuthenticationError, hooks: HookCaller
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
    handler: HandlerHooks, auth: RequestAuth, error: AuthenticationError
) -> Sequence[str]:
    """The scopes that a request needs: those of every token, and those of the `requires` of class and method.

    If a good token lacks a claim that every token needs, its holder is not told which one.
    """
    if isinstance(error, InsufficientScope) and not error.scope:
        return ()
    method = getattr(handler, (handler.request.method or "").lower(), None)
    scope: str = error.scope or getattr(method, "_required_scope", "")
    of_class = " ".join([demand.scope for demand in handler._demands])
    return [*dict.fromkeys((*auth.scopes, *of_class.split(), *scope.split()))]


def name_request(request: HTTPServerRequest) -> str:
    """Method and path of the request, shortened: either may have 64 KiB."""
    return f"{cut_value(request.method or '')} {cut_value(request.path)}"
