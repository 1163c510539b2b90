"""KeySource: which documents lead to one issuer's keys, and in which order they are fetched.

Bytes come from the `fetch` that is passed in.
"""

from __future__ import annotations

import asyncio
import dataclasses
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urljoin, urlsplit

from ...errors import ConfigurationError, KeySetError
from .issuer import TrustedIssuer, default_jwks_uri
from .keyset import Discovery, KeySet, parse_document

MAX_DOCUMENT_BYTES = 1024 * 1024  # uncompressed; Nimbus' 51,200 bytes are too few for real issuers


@dataclass(frozen=True, slots=True)
class FetchResult:
    """An answer of any HTTP status; a file has status 200.

    max_age_s: the seconds of ``Cache-Control: max-age``, None without it.
    location: where a redirect points to; it is reported, not followed.
    """

    status: int
    body: bytes
    etag: str | None = None
    max_age_s: float | None = None
    location: str | None = None


class Fetch(Protocol):
    """The HTTP client that a KeySource needs."""

    async def __call__(self, url: str, *, etag: str | None) -> FetchResult:
        """GET the URL once, without following redirects; at most MAX_DOCUMENT_BYTES are accepted.

        etag: the value of ``If-None-Match``, None for a request without it.
        Raises KeySetError where no complete answer came, with a text that an operator can act on.
        """


@dataclass(frozen=True, slots=True)
class LoadedKeys:
    """An issuer's keys, the document they came in, and for how many seconds it may be cached (None: not stated)."""

    key_set: KeySet
    max_age_s: float | None
    document: bytes = b""


@dataclass(frozen=True, slots=True)
class _Document:
    """A fetched document, as it came and parsed."""

    content: KeySet | Discovery
    body: bytes
    max_age_s: float | None


