"""The metadata of a protected resource (RFC 9728 §2): where clients get a token, and how they send it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tornado.web import RequestHandler

from ...argument_types import check_type, make_texts
from ...auth.request_auth import RequestAuth


def describe_resource(
    auth: RequestAuth | None,
    resource: str,
    *,
    scopes: Iterable[str] = (),
    has_certificates: bool = False,
    takes_proofs: bool = True,
) -> dict[str, Any]:
    """The document, without members that would be empty or false (§2).

    resource: the URL by which clients reach the resource (§1.2).
    scopes: () stands for the scopes that every token needs.
    has_certificates: whether this server sees certificates of clients.
    takes_proofs: whether DPoP proofs that name the resource can be accepted.
    """
    members: dict[str, Any] = {"resource": resource, "bearer_methods_supported": ["header"]}
    if auth is None:
        return members
    takes_bound = bool(auth.proof_algorithms)
    members |= {
        "authorization_servers": list(auth.issuers),
        "scopes_supported": list(scopes) or list(auth.scopes),
        "dpop_signing_alg_values_supported": list(auth.proof_algorithms) if takes_proofs else [],
        # A token that is bound to a certificate needs no proof.
        "dpop_bound_access_tokens_required": auth.needs_binding and not has_certificates,
        "tls_client_certificate_bound_access_tokens": takes_bound and has_certificates,
    }
    return {name: value for name, value in members.items() if value}


class ProtectedResourceMetadataHandler(RequestHandler):
    """Serves the metadata of a protected resource (RFC 9728 §2) to everybody, including pages of other origins.

    Its route is ``/.well-known/oauth-protected-resource``, followed by the path of the resource where that has one
    (§3.1). The authorization servers are the issuers of the application's ``bearer_auth``.
    """

    def initialize(
        self,
        resource: str,
        scopes_supported: str | Iterable[str] = (),
        has_client_certificates: bool = False,
    ) -> None:
        """Take the arguments of the route.

        resource: the URL by which clients reach the application (§1.2), which they must compare with their own (§3.3).
        scopes_supported: () stands for the scopes that ``bearer_auth`` requires of every token; in one string, they are
        separated by spaces.
        has_client_certificates: whether tokens may be bound to certificates (RFC 8705), because the application, or the
        proxy in front of it, asks clients for theirs.
        """
        check_type(resource, str, "resource")
        self._resource = resource
        # One text is a list of scopes as tokens have it, with spaces between.
        self._scopes = (
            scopes_supported.split()
            if isinstance(scopes_supported, str)
            else make_texts(scopes_supported, "scopes_supported")
        )
        self._has_certificates = has_client_certificates

    def head(self) -> None:
        """As for GET, without the document, which Tornado leaves out."""
        self.get()

    def get(self) -> None:
        """The document, without members that would be empty (§2)."""
        auth: RequestAuth | None = self.settings.get("bearer_auth")
        self.set_header("Access-Control-Allow-Origin", "*")
        self.write(
            describe_resource(
                auth, self._resource, scopes=self._scopes, has_certificates=self._has_certificates
            )
        )
