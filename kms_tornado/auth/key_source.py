"""KeySource: which documents lead to one issuer's keys, and in which order they are fetched.

Bytes come from the `fetch` that is passed in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urljoin, urlsplit

from ..errors import ConfigurationError, KeySetError
from .issuer import TrustedIssuer, check_issuer_url, default_jwks_uri
from .keyset import Discovery, KeySet, parse_document

MAX_DOCUMENT_BYTES = 1024 * 1024  # uncompressed; Nimbus' 51,200 bytes are too few for real issuers
_DISCOVERY = "/.well-known/openid-configuration"


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
    """An HTTP client, as far as a KeySource needs one."""

    async def __call__(self, url: str, *, etag: str | None) -> FetchResult:
        """GET the URL once, without following redirects; at most MAX_DOCUMENT_BYTES are accepted.

        etag: the value of ``If-None-Match``, None for a request without it.
        Raises KeySetError where no complete answer came, with a text that an operator can act on.
        """


@dataclass(frozen=True, slots=True)
class LoadedKeys:
    """An issuer's keys, and for how many seconds its answer may be cached (None: it does not say)."""

    key_set: KeySet
    max_age_s: float | None


class KeySource:
    """Fetches the documents of one issuer; their ETags spare it those that have not changed."""

    def __init__(self, issuer: TrustedIssuer, fetch: Fetch) -> None:
        self._issuer = issuer
        self._fetch = fetch
        #: {URL: (ETag, the document it belongs to)}
        self._last_documents: dict[str, tuple[str, KeySet | Discovery]] = {}

    async def load(self) -> LoadedKeys:
        """Fetch the issuer's current keys. Raises KeySetError.

        - Without a configured URI: ``<issuer>/.well-known/jwks.json``; if that is 404, discovery.
        - A configured URI without a path: discovery there, then at the issuer.
        - Any other configured URI is fetched as it is.

        Whichever of them answers with a discovery document: its ``jwks_uri`` is fetched.
        """
        configured = self._issuer.jwks_uri
        if configured is None:
            url = default_jwks_uri(self._issuer.uri)
            try:
                document, max_age_s = await self._get(url)
            except _NotFound:
                return await self._discover(self._issuer.uri)
        elif urlsplit(configured).scheme != "file" and urlsplit(configured).path in {"", "/"}:
            try:
                return await self._discover(configured)
            except (_NotFound, _OtherIssuer):
                # The host may be an issuer itself, other than those below it, as Okta's org server is.
                if configured.rstrip("/") == self._issuer.uri.rstrip("/"):
                    raise
                return await self._discover(self._issuer.uri)
        else:
            url = configured
            document, max_age_s = await self._get(url)
        return await self._follow(document, url, max_age_s)

    async def _discover(self, base: str) -> LoadedKeys:
        url = base.rstrip("/") + _DISCOVERY
        document, max_age_s = await self._get(url)
        return await self._follow(document, url, max_age_s)

    async def _follow(
        self, document: KeySet | Discovery, url: str, max_age_s: float | None
    ) -> LoadedKeys:
        """From a document to the keys: a discovery document leads there in exactly one step."""
        if isinstance(document, KeySet):
            return LoadedKeys(document, max_age_s)
        self._check_discovery(document, url)
        key_set, max_age_s = await self._get(document.jwks_uri)
        if not isinstance(key_set, KeySet):
            raise KeySetError(f"{document.jwks_uri} is another discovery document, not a key set")
        return LoadedKeys(key_set, max_age_s)

    def _check_discovery(self, document: Discovery, url: str) -> None:
        """The document must name the configured issuer (OpenID Connect Discovery §4.3)."""
        configured = self._issuer.uri
        named = document.issuer
        if named != configured:
            if isinstance(named, str) and named.rstrip("/") == configured.rstrip("/"):
                raise _OtherIssuer(
                    f"{url} names the issuer {named!r}, but {configured!r} is configured: they "
                    "differ in the slash at the end; configure it as the issuer writes it"
                )
            raise _OtherIssuer(
                f"{url} names the issuer {named!r:.200}, but {configured!r} is configured: "
                "configure that issuer, or the key set URI of your issuer"
            )
        try:
            check_issuer_url(document.jwks_uri, "its jwks_uri")
        except ConfigurationError as exc:
            raise KeySetError(f"{url}: {exc}") from None

    async def _get(self, url: str) -> tuple[KeySet | Discovery, float | None]:
        """(document, max-age in seconds). An answer 304 stands for the document of last time."""
        last = self._last_documents.get(url)
        answer = await self._fetch(url, etag=last[0] if last else None)
        if answer.status == 304 and last is not None:
            return last[1], answer.max_age_s
        if answer.status == 404:
            raise _NotFound(f"{url} answered HTTP 404: it has no keys; configure the key set URI")
        if 300 <= answer.status < 400 and answer.location:
            raise KeySetError(
                f"{url} redirects to {urljoin(url, answer.location):.200}, and redirects are not "
                "followed: configure that address if you trust it"
            )
        if answer.status != 200:
            raise KeySetError(f"{url} answered HTTP {answer.status}")
        try:
            document = parse_document(answer.body)
        except KeySetError as exc:
            raise KeySetError(f"{url}: {exc}") from None
        if answer.etag is not None:
            self._last_documents[url] = (answer.etag, document)
        else:
            self._last_documents.pop(url, None)
        return document, answer.max_age_s


class _NotFound(KeySetError):
    """404: nothing is at the default address; discovery may know another one."""


class _OtherIssuer(KeySetError):
    """A discovery document of another issuer."""
