"""Turns urllib3's exceptions into those of the client, each with one line for people.

The texts never contain a body or a token.
"""

from __future__ import annotations

import http.client
import ssl
from urllib.parse import urlsplit

from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    MaxRetryError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from .answers import AnswerTooLong
from .connection import ConnectionSettings
from .errors import ConnectionFailed, UnexpectedAnswer


def explain(
    error: HTTPError, settings: ConnectionSettings, *, is_repeatable: bool
) -> ConnectionFailed | UnexpectedAnswer:
    """The exception for a request that got no complete answer."""
    cause: BaseException = error
    if isinstance(error, MaxRetryError) and error.reason is not None:
        cause = error.reason
    url = urlsplit(settings.server_url)
    server = f"{url.scheme}://{url.netloc}"
    if _is_cut(cause):
        return UnexpectedAnswer(f"the answer of {server} ended before it was whole")
    if isinstance(cause, AnswerTooLong):
        return UnexpectedAnswer(f"the answer of {server} is too long or too slow: it was given up")
    text = _explain_before_request(cause, server)
    if text is not None:
        return ConnectionFailed(text, is_outcome_known=True)
    if isinstance(cause, ReadTimeoutError):
        text = f"{server} did not answer in time"
    else:
        text = f"{server} closed the connection before it answered"
    if not is_repeatable:
        text += "; whether the request was carried out is not known"
    return ConnectionFailed(text, is_outcome_known=False)


def _explain_before_request(cause: BaseException, server: str) -> str | None:
    """The text for what fails before anything is sent; None for what fails later."""
    if isinstance(cause, ProxyError):
        return f"the proxy gives no connection to {server}: are its URL and its password right?"
    if isinstance(cause, SSLError):
        return _explain_tls(cause, server)
    if isinstance(cause, (NewConnectionError, ConnectTimeoutError)):
        return f"no connection to {server}: is the server running, and is the URL right?"
    return None


def _explain_tls(error: SSLError, server: str) -> str:
    cause = error.args[0] if error.args else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return (
            f"the certificate of {server} is not trusted ({cause.verify_message}): "
            "name its authority (ca_file) or the certificate itself (verified_cert)"
        )
    if "Fingerprints did not match" in str(cause):
        return f"{server} shows another certificate than the one in verified_cert"
    reason = getattr(cause, "reason", None) or str(cause)
    return f"no TLS connection to {server}: {reason}"


def _is_cut(cause: BaseException) -> bool:
    return isinstance(cause, ProtocolError) and any(
        isinstance(part, http.client.IncompleteRead) for part in (cause, *cause.args)
    )
