"""BearerAuth: the token layer as a Tornado application holds it: started, refreshed, stopped."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Protocol, Self

from tornado.ioloop import PeriodicCallback

from ...auth.authenticator import Authenticator
from ...auth.bearer import is_compact, parse_authorization
from ...auth.issuer import RefreshPolicy, TokenPolicy, TrustedIssuer, TrustSettings
from ...auth.key_cache import KeyCache, KeyStatus
from ...auth.key_source import KeySource
from ...auth.principal import Claims, Principal
from ...auth.signature import check_backend
from ...errors import AuthenticationError
from .jwks_fetch import JWKSFetch
from .proxy import check_proxy_can_be_used

log = logging.getLogger("kms_tornado.auth")

_TICK_MS = 500  # how late a due refresh may start


class RequestAuth(Protocol):
    """What handlers ask of ``settings["bearer_auth"]``."""

    @property
    def realm(self) -> str: ...

    def check_now(self, authorization: Sequence[str]) -> Principal | None:
        """Decide by the Authorization header's values; None where only a refresh of keys can tell.

        Raises AuthenticationError.
        """

    async def check_refreshing(self, authorization: Sequence[str]) -> Principal:
        """What check_now could not decide. Raises AuthenticationError, Unavailable."""


class BearerAuth:
    """Checks bearer tokens of the configured issuers; keeps their keys fresh while it is started.

    Several may live in one process. Belongs to the event loop it was started on. Not started, it
    refuses every token (503): there are no keys.
    """

    def __init__(self, settings: TrustSettings) -> None:
        """Raises ConfigurationError for a CA file, a backend or a proxy that cannot be used."""
        check_backend()
        for issuer in settings.issuers:
            check_proxy_can_be_used(issuer.jwks_uri or issuer.uri)
        self.settings = settings
        self._fetch = JWKSFetch(settings.refresh)
        self._caches = {
            issuer.uri: KeyCache(issuer, KeySource(issuer, self._fetch).load, settings.refresh)
            for issuer in settings.issuers
        }
        self.authenticator = Authenticator(settings, self._caches)
        self._callback: PeriodicCallback | None = None

    @classmethod
    def from_issuer(
        cls,
        issuer: str,
        *,
        audience: str | Iterable[str] = (),
        jwks_uri: str | None = None,
        refresh: RefreshPolicy | None = None,
        realm: str = "kms",
        cache_size: int = 10_000,
        **policy: Any,
    ) -> Self:
        """For the tokens of one issuer; `policy` are fields of TokenPolicy.

        audience: one or several, of which a token must carry at least one; without any, tokens
        that the issuer made for other services are accepted, and the log says so.
        """
        audiences = frozenset({audience} if isinstance(audience, str) else audience)
        return cls(
            TrustSettings(
                issuers=(TrustedIssuer(issuer, jwks_uri, audiences),),
                policy=TokenPolicy(**policy),
                refresh=refresh or RefreshPolicy(),
                realm=realm,
                cache_size=cache_size,
            )
        )

    @property
    def realm(self) -> str:
        return self.settings.realm

    def check_now(self, authorization: Sequence[str]) -> Principal | None:
        authenticator = self.authenticator
        if len(authorization) == 1 and authorization[0].startswith("Bearer "):
            token = authorization[0][7:]
            key = authenticator.tokens.key(token)
            # What was verified before needs no grammar; what fails it is nowhere remembered.
            principal = authenticator.remembered(key)
            if principal is not None:
                return principal
            if is_compact(token):
                return authenticator.verify_now(token, key)
        try:
            token = parse_authorization(authorization)
        except AuthenticationError as exc:
            authenticator.outcomes[exc.reason] += 1
            raise
        return authenticator.check_now(token)

    def known(self, authorization: Sequence[str]) -> Principal | None:
        """Whose token was verified before and still is good; None: ask check_now, nothing is decided.

        Of a token that is not known nothing is counted.
        """
        if len(authorization) != 1 or not authorization[0].startswith("Bearer "):
            return None
        tokens = self.authenticator.tokens
        key = tokens.key(authorization[0][7:])
        return self.authenticator.remembered(key) if key in tokens else None

    async def check_refreshing(self, authorization: Sequence[str]) -> Principal:
        return await self.authenticator.check_refreshing(parse_authorization(authorization))

    async def start(self) -> None:
        """Begin to fetch keys; returns at once. Requests wait for the first fetch, within its limit."""
        if self._callback is not None:
            return
        for issuer in self.settings.issuers:
            if not issuer.audiences:
                log.warning(
                    "issuer %s: NO AUDIENCE is configured: every token of this issuer is accepted, "
                    "also those made for other services",
                    issuer.uri,
                )
        self._fetch.open()
        self._callback = PeriodicCallback(self._tick, _TICK_MS, jitter=0.1)
        self._callback.start()
        self._tick()  # the callback's own first run comes only after its period

    async def stop(self) -> None:
        """Stop refreshing and let nothing run on. May be started again."""
        if self._callback is not None:
            self._callback.stop()
            self._callback = None
        for cache in self._caches.values():
            await cache.stop()
        self._fetch.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    def refresh_soon(self) -> None:
        """Fetch all keys again, as far as the cooldown allows; what SIGHUP does."""
        for cache in self._caches.values():
            cache.start_refresh()

    def status(self) -> Sequence[KeyStatus]:
        """One entry an issuer, in the order of the settings."""
        return [cache.status() for cache in self._caches.values()]

    def fetches(self) -> Mapping[str, Mapping[str, int]]:
        """{issuer: {"ok" or "failed": number of refreshes}}."""
        return {uri: dict(cache.fetches) for uri, cache in self._caches.items()}

    def _tick(self) -> None:
        for cache in self._caches.values():
            cache.tick()


class InsecureNoAuth:
    """No token check at all: every request is one user. For --insecure-no-auth, on loopback."""

    realm = "kms"

    def __init__(self, username: str) -> None:
        self._principal = Principal(
            name=username, subject=username, issuer="", claims=Claims(), expires_at=math.inf
        )

    def check_now(self, authorization: Sequence[str]) -> Principal:
        return self._principal

    def known(self, authorization: Sequence[str]) -> Principal:
        return self._principal

    async def check_refreshing(self, authorization: Sequence[str]) -> Principal:
        return self._principal
