"""Page: what the handlers of the page share: its files, its security policy, and how one signs in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .discovery import Discovery, SignIn
from .page_files import PageFiles, load_files


@dataclass(slots=True)
class Page:
    """The page of one server.

    needs_token: whether people have to sign in.
    sign_in: where, if that is known from the start.
    discovery: finds it otherwise. If both are None, a token is pasted.
    """

    needs_token: bool = True
    sign_in: SignIn | None = None
    discovery: Discovery | None = None
    files: PageFiles = field(default_factory=load_files)

    async def find_sign_in(self) -> SignIn | None:
        """Where people sign in; None where they cannot, or the issuer is out of reach."""
        return self.sign_in if self.discovery is None else await self.discovery.find()

    async def describe_sign_in(self) -> dict[str, Any]:
        """What the script is told about signing in, for JSON."""
        sign_in = await self.find_sign_in()
        issuer = None if self.discovery is None else self.discovery.issuer.uri
        return {
            "needs_token": self.needs_token,
            "unreachable_issuer": issuer if sign_in is None else None,
            "code": None if sign_in is None else _render(sign_in),
        }

    def shell_headers(self) -> dict[str, str]:
        """The headers of the HTML: nothing of other origins, in no other page's frame, and no markup from data."""
        known = self.sign_in if self.discovery is None else self.discovery.known
        origins = () if known is None else (known.token_origin,)
        return {
            "Content-Security-Policy": _format_policy(self.files.import_map_hash, origins),
            "Referrer-Policy": "no-referrer",
            "X-Frame-Options": "DENY",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        }


def _render(sign_in: SignIn) -> dict[str, Any]:
    return {
        "issuer": sign_in.issuer,
        "client_id": sign_in.client_id,
        "authorization_endpoint": sign_in.authorization_endpoint,
        "token_endpoint": sign_in.token_endpoint,
        "scope": sign_in.scope,
        "extra": {"audience": sign_in.audience} if sign_in.audience else {},
    }


def _format_policy(import_map_hash: str, origins: Iterable[str]) -> str:
    """The Content-Security-Policy (CSP 3). origins: the ones besides the server to which scripts may send."""
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
