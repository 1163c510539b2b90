"""Tokens, remembered tokens and refreshes together, on clocks of our own."""

from __future__ import annotations

import asyncio
import random
import string
from typing import Any

import pytest

from kms_tornado.auth.authenticator import Authenticator
from kms_tornado.auth.deny_list import parse_deny_list
from kms_tornado.auth.issuers.issuer import RefreshPolicy, TrustedIssuer, TrustSettings
from kms_tornado.auth.issuers.key_cache import KeyCache
from kms_tornado.auth.issuers.key_source import LoadedKeys
from kms_tornado.auth.issuers.keyset import KeySet
from kms_tornado.auth.principal import Principal
from kms_tornado.auth.tokens.token_policy import RequiredClaim, TokenPolicy
from kms_tornado.errors import (
    AlgorithmNotAllowed,
    AuthenticationError,
    BadSignature,
    ExpiredToken,
    InsufficientScope,
    InvalidClaim,
    InvalidToken,
    KeySetError,
    KeysUnavailable,
    MalformedToken,
    TokenDenied,
    TokenNotYetValid,
    TokenTooOld,
    UnknownIssuer,
    UnknownKey,
    WrongAudience,
    WrongTokenType,
)

from ..keys import b64, jwk
from ..rows import each_row
from .checking import check_token
from .samples import ABSENT, ISSUER, NOW, OTHER, key_set, token, trust

OLD, NEW = jwk("ES256", "old"), jwk("ES256", "new", "new")
BY_OLD = token({"kid": "old"})
BY_NEW = token({"kid": "new"}, name="new")


class Rig:
    """An Authenticator whose issuers publish what `published` says at the moment of a fetch."""

    def __init__(self, settings: TrustSettings | None = None, **published: Any) -> None:
        self.settings = settings or trust()
        self.monotonic, self.now = 1000.0, NOW
        self.published: dict[str, list[Any] | Exception] = {ISSUER: [OLD]}
        self.fetches: dict[str, int] = {}
        self.gate: asyncio.Event | None = None
        self.caches = {
            issuer.uri: KeyCache(
                issuer, self._loader(issuer.uri), self.settings.refresh,
                clock=lambda: self.monotonic, jitter=lambda a, b: b,
            )
            for issuer in self.settings.issuers
        }  # fmt: skip
        self.auth = Authenticator(self.settings, self.caches, now=lambda: self.now)

    def _loader(self, uri: str) -> Any:
        async def load() -> LoadedKeys:
            self.fetches[uri] = self.fetches.get(uri, 0) + 1
            if self.gate is not None:
                await self.gate.wait()
            document = self.published.get(uri, [])
            if isinstance(document, Exception):
                raise document
            return LoadedKeys(key_set(*document), None)

        return load

    @property
    def asked(self) -> int:
        return self.fetches.get(ISSUER, 0)

    async def loaded(self) -> Rig:
        for cache in self.caches.values():
            await cache.refresh()
        return self

    def later(self, seconds: float) -> None:
        self.monotonic += seconds
        self.now += seconds

    async def refused(self, text: str, error: type[Exception]) -> None:
        with pytest.raises(error) as caught:
            await check_token(self.auth, text)
        assert type(caught.value) is error


def run(story: Any) -> None:
    asyncio.run(story())


# --- an unknown key ---------------------------------------------------------------------------------


def test_a_hundred_requests_with_a_new_key_wait_for_one_refresh_and_pass() -> None:
    async def story() -> None:
        rig = await Rig().loaded()
        rig.published[ISSUER] = [OLD, NEW]
        rig.later(31)
        rig.gate = asyncio.Event()
        requests = [asyncio.create_task(check_token(rig.auth, BY_NEW)) for _ in range(100)]
        await asyncio.sleep(0)
        assert not any(request.done() for request in requests)
        rig.gate.set()
        assert {who.name for who in await asyncio.gather(*requests)} == {"alice"}
        assert rig.asked == 2

    run(story)


def test_known_keys_do_not_wait_while_an_unknown_one_is_looked_for() -> None:
    async def story() -> None:
        rig = await Rig().loaded()
        rig.later(31)
        rig.gate = asyncio.Event()
        waiting = asyncio.create_task(check_token(rig.auth, BY_NEW))
        await asyncio.sleep(0)
        assert rig.auth.check_now(BY_OLD) is not None
        rig.gate.set()
        with pytest.raises(UnknownKey):
            await waiting

    run(story)


