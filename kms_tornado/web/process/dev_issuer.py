"""DevIssuer: the throw-away token issuer of --dev, on loopback only, and the text that --dev prints."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from ...auth.issuer import TrustedIssuer, is_loopback_host
from ...auth.minting import DevSigner
from ...errors import ConfigurationError

AUDIENCE = "kms_tornado"
USERS = ("alice@example.com", "bob@example.com")
LIFETIME_S = 12 * 3600  # a working day; a restart makes new keys, which ends old tokens anyway


class DevIssuer:
    """Serves its key set and discovery document, and mints tokens for this process alone.

    It has no token endpoint: only those who can read this process's output get a token. uri: the issuer in
    the tokens; empty before `start`.
    """

    def __init__(self, host: str) -> None:
        """Raises ConfigurationError for a host that is not loopback."""
        if not is_loopback_host(host):
            raise ConfigurationError("the issuer of --dev runs on a loopback host only")
        self._host = host
        self._signer = DevSigner()
        self._server: HTTPServer | None = None
        self.uri = ""

    def start(self) -> None:
        """Listen on a free port, and set `uri`."""
        sockets = bind_sockets(0, self._host)
        port = sockets[0].getsockname()[1]
        host = f"[{self._host}]" if ":" in self._host else self._host
        self.uri = f"http://{host}:{port}"
        documents = {
            "/.well-known/jwks.json": self._signer.jwks(),
            "/.well-known/openid-configuration": {
                "issuer": self.uri,
                "jwks_uri": f"{self.uri}/.well-known/jwks.json",
                "response_types_supported": ["id_token"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["ES256"],
            },
        }
        self._server = HTTPServer(
            Application(
                [
                    (path, _DocumentHandler, {"document": document})
                    for path, document in documents.items()
                ],
                log_function=lambda handler: None,  # the access log is for the server's requests
            )
        )
        # A host name with several addresses has a socket for each, and their free ports may differ.
        self._server.add_socket(sockets[0])
        for extra in sockets[1:]:
            extra.close()

    async def stop(self) -> None:
        if self._server is not None:
            self._server.stop()
            await self._server.close_all_connections()

    def trusted_issuer(self) -> TrustedIssuer:
        """This issuer as a setting of the token layer."""
        return TrustedIssuer(self.uri, audiences=frozenset({AUDIENCE}))

    def mint_token(self, user: str) -> str:
        """A token for `user`, valid for LIFETIME_S."""
        now = int(time.time())
        return self._signer.mint(
            {
                "iss": self.uri,
                "sub": user,
                "aud": AUDIENCE,
                "email": user,
                "email_verified": True,
                "iat": now,
                "exp": now + LIFETIME_S,
            }
        )


def format_dev_text(issuer: DevIssuer, server_url: str) -> str:
    """The text that --dev prints: the issuer, a token for each user, and a command to paste."""
    tokens = {user: issuer.mint_token(user) for user in USERS}
    lines = [f"issuer: {issuer.uri}", ""]
    for user, token in tokens.items():
        lines += [f"token for {user}:", token, ""]
    insecure = " --insecure" if server_url.startswith("https:") else ""
    lines += [
        "make a key as alice:",
        f"curl -sS{insecure} {server_url}/kmip_2_1 -H 'Content-Type: application/json' "
        f"-H 'Authorization: Bearer {tokens[USERS[0]]}' "
        """-d '{"tag":"Create","type":"Structure","value":["""
        """{"tag":"ObjectType","type":"Enumeration","value":"SymmetricKey"},"""
        """{"tag":"Attributes","type":"Structure","value":["""
        """{"tag":"CryptographicAlgorithm","type":"Enumeration","value":"AES"},"""
        """{"tag":"CryptographicLength","type":"Integer","value":256}]}]}'""",
    ]
    return "\n".join(lines)


class _DocumentHandler(RequestHandler):
    def initialize(self, document: Mapping[str, Any]) -> None:
        self._document = document

    def get(self) -> None:
        self.write(dict(self._document))
