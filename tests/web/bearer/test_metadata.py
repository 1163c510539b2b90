"""The metadata of an application that embeds the token check: without members that would be empty."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine
from tornado.web import Application

from kms_tornado import (
    BearerApplication,
    BearerAuth,
    BearerRequestHandler,
    ProtectedResourceMetadataHandler,
)
from kms_tornado.auth.tokens.token_policy import RequiredClaim
from kms_tornado.testing import TestIssuer

from ...rows import each_row
from ...support import running

RESOURCE = "https://api.example.com/v1"
ROUTE = ("/metadata", ProtectedResourceMetadataHandler, {"resource": RESOURCE})


def test_document_names_the_issuers_and_no_scopes_where_there_are_none() -> None:
    with running(lambda: Application([ROUTE], bearer_auth=TestIssuer().auth())) as client:
        assert client.get("/metadata").json() == {
            "resource": RESOURCE,
            "authorization_servers": ["https://issuer.example"],
            "bearer_methods_supported": ["header"],
            "dpop_signing_alg_values_supported": [
                *("ES256", "ES384", "ES512", "EdDSA", "PS256", "PS384", "PS512"),
                *("RS256", "RS384", "RS512", "Ed25519"),
            ],
        }


def test_head_is_answered_as_get_is_without_the_document() -> None:
    with running(lambda: Application([ROUTE], bearer_auth=TestIssuer().auth())) as client:
        whole, head = client.get("/metadata"), client.request("HEAD", "/metadata")
    assert (head.status, head.body) == (200, b"")
    for name in ("Content-Length", "Content-Type", "Access-Control-Allow-Origin"):
        assert head.headers[name] == whole.headers[name]


@each_row(
    ("arguments", "name"), [({"resource": 5}, "resource"), ({"scopes_supported": 5}, "scopes_sup")]
)
def test_arguments_of_a_wrong_type_are_told(arguments: dict[str, Any], name: str) -> None:
    request = HTTPServerRequest(
        start_line=RequestStartLine("GET", "/", "HTTP/1.1"),
        headers=HTTPHeaders({"Host": "api.example.com"}),
        connection=Mock(),
    )
    with pytest.raises(TypeError, match=rf"^{name}"):
        ProtectedResourceMetadataHandler(
            Application(), request, **{"resource": RESOURCE, **arguments}
        )


def describe(auth: BearerAuth, **more: Any) -> Any:
    route = ("/metadata", ProtectedResourceMetadataHandler, {"resource": RESOURCE, **more})
    with running(lambda: Application([route], bearer_auth=auth)) as client:
        return client.get("/metadata").json()


def like(**policy: Any) -> BearerAuth:
    """A token check with these rules."""
    return TestIssuer().auth(BearerAuth.from_issuer("https://issuer.example", **policy))


def test_document_says_how_tokens_are_bound_where_they_may_be() -> None:
    document = describe(like(algorithms="ES256"), has_client_certificates=True)
    assert document["dpop_signing_alg_values_supported"] == ["ES256"]
    assert document["tls_client_certificate_bound_access_tokens"] is True
    assert "dpop_bound_access_tokens_required" not in document


def test_document_says_where_they_must_be() -> None:
    required = like(bound_tokens="required")
    assert describe(required)["dpop_bound_access_tokens_required"] is True
    # A client with a certificate needs no proof.
    document = describe(required, has_client_certificates=True)
    assert "dpop_bound_access_tokens_required" not in document


def test_document_promises_nothing_of_bound_tokens_where_they_are_off() -> None:
    document = describe(like(bound_tokens="off"), has_client_certificates=True)
    assert document.keys() == {"resource", "authorization_servers", "bearer_methods_supported"}


def test_document_has_the_scopes_of_the_application_or_those_that_every_token_needs() -> None:
    auth = like(required_claims=[RequiredClaim("scope", "a"), RequiredClaim("role", "clerk")])
    assert describe(auth)["scopes_supported"] == ["a"]
    both = like(required_claims=[RequiredClaim("scope", "a b")])
    assert describe(both)["scopes_supported"] == ["a", "b"]
    for scopes in (["a", "b"], "a b"):
        assert describe(auth, scopes_supported=scopes)["scopes_supported"] == ["a", "b"]


def test_application_that_checks_no_tokens_names_no_issuers() -> None:
    with running(lambda: Application([ROUTE])) as client:
        assert "authorization_servers" not in client.get("/metadata").json()


class Orders(BearerRequestHandler):
    def get(self) -> None:
        self.write("in")


class OfAnother(Orders):
    def resource_metadata_url(self) -> str:
        return "https://api.example.com/of-another"


@each_row(
    ("setting", "path", "named"),
    [
        pytest.param(None, "/orders", None, id="none"),
        pytest.param(5, "/orders", None, id="no text"),
        pytest.param("https://a.example/m", "/orders", "https://a.example/m", id="a handler"),
        pytest.param("https://a.example/m", "/fast", "https://a.example/m", id="a fast route"),
        pytest.param(
            "https://a.example/m", "/another", "https://api.example.com/of-another", id="its own"
        ),
    ],
)
def test_the_challenge_names_the_metadata_of_the_application(
    setting: Any, path: str, named: str | None
) -> None:
    def make_app() -> Application:
        return BearerApplication(
            [("/orders", Orders), ("/another", OfAnother)],
            fast_routes={("GET", "/fast"): lambda request: "in"},
            bearer_auth=TestIssuer().auth(),
            resource_metadata_url=setting,
        )

    with running(make_app) as client:
        for token in (None, "x.y.z"):
            answer = client.get(path, token=token)
            challenge = answer.headers["WWW-Authenticate"]
            assert answer.status == 401
            assert ("resource_metadata" in challenge) is (named is not None)
            assert named is None or f'resource_metadata="{named}"' in challenge