def test_within_the_cooldown_an_unknown_key_is_refused_at_once() -> None:
    async def story() -> None:
        rig = await Rig().loaded()
        rig.published[ISSUER] = [OLD, NEW]
        rig.gate = asyncio.Event()  # a fetch would hang
        rig.later(29)
        await rig.refused(BY_NEW, UnknownKey)
        assert rig.asked == 1
        rig.gate = None
        rig.later(1)
        assert (await check_token(rig.auth, BY_NEW)).name == "alice"
        assert rig.asked == 2

    run(story)


def test_ten_thousand_random_kids_cause_one_refresh_a_cooldown() -> None:
    async def story() -> None:
        rig = await Rig().loaded()
        rig.later(31)
        pick = random.Random(7)
        _, claims, signature = BY_NEW.split(".")
        for _ in range(10_000):
            kid = "".join(pick.choices(string.ascii_letters, k=12))
            text = b64(b'{"alg":"ES256","kid":"%s"}' % kid.encode()) + f".{claims}.{signature}"
            with pytest.raises(UnknownKey):
                await check_token(rig.auth, text)
        assert rig.asked == 2
        assert len(rig.auth.tokens) == 0
        assert (await check_token(rig.auth, BY_OLD)).name == "alice", "known keys go on serving"
        rig.later(31)
        await rig.refused(BY_NEW, UnknownKey)
        assert rig.asked == 3

    run(story)


def test_a_refresh_that_fails_leaves_the_unknown_key_unknown_and_the_old_one_known() -> None:
    async def story() -> None:
        rig = await Rig().loaded()
        rig.published[ISSUER] = KeySetError("down")
        rig.later(31)
        await rig.refused(BY_NEW, UnknownKey)
        assert (await check_token(rig.auth, BY_OLD)).name == "alice"

    run(story)


def test_an_issuer_that_hangs_holds_a_request_no_longer_than_the_timeout() -> None:
    async def story() -> None:
        settings = TrustSettings(
            (TrustedIssuer(ISSUER),), TokenPolicy(), RefreshPolicy(timeout_s=0.02)
        )
        rig = await Rig(settings).loaded()
        rig.later(31)
        rig.gate = asyncio.Event()
        await rig.refused(BY_NEW, UnknownKey)

    run(story)


NO_REFRESH = [
    pytest.param("x.y.z", MalformedToken, id="form"),
    pytest.param(token({"kid": "new", "crit": ["x"]}), MalformedToken, id="crit"),
    pytest.param(token({"kid": "new", "alg": "HS256"}), AlgorithmNotAllowed, id="algorithm"),
    pytest.param(token({"kid": "new", "alg": "none"}), AlgorithmNotAllowed, id="none"),
    pytest.param(token({"kid": "new", "typ": "logout+jwt"}), WrongTokenType, id="type"),
    pytest.param(token({"kid": "new"}, {"iss": OTHER}), UnknownIssuer, id="issuer"),
    pytest.param(token({"kid": "new"}, {"iss": ABSENT}), UnknownIssuer, id="no issuer"),
    pytest.param(token({"kid": "new"}, {"exp": int(NOW) - 100}), ExpiredToken, id="expired"),
    pytest.param(token({"kid": "new"}, {"exp": "x"}), InvalidClaim, id="exp a string"),
    pytest.param(token({"kid": "new"}, {"nbf": int(NOW) + 1000}), TokenNotYetValid, id="not yet valid"),
    pytest.param(token({"kid": "new"}, {"iat": int(NOW) + 1000}), TokenNotYetValid, id="of the future"),
    pytest.param(token({"kid": "new"}, {"aud": "x"}), WrongAudience, id="audience"),
    pytest.param(token({"kid": "old"}, name="evil"), BadSignature, id="signature"),
    pytest.param(token({"kid": ABSENT}, name="evil"), BadSignature, id="signature without kid"),
    pytest.param(token({"kid": "old"}, alg="ES384"), AlgorithmNotAllowed, id="a known kid of another algorithm"),
    pytest.param(token({"kid": ABSENT}, alg="RS256"), AlgorithmNotAllowed, id="no kid, an algorithm without key"),
]  # fmt: skip


