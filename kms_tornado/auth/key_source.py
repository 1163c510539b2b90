"""KeySource: where one issuer's keys are read from, and by which documents one gets there.

The documents' order is decided here (CONTRACT §4); bytes come from the `fetch` that is passed in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urljoin, urlsplit

from ..errors import ConfigurationError, KeySetError
from .issuer import TrustedIssuer, check_issuer_url, default_jwks_uri
from .keyset import Discovery, KeySet, parse_document

MAX_DOCUMENT_BYTES = 1024 * 1024  # unpacked; Nimbus' 51,200 bytes were too few for real issuers
_DISCOVERY = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer: any HTTP status, or 200 for a file.

    max_age_s: seconds of ``Cache-Control: max-age``, None where not given.
    location: where a redirect points; it is reported, not followed.
    """

    status: int
    body: bytes
    etag: str | None = None
    max_age_s: float | None = None
    location: str | None = None


class Fetch(Protocol):
    async def __call__(self, url: str, *, etag: str | None) -> Fetched:
        """GET the URL once: no redirects, MAX_DOCUMENT_BYTES at most, If-None-Match with the etag.

        Raises KeySetError where no whole answer came, with a text that an operator can act on.
        """


@dataclass(frozen=True, slots=True)
class Loaded:
    key_set: KeySet
    max_age_s: float | None


class KeySource:
    """Remembers only ETags and the documents that belong to them."""

    def __init__(self, issuer: TrustedIssuer, fetch: Fetch) -> None:
        self._issuer = issuer
        self._fetch = fetch
        self._unchanged: dict[str, tuple[str, KeySet | Discovery]] = {}

    async def load(self) -> Loaded:
        """Read the issuer's current keys. Raises KeySetError; what was known stays as it was."""
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
                # A host may speak for another issuer than those below it, as Okta's org server does.
                if configured.rstrip("/") == self._issuer.uri.rstrip("/"):
                    raise
                return await self._discover(self._issuer.uri)
        else:
            url = configured
            document, max_age_s = await self._get(url)
        return await self._follow(document, url, max_age_s)

    async def _discover(self, base: str) -> Loaded:
        url = base.rstrip("/") + _DISCOVERY
        document, max_age_s = await self._get(url)
        return await self._follow(document, url, max_age_s)

    async def _follow(
        self, document: KeySet | Discovery, url: str, max_age_s: float | None
    ) -> Loaded:
        """A discovery document leads to the keys, in one step."""
        if isinstance(document, KeySet):
            return Loaded(document, max_age_s)
        self._check_discovery(document, url)
        key_set, max_age_s = await self._get(document.jwks_uri)
        if not isinstance(key_set, KeySet):
            raise KeySetError(f"{document.jwks_uri} is another discovery document, not keys")
        return Loaded(key_set, max_age_s)

    def _check_discovery(self, document: Discovery, url: str) -> None:
        """OpenID Connect Discovery §4.3: the document speaks for its own issuer only."""
        wanted = self._issuer.uri
        found = document.issuer
        if found != wanted:
            if isinstance(found, str) and found.rstrip("/") == wanted.rstrip("/"):
                raise _OtherIssuer(
                    f"{url} names the issuer {found!r}, configured is {wanted!r}: "
                    "they differ in the slash at the end; configure it as the issuer writes it"
                )
            raise _OtherIssuer(
                f"{url} names the issuer {found!r:.200}, configured is {wanted!r}: "
                "configure that issuer, or the key set URI of yours"
            )
        try:
            check_issuer_url(document.jwks_uri, "its jwks_uri")
        except ConfigurationError as exc:
            raise KeySetError(f"{url}: {exc}") from None

    async def _get(self, url: str) -> tuple[KeySet | Discovery, float | None]:
        """(document, max-age). An answer 304 is the document of last time."""
        known = self._unchanged.get(url)
        answer = await self._fetch(url, etag=known[0] if known else None)
        if answer.status == 304 and known is not None:
            return known[1], answer.max_age_s
        if answer.status == 404:
            raise _NotFound(f"{url} answered HTTP 404: no keys there; configure the key set URI")
        if 300 <= answer.status < 400 and answer.location:
            raise KeySetError(
                f"{url} redirects to {urljoin(url, answer.location):.200}, which is not followed: "
                "configure that address if you trust it"
            )
        if answer.status != 200:
            raise KeySetError(f"{url} answered HTTP {answer.status}")
        try:
            document = parse_document(answer.body)
        except KeySetError as exc:
            raise KeySetError(f"{url}: {exc}") from None
        if answer.etag is not None:
            self._unchanged[url] = (answer.etag, document)
        else:
            self._unchanged.pop(url, None)
        return document, answer.max_age_s


class _NotFound(KeySetError):
    """404: the default place is empty, which discovery may mend."""


class _OtherIssuer(KeySetError):
    """A discovery document that speaks for somebody else."""
