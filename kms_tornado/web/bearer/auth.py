"""BearerAuth: the token layer as a Tornado application holds it: started, refreshed, stopped."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from tornado.ioloop import PeriodicCallback

from ...auth.authenticator import Authenticator
from ...auth.bearer import is_compact, parse_authorization
from ...auth.credentials import Credentials
from ...auth.issuer import RefreshPolicy, TokenPolicy, TrustedIssuer, TrustSettings
from ...auth.key_cache import KeyCache, KeyStatus
from ...auth.key_source import KeySource
from ...auth.principal import Principal
from ...auth.request_auth import AuthStatistics
from ...auth.signature import check_backend
from ...errors import AuthenticationError
from .jwks_fetch import JWKSFetch
from .proxy import check_proxy_can_be_used
from .tornado_internals import TOKEN_LAYER, check_tornado

log = logging.getLogger("kms_tornado.auth")

_TICK_MS = 500  # how late a due refresh may start


class BearerAuth:
    """Checks bearer tokens of the configured issuers; keeps their keys fresh while it is started.

    Several may live in one process. Belongs to the event loop it was started on. Not started, it
    refuses every token (503): there are no keys.
    """

    def __init__(self, settings: TrustSettings) -> None:
        """Raises ConfigurationError for a CA file, a backend or a proxy that cannot be used.

        So it does where the installed Tornado lacks a name that the token layer needs.
        """
        check_tornado(TOKEN_LAYER)
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

    @property
    def issuers(self) -> Sequence[str]:
        """The issuers' URIs, in the order of the settings."""
        return [issuer.uri for issuer in self.settings.issuers]

    def check_now(self, credentials: Credentials) -> Principal | None:
        authenticator = self.authenticator
        authorization = credentials.authorization
        if len(authorization) == 1 and authorization[0].startswith("Bearer "):
            token = authorization[0][7:]
            key = authenticator.tokens.key(token)
            # What was verified before needs no grammar; what fails it is nowhere remembered.
            principal = authenticator.recall(key)
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

    def recall(self, credentials: Credentials) -> Principal | None:
        authorization = credentials.authorization
        if len(authorization) != 1 or not authorization[0].startswith("Bearer "):
            return None
        tokens = self.authenticator.tokens
        key = tokens.key(authorization[0][7:])
        return self.authenticator.recall(key) if key in tokens else None

    async def check_refreshing(self, credentials: Credentials) -> Principal:
        token = parse_authorization(credentials.authorization)
        return await self.authenticator.check_refreshing(token)

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

    def statistics(self) -> AuthStatistics:
        authenticator = self.authenticator
        tokens = authenticator.tokens
        return AuthStatistics(
            outcomes=authenticator.outcomes,
            remembered_hits=tokens.hits,
            remembered_misses=tokens.misses,
            remembered=len(tokens),
            key_fetches=self.fetches(),
        )

    def observe_verifications(self, observe: Callable[[float], None]) -> None:
        self.authenticator.observe_verification = observe

    def _tick(self) -> None:
        for cache in self._caches.values():
            cache.tick()
