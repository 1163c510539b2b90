"""The issuers that are trusted and the policy that their tokens meet: frozen, valid once they exist."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from ..errors import ConfigurationError

#: Every algorithm that can be allowed. Symmetric ones and "none" are not here, so nothing can name
#: them: a verifier that knows only public keys has no use for them (RFC 8725 §3.1).
ALGORITHMS = (
    "RS256", "RS384", "RS512",
    "PS256", "PS384", "PS512",
    "ES256", "ES384", "ES512",
    "EdDSA",
)  # fmt: skip

#: RFC 9068 §2.1 and RFC 7519 §5.1; None stands for a header without ``typ``.
DEFAULT_TOKEN_TYPES: frozenset[str | None] = frozenset({None, "jwt", "at+jwt"})

_GOOGLE = "https://accounts.google.com"


def is_loopback_host(host: str | None) -> bool:
    """Whether the host of a URL can only be this machine, whatever the resolver says."""
    if host is None:
        return False
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def check_issuer_url(url: str, what: str) -> None:
    """Refuse a URL that an on-path attacker could answer: https, or http on a loopback host only.

    Raises ConfigurationError that starts with `what`.
    """
    if any(c.isspace() or not c.isprintable() for c in url):
        raise ConfigurationError(f"{what}: the URL holds spaces or control characters")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ConfigurationError(f"{what}: no valid URL") from None
    if parts.scheme not in {"https", "http"} or not host:
        raise ConfigurationError(f"{what}: an https:// URL is needed")
    if parts.scheme == "http" and not is_loopback_host(host):
        raise ConfigurationError(f"{what}: http is for loopback hosts only, use https")
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError(f"{what}: a URL with a user name or password is not accepted")
    if "#" in url:
        raise ConfigurationError(f"{what}: a URL with a fragment is not accepted")


def default_jwks_uri(issuer: str) -> str:
    """``<issuer>/.well-known/jwks.json`` with one slash between."""
    return issuer.rstrip("/") + "/.well-known/jwks.json"


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """One ``iss`` that is believed, and where its keys are.

    uri: compared exactly with ``iss``; a trailing slash counts.
    jwks_uri: https, http on loopback, or file:///…; None means the default below the issuer.
    audiences: a token must carry one of them; empty means ``aud`` is not checked.
    """

    uri: str
    jwks_uri: str | None = None
    audiences: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        check_issuer_url(self.uri, "issuer URI")
        if "?" in self.uri:
            # OpenID Connect Core §2: an issuer has no query or fragment, not even an empty one.
            raise ConfigurationError("issuer URI: a query is not accepted")
        if self.jwks_uri is not None:
            if self.jwks_uri.lower().startswith("file:"):
                try:
                    parts = urlsplit(self.jwks_uri)
                except ValueError:
                    raise ConfigurationError("key set URI: no valid URL") from None
                if parts.netloc not in {"", "localhost"} or not parts.path.startswith("/"):
                    raise ConfigurationError("key set URI: file:/// and an absolute path is needed")
                if "?" in self.jwks_uri or "#" in self.jwks_uri or "%00" in self.jwks_uri:
                    raise ConfigurationError("key set URI: in a file name, ? is %3F and # is %23")
            else:
                check_issuer_url(self.jwks_uri, "key set URI")
        if "" in self.audiences:
            raise ConfigurationError("audience: an empty one accepts nothing")

    @property
    def spellings(self) -> tuple[str, ...]:
        """The values of ``iss`` that mean this issuer: Google leaves the scheme out at times."""
        if self.uri == _GOOGLE:
            return (self.uri, "accounts.google.com")
        return (self.uri,)


@dataclass(frozen=True, slots=True)
class RequiredClaim:
    """A claim that must equal the value, or contain it where it is a list (CONTRACT §2)."""

    name: str
    value: str | int | float | bool

    def __post_init__(self) -> None:
        if not self.name:
            raise ConfigurationError("required claim: a name is needed, as NAME=VALUE")


@dataclass(frozen=True, slots=True)
class TokenPolicy:
    """What every token must satisfy, whoever issued it.

    leeway_s: seconds of clock skew allowed on exp, nbf, iat and the maximum age.
    max_age_s: seconds since ``iat``; None means any age.
    namespace_by_issuer: user names become ``<issuer>#<name>``, so that two issuers cannot name
    the same person.
    """

    algorithms: frozenset[str] = frozenset(ALGORITHMS)
    leeway_s: float = 60.0  # 60 s as Envoy, Spring and Vault; Firebase users saw skews of 16 s
    max_age_s: float | None = None
    user_claim: str = "sub"
    allow_unverified_email: bool = False
    namespace_by_issuer: bool = False
    token_types: frozenset[str | None] = DEFAULT_TOKEN_TYPES
    required_claims: tuple[RequiredClaim, ...] = ()

    def __post_init__(self) -> None:
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
        if not self.user_claim:
            raise ConfigurationError("user claim: a name is needed")
        if not self.token_types:
            raise ConfigurationError("token types: at least one is needed")
        object.__setattr__(
            self, "token_types", frozenset(normalised_type(t) for t in self.token_types)
        )


def normalised_type(typ: str | None) -> str | None:
    """A ``typ`` as it is compared: lower case, without a leading ``application/`` (RFC 7515 §4.1.9)."""
    return None if typ is None else typ.lower().removeprefix("application/")


@dataclass(frozen=True, slots=True)
class RefreshPolicy:
    """When an issuer's keys are fetched. All in seconds; CONTRACT §2 has the options' meaning."""

    interval_s: float = 300.0  # as PyJWT's client; an unknown kid refreshes sooner
    cooldown_s: float = 30.0  # as panva/jose and PyJWT
    timeout_s: float = 5.0
    max_stale_s: float = 86400.0
    ca_file: str | None = None

    def __post_init__(self) -> None:
        if not self.interval_s >= 1:
            raise ConfigurationError("refresh interval: at least 1 second")
        if not self.cooldown_s >= 0:
            raise ConfigurationError("cooldown: not negative")
        if not 0 < self.timeout_s <= 30:
            raise ConfigurationError("key set timeout: more than 0 and at most 30 seconds")
        if not self.max_stale_s >= 0:
            raise ConfigurationError("maximum staleness: not negative")


@dataclass(frozen=True, slots=True)
class TrustSettings:
    """Everything that the token layer is told: issuers, policy, refresh, size of the memory.

    Raises ConfigurationError for the same issuer twice.
    """

    issuers: tuple[TrustedIssuer, ...]
    policy: TokenPolicy = field(default_factory=TokenPolicy)
    refresh: RefreshPolicy = field(default_factory=RefreshPolicy)
    cache_size: int = 10_000
    realm: str = "kms"

    def __post_init__(self) -> None:
        if not self.issuers:
            raise ConfigurationError("at least one issuer is needed")
        if self.cache_size < 0:
            raise ConfigurationError("token cache size: not negative")
        self.by_spelling()

    def by_spelling(self) -> Mapping[str, TrustedIssuer]:
        """{value of ``iss``: issuer}."""
        found: dict[str, TrustedIssuer] = {}
        for issuer in self.issuers:
            for spelling in issuer.spellings:
                if spelling in found:
                    raise ConfigurationError(f"the issuer {spelling} is configured twice")
                found[spelling] = issuer
        return MappingProxyType(found)


#: A claim set as parsed: JSON values, nothing checked.
UnverifiedClaims = Mapping[str, Any]