@each_row(("text", "error"), NO_REFRESH)
def test_a_token_that_is_no_good_anyway_causes_no_refresh(
    text: str, error: type[AuthenticationError]
) -> None:
    async def story() -> None:
        rig = await Rig().loaded()
        rig.later(31)
        await rig.refused(text, error)
        assert rig.asked == 1
        await rig.refused(BY_NEW, UnknownKey)
        assert rig.asked == 2, "the twin: only the unknown key does"

    run(story)


# --- no keys ----------------------------------------------------------------------------------------


def test_without_keys_a_token_of_the_issuer_is_unavailable_and_others_are_refused() -> None:
    async def story() -> None:
        rig = Rig()
        rig.published[ISSUER] = KeySetError("down")
        await rig.refused(BY_OLD, KeysUnavailable)
        await rig.refused(token(claims={"iss": OTHER}), UnknownIssuer)
        await rig.refused("x.y.z", MalformedToken)
        await rig.refused(token({"alg": "none"}), AlgorithmNotAllowed)
        await rig.refused(token({"typ": "x"}), WrongTokenType)

    run(story)


def test_the_first_requests_wait_for_the_first_keys() -> None:
    async def story() -> None:
        rig = Rig()
        rig.gate = asyncio.Event()
        requests = [asyncio.create_task(check_token(rig.auth, BY_OLD)) for _ in range(10)]
        await asyncio.sleep(0)
        rig.gate.set()
        assert len(await asyncio.gather(*requests)) == 10
        assert rig.asked == 1

    run(story)


@each_row("claims", [{"exp": 1}, {"nbf": int(NOW) + 1000}, {"aud": "x"}])
def test_without_keys_a_token_past_its_time_is_unavailable_and_causes_no_refresh(
    claims: Any,
) -> None:
    async def story() -> None:
        rig = Rig()
        rig.published[ISSUER] = KeySetError("down")
        await rig.refused(token({"kid": "old"}, claims), KeysUnavailable)
        assert rig.asked == 0
        await rig.refused(BY_OLD, KeysUnavailable)
        assert rig.asked == 1, "the twin: a token that may be good"

    run(story)


def test_a_token_past_its_time_waits_for_keys_that_are_on_their_way() -> None:
    async def story() -> None:
        rig = Rig()
        rig.gate = asyncio.Event()
        rig.caches[ISSUER].tick()
        request = asyncio.create_task(check_token(rig.auth, token({"kid": "old"}, {"exp": 1})))
        await asyncio.sleep(0)
        rig.gate.set()
        with pytest.raises(ExpiredToken):
            await request
        assert rig.asked == 1

    run(story)


def test_stale_keys_are_unavailable_for_remembered_tokens_too() -> None:
    async def story() -> None:
        settings = TrustSettings(
            (TrustedIssuer(ISSUER),), TokenPolicy(), RefreshPolicy(max_stale_s=100)
        )
        rig = await Rig(settings).loaded()
        await check_token(rig.auth, BY_OLD)
        rig.published[ISSUER] = KeySetError("down")
        rig.monotonic += 90
        await rig.caches[ISSUER].refresh()
        assert (await check_token(rig.auth, BY_OLD)).name == "alice"
        rig.monotonic += 11
        await rig.refused(BY_OLD, KeysUnavailable)
        rig.published[ISSUER] = [OLD]
        rig.monotonic += 31
        assert (await check_token(rig.auth, BY_OLD)).name == "alice"

    run(story)


# --- remembered tokens --------------------------------------------------------------------------------


def test_a_token_is_verified_once_and_then_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        rig = await Rig().loaded()
        first = await check_token(rig.auth, BY_OLD)
        monkeypatch.setattr(KeySet, "find_candidates", lambda *_: pytest.fail("verified again"))
        assert rig.auth.check_now(BY_OLD) is first
        assert rig.auth.tokens.hits == 1

    run(story)


def test_a_removed_key_verifies_nothing_from_then_on_remembered_tokens_included() -> None:
    async def story() -> None:
        rig = await Rig().loaded()
        rig.published[ISSUER] = [OLD, NEW]
        rig.later(31)
        await check_token(rig.auth, BY_OLD)
        await check_token(rig.auth, BY_NEW)
        rig.published[ISSUER] = [NEW]
        rig.later(31)
        rig.caches[ISSUER].start_refresh()
        await rig.caches[ISSUER].join()
        await rig.refused(BY_OLD, UnknownKey)
        assert (await check_token(rig.auth, BY_NEW)).name == "alice"

    run(story)


