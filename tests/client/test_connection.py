"""Settings of a connection: what is refused, and what no text of them shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kms_tornado.client import ConnectionSettings, InvalidSettings, PKCS12File, ProxySettings
from kms_tornado.client.connection import FixedToken

from ..rows import each_row

SECRET = "hunter2hunter2"


@each_row(
    "url",
    [
        "kms.example",
        "kms.example:9998",
        "ftp://kms.example",
        "https://",
        "https://:9998",
        "https://kms.example:port",
        "https://kms.example:99999",
        "https://kms.example:0",
        "https://kms.example/?a=b",
        "https://kms.example/#a",
        "https://kms.example/a b",
        "https://kms.example\r\nX: y",
        f"https://alice:{SECRET}@kms.example",
        "https://[::1",
        "",
    ],
)
def test_url_that_is_none_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(InvalidSettings, match="the server's URL") as caught:
        ConnectionSettings(server_url=url)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "prefix"),
    [
        ("https://kms.example", ""),
        ("https://kms.example/", ""),
        ("http://127.0.0.1:9998/kms/", "/kms"),
        ("https://[::1]:9998/a/b", "/a/b"),
    ],
)
def test_path_of_the_url_stands_in_front_of_the_server_s_paths(url: str, prefix: str) -> None:
    assert ConnectionSettings(server_url=url).prefix == prefix


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (("Authorization", "Bearer x"), "the client's own"),
        (("content-type", "text/plain"), "the client's own"),
        (("X Tenant", "acme"), "characters"),
        (("X-Tenant", "acme\r\nX-Other: x"), "characters"),
        (("", "acme"), "characters"),
    ],
)
def test_header_that_would_be_another_request_is_refused(
    header: tuple[str, str], words: str
) -> None:
    with pytest.raises(InvalidSettings, match=words):
        ConnectionSettings(server_url="https://kms.example", custom_headers=(header,))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"url": "socks5://proxy:1080"}, "http or https"),
        ({"basic_auth_username": "u"}, "give both"),
        ({"basic_auth_password": SECRET}, "give both"),
        (
            {
                "basic_auth_username": "u",
                "basic_auth_password": SECRET,
                "custom_auth_header": "Bearer x",
            },
            "one of them",
        ),
        ({"custom_auth_header": "Bearer x\r\nX: y"}, "characters"),
    ],
)
def test_proxy_that_cannot_be_meant_is_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidSettings, match=words) as caught:
        ProxySettings(**{"url": "http://proxy:3128", **settings})
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("timeout_s", [0, -1, float("nan"), float("inf"), 1e9])
def test_time_out_is_one_that_somebody_waits_for(timeout_s: float) -> None:
    with pytest.raises(InvalidSettings, match="timeout_s"):
        ConnectionSettings(server_url="https://kms.example", timeout_s=timeout_s)


@pytest.mark.parametrize(
    "token", ["", "two words", "a\r\nX: y", '"quoted"', "münchen", "Bearer abc"]
)
def test_text_that_is_no_token_is_refused_without_being_repeated(token: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        FixedToken(token)
    assert not token or token not in str(caught.value)


def test_repr_has_no_secret() -> None:
    settings = ConnectionSettings(
        server_url="https://kms.example",
        client_certificate=PKCS12File(Path("client.p12"), SECRET),
        proxy=ProxySettings(
            url=f"http://u:{SECRET}@proxy:3128",
            basic_auth_username="u",
            basic_auth_password=SECRET,
        ),
        custom_headers=(("X-Vault-Token", SECRET),),
    )
    shown = repr((settings, FixedToken(SECRET)))
    assert SECRET not in shown
    assert "https://kms.example" in shown
