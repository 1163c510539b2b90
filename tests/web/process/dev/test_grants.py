"""What the issuer of --dev hands out: for how long, how many, and once."""

from __future__ import annotations

from typing import Any

import pytest

from kms_tornado.web.process.dev import grants as dev_grants
from kms_tornado.web.process.dev.grants import (
    CODE_LIFETIME_S,
    DEVICE_LIFETIME_S,
    POLL_INTERVAL_S,
    REFRESH_LIFETIME_S,
    Grants,
)
from kms_tornado.web.process.dev.requests import OAuthError, ReturnAddress, SignInRequest

from .browser import ALICE, BOB, CLIENT, REDIRECT, VERIFIER, challenge_of

REQUEST = SignInRequest(
    back=ReturnAddress(client_id=CLIENT, redirect_uri=REDIRECT, state=""),
    scope="openid",
    nonce="n",
    code_challenge=challenge_of(VERIFIER),
    login_hint="",
)
GOOD: dict[str, Any] = {"client_id": CLIENT, "redirect_uri": REDIRECT, "verifier": VERIFIER}


@pytest.fixture
def grants() -> Grants:
    return Grants()


@pytest.mark.parametrize(
    ("age_s", "good"), [(0, True), (CODE_LIFETIME_S - 1, True), (CODE_LIFETIME_S, False)]
)
def test_code_lives_for_a_minute(grants: Grants, age_s: float, good: bool) -> None:
    code = grants.issue_code(REQUEST, ALICE, 100)
    if good:
        assert grants.redeem_code(code, **GOOD, now=100 + age_s)[0].user == ALICE
    else:
        with pytest.raises(OAuthError, match="expired"):
            grants.redeem_code(code, **GOOD, now=100 + age_s)


def test_replay_revokes_long_after_the_code_would_have_expired(grants: Grants) -> None:
    code = grants.issue_code(REQUEST, ALICE, 0)
    _, token = grants.redeem_code(code, **GOOD, now=1)
    with pytest.raises(OAuthError, match="used before"):
        grants.redeem_code(code, **GOOD, now=10 * CODE_LIFETIME_S)
    with pytest.raises(OAuthError, match="revoked"):
        grants.refresh(token, client_id=CLIENT, scope="", now=10 * CODE_LIFETIME_S)


def test_device_code_lives_for_ten_minutes_and_says_when_it_is_over(grants: Grants) -> None:
    code, user_code = grants.start_device(CLIENT, "", 0)
    assert grants.find_device(user_code, DEVICE_LIFETIME_S - 1)
    assert grants.find_device(user_code, DEVICE_LIFETIME_S) is None
    assert not grants.decide_device(user_code, ALICE, DEVICE_LIFETIME_S)
    with pytest.raises(OAuthError) as refusal:
        grants.redeem_device(code, client_id=CLIENT, now=DEVICE_LIFETIME_S)
    assert refusal.value.error == "expired_token"


def test_device_that_keeps_to_the_interval_is_never_told_to_slow_down(grants: Grants) -> None:
    code, user_code = grants.start_device(CLIENT, "", 0)
    for turn in range(5):
        with pytest.raises(OAuthError) as refusal:
            grants.redeem_device(code, client_id=CLIENT, now=turn * POLL_INTERVAL_S)
        assert refusal.value.error == "authorization_pending"
    grants.decide_device(user_code, BOB, 5)
    assert grants.redeem_device(code, client_id=CLIENT, now=5)[0].user == BOB


def test_user_codes_are_letters_that_nobody_mistakes(grants: Grants) -> None:
    codes = {grants.start_device(CLIENT, "", 0)[1] for _ in range(50)}
    assert len(codes) == 50
    assert not set("".join(codes)) & set("AEIOUY0123456789")


def test_sign_in_is_over_after_a_day_s_work(grants: Grants) -> None:
    _, token = grants.redeem_code(grants.issue_code(REQUEST, ALICE, 0), **GOOD, now=0)
    _, token = grants.refresh(token, client_id=CLIENT, scope="", now=REFRESH_LIFETIME_S - 1)
    with pytest.raises(OAuthError, match="expired"):
        grants.refresh(token, client_id=CLIENT, scope="", now=REFRESH_LIFETIME_S)


def test_what_was_handed_out_is_bounded(grants: Grants, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dev_grants, "_MOST", 3)
    codes = [grants.issue_code(REQUEST, ALICE, 0) for _ in range(5)]
    results = []
    for code in codes:
        try:
            results.append(bool(grants.redeem_code(code, **GOOD, now=1)))
        except OAuthError:
            results.append(False)
    assert results == [False, False, True, True, True]


def test_nothing_that_is_over_is_kept(grants: Grants) -> None:
    values: dev_grants.Expiring[int] = dev_grants.Expiring(10)
    for now in range(100):
        values.add(now, now)
    assert len(values._values) == 10
