"""Transport: one exchange over HTTP, from the request to the result or the exception.

urllib3 keeps the connections and repeats what is repeatable, with pauses that grow and vary. No redirect
is followed: the token would go along.
"""

from __future__ import annotations

import ssl
import warnings
from collections.abc import Callable
from ipaddress import ip_address
from typing import TypeVar
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    IncompleteRead,
    MaxRetryError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.util import Retry, Timeout

from .. import __version__
from ..errors import KMIPError
from .connection import ConnectionSettings, FixedToken, TokenSource
from .errors import ClientWarning, ConnectionFailed, UnexpectedAnswer
from .exchanges import Exchange
from .pool import MAX_KEPT, make_pool
from .statuses import is_expired, make_error

T = TypeVar("T")

#: Called with "request" or "answer" and the body, for people who want to see them.
Observe = Callable[[str, bytes], None]

#: Repeats of one request at most; the pauses before them are 0, 0.4, 0.8 and 1.6 s, and a random part more.
MAX_REPEATS = 4
_BACKOFF_S = 0.2
_JITTER_S = 0.2
#: A longer Retry-After is cut to this, so that a request ends some time.
MAX_RETRY_AFTER_S = 30

#: The longest wait for a connection, however long the answer may take.
_CONNECT_TIMEOUT_S = 10.0


class Transport:
    """Connections to one server, with the token of one user. Threads may share it."""

    def __init__(
        self, settings: ConnectionSettings, tokens: TokenSource, observe: Observe | None = None
    ) -> None:
        self._settings = settings
        self._tokens = tokens
        self._observe = observe
        self._pool = make_pool(settings)
        if tokens.token() is not None and _is_readable_by_others(settings.server_url):
            warnings.warn(
                "the token is sent over http: anybody on the way can read it and use it; use https",
                ClientWarning,
                stacklevel=3,
            )

    def close(self) -> None:
        self._pool.clear()

    def run(self, exchange: Exchange[T]) -> T:
        """The result of the exchange. Raises ClientError, and KMIPError where the server refused."""
        if self._observe is not None and exchange.body is not None:
            self._observe("request", exchange.body)
        answer = self._send(exchange)
        if is_expired(answer) and self._tokens.renew():
            answer = self._send(exchange)
        if self._observe is not None and answer.status in (200, 422):
            self._observe("answer", answer.data)
        if answer.status == 200:
            return exchange.parse(answer.data)
        error = make_error(answer)
        was_repeated = answer.retries is not None and bool(answer.retries.history)
        if isinstance(error, KMIPError) and was_repeated and exchange.conclude is not None:
            return exchange.conclude(error)
        raise error

    def _send(self, exchange: Exchange[T]) -> urllib3.BaseHTTPResponse:
        headers = dict(self._settings.custom_headers)
        headers["User-Agent"] = f"kms-tornado-client/{__version__}"
        headers["Accept"] = "application/json"
        token = self._tokens.token()
        if token is not None:
            # As a check: a token with a line break in it would end the header.
            headers["Authorization"] = f"Bearer {FixedToken(token).value}"
        if exchange.body is not None:
            headers["Content-Type"] = "application/json"
        timeout_s = self._settings.timeout_s
        try:
            return self._pool.urlopen(
                exchange.method,
                _join(self._settings, exchange.path),
                body=exchange.body,
                headers=headers,
                retries=_retries(exchange),
                redirect=False,
                timeout=Timeout(connect=min(timeout_s, _CONNECT_TIMEOUT_S), read=timeout_s),
            )
        except HTTPError as exc:
            raise _explain(exc, self._settings) from exc


def _join(settings: ConnectionSettings, path: str) -> str:
    url = urlsplit(settings.server_url)
    return f"{url.scheme}://{url.netloc}{settings.prefix}{path}"


def _retries(exchange: Exchange[T]) -> Retry:
    """A connection that was never made is tried again for all; the rest for what is repeatable."""
    return Retry(
        total=MAX_REPEATS,
        connect=2,
        other=0,
        redirect=0,
        allowed_methods=None if exchange.is_repeatable else frozenset({"none of them"}),
        status_forcelist=(429, 503),
        backoff_factor=_BACKOFF_S,
        backoff_jitter=_JITTER_S,
        retry_after_max=MAX_RETRY_AFTER_S,
        raise_on_status=False,
        raise_on_redirect=False,
    )


# --- what went wrong on the way -------------------------------------------------------------------


def _explain(error: HTTPError, settings: ConnectionSettings) -> ConnectionFailed | UnexpectedAnswer:
    """The exception for a request without an answer, in one line. urllib3's own texts are for developers."""
    cause: BaseException = (
        error.reason if isinstance(error, MaxRetryError) and error.reason else error
    )
    url = urlsplit(settings.server_url)
    server = f"{url.scheme}://{url.netloc}"
    if isinstance(cause, ProxyError):
        return ConnectionFailed(
            "the proxy gives no connection to the server", is_outcome_known=True
        )
    if isinstance(cause, SSLError):
        return ConnectionFailed(_explain_tls(cause, server), is_outcome_known=True)
    if isinstance(cause, (NewConnectionError, ConnectTimeoutError)):
        return ConnectionFailed(
            f"no connection to {server}: is the server running, and is the URL right?",
            is_outcome_known=True,
        )
    if isinstance(cause, ProtocolError) and _is_cut(cause):
        return UnexpectedAnswer(f"the answer of {server} ended before it was whole")
    if isinstance(cause, ReadTimeoutError):
        return ConnectionFailed(
            f"{server} did not answer within {settings.timeout_s:g} s", is_outcome_known=False
        )
    return ConnectionFailed(
        f"{server} closed the connection before it answered", is_outcome_known=False
    )


def _is_cut(error: ProtocolError) -> bool:
    return any(isinstance(arg, IncompleteRead) for arg in (error, *error.args))


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


def _is_readable_by_others(server_url: str) -> bool:
    """Whether requests leave this machine in the clear."""
    url = urlsplit(server_url)
    host = url.hostname or ""
    if url.scheme == "https" or host == "localhost" or host.endswith(".localhost"):
        return False
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return True


__all__ = ["MAX_KEPT", "Observe", "Transport"]
