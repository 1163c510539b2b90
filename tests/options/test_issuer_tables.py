"""The tables [[kms.issuer]]: issuers with settings of their own."""

from __future__ import annotations

import pytest

from kms_tornado.auth.issuers.issuer import TrustedIssuer
from kms_tornado.auth.tokens.token_policy import RequiredClaim
from kms_tornado.options import format_effective, parse

from ..rows import each_row
from .helpers import TRUSTING, refusal

A = 'uri = "https://a.example/"\n'
B = 'uri = "https://b.example"\n'
SHARED = 'jwt-user-namespace = "shared"'
NAMED = ("--jwt-issuer-uri=urn:a#b", "--jwks-uri=https://k/k")


def tables(*texts, top=""):
    return f"[kms]\n{top}\n" + "".join(f"[[kms.issuer]]\n{text}\n" for text in texts)


def read(toml, *texts, top="", argv=()):
    return parse(["-c", toml(tables(*texts, top=top)), *argv], {})


def test_table_has_all_that_an_issuer_may_have(toml, tmp_path):
    (tmp_path / "token").write_text("t")
    parsed = read(
        toml,
        f"""{A}
        jwks-uri = "https://keys.example/k"
        audience = ["kms", "vault"]
        audience-claim = ["aud", "client_id"]
        user-claim = ["email", "sub"]
        required-claim = ["role=a|b", "/x/y=1"]
        token-types = ["at+jwt", "absent"]
        jwks-token-file = "{tmp_path}/token"
        """,
    )
    assert parsed.settings.trust.issuers == (
        TrustedIssuer(
            "https://a.example/",
            "https://keys.example/k",
            frozenset({"kms", "vault"}),
            ("aud", "client_id"),
            ("email", "sub"),
            (RequiredClaim("role", ("a", "b")), RequiredClaim("/x/y", 1)),
            frozenset({"at+jwt", None}),
            str(tmp_path / "token"),
        ),
    )


def test_what_is_left_out_is_as_the_options_say(toml):
    top = 'jwt-audience = ["kms"]\njwt-user-claim = "email"\njwt-user-namespace = "shared"\njwks-allow-http = ["k"]'
    own = 'uri = "urn:b"\njwks-uri = "http://k/"\naudience = ["b"]\nuser-claim = "sub"\nrequired-claim = []\n'
    trust = read(toml, A, own, top=top, argv=["--jwt-required-claim", "x=1"]).settings.trust
    a, b = trust.issuers
    assert (a.audiences, b.audiences) == ({"kms"}, {"b"})
    assert trust.policy_of(a).user_claims == ("email",)
    assert trust.policy_of(b).user_claims == ("sub",)
    assert trust.policy_of(a).required_claims == (RequiredClaim("x", 1),)
    assert trust.policy_of(b).required_claims == ()
    assert a.jwks_allow_http == b.jwks_allow_http == {"k"}


def test_tables_stand_beside_the_other_ways_to_name_an_issuer(toml):
    argv = [*TRUSTING, "--jwt-auth-provider", "https://b.example", "--jwt-user-namespace=issuer"]
    trust = read(toml, A, argv=argv).settings.trust
    uris = [issuer.uri for issuer in trust.issuers]
    assert uris == ["https://issuer.example.com/", "https://a.example/", "https://b.example"]


def test_effective_configuration_has_the_tables_and_is_a_file(toml):
    first = read(
        toml,
        f'{A}user-claim = "oid"\nrequired-claim = ["n=\\"5\\"", "m=a|b"]\naudience = []',
        'uri = "urn:b"\njwks-uri = "file:///k"\ntoken-types = ["absent"]',
        top='jwt-user-namespace = "issuer"',
    )
    text = format_effective(first)
    assert '[[kms.issuer]]\nuri = "https://a.example/"  # file\n' in text
    assert 'user-claim = ["oid"]  # file' in text
    again = parse(["-c", toml("[kms]\n" + text)], {})
    assert again.settings == first.settings


def test_tenants_are_let_in_by_one_option(toml):
    own = 'uri = "https://a.example/{tenantid}/"\njwks-uri = "https://a.example/k"'
    trust = read(toml, own, argv=["--jwt-tenants=t1", "--jwt-user-namespace=shared"]).settings.trust
    assert trust.issuers[0].tenants == {"t1"}
    line = refusal(["-c", toml(tables(own)), "--jwt-tenants=t1", "--jwt-tenants=t2"])
    assert "must be shared or issuer when there is more than one issuer" in line


def test_tenants_that_nobody_asks_for_are_warned_of(toml):
    (warning,) = read(toml, A, argv=["--jwt-tenants=t1"]).warnings
    assert warning == "--jwt-tenants (flag): has no effect: no issuer has {tenantid} in it"


PLACE = "[[kms.issuer]] 1 of file "