class KeySource:
    """Fetches the documents of one issuer. Their ETags save fetching those that have not changed."""

    def __init__(
        self,
        issuer: TrustedIssuer,
        fetch: Fetch,
        *,
        fetch_with_token: Fetch | None = None,
        timeout_s: float | None = None,
    ) -> None:
        """fetch_with_token: fetches from the hosts to which the issuer's token may be sent; None where it has no
        token.

        timeout_s: for all requests of one `load` together, which the caller then ends; None means no limit.
        """
        self._issuer = issuer
        self._fetch = fetch
        self._fetch_with_token = fetch_with_token
        #: How long to wait for the first of two places; a little time is left to report which one was slow.
        self._patience_s = None if timeout_s is None else 0.45 * timeout_s
        #: {URL: (ETag, the document it belongs to)}
        self._last_documents: dict[str, tuple[str, _Document]] = {}

    async def load(self) -> LoadedKeys:
        """Fetch the issuer's current keys. Raises KeySetError.

        - Without a configured URI: ``<issuer>/.well-known/jwks.json``, which is a guess; where no key set
          is there, discovery at the issuer.
        - A configured URI without a path: discovery there, then at the issuer. Where that is only a name, the
          URI itself, as SPIFFE's bundle endpoints are.
        - Any other configured URI is fetched as it is, and nothing else.

        Whichever of them answers with a discovery document: its ``jwks_uri`` is fetched.
        """
        configured = self._issuer.jwks_uri
        if configured is None:
            first = default_jwks_uri(self._issuer.uri)
        elif urlsplit(configured).scheme != "file" and urlsplit(configured).path in {"", "/"}:
            first = _build_discovery_url(configured)
        else:
            return await self._load_from(configured)
        if self._issuer.has_address or configured is None:
            second = _build_discovery_url(self._issuer.uri)
        else:
            second = configured
        if first == second:
            return await self._load_from(first)
        return await self._load_from_either(first, second)

    async def _load_from_either(self, first: str, second: str) -> LoadedKeys:
        """The keys to which `first` leads, else those to which `second` leads.

        An answer from a place that nobody configured says nothing about the issuer: it may be a sign-in page, a
        redirect to one, 401, 403, 404, 405, or none at all. A configured host may itself be an issuer, distinct from
        those below it, as Okta's org server is.
        """
        attempt = asyncio.create_task(self._load_from(first))
        try:
            await asyncio.wait({attempt}, timeout=self._patience_s)
            if attempt.done() and not isinstance(attempt.exception(), KeySetError):
                return attempt.result()
            try:
                async with asyncio.timeout(self._patience_s):
                    return await self._load_from(second)
            except TimeoutError:
                problem = KeySetError(f"{second}: no complete answer in time", "timeout")
            except KeySetError as exc:
                problem = exc
            try:
                return await attempt
            except KeySetError as exc:
                cause = problem.cause if exc.cause == "HTTP 404" else exc.cause
                raise KeySetError(f"{exc}; discovery: {problem}", cause) from None
        finally:
            attempt.cancel()
            await asyncio.gather(attempt, return_exceptions=True)

    async def _load_from(self, url: str) -> LoadedKeys:
        """From a place to the keys: a discovery document leads there in exactly one step."""
        document = await self._get(url)
        discovery = document.content
        if isinstance(discovery, Discovery):
            self._check_discovery(discovery, url)
            try:
                document = await self._get(discovery.jwks_uri)
            except KeySetError as exc:
                raise KeySetError(f"{exc} ({url} names this address)", exc.cause) from None
        if not isinstance(document.content, KeySet):
            assert isinstance(discovery, Discovery)
            raise KeySetError(
                f"{discovery.jwks_uri}, which {url} names, is another discovery document, not a key set"
            )
        return LoadedKeys(document.content, document.max_age_s, document.body)

    def _check_discovery(self, document: Discovery, url: str) -> None:
        """The document must name the configured issuer (OpenID Connect Discovery §4.3)."""
        configured = self._issuer.uri
        issuer = document.issuer
        if issuer != configured:
            if isinstance(issuer, str) and issuer.rstrip("/") == configured.rstrip("/"):
                raise KeySetError(
                    f"{url} names the issuer {issuer!r}, but {configured!r} is configured: they "
                    "differ in the slash at the end; configure it as the issuer writes it",
                    "another issuer",
                )
            raise KeySetError(
                f"{url} names the issuer {issuer!r:.200}, but {configured!r} is configured: "
                "configure that issuer, or the key set URI of your issuer",
                "another issuer",
            )
        try:
            self._issuer.check_key_url(document.jwks_uri, "its jwks_uri")
        except ConfigurationError as exc:
            raise KeySetError(f"{url}: {exc}") from None

    async def _get(self, url: str) -> _Document:
        """Fetch a document. For an answer 304, the document of the last fetch is returned."""
        last = self._last_documents.get(url)
        fetch = self._fetch
        if self._fetch_with_token is not None and self._issuer.may_have_token(url):
            fetch = self._fetch_with_token
        answer = await fetch(url, etag=last[0] if last else None)
        if answer.status == 304 and last is not None:
            etag, document = last
            # Without it, that with which the document came goes on (RFC 9111 §4.3.4).
            if answer.max_age_s is not None:
                document = dataclasses.replace(document, max_age_s=answer.max_age_s)
                self._last_documents[url] = (etag, document)
            return document
        cause = f"HTTP {answer.status}"
        if answer.status == 404:
            raise KeySetError(
                f"{url} answered HTTP 404: it has no keys; configure the key set URI", cause
            )
        if 300 <= answer.status < 400 and answer.location:
            raise KeySetError(
                f"{url} redirects to {urljoin(url, answer.location):.200}, and redirects are not "
                "followed: configure that address if you trust it",
                cause,
            )
        if answer.status != 200:
            raise KeySetError(f"{url} answered HTTP {answer.status}", cause)
        try:
            # A thousand keys take a fifth of a second, which is the requests' that come meanwhile.
            content = await asyncio.to_thread(parse_document, answer.body)
        except KeySetError as exc:
            raise KeySetError(f"{url}: {exc}", exc.cause) from None
        document = _Document(content, answer.body, answer.max_age_s)
        if answer.etag is not None:
            self._last_documents[url] = (answer.etag, document)
        else:
            self._last_documents.pop(url, None)
        return document


def _build_discovery_url(base: str) -> str:
    """OpenID Connect Discovery §4: below the path of an issuer, if it has one."""
    return base.rstrip("/") + "/.well-known/openid-configuration"
