"""Claim rules for bearer tokens (RFC 7519 §4.1, RFC 8725 §3).

Pure: `now` is an argument, nothing is fetched. Signature checks live in `signature`.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import (
    ExpiredToken,
    InsufficientScope,
    InvalidClaim,
    InvalidUserName,
    MissingClaim,
    TokenNotYetValid,
    TokenTooOld,
    UnverifiedEmail,
    WrongAudience,
)
from ...user_names import MAX_NAME_LENGTH, find_name_fault
from ..issuers.issuer import TrustedIssuer
from ..tokens.claim_path import find_claim
from ..tokens.token_policy import RequiredClaim, TokenPolicy

#: The last second of the year 9999: larger numbers are milliseconds or overflows.
_LAST_SECOND = 253402300799

#: The type of a list of strings' members; a JSON parser makes no subclasses.
_STRINGS = frozenset({str})

#: A claim set as it was parsed: JSON values, nothing checked.
UnverifiedClaims = Mapping[str, Any]


def check_claims(
    claims: UnverifiedClaims, *, issuer: TrustedIssuer, policy: TokenPolicy, now: float
) -> None:
    """Check times, audience and subject. Raises the subclass of InvalidToken for the failed rule.

    now: seconds since the Unix epoch.
    Not checked here: ``iss``, which was compared when the issuer was chosen; required claims, which
    are about what the holder may do (`check_required`); ``at_hash``, ``c_hash`` and ``nonce``, since
    no access token or session comes with the request.
    """
    check_times(claims, policy=policy, now=now)
    check_audience(claims, accepted=issuer.audiences, names=policy.audience_claims)
    check_subject(claims, policy=policy)


def check_times(claims: UnverifiedClaims, *, policy: TokenPolicy, now: float) -> None:
    """Check ``exp``, which is required, and ``nbf`` and ``iat`` where they are present, all with the same leeway.

    now: seconds since the Unix epoch.
    Raises ExpiredToken, TokenNotYetValid, TokenTooOld, MissingClaim, InvalidClaim.
    """
    leeway_s = policy.leeway_s
    expiry = parse_numeric_date(claims, "exp")
    if now >= expiry + leeway_s:  # "on or after" the time: RFC 7519 §4.1.4
        raise ExpiredToken(f"expired {now - expiry:.0f} s ago")
    if "nbf" in claims and now < parse_numeric_date(claims, "nbf") - leeway_s:
        raise TokenNotYetValid("nbf lies in the future")
    if "iat" in claims:
        issued_at = parse_numeric_date(claims, "iat")
        if now < issued_at - leeway_s:
            raise TokenNotYetValid("iat lies in the future")
        if policy.max_age_s is not None and now > issued_at + policy.max_age_s + leeway_s:
            raise TokenTooOld(f"issued {now - issued_at:.0f} s ago")
    elif policy.max_age_s is not None:
        raise MissingClaim("iat is needed to tell the age")


def parse_numeric_date(claims: UnverifiedClaims, name: str) -> float:
    """The value of a NumericDate claim (RFC 7519 §2): seconds since the Unix epoch.

    Raises MissingClaim, or InvalidClaim for anything but a finite number. Strings, booleans and null
    are refused; python-jose accepts "1_000" and true.
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
    raise InvalidClaim(f"{name} is not a time")


def check_audience(
    claims: UnverifiedClaims, *, accepted: frozenset[str], names: Sequence[str] = ("aud",)
) -> None:
    """Check that an accepted audience stands in ``aud`` (RFC 7519 §4.1.3), or in the claim that the issuer uses for it.

    accepted: the accepted audiences; where it is empty, every token passes.
    names: the names of claims, of which the first one that is present counts.
    Raises MissingClaim, InvalidClaim, WrongAudience.
    """
    if not accepted:
        return
    for name in names:
        if name in claims:
            break
    else:
        raise MissingClaim(f"{_name_any(names)} is absent", WrongAudience.description)
    audience = claims[name]
    audiences = [audience] if isinstance(audience, str) else audience
    if not isinstance(audiences, list) or not _STRINGS.issuperset(map(type, audiences)):
        raise InvalidClaim(f"{name} is neither a string nor a list of strings")
    if accepted.isdisjoint(audiences):
        raise WrongAudience(f"{name} names only other audiences")


