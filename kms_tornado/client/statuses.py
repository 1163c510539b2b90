"""From HTTP statuses to exceptions (docs/http.md). If an answer is not this server's, its body is not shown."""

from __future__ import annotations

import json
import re
from urllib.parse import urlsplit

import urllib3

from ..errors import ExpiredToken, InvalidField, KMSError, NonceNeeded
from ..wording import make_printable
from .errors import (
    AccessDenied,
    AuthenticationFailed,
    ClientError,
    RequestTooLarge,
    ServerUnavailable,
    TokenExpired,
    TooManyRequests,
    UnexpectedAnswer,
)
from .refusals import parse_refusal

#: A longer description is none of this server's.
_MAX_DESCRIPTION = 500

#: RFC 9449 §8.1; longer ones would make a proof that nobody reads.
_NONCE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,1024}")


def is_expired(answer: urllib3.BaseHTTPResponse) -> bool:
    """Whether a newer token would have been accepted, as far as the server's answer tells."""
    return answer.status == 401 and _description(answer) == ExpiredToken.description


def find_nonce(answer: urllib3.BaseHTTPResponse) -> str | None:
    """The nonce for the next DPoP proof (RFC 9449 §8.2); None where the answer has none."""
    nonce = answer.headers.get("DPoP-Nonce", "")
    return nonce if _NONCE.fullmatch(nonce) else None


def needs_nonce(answer: urllib3.BaseHTTPResponse) -> bool:
    """Whether to send the request again, with a proof that has the nonce in this answer (RFC 9449 §9)."""
    challenges = ", ".join(answer.headers.getlist("WWW-Authenticate"))
    return answer.status == 401 and f'error="{NonceNeeded.code}"' in challenges


def make_error(answer: urllib3.BaseHTTPResponse) -> KMSError:
    """The exception for an answer with a status other than 200."""
    status, description = answer.status, _description(answer)
    if status == 422:
        return _read_refusal(answer)
    if description is None:
        return _explain_foreign(answer)
    if status in (400, 401) and "WWW-Authenticate" in answer.headers:
        if description == ExpiredToken.description:
            return TokenExpired("the token has expired: log in again", description)
        return AuthenticationFailed(
            f"the server does not accept the token: {description}", description
        )
    if status == 400:  # a parameter of a list
        return InvalidField(description)
    if status == 403 and "WWW-Authenticate" not in answer.headers:
        return AccessDenied(f"the server refuses this: {description}")
    if status == 403:
        return AccessDenied(f"the token does not give access to this server: {description}")
    if status == 413:
        return RequestTooLarge(f"the request is too large: {description}")
    if status == 429:
        return TooManyRequests(f"too many requests: {description}", _retry_after_s(answer))
    if status == 503:
        return ServerUnavailable(
            f"the server is not available: {description}", _retry_after_s(answer)
        )
    return UnexpectedAnswer(f"the server answered with status {status}: {description}")


def _explain_foreign(answer: urllib3.BaseHTTPResponse) -> ClientError:
    """The exception for an answer of a proxy or of another server, by its status alone."""
    status = answer.status
    if 300 <= status < 400:
        return UnexpectedAnswer(
            f"the server redirects to {_redirect_target(answer)}: redirects are not followed, "
            "configure the URL that is meant"
        )
    if status == 413:
        return RequestTooLarge("the request is too large for the server or a proxy before it")
    if status == 429:
        return TooManyRequests("too many requests: try again later", _retry_after_s(answer))
    if status in (502, 503, 504):
        return ServerUnavailable(
            f"the server is not available: status {status}", _retry_after_s(answer)
        )
    return UnexpectedAnswer(
        f"status {status} without an error of this server: is the URL that of a kms_tornado server?"
    )


def _read_refusal(answer: urllib3.BaseHTTPResponse) -> KMSError:
    try:
        return parse_refusal(answer.data)
    except UnexpectedAnswer as exc:
        return exc


def _description(answer: urllib3.BaseHTTPResponse) -> str | None:
    """The server's ``error_description`` on one line; None where the body is not an error of this server."""
    try:
        body = json.loads(answer.data)
    except (ValueError, RecursionError):
        return None
    description = body.get("error_description") if isinstance(body, dict) else None
    if not isinstance(description, str) or len(description) > _MAX_DESCRIPTION:
        return None
    return make_printable(" ".join(description.split()))


def _retry_after_s(answer: urllib3.BaseHTTPResponse) -> float | None:
    value = answer.headers.get("Retry-After", "")
    return float(value) if value.isascii() and value.isdigit() and len(value) < 10 else None


def _redirect_target(answer: urllib3.BaseHTTPResponse) -> str:
    """Scheme and host of the target; a path or a query may contain secrets."""
    try:
        url = urlsplit(answer.headers.get("Location", ""))
        host = url.hostname
    except ValueError:
        host = None
    if not host or not host.isprintable():
        return "another place"
    return f"{url.scheme}://{host}"
