"""DevIssuer: the throw-away token issuer of --dev, on loopback only."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application

from ....auth.issuers.issuer import TrustedIssuer
from ....auth.issuers.issuer_urls import is_loopback_host
from ....auth.minting import DevMint, DevSigner
from ....errors import ConfigurationError
from ...ui.discovery import SignIn
from .endpoints import (
    DeviceAuthorizationHandler,
    RevokeHandler,
    TokenHandler,
    discovery_document,
)
from .handler import DocumentHandler, SignInContext, StyleHandler
from .proofs import TokenProofs
from .sign_in import AuthorizeHandler, DeviceHandler

AUDIENCE = "kms_tornado"
USERS = ("alice@example.com", "bob@example.com")
LIFETIME_S = 12 * 3600  # a working day; a restart makes new keys, which ends old tokens anyway
_MOST_BYTES = 64 * 1024  # the longest request to the issuer


class DevIssuer:
    """A token issuer for one laptop: anybody there signs in as alice or bob, without a password.

    Every program that can reach the loopback interface of this machine gets a token from it, even one of another user
    of the machine. But such a token is for one of the two users of this --dev server alone.
    uri: the issuer in the tokens; empty before `start`.
    """

    def __init__(self, host: str) -> None:
        """Raises ConfigurationError for a host that is not loopback."""
        if not is_loopback_host(host):
            raise ConfigurationError("the issuer of --dev runs on a loopback host only")
        self._host = host
        self._signer = DevSigner()
        self._server: HTTPServer | None = None
        self._page_origins: set[str] = set()
        self.uri = ""

    def start(self) -> None:
        """Listen on a free port, and set `uri`."""
        sockets = bind_sockets(0, self._host)
        port = sockets[0].getsockname()[1]
        host = f"[{self._host}]" if ":" in self._host else self._host.lower()
        self.uri = f"http://{host}:{port}"
        self._mint = DevMint(self._signer, self.uri, AUDIENCE)
        self._server = HTTPServer(self._make_app(), max_body_size=_MOST_BYTES)
        # A host name with several addresses has a socket for each, and their free ports may differ.
        self._server.add_socket(sockets[0])
        for extra in sockets[1:]:
            extra.close()

    def _make_app(self) -> Application:
        proofs = TokenProofs(f"{self.uri}/token")
        context = SignInContext(self.uri, USERS, self._mint, proofs, self._page_origins)
        shared = {"context": context}
        discovery = {**shared, "document": discovery_document(self.uri)}
        return Application(
            [
                (
                    "/.well-known/jwks.json",
                    DocumentHandler,
                    {**shared, "document": self._signer.jwks()},
                ),
                ("/.well-known/openid-configuration", DocumentHandler, discovery),
                ("/.well-known/oauth-authorization-server", DocumentHandler, discovery),
                ("/authorize", AuthorizeHandler, shared),
                ("/token", TokenHandler, shared),
                ("/device_authorization", DeviceAuthorizationHandler, shared),
                ("/device", DeviceHandler, shared),
                ("/revoke", RevokeHandler, shared),
                ("/style.css", StyleHandler, shared),
            ],
            log_function=lambda handler: None,  # the access log is for the server's requests
        )

    def describe_sign_in(self, client_id: str) -> SignIn:
        """How the server's page signs people in at this issuer."""
        return SignIn(self.uri, client_id, f"{self.uri}/authorize", f"{self.uri}/token")

    def let_page_in(self, server_url: str) -> None:
        """Let the script of the server's page fetch tokens. server_url: of the server, under any name of loopback."""
        parts = urlsplit(server_url)
        hosts = {parts.hostname, "localhost", "127.0.0.1", "[::1]"}
        self._page_origins.update(f"{parts.scheme}://{host}:{parts.port}" for host in hosts)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.stop()
            await self._server.close_all_connections()

    def trusted_issuer(self) -> TrustedIssuer:
        """This issuer as a setting of the token layer."""
        return TrustedIssuer(self.uri, audiences=frozenset({AUDIENCE}))

    def mint_token(self, user: str) -> str:
        """A token for `user`, valid for LIFETIME_S."""
        return self._mint.mint_access_token(user, now=int(time.time()), lifetime_s=LIFETIME_S)
