"""TokenVerifier: the rules for one token, in order; each step is a function of another module.

`explaining` takes the same steps, but does not stop at the first one that fails. Pure: the time is an argument and
key sets are passed in. A missing key raises an error; nothing is fetched here.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from ...errors import (
    AlgorithmNotAllowed,
    AuthenticationError,
    BadSignature,
    InsufficientScope,
    KeysUnavailable,
    UnknownIssuer,
    UnknownKey,
    WrongTokenType,
)
from ..deny_list import NOBODY, DenyList, check_not_denied
from ..issuers.issuer import TrustedIssuer, TrustSettings
from ..issuers.keyset import KeySet
from ..principal import Claims, Principal
from ..tokens.binding import read_binding
from ..tokens.compact import UnverifiedHeader, UnverifiedToken, parse_header, parse_token
from ..tokens.signature import Verify
from ..tokens.token_policy import TokenPolicy
from .claims import build_user_name, check_claims, check_required
from .groups import build_groups

# An issuer signs all its tokens with one or two headers. Only well-formed headers are remembered:
# lru_cache keeps no exception. 256 headers of at most 16 KiB bound what a flood can occupy.
_REMEMBERED_HEADERS = 256


def name_token(
    error: AuthenticationError | KeysUnavailable,
    unverified: UnverifiedToken,
    issuer: TrustedIssuer | None = None,
) -> None:
    """Add the key ID and the issuer of a refused token to the error, for the log."""
    error.key_id = unverified.header.kid or ""
    if issuer is not None:
        error.issuer = issuer.uri


class TokenVerifier:
    """Applies the rules of one TrustSettings. It remembers nothing but parsed headers, which decide nothing."""

    def __init__(self, settings: TrustSettings) -> None:
        self._issuers = settings.by_spelling()
        self._policy = settings.policy  # the policy for issuers without one of their own
        self._policies = {uri: settings.policy_of(one) for uri, one in self._issuers.items()}
        self._parse_header = lru_cache(_REMEMBERED_HEADERS)(parse_header)

    def parse(self, token: str) -> tuple[UnverifiedToken, TrustedIssuer]:
        """Check everything about a token that needs no key: form, algorithm, issuer, type.

        Raises MalformedToken, AlgorithmNotAllowed, UnknownIssuer, WrongTokenType.
        """
        unverified = parse_token(token, self._parse_header)
        try:
            self.check_algorithm(unverified.header)
            issuer = self.find_issuer(unverified)
            self.check_type(unverified.header, issuer)
        except AuthenticationError as exc:
            name_token(exc, unverified)
            raise
        return unverified, issuer

    def check_algorithm(self, header: UnverifiedHeader) -> None:
        """Raises AlgorithmNotAllowed."""
        if header.alg not in self._policy.algorithms:
            raise AlgorithmNotAllowed("alg is not in the allow-list")

    def check_type(self, header: UnverifiedHeader, issuer: TrustedIssuer) -> None:
        """Raises WrongTokenType."""
        if header.typ not in self._policies[issuer.uri].token_types:
            raise WrongTokenType("typ is not accepted")

    def find_issuer(self, unverified: UnverifiedToken) -> TrustedIssuer:
        """The issuer that the token names, or its one tenant that the token names. All further checks depend on it.

        Raises UnknownIssuer.
        """
        iss = unverified.claims.get("iss")
        issuer = self._issuers.get(iss) if isinstance(iss, str) else None
        if issuer is None:
            raise UnknownIssuer(self._explain_unknown_issuer(iss))
        if issuer.tenants:
            tenant = unverified.claims.get("tid")
            if not (isinstance(tenant, str) and tenant in issuer.tenants):
                raise UnknownIssuer("tid is not the tenant of iss")
        return issuer

    def policy_of(self, issuer: TrustedIssuer) -> TokenPolicy:
        """What tokens of the issuer must satisfy. issuer: as find_issuer returns it."""
        return self._policies[issuer.uri]

    def check_unverified_claims(
        self, unverified: UnverifiedToken, issuer: TrustedIssuer, *, now: float
    ) -> None:
        """Refuse a token whose claims are not acceptable: it would be refused even after a refresh of the keys."""
        check_claims(unverified.claims, issuer=issuer, policy=self.policy_of(issuer), now=now)

    def verify(
        self,
        unverified: UnverifiedToken,
        issuer: TrustedIssuer,
        key_set: KeySet,
        *,
        now: float,
        denied: DenyList = NOBODY,
    ) -> Principal:
        """Check the signature first, then the claims, then what the holder may do.

        key_set: the keys of this issuer; another issuer's keys never verify its tokens.
        now: seconds since the Unix epoch.
        denied: the deny list.
        Raises UnknownKey (a refresh may help), another InvalidToken, or InsufficientScope.
        """
        check_signature(unverified, find_keys(unverified, issuer, key_set))
        claims = Claims.freeze(unverified.claims)  # from here on they are verified
        policy = self._policies[issuer.uri]
        check_claims(claims, issuer=issuer, policy=policy, now=now)
        check_not_denied(claims, issuer=issuer.uri, denied=denied)
        binding = read_binding(claims, policy.bound_tokens)
        name = build_user_name(claims, issuer=issuer, policy=policy)
        groups = build_groups(claims, issuer=issuer, policy=policy)
        try:
            check_required(claims, policy.required_claims)
        except InsufficientScope as exc:
            if binding is None:  # a bound token is good with its key alone, which comes later
                exc.user = name
            raise
        return Principal(
            name,
            claims.get("sub", ""),
            issuer.uri,
            claims,
            claims["exp"],
            unverified.header.kid or "",
            groups,
            binding,
        )

    def compute_good_until(self, principal: Principal) -> float:
        """When a verified token stops being good, leeway included; seconds since the Unix epoch."""
        policy = self._policy
        end = principal.expires_at
        if policy.max_age_s is not None:
            end = min(end, principal.claims["iat"] + policy.max_age_s)
        return end + policy.leeway_s

    def _explain_unknown_issuer(self, iss: object) -> str:
        """The text for the log. The most common mistake is a slash at the end."""
        if not isinstance(iss, str):
            return "iss is absent or not a string"
        for configured in self._issuers:
            if iss.rstrip("/") == configured.rstrip("/"):
                return f"iss differs from the configured {configured} only in the slash at its end"
        return "iss is not configured"


def find_keys(
    unverified: UnverifiedToken, issuer: TrustedIssuer, key_set: KeySet
) -> Sequence[Verify]:
    """The checks of a signature by each of the issuer's keys that may have signed the token, at least one.

    Raises UnknownKey (a refresh may help), BadSignature, AlgorithmNotAllowed.
    """
    header = unverified.header
    candidates = key_set.find_candidates(
        header.kid, header.alg, issuer.spellings, unverified.claims.get("tid")
    )
    if not candidates:
        if header.kid is not None and not key_set.has_kid(header.kid):
            raise UnknownKey("no key has this kid")
        if key_set.has_key(header.kid, header.alg):
            raise BadSignature("the member issuer of the key names another issuer")
        raise AlgorithmNotAllowed("no key of the issuer fits alg")
    return candidates


def check_signature(unverified: UnverifiedToken, candidates: Sequence[Verify]) -> None:
    """Raises BadSignature."""
    for verify_signature in candidates:
        if verify_signature(unverified.signing_input, unverified.signature):
            return
    raise BadSignature("no candidate key verifies the signature")
