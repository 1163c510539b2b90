"""What all endpoints of the issuer of --dev share: its state, and the conditions that each request must meet.

Two attackers count, both outside of this laptop: a web site in the user's browser, and somebody who makes the user
click a link. (A program on this laptop may sign in as alice or bob anyway; see `DevIssuer`.) Against them:

- Host must be the issuer's own; otherwise a site whose name is made to mean 127.0.0.1 could read the pages (DNS
  rebinding);
- a request that another site's page sends has an Origin, and is refused, except for tokens that the server's own page
  asks for;
- a page's form contains a ticket, which works once, and which no other site can read;
- codes are sent to loopback addresses alone, and are worthless without the verifier.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tornado.web import RequestHandler

from ....auth.bearer import BEARER, DPOP
from ....auth.minting import DevMint
from . import pages as dev_pages
from .grants import TICKET_LIFETIME_S, Expiring, Grants, SignedIn
from .proofs import TokenProofs
from .requests import SignInRequest

#: Ten minutes: a refresh token goes with it, and a client that never renews is noticed on the first day.
ACCESS_LIFETIME_S = 600


@dataclass(frozen=True, slots=True)
class SignInContext:
    """What the handlers share.

    uri: the issuer.
    proofs: the check of DPoP proofs at the token endpoint.
    tickets: of pages that wait for a choice.
    page_origins: of the server's own page, whose script may ask for tokens.
    """

    uri: str
    users: tuple[str, ...]
    mint: DevMint
    proofs: TokenProofs
    page_origins: set[str] = field(default_factory=set)
    grants: Grants = field(default_factory=Grants)
    tickets: Expiring[SignInRequest] = field(default_factory=lambda: Expiring(TICKET_LIFETIME_S))
    device_tickets: Expiring[str] = field(default_factory=lambda: Expiring(TICKET_LIFETIME_S))

    @property
    def host(self) -> str:
        return self.uri.removeprefix("http://")

    def render_tokens(self, signed_in: SignedIn, refresh_token: str) -> dict[str, Any]:
        """The answer of the token endpoint (RFC 6749 §5.1)."""
        now, user, client_id = int(time.time()), signed_in.user, signed_in.client_id
        answer = {
            "access_token": self.mint.mint_access_token(
                user,
                now=now,
                lifetime_s=ACCESS_LIFETIME_S,
                client_id=client_id,
                scope=signed_in.scope,
                key=signed_in.key,
            ),
            "token_type": DPOP if signed_in.key else BEARER,
            "expires_in": ACCESS_LIFETIME_S,
            "refresh_token": refresh_token,
            "scope": signed_in.scope,
        }
        if "openid" in signed_in.scope.split():
            answer["id_token"] = self.mint.mint_id_token(
                user,
                now=now,
                lifetime_s=ACCESS_LIFETIME_S,
                client_id=client_id,
                nonce=signed_in.nonce,
            )
        return answer


class IssuerHandler(RequestHandler):
    """What all answers of the issuer have in common."""

    def initialize(self, context: SignInContext) -> None:
        self.sign_in = context

    def set_default_headers(self) -> None:
        self.set_header("Server", "kms-tornado --dev")
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")

    def prepare(self) -> None:
        request = self.request
        if request.headers.get("Host", "").lower() != self.sign_in.host:
            self._end(421, "this is not the host of the issuer")
        elif not self.may_send(request.headers.get("Origin", self.sign_in.uri)):
            self._end(403, "a page of another site may not send this")

    def may_send(self, origin: str) -> bool:
        """Whether a page of this origin may send the request."""
        return origin == self.sign_in.uri

    def _end(self, status: int, message: str) -> None:
        self.set_status(status)
        self.finish({"error": "invalid_request", "error_description": message})


class DocumentHandler(IssuerHandler):
    """Serves one JSON document, the same to everybody."""

    def initialize(self, context: SignInContext, document: Mapping[str, Any]) -> None:  # type: ignore[override]
        super().initialize(context)
        self._document = document

    def get(self) -> None:
        self.write(dict(self._document))


class StyleHandler(IssuerHandler):
    """Serves the pages' style sheet."""

    def get(self) -> None:
        self.set_header("Content-Type", "text/css; charset=utf-8")
        self.write(dev_pages.STYLE)
