"""The Authorization header (RFC 6750 §2.1) and the challenge (§3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_tornado.auth.bearer import (
    DPOP,
    SCHEMES,
    ChallengeFacts,
    format_challenges,
    is_compact,
    parse_authorization,
)
from kms_tornado.errors import (
    AuthenticationError,
    ExpiredToken,
    InsufficientScope,
    InvalidRequest,
    MissingToken,
    ProofReplayed,
)

from ..rows import each_row


@each_row(
    ("value", "token"),
    [
        pytest.param("Bearer abc", "abc", id="as everybody writes it"),
        pytest.param("bearer abc", "abc", id="small letters"),
        pytest.param("BEARER abc", "abc", id="capitals"),
        pytest.param("bEaReR abc", "abc", id="mixed"),
        pytest.param("Bearer   abc", "abc", id="several spaces: 1*SP"),
        pytest.param("Bearer abc ", "abc", id="space behind, which HTTP strips"),
        pytest.param(" Bearer abc", "abc", id="space before, which HTTP strips"),
        pytest.param("Bearer a-._~+/9==", "a-._~+/9==", id="all of b64token"),
        pytest.param("Bearer Bearer", "Bearer", id="a token that is called Bearer"),
    ],
)
def test_the_token_is_read(value: str, token: str) -> None:
    assert parse_authorization([value]) == ("Bearer", token)


@each_row(
    "value",
    [
        pytest.param("Basic YTpi", id="Basic"),
        pytest.param("Digest username=a", id="Digest"),
        pytest.param("Negotiate abc", id="Negotiate"),
        pytest.param("Bearertoken abc", id="a scheme that only begins like it"),
        pytest.param("Bear abc", id="a shorter scheme"),
        pytest.param("DPoP abc", id="DPoP"),
        pytest.param("abc", id="a token without a scheme"),
        pytest.param("a.b.c", id="a JWT without a scheme"),
    ],
)
def test_another_scheme_offers_no_token(value: str) -> None:
    with pytest.raises(MissingToken):
        parse_authorization([value])


def test_no_header_offers_no_token() -> None:
    with pytest.raises(MissingToken):
        parse_authorization([])


@each_row(
    "values",
    [
        pytest.param(["Bearer abc", "Bearer abc"], id="the same header twice"),
        pytest.param(["Bearer abc", "Bearer def"], id="two headers"),
        pytest.param(["Basic YTpi", "Bearer abc"], id="Basic and Bearer"),
        pytest.param(["", "Bearer abc"], id="an empty one and Bearer"),
        pytest.param(["Bearer"], id="no token"),
        pytest.param(["Bearer "], id="a space for a token"),
        pytest.param(["bearer     "], id="spaces for a token"),
        pytest.param([""], id="an empty header"),
        pytest.param([" "], id="a header of spaces"),
        pytest.param(["Bearer a b"], id="two tokens"),
        pytest.param(["Bearer a,b"], id="comma"),
        pytest.param(["Bearer a, Bearer b"], id="two headers that a proxy joined"),
        pytest.param(["Bearer a\tb"], id="tab inside"),
        pytest.param(["Bearer\tabc"], id="tab for the space"),
        pytest.param(["Bearer \tabc"], id="tab after the space"),
        pytest.param(["Bearer,abc"], id="comma for the space"),
        pytest.param(["Bearer:abc"], id="colon for the space"),
        pytest.param(["Bearer =="], id="padding only"),
        pytest.param(["Bearer a=b"], id="padding in the middle"),
        pytest.param(['Bearer "abc"'], id="quotes"),
        pytest.param(["Bearer <abc>"], id="angle brackets"),
        pytest.param(["Bearer token=abc"], id="a parameter"),
        pytest.param(["Bearer abc\x00"], id="NUL"),
        pytest.param(["Bearer abc\n"], id="newline behind"),
        pytest.param(["Bearer abc\r\nX: y"], id="header injection"),
        pytest.param(["Bearer \u00e9"], id="Latin-1"),
        pytest.param(["Bearer abc\u00a0"], id="no-break space behind"),
        pytest.param(["\u00a0Bearer abc"], id="no-break space before"),
        pytest.param(["Bearer\u2003abc"], id="em space"),
        pytest.param(["Bearer \u0661"], id="a digit of another alphabet"),
        pytest.param(["Be\u0101rer abc"], id="a scheme beyond ASCII"),
        pytest.param(["Bearer \ud800"], id="a lone surrogate"),
        pytest.param(["Bearer *"], id="an asterisk"),
    ],
)
def test_a_malformed_header_is_an_invalid_request(values: list[str]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_authorization(values)
    assert (refused.value.status, refused.value.code) == (400, "invalid_request")


@given(st.lists(st.text(max_size=30) | st.text(max_size=20).map("Bearer ".__add__), max_size=2))
def test_any_header_gives_a_b64token_or_a_refusal(values: list[str]) -> None:
    try:
        token = parse_authorization(values).token
    except (MissingToken, InvalidRequest):
        return
    assert token.isascii()
    assert not set(token) & set(" \t\r\n,;\"\\'<>")


@each_row(
    ("error", "metadata", "challenge"),
    [
        pytest.param(None, None, 'Bearer realm="kms"', id="realm alone"),
        pytest.param(MissingToken("x"), None, 'Bearer realm="kms"', id="no code where no token was offered"),
        pytest.param(
            MissingToken(), "https://kms/.well-known/oauth-protected-resource",
            'Bearer realm="kms", resource_metadata="https://kms/.well-known/oauth-protected-resource"',
            id="resource metadata",
        ),
        pytest.param(
            InvalidRequest("x"), None,
            'Bearer realm="kms", error="invalid_request", '
            'error_description="malformed Authorization header"',
            id="invalid_request",
        ),
        pytest.param(
            ExpiredToken("expired 5 s ago"), None,
            'Bearer realm="kms", error="invalid_token", error_description="token expired"',
            id="invalid_token",
        ),
        pytest.param(
            InsufficientScope("the claim x"), None,
            'Bearer realm="kms", error="insufficient_scope", '
            'error_description="a required claim or scope is missing"',
            id="insufficient_scope",
        ),
    ],
)  # fmt: skip
def test_the_challenge_says_what_is_wrong(
    error: AuthenticationError | None, metadata: str | None, challenge: str
) -> None:
    facts = ChallengeFacts("kms", resource_metadata=metadata)
    assert format_challenges(facts, error) == [challenge]


def test_the_challenge_does_not_show_the_detail() -> None:
    facts = ChallengeFacts("kms", ("ES256",))
    assert "5 s" not in str(format_challenges(facts, ExpiredToken("expired 5 s ago")))


@each_row("realm", ['a"b', "a\\b", "a\r\nSet-Cookie: x", "caf\u00e9"])
def test_a_realm_cannot_break_out_of_its_quotes(realm: str) -> None:
    [challenge] = format_challenges(ChallengeFacts(realm))
    assert challenge.isascii()
    assert challenge.isprintable()
    assert challenge.count('"') == 2
    assert "\\" not in challenge


def test_both_schemes_are_challenged_where_both_are_taken() -> None:
    facts = ChallengeFacts("kms", ("ES256", "PS256"), "kms:use", "https://kms/metadata")
    assert format_challenges(facts, MissingToken()) == [
        'Bearer realm="kms", scope="kms:use", resource_metadata="https://kms/metadata"',
        'DPoP realm="kms", algs="ES256 PS256", scope="kms:use", resource_metadata="https://kms/metadata"',
    ]


def test_the_error_stands_in_the_challenge_of_the_scheme_by_which_the_token_came() -> None:
    facts = ChallengeFacts("kms", ("ES256",))
    error = ProofReplayed()
    error.scheme = DPOP
    assert format_challenges(facts, error) == [
        'Bearer realm="kms"',
        'DPoP realm="kms", algs="ES256", error="invalid_dpop_proof", '
        'error_description="DPoP proof: used before"',
    ]
    assert "error" in format_challenges(facts, ExpiredToken())[0]
    assert "error" not in format_challenges(facts, ExpiredToken())[1]


@each_row("scheme", ["DPoP", "dpop", "DPOP"])
def test_the_scheme_dpop_is_taken_where_it_is_asked_for(scheme: str) -> None:
    assert parse_authorization([f"{scheme}  a.b.c"], SCHEMES) == ("DPoP", "a.b.c")
    with pytest.raises(MissingToken):
        parse_authorization([f"{scheme} a.b.c"])


@each_row(
    "values",
    [
        ["DPoP a.b.c", "Bearer a.b.c"],
        ["Bearer a.b.c, DPoP a.b.c"],
        ["DPoP a.b.c,a.b.c"],
        ["DPoP"],
        ["DPoP "],
    ],
)
def test_one_token_comes_by_one_scheme(values: list[str]) -> None:
    with pytest.raises(InvalidRequest):
        parse_authorization(values, SCHEMES)


# --- the shortcut past the grammar ----------------------------------------------------------------


@each_row(
    ("token", "compact"),
    [
        pytest.param("aZ09-_.aZ09-_.aZ09-_", True, id="all characters of a compact JWS"),
        pytest.param("", False, id="nothing"),
        pytest.param("a.b.c=", False, id="padding"),
        pytest.param("a.b.c+/~", False, id="other characters of a b64token"),
        pytest.param(" a.b.c", False, id="a space before"),
        pytest.param("a.b.c ", False, id="a space behind"),
        pytest.param("a.b.c\n", False, id="a line break"),
        pytest.param("a.b.\u00e9", False, id="no ASCII"),
        pytest.param("a.b.\uff41", False, id="a letter of full width"),
        pytest.param("a.b.\ud800", False, id="half a surrogate pair"),
        pytest.param("a,b", False, id="a comma"),
    ],
)
def test_what_is_made_of_a_compact_jws_characters_needs_no_grammar(
    token: str, compact: bool
) -> None:
    assert is_compact(token) is compact


@given(st.text(alphabet="aZ9-_.=+/~ ,é", max_size=20))
def test_what_takes_the_shortcut_passes_the_grammar_unchanged(token: str) -> None:
    if is_compact(token):
        assert parse_authorization([f"Bearer {token}"]).token == token
