"""The text of one option becomes the value that it means."""

from __future__ import annotations

import pytest

from kms_tornado.auth.issuers.issuer import TrustedIssuer
from kms_tornado.options import mask_url, parse

from ..rows import each_row
from .helpers import TRUSTING


@each_row(
    ("text", "value"),
    [
        pytest.param("scope=kms:use", "kms:use", id="string"),
        pytest.param("scope=", "", id="empty string"),
        pytest.param("a=b=c", "b=c", id="first equals sign"),
        pytest.param("n=5", 5, id="integer"),
        pytest.param("n=-1.5e2", -150.0, id="float"),
        pytest.param("n=true", True, id="boolean"),
        pytest.param('n="5"', "5", id="number as string"),
        pytest.param('n="true"', "true", id="boolean as string"),
        pytest.param('n="open', '"open', id="no JSON string"),
        pytest.param("n=True", "True", id="not JSON's spelling"),
        pytest.param("n=05", "05", id="leading zero is no JSON number"),
        pytest.param("n= 5", " 5", id="a space makes it a string"),
        pytest.param("n=null", "null", id="null is a string"),
        pytest.param("n=NaN", "NaN", id="NaN is a string"),
        pytest.param("n=[1]", "[1]", id="a list is a string"),
        pytest.param("n=a|b", ("a", "b"), id="any of two"),
        pytest.param("n=a|5|true", ("a", 5, True), id="each as in JSON"),
        pytest.param('n="a|b"', "a|b", id="a bar in quotes"),
        pytest.param('n="a|\\"b"|c', ('a|"b', "c"), id="a quote in quotes"),
        pytest.param("n=a | b", ("a ", " b"), id="spaces stay"),
    ],
)
def test_required_claim_is_a_json_number_or_boolean_or_else_a_string(text, value):
    parsed = parse([*TRUSTING, "--jwt-required-claim", text], {})
    [claim] = parsed.settings.trust.policy.required_claims
    assert claim.name == text.partition("=")[0]
    assert (claim.value, type(claim.value)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "issuer"),
    [
        pytest.param("https://b.example", TrustedIssuer("https://b.example"), id="issuer alone"),
        pytest.param("https://b.example,", TrustedIssuer("https://b.example"), id="one comma"),
        pytest.param("https://b.example,,", TrustedIssuer("https://b.example"), id="all empty"),
        pytest.param(
            "https://b.example,,a, b",
            TrustedIssuer("https://b.example", None, frozenset("ab")),
            id="audiences",
        ),
        pytest.param(
            " https://b.example , https://b.example:1/k ",
            TrustedIssuer("https://b.example", "https://b.example:1/k"),
            id="key set URI",
        ),
        pytest.param(
            "urn:b,https://b.example/k", TrustedIssuer("urn:b", "https://b.example/k"), id="a name"
        ),
    ],
)
def test_auth_provider_is_split_at_commas(text, issuer):
    parsed = parse(["--jwt-auth-provider", text], {})
    assert parsed.settings.trust.issuers == (issuer,)


@each_row(
    ("url", "masked"),
    [
        ("sqlite:///kms.db", "sqlite:///kms.db"),
        ("postgresql://h/d", "postgresql://h/d"),
        ("postgresql://u@h/d", "postgresql://u@h/d"),
        ("postgresql://u:x@h/d", "postgresql://u:***@h/d"),
        ("postgresql://:x@h/d", "postgresql://:***@h/d"),
        ("postgresql://u:x/y@z:w@h/d", "postgresql://u:***@h/d"),
        (
            "postgresql://h/d?user=u&password=x#y&port=1",
            "postgresql://h/d?user=u&password=***&port=1",
        ),
        ("postgresql://h/d?p%61ssword=x", "postgresql://h/d?p%61ssword=***"),
        (
            "postgresql://h/d?passfile=/f&sslmode=require",
            "postgresql://h/d?passfile=/f&sslmode=require",
        ),
        ("postgresql://u:x@h1:1,[::1]:2/d?a=b", "postgresql://u:***@h1:1,[::1]:2/d?a=b"),
        ("postgresql://%2Ftmp/d?host=%2Frun", "postgresql://%2Ftmp/d?host=%2Frun"),
        ("host=h password = 'x y' dbname=d", "host=h password = ***"),
        ("postgresql://h/d?sslPassword=x", "postgresql://h/d?sslPassword=***"),
    ],
)
def test_passwords_in_urls_are_masked(url, masked):
    assert mask_url(url) == masked
