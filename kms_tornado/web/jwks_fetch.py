"""JWKSFetch: GET a key set or discovery document by AsyncHTTPClient, or read it from a file.

Bounded in size and time, no redirects, one request a call; what goes wrong ends here as KeySetError
with a text that an operator can act on.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import os
import re
import socket
import ssl
import stat
from urllib.parse import unquote, urlsplit

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest, HTTPResponse
from tornado.iostream import StreamClosedError
from tornado.simple_httpclient import (
    HTTPStreamClosedError,
    HTTPTimeoutError,
    SimpleAsyncHTTPClient,
)

from .. import __version__
from ..auth.issuer import RefreshPolicy
from ..auth.key_source import MAX_DOCUMENT_BYTES, Fetched
from ..errors import ConfigurationError, KeySetError

_fetching = contextvars.ContextVar("kms_tornado_fetching", default=False)


class _OncePerStateChange(logging.Filter):
    """Tornado logs each failed connection and handshake; KeyCache reports them once a state change."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not _fetching.get()


class JWKSFetch:
    """A `Fetch` (see auth.key_source) over a client of its own."""

    def __init__(self, policy: RefreshPolicy) -> None:
        """Raises ConfigurationError where the CA file cannot be used."""
        self._timeout_s = policy.timeout_s
        self._ssl = _ssl_context(policy.ca_file)
        self._client: AsyncHTTPClient | None = None

    def open(self) -> None:
        self._client = SimpleAsyncHTTPClient(
            force_instance=True,
            max_body_size=MAX_DOCUMENT_BYTES,  # counts unpacked bytes, too
            max_buffer_size=2 * MAX_DOCUMENT_BYTES,
            max_header_size=64 * 1024,
        )
        logger = logging.getLogger("tornado.general")
        if not any(isinstance(f, _OncePerStateChange) for f in logger.filters):
            logger.addFilter(_OncePerStateChange())

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    async def __call__(self, url: str, *, etag: str | None) -> Fetched:
        if urlsplit(url).scheme == "file":
            return await asyncio.to_thread(_read_file, unquote(urlsplit(url).path))
        if self._client is None:
            raise KeySetError("the token layer is not started")
        token = _fetching.set(True)
        try:
            response = await self._client.fetch(self._request(url, etag), raise_error=False)
        finally:
            _fetching.reset(token)
        if response.error is not None and not isinstance(response.error, HTTPClientError):
            raise KeySetError(f"{url}: {_explain(response.error)}") from response.error
        if response.code == 599 or isinstance(response.error, HTTPStreamClosedError):
            raise KeySetError(f"{url}: {_explain(response.error)}")
        return _fetched(response)

    def _request(self, url: str, etag: str | None) -> HTTPRequest:
        headers = {"Accept": "application/json"}
        if etag is not None:
            headers["If-None-Match"] = etag
        return HTTPRequest(
            url,
            headers=headers,
            # Firewalls of identity providers answer 403 to a library's default name.
            user_agent=f"kms-tornado/{__version__}",
            follow_redirects=False,
            connect_timeout=self._timeout_s,
            request_timeout=self._timeout_s,
            ssl_options=self._ssl if url.startswith("https:") else None,
        )


def _ssl_context(ca_file: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as exc:
        raise ConfigurationError(f"CA file {ca_file}: {exc}") from None


def _fetched(response: HTTPResponse) -> Fetched:
    return Fetched(
        status=response.code,
        body=response.body or b"",
        etag=response.headers.get("ETag"),
        max_age_s=_max_age_s(response.headers.get("Cache-Control", "")),
        location=response.headers.get("Location"),
    )


def _max_age_s(cache_control: str) -> float | None:
    """RFC 9111 §5.2.2.1; no-store and no-cache say nothing about how long a key is good."""
    match = re.search(r"(?:^|[,\s])max-age\s*=\s*\"?(\d{1,10})\b", cache_control, re.IGNORECASE)
    return float(match[1]) if match else None


def _explain(error: BaseException | None) -> str:
    """The cause in words; the most specific one of a chain."""
    while isinstance(error, (StreamClosedError, HTTPStreamClosedError)):
        inner = getattr(error, "real_error", None) or error.__cause__
        if inner is None or inner is error:
            break
        error = inner
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its TLS certificate is not accepted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or error}"
    if isinstance(error, socket.gaierror):
        return f"the host name cannot be resolved: {error.strerror}"
    if isinstance(error, HTTPTimeoutError):
        return "no whole answer in time"
    if isinstance(error, (HTTPStreamClosedError, StreamClosedError)):
        return "the connection was closed before the whole answer came, or the answer is too large"
    if isinstance(error, OSError):
        return f"no connection: {error.strerror or error}"
    return f"{type(error).__name__}: {error}"


def _read_file(path: str) -> Fetched:
    """A key set kept on disk, for a site without network."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise KeySetError(f"file {path}: no regular file")
            body = file.read(MAX_DOCUMENT_BYTES + 1)
    except OSError as exc:
        raise KeySetError(f"file {path}: {exc.strerror}") from None
    if len(body) > MAX_DOCUMENT_BYTES:
        raise KeySetError(f"file {path}: larger than {MAX_DOCUMENT_BYTES} bytes")
    return Fetched(status=200, body=body)
