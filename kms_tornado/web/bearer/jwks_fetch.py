"""JWKSFetch: fetches a key set or discovery document over HTTP(S), or reads it from a file.

A call makes one request, bounded in size and time, and follows no redirect. Every failure becomes a
KeySetError with a text that an operator can act on.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import re
import socket
import ssl
from urllib.parse import unquote_to_bytes, urlsplit

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest, HTTPResponse
from tornado.iostream import StreamClosedError, UnsatisfiableReadError
from tornado.simple_httpclient import HTTPStreamClosedError, HTTPTimeoutError

from ... import __version__
from ...auth.bearer import is_bearer_token
from ...auth.issuers.issuer import RefreshPolicy, TrustedIssuer
from ...auth.issuers.key_source import MAX_DOCUMENT_BYTES, Fetch, FetchResult, KeySource
from ...auth.regular_file import read_regular_file
from ...errors import ConfigurationError, KeySetError
from .fetch_client import FetchClient, abandon_when_cancelled, silence_tornado
from .proxy import Proxy, build_proxy_arguments, find_proxy, make_proxy_client

log = logging.getLogger("kms_tornado.keys")

#: Some servers answer 406 where none of the types is theirs: that of RFC 7517 §8.5, JSON, or what a host of
#: static files takes the document for.
_ACCEPT = "application/jwk-set+json, application/json;q=0.9, */*;q=0.5"
_MAX_TOKEN_BYTES = 64 * 1024


class JWKSFetch:
    """A `Fetch` (see auth.issuers.key_source) with HTTP clients of its own, which exist between `open` and `close`."""

    def __init__(self, policy: RefreshPolicy) -> None:
        """Raises ConfigurationError where the CA file cannot be used."""
        # A little shorter than the refresh as a whole: only the fetch can say what was slow.
        self._timeout_s = 0.95 * policy.timeout_s
        self._ca_file = policy.ca_file
        # Read again at each fetch over TLS. The system's are not read before: that takes a twentieth of a second.
        self._ssl = None if policy.ca_file is None else _make_context(policy.ca_file)
        self._ca_problem: str | None = None
        self._client: AsyncHTTPClient | None = None
        self._proxy_client: AsyncHTTPClient | None = None

    def open(self) -> None:
        """Make the client. Needs a running event loop."""
        self._client = FetchClient(
            force_instance=True,
            max_body_size=MAX_DOCUMENT_BYTES,  # counts decompressed bytes as well
            max_buffer_size=2 * MAX_DOCUMENT_BYTES,
            max_header_size=64 * 1024,
        )
        silence_tornado()

    def close(self) -> None:
        """Close the clients; `open` may follow."""
        for client in (self._client, self._proxy_client):
            if client is not None:
                client.close()
        self._client = self._proxy_client = None

    def check_ca_file(self) -> None:
        """Raise ConfigurationError where a CA file is configured that cannot be used now."""
        if self._ca_file is not None:  # reading the system's takes too long for the event loop
            _make_context(self._ca_file)

    async def _read_ca_file(self) -> None:
        """Trust what the CA file contains now, or the system's CAs. If the file cannot be used, keep what it had."""
        try:
            self._ssl = await asyncio.to_thread(_make_context, self._ca_file)
        except ConfigurationError as exc:
            if exc.text != self._ca_problem:  # once, and not for every fetch
                self._ca_problem = exc.text
                log.error("the CA certificates that were read before stay in use: %s", exc.text)
        else:
            self._ca_problem = None

    def with_token(self, token_file: str) -> Fetch:
        """The same with a bearer token, read from the file for each request. For hosts that may have the token."""
        return functools.partial(self, token_file=token_file)

    async def __call__(
        self, url: str, *, etag: str | None, token_file: str | None = None
    ) -> FetchResult:
        if urlsplit(url).scheme == "file":
            path = os.fsdecode(unquote_to_bytes(urlsplit(url).path))
            body = await asyncio.to_thread(_read_file, path, MAX_DOCUMENT_BYTES)
            return FetchResult(status=200, body=body)
        if self._client is None:
            raise KeySetError(
                "its BearerAuth is not started: `async with auth:`, or `await auth.start()`",
                "not started",
            )
        headers = {"Accept": _ACCEPT}
        if etag is not None:
            headers["If-None-Match"] = etag
        if token_file is not None:
            headers["Authorization"] = await asyncio.to_thread(_read_authorization, token_file)
        try:
            async with abandon_when_cancelled():
                proxy = find_proxy(url)
                if urlsplit(url).scheme == "https":
                    await self._read_ca_file()
                client = self._client if proxy is None else self._client_for_proxies()
                # raise_error=False concerns answers such as 404; without any answer, fetch still raises.
                response = await client.fetch(self._request(url, headers, proxy), raise_error=False)
        except ConfigurationError as exc:  # a discovered URL that needs a proxy
            raise KeySetError(f"{url}: {exc}", "proxy") from exc
        except (OSError, ValueError, HTTPClientError, UnsatisfiableReadError) as exc:
            raise KeySetError(f"{url}: {_explain(exc)}", _name_cause(exc)) from exc
        return _convert_response(response)

    def _client_for_proxies(self) -> AsyncHTTPClient:
        if self._proxy_client is None:
            self._proxy_client = make_proxy_client(MAX_DOCUMENT_BYTES)
        return self._proxy_client

    def _request(self, url: str, headers: dict[str, str], proxy: Proxy | None) -> HTTPRequest:
        return HTTPRequest(
            url,
            **(
                {"ssl_options": self._ssl}
                if proxy is None
                else build_proxy_arguments(proxy, self._ca_file)
            ),
            headers=headers,
            # Some identity providers' firewalls answer 403 to the default name of a library.
            user_agent=f"kms-tornado/{__version__}",
            follow_redirects=False,
            connect_timeout=self._timeout_s,
            request_timeout=self._timeout_s,
        )