def test_a_key_replaced_under_its_kid_verifies_nothing_from_then_on() -> None:
    async def story() -> None:
        rig = await Rig().loaded()
        await check_token(rig.auth, BY_OLD)
        rig.published[ISSUER] = [jwk("ES256", "old", "another")]
        rig.later(31)
        rig.caches[ISSUER].start_refresh()
        await rig.caches[ISSUER].join()
        await rig.refused(BY_OLD, BadSignature)

    run(story)


def test_a_remembered_token_is_refused_once_it_has_expired() -> None:
    async def story() -> None:
        rig = await Rig().loaded()
        await check_token(rig.auth, BY_OLD)
        rig.now = NOW + 600 + 59
        assert rig.auth.check_now(BY_OLD) is not None
        rig.now = NOW + 600 + 60
        await rig.refused(BY_OLD, ExpiredToken)
        assert len(rig.auth.tokens) == 0

    run(story)


def test_a_remembered_token_is_refused_once_it_is_too_old() -> None:
    async def story() -> None:
        rig = await Rig(trust(max_age_s=100)).loaded()
        await check_token(rig.auth, BY_OLD)
        rig.now = NOW + 160
        assert rig.auth.check_now(BY_OLD) is not None
        rig.now = NOW + 161
        await rig.refused(BY_OLD, TokenTooOld)

    run(story)


def test_refused_tokens_are_not_remembered() -> None:
    async def story() -> None:
        rig = await Rig().loaded()
        for text in (token({"kid": "old"}, name="evil"), token({"kid": "old"}, {"aud": "x"}), "x"):
            for _ in range(2):
                with pytest.raises(InvalidToken):
                    await check_token(rig.auth, text)
        assert len(rig.auth.tokens) == 0

    run(story)


def test_a_token_without_the_required_scope_is_not_remembered_as_good() -> None:
    async def story() -> None:
        rig = await Rig(trust(required_claims=(RequiredClaim("scope", "kms"),))).loaded()
        for _ in range(2):
            await rig.refused(BY_OLD, InsufficientScope)
        assert (
            await check_token(rig.auth, token({"kid": "old"}, {"scope": "kms"}))
        ).name == "alice"

    run(story)


def test_a_memory_of_size_zero_verifies_every_time() -> None:
    async def story() -> None:
        settings = TrustSettings((TrustedIssuer(ISSUER),), cache_size=0)
        rig = await Rig(settings).loaded()
        for _ in range(3):
            await check_token(rig.auth, BY_OLD)
        assert len(rig.auth.tokens) == 0
        assert rig.auth.outcomes["ok"] == 3

    run(story)


def test_respelling_a_remembered_token_does_not_find_it() -> None:
    async def story() -> None:
        rig = await Rig().loaded()
        await check_token(rig.auth, BY_OLD)
        for text in (BY_OLD + "=", BY_OLD + "\n", " " + BY_OLD, BY_OLD + "."):
            await rig.refused(text, MalformedToken)

    run(story)


# --- several issuers ----------------------------------------------------------------------------------

TWO = trust(TrustedIssuer(ISSUER), TrustedIssuer(OTHER))


def test_keys_of_one_issuer_never_verify_anothers_token() -> None:
    async def story() -> None:
        rig = Rig(TWO)
        rig.published = {
            ISSUER: [OLD],
            OTHER: [jwk("ES256", "old", "other"), jwk("ES256", "b", "other")],
        }
        await rig.loaded()
        for text, error in (
            (token({"kid": "old"}, name="other"), BadSignature),
            (token({"kid": "old"}, {"iss": OTHER}), BadSignature),
            (token({"kid": "b"}, name="other"), UnknownKey),
            (token({"kid": ABSENT}, name="other"), BadSignature),
        ):
            await rig.refused(text, error)
        assert (await check_token(rig.auth, token({"kid": "old"}))).issuer == ISSUER
        assert (
            await check_token(rig.auth, token({"kid": "b"}, {"iss": OTHER}, name="other"))
        ).issuer == OTHER

    run(story)


