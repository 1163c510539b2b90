"""--insecure-no-auth: every request is the configured user, whatever it offers."""

from __future__ import annotations

import asyncio

import pytest

from kms_tornado.auth.credentials import Credentials
from kms_tornado.auth.no_auth import InsecureNoAuth


@pytest.mark.parametrize(
    "credentials",
    [
        pytest.param(Credentials(), id="none"),
        pytest.param(Credentials(["Bearer x.y.z"]), id="a bad token"),
        pytest.param(Credentials(peer_certificate=b"DER"), id="a certificate"),
    ],
)
def test_every_request_is_the_configured_user(credentials: Credentials) -> None:
    auth = InsecureNoAuth("admin")
    principal = auth.check_now(credentials)
    assert (principal.name, principal.subject, principal.issuer) == ("admin", "admin", "")
    assert auth.recall(credentials) is principal
    assert asyncio.run(auth.check_refreshing(credentials)) is principal


def test_there_are_no_issuers_and_no_counts() -> None:
    auth = InsecureNoAuth("admin")
    assert not auth.issuers
    assert not auth.status()
    assert auth.statistics() is None