def make_key_source(issuer: TrustedIssuer, fetch: JWKSFetch, refresh: RefreshPolicy) -> KeySource:
    """The source of the issuer's keys, which sends the configured token where the issuer has one."""
    file = issuer.jwks_token_file
    return KeySource(
        issuer,
        fetch,
        fetch_with_token=None if file is None else fetch.with_token(file),
        timeout_s=refresh.timeout_s,
    )


def _make_context(ca_file: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as exc:
        raise ConfigurationError(f"CA file {ca_file}: {exc}", "ca_file") from None


def _convert_response(response: HTTPResponse) -> FetchResult:
    return FetchResult(
        status=response.code,
        body=response.body or b"",
        etag=response.headers.get("ETag"),
        max_age_s=_parse_max_age_s(response.headers.get("Cache-Control", "")),
        location=response.headers.get("Location"),
    )


def _parse_max_age_s(cache_control: str) -> float | None:
    """The seconds of max-age (RFC 9111 §5.2.2.1), None without it.

    no-store and no-cache are ignored: they do not say how long a key is good.
    """
    match = re.search(r"(?:^|[,\s])max-age\s*=\s*\"?(\d{1,10})\b", cache_control, re.IGNORECASE)
    return float(match[1]) if match else None


def _explain(error: BaseException) -> str:
    """The cause of a failed fetch, for an operator: the most specific error of a chain."""
    error = _find_innermost(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its TLS certificate is not accepted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or error}"
    if isinstance(error, socket.gaierror):
        return f"the host name cannot be resolved: {error.strerror}"
    if isinstance(error, HTTPTimeoutError):
        return f"no complete answer in time ({error.message})"
    if isinstance(error, (HTTPStreamClosedError, StreamClosedError, UnsatisfiableReadError)):
        return (
            "the connection was closed before a complete HTTP answer came, or the answer is larger "
            f"than {MAX_DOCUMENT_BYTES} bytes"
        )
    if isinstance(error, ConnectionResetError):
        return "the connection was reset before a complete answer came"
    if isinstance(error, HTTPClientError) and error.code == 599:
        return f"no answer through the proxy: {error.message}"
    if isinstance(error, OSError):
        return f"no connection: {error.strerror or error}"
    return f"the request could not be made ({type(error).__name__}: {error})"


def _name_cause(error: BaseException) -> str:
    """The cause of a failed fetch in words that anybody may read."""
    causes: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
        (ssl.SSLCertVerificationError, "certificate"),
        (ssl.SSLError, "TLS"),
        (socket.gaierror, "host name not found"),
        ((HTTPTimeoutError, TimeoutError), "timeout"),
        (ConnectionRefusedError, "connection refused"),
        ((HTTPStreamClosedError, StreamClosedError, UnsatisfiableReadError), "connection closed"),
        (ConnectionError, "connection closed"),
        (HTTPClientError, "proxy"),
        (OSError, "no connection"),
    )
    error = _find_innermost(error)
    return next((cause for types, cause in causes if isinstance(error, types)), "no connection")


def _find_innermost(error: BaseException) -> BaseException:
    while isinstance(error, StreamClosedError) and error.real_error is not None:
        error = error.real_error
    return error


def _read_file(path: str, max_bytes: int) -> bytes:
    """The contents of the file. Raises KeySetError for anything but a regular file of at most that size."""
    try:
        return read_regular_file(path, max_bytes)
    except OSError as exc:
        raise KeySetError(f"file {path}: {exc.strerror}", "file") from None
    except ValueError:  # a zero byte, or a character that the file system's encoding lacks
        raise KeySetError("the file name is not valid", "file") from None


def _read_authorization(path: str) -> str:
    """The value of the header, which never appears in an error's text. Raises KeySetError."""
    token = _read_file(path, _MAX_TOKEN_BYTES).strip().decode("latin-1")
    if not is_bearer_token(token):
        raise KeySetError(f"file {path}: it does not hold a bearer token, and nothing else", "file")
    return f"Bearer {token}"
