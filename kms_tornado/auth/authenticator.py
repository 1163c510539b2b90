"""Authenticator: a bearer token → Principal, remembering tokens and fetching unknown keys once."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping

from ..errors import (
    AuthenticationError,
    InvalidToken,
    KeysUnavailable,
    KMSError,
    Unavailable,
    UnknownKey,
)
from .issuer import TrustSettings
from .key_cache import KeyCache
from .principal import Principal
from .token_cache import TokenCache
from .verifier import TokenVerifier

log = logging.getLogger("kms_tornado.auth")


class Authenticator:
    """The one way from a token to a Principal, whatever asks.

    caches: {issuer URI: KeyCache}, one for each issuer of the settings.
    now: seconds since the Unix epoch.
    """

    def __init__(
        self,
        settings: TrustSettings,
        caches: Mapping[str, KeyCache],
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.tokens = TokenCache(settings.cache_size)
        self.outcomes: Counter[str] = Counter()  # {"ok" or an error's reason: number}
        #: Called with the seconds that a token took which was not remembered.
        self.observe_verification: Callable[[float], None] | None = None
        self._verifier = TokenVerifier(settings)
        self._caches = caches
        self._now = now

    def recall(self, key: bytes) -> Principal | None:
        """Who a token speaks for that was verified before, and still is good; None: check it.

        key: `tokens.key` of the token.
        """
        entry = self.tokens.get(key)
        if entry is None:
            return None
        principal, verified_with, good_until = entry
        if self._now() < good_until:
            cache = self._caches[principal.issuer]
            # The first comparison nearly always settles it, and costs no call.
            if cache.fresh is verified_with or cache.usable_key_set() is verified_with:
                self.outcomes["ok"] += 1
                return principal
        self.tokens.forget(key)
        return None  # the whole check says what is wrong with it, and may put it here anew

    def check_now(self, token: str) -> Principal | None:
        """Decide without waiting; None where only a refresh of the issuer's keys can tell.

        Raises AuthenticationError.
        """
        key = self.tokens.key(token)
        return self.recall(key) or self.verify_now(token, key)

    def verify_now(self, token: str, key: bytes) -> Principal | None:
        """As check_now for a token that is not remembered; key: its own, see `recall`."""
        started = time.perf_counter()
        try:
            principal = self._verify(token, key)
        except (UnknownKey, KeysUnavailable):
            return None
        except AuthenticationError as exc:
            self.outcomes[exc.reason] += 1
            raise
        if self.observe_verification is not None:
            self.observe_verification(time.perf_counter() - started)
        self.outcomes["ok"] += 1
        return principal

    async def check(self, token: str) -> Principal:
        """Decide, waiting for one shared refresh where that may help.

        Raises AuthenticationError, or KeysUnavailable.
        """
        return self.check_now(token) or await self.check_refreshing(token)

    async def check_refreshing(self, token: str) -> Principal:
        """The rest of `check` for a token that check_now could not decide."""
        try:
            principal = await self._verify_refreshing(token)
        except (AuthenticationError, Unavailable) as exc:
            self.outcomes[exc.reason] += 1
            raise
        self.outcomes["ok"] += 1
        return principal

    def _verify(self, token: str, key: bytes) -> Principal:
        try:
            unverified, issuer = self._verifier.open(token)
            key_set = self._caches[issuer.uri].key_set()
            principal = self._verifier.verify(unverified, issuer, key_set, now=self._now())
        except KMSError:
            raise
        except Exception as exc:
            # A bug of ours that a stranger's token found: closed, counted, and in the log.
            log.exception("checking a token ended in a bug")
            raise InvalidToken(f"internal error ({type(exc).__name__})") from None
        self.tokens.put(key, principal, key_set, self._verifier.good_until(principal))
        return principal

    async def _verify_refreshing(self, token: str) -> Principal:
        unverified, issuer = self._verifier.open(token)
        cache = self._caches[issuer.uri]
        try:
            self._verifier.check_unverified_claims(unverified, issuer, now=self._now())
        except InvalidToken:
            # A token that its own claims condemn is not worth a request to the issuer; nor is
            # anything said of it before there are keys.
            try:
                cache.key_set()
            except KeysUnavailable:
                await cache.join()
                cache.key_set()
            raise
        await cache.refresh()
        return self._verify(token, self.tokens.key(token))
