"""Issuer: an OAuth 2.0 issuer whose endpoints were found, and a session with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from ..connection import ConnectionSettings
from ..proof_key import ProofKey
from .issuer_metadata import IssuerMetadata, discover
from .issuer_transport import open_issuer_session
from .login_errors import LoginFailed
from .login_settings import LoginSettings
from .token_proofs import TokenProofs

#: Without it most issuers give no refresh token (OpenID Connect Core 1.0 §11).
OFFLINE_ACCESS = "offline_access"


@dataclass(frozen=True, slots=True)
class Issuer:
    """An issuer according to the configuration and its metadata, and a session with it.

    proof_key: the key to which tokens are to be bound; None binds them to none.
    """

    settings: LoginSettings
    metadata: IssuerMetadata
    session: Any = field(repr=False)
    proof_key: ProofKey | None = None

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes to ask for: those configured, else those for an ID token and, if there are any, for refresh
        tokens.
        """
        scopes = self.settings.scopes or ("openid", "email")
        if OFFLINE_ACCESS in self.metadata.scopes and OFFLINE_ACCESS not in scopes:
            return (*scopes, OFFLINE_ACCESS)
        return scopes

    def url(self, kind: str) -> str:
        """The endpoint with that name. Raises LoginFailed where there is none."""
        url: str | None = getattr(self.metadata, kind)
        if url is None:
            raise LoginFailed(
                f"there is no {kind} for this sign-in: the issuer's metadata names none, and "
                "authorize_url, token_url and device_authorization_url can be configured"
            )
        return url


@contextmanager
def open_issuer(connection: ConnectionSettings, settings: LoginSettings) -> Iterator[Issuer]:
    """Find the endpoints. Configured ones take precedence over those in the issuer's metadata."""
    configured = {
        name: url
        for name in ("authorize_url", "token_url", "device_authorization_url")
        if (url := getattr(settings, name)) is not None
    }
    session = open_issuer_session(connection, settings)
    try:
        metadata = IssuerMetadata()
        if settings.issuer is not None:
            metadata = discover(session, settings.issuer)
        metadata = replace(metadata, **configured)
        method = metadata.auth_method(settings.client_secret)
        session.token_endpoint_auth_method = session.revocation_endpoint_auth_method = method
        yield Issuer(settings, metadata, session)
    finally:
        session.close()


def bind_tokens(issuer: Issuer, key: ProofKey) -> Issuer:
    """The same issuer; each request for tokens then proves that we hold the key (RFC 9449 §5)."""
    url = issuer.url("token_url")
    issuer.session.get_adapter(url).proofs = TokenProofs(key, url)
    return replace(issuer, proof_key=key)
