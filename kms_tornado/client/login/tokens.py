"""Tokens from an issuer: their form as a value and as JSON, and the interface of stores for them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What an issuer returned at a login or a refresh.

    expires_at: when the access token expires, in seconds since the Unix epoch; None where the issuer did not say.
    token_type: of the access token, as the issuer named it.
    proof_key: in PEM, the private key of the DPoP proofs with which the tokens were asked for; None where none were
    sent. The refresh token may be bound to it, whatever the token_type is.
    """

    access_token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    id_token: str | None = field(default=None, repr=False)
    expires_at: float | None = None
    scopes: tuple[str, ...] = ()
    token_type: str = "Bearer"  # noqa: S105  # a kind, no token
    proof_key: str | None = field(default=None, repr=False)

    @property
    def is_bound(self) -> bool:
        """Whether the access token works only with a DPoP proof (RFC 9449 §5)."""
        return self.token_type.lower() == "dpop"


class TokenStore(Protocol):
    """Keeps the tokens of one account."""

    @property
    def place(self) -> str:
        """Where the tokens are, in words for people."""

    def load(self) -> Tokens | None:
        """The tokens, or None where nobody is logged in."""

    def save(self, tokens: Tokens) -> None:
        """Keep these tokens in place of the former ones."""

    def forget(self) -> None:
        """Remove the tokens, if there are any."""

    def locked(self) -> AbstractContextManager[None]:
        """Let no other process or thread of this user run such a block at the same time.

        A block within a block of the same thread is allowed.
        """


class KeyringUnavailable(Exception):
    """The system keyring is absent, locked, or does not answer."""


def token_account(server_url: str, *, issuer: str | None, client_id: str | None) -> str:
    """The name under which tokens are kept.

    It contains the server to which they are sent and the issuer that issued them.
    """
    return " ".join([server_url.rstrip("/"), issuer or "-", client_id or "-"])


def format_tokens(tokens: Tokens) -> dict[str, Any]:
    """Tokens as a JSON object."""
    return {
        "access_token": tokens.access_token,
        "refresh_token": tokens.refresh_token,
        "id_token": tokens.id_token,
        "expires_at": tokens.expires_at,
        "scopes": list(tokens.scopes),
        "token_type": tokens.token_type,
        "proof_key": tokens.proof_key,
    }


def parse_tokens(members: object) -> Tokens | None:
    """The tokens in a JSON object; None where it has none, so that a login can repair that."""
    if not isinstance(members, Mapping):
        return None
    access_token, expires_at = members.get("access_token"), members.get("expires_at")
    others = [members.get(name) for name in ("refresh_token", "id_token", "proof_key")]
    scopes, token_type = members.get("scopes", []), members.get("token_type", "Bearer")
    if (
        not isinstance(access_token, str)
        or not all(isinstance(token, str | None) for token in others)
        or not isinstance(expires_at, int | float | None)
        or not isinstance(token_type, str)
        or not isinstance(scopes, list)
        or not all(isinstance(scope, str) for scope in scopes)
    ):
        return None
    return Tokens(
        access_token=access_token,
        refresh_token=others[0],
        id_token=others[1],
        expires_at=expires_at,
        scopes=tuple(scopes),
        token_type=token_type,
        proof_key=others[2],
    )