@each_row(
    ("text", "label", "fault"),
    [
        pytest.param("", "uri", "is missing", id="no issuer"),
        pytest.param('uri = ""', "uri", "the value is empty", id="an empty issuer"),
        pytest.param("uri = 5", "uri", "needs a string", id="a number"),
        pytest.param('uri = "urn:a"', "uri", "an https:// URL is needed", id="a name without keys"),
        pytest.param(f'{A}jwks-uri = "http://k/"', "jwks-uri", "http is for loopback hosts only", id="http"),
        pytest.param(f'{A}audiense = ["a"]', "audiense", "unknown key; did you mean audience?", id="a misspelt key"),
        pytest.param(f'{A}jwt-audience = ["a"]', "jwt-audience", "unknown key; did you mean audience?", id="the option's name"),
        pytest.param('jwt-issuer-uri = "https://a"', "jwt-issuer-uri", "unknown key; did you mean uri?", id="another's name"),
        pytest.param(f"{A}port = 1", "port", "unknown key; this option is one for all issuers", id="an option behind it"),
        pytest.param(f"{A}user-claim = []", "user-claim", "at least one is needed", id="no user claim"),
        pytest.param(f"{A}audience-claim = []", "audience-claim", "at least one is needed", id="no audience claim"),
        pytest.param(f"{A}token-types = []", "token-types", "at least one is needed", id="no token type"),
        pytest.param(f'{A}audience = "a"', "audience", "needs a list of strings", id="no list"),
        pytest.param(f'{A}audience = [""]', "audience", "the value is empty", id="an empty audience"),
        pytest.param(f'{A}required-claim = ["x"]', "required-claim", "needs NAME=VALUE", id="no value"),
        pytest.param(f'{A}jwks-token-file = "/nowhere/t"', "jwks-token-file", "cannot read /nowhere/t", id="no file"),
    ],
)  # fmt: skip
def test_mistake_is_told_with_the_table_that_it_stands_in(toml, text, label, fault):
    line = refusal(["-c", toml(tables(text))])
    assert line.startswith(f"{label} ({PLACE}"), line
    assert fault in line
    assert "no issuer to trust" not in line


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        pytest.param('[kms]\nissuer = "https://a"', "needs tables [[kms.issuer]], not a string", id="a string"),
        pytest.param(f"[kms.issuer]\n{A}", "needs tables [[kms.issuer]], not a table", id="one pair of brackets"),
        pytest.param(f"[[issuer]]\n{A}", "outside the table [kms]", id="outside"),
        pytest.param(tables(A, A, top='jwt-user-namespace = "shared"'), "is configured twice", id="twice"),
        pytest.param(tables(A, 'uri = "https://b/"'), "must be shared or issuer when", id="no namespace"),
    ],
)  # fmt: skip
def test_other_mistakes_are_told_in_one_line(toml, text, fault):
    assert fault in refusal(["-c", toml(text)])


@pytest.mark.parametrize(
    ("argv", "texts", "start"),
    [
        pytest.param(("--jwt-issuer-uri=https://a.example/",), (A, B), "uri ([[kms.issuer]] 1 of", id="the option's"),
        pytest.param((), (A, B, A), "uri ([[kms.issuer]] 3 of", id="another table's"),
        pytest.param(("--jwt-auth-provider=https://b.example",), (A, B), "--jwt-auth-provider (flag): ", id="a provider's"),
    ],
)  # fmt: skip
def test_issuer_that_is_there_twice_is_told_where_the_second_one_stands(toml, argv, texts, start):
    line = refusal(["-c", toml(tables(*texts, top=SHARED)), *argv])
    assert line.startswith(start), line
    assert line.endswith("is configured twice")


@pytest.mark.parametrize(
    ("argv", "texts", "start"),
    [
        pytest.param(NAMED, (), "--jwt-issuer-uri (flag): ", id="the option's"),
        pytest.param(NAMED, (A,), "--jwt-issuer-uri (flag): ", id="the option's, with a table"),
        pytest.param((), ('uri = "urn:a#b"\njwks-uri = "https://k/k"', A), "uri ([[kms.issuer]] 1 of", id="a table's"),
        pytest.param(("--jwt-auth-provider=group:a,https://k/k",), (A,), "--jwt-auth-provider (flag): ", id="a provider's"),
    ],
)  # fmt: skip
def test_issuer_that_cannot_stand_before_names_is_told_where_it_stands(toml, argv, texts, start):
    top = 'jwt-user-namespace = "issuer"'
    line = refusal(["-c", toml(tables(*texts, top=top)), *argv])
    assert line.startswith(start), line
    assert "cannot stand in front of user names" in line


def test_tenants_of_a_table_are_the_fault_of_their_option(toml):
    own = 'uri = "https://a.example/{tenantid}/"\njwks-uri = "https://a.example/k"'
    line = refusal(["-c", toml(tables(own)), "--jwt-tenants=a/b"])
    assert line == "--jwt-tenants (flag): letters, digits, dots, dashes and underscores"


def test_of_several_providers_the_one_at_fault_is_named():
    argv = [
        "--jwt-auth-provider=https://a.example",
        "--jwt-auth-provider=http://u:hunter2@b.example",
    ]
    assert refusal(argv) == (
        "--jwt-auth-provider (flag): issuer URI: http is for loopback hosts only, use https "
        "(issuer http://u:***@b.example)"
    )
