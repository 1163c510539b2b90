"""Authenticator: from a bearer token to a Principal, for every issuer that is trusted."""

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
    TooManyRequests,
    Unavailable,
    UnknownKey,
)
from .bound.possession import PossessionCheck
from .bound.replays import SharedProofs
from .credentials import Credentials
from .deny_list import NOBODY, check_not_denied
from .issuers.issuer import TrustedIssuer, TrustSettings
from .issuers.key_cache import KeyCache
from .principal import Principal
from .rules.token_cache import TokenCache
from .rules.verifier import TokenVerifier, name_token
from .tokens.compact import UnverifiedToken

log = logging.getLogger("kms_tornado.auth")

_REFUSALS = (AuthenticationError, Unavailable, TooManyRequests)

# The path of a token
#
# A token takes the first of three ways that can decide about it. Only the third one waits.
#
# 1. `recall`: the token was verified before. Its digest is looked up in the TokenCache; the entry is
#    good as long as the clock has not passed its end and its issuer still uses the very KeySet object
#    that verified it. So a withdrawn key takes effect on remembered tokens with the next refresh, and
#    so does what comes on the deny list. An entry that is no longer good is dropped, and the token goes
#    on to the second way, which says what is wrong with it. This way costs about a microsecond, and
#    nearly every request takes it.
#
# 2. `verify_now`: TokenVerifier reads the token (form, algorithm, type, issuer), takes the issuer's
#    current keys from its KeyCache, checks the signature, then the claims. A token that passes is
#    remembered; a refusal never is, or a flood of bad tokens would push the good ones out. The
#    outcome None means that the keys are the problem, not the token: its `kid` is not in the key set
#    (the issuer may have rotated its keys), or there are no usable keys at all.
#
# 3. `check_refreshing`: wait for a refresh of the issuer's keys, then verify again. All requests of an
#    issuer share one refresh, and KeyCache allows one per cooldown, so strangers with made-up `kid`s
#    cannot make the server ask the issuer more often. A token whose own, unverified claims are bad
#    causes no refresh: it would be refused anyway, and expired tokens are the ones that come in
#    masses. Without any keys even such a token is answered 503: nothing can be said about a token then.
#
# A token that is bound to a certificate or a key (`binding`) has to come with it on each request (`possession`). So
# the first way never decides about one, although it is remembered and costs no signature check on the others. Where
# a proof is needed, a fourth way, `check_with_proof`, waits for a memory that other processes share.
#
# Every decision, on any of the ways, is counted once in `outcomes`.


