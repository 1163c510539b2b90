"""TokenVerifier: a token's text → Principal, step by step, each step in a module of its own.

Pure: the time is an argument and key sets are handed in; what is missing is raised, not fetched.
"""

from __future__ import annotations

from ..errors import AlgorithmNotAllowed, BadSignature, UnknownIssuer, UnknownKey, WrongTokenType
from .claims import check_claims, check_required, user_name
from .compact import UnverifiedToken, parse_token
from .issuer import TrustedIssuer, TrustSettings
from .keyset import KeySet
from .principal import Claims, Principal


class TokenVerifier:
    """The rules of one TrustSettings. Safe to share; holds no state."""

    def __init__(self, settings: TrustSettings) -> None:
        self._issuers = settings.by_spelling()
        self._policy = settings.policy

    def open(self, token: str) -> tuple[UnverifiedToken, TrustedIssuer]:
        """Everything that can be refused without a key: form, algorithm, type, issuer.

        Raises MalformedToken, AlgorithmNotAllowed, WrongTokenType, UnknownIssuer.
        """
        unverified = parse_token(token)
        header = unverified.header
        if header.alg not in self._policy.algorithms:
            raise AlgorithmNotAllowed("alg is not in the allow-list")
        if header.typ not in self._policy.token_types:
            raise WrongTokenType("typ is not accepted")
        iss = unverified.claims.get("iss")
        issuer = self._issuers.get(iss) if isinstance(iss, str) else None
        if issuer is None:
            raise UnknownIssuer(self._issuer_hint(iss))
        return unverified, issuer

    def check_unverified_claims(
        self, unverified: UnverifiedToken, issuer: TrustedIssuer, *, now: float
    ) -> None:
        """What the claims alone would be refused for; saves a refresh for a token that is no good."""
        check_claims(unverified.claims, issuer=issuer, policy=self._policy, now=now)

    def verify(
        self, unverified: UnverifiedToken, issuer: TrustedIssuer, key_set: KeySet, *, now: float
    ) -> Principal:
        """Signature first, then claims, then what the holder may do.

        key_set: the keys of this issuer; another's never verify its tokens.
        now: seconds since the Unix epoch.
        Raises UnknownKey (a refresh may help), another InvalidToken, or InsufficientScope.
        """
        header = unverified.header
        candidates = key_set.candidates(header.kid, header.alg)
        if not candidates:
            if header.kid is not None and not key_set.knows(header.kid):
                raise UnknownKey("no key has this kid")
            raise AlgorithmNotAllowed("no key of the issuer fits alg")
        for check in candidates:
            if check(unverified.signing_input, unverified.signature):
                break
        else:
            raise BadSignature("no candidate key verifies the signature")
        claims = Claims.freeze(unverified.claims)  # from here on they are the issuer's words
        check_claims(claims, issuer=issuer, policy=self._policy, now=now)
        name = user_name(claims, issuer=issuer, policy=self._policy)
        check_required(claims, self._policy.required_claims)
        return Principal(
            name=name,
            subject=claims["sub"],
            issuer=issuer.uri,
            claims=claims,
            expires_at=claims["exp"],
        )

    def good_until(self, principal: Principal) -> float:
        """When time runs out for a verified token, leeway included; seconds since the Unix epoch."""
        policy = self._policy
        until = principal.expires_at
        if policy.max_age_s is not None:
            until = min(until, principal.claims["iat"] + policy.max_age_s)
        return until + policy.leeway_s

    def _issuer_hint(self, iss: object) -> str:
        """For the log: the commonest mistake is a slash at the end (AUTH.md §2, 26 and 27)."""
        if not isinstance(iss, str):
            return "iss is absent or no string"
        for configured in self._issuers:
            if iss.rstrip("/") == configured.rstrip("/"):
                return f"iss differs from the configured {configured} only in the slash at its end"
        return "iss is not configured"