def test_one_issuers_outage_does_not_touch_the_other() -> None:
    async def story() -> None:
        rig = Rig(TWO)
        rig.published = {ISSUER: [OLD], OTHER: KeySetError("down")}
        await rig.loaded()
        assert (await check_token(rig.auth, BY_OLD)).name == "alice"
        await rig.refused(token({"kid": "old"}, {"iss": OTHER}), KeysUnavailable)

    run(story)


def test_an_unknown_key_refreshes_only_its_own_issuer() -> None:
    async def story() -> None:
        rig = Rig(TWO)
        rig.published = {ISSUER: [OLD], OTHER: [OLD]}
        await rig.loaded()
        rig.later(31)
        await rig.refused(BY_NEW, UnknownKey)
        assert rig.fetches == {ISSUER: 2, OTHER: 1}

    run(story)


# --- the edge -----------------------------------------------------------------------------------------


def test_a_bug_in_the_check_refuses_the_token(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        rig = await Rig().loaded()

        def bug(*_: Any) -> None:
            raise OverflowError("of the token's making")

        monkeypatch.setattr(KeySet, "find_candidates", bug)
        await rig.refused(BY_OLD, InvalidToken)

    run(story)
    assert any(record.exc_info for record in caplog.records)


def test_outcomes_are_counted_by_reason() -> None:
    async def story() -> None:
        rig = await Rig().loaded()
        await check_token(rig.auth, BY_OLD)
        await check_token(rig.auth, BY_OLD)
        await rig.refused("x", MalformedToken)
        await rig.refused(BY_NEW, UnknownKey)
        assert rig.auth.outcomes == {"ok": 2, "malformed": 1, "key": 1}

    run(story)


def test_what_is_handed_out_is_a_principal() -> None:
    async def story() -> None:
        rig = await Rig().loaded()
        assert type(await check_token(rig.auth, BY_OLD)) is Principal

    run(story)


# --- tenants --------------------------------------------------------------------------------------


def test_tenants_share_their_keys_and_are_remembered_each_for_itself() -> None:
    uri = "https://login.example/{tenantid}/v2.0"
    issuer = TrustedIssuer(uri, "https://login.example/keys", tenants=frozenset({"t1", "t2"}))
    texts = {
        tenant: token({"kid": "old"}, {"iss": uri.replace("{tenantid}", tenant), "tid": tenant})
        for tenant in ("t1", "t2")
    }

    async def story() -> None:
        rig = Rig(trust(issuer, namespace_by_issuer=True))
        rig.published[uri] = [OLD]
        names = {(await check_token(rig.auth, text)).name for text in texts.values()}
        assert names == {f"https://login.example/{tenant}/v2.0#alice" for tenant in texts}
        assert rig.fetches == {uri: 1}
        for text in texts.values():
            assert rig.auth.recall(rig.auth.tokens.digest(text)) is not None
        rig.published[uri] = []
        rig.later(31)
        await rig.caches[uri].refresh()
        for text in texts.values():
            assert rig.auth.recall(rig.auth.tokens.digest(text)) is None, "the key is withdrawn"

    run(story)


# --- the deny list --------------------------------------------------------------------------------


def test_remembered_token_is_refused_from_the_moment_that_it_is_denied() -> None:
    async def story() -> None:
        rig = await Rig().loaded()
        digest = rig.auth.tokens.digest(BY_OLD)
        assert rig.auth.check_now(BY_OLD) is not None
        assert rig.auth.recall(digest) is not None
        rig.auth.denied = parse_deny_list(b"sub=bob\nsub=alice")
        assert rig.auth.recall(digest) is None
        assert digest not in rig.auth.tokens
        await rig.refused(BY_OLD, TokenDenied)
        assert rig.auth.outcomes["denied"] == 1
        assert rig.asked == 1, "no keys are fetched for it"
        rig.auth.denied = parse_deny_list(b"sub=bob")
        assert rig.auth.check_now(BY_OLD) is not None

    run(story)


def test_denied_token_that_is_bad_in_another_way_says_that() -> None:
    async def story() -> None:
        rig = await Rig().loaded()
        rig.auth.denied = parse_deny_list(b"sub=alice")
        await rig.refused(token({"kid": "old"}, name="other"), BadSignature)
        await rig.refused(token({"kid": "old"}, {"exp": NOW - 999}), ExpiredToken)

    run(story)
