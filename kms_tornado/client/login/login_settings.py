"""LoginSettings: who is asked for tokens, and for which ones. Only values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from ..configuration.configuration import OAuth2Configuration
from ..errors import InvalidSettings

#: Where ckms listens, so that a redirect URI registered for it serves here as well.
DEFAULT_REDIRECT_PORT: Final = 17899

#: The name that ckms gives it, and stronger than the file.
PORT_VARIABLE: Final = "OAUTH2_REDIRECT_URL_PORT"

#: Whether tokens are bound to a key by DPoP (RFC 9449): where issuer and server can, never, or no others are taken.
ProofPolicy = Literal["auto", "never", "always"]
_PROOF_POLICIES: Final[Mapping[str | None, ProofPolicy]] = {
    None: "auto",
    "auto": "auto",
    "never": "never",
    "always": "always",
}

TokenChoice = Literal["access", "id"]
_TOKEN_CHOICES: Final[Mapping[str | None, TokenChoice | None]] = {
    None: None,
    "access": "access",
    "id": "id",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginSettings:
    """What a sign-in needs to know. Raises InvalidSettings for values that make no sense.

    issuer: None where both URLs are given, which take precedence over those in the issuer's metadata.
    scopes: where it is empty, an ID token is asked for.
    token: the one that the server gets; None: the access token if it is a JWT, else the ID token.
    audience, resource: what the access token is for, in the form of Auth0 and of RFC 8707.
    redirect_port: of the loopback redirect; 0 takes a free one.
    """

    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    issuer: str | None = None
    authorize_url: str | None = None
    token_url: str | None = None
    device_authorization_url: str | None = None
    scopes: tuple[str, ...] = ()
    token: TokenChoice | None = None
    audience: str | None = None
    resource: str | None = None
    redirect_port: int = DEFAULT_REDIRECT_PORT
    dpop: ProofPolicy = "auto"

    def __post_init__(self) -> None:
        if self.issuer is None and (self.authorize_url is None or self.token_url is None):
            raise InvalidSettings(
                "the configuration does not say where to sign in: set issuer in "
                "[http_config.oauth2_conf], or authorize_url and token_url"
            )
        if not 0 <= self.redirect_port <= 65535:
            raise InvalidSettings(f"redirect_port is no port: {self.redirect_port}")


def make_login_settings(
    configuration: OAuth2Configuration | None, environ: Mapping[str, str]
) -> LoginSettings:
    """The settings that a configuration file and the environment give together."""
    if configuration is None or configuration.client_id is None:
        raise InvalidSettings(
            "the configuration does not say how to sign in: run kmsctl configure, or set client_id and "
            "issuer in [http_config.oauth2_conf]"
        )
    if configuration.token not in _TOKEN_CHOICES:
        raise InvalidSettings('token in [http_config.oauth2_conf] is neither "access" nor "id"')
    if configuration.dpop not in _PROOF_POLICIES:
        raise InvalidSettings(
            'dpop in [http_config.oauth2_conf] is none of "auto", "never" and "always"'
        )
    if configuration.dpop == "always" and configuration.token == "id":  # noqa: S105  # a choice
        raise InvalidSettings(
            'dpop = "always" and token = "id" in [http_config.oauth2_conf] exclude each other: issuers bind '
            "access tokens"
        )
    return LoginSettings(
        client_id=configuration.client_id,
        client_secret=configuration.client_secret or None,
        issuer=configuration.issuer,
        authorize_url=configuration.authorize_url,
        token_url=configuration.token_url,
        device_authorization_url=configuration.device_authorization_url,
        scopes=configuration.scopes,
        token=_TOKEN_CHOICES[configuration.token],
        audience=configuration.audience,
        resource=configuration.resource,
        redirect_port=_redirect_port(configuration.redirect_port, environ),
        dpop=_PROOF_POLICIES[configuration.dpop],
    )


def _redirect_port(configured: int | None, environ: Mapping[str, str]) -> int:
    text = environ.get(PORT_VARIABLE, "").strip()
    if text:
        if not (text.isascii() and text.isdigit()):
            raise InvalidSettings(f"{PORT_VARIABLE} is no port: write a number, 17899 for instance")
        return int(text)
    return DEFAULT_REDIRECT_PORT if configured is None else configured
