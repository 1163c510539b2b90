"""Page: what the handlers of the page share: its files, its policy, and how one signs in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from .page_files import PageFiles, load_files


@dataclass(frozen=True, slots=True)
class SignIn:
    """Where the page signs somebody in with an authorization code and PKCE (RFC 6749 §4.1, RFC 7636).

    users: whom the issuer of --dev knows; empty for any other.
    """

    issuer: str
    client_id: str
    authorization_endpoint: str
    token_endpoint: str
    users: tuple[str, ...] = ()

    @property
    def origins(self) -> frozenset[str]:
        """Where the page's script sends a code or a refresh token."""
        parts = urlsplit(self.token_endpoint)
        return frozenset({f"{parts.scheme}://{parts.netloc}"})


@dataclass(slots=True)
class Page:
    """The page of one server. sign_in: None where a token is pasted, or none is needed."""

    needs_token: bool = True
    sign_in: SignIn | None = None
    files: PageFiles = field(default_factory=load_files)

    def describe_sign_in(self) -> dict[str, Any]:
        """What the script is told about signing in, as JSON has it."""
        members: dict[str, Any] = {"needs_token": self.needs_token, "code": None}
        if (sign_in := self.sign_in) is not None:
            members["code"] = {
                "issuer": sign_in.issuer,
                "client_id": sign_in.client_id,
                "authorization_endpoint": sign_in.authorization_endpoint,
                "token_endpoint": sign_in.token_endpoint,
                "users": list(sign_in.users),
            }
        return members

    def shell_headers(self) -> dict[str, str]:
        """Headers of the page itself: nothing of others, in nobody's frame, and no markup out of data."""
        origins = frozenset() if self.sign_in is None else self.sign_in.origins
        return {
            "Content-Security-Policy": _format_policy(self.files.import_map_hash, origins),
            "Referrer-Policy": "no-referrer",
            "X-Frame-Options": "DENY",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        }


def _format_policy(import_map_hash: str, origins: Iterable[str]) -> str:
    """The Content-Security-Policy (CSP 3). origins: to which scripts may send beside the server."""
    directives = {
        "default-src": "'none'",
        "script-src": f"'self' '{import_map_hash}'",
        "style-src": "'self'",
        "img-src": "'self'",
        "connect-src": " ".join(("'self'", *sorted(origins))),
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        # Text never becomes markup, whatever the names of keys and issuers contain.
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in directives.items())
