"""From the configuration to the settings of a sign-in."""

from __future__ import annotations

from typing import Any

import pytest

from kms_tornado.client.configuration.configuration import OAuth2Configuration
from kms_tornado.client.errors import InvalidSettings
from kms_tornado.client.login.login_settings import LoginSettings, make_login_settings

ISSUER = "https://issuer.example"


def settings_of(environ: dict[str, str] | None = None, **members: Any) -> LoginSettings:
    members = {"client_id": "kmsctl", "issuer": ISSUER, **members}
    return make_login_settings(OAuth2Configuration(**members), environ or {})


def test_settings_are_as_configured_and_the_secret_is_not_shown() -> None:
    settings = settings_of(
        client_secret="s3cret", scopes=("a", "b"), token="id", audience="aud", resource="urn:kms"
    )
    assert settings == LoginSettings(
        client_id="kmsctl", client_secret="s3cret", issuer=ISSUER, scopes=("a", "b"), token="id",
        audience="aud", resource="urn:kms",
    )  # fmt: skip
    assert "s3cret" not in repr(settings)


def test_an_empty_secret_is_none() -> None:
    assert settings_of(client_secret="").client_secret is None


@pytest.mark.parametrize(
    ("environ", "configured", "port"),
    [
        pytest.param({}, None, 17899, id="ckms's"),
        pytest.param({}, 4000, 4000, id="the file's"),
        pytest.param({"OAUTH2_REDIRECT_URL_PORT": "5000"}, 4000, 5000, id="the environment's"),
        pytest.param({"OAUTH2_REDIRECT_URL_PORT": ""}, 4000, 4000, id="empty: not set"),
        pytest.param({"OAUTH2_REDIRECT_URL_PORT": "0"}, None, 0, id="a free one"),
    ],
)
def test_port_of_the_redirect(environ: dict[str, str], configured: int | None, port: int) -> None:
    assert settings_of(environ, redirect_port=configured).redirect_port == port


@pytest.mark.parametrize(
    ("members", "environ", "said"),
    [
        pytest.param({"client_id": None}, {}, "set client_id and issuer", id="no client"),
        pytest.param({"issuer": None}, {}, "set issuer", id="no issuer and no URL"),
        pytest.param(
            {"issuer": None, "token_url": "https://i.example/t"}, {}, "set issuer", id="one of two"
        ),
        pytest.param({"token": "both"}, {}, 'neither "access" nor "id"', id="which token"),
        pytest.param(
            {"dpop": "yes"}, {}, 'none of "auto", "never" and "always"', id="which policy"
        ),
        pytest.param(
            {"dpop": "always", "token": "id"}, {}, "exclude each other", id="a bound id token"
        ),
        pytest.param({"redirect_port": 70000}, {}, "no port: 70000", id="no port"),
        pytest.param({}, {"OAUTH2_REDIRECT_URL_PORT": "http"}, "is no port", id="a word"),
    ],
)
def test_nonsense_is_refused_with_what_to_do(
    members: dict[str, Any], environ: dict[str, str], said: str
) -> None:
    with pytest.raises(InvalidSettings, match=said):
        settings_of(environ, **members)


def test_two_urls_are_as_good_as_an_issuer() -> None:
    urls = {"authorize_url": "https://i.example/a", "token_url": "https://i.example/t"}
    assert settings_of(issuer=None, **urls).issuer is None
