"""Explains how a token fares: each check by itself, including those after the first one that fails.

Pure, and made of the same functions with which `verifier` decides. The texts are for an operator. They show the
claims that count, but never the signature, without which nobody can use the token.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ...errors import AuthenticationError, KMSError, UnknownKey
from ...wording import cut, format_count, make_printable
from ..deny_list import NOBODY, DenyList, check_not_denied
from ..issuers.issuer import TrustedIssuer, TrustSettings
from ..issuers.keyset import KeySet
from ..tokens.binding import read_binding
from ..tokens.claim_path import find_claim, find_outermost
from ..tokens.compact import UnverifiedToken, parse_token
from ..tokens.token_policy import TokenPolicy
from .claims import (
    build_user_name,
    check_audience,
    check_required,
    check_subject,
    check_times,
    find_user_claim,
)
from .groups import build_groups
from .verifier import TokenVerifier, check_signature, find_keys

_MAX_SHOWN = 200  # characters of a value


@dataclass(frozen=True, slots=True)
class Step:
    """One check of a token.

    text: what was found, or why the check failed.
    error: None where the check passed or was not made.
    """

    name: str
    text: str
    error: KMSError | None = None
    is_made: bool = True


@dataclass(frozen=True, slots=True)
class Reading:
    """A token, as far as it can be read without a key.

    unverified: None where the token is malformed.
    issuer: None where the token names no trusted issuer.
    """

    steps: Sequence[Step]
    unverified: UnverifiedToken | None = None
    issuer: TrustedIssuer | None = None


def explain_reading(token: str, settings: TrustSettings) -> Reading:
    """The checks that need no key: form, algorithm, issuer, type."""
    verifier = TokenVerifier(settings)
    try:
        unverified = parse_token(token)
    except AuthenticationError as exc:
        return Reading([Step("form", exc.detail, exc)])
    header = unverified.header
    steps = [
        Step("form", "three parts, each of which can be read in one way"),
        _check("algorithm", lambda: verifier.check_algorithm(header), f"{show(header.alg)} is allowed"),
    ]  # fmt: skip
    try:
        issuer = verifier.find_issuer(unverified)
    except AuthenticationError as exc:
        return Reading([*steps, Step("issuer", exc.detail, exc), skip("type")], unverified)
    text = f"{show(issuer.uri)} is configured"
    if issuer.tenants:
        text += f", for the tenant {show(unverified.claims.get('tid'))}"
    steps += [
        Step("issuer", text),
        _check("type", lambda: verifier.check_type(header, issuer), f"{_show_type(header.typ)} is accepted"),
    ]  # fmt: skip
    return Reading(steps, unverified, issuer)


def explain_keys(reading: Reading, key_set: KeySet) -> list[Step]:
    """Which of the issuer's keys may have signed the token, and whether one has."""
    unverified, issuer = reading.unverified, reading.issuer
    if unverified is None or issuer is None:
        return []
    kid = unverified.header.kid
    kid_text = "no kid" if kid is None else f"the kid {show(kid)}"
    keys = format_count(key_set.size, "key")
    try:
        candidates = find_keys(unverified, issuer, key_set)
    except AuthenticationError as exc:
        step = Step("key", f"{exc.detail}: the token has {kid_text}, the key set {keys}", exc)
        return [step, skip("signature")]  # fmt: skip
    text = f"the token has {kid_text}; of {keys} {len(candidates)} may have signed it"
    return [
        Step("key", text),
        _check("signature", lambda: check_signature(unverified, candidates), "one of them has"),
    ]


def explain_claims(
    reading: Reading, settings: TrustSettings, *, now: float, denied: DenyList = NOBODY
) -> list[Step]:
    """The checks of the claims, in the order in which a server makes them.

    now: seconds since the Unix epoch. denied: the deny list.
    """
    unverified, issuer = reading.unverified, reading.issuer
    if unverified is None:
        return []
    policy, claims = find_policy(reading, settings), unverified.claims
    times = _check(
        "times", lambda: check_times(claims, policy=policy, now=now), _show_times(claims)
    )
    if issuer is None:  # the accepted audience and the form of names depend on it
        names = (
            "audience", "subject", "deny list", "binding", "user name", "groups", "required claims",
        )  # fmt: skip
        return [times, *map(skip, names)]
    trusted = issuer
    audience = _show_audience(claims, policy) if issuer.audiences else "is not checked"
    steps = [
        times,
        _check("audience", lambda: check_audience(claims, accepted=trusted.audiences, names=policy.audience_claims), audience),
        _check("subject", lambda: check_subject(claims, policy=policy), f"sub is {show(claims.get('sub'))}"),
        _check(
            "deny list",
            lambda: check_not_denied(claims, issuer=trusted.uri, denied=denied),
            "does not have it" if policy.deny_file is not None else "there is none",
        ),
        _check("binding", lambda: _explain_binding(claims, policy)),
    ]  # fmt: skip
    return [*steps, *_explain_names(claims, trusted, policy)]


