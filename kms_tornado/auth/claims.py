"""Claim rules for bearer tokens (RFC 7519 §4.1, RFC 8725 §3).

Pure: `now` is an argument, nothing is fetched. Signature checks live in `signature`.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping
from typing import Any

from ..errors import (
    ExpiredToken,
    InsufficientScope,
    InvalidClaim,
    MissingClaim,
    TokenNotYetValid,
    TokenTooOld,
    UnverifiedEmail,
    WrongAudience,
)
from .issuer import RequiredClaim, TokenPolicy, TrustedIssuer

MAX_NAME_LENGTH = 255  # RFC 7519 puts no bound on `sub`; OpenID Connect Core §2 says 255
#: The last second of the year 9999: later ones are milliseconds or overflows, not times.
_LAST_SECOND = 253402300799

#: What the members of a list of strings are; JSON has no subclasses of them.
_STRINGS = frozenset({str})

UnverifiedClaims = Mapping[str, Any]


def check_claims(
    claims: UnverifiedClaims, *, issuer: TrustedIssuer, policy: TokenPolicy, now: float
) -> None:
    """All rules but the required ones: those are about what the holder may do (check_required).

    now: seconds since the Unix epoch. Raises a subclass of InvalidToken that names the failed rule.
    ``iss`` was compared when the issuer was chosen; at_hash, c_hash and nonce are not checked: no
    access token or session comes with the request.
    """
    check_times(claims, policy=policy, now=now)
    check_audience(claims, accepted=issuer.audiences)
    check_name(claims, "sub")


def check_times(claims: UnverifiedClaims, *, policy: TokenPolicy, now: float) -> None:
    """``exp`` is required; ``nbf`` and ``iat`` hold where given; one leeway for all of them."""
    leeway_s = policy.leeway_s
    expiry = numeric_date(claims, "exp")
    if now >= expiry + leeway_s:  # "on or after" the time: RFC 7519 §4.1.4
        raise ExpiredToken(f"expired {now - expiry:.0f} s ago")
    if "nbf" in claims and now < numeric_date(claims, "nbf") - leeway_s:
        raise TokenNotYetValid("nbf lies in the future")
    if "iat" in claims:
        issued_at = numeric_date(claims, "iat")
        if now < issued_at - leeway_s:
            raise TokenNotYetValid("iat lies in the future")
        if policy.max_age_s is not None and now > issued_at + policy.max_age_s + leeway_s:
            raise TokenTooOld(f"issued {now - issued_at:.0f} s ago")
    elif policy.max_age_s is not None:
        raise MissingClaim("iat is needed to tell the age")


def numeric_date(claims: UnverifiedClaims, name: str) -> float:
    """A NumericDate (RFC 7519 §2). Raises MissingClaim, or InvalidClaim where it is no number.

    Strings, booleans, null and infinities are no numbers here; python-jose takes "1_000" and true.
    """
    if name not in claims:
        raise MissingClaim(f"{name} is absent")
    value = claims[name]
    if type(value) is int:
        if abs(value) > _LAST_SECOND:
            raise InvalidClaim(f"{name} is out of range")
        return value
    if type(value) is float and math.isfinite(value) and abs(value) <= _LAST_SECOND:
        return value
    raise InvalidClaim(f"{name} is no time")


def check_audience(claims: UnverifiedClaims, *, accepted: frozenset[str]) -> None:
    """At least one of the accepted audiences; a token without ``aud`` has none (RFC 7519 §4.1.3)."""
    if not accepted:
        return
    if "aud" not in claims:
        raise MissingClaim("aud is absent", WrongAudience.description)
    audience = claims["aud"]
    audiences = [audience] if isinstance(audience, str) else audience
    if not isinstance(audiences, list) or not _STRINGS.issuperset(map(type, audiences)):
        raise InvalidClaim("aud is no string or list of strings")
    if accepted.isdisjoint(audiences):
        raise WrongAudience("aud names others only")


def check_name(claims: UnverifiedClaims, name: str) -> str:
    """A claim that names somebody: 1 to 255 characters, no control characters."""
    if name not in claims:
        raise MissingClaim(f"{name} is absent")
    value = claims[name]
    if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME_LENGTH:
        raise InvalidClaim(f"{name} is no string of 1 to {MAX_NAME_LENGTH} characters")
    # isprintable() settles nearly every name; what it refuses may still be an odd space.
    if not value.isprintable() and any(unicodedata.category(c) in {"Cc", "Cs"} for c in value):
        raise InvalidClaim(f"{name} holds control characters")
    return value


def user_name(claims: UnverifiedClaims, *, issuer: TrustedIssuer, policy: TokenPolicy) -> str:
    """The principal's name: the user claim, with the issuer in front where namespaces are on.

    An e-mail address counts only with ``email_verified: true``: anybody can claim an unverified one.
    """
    name = check_name(claims, policy.user_claim)
    if (
        policy.user_claim == "email"
        and not policy.allow_unverified_email
        and claims.get("email_verified") is not True
    ):
        raise UnverifiedEmail("email_verified is not true")
    return f"{issuer.uri}#{name}" if policy.namespace_by_issuer else name


def check_required(claims: UnverifiedClaims, required: tuple[RequiredClaim, ...]) -> None:
    """Raises InsufficientScope unless every required claim equals its value or contains it."""
    for requirement in required:
        if not has_claim(claims, requirement):
            raise InsufficientScope(f"the claim {requirement.name} is missing or differs")


def has_claim(claims: UnverifiedClaims, requirement: RequiredClaim) -> bool:
    """``scope`` and ``scp`` are split at spaces (RFC 8693 §4.2); lists may contain the value."""
    value = claims.get(requirement.name)
    if requirement.name in {"scope", "scp"} and isinstance(value, str):
        value = value.split(" ")
    values = value if isinstance(value, list) else [value]
    return any(_same(item, requirement.value) for item in values)


def _same(value: object, wanted: str | int | float | bool) -> bool:
    """Equal as JSON values: 1 is 1.0, but true is not 1."""
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    if isinstance(value, str) or isinstance(wanted, str):
        return isinstance(value, str) and value == wanted
    return isinstance(value, (int, float)) and value == wanted
