"""TokenPolicy: what every token must satisfy, as a frozen value that refuses nonsense."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict, Unpack

from ...argument_types import check_field_types, check_type, make_path, make_texts, make_tuple
from ...errors import ConfigurationError, WrongArgumentType
from .binding import BINDING_RULES
from .claim_path import check_claim_path

#: Every algorithm that can be allowed. Symmetric algorithms and "none" are absent, so no setting can
#: allow them: a verifier that has only public keys has no use for them (RFC 8725 §3.1).
ALGORITHMS = (
    "RS256", "RS384", "RS512",
    "PS256", "PS384", "PS512",
    "ES256", "ES384", "ES512",
    "EdDSA",
)  # fmt: skip

#: By which the issuers of --dev and of applications' tests sign.
DEV_ALGORITHM = "ES256"

#: RFC 9068 §2.1 and RFC 7519 §5.1; None stands for a header without ``typ``.
DEFAULT_TOKEN_TYPES: frozenset[str | None] = frozenset({None, "jwt", "at+jwt"})

ClaimValue = str | int | float | bool


@dataclass(frozen=True, slots=True)
class RequiredClaim:
    """A claim that must equal a value, or be a list that contains it, or an object with that member.

    name: the name of the claim, or where it stands (`claim_path`).
    value: the required value, or several, any one of which is enough.
    A string in ``scope`` or ``scp`` counts as a list separated by spaces, so that "a b" asks for both.
    Numbers are compared as JSON numbers, so 1 equals 1.0; true equals only true.
    Raises ConfigurationError for an empty name, and where there is no value.
    """

    name: str
    value: ClaimValue | tuple[ClaimValue, ...]

    def __post_init__(self) -> None:
        check_type(self.name, str, "name")
        if not self.name:
            raise ConfigurationError("required claim: a name is needed, as NAME=VALUE")
        check_claim_path(self.name, "required claim")
        if self.value == ():
            raise ConfigurationError("required claim: a value is needed")
        if not all(is_claim_value(value) for value in self.values):
            raise ConfigurationError(
                "required claim: a value is a text, a number, True or False; several stand in a tuple"
            )

    @property
    def values(self) -> tuple[ClaimValue, ...]:
        """The values of which the claim must have one."""
        return self.value if isinstance(self.value, tuple) else (self.value,)


@dataclass(frozen=True, slots=True)
class TokenPolicy:
    """What every token must satisfy, whichever issuer it is from.

    algorithms: those of `ALGORITHMS` that are accepted; Ed25519 means EdDSA.
    leeway_s: seconds of clock skew, 0 to 300, allowed for ``exp``, ``nbf``, ``iat`` and the maximum
    age.
    max_age_s: the greatest age in seconds, counted from ``iat``; None accepts any age.
    audience_claim: where the audience stands, a claim or several, of which the first that is present counts.
    user_claim: the claim that names the user, or several, of which the first that is present and not empty
    does; with ``email``, ``email_verified`` must be true unless allow_unverified_email is set.
    namespace_by_issuer: names of users and groups become ``<issuer>#<name>``, so that two issuers cannot
    name the same one.
    token_types: accepted values of ``typ``, lower case without ``application/``; None stands for a
    token without ``typ``.
    required_claims: all of them must be met, or the answer is 403 insufficient_scope; one alone needs no tuple.
    deny_file: lists tokens that are refused all the same (`deny_list`); None refuses none.
    group_claim: the claim that names the user's groups, or where it stands (`claim_path`); None reads none.
    bound_tokens: what is done about tokens that are bound to a certificate or a key, one of `BINDING_RULES`.
    needs_dpop_nonce: whether each DPoP proof must have a nonce that was given here (RFC 9449 §9).
    Raises ConfigurationError for values that make no sense.
    """

    algorithms: frozenset[str] = frozenset(ALGORITHMS)
    leeway_s: float = 60.0  # 60 s as Envoy, Spring and Vault; Firebase users saw skews of 16 s
    max_age_s: float | None = None
    audience_claim: str | tuple[str, ...] = ("aud",)
    user_claim: str | tuple[str, ...] = ("sub",)
    allow_unverified_email: bool = False
    namespace_by_issuer: bool = False
    token_types: frozenset[str | None] = DEFAULT_TOKEN_TYPES
    required_claims: tuple[RequiredClaim, ...] = ()
    group_claim: str | None = None
    deny_file: str | None = None
    bound_tokens: str = "checked"
    needs_dpop_nonce: bool = False

    def __post_init__(self) -> None:
        self._normalise()
        check_field_types(self)
        unknown = sorted(self.algorithms - set(ALGORITHMS))
        if unknown:
            raise ConfigurationError(
                f"algorithm {unknown[0]!r} cannot be allowed; known are {' '.join(ALGORITHMS)}"
            )
        if not self.algorithms:
            raise ConfigurationError("algorithms: at least one is needed")
        if not 0 <= self.leeway_s <= 300:
            raise ConfigurationError("leeway: 0 to 300 seconds")
        if self.max_age_s is not None and not self.max_age_s > 0:
            raise ConfigurationError("maximum age: more than 0 seconds")
        for names, what in (
            (self.audience_claims, "audience claim"),
            (self.user_claims, "user claim"),
        ):
            if not names or "" in names:
                raise ConfigurationError(f"{what}: a name is needed")
        if self.group_claim is not None:
            check_claim_path(self.group_claim, "group claim")
        if self.bound_tokens not in BINDING_RULES:
            raise ConfigurationError(f"bound tokens: one of {' '.join(BINDING_RULES)}")
        if not self.token_types:
            raise ConfigurationError("token types: at least one is needed")

    def _normalise(self) -> None:
        """Any iterable is taken, and a text alone."""
        types = make_tuple(self.token_types, "token_types")
        check_type(types, tuple[str | None, ...], "token_types")
        algorithms = make_texts(self.algorithms, "algorithms")
        fields: dict[str, object] = {
            "algorithms": frozenset(map(normalise_algorithm, algorithms)),
            "audience_claim": make_texts(self.audience_claim, "audience_claim"),
            "user_claim": make_texts(self.user_claim, "user_claim"),
            "token_types": frozenset(map(normalise_type, types)),
            "required_claims": _make_claims(self.required_claims),
            "deny_file": make_path(self.deny_file, "deny_file"),
        }
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    @property
    def audience_claims(self) -> tuple[str, ...]:
        """The names in `audience_claim`."""
        names = self.audience_claim
        return (names,) if isinstance(names, str) else names

    @property
    def user_claims(self) -> tuple[str, ...]:
        """The names in `user_claim`."""
        names = self.user_claim
        return (names,) if isinstance(names, str) else names


class TokenPolicyArguments(TypedDict, total=False):
    """The fields of TokenPolicy as an application writes them down; a string alone counts as one entry."""

    algorithms: str | Iterable[str]
    leeway_s: float
    max_age_s: float | None
    audience_claim: str | Iterable[str]
    user_claim: str | Iterable[str]
    allow_unverified_email: bool
    namespace_by_issuer: bool
    token_types: str | Iterable[str | None]
    required_claims: RequiredClaim | Iterable[RequiredClaim]
    group_claim: str | None
    deny_file: str | Path | None
    bound_tokens: str
    needs_dpop_nonce: bool


def make_token_policy(**arguments: Unpack[TokenPolicyArguments]) -> TokenPolicy:
    """Convert an application's arguments; what is left out keeps its default.

    Raises ConfigurationError as TokenPolicy does.
    """
    fields: dict[str, Any] = dict(arguments)
    return TokenPolicy(**fields)


def is_claim_value(value: object) -> bool:
    """Whether a claim can have the value: JSON has no NaN and no Infinity."""
    return isinstance(value, (str, int)) or (isinstance(value, float) and math.isfinite(value))


def _make_claims(claims: object) -> tuple[RequiredClaim, ...]:
    """The required claims.

    Raises WrongArgumentType for a value that no claim can equal. If it were found only at the first token, nobody
    could get in.
    """
    several = (claims,) if isinstance(claims, RequiredClaim) else claims
    if isinstance(several, Iterable) and not isinstance(several, (str, bytes, Mapping)):
        entries = tuple(several)
        if all(isinstance(claim, RequiredClaim) for claim in entries):
            return entries
    raise WrongArgumentType(
        'write each as RequiredClaim("scope", "orders:read")', "required_claims"
    )


def normalise_algorithm(alg: str) -> str:
    """The name that is used here: EdDSA stands for Ed25519, too.

    RFC 9864 names the curve together with the algorithm, and Ed25519 is the only curve for EdDSA here.
    """
    return "EdDSA" if alg == "Ed25519" else alg


def normalise_type(typ: str | None) -> str | None:
    """The form in which ``typ`` is compared: lower case, without ``application/`` (RFC 7515 §4.1.9)."""
    return None if typ is None else typ.lower().removeprefix("application/")
