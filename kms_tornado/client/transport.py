"""Transport: one exchange over HTTP, from the request to the result or the exception.

urllib3 keeps the connections, `repeats` says what may be repeated. No redirect is followed, since the token would be
sent along.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from ipaddress import ip_address
from typing import NoReturn, TypeVar
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError
from urllib3.util import Timeout, parse_url

from .. import __version__
from ..errors import KMIPError
from .connection import ConnectionSettings, DPoPToken, FixedToken, TokenSource
from .errors import ClientWarning, UnexpectedAnswer
from .exchanges import Exchange
from .failures import explain
from .per_process import PerProcess
from .pool import prepare_pool
from .repeats import send_until_answered
from .statuses import find_nonce, is_expired, make_error, needs_nonce

T = TypeVar("T")

#: Called with "request" or "answer" and the body, for people who want to see them.
Observe = Callable[[str, bytes], None]

#: The longest wait for a connection, however long the answer may take.
_CONNECT_TIMEOUT_S = 10.0


class Transport:
    """Connections to one server, with one user's token. Threads and forked processes may share it."""

    def __init__(
        self, settings: ConnectionSettings, tokens: TokenSource, observe: Observe | None = None
    ) -> None:
        self._settings = settings
        self._tokens = tokens
        self._observe = observe
        self._pool = PerProcess(prepare_pool(settings))
        self._may_warn = _is_readable_by_others(settings.server_url)
        self._nonce: str | None = None  # the server's latest, for the next DPoP proof

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a client is not pickled, as its token would be: make one in each process that is not forked"
        )

    def close(self) -> None:
        self._pool.get().clear()

    def run(self, exchange: Exchange[T]) -> T:
        """The result of the exchange. Raises ClientError, and KMIPError where the server refused."""
        if self._observe is not None and exchange.body is not None:
            self._observe("request", exchange.body)
        answer, was_repeated = self._send(exchange)
        if is_expired(answer) and self._tokens.renew():
            answer, was_repeated = self._send(exchange)
        if self._observe is not None and answer.status in (200, 422):
            self._observe("answer", answer.data)
        if answer.status in (200, 422) and "Content-Encoding" in answer.headers:
            # Nobody asked for compression: a few bytes would become gigabytes.
            raise UnexpectedAnswer("the server's answer is compressed, which it was not asked for")
        if answer.status == 200:
            return exchange.read(answer.data, answer.headers)
        error = make_error(answer)
        if isinstance(error, KMIPError) and was_repeated and exchange.conclude is not None:
            return exchange.conclude(error)
        raise error

    def _send(self, exchange: Exchange[T]) -> tuple[urllib3.BaseHTTPResponse, bool]:
        """The last answer, and whether it belongs to a repeated request."""
        token = self._tokens.token()
        if token is not None:
            self._warn_of_http()
        try:
            return send_until_answered(
                lambda: self._try(exchange, token),
                method=exchange.method,
                is_repeatable=exchange.is_repeatable,
            )
        except HTTPError as exc:
            raise explain(exc, self._settings, is_repeatable=exchange.is_repeatable) from exc

    def _try(
        self, exchange: Exchange[T], token: str | DPoPToken | None
    ) -> urllib3.BaseHTTPResponse:
        """One request. If the server asks for a nonce (RFC 9449 §9), it did nothing, and there is a second one."""
        answer = self._request(exchange, token)
        if isinstance(token, DPoPToken) and self._remember_nonce(answer) and needs_nonce(answer):
            answer = self._request(exchange, token)
            self._remember_nonce(answer)
        return answer

    def _remember_nonce(self, answer: urllib3.BaseHTTPResponse) -> bool:
        """Remember the nonce of the answer; whether it has one.

        Threads may overwrite each other's, since each is good.
        """
        nonce = find_nonce(answer)
        self._nonce = nonce or self._nonce
        return nonce is not None

    def _request(
        self, exchange: Exchange[T], token: str | DPoPToken | None
    ) -> urllib3.BaseHTTPResponse:
        url = _join(self._settings, exchange.path)
        timeout_s = self._settings.timeout_s
        return self._pool.get().urlopen(
            exchange.method,
            url,
            body=exchange.body,
            headers=self._make_headers(exchange, url, token),
            retries=False,
            redirect=False,
            decode_content=False,
            timeout=Timeout(connect=min(timeout_s, _CONNECT_TIMEOUT_S), read=timeout_s),
        )

    def _make_headers(
        self, exchange: Exchange[T], url: str, token: str | DPoPToken | None
    ) -> dict[str, str]:
        headers = dict(self._settings.custom_headers)
        headers["User-Agent"] = f"kms-tornado-client/{__version__}"
        headers["Accept"] = "application/json"
        if isinstance(token, DPoPToken):
            headers["Authorization"] = f"DPoP {token.value}"
            headers["DPoP"] = token.key.make_proof(
                exchange.method,
                parse_url(url).url,  # in the spelling in which it is asked for
                access_token=token.value,
                nonce=self._nonce,
            )
        elif token is not None:
            # This also checks the token: one with a line break would end the header.
            headers["Authorization"] = f"Bearer {FixedToken(token).value}"
        if exchange.body is not None:
            headers["Content-Type"] = "application/json"
        return headers

    def _warn_of_http(self) -> None:
        """Warn once, before the first token is sent."""
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
    """Whether requests leave this machine unencrypted."""
    url = urlsplit(server_url)
    host = url.hostname or ""
    if url.scheme == "https" or host == "localhost" or host.endswith(".localhost"):
        return False
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return True
