"""The claim rules as tables: each rule, what passes it, and what python-jose would let pass."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_tornado.auth.issuers.issuer import TrustedIssuer
from kms_tornado.auth.rules.claims import (
    build_user_name,
    check_audience,
    check_claims,
    check_required,
    check_times,
    parse_name,
    parse_numeric_date,
)
from kms_tornado.auth.tokens.token_policy import RequiredClaim, TokenPolicy
from kms_tornado.errors import (
    AuthenticationError,
    ConfigurationError,
    ExpiredToken,
    InsufficientScope,
    InvalidClaim,
    InvalidToken,
    InvalidUserName,
    MissingClaim,
    TokenNotYetValid,
    TokenTooOld,
    UnverifiedEmail,
    WrongAudience,
)

from ...rows import each_row
from ..samples import ABSENT, ISSUER, NOW, changed, good_claims

N = int(NOW)
LEEWAY = 60


def refused(error: type[AuthenticationError] | None) -> Any:
    return pytest.raises(error) if error else nullcontext()


# --- time -----------------------------------------------------------------------------------------


@each_row(
    ("changes", "error"),
    [
        pytest.param({}, None, id="in the middle of its life"),
        pytest.param({"exp": N + 1}, None, id="exp: a second left"),
        pytest.param({"exp": N}, None, id="exp: now, within the leeway"),
        pytest.param({"exp": N - LEEWAY + 1}, None, id="exp: the last second of the leeway"),
        pytest.param({"exp": N - LEEWAY}, ExpiredToken, id="exp: the leeway is over"),
        pytest.param({"exp": N - 3600}, ExpiredToken, id="exp: an hour ago"),
        pytest.param({"exp": 0}, ExpiredToken, id="exp: the epoch"),
        pytest.param({"exp": -5}, ExpiredToken, id="exp: before the epoch"),
        pytest.param({"exp": N + 600.5}, None, id="exp: a float"),
        pytest.param({"exp": N - LEEWAY + 0.5}, None, id="exp: half a second left"),
        pytest.param({"exp": 9_999_999_999}, None, id="exp: the year 2286"),
        pytest.param({"exp": ABSENT}, MissingClaim, id="exp: absent"),
        pytest.param({"nbf": N}, None, id="nbf: now"),
        pytest.param({"nbf": N - 3600}, None, id="nbf: an hour ago"),
        pytest.param({"nbf": N + LEEWAY}, None, id="nbf: at the end of the leeway"),
        pytest.param({"nbf": N + LEEWAY + 1}, TokenNotYetValid, id="nbf: beyond the leeway"),
        pytest.param({"nbf": N + 3600}, TokenNotYetValid, id="nbf: in an hour"),
        pytest.param({"iat": ABSENT}, None, id="iat: absent"),
        pytest.param({"iat": N + LEEWAY}, None, id="iat: at the end of the leeway"),
        pytest.param({"iat": N + LEEWAY + 1}, TokenNotYetValid, id="iat: beyond the leeway"),
        pytest.param({"iat": N + 365 * 86400}, TokenNotYetValid, id="iat: in a year"),
        pytest.param({"iat": N - 10 * 365 * 86400}, None, id="iat: ten years ago, no maximum age"),
        pytest.param({"exp": N - LEEWAY, "nbf": N + 3600}, ExpiredToken, id="expired and not yet valid"),
    ],
)  # fmt: skip
def test_a_token_is_good_between_its_times(
    changes: dict[str, Any], error: type[AuthenticationError] | None
) -> None:
    with refused(error):
        check_times(good_claims(**changes), policy=TokenPolicy(), now=NOW)


NO_TIMES = [
    pytest.param(None, id="null"),
    pytest.param(True, id="true"),
    pytest.param(False, id="false"),
    pytest.param(str(N + 600), id="a string of digits"),
    pytest.param("", id="an empty string"),
    pytest.param(" 1900000000 ", id="digits in spaces"),
    pytest.param("1_900_000_000", id="digits as Python writes them"),
    pytest.param("2030-01-01T00:00:00Z", id="ISO 8601"),
    pytest.param([], id="an empty list"),
    pytest.param([N + 600], id="a list"),
    pytest.param({}, id="an object"),
    pytest.param(float("inf"), id="infinity"),
    pytest.param(float("-inf"), id="minus infinity"),
    pytest.param(float("nan"), id="NaN"),
    pytest.param(1e300, id="a huge float"),
    pytest.param(-1e300, id="a huge negative float"),
    pytest.param(10**25, id="25 digits"),
    pytest.param(10**4000, id="4000 digits"),
    pytest.param(-(10**25), id="minus 25 digits"),
]


@each_row("name", ["exp", "nbf", "iat"])
@each_row("value", NO_TIMES)
def test_what_is_no_finite_number_is_no_time(name: str, value: Any) -> None:
    with pytest.raises(InvalidClaim):
        check_times(good_claims(**{name: value}), policy=TokenPolicy(), now=NOW)


@each_row("leeway", [0, 5, 300])
def test_one_leeway_counts_for_exp_nbf_iat_and_age(leeway: float) -> None:
    policy = TokenPolicy(leeway_s=leeway, max_age_s=100)
    check_times(good_claims(exp=N - leeway + 1), policy=policy, now=NOW)
    check_times(good_claims(nbf=N + leeway, iat=N + leeway), policy=policy, now=NOW)
    check_times(good_claims(iat=N - 100 - leeway), policy=policy, now=NOW)
    with pytest.raises(ExpiredToken):
        check_times(good_claims(exp=N - leeway), policy=policy, now=NOW)
    with pytest.raises(TokenNotYetValid):
        check_times(good_claims(nbf=N + leeway + 1), policy=policy, now=NOW)
    with pytest.raises(TokenNotYetValid):
        check_times(good_claims(iat=N + leeway + 1), policy=policy, now=NOW)
    with pytest.raises(TokenTooOld):
        check_times(good_claims(iat=N - 100 - leeway - 1), policy=policy, now=NOW)


def test_without_leeway_the_second_of_exp_is_too_late() -> None:
    """RFC 7519 §4.1.4: on or after. python-jose takes exp == now."""
    with pytest.raises(ExpiredToken):
        check_times(good_claims(exp=N), policy=TokenPolicy(leeway_s=0), now=NOW)


def test_a_maximum_age_needs_iat() -> None:
    with pytest.raises(MissingClaim):
        check_times(good_claims(iat=ABSENT), policy=TokenPolicy(max_age_s=60), now=NOW)


def test_a_token_without_exp_has_no_time_and_numeric_date_says_so() -> None:
    with pytest.raises(MissingClaim):
        parse_numeric_date({}, "exp")


@given(
    st.one_of(
        st.integers(), st.floats(), st.text(), st.booleans(), st.none(), st.lists(st.integers())
    )
)
def test_any_exp_is_a_time_or_refused(value: Any) -> None:
    try:
        check_times({"exp": value}, policy=TokenPolicy(), now=NOW)
    except (ExpiredToken, InvalidClaim):
        return
    assert type(value) in {int, float}
    assert value > NOW - LEEWAY


# --- audience -------------------------------------------------------------------------------------


@each_row(
    ("audience", "error"),
    [
        pytest.param("kms", None, id="one"),
        pytest.param(["kms"], None, id="a list of one"),
        pytest.param(["x", "kms"], None, id="among several"),
        pytest.param("vault", None, id="another accepted one"),
        pytest.param(["kms", "vault"], None, id="both"),
        pytest.param(ABSENT, MissingClaim, id="absent, which python-jose accepts"),
        pytest.param(None, InvalidClaim, id="null"),
        pytest.param("", WrongAudience, id="empty"),
        pytest.param([], WrongAudience, id="an empty list"),
        pytest.param([""], WrongAudience, id="a list of an empty string"),
        pytest.param("x", WrongAudience, id="for someone else"),
        pytest.param(["x", "y"], WrongAudience, id="for others"),
        pytest.param("KMS", WrongAudience, id="another case"),
        pytest.param("kms ", WrongAudience, id="space behind"),
        pytest.param("kms/", WrongAudience, id="slash behind"),
        pytest.param("km", WrongAudience, id="the beginning only"),
        pytest.param("kms vault", WrongAudience, id="two in one string"),
        pytest.param("kms,vault", WrongAudience, id="with a comma"),
        pytest.param("https://kms", WrongAudience, id="with a scheme"),
        pytest.param("km\u017f", WrongAudience, id="a letter that looks alike"),
        pytest.param(5, InvalidClaim, id="a number"),
        pytest.param(True, InvalidClaim, id="true"),
        pytest.param({"kms": 1}, InvalidClaim, id="an object"),
        pytest.param(["kms", 5], InvalidClaim, id="a list with a number"),
        pytest.param([["kms"]], InvalidClaim, id="a list in a list"),
        pytest.param(["kms", None], InvalidClaim, id="a list with null"),
    ],
)
def test_audience_is_checked(audience: Any, error: type[AuthenticationError] | None) -> None:
    with refused(error):
        check_audience(good_claims(aud=audience), accepted=frozenset({"kms", "vault"}))


@each_row("audience", [ABSENT, "x", 5, None, []])
def test_without_a_configured_audience_aud_is_not_looked_at(audience: Any) -> None:
    check_audience(good_claims(aud=audience), accepted=frozenset())


@each_row(
    ("claims", "error"),
    [
        pytest.param({"aud": "kms", "client_id": "x"}, None, id="the first one that is there counts"),
        pytest.param({"aud": "x", "client_id": "kms"}, WrongAudience, id="and the others do not"),
        pytest.param({"aud": None, "client_id": "kms"}, InvalidClaim, id="null is there"),
        pytest.param({"aud": ABSENT, "client_id": "kms"}, None, id="the next one"),
        pytest.param({"aud": ABSENT, "client_id": ["x", "kms"]}, None, id="a list in the next one"),
        pytest.param({"aud": ABSENT, "client_id": "x"}, WrongAudience, id="another client"),
        pytest.param({"aud": ABSENT, "client_id": 5}, InvalidClaim, id="a number"),
        pytest.param({"aud": ABSENT}, MissingClaim, id="none of them"),
        pytest.param({"aud": ABSENT, "x": {"client_id": "kms"}}, MissingClaim, id="not at the top"),
    ],
)  # fmt: skip
def test_the_audience_may_stand_in_another_claim(
    claims: dict[str, Any], error: type[AuthenticationError] | None
) -> None:
    issuer = TrustedIssuer(ISSUER, audiences=frozenset({"kms"}))
    policy = TokenPolicy(audience_claim=("aud", "client_id"))
    with refused(error):
        check_claims(good_claims(**claims), issuer=issuer, policy=policy, now=NOW)


def test_an_absent_audience_reads_to_the_caller_like_a_wrong_one() -> None:
    with pytest.raises(MissingClaim, match="audience not accepted"):
        check_audience({}, accepted=frozenset({"kms"}))


# --- who ------------------------------------------------------------------------------------------


@each_row(
    ("value", "error"),
    [
        pytest.param("alice", None, id="a name"),
        pytest.param("a", None, id="one character"),
        pytest.param("x" * 255, None, id="255 characters"),
        pytest.param("\u00e9" * 255, None, id="255 characters that are more octets"),
        pytest.param("auth0|507f1f77bcf86cd799439020", None, id="Auth0's"),
        pytest.param("Jos\u00e9 \u5f20", None, id="letters of the world"),
        pytest.param("a\u00a0b", None, id="no-break space"),
        pytest.param(" ", None, id="a space is a character"),
        pytest.param("alice@example.com", None, id="an address"),
        pytest.param(ABSENT, MissingClaim, id="absent"),
        pytest.param("", InvalidClaim, id="empty"),
        pytest.param("x" * 256, InvalidClaim, id="256 characters"),
        pytest.param(None, InvalidClaim, id="null"),
        pytest.param(5, InvalidClaim, id="a number"),
        pytest.param(True, InvalidClaim, id="true"),
        pytest.param(["alice"], InvalidClaim, id="a list"),
        pytest.param({"name": "alice"}, InvalidClaim, id="an object"),
        pytest.param("a\0b", InvalidClaim, id="NUL"),
        pytest.param("a\nb", InvalidClaim, id="newline"),
        pytest.param("a\r", InvalidClaim, id="carriage return"),
        pytest.param("\ta", InvalidClaim, id="tab"),
        pytest.param("a\x1b[31m", InvalidClaim, id="escape"),
        pytest.param("a\x7f", InvalidClaim, id="delete"),
        pytest.param("a\x85b", InvalidClaim, id="next line, a C1 control"),
        pytest.param("\ud800", InvalidClaim, id="a lone surrogate"),
    ],
)
def test_a_name_is_a_short_string_without_controls(
    value: Any, error: type[AuthenticationError] | None
) -> None:
    claims = good_claims(sub=value)
    with refused(error):
        assert parse_name(claims, "sub") == claims["sub"]


@given(st.text(max_size=300))
def test_no_accepted_name_breaks_a_line_or_a_database(name: str) -> None:
    try:
        parse_name({"sub": name}, "sub")
    except InvalidClaim:
        return
    assert name.encode()
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in name)


ALICE = TrustedIssuer(ISSUER)


@each_row(
    ("sub", "by_sub", "by_name"),
    [
        pytest.param("alice", None, None, id="a name"),
        pytest.param(ABSENT, MissingClaim, None, id="absent, as in tokens of machines"),
        pytest.param("", InvalidClaim, None, id="empty"),
        pytest.param("x" * 256, InvalidClaim, None, id="long"),
        pytest.param("a\nb", InvalidClaim, None, id="a newline"),
        pytest.param(None, InvalidClaim, InvalidClaim, id="null"),
        pytest.param(7, InvalidClaim, InvalidClaim, id="a number"),
        pytest.param(["alice"], InvalidClaim, InvalidClaim, id="a list"),
    ],
)
def test_sub_is_required_where_it_names_the_user_and_is_a_string_elsewhere(
    sub: Any, by_sub: type[InvalidToken] | None, by_name: type[InvalidToken] | None
) -> None:
    claims = good_claims(name="x", sub=sub)
    for user_claim, error in (("sub", by_sub), ("name", by_name)):
        policy = TokenPolicy(user_claim=user_claim)
        with pytest.raises(error) if error else nullcontext():
            check_claims(claims, issuer=ALICE, policy=policy, now=NOW)


@each_row(
    ("claims", "policy", "name"),
    [
        pytest.param({}, {}, "alice", id="sub"),
        pytest.param({"email": "a@x"}, {}, "alice", id="email does not count unless configured"),
        pytest.param({"name": "A"}, {"user_claim": "name"}, "A", id="another claim"),
        pytest.param({"email": "a@x", "email_verified": True}, {"user_claim": "email"}, "a@x", id="verified"),
        pytest.param({"email": "a@x", "email_verified": "true"}, {"user_claim": "email"}, "a@x", id="verified in text"),
        pytest.param({"email": "a@x"}, {"user_claim": "email", "allow_unverified_email": True}, "a@x", id="allowed"),
        pytest.param({}, {"namespace_by_issuer": True}, ISSUER + "#alice", id="issuer in front"),
        pytest.param({"name": "A"}, {"user_claim": "name", "namespace_by_issuer": True}, ISSUER + "#A", id="both"),
    ],
)  # fmt: skip
def test_the_user_claim_names_the_principal(
    claims: dict[str, Any], policy: dict[str, Any], name: str
) -> None:
    assert (
        build_user_name(good_claims(**claims), issuer=ALICE, policy=TokenPolicy(**policy)) == name
    )


@each_row(
    ("claims", "policy", "error"),
    [
        pytest.param({"email": "a@x"}, {}, UnverifiedEmail, id="email_verified is absent"),
        pytest.param({"email": "a@x", "email_verified": False}, {}, UnverifiedEmail, id="false"),
        pytest.param({"email": "a@x", "email_verified": None}, {}, UnverifiedEmail, id="null"),
        pytest.param({"email": "a@x", "email_verified": "True"}, {}, UnverifiedEmail, id="the string True"),
        pytest.param({"email": "a@x", "email_verified": "false"}, {}, UnverifiedEmail, id="the string false"),
        pytest.param({"email": "a@x", "email_verified": 1}, {}, UnverifiedEmail, id="the number 1"),
        pytest.param({"email": "a@x", "email_verified": [True]}, {}, UnverifiedEmail, id="a list"),
        pytest.param({"email_verified": True}, {}, MissingClaim, id="no email"),
        pytest.param({"email": "", "email_verified": True}, {}, InvalidClaim, id="email empty"),
        pytest.param({"email": ["a@x"], "email_verified": True}, {}, InvalidClaim, id="email a list"),
        pytest.param({"email": "a@x\n", "email_verified": True}, {}, InvalidClaim, id="email with newline"),
        pytest.param({"email": "x" * 256, "email_verified": True}, {}, InvalidClaim, id="email too long"),
        pytest.param({"email": None}, {"allow_unverified_email": True}, InvalidClaim, id="null though unverified is allowed"),
        pytest.param({}, {"user_claim": "name"}, MissingClaim, id="another claim is absent"),
        pytest.param({"name": 7}, {"user_claim": "name"}, InvalidClaim, id="another claim is a number"),
        pytest.param({"email": "*"}, {"allow_unverified_email": True}, InvalidUserName, id="everyone"),
        pytest.param({"email": " a@x"}, {"allow_unverified_email": True}, InvalidUserName, id="outer space"),
        pytest.param({"email": "a\u200b@x"}, {"allow_unverified_email": True}, InvalidUserName, id="zero width"),
        pytest.param({"email": "Zoe\u0308@x"}, {"allow_unverified_email": True}, InvalidUserName, id="not NFC"),
        pytest.param({"sub": "*"}, {"user_claim": "sub"}, InvalidUserName, id="sub of everyone"),
        pytest.param({"sub": "*"}, {"user_claim": "sub", "namespace_by_issuer": True}, InvalidUserName, id="everyone of one issuer"),
        pytest.param({"sub": " a"}, {"user_claim": "sub", "namespace_by_issuer": True}, InvalidUserName, id="a space behind the issuer"),
    ],
)  # fmt: skip
def test_a_user_claim_that_proves_nothing_is_refused(
    claims: dict[str, Any], policy: dict[str, Any], error: type[AuthenticationError]
) -> None:
    with pytest.raises(error):
        build_user_name(
            good_claims(**claims),
            issuer=ALICE,
            policy=TokenPolicy(**{"user_claim": "email", **policy}),
        )


@each_row(
    ("claims", "expected"),
    [
        pytest.param({"email": "a@x", "email_verified": True, "sub": "s"}, "a@x", id="the first"),
        pytest.param({"client_id": "robot", "sub": "s"}, "robot", id="the second"),
        pytest.param({"email": "", "client_id": "robot"}, "robot", id="an empty text is passed over"),
        pytest.param({"email": None, "client_id": "robot"}, "robot", id="so is null"),
        pytest.param({"sub": "s"}, "s", id="the last"),
        pytest.param({"client_id": "robot"}, "robot", id="a machine without sub"),
        pytest.param({"email": "a@x", "client_id": "robot"}, UnverifiedEmail, id="an unverified one is not passed over"),
        pytest.param({"client_id": ["robot"], "sub": "s"}, InvalidClaim, id="nor a list"),
        pytest.param({"client_id": [], "sub": "s"}, InvalidClaim, id="nor an empty list"),
        pytest.param({"client_id": "*", "sub": "s"}, InvalidUserName, id="nor a name that nobody has"),
        pytest.param({"client_id": "robot", "sub": 7}, InvalidClaim, id="sub is no text"),
        pytest.param({"email": "", "sub": ""}, InvalidClaim, id="all empty"),
        pytest.param({}, MissingClaim, id="none"),
        pytest.param({"x": {"client_id": "robot"}}, MissingClaim, id="not at the top"),
    ],
)  # fmt: skip
def test_of_several_user_claims_the_first_that_is_present_and_not_empty_counts(
    claims: dict[str, Any], expected: Any
) -> None:
    policy = TokenPolicy(user_claim=("email", "client_id", "sub"))
    everything = changed(good_claims(sub=ABSENT), claims)
    with refused(None if isinstance(expected, str) else expected):
        check_claims(everything, issuer=ALICE, policy=policy, now=NOW)
        assert build_user_name(everything, issuer=ALICE, policy=policy) == expected


def test_a_name_of_another_namespace_stays_in_its_own() -> None:
    policy = TokenPolicy(namespace_by_issuer=True)
    claims = good_claims(sub="https://other.example#alice")
    name = build_user_name(claims, issuer=ALICE, policy=policy)
    assert name == f"{ISSUER}#https://other.example#alice"
    assert name.partition("#")[0] == ISSUER, "an issuer has no #, so the first one ends it"
    with pytest.raises(ConfigurationError):
        TrustedIssuer(f"{ISSUER}#https://other.example")


def test_claims_that_do_not_name_the_user_are_left_alone() -> None:
    policy = TokenPolicy(user_claim="name")
    claims = good_claims(sub=" *\u200b", name="alice")
    check_claims(claims, issuer=ALICE, policy=policy, now=NOW)
    assert build_user_name(claims, issuer=ALICE, policy=policy) == "alice"


# --- what the holder may do -----------------------------------------------------------------------


@each_row(
    ("required", "value", "may"),
    [
        pytest.param(("scope", "kms"), "kms", True, id="scope alone"),
        pytest.param(("scope", "kms"), "openid kms email", True, id="scope among others"),
        pytest.param(("scope", "kms"), ["openid", "kms"], True, id="scope in a list"),
        pytest.param(("scp", "kms"), "openid kms", True, id="scp is split, too"),
        pytest.param(("scope", "kms"), "kms:read", False, id="a longer scope"),
        pytest.param(("scope", "kms"), "KMS", False, id="another case"),
        pytest.param(("scope", "kms"), "openid,kms", False, id="commas do not split"),
        pytest.param(("scope", "kms"), "openid\tkms", False, id="tabs do not split"),
        pytest.param(("scope", "kms"), "", False, id="empty"),
        pytest.param(("scope", "kms"), ABSENT, False, id="absent"),
        pytest.param(("scope", "kms"), None, False, id="null"),
        pytest.param(("scope", "kms"), {"kms": True}, False, id="an object"),
        pytest.param(("scope", "kms"), ["openid kms"], False, id="a list is not split"),
        pytest.param(("scope", "a b"), "a b", True, id="both scopes"),
        pytest.param(("scope", "a b"), "b x a", True, id="both scopes in another order"),
        pytest.param(("scp", "a b"), ["b", "a"], True, id="both scopes in a list"),
        pytest.param(("scope", "a b"), "a", False, id="one scope of both"),
        pytest.param(("scope", "a b"), "a bc", False, id="one scope of both and a longer one"),
        pytest.param(("scope", ("a b", "c")), "c", True, id="one scope instead of two"),
        pytest.param(("scope", ("a b", "c")), "b", False, id="half of one of several"),
        pytest.param(("role", "a b"), "a b", True, id="another claim with a space"),
        pytest.param(("role", "a b"), ["a", "b"], False, id="only required scopes are split"),
        pytest.param(("role", "admin"), "admin", True, id="a string"),
        pytest.param(("role", "admin"), ["user", "admin"], True, id="in a list"),
        pytest.param(("role", "admin"), "user admin", False, id="only scopes are split"),
        pytest.param(("role", "admin"), [["admin"]], False, id="a list in a list"),
        pytest.param(("role", "admin"), "administrator", False, id="a longer string"),
        pytest.param(
            ("role", "admin"), {"admin": {"1": "kms.example"}}, True, id="a member's name"
        ),
        pytest.param(("role", "admin"), {"admin": None}, True, id="whatever the member is"),
        pytest.param(("role", "admin"), {"user": "admin"}, False, id="a member's value"),
        pytest.param(("role", "admin"), [{"admin": 1}], False, id="an object in a list"),
        pytest.param(("role", True), {"true": 1}, False, id="a boolean is no member's name"),
        pytest.param(("role", ("ops", "admin")), "admin", True, id="one of several"),
        pytest.param(("role", ("ops", "admin")), ["x", "ops"], True, id="one of several in a list"),
        pytest.param(("role", ("ops", 5)), 5, True, id="a number among several"),
        pytest.param(("role", ("ops", "admin")), ["x"], False, id="none of several"),
        pytest.param(("role", ("ops", "admin")), ABSENT, False, id="absent"),
        pytest.param(("level", 5), 5, True, id="a number"),
        pytest.param(("level", 5), 5.0, True, id="the same number as JSON sees it"),
        pytest.param(("level", 5), [4, 5], True, id="a number in a list"),
        pytest.param(("level", 5), "5", False, id="a string is no number"),
        pytest.param(("level", "5"), 5, False, id="a number is no string"),
        pytest.param(("level", 1), True, False, id="true is not 1"),
        pytest.param(("level", 0), False, False, id="false is not 0"),
        pytest.param(("admin", True), True, True, id="a boolean"),
        pytest.param(("admin", True), 1, False, id="1 is not true"),
        pytest.param(("admin", True), "true", False, id="a string is no boolean"),
        pytest.param(("admin", False), ABSENT, False, id="absent is not false"),
        pytest.param(("admin", False), None, False, id="null is not false"),
        pytest.param(("admin", False), False, True, id="false"),
    ],
)
def test_a_required_claim_equals_or_contains_its_value(
    required: tuple[str, Any], value: Any, may: bool
) -> None:
    claims = good_claims(**{required[0]: value})
    with refused(None if may else InsufficientScope):
        check_required(claims, (RequiredClaim(*required),))


def test_a_required_claim_may_stand_within_another() -> None:
    claims = {"realm_access": {"roles": ["kms"]}, "resource_access": {"my.app": {"roles": ["a"]}}}
    check_required(claims, (RequiredClaim("realm_access.roles", ("x", "kms")),))
    check_required(claims, (RequiredClaim("/resource_access/my.app/roles", "a"),))
    with pytest.raises(InsufficientScope):
        check_required(claims, (RequiredClaim("realm_access.roles", "a"),))


def test_every_required_claim_counts() -> None:
    required = (RequiredClaim("scope", "kms"), RequiredClaim("role", "admin"))
    check_required({"scope": "kms", "role": "admin"}, required)
    for claims in ({"scope": "kms"}, {"role": "admin"}, {}):
        with pytest.raises(InsufficientScope):
            check_required(claims, required)


# --- all of it ------------------------------------------------------------------------------------


@each_row("name", ["at_hash", "c_hash", "nonce"])
def test_hashes_and_nonces_are_not_checked(name: str) -> None:
    """python-jose refuses every Google ID token for its at_hash."""
    check_claims(good_claims(**{name: "x"}), issuer=ALICE, policy=TokenPolicy(), now=NOW)


@each_row("name", ["jti", "azp", "auth_time", "amr", "cnf", "act", "groups"])
@each_row("value", [None, 5, "", [], {}])
def test_claims_without_a_rule_may_be_anything(name: str, value: Any) -> None:
    check_claims(good_claims(**{name: value}), issuer=ALICE, policy=TokenPolicy(), now=NOW)


@given(st.dictionaries(
    st.sampled_from(["exp", "nbf", "iat", "sub", "aud", "email", "email_verified", "scope"]),
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.text(max_size=3)),
))  # fmt: skip
def test_any_claims_pass_or_raise_an_authentication_error(claims: dict[str, Any]) -> None:
    policy = TokenPolicy(user_claim="email", max_age_s=60)
    issuer = TrustedIssuer(ISSUER, audiences=frozenset({"kms"}))
    try:
        check_claims(claims, issuer=issuer, policy=policy, now=NOW)
        build_user_name(claims, issuer=issuer, policy=policy)
        check_required(claims, (RequiredClaim("scope", "kms"),))
    except (InvalidToken, InsufficientScope):
        return
    assert claims["email_verified"] is True
