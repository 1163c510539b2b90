"""Whether tokens are to be bound to a key, by what the configuration, the issuer and the server say."""

from __future__ import annotations

from typing import Any

import pytest

from kms_tornado.client.login.login_errors import LoginFailed
from kms_tornado.client.login.login_settings import LoginSettings
from kms_tornado.client.login.proof_choice import choose_algorithm


def settings(dpop: Any, **more: Any) -> LoginSettings:
    return LoginSettings(client_id="kmsctl", issuer="https://issuer.example", dpop=dpop, **more)


@pytest.mark.parametrize(
    ("dpop", "issuer", "server", "chosen"),
    [
        pytest.param("auto", {"ES256", "RS256"}, {"ES256", "RS256"}, "ES256", id="both"),
        pytest.param("auto", {"ES256", "RS256"}, {"RS256"}, "RS256", id="what both have"),
        pytest.param("auto", {"EdDSA"}, {"EdDSA", "ES256"}, "EdDSA", id="what the issuer has"),
        pytest.param("auto", {"ES256"}, {"RS256"}, None, id="nothing in common"),
        pytest.param("auto", {"HS256", "PS256"}, {"ES256"}, None, id="what kmsctl lacks"),
        pytest.param("auto", set(), {"ES256"}, None, id="the issuer does not bind"),
        pytest.param("auto", {"ES256"}, set(), None, id="the server takes no proofs, or says nothing"),
        pytest.param("never", {"ES256"}, {"ES256"}, None, id="never"),
        pytest.param("always", set(), set(), "ES256", id="always, whoever says nothing"),
        pytest.param("always", {"RS256"}, set(), "RS256", id="always, by the issuer's word"),
        pytest.param("always", set(), {"RS256"}, "RS256", id="always, by the server's word"),
    ],
)  # fmt: skip
def test_algorithm(dpop: str, issuer: set[str], server: set[str], chosen: str | None) -> None:
    assert choose_algorithm(settings(dpop), frozenset(issuer), frozenset(server)) == chosen


def test_id_token_is_never_bound_and_so_its_refresh_token_is_not() -> None:
    both = frozenset({"ES256"})
    assert choose_algorithm(settings("auto", token="id"), both, both) is None


def test_proofs_that_are_demanded_and_cannot_be_made_end_the_login() -> None:
    with pytest.raises(LoginFailed, match="agree on no algorithm"):
        choose_algorithm(settings("always"), frozenset({"ES256"}), frozenset({"RS256"}))
