"""BearerAuth: the token check of a Tornado application, with its keys kept fresh in the background."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack

from ...argument_types import check_type
from ...auth.authenticator import Authenticator
from ...auth.bearer import BEARER, DPOP, SCHEMES, OfferedToken, is_compact, parse_authorization
from ...auth.bound.proof_key import list_proof_algorithms
from ...auth.bound.replays import SharedProofs
from ...auth.credentials import Credentials
from ...auth.deny_file import DenyFile
from ...auth.deny_list import DenyList
from ...auth.issuers.issuer import (
    RefreshPolicy,
    TrustedIssuer,
    TrustSettings,
    make_trusted_issuer,
)
from ...auth.issuers.kept_keys import KeptKeys
from ...auth.issuers.key_cache import KeyCache
from ...auth.issuers.key_status import KeyStatus
from ...auth.principal import Principal
from ...auth.request_auth import AuthStatistics
from ...auth.tokens.signature import check_backend
from ...auth.tokens.token_policy import TokenPolicyArguments, make_token_policy
from ...errors import AuthenticationError
from ...redaction import mask_logs
from .arguments import check_argument_names, choose_spelling
from .jwks_fetch import JWKSFetch, make_key_source
from .proxy import check_proxy_can_be_used
from .tornado_internals import TOKEN_LAYER, check_tornado
from .upkeep import Upkeep
from .web_sockets import WebSockets

if TYPE_CHECKING:
    from tornado.websocket import WebSocketHandler

log = logging.getLogger("kms_tornado.auth")


class BearerAuth:
    """Checks the bearer tokens of the configured issuers, and keeps their keys fresh once started.

    ``async with BearerAuth(settings) as auth:``, or `start` and `stop`, on the event loop that serves
    the requests; ``Application(routes, bearer_auth=auth)`` makes it known to the handlers. A process may
    have several. Before `start` it has no keys, and every token is answered 503.
    """

    def __init__(
        self,
        settings: TrustSettings,
        *,
        keep: Callable[[TrustedIssuer], KeptKeys] | None = None,
        shared_proofs: SharedProofs | None = None,
    ) -> None:
        """Make a token check; nothing is fetched yet.

        keep: makes the place where an issuer's last good keys are kept for a restart; None keeps none.
        shared_proofs: lets several processes share which DPoP proofs were used; None where there is only this
        process.
        Raises ConfigurationError for a CA file, a deny file or a proxy that cannot be used, for python-jose without
        its cryptography backend, and for a version of Tornado that lacks a name which the token layer needs.
        """
        check_type(settings, TrustSettings, "settings")
        check_type(shared_proofs, SharedProofs | None, "shared_proofs")
        check_tornado(TOKEN_LAYER)
        mask_logs()
        check_backend()
        for issuer in settings.issuers:
            check_proxy_can_be_used(issuer.jwks_uri or issuer.uri)
        self.settings = settings
        refresh = settings.refresh
        self._fetch = self._make_fetch(refresh)
        self._caches = {
            issuer.uri: KeyCache(
                issuer,
                make_key_source(issuer, self._fetch, refresh).load,
                refresh,
                kept=None if keep is None else keep(issuer),
            )
            for issuer in settings.issuers
        }
        self.authenticator = Authenticator(settings, self._caches, shared_proofs=shared_proofs)
        self._schemes = (BEARER,) if settings.policy.bound_tokens == "off" else SCHEMES
        self._web_sockets = WebSockets()
        deny_file = _open_deny_file(settings.policy.deny_file)
        if deny_file is not None:
            self.authenticator.denied = deny_file.list
        issuers = [one for issuer in settings.issuers for one in issuer.list_tenants()]
        self._issuers = [issuer.uri for issuer in issuers if issuer.has_address]
        self._upkeep = Upkeep(self._caches.values(), deny_file, self._deny)

    @classmethod
    def from_issuer(
        cls,
        issuer: str,
        *,
        audience: str | Iterable[str] = (),
        audiences: str | Iterable[str] = (),
        jwks_uri: str | None = None,
        jwks_token_file: str | Path | None = None,
        jwks_allow_http: str | Iterable[str] = (),
        tenants: str | Iterable[str] = (),
        refresh: RefreshPolicy | None = None,
        realm: str = "kms",
        cache_size: int = 10_000,
        public_url: str | None = None,
        shared_proofs: SharedProofs | None = None,
        **policy: Unpack[TokenPolicyArguments],
    ) -> Self:
        """A token check for a single issuer.

        issuer: the ``iss`` of its tokens, exactly as the issuer writes it: an https URL, or with a jwks_uri any name,
        in which ``{tenantid}`` stands for each of the tenants.
        audience: one or several values of ``aud``, of which a token must carry at least one; without any, tokens that
        the issuer made for other services are accepted, and the log warns of it. audiences: the same argument.
        jwks_uri: where the keys are; None means the default below the issuer, then discovery.
        jwks_token_file: a file with a bearer token for fetching the keys.
        jwks_allow_http: hosts from which the keys may be fetched over http.
        tenants: the values of ``tid`` that are accepted; with several, see namespace_by_issuer.
        refresh, realm, cache_size, public_url: as in `TrustSettings`.
        shared_proofs: as for the constructor.
        policy: fields of `TokenPolicy`, such as ``leeway_s=30`` or ``user_claim="email"``.
        Raises ConfigurationError as the constructor does, and for values that cannot be used; TypeError for an
        argument that does not exist.
        """
        check_argument_names(cls.from_issuer, policy, TokenPolicyArguments.__annotations__)
        audience = choose_spelling(audience=audience, audiences=audiences)
        trusted = make_trusted_issuer(
            issuer, audience, jwks_uri, jwks_token_file, jwks_allow_http, tenants
        )
        return cls(
            TrustSettings(
                issuers=(trusted,),
                policy=make_token_policy(**policy),
                refresh=RefreshPolicy() if refresh is None else refresh,
                realm=realm,
                cache_size=cache_size,
                public_url=public_url,
            ),
            shared_proofs=shared_proofs,
        )

    def _make_fetch(self, policy: RefreshPolicy) -> JWKSFetch:
        """The HTTP client that fetches keys. Tests that need no network replace it."""
        return JWKSFetch(policy)

    @property
    def realm(self) -> str:
        """The realm of the challenge (RFC 6750 §3)."""
        return self.settings.realm

    @property
    def issuers(self) -> Sequence[str]:
        """The URIs of the issuers to which a client can be sent for a token, in the order of the settings."""
        return self._issuers

    @property
    def scopes(self) -> Sequence[str]:
        """The values of the required claims ``scope`` and ``scp``, except those that have alternatives."""
        required = self.settings.policy.required_claims
        return [
            scope
            for claim in required
            if claim.name in ("scope", "scp") and len(claim.values) == 1
            for scope in str(claim.values[0]).split()
        ]

    @property
    def proof_algorithms(self) -> Sequence[str]:
        """The algorithms by which DPoP proofs may be signed; EdDSA is listed by its newer name as well."""
        if self._schemes == (BEARER,):
            return ()
        return list_proof_algorithms(self.settings.policy.algorithms)

    @property
    def needs_binding(self) -> bool:
        """Whether tokens must be bound to a certificate or a key."""
        return self.settings.policy.bound_tokens == "required"

    @property
    def public_url(self) -> str | None:
        """The URL by which clients reach the application; None where it was not given."""
        return self.settings.public_url

    @property
    def has_groups(self) -> bool:
        """Whether a claim is configured that names the user's groups."""
        return self.settings.policy.group_claim is not None

    def check_now(self, credentials: Credentials) -> Principal | None:
        """Decide without waiting; None where that takes a refresh of an issuer's keys, or the memory of used proofs.

        Raises AuthenticationError.
        """
        authenticator = self.authenticator
        authorization = credentials.authorization
        if len(authorization) == 1 and authorization[0].startswith("Bearer "):
            token = authorization[0][7:]
            digest = authenticator.tokens.digest(token)
            # No token that breaks the grammar was ever remembered, so a remembered one is not checked for it.
            principal = authenticator.recall(digest)
            if principal is not None:
                return principal.with_token(token)
            if is_compact(token):
                return _add_token(authenticator.verify_now(token, digest, credentials), token)
        elif authorization and authorization[0].startswith("DPoP ") and DPOP in self._schemes:
            return None  # `check_waiting` has to parse it all the same
        offered = self._parse(credentials)
        if offered.scheme == DPOP:
            return None
        principal = authenticator.check_now(offered.token, credentials)
        return _add_token(principal, offered.token)

    def _parse(self, credentials: Credentials) -> OfferedToken:
        try:
            return parse_authorization(credentials.authorization, self._schemes)
        except AuthenticationError as exc:
            self.authenticator.outcomes[exc.reason] += 1
            raise

    def recall(self, credentials: Credentials) -> Principal | None:
        """The principal of a token that was verified before, is still good, and is not bound. None decides nothing."""
        authorization = credentials.authorization
        if len(authorization) != 1 or not authorization[0].startswith("Bearer "):
            return None
        tokens = self.authenticator.tokens
        digest = tokens.digest(authorization[0][7:])
        # An unknown token is not counted as a miss here: check_now, which follows, counts it.
        return self.authenticator.recall(digest) if digest in tokens else None

    async def check_waiting(self, credentials: Credentials) -> Principal:
        """Decide what check_now could not: after one refresh that all waiting requests share, or by a DPoP proof.

        Raises AuthenticationError, Unavailable where there are no usable keys or the proof cannot be remembered, and
        TooManyRequests.
        """
        offered = self._parse(credentials)
        if offered.scheme == BEARER:
            principal = await self.authenticator.check_refreshing(offered.token, credentials)
            return principal.with_token(offered.token)
        try:
            principal = await self.authenticator.check_with_proof(offered.token, credentials)
        except AuthenticationError as exc:
            exc.scheme = DPOP
            raise
        return principal.with_token(offered.token)

    def end_with_token(self, handler: WebSocketHandler, principal: Principal) -> None:
        """Close the handler's web socket when its token expires, or is put on the deny list."""
        self._web_sockets.add(handler, principal, self.settings.policy.leeway_s)

    async def start(self) -> None:
        """Begin to fetch keys; returns at once.

        Requests that come before the first answer wait for it, up to `RefreshPolicy.timeout_s`.
        """
        if self._upkeep.is_started:
            return
        _warn_of_risks(self.settings)
        for cache in self._caches.values():
            await cache.load_kept()
        self._fetch.open()
        self._upkeep.start()

    async def stop(self) -> None:
        """Stop refreshing, and wait until nothing is running. `start` may follow."""
        await self._upkeep.stop()
        self._fetch.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    def check_files(self) -> None:
        """Raise ConfigurationError where the CA file cannot be used now.

        Fetches then go on with its former contents.
        """
        self._fetch.check_ca_file()

    def refresh_soon(self) -> None:
        """Fetch the keys of all issuers again, now or the moment their cooldown ends; for SIGHUP.

        Before `start` it does nothing: the keys will be fetched then.
        """
        self._upkeep.refresh_soon()

    def status(self) -> Sequence[KeyStatus]:
        """The state of each issuer's keys, in the order of the settings."""
        return [cache.status() for cache in self._caches.values()]

    def fetches(self) -> Mapping[str, Mapping[str, int]]:
        """{issuer URI: {"ok" or "failed": number of refreshes}}."""
        return {uri: dict(cache.fetches) for uri, cache in self._caches.items()}

    def statistics(self) -> AuthStatistics:
        """Counts since the process started, for metrics."""
        authenticator = self.authenticator
        tokens = authenticator.tokens
        return AuthStatistics(
            outcomes=authenticator.outcomes,
            remembered_hits=tokens.hits,
            remembered_misses=tokens.misses,
            remembered=len(tokens),
            key_fetches=self.fetches(),
        )

    def observe_verifications(self, observe: Callable[[float], None]) -> None:
        """Have `observe` called with the duration in seconds of each verification of a token."""
        self.authenticator.observe_verification = observe

    def _deny(self, denied: DenyList) -> None:
        """Refuse from now on what is on this list, and close the web sockets of its tokens."""
        self.authenticator.denied = denied
        self._web_sockets.close_denied(denied)


def _warn_of_risks(settings: TrustSettings) -> None:
    """Log what the settings leave open to others."""
    for issuer in settings.issuers:
        if not issuer.audiences:
            log.warning(
                "issuer %s: NO AUDIENCE is configured: every token of this issuer is accepted, "
                "even those made for other services",
                issuer.uri,
            )
    if settings.policy.bound_tokens == "off":
        log.warning(
            "BOUND TOKENS ARE TAKEN AS ANY OTHERS: whoever holds one gets in, without the key or the certificate "
            "to which its issuer has bound it"
        )
    if hosts := {host for issuer in settings.issuers for host in issuer.jwks_allow_http}:
        log.warning(
            "HTTP IS ALLOWED for the issuers' keys, to %s: whoever can change what comes from there can make "
            "tokens of any user",
            ", ".join(sorted(hosts)),
        )


def _add_token(principal: Principal | None, token: str) -> Principal | None:
    return None if principal is None else principal.with_token(token)


def _open_deny_file(path: str | None) -> DenyFile | None:
    """The deny file, read once; None where none is configured. Raises ConfigurationError."""
    if path is None:
        return None
    file = DenyFile(path)
    file.load()
    return file