class Authenticator:
    """The only way from a token to a Principal, whatever the transport.

    caches: {issuer URI: KeyCache}, one for each issuer of the settings.
    now: seconds since the Unix epoch. shared_proofs: as for `PossessionCheck`.
    """

    def __init__(
        self,
        settings: TrustSettings,
        caches: Mapping[str, KeyCache],
        *,
        now: Callable[[], float] = time.time,
        shared_proofs: SharedProofs | None = None,
    ) -> None:
        self._possession = PossessionCheck(settings.policy, now, shared_proofs)
        self.tokens = TokenCache(settings.cache_size)
        self.outcomes: Counter[str] = Counter()  # {"ok" or an error's reason: number}
        #: Called with the seconds that it took to verify a token which was not remembered.
        self.observe_verification: Callable[[float], None] | None = None
        #: Tokens that are refused from the moment they are listed here, even remembered ones.
        self.denied = NOBODY
        self._verifier = TokenVerifier(settings)
        #: {URI of the issuer for one tenant: KeyCache}. Tenants of an issuer share their keys.
        self._caches = {
            issuer.uri: caches[configured.uri]
            for configured in settings.issuers
            for issuer in configured.list_tenants()
        }
        self._now = now

    def recall(self, digest: bytes) -> Principal | None:
        """The principal of a token that was verified before and is still good; None means: verify it.

        digest: `tokens.digest` of the token. None for a token that is bound, as it alone is not enough.
        """
        principal = self._find_remembered(digest)
        if principal is None or principal.binding is not None:
            return None
        self.outcomes["ok"] += 1
        return principal

    def _find_remembered(self, digest: bytes) -> Principal | None:
        entry = self.tokens.get(digest)
        if entry is None:
            return None
        principal, verified_with, good_until, _ = entry
        if self._now() < good_until:
            cache = self._caches[principal.issuer]
            # The first comparison nearly always settles it, and costs no call.
            if (
                cache.fresh_key_set is verified_with or cache.find_key_set() is verified_with
            ) and not (self.denied.entries and self._is_denied(principal)):
                return principal
        self.tokens.forget(digest)
        return None

    def check_now(self, token: str, credentials: Credentials | None = None) -> Principal | None:
        """Decide about a bearer token without waiting; None where only a refresh of the issuer's keys can tell.

        credentials: that it came with, for a token that is bound. Raises AuthenticationError.
        """
        digest = self.tokens.digest(token)
        return self.recall(digest) or self.verify_now(token, digest, credentials)

    def verify_now(
        self, token: str, digest: bytes, credentials: Credentials | None = None
    ) -> Principal | None:
        """Decide about a bearer token that `recall` did not; otherwise as check_now.

        digest: `tokens.digest` of the token.
        """
        try:
            # Only a bound token is remembered here: `recall` has decided about all others.
            principal = self._find_remembered(digest) if digest in self.tokens else None
            if principal is None:
                principal = self._verify_timed(token, digest)
            self._possession.check_bearer(principal, credentials)
        except (UnknownKey, KeysUnavailable):
            return None
        except AuthenticationError as exc:
            self.outcomes[exc.reason] += 1
            raise
        self.outcomes["ok"] += 1
        return principal

    async def check_refreshing(
        self, token: str, credentials: Credentials | None = None
    ) -> Principal:
        """Decide what check_now could not, after one refresh that all waiting requests share.

        Raises AuthenticationError, or KeysUnavailable.
        """
        try:
            principal = await self._verify_refreshing(token)
            self._possession.check_bearer(principal, credentials)
        except _REFUSALS as exc:
            self.outcomes[exc.reason] += 1
            raise
        self.outcomes["ok"] += 1
        return principal

    async def check_with_proof(self, token: str, credentials: Credentials) -> Principal:
        """Decide about a token that came by the scheme DPoP (RFC 9449 §7), whether or not it is remembered.

        Raises AuthenticationError, Unavailable where keys or the memory of used proofs are out of reach, and
        TooManyRequests.
        """
        try:
            digest = self.tokens.digest(token)
            principal = self._find_remembered(digest)
            if principal is None:
                try:
                    principal = self._verify_timed(token, digest)
                except (UnknownKey, KeysUnavailable):
                    principal = await self._verify_refreshing(token)
            await self._possession.check_proof(principal, digest, credentials)
            # The web sockets of a token are closed when it comes on the list, and this one may not be there yet.
            check_not_denied(principal.claims, issuer=principal.issuer, denied=self.denied)
        except _REFUSALS as exc:
            self.outcomes[exc.reason] += 1
            raise
        self.outcomes["ok"] += 1
        return principal

    def _is_denied(self, principal: Principal) -> bool:
        return self.denied.find(principal.claims, principal.issuer) is not None

    def _verify_timed(self, token: str, digest: bytes) -> Principal:
        started = time.perf_counter()
        principal = self._verify(token, digest)
        if self.observe_verification is not None:
            self.observe_verification(time.perf_counter() - started)
        return principal

    def _verify(self, token: str, digest: bytes) -> Principal:
        try:
            unverified, issuer = self._verifier.parse(token)
            try:
                cache = self._caches[issuer.uri]
                key_set = cache.fresh_key_set or cache.require_key_set()
                principal = self._verifier.verify(
                    unverified, issuer, key_set, now=self._now(), denied=self.denied
                )
            except (AuthenticationError, KeysUnavailable) as exc:
                name_token(exc, unverified, issuer)
                raise
        except KMSError:
            raise
        except Exception as exc:
            # A bug of ours that a stranger's token triggered: refuse, count it and log it.
            log.exception("a token could not be checked because of a bug")
            raise InvalidToken(f"internal error ({type(exc).__name__})") from None
        good_until = self._verifier.compute_good_until(principal)
        self.tokens.put(digest, principal, key_set, good_until, len(token))
        return principal

    async def _verify_refreshing(self, token: str) -> Principal:
        unverified, issuer = self._verifier.parse(token)
        cache = self._caches[issuer.uri]
        try:
            await self._check_worth_refresh(unverified, issuer, cache)
        except (AuthenticationError, KeysUnavailable) as exc:
            name_token(exc, unverified, issuer)
            raise
        await cache.refresh()
        return self._verify(token, self.tokens.digest(token))

    async def _check_worth_refresh(
        self, unverified: UnverifiedToken, issuer: TrustedIssuer, cache: KeyCache
    ) -> None:
        """Refuse a token that would be refused whatever the keys are; without any, KeysUnavailable comes first."""
        try:
            self._verifier.check_unverified_claims(unverified, issuer, now=self._now())
        except InvalidToken:
            try:
                cache.require_key_set()
            except KeysUnavailable:
                await cache.join()
                cache.require_key_set()
            raise
