"""Signing in, refreshing and signing out, at an issuer that lies: each attack, and its twin that passes."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

from kms_tornado.client.connection import ConnectionSettings
from kms_tornado.client.login.issuer import open_issuer
from kms_tornado.client.login.login import (
    refresh,
    revoke,
    sign_in_with_browser,
    start_device_sign_in,
    wait_for_device_sign_in,
)
from kms_tornado.client.login.login_errors import IssuerUnreachable, LoginFailed, SessionEnded
from kms_tornado.client.login.login_settings import LoginSettings
from kms_tornado.client.login.token_answer import LATEST, parse_token_answer
from kms_tornado.client.login.tokens import Tokens

from ..oauth_issuer import Browser, OAuthIssuer, error, json_answer

CONNECTION = ConnectionSettings(
    server_url="https://kms.example", custom_headers=(("X-Vault-Token", "secret-header"),)
)


@pytest.fixture
def issuer() -> Iterator[OAuthIssuer]:
    with OAuthIssuer() as listening:
        yield listening


def settings_for(issuer: OAuthIssuer, /, **changes: Any) -> LoginSettings:
    return LoginSettings(
        **{"client_id": "kmsctl", "issuer": issuer.uri, "redirect_port": 0, **changes}
    )


def sign_in(
    issuer: OAuthIssuer, browser: Browser, /, *, timeout_s: float = 10, **changes: Any
) -> Tokens:
    with open_issuer(CONNECTION, settings_for(issuer, **changes)) as opened:
        return sign_in_with_browser(opened, browser.open, timeout_s=timeout_s)


# --- by a browser ---------------------------------------------------------------------------------


def test_browser_sign_in_gives_tokens(issuer: OAuthIssuer, browser: Browser) -> None:
    tokens = sign_in(issuer, browser)
    assert tokens.access_token.count(".") == 2
    assert tokens.refresh_token in issuer.refresh_tokens
    assert tokens.id_token is not None
    assert tokens.scopes == ("openid", "email", "offline_access")
    assert 590 < (tokens.expires_at or 0) - time.time() <= 600


def test_every_secret_of_a_sign_in_is_a_new_one_and_s256_is_asked_for(
    issuer: OAuthIssuer, browser: Browser
) -> None:
    for _ in range(2):
        sign_in(issuer, browser)
    first, second = (dict(parse_qsl(urlsplit(url).query)) for url in browser.urls)
    assert first["code_challenge_method"] == "S256"
    for name in ("state", "nonce", "code_challenge"):
        assert len(first[name]) >= 43
        assert first[name] != second[name]
    verifiers = [asked["code_verifier"] for asked in issuer.asked("/token")]
    assert len(set(verifiers)) == 2
    assert not any(verifier in url for verifier in verifiers for url in browser.urls)


def test_public_client_sends_its_name_and_no_secret(issuer: OAuthIssuer, browser: Browser) -> None:
    sign_in(issuer, browser)
    asked = issuer.asked("/token")[0]
    assert asked["client_id"] == "kmsctl"
    assert "client_secret" not in asked
    assert set(issuer.authorizations) == {""}


@pytest.mark.parametrize(
    ("methods", "is_in_header"),
    [
        pytest.param(None, True, id="not said, so basic"),
        pytest.param(["client_secret_basic", "client_secret_post"], True, id="both"),
        pytest.param(["client_secret_post"], False, id="in the body only"),
    ],
)
def test_secret_goes_where_the_issuer_takes_it(
    issuer: OAuthIssuer, browser: Browser, methods: list[str] | None, is_in_header: bool
) -> None:
    issuer.metadata = {"token_endpoint_auth_methods_supported": methods}
    sign_in(issuer, browser, client_secret="s3cret")
    assert ("client_secret" in issuer.asked("/token")[0]) is not is_in_header
    assert any(issuer.authorizations) is is_in_header


def test_audience_and_resource_are_asked_for_where_they_are_configured(
    issuer: OAuthIssuer, browser: Browser
) -> None:
    sign_in(issuer, browser, audience="https://kms.example", resource="urn:kms")
    asked, redeemed = issuer.asked("/authorize")[0], issuer.asked("/token")[0]
    assert (asked["audience"], asked["resource"]) == ("https://kms.example", "urn:kms")
    assert redeemed["resource"] == "urn:kms"
    sign_in(issuer, browser)
    assert not {"audience", "resource"} & set(issuer.asked("/authorize")[1])


@pytest.mark.parametrize(
    ("supported", "scopes", "asked"),
    [
        pytest.param(["offline_access"], (), "openid email offline_access", id="refresh on demand"),
        pytest.param([], (), "openid email", id="an issuer without that scope"),
        pytest.param(["offline_access"], ("kms",), "kms offline_access", id="configured scopes"),
        pytest.param(
            ["offline_access"],
            ("offline_access", "kms"),
            "offline_access kms",
            id="configured both",
        ),
    ],
)
def test_scopes_are_the_configured_ones_and_refresh_where_the_issuer_has_it(
    issuer: OAuthIssuer,
    browser: Browser,
    supported: list[str],
    scopes: tuple[str, ...],
    asked: str,
) -> None:
    issuer.metadata = {"scopes_supported": supported}
    sign_in(issuer, browser, scopes=scopes)
    parameters = issuer.asked("/authorize")[0]
    assert parameters["scope"] == asked
    assert parameters.get("prompt") == ("consent" if supported else None)


def test_configured_urls_win_and_keep_their_parameters(
    issuer: OAuthIssuer, browser: Browser
) -> None:
    issuer.metadata = {
        "authorization_endpoint": "https://nowhere.example/a",
        "token_endpoint": None,
    }
    sign_in(
        issuer,
        browser,
        authorize_url=f"{issuer.uri}/authorize?access_type=offline&prompt=select_account",
        token_url=f"{issuer.uri}/token",
    )
    asked = issuer.asked("/authorize")[0]
    assert (asked["access_type"], asked["prompt"]) == ("offline", "select_account")


def test_urls_alone_are_enough_and_nothing_is_discovered(
    issuer: OAuthIssuer, browser: Browser
) -> None:
    urls = {"authorize_url": f"{issuer.uri}/authorize", "token_url": f"{issuer.uri}/token"}
    assert sign_in(issuer, browser, issuer=None, **urls).id_token is not None
    assert {path for path, _ in issuer.requests} == {"/authorize", "/token"}


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        pytest.param({"answer": {"state": "another"}}, "another sign-in was turned away", id="state"),
        pytest.param({"answer": {"iss": "https://evil.example"}}, "names https://evil", id="issuer"),
        pytest.param({"answer": {"iss": None}}, "names no issuer", id="a promised issuer is missing"),
        pytest.param({"answer": {"code": None}}, "without a code", id="no code"),
        pytest.param(
            {"answer": {"code": None, "error": "access_denied"}}, "declined: access_denied",
            id="declined",
        ),
        pytest.param({"signing_key": "another"}, "bad_signature", id="signed by another key"),
        pytest.param({"claims": {"nonce": "another"}}, "nonce", id="nonce of another sign-in"),
        pytest.param({"claims": {"nonce": None}}, "nonce", id="no nonce"),
        pytest.param({"claims": {"aud": "another"}}, "aud", id="id token for another client"),
        pytest.param({"claims": {"iss": "https://evil.example"}}, "iss", id="id token of another"),
        pytest.param({"claims": {"exp": 1}}, "exp", id="expired id token"),
        pytest.param({"metadata": {"jwks_uri": None}}, "names no key set", id="no key set"),
        pytest.param(
            {"metadata": {"issuer": "https://evil.example"}}, "is that of https://evil.example",
            id="metadata of another issuer",
        ),
        pytest.param(
            {"metadata": {"token_endpoint": "http://evil.example/token"}}, "is not https",
            id="token endpoint over http",
        ),
        pytest.param(
            {"metadata": {"jwks_uri": "file:///etc/passwd"}}, "is not https", id="keys of a file"
        ),
        pytest.param({"metadata": {"token_endpoint": None}}, "no token_url", id="no token endpoint"),
        pytest.param({"metadata": {"token_endpoint": 7}}, "is no text", id="a number for a URL"),
    ],
)  # fmt: skip
def test_lie_of_the_issuer_ends_the_sign_in(
    issuer: OAuthIssuer, browser: Browser, faults: dict[str, Any], said: str
) -> None:
    for name, value in faults.items():
        setattr(issuer, name, value)
    with pytest.raises(LoginFailed, match=said):
        sign_in(issuer, browser, timeout_s=1 if "turned away" in said else 10)


HTML = (200, {"Content-Type": "text/html"}, b"<html>Please accept our cookies</html>")


@pytest.mark.parametrize(
    ("path", "answer", "said"),
    [
        pytest.param("/token", HTML, "no JSON object", id="HTML for tokens"),
        pytest.param("/token", json_answer([1]), "no JSON object", id="a list for tokens"),
        pytest.param("/token", json_answer({}), "no access token", id="no tokens"),
        pytest.param(
            "/token", error("invalid_client", 401), "refused the sign-in: invalid_client",
            id="unknown client",
        ),
        pytest.param(
            "/token", (302, {"Location": "https://evil.example/"}, b""), "redirect", id="redirect"
        ),
        pytest.param(
            "/token", json_answer({"access_token": "x" * 2_000_000}), "too long", id="too long"
        ),
        pytest.param("/.well-known/jwks.json", HTML, "no JSON object", id="HTML for keys"),
        pytest.param("/.well-known/jwks.json", error("x", 404), "HTTP 404", id="no keys"),
        pytest.param("/.well-known/openid-configuration", HTML, "no JSON", id="HTML for metadata"),
        pytest.param(
            "/.well-known/openid-configuration", error("x", 404), "publishes no metadata",
            id="no metadata",
        ),
        pytest.param(
            "/.well-known/openid-configuration",
            (200, {}, b'{"issuer": "a", "issuer": "b"}'), "issuer occurs more than once", id="ambiguous metadata",
        ),
    ],
)  # fmt: skip
def test_answer_that_is_none_ends_the_sign_in(
    issuer: OAuthIssuer, browser: Browser, path: str, answer: Any, said: str
) -> None:
    issuer.scripted[path] = [answer]
    with pytest.raises(LoginFailed, match=said) as refusal:
        sign_in(issuer, browser)
    assert "\n" not in str(refusal.value)
    assert "cookies" not in str(refusal.value)


def test_replayed_code_is_refused_by_the_issuer_and_said_in_one_line(
    issuer: OAuthIssuer, browser: Browser
) -> None:
    def replay() -> Any:
        issuer.codes.clear()
        return error("invalid_grant", error_description="code was used")

    issuer.scripted["/token"] = [replay]
    with pytest.raises(LoginFailed, match=r"invalid_grant \(code was used\)"):
        sign_in(issuer, browser)


def test_second_answer_of_the_browser_changes_nothing(issuer: OAuthIssuer) -> None:
    def visit_twice(session: requests.Session, page: requests.Response) -> requests.Response:
        with suppress(requests.ConnectionError):  # by then nobody listens any more
            return session.get(page.url.replace("code=", "code=stolen"), timeout=5)
        return page

    browser = Browser(visit_twice)
    assert sign_in(issuer, browser).access_token
    browser.close()
    assert len(issuer.asked("/token")) == 1


def test_oddities_that_nobody_reads_harm_no_metadata(issuer: OAuthIssuer, browser: Browser) -> None:
    document = json.dumps(issuer.discovery_document()).encode()
    odd = (
        b'\xef\xbb\xbf{"x": 1, "x": 2, "y": NaN, "issuer": "'
        + issuer.uri.encode()
        + b'", '
        + document[1:]
    )
    issuer.scripted["/.well-known/openid-configuration"] = [(200, {}, odd)]
    assert sign_in(issuer, browser).access_token


def test_metadata_of_rfc_8414_serves_where_there_is_no_other(
    issuer: OAuthIssuer, browser: Browser
) -> None:
    issuer.scripted["/.well-known/openid-configuration"] = [error("not_found", 404)]
    issuer.scripted["/.well-known/oauth-authorization-server"] = [
        json_answer(issuer.discovery_document())
    ]
    assert sign_in(issuer, browser).access_token


def test_nothing_of_the_connection_but_tls_and_proxy_reaches_the_issuer(
    issuer: OAuthIssuer, browser: Browser, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    sign_in(issuer, browser)
    assert not any(issuer.authorizations)
    assert "secret-header" not in str(issuer.requests)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"issuer": "http://issuer.example"}, id="issuer"),
        pytest.param({"token_url": "http://issuer.example/token"}, id="token_url"),
        pytest.param({"authorize_url": "http://127.0.0.1.example/a"}, id="authorize_url"),
    ],
)
def test_plain_http_is_for_loopback_only(issuer: OAuthIssuer, changes: dict[str, Any]) -> None:
    with (
        pytest.raises(LoginFailed, match="is not https"),
        open_issuer(CONNECTION, settings_for(issuer, **changes)),
    ):
        pass


def test_issuer_that_is_away_is_no_refusal(issuer: OAuthIssuer, browser: Browser) -> None:
    with pytest.raises(IssuerUnreachable, match="does not answer"):
        sign_in(issuer, browser, issuer="http://127.0.0.1:9")
    issuer.scripted["/token"] = [(503, {}, b"")]
    with pytest.raises(IssuerUnreachable, match="HTTP 503"):
        sign_in(issuer, browser)


# --- by another device ----------------------------------------------------------------------------


class Clock:
    """Sleeps in no time; `waits` are the pauses."""

    def __init__(self, issuer: OAuthIssuer, *, approve_after: int = 10**6) -> None:
        self.issuer, self.approve_after = issuer, approve_after
        self.waits: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.issuer.is_approved = len(self.waits) >= self.approve_after

    def now(self) -> float:
        return sum(self.waits)


def device_sign_in(issuer: OAuthIssuer, clock: Clock, **changes: Any) -> Tokens:
    with open_issuer(CONNECTION, settings_for(issuer, **changes)) as opened:
        prompt = start_device_sign_in(opened)
        assert "secret-device-code" not in repr(prompt)
        return wait_for_device_sign_in(opened, prompt, sleep=clock.sleep, now=clock.now)


def test_device_sign_in_asks_until_the_user_has_decided(issuer: OAuthIssuer) -> None:
    clock = Clock(issuer, approve_after=3)
    tokens = device_sign_in(issuer, clock, audience="https://kms.example", resource="urn:kms")
    assert tokens.refresh_token
    assert clock.waits == [1, 1, 1]
    asked = issuer.asked("/device_authorization")[0]
    assert asked == {
        "client_id": "kmsctl", "scope": "openid email offline_access",
        "audience": "https://kms.example", "resource": "urn:kms",
    }  # fmt: skip
    assert issuer.asked("/token")[0] == {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "device_code": "secret-device-code", "client_id": "kmsctl", "resource": "urn:kms",
    }  # fmt: skip


def test_slow_down_adds_five_seconds_for_good(issuer: OAuthIssuer) -> None:
    issuer.scripted["/token"] = [error("slow_down"), error("slow_down")]
    clock = Clock(issuer, approve_after=4)
    device_sign_in(issuer, clock)
    assert clock.waits == [1, 6, 11, 11]


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param((503, {}, b"busy"), id="unavailable"),
        pytest.param((429, {}, b"slowly"), id="too many requests"),
        pytest.param((200, {"Content-Length": "1000"}, b"{"), id="cut off"),
    ],
)
def test_lost_connection_in_between_is_bridged(issuer: OAuthIssuer, fault: Any) -> None:
    issuer.scripted["/token"] = [fault]
    clock = Clock(issuer, approve_after=2)
    assert device_sign_in(issuer, clock).access_token
    assert clock.waits == [1, 2]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param(error("access_denied"), "declined", id="declined"),
        pytest.param(error("expired_token"), "has expired before", id="expired"),
        pytest.param(error("invalid_client"), "invalid_client", id="unknown client"),
        pytest.param(HTML, "no JSON object", id="HTML"),
    ],
)
def test_device_sign_in_ends_by_a_refusal(issuer: OAuthIssuer, answer: Any, said: str) -> None:
    issuer.scripted["/token"] = [answer]
    clock = Clock(issuer)
    with pytest.raises(LoginFailed, match=said):
        device_sign_in(issuer, clock)
    assert len(clock.waits) == 1


def test_code_that_nobody_enters_expires_by_this_machines_clock(issuer: OAuthIssuer) -> None:
    clock = Clock(issuer)
    with pytest.raises(LoginFailed, match="expired before anybody entered it"):
        device_sign_in(issuer, clock)
    assert sum(clock.waits) == 60


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param(error("unauthorized_client"), "unauthorized_client", id="refused"),
        pytest.param(
            json_answer({"device_code": "x"}), "no code for this device", id="no user code"
        ),
        pytest.param(HTML, "no JSON object", id="HTML"),
        *(
            pytest.param(
                json_answer({"device_code": "x", "user_code": "u", **pages}), "no web page", id=name
            )
            for name, pages in {
                "script": {"verification_uri": "javascript:alert(1)"},
                "file": {
                    "verification_uri": "https://i.example",
                    "verification_uri_complete": "file:///etc/passwd",
                },
            }.items()
        ),
    ],
)
def test_device_authorization_that_gives_no_code_is_told(
    issuer: OAuthIssuer, answer: Any, said: str
) -> None:
    issuer.scripted["/device_authorization"] = [answer]
    with pytest.raises(LoginFailed, match=said):
        device_sign_in(issuer, Clock(issuer))


def test_issuer_that_names_long_times_does_not_hold_the_program_up(issuer: OAuthIssuer) -> None:
    answer = {
        "device_code": "d", "user_code": "u", "verification_uri": "https://i.example",
        "interval": 10**8, "expires_in": 10**8,
    }  # fmt: skip
    issuer.scripted["/device_authorization"] = [json_answer(answer)]
    clock = Clock(issuer)
    with pytest.raises(LoginFailed, match="has expired"):
        device_sign_in(issuer, clock)
    assert clock.waits == [3600]


@pytest.mark.parametrize("url", ["https://i.example/\x1b[2J", "https://i.example/ a", "https://[x"])
def test_endpoint_that_is_no_url_is_refused_and_cannot_drive_the_terminal(
    issuer: OAuthIssuer, url: str
) -> None:
    issuer.metadata = {"authorization_endpoint": url}
    with (
        pytest.raises(LoginFailed) as caught,
        open_issuer(CONNECTION, settings_for(issuer)),
    ):
        pass
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("expiry", [10**400, 10**15, -1, True])
def test_expiry_that_is_no_date_is_none(expiry: object) -> None:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": expiry}).encode()).rstrip(b"=").decode()
    given = {"access_token": f"e30.{claims}.e30", "expires_in": expiry}
    tokens = parse_token_answer(given, now=time.time())
    assert tokens.expires_at is None or tokens.expires_at < LATEST


@pytest.mark.parametrize("interval", [None, "3", 0, -1, "soon", [], 1e300, 10**400])
def test_interval_is_five_seconds_where_the_issuer_says_nothing_of_use(
    issuer: OAuthIssuer, interval: Any
) -> None:
    answer = {
        "device_code": "d", "user_code": "u\x1b[2J", "verification_uri": "https://i.example",
        "interval": interval,
    }  # fmt: skip
    issuer.scripted["/device_authorization"] = [json_answer(answer)]
    with open_issuer(CONNECTION, settings_for(issuer)) as opened:
        prompt = start_device_sign_in(opened)
    assert prompt.interval_s == (3 if interval == "3" else 5)
    assert prompt.user_code.isprintable()


def test_issuer_without_device_sign_in_is_told(issuer: OAuthIssuer) -> None:
    issuer.metadata = {"device_authorization_endpoint": None}
    with pytest.raises(LoginFailed, match="no device_authorization_url"):
        device_sign_in(issuer, Clock(issuer))


def test_configured_url_serves_where_the_issuer_names_none(issuer: OAuthIssuer) -> None:
    issuer.metadata = {"device_authorization_endpoint": None}
    url = f"{issuer.uri}/device_authorization"
    clock = Clock(issuer, approve_after=1)
    assert device_sign_in(issuer, clock, device_authorization_url=url).access_token


# --- refresh and revocation -----------------------------------------------------------------------


def renew(issuer: OAuthIssuer, tokens: Tokens, **changes: Any) -> Tokens:
    with open_issuer(CONNECTION, settings_for(issuer, **changes)) as opened:
        return refresh(opened, tokens)


def test_refresh_gives_new_tokens_and_asks_for_no_scopes(
    issuer: OAuthIssuer, browser: Browser
) -> None:
    tokens = sign_in(issuer, browser)
    renewed = renew(issuer, tokens, resource="urn:kms")
    assert renewed.access_token != tokens.access_token
    assert renewed.refresh_token != tokens.refresh_token
    assert issuer.asked("/token")[-1] == {
        "grant_type": "refresh_token", "refresh_token": tokens.refresh_token,
        "client_id": "kmsctl", "resource": "urn:kms",
    }  # fmt: skip


def test_what_a_refresh_does_not_give_anew_stays(issuer: OAuthIssuer, browser: Browser) -> None:
    tokens = sign_in(issuer, browser)
    issuer.scripted["/token"] = [json_answer({"access_token": "new", "token_type": "Bearer"})]
    renewed = renew(issuer, tokens)
    assert renewed == replace(tokens, access_token="new", expires_at=None)


def test_refresh_of_somebody_elses_session_is_refused(
    issuer: OAuthIssuer, browser: Browser
) -> None:
    tokens = sign_in(issuer, browser)
    issuer.claims = {"sub": "mallory"}
    with pytest.raises(LoginFailed, match="sub"):
        renew(issuer, tokens)


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        pytest.param(
            error("invalid_grant"), SessionEnded, "^the session has ended: run kmsctl login$",
            id="over",
        ),
        pytest.param(error("invalid_client", 401), LoginFailed, "invalid_client", id="no client"),
        pytest.param((503, {}, b""), IssuerUnreachable, "HTTP 503", id="unavailable"),
        pytest.param(
            error("temporarily_unavailable"), IssuerUnreachable, "not available", id="for a while"
        ),
        pytest.param(HTML, LoginFailed, "no JSON object", id="HTML"),
    ],
)  # fmt: skip
def test_refresh_that_fails_says_whether_the_session_is_over(
    issuer: OAuthIssuer, browser: Browser, answer: Any, kind: type[Exception], said: str
) -> None:
    tokens = sign_in(issuer, browser)
    issuer.scripted["/token"] = [answer]
    with pytest.raises(kind, match=said):
        renew(issuer, tokens)


def test_signing_out_revokes_both_tokens_where_the_issuer_can(
    issuer: OAuthIssuer, browser: Browser
) -> None:
    tokens = sign_in(issuer, browser)
    with open_issuer(CONNECTION, settings_for(issuer)) as opened:
        assert revoke(opened, tokens)
    assert issuer.revoked == ["access_token", "refresh_token"]
    issuer.metadata = {"revocation_endpoint": None}
    with open_issuer(CONNECTION, settings_for(issuer)) as opened:
        assert not revoke(opened, tokens)


def test_refused_revocation_is_told_where_it_leaves_the_session_open(
    issuer: OAuthIssuer, browser: Browser
) -> None:
    tokens = sign_in(issuer, browser)
    issuer.scripted["/revoke"] = [error("unsupported_token_type")]
    with open_issuer(CONNECTION, settings_for(issuer)) as opened:
        assert revoke(opened, tokens)
    issuer.scripted["/revoke"] = [(200, {}, b""), error("invalid_request")]
    with (
        open_issuer(CONNECTION, settings_for(issuer)) as opened,
        pytest.raises(LoginFailed, match="did not revoke"),
    ):
        revoke(opened, tokens)