def find_policy(reading: Reading, settings: TrustSettings) -> TokenPolicy:
    """The policy of the token's issuer; the common one where the issuer is unknown."""
    return settings.policy if reading.issuer is None else settings.policy_of(reading.issuer)


def _explain_binding(claims: Mapping[str, Any], policy: TokenPolicy) -> str:
    if policy.bound_tokens == "off":
        return "is not looked at"
    binding = read_binding(claims, policy.bound_tokens)
    if binding is None:
        return "there is none"
    needed = [
        f"the client certificate with the SHA-256 digest {show(binding.certificate)}"
        if binding.certificate is not None
        else "",
        f"a DPoP proof by the key with the thumbprint {show(binding.key)}"
        if binding.key is not None
        else "",
    ]
    return f"each request must come with {' and '.join(filter(None, needed))}"


def _explain_names(
    claims: Mapping[str, Any], issuer: TrustedIssuer, policy: TokenPolicy
) -> list[Step]:
    def find_name() -> str:
        name = build_user_name(claims, issuer=issuer, policy=policy)
        return f"{find_user_claim(claims, policy=policy)} makes the user {show(name)}"

    def find_groups() -> str:
        if policy.group_claim is None:
            return "are not read"
        groups = build_groups(claims, issuer=issuer, policy=policy)
        return f"{policy.group_claim} makes {show(sorted(groups))}"

    required = [requirement.name for requirement in policy.required_claims]
    return [
        _check("user name", find_name),
        _check("groups", find_groups),
        _check(
            "required claims",
            lambda: check_required(claims, policy.required_claims),
            f"{', '.join(required)} as required" if required else "there are none",
        ),
    ]


def find_answer(steps: Sequence[Step]) -> KMSError | None:
    """The error with which a server answers; None where it accepts the token.

    It is the first error, since the steps come in the server's order, with one exception: where the key is unknown,
    the server looks at the claims before it fetches the issuer's keys again.
    """
    failed = [step for step in steps if step.error is not None]
    if not failed:
        return None
    if (
        isinstance(failed[0].error, UnknownKey)
        and failed[1:]
        and failed[1].name in _BEFORE_A_REFRESH
    ):
        return failed[1].error
    return failed[0].error


#: The steps of `claims.check_claims`.
_BEFORE_A_REFRESH = ("times", "audience", "subject")


def list_counting_claims(reading: Reading, settings: TrustSettings) -> dict[str, str]:
    """{name or path: value as text} of the claims in the token that play a part in any check."""
    return {show_name(name): show(value) for name, value in _find_counting(reading, settings)}


def count_other_claims(reading: Reading, settings: TrustSettings) -> int:
    """The number of the token's claims that play no part in any check."""
    if reading.unverified is None:
        return 0
    claims = reading.unverified.claims
    counting = _find_counting(reading, settings)
    return len(claims.keys() - {find_outermost(claims, name) for name, _ in counting})


def _find_counting(reading: Reading, settings: TrustSettings) -> list[tuple[str, Any]]:
    if reading.unverified is None:
        return []
    policy, claims = find_policy(reading, settings), reading.unverified.claims
    names = ["iss", "exp", "nbf", "iat", *policy.audience_claims, "sub", *policy.user_claims]
    names += ["jti", "sid"] if policy.deny_file is not None else []
    names += ["tid"] if reading.issuer is not None and reading.issuer.tenants else []
    names += ["cnf"] if policy.bound_tokens != "off" else []
    names += ["email_verified"] if "email" in policy.user_claims else []
    counting = {name: claims[name] for name in names if name in claims}
    paths = [] if policy.group_claim is None else [policy.group_claim]
    paths += [requirement.name for requirement in policy.required_claims]
    counting |= {path: value for path in paths if (value := find_claim(claims, path)) is not None}
    return list(counting.items())


def skip(name: str) -> Step:
    """The step for a check that cannot be made because an earlier one failed."""
    return Step(name, "cannot be checked without that", is_made=False)


def show(value: object) -> str:
    """A value of the token as JSON, shortened, on one line."""
    return make_printable(cut(json.dumps(value, ensure_ascii=False), _MAX_SHOWN))


def show_name(name: str) -> str:
    return make_printable(cut(name, _MAX_SHOWN))


def _check(name: str, check: Callable[[], object], text: str = "") -> Step:
    """Run a check and make its step. text: what the check found; where it is left out, the check returns the text."""
    try:
        result = check()
    except AuthenticationError as exc:
        return Step(name, exc.detail, exc)
    return Step(name, text or str(result))


def _show_type(typ: str | None) -> str:
    return "a header without typ" if typ is None else show(typ)


def _show_audience(claims: Mapping[str, Any], policy: TokenPolicy) -> str:
    name = next((name for name in policy.audience_claims if name in claims), "aud")
    return f"{name} is {show(claims.get(name))}"


def _show_times(claims: Mapping[str, Any]) -> str:
    shown = [
        f"{name} {_show_time(claims[name])}" for name in ("exp", "nbf", "iat") if name in claims
    ]
    return ", ".join(shown)  # fmt: skip


def _show_time(value: Any) -> str:
    try:
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (TypeError, ValueError, OverflowError, OSError):
        return show(value)
