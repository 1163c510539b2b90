"""The metadata of an application that embeds the token check: without members that would be empty."""

from __future__ import annotations

from tornado.web import Application

from kms_tornado import ProtectedResourceMetadataHandler
from kms_tornado.testing import TestIssuer

from ...support import running

RESOURCE = "https://api.example.com/v1"
ROUTE = ("/metadata", ProtectedResourceMetadataHandler, {"resource": RESOURCE})


def test_document_names_the_issuers_and_no_scopes_where_there_are_none() -> None:
    with running(lambda: Application([ROUTE], bearer_auth=TestIssuer().auth())) as client:
        assert client.get("/metadata").json() == {
            "resource": RESOURCE,
            "authorization_servers": ["https://issuer.example"],
            "bearer_methods_supported": ["header"],
        }


def test_application_that_checks_no_tokens_names_no_issuers() -> None:
    with running(lambda: Application([ROUTE])) as client:
        assert "authorization_servers" not in client.get("/metadata").json()
