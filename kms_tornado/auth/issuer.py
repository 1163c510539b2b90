"""What is trusted: the issuers, and when their keys are fetched. All frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import urlsplit

from ..errors import ConfigurationError
from .issuer_urls import TENANT_ID, check_for_placeholders, check_issuer_url
from .token_policy import TokenPolicy

_GOOGLE = "https://accounts.google.com"


def default_jwks_uri(issuer: str) -> str:
    """``<issuer>/.well-known/jwks.json``, with one slash between the two."""
    return issuer.rstrip("/") + "/.well-known/jwks.json"


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """An issuer whose tokens are accepted, and where its keys are.

    uri: compared with ``iss`` character by character, so a slash at the end counts.
    jwks_uri: ``https://…``, ``http://…`` on a loopback host, or ``file:///…``; None means
    ``<uri>/.well-known/jwks.json`` or what OpenID Connect discovery names.
    audiences: a token must carry one of them in ``aud``; empty means that ``aud`` is not checked.
    Raises ConfigurationError for a URL or an audience that cannot be used.
    """

    uri: str
    jwks_uri: str | None = None
    audiences: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        check_issuer_url(self.uri, "issuer URI")
        check_for_placeholders(self.uri)
        if "?" in self.uri:
            # OpenID Connect Core §2: an issuer has no query or fragment, not even an empty one.
            raise ConfigurationError("issuer URI: a URL with a query is not accepted")
        if self.jwks_uri is not None:
            if self.jwks_uri.lower().startswith("file:"):
                try:
                    parts = urlsplit(self.jwks_uri)
                except ValueError:
                    raise ConfigurationError("key set URI: not a valid URL") from None
                if parts.netloc not in {"", "localhost"} or not parts.path.startswith("/"):
                    raise ConfigurationError("key set URI: file:/// and an absolute path is needed")
                if "?" in self.jwks_uri or "#" in self.jwks_uri or "%00" in self.jwks_uri:
                    raise ConfigurationError("key set URI: in a file name, ? is %3F and # is %23")
            else:
                check_issuer_url(self.jwks_uri, "key set URI")
                if TENANT_ID.search(self.jwks_uri):
                    raise ConfigurationError("key set URI: put your tenant's ID for {tenantid}")
        if "" in self.audiences:
            raise ConfigurationError("audience: an empty one accepts no token")

    @property
    def spellings(self) -> tuple[str, ...]:
        """The values of ``iss`` that mean this issuer: Google sometimes leaves out the scheme."""
        if self.uri == _GOOGLE:
            return (self.uri, "accounts.google.com")
        return (self.uri,)


@dataclass(frozen=True, slots=True)
class RefreshPolicy:
    """When an issuer's keys are fetched. All times are seconds.

    interval_s: between two fetches, 1 at least; an unknown ``kid``, or an answer with a shorter
    ``Cache-Control: max-age``, brings the next one forward.
    cooldown_s: the shortest time between the starts of two fetches, whatever asks for them.
    timeout_s: the longest time for one fetch, and for a request to wait for it; 30 at most.
    max_stale_s: for how long the last good keys serve while fetches fail.
    ca_file: a PEM file of the CA certificates to trust for https; None means the system's.
    Raises ConfigurationError for values outside these bounds.
    """

    interval_s: float = 300.0  # as PyJWT's client; an unknown kid refreshes sooner
    cooldown_s: float = 30.0  # as panva/jose and PyJWT
    timeout_s: float = 5.0
    max_stale_s: float = 86400.0
    ca_file: str | None = None

    def __post_init__(self) -> None:
        if not self.interval_s >= 1:
            raise ConfigurationError("refresh interval: at least 1 second")
        if not self.cooldown_s >= 0:
            raise ConfigurationError("cooldown: must not be negative")
        if not 0 < self.timeout_s <= 30:
            raise ConfigurationError("key set timeout: more than 0 and at most 30 seconds")
        if not self.max_stale_s >= 0:
            raise ConfigurationError("maximum staleness: must not be negative")


@dataclass(frozen=True, slots=True)
class TrustSettings:
    """All settings of the token layer.

    issuers: one at least, each with keys and audiences of its own.
    cache_size: how many verified tokens are remembered; 0 remembers none.
    realm: the realm of the challenge ``WWW-Authenticate`` (RFC 6750 §3).
    Raises ConfigurationError without an issuer, or for the same issuer twice.
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
            raise ConfigurationError("token cache size: must not be negative")
        self.by_spelling()

    def by_spelling(self) -> Mapping[str, TrustedIssuer]:
        """{value of ``iss``: issuer}."""
        issuers: dict[str, TrustedIssuer] = {}
        for issuer in self.issuers:
            for spelling in issuer.spellings:
                if spelling in issuers:
                    raise ConfigurationError(f"the issuer {spelling} is configured twice")
                issuers[spelling] = issuer
        return MappingProxyType(issuers)

    @property
    def naming_claim(self) -> str:
        """The claims that name users, as a database remembers them."""
        return ",".join(self.policy.user_claims)
