"""What the page is told about signing in, and the policy that follows from it."""

from __future__ import annotations

import asyncio

from kms_tornado.web.ui.discovery import SignIn
from kms_tornado.web.ui.page import Page

SIGN_IN = SignIn(
    issuer="https://idp.example",
    client_id="kms-page",
    authorization_endpoint="https://idp.example/authorize",
    token_endpoint="https://tokens.idp.example:8443/token",
)


def test_script_may_send_to_the_token_endpoint_alone() -> None:
    policy = Page(sign_in=SIGN_IN).shell_headers()["Content-Security-Policy"]
    assert "connect-src 'self' https://tokens.idp.example:8443;" in policy


def test_page_is_told_where_and_as_which_client_one_signs_in() -> None:
    assert asyncio.run(Page(sign_in=SIGN_IN).describe_sign_in()) == {
        "needs_token": True,
        "unreachable_issuer": None,
        "code": {
            "issuer": "https://idp.example",
            "client_id": "kms-page",
            "authorization_endpoint": "https://idp.example/authorize",
            "token_endpoint": "https://tokens.idp.example:8443/token",
            "scope": "openid",
            "extra": {},
        },
    }


def test_without_a_client_a_token_is_pasted() -> None:
    told = asyncio.run(Page().describe_sign_in())
    assert told == {"needs_token": True, "unreachable_issuer": None, "code": None}