def check_subject(claims: UnverifiedClaims, *, policy: TokenPolicy) -> None:
    """Check ``sub``: required where it names the user; elsewhere a string if it is present (RFC 7519 §4.1.2).

    Tokens of machines may have none. Where ``sub`` does not name the user, only the length of the whole token bounds
    it.
    Raises MissingClaim, InvalidClaim.
    """
    subject = claims.get("sub", "")
    # A plain name is valid for any purpose.
    if isinstance(subject, str) and _is_plain_name(subject):
        return
    if "sub" in policy.user_claims and find_user_claim(claims, policy=policy) == "sub":
        parse_name(claims, "sub")
    elif not isinstance(subject, str):
        raise InvalidClaim("sub is not a string")


def find_user_claim(claims: UnverifiedClaims, *, policy: TokenPolicy) -> str:
    """The claim that names the user: the first configured one that is present and not empty.

    Raises MissingClaim where there is none.
    """
    names = policy.user_claims
    for name in names:
        if claims.get(name) not in (None, ""):
            return name
    for name in names:
        if name in claims:
            return name
    raise MissingClaim(f"{_name_any(names)} is absent")


def _name_any(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"each of {', '.join(names)}"


def parse_name(claims: UnverifiedClaims, name: str) -> str:
    """The value of a claim that names somebody: 1 to 255 characters, no control characters.

    Raises MissingClaim, InvalidClaim.
    """
    if name not in claims:
        raise MissingClaim(f"{name} is absent")
    value = claims[name]
    if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME_LENGTH:
        raise InvalidClaim(f"{name} is not a string of 1 to {MAX_NAME_LENGTH} characters")
    # What isprintable() refuses may be an unusual space, which is fine.
    if not _is_plain_name(value) and any(unicodedata.category(c) in {"Cc", "Cs"} for c in value):
        raise InvalidClaim(f"{name} holds control characters")
    return value


def _is_plain_name(text: str) -> bool:
    """Whether a quick look is enough to see that the text is a valid name, as it is for nearly all names."""
    return 0 < len(text) <= MAX_NAME_LENGTH and text.isprintable()


def build_user_name(claims: UnverifiedClaims, *, issuer: TrustedIssuer, policy: TokenPolicy) -> str:
    """The principal's name: the value of the user claim, after ``<issuer>#`` where namespaces are on.

    An e-mail address counts only with ``email_verified: true`` (or ``"true"``, which some issuers write), because
    anybody can register with an address that is not theirs.
    Raises MissingClaim, InvalidClaim, InvalidUserName, UnverifiedEmail.
    """
    claim = find_user_claim(claims, policy=policy)
    name = claims[claim]
    fault = find_name_fault(name) if isinstance(name, str) else "is not a string"
    if fault:
        parse_name(claims, claim)  # its error is more exact for a name that nobody can have
        raise InvalidUserName(f"{claim} {fault}")
    if claim == "email" and not policy.allow_unverified_email:
        verified = claims.get("email_verified")
        if verified is not True and verified != "true":
            raise UnverifiedEmail("email_verified is not true")
    return f"{issuer.uri}#{name}" if policy.namespace_by_issuer else name


def check_required(claims: UnverifiedClaims, required: tuple[RequiredClaim, ...]) -> None:
    """Raises InsufficientScope unless every required claim has a required value."""
    for requirement in required:
        if not has_claim(claims, requirement):
            raise InsufficientScope(f"the required claim {requirement.name} is missing or differs")


def has_claim(claims: UnverifiedClaims, requirement: RequiredClaim) -> bool:
    """Whether a claim equals a required value, or is a list that contains it, or an object with that member.

    A string in ``scope`` or ``scp`` counts as a list separated by spaces (RFC 8693 §4.2), and a required one as all of
    its parts.
    """
    value = find_claim(claims, requirement.name)
    is_scope = requirement.name in {"scope", "scp"}
    if is_scope:
        values = value.split(" ") if isinstance(value, str) else value
    else:
        values = list(value) if isinstance(value, dict) else value
    if not isinstance(values, list):
        values = [values]
    if any(_is_same_value(item, required) for required in requirement.values for item in values):
        return True
    return is_scope and any(_has_all_scopes(values, required) for required in requirement.values)


def _has_all_scopes(values: Sequence[object], required: object) -> bool:
    if not isinstance(required, str) or " " not in required:
        return False
    return all(scope in values for scope in required.split(" "))


def _is_same_value(value: object, required: str | int | float | bool) -> bool:
    """Whether two JSON values are equal: 1 is 1.0, but true is not 1."""
    if isinstance(value, bool) or isinstance(required, bool):
        return value is required
    if isinstance(value, str) or isinstance(required, str):
        return isinstance(value, str) and value == required
    return isinstance(value, (int, float)) and value == required
