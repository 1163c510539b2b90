"""ProtectedResourceMetadataHandler: where clients of an embedding application read how to get a token."""

from __future__ import annotations

from collections.abc import Iterable

from tornado.web import RequestHandler

from ...auth.request_auth import RequestAuth


class ProtectedResourceMetadataHandler(RequestHandler):
    """Serves the metadata of a protected resource (RFC 9728 §2) to everybody, also to pages of other origins.

    Its route is ``/.well-known/oauth-protected-resource``, followed by the path of the resource where that has
    one (§3.1). The authorization servers are the issuers of the application's ``bearer_auth``.
    """

    def initialize(self, resource: str, scopes_supported: Iterable[str] = ()) -> None:
        """resource: the URL by which clients reach the application (§1.2), as they must compare it (§3.3)."""
        self._resource = resource
        self._scopes = list(scopes_supported)

    def get(self) -> None:
        """The document, without members that would be empty (§2)."""
        auth: RequestAuth | None = self.settings.get("bearer_auth")
        members = {
            "resource": self._resource,
            "authorization_servers": [] if auth is None else list(auth.issuers),
            "scopes_supported": self._scopes,
            "bearer_methods_supported": ["header"],
        }
        self.set_header("Access-Control-Allow-Origin", "*")
        self.write({name: value for name, value in members.items() if value})
