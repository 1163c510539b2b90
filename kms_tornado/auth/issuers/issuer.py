"""What is trusted: the issuers, and when their keys are fetched. All frozen."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ...argument_types import check_field_types, make_path, make_texts, make_tuple
from ...errors import ConfigurationError
from ...user_names import find_user_fault
from ..request_url import normalise_url
from ..tokens.token_policy import RequiredClaim, TokenPolicy
from .issuer_urls import (
    TENANT_PLACE,
    check_file_url,
    check_issuer_name,
    check_issuer_url,
    check_key_set_place,
    check_tenant_place,
    check_token_can_name,
    find_origin,
    is_host,
    normalise_host,
)

_GOOGLE = "https://accounts.google.com"
#: Fields of TokenPolicy that an issuer may have of its own.
_OWN_RULES = ("audience_claim", "user_claim", "required_claims", "token_types")
#: A tenant's ID takes its place in a URL.
_TENANT = re.compile(r"[A-Za-z0-9._-]{1,255}", re.ASCII)


def default_jwks_uri(issuer: str) -> str:
    """``<issuer>/.well-known/jwks.json``, with one slash between the two."""
    return issuer.rstrip("/") + "/.well-known/jwks.json"


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """An issuer whose tokens are accepted, where its keys are, and what differs for its tokens.

    uri: compared with ``iss`` character by character, so a slash at the end counts. A URL of https, or of http
    on a loopback host; with a jwks_uri any StringOrURI (RFC 7519 §2), in which ``{tenantid}`` stands for each
    of the tenants.
    jwks_uri: ``https://…``, ``http://…`` on a loopback host where the issuer is on one, or ``file:///…``; None
    means ``<uri>/.well-known/jwks.json`` or what OpenID Connect discovery names.
    audiences: a token must carry one of them; empty means that none is needed. As with jwks_allow_http and tenants,
    any iterable is taken, and a text alone is one entry.
    audience_claim, user_claim, required_claims, token_types: as in TokenPolicy, for this issuer's tokens; None
    leaves it to the policy.
    jwks_token_file: holds a bearer token for fetching the keys, which is sent to the hosts of uri and jwks_uri alone.
    jwks_allow_http: hosts to which http is allowed for the keys. tenants: values of ``tid``, one of which a token must have;
    empty means that it is not looked at.
    Raises ConfigurationError for a name, a URL, an audience or a tenant that cannot be used.
    """

    uri: str
    jwks_uri: str | None = None
    audiences: frozenset[str] = frozenset()
    audience_claim: str | tuple[str, ...] | None = None
    user_claim: str | tuple[str, ...] | None = None
    required_claims: tuple[RequiredClaim, ...] | None = None
    token_types: frozenset[str | None] | None = None
    jwks_token_file: str | None = None
    jwks_allow_http: frozenset[str] = frozenset()
    tenants: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self._normalise()
        check_field_types(self)
        hosts = self.jwks_allow_http
        if self.jwks_uri is None:
            check_issuer_url(self.uri, "issuer URI", http_hosts=hosts)
            if "?" in self.uri:
                # OpenID Connect Core §2: an issuer has no query or fragment, not even an empty one.
                raise ConfigurationError("issuer URI: a URL with a query is not accepted")
        else:
            check_issuer_name(self.uri, "issuer URI")
            self._check_key_set_uri(self.jwks_uri)
        if not all(map(is_host, hosts)):
            raise ConfigurationError("a host name or an address is needed", "jwks_allow_http")
        check_tenant_place(self.uri, has_tenants=bool(self.tenants))
        if TENANT_PLACE in self.uri and self.jwks_uri is None:
            raise ConfigurationError(
                f"issuer URI: with {TENANT_PLACE}, the key set URI is needed, as "
                "https://login.microsoftonline.com/common/discovery/v2.0/keys"
            )
        check_token_can_name(self.uri)
        if "" in self.audiences:
            raise ConfigurationError("audience: an empty one accepts no token")
        for tenant in self.tenants:
            if not _TENANT.fullmatch(tenant):
                raise ConfigurationError("tenant: letters, digits, dots, dashes and underscores")

    def _normalise(self) -> None:
        """Any iterable is taken, and a text alone."""
        hosts = make_texts(self.jwks_allow_http, "jwks_allow_http")
        # What it sets by itself has to make sense without other settings, too.
        policy = TokenPolicy(**self.own_rules)
        fields: dict[str, object] = {
            "audiences": frozenset(make_texts(self.audiences, "audiences")),
            "tenants": frozenset(make_texts(self.tenants, "tenants")),
            "jwks_allow_http": frozenset(map(normalise_host, hosts)),
            "jwks_token_file": make_path(self.jwks_token_file, "jwks_token_file"),
            **{name: getattr(policy, name) for name in self.own_rules},
        }
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    @property
    def own_rules(self) -> dict[str, Any]:
        """{field of TokenPolicy: the issuer's own value} of those that it has."""
        own = {name: getattr(self, name) for name in _OWN_RULES}
        return {name: value for name, value in own.items() if value is not None}

    def _check_key_set_uri(self, url: str) -> None:
        if url.lower().startswith("file:"):
            check_file_url(url, "key set URI")
            return
        check_key_set_place(url)
        self.check_key_url(url, "key set URI")

    def check_key_url(self, url: str, what: str) -> None:
        """Refuse a URL where this issuer's keys must not be fetched.

        what: the beginning of the text of the ConfigurationError.
        """
        check_issuer_url(url, what, issuer=self.uri, http_hosts=self.jwks_allow_http)

    @property
    def has_address(self) -> bool:
        """Whether documents may be fetched below the issuer itself; else it is only a name."""
        try:
            check_issuer_url(self.uri, "", http_hosts=self.jwks_allow_http)
        except ConfigurationError:
            return False
        return TENANT_PLACE not in self.uri and "?" not in self.uri

    @property
    def spellings(self) -> tuple[str, ...]:
        """The values of ``iss`` that mean this issuer: Google sometimes leaves out the scheme."""
        if self.uri == _GOOGLE:
            return (self.uri, "accounts.google.com")
        return (self.uri,)

    def list_tenants(self) -> tuple[TrustedIssuer, ...]:
        """The issuers that tokens name: itself, or one for each tenant, whose keys are the same."""
        if TENANT_PLACE not in self.uri:
            return (self,)
        return tuple(
            replace(self, uri=self.uri.replace(TENANT_PLACE, tenant), tenants=frozenset({tenant}))
            for tenant in sorted(self.tenants)
        )

    def may_have_token(self, url: str) -> bool:
        """Whether the token in jwks_token_file may be sent to this URL: only to the configured hosts."""
        origin = find_origin(url)
        return origin is not None and origin in (
            find_origin(self.uri),
            None if self.jwks_uri is None else find_origin(self.jwks_uri),
        )


def make_trusted_issuer(
    uri: str,
    audiences: str | Iterable[str],
    jwks_uri: str | None,
    jwks_token_file: str | Path | None,
    jwks_allow_http: str | Iterable[str],
    tenants: str | Iterable[str],
) -> TrustedIssuer:
    """Convert an application's arguments. Raises ConfigurationError as TrustedIssuer does."""
    return TrustedIssuer(
        uri,
        jwks_uri,
        frozenset(make_texts(audiences, "audience")),
        jwks_token_file=make_path(jwks_token_file, "jwks_token_file"),
        jwks_allow_http=frozenset(make_texts(jwks_allow_http, "jwks_allow_http")),
        tenants=frozenset(make_texts(tenants, "tenants")),
    )


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
        object.__setattr__(self, "ca_file", make_path(self.ca_file, "ca_file"))
        check_field_types(self)
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
    public_url: the URL by which clients reach the application, with which DPoP proofs are compared. Without one they
    are good on a loopback address alone.
    Raises ConfigurationError without an issuer, for the same issuer twice, and for an issuer that no name of a
    user can begin with where `TokenPolicy.namespace_by_issuer` is set.
    """

    issuers: tuple[TrustedIssuer, ...]
    policy: TokenPolicy = field(default_factory=TokenPolicy)
    refresh: RefreshPolicy = field(default_factory=RefreshPolicy)
    cache_size: int = 10_000
    realm: str = "kms"
    public_url: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "issuers", make_tuple(self.issuers, "issuers"))
        check_field_types(self)
        if self.public_url is not None:
            object.__setattr__(self, "public_url", self.public_url.rstrip("/"))
            if normalise_url(self.public_url) is None or {"?", "#"} & set(self.public_url):
                raise ConfigurationError(
                    "public URL: one of http or https is needed, without a query"
                )
        if not self.issuers:
            raise ConfigurationError("at least one issuer is needed")
        if self.cache_size < 0:
            raise ConfigurationError("token cache size: must not be negative")
        for uri in self.by_spelling():
            if self.policy.namespace_by_issuer and ("#" in uri or find_user_fault(f"{uri}#user")):
                # <issuer>#<name> has to tell where the issuer ends, and to be a name that a grant can have.
                raise ConfigurationError(
                    f"the issuer {uri} cannot stand in front of user names: it has a # or begins with group: or cert:"
                )

    def by_spelling(self) -> Mapping[str, TrustedIssuer]:
        """{value of ``iss``: the issuer that it means, for one tenant}."""
        issuers: dict[str, TrustedIssuer] = {}
        for configured in self.issuers:
            for issuer in configured.list_tenants():
                for spelling in issuer.spellings:
                    if spelling in issuers:
                        raise ConfigurationError(f"the issuer {spelling} is configured twice")
                    issuers[spelling] = issuer
        return MappingProxyType(issuers)

    @property
    def issuer_uris(self) -> list[str]:
        """The prefixes of users' names where namespaces are on: the URIs of the issuers, and of each tenant."""
        return [one.uri for issuer in self.issuers for one in issuer.list_tenants()]

    def find_configured(self, issuer: TrustedIssuer) -> TrustedIssuer:
        """The configured issuer to which the issuer of one tenant belongs. All its tenants share its keys."""
        return next(one for one in self.issuers if issuer in one.list_tenants())

    def policy_of(self, issuer: TrustedIssuer) -> TokenPolicy:
        """What a token of the issuer must satisfy."""
        own = issuer.own_rules
        return replace(self.policy, **own) if own else self.policy

    @property
    def naming_claim(self) -> str:
        """The claims that name users, in the form in which a database remembers them."""
        return ",".join(self.policy.user_claims)

    @property
    def own_naming_claims(self) -> tuple[tuple[str, str], ...]:
        """(issuer of one tenant; the claims that name its users), where these differ from `naming_claim`."""
        claims = {
            one.uri: ",".join(self.policy_of(one).user_claims)
            for issuer in self.issuers
            for one in issuer.list_tenants()
        }
        return tuple(sorted(item for item in claims.items() if item[1] != self.naming_claim))
