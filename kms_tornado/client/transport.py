"""Transport: one exchange over HTTP, from the request to the result or the exception.

urllib3 keeps the connections and repeats what is repeatable (`repeats`). No redirect is followed: the token
would go along.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from ipaddress import ip_address
from typing import TypeVar
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError
from urllib3.util import Timeout

from .. import __version__
from ..errors import KMIPError
from .connection import ConnectionSettings, FixedToken, TokenSource
from .errors import ClientWarning, UnexpectedAnswer
from .exchanges import Exchange
from .failures import explain
from .pool import make_pool
from .repeats import make_repeats
from .statuses import is_expired, make_error

T = TypeVar("T")

#: Called with "request" or "answer" and the body, for people who want to see them.
Observe = Callable[[str, bytes], None]

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
        self._may_warn = _is_readable_by_others(settings.server_url)

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
        if answer.status in (200, 422) and "Content-Encoding" in answer.headers:
            # Nobody asked for that: a few bytes would become gigabytes.
            raise UnexpectedAnswer("the server's answer is compressed, which it was not asked for")
        if answer.status == 200:
            return exchange.read(answer.data, answer.headers)
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
            self._warn_of_http()
        if exchange.body is not None:
            headers["Content-Type"] = "application/json"
        timeout_s = self._settings.timeout_s
        try:
            return self._pool.urlopen(
                exchange.method,
                _join(self._settings, exchange.path),
                body=exchange.body,
                headers=headers,
                retries=make_repeats(exchange.is_repeatable),
                redirect=False,
                decode_content=False,
                timeout=Timeout(connect=min(timeout_s, _CONNECT_TIMEOUT_S), read=timeout_s),
            )
        except HTTPError as exc:
            raise explain(exc, self._settings, is_repeatable=exchange.is_repeatable) from exc

    def _warn_of_http(self) -> None:
        """Once, before the first token leaves."""
        if self._may_warn:
            self._may_warn = False
            warnings.warn(
                "the token is sent over http: anybody on the way can read it and use it; use https",
                ClientWarning,
                stacklevel=5,
            )


def _join(settings: ConnectionSettings, path: str) -> str:
    url = urlsplit(settings.server_url)
    return f"{url.scheme}://{url.netloc}{settings.prefix}{path}"


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
