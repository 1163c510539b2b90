"""Issuers, policies and URLs: what is refused before any token comes."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest

from kms_tornado.auth.issuers.issuer import (
    RefreshPolicy,
    TrustedIssuer,
    TrustSettings,
    default_jwks_uri,
)
from kms_tornado.auth.tokens.token_policy import RequiredClaim, TokenPolicy
from kms_tornado.errors import ConfigurationError

from ...rows import each_row

GOOD_URLS = [
    "https://tenant.eu.auth0.com/",
    "https://securetoken.google.com/project",
    "https://idp.example:8443/realms/kms",
    "http://127.0.0.1:8080",
    "http://127.9.9.9/",
    "http://localhost/",
    "http://LOCALHOST/",
    "http://[::1]:80/",
    "HTTPS://issuer.example/",
]
BAD_URLS = [
    pytest.param("", id="empty"),
    pytest.param("issuer.example", id="no scheme"),
    pytest.param("//issuer.example/", id="no scheme, two slashes"),
    pytest.param("ftp://issuer.example/", id="ftp"),
    pytest.param("javascript:alert(1)", id="javascript"),
    pytest.param("data:application/json,{}", id="data"),
    pytest.param("https://", id="no host"),
    pytest.param("https:///path", id="no host but a path"),
    pytest.param("http://issuer.example/", id="http to another host"),
    pytest.param("http://10.0.0.1/", id="http to a private address"),
    pytest.param("http://0.0.0.0/", id="http to any address"),
    pytest.param("http://127.0.0.1.evil.example/", id="a name that begins like loopback"),
    pytest.param("http://localhost.evil.example/", id="a name that begins like localhost"),
    pytest.param("http://localhost@evil.example/", id="loopback for a user name"),
    pytest.param("http://evil.example\\@localhost/", id="a backslash"),
    pytest.param("http://127.1/", id="a short address"),
    pytest.param("http://2130706433/", id="an address in one number"),
    pytest.param("https://user:secret@issuer.example/", id="a password"),
    pytest.param("https://user@issuer.example/", id="a user name"),
    pytest.param("https://issuer.example/#x", id="a fragment"),
    pytest.param("https://issuer.example/#", id="an empty fragment"),
    pytest.param("https://issuer.example/ x", id="a space"),
    pytest.param("https://issuer.example/\n", id="a newline"),
    pytest.param("https://issuer.example/\x00", id="NUL"),
    pytest.param("https://issuer.example:port/", id="a port that is no number"),
    pytest.param("https://issuer.example:99999/", id="a port too large"),
    pytest.param("https://[::1/", id="half an IPv6 address"),
]


@each_row("url", GOOD_URLS)
def test_https_and_http_on_loopback_are_accepted(url: str) -> None:
    assert TrustedIssuer(url, url).uri == url


@each_row("url", BAD_URLS)
def test_other_issuer_uris_are_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^issuer URI: "):
        TrustedIssuer(url)


@each_row("url", BAD_URLS)
def test_other_key_set_uris_are_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^key set URI: "):
        TrustedIssuer("https://issuer.example/", url)


KEYS = "https://keys.example/jwks.json"


@each_row(
    "name",
    [
        "issuer.example", "joe", "My own issuer", "kubernetes/serviceaccount", "urn:example:issuer", "spiffe://trust.example",
        "did:web:issuer.example#key", "https://issuer.example/?a=b", "http://plain.example/", "mailto:a@x", "J\u00fcrgen",
    ],
)  # fmt: skip
def test_an_issuer_whose_keys_are_elsewhere_may_be_any_name(name: str) -> None:
    issuer = TrustedIssuer(name, KEYS)
    assert issuer.spellings == (name,)
    assert not issuer.has_address
    assert TrustedIssuer(name, "file:///keys.json").uri == name
    with pytest.raises(ConfigurationError, match=r"^issuer URI: "):
        TrustedIssuer(name)


@each_row(
    "name",
    [
        pytest.param("", id="empty"),
        pytest.param(" joe", id="an outer space"),
        pytest.param("a\nb", id="a newline"),
        pytest.param("a\u200bb", id="a hidden character"),
        pytest.param("a b:c", id="a colon in what is no URI"),
        pytest.param("https://issuer.example/ x", id="a URL with a space"),
        pytest.param(":x", id="no scheme"),
        pytest.param("x" * 1025, id="long"),
    ],
)
def test_what_is_no_string_or_uri_names_no_issuer(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^issuer URI: "):
        TrustedIssuer(name, KEYS)


@each_row("uri", ["a#b", "https://issuer.example/#b", "group:x", "CERT:x", "urn:a\u0308"])
def test_an_issuer_in_front_of_names_leaves_no_doubt_where_it_ends(uri: str) -> None:
    issuer = TrustedIssuer(uri, KEYS)
    assert TrustSettings((issuer,)).issuers == (issuer,)
    with pytest.raises(ConfigurationError, match="cannot stand in front of user names"):
        TrustSettings((issuer,), TokenPolicy(namespace_by_issuer=True))


@each_row(
    ("issuer", "jwks_uri", "hosts", "is_good"),
    [
        pytest.param("https://i.example", "http://localhost/k", (), False, id="loopback keys of an issuer that is elsewhere"),
        pytest.param("urn:i", "http://localhost/k", (), False, id="loopback keys of a name"),
        pytest.param("http://127.0.0.1", "http://localhost/k", (), True, id="both on loopback"),
        pytest.param("https://localhost", "http://[::1]/k", (), True, id="both on loopback, one by https"),
        pytest.param("https://i.example", "http://localhost/k", ("localhost",), True, id="loopback keys that are allowed"),
        pytest.param("https://i.example", "http://[::1]/k", ("[::1]",), True, id="an address in brackets"),
        pytest.param("https://i.example", "http://keys:8080/k", ("Keys",), True, id="a host that is allowed"),
        pytest.param("https://i.example", "http://keys.example/k", ("keys",), False, id="another host"),
        pytest.param("http://i:8080/realm", None, ("i",), True, id="an issuer's own host"),
        pytest.param("http://i:8080/realm", None, ("j",), False, id="an issuer's own host that is not allowed"),
        pytest.param("http://i:8080/realm", KEYS, (), True, id="an issuer that is only compared"),
    ],
)  # fmt: skip
def test_http_is_for_loopback_and_for_hosts_that_are_allowed(
    issuer: str, jwks_uri: str | None, hosts: tuple[str, ...], is_good: bool
) -> None:
    with nullcontext() if is_good else pytest.raises(ConfigurationError, match="http is for"):
        TrustedIssuer(issuer, jwks_uri, jwks_allow_http=frozenset(hosts))


def test_a_token_for_the_keys_is_for_the_configured_hosts_alone() -> None:
    issuer = TrustedIssuer("https://i.example/a", "https://k.example:8443/b", jwks_token_file="t")
    for good in ("https://i.example/x", "https://I.example:443/", "https://k.example:8443/"):
        assert issuer.may_have_token(good)
    for bad in (
        "https://k.example/",
        "https://i.example:8443/",
        "http://i.example/",
        "https://i.example.evil/",
        "https://x.i.example/",
        "https://i.example@evil/",
        "https://[",
        "file:///i.example",
    ):
        assert not issuer.may_have_token(bad)
    assert not TrustedIssuer("urn:i", "file:///keys").may_have_token("https://i/")


ENTRA = "https://login.microsoftonline.com/{tenantid}/v2.0"
ENTRA_KEYS = "https://login.microsoftonline.com/common/discovery/v2.0/keys"


def test_an_issuer_of_many_tenants_is_one_for_each_of_them() -> None:
    issuer = TrustedIssuer(ENTRA, ENTRA_KEYS, frozenset({"kms"}), tenants=frozenset({"t2", "t1"}))
    settings = TrustSettings((issuer,))
    found = settings.by_spelling()
    assert settings.issuer_uris == sorted(found)
    assert set(found) == {ENTRA.replace("{tenantid}", tenant) for tenant in ("t1", "t2")}
    for uri, one in found.items():
        assert (one.uri, one.jwks_uri, one.audiences) == (uri, ENTRA_KEYS, frozenset({"kms"}))
        assert len(one.tenants) == 1
        assert one.tenants < issuer.tenants
        assert settings.find_configured(one) is issuer


@each_row(
    ("uri", "jwks_uri", "tenants", "reason"),
    [
        pytest.param(ENTRA, ENTRA_KEYS, (), "needs the IDs of the tenants", id="no tenants"),
        pytest.param(ENTRA, None, ("t",), "the key set URI is needed", id="no key set URI"),
        pytest.param(ENTRA, ENTRA_KEYS, ("a/b",), "tenant: ", id="a slash in a tenant"),
        pytest.param(ENTRA, ENTRA_KEYS, ("*",), "tenant: ", id="every tenant"),
        pytest.param(ENTRA, ENTRA_KEYS, ("",), "tenant: ", id="an empty tenant"),
        pytest.param(ENTRA.replace("id}", "_id}"), ENTRA_KEYS, ("t",), "write the place", id="another spelling"),
        pytest.param(ENTRA + "/{x}", ENTRA_KEYS, ("t",), "put your own name", id="another place"),
    ],
)  # fmt: skip
def test_tenants_that_nobody_could_be_of_are_refused(
    uri: str, jwks_uri: str | None, tenants: tuple[str, ...], reason: str
) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        TrustedIssuer(uri, jwks_uri, tenants=frozenset(tenants))


def test_a_tenant_that_is_configured_by_itself_too_is_refused() -> None:
    many = TrustedIssuer(ENTRA, ENTRA_KEYS, tenants=frozenset({"t1"}))
    with pytest.raises(ConfigurationError, match="twice"):
        TrustSettings((many, TrustedIssuer(ENTRA.replace("{tenantid}", "t1"))))


def test_rules_of_an_issuer_replace_those_of_the_policy() -> None:
    policy = TokenPolicy(user_claim="email", token_types=frozenset({"jwt"}), leeway_s=5)
    own = TrustedIssuer("https://a/", user_claim=("sub",), required_claims=())
    plain = TrustedIssuer("https://b/")
    settings = TrustSettings((own, plain), policy)
    assert settings.policy_of(plain) is policy
    assert (settings.naming_claim, settings.own_naming_claims) == (
        "email",
        (("https://a/", "sub"),),
    )
    assert settings.policy_of(own) == replace(policy, user_claim=("sub",))
    with pytest.raises(ConfigurationError, match="token types"):
        TrustSettings((TrustedIssuer("https://a/", token_types=frozenset()),))


@pytest.mark.parametrize("url", ["https://issuer.example/?a=b", "https://issuer.example/?"])
def test_an_issuer_has_no_query(url: str) -> None:
    with pytest.raises(ConfigurationError):
        TrustedIssuer(url)
    assert TrustedIssuer("https://issuer.example/", url + "x").jwks_uri == url + "x"


@each_row("jwks_uri", [None, "https://login.microsoftonline.com/common/discovery/v2.0/keys"])
@each_row(
    ("url", "reason"),
    [
        ("https://login.microsoftonline.com/{tenantid}/v2.0", "{tenantid} needs the IDs of the tenants"),
        ("https://login.microsoftonline.com/{tenantId}/v2.0", "write the place of the tenant as {tenantid}"),
        ("https://login.microsoftonline.com/%7Btenantid%7D/v2.0", "write the place of the tenant as {tenantid}"),
        ("https://sts.windows.net/{tenantid}/", "{tenantid} needs the IDs of the tenants"),
        ("https://{tenantid}.ciamlogin.com/{tenantid}/v2.0", "{tenantid} needs the IDs of the tenants"),
        ("https://login.microsoftonline.com/{tenant}/v2.0", "put your own name there"),
        ("https://idp.example/realms/{realm}", "put your own name there"),
        ("https://<domain>.auth0.com/", "put your own name there"),
        ("https://idp.example/%3Crealm%3E", "put your own name there"),
        ("https://login.microsoftonline.com/common/v2.0", "no token names it"),
        ("https://login.microsoftonline.com/organizations/v2.0", "no token names it"),
        ("https://LOGIN.microsoftonline.us/consumers/v2.0", "no token names it"),
        ("https://idp.example/.well-known/openid-configuration", "the address of a document"),
        ("https://idp.example/realms/x/.well-known/jwks.json", "the address of a document"),
        ("https://idp.example/.well-known/oauth-authorization-server/x", "the address of a document"),
    ],
)  # fmt: skip
def test_an_issuer_that_no_token_can_name_is_refused_with_the_reason(
    url: str, reason: str, jwks_uri: str | None
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        TrustedIssuer(url, jwks_uri)
    assert reason in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_place_for_a_tenant_in_the_key_set_uri_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="put your tenant"):
        TrustedIssuer("https://i.example/", "https://i.example/{tenantid}/keys")


@pytest.mark.parametrize(
    "url", ["https://login.microsoftonline.com/common-ltd/v2.0", "https://idp.example/common/v2.0"]
)
def test_names_that_resemble_those_are_taken(url: str) -> None:
    assert TrustedIssuer(url).uri == url


@each_row("url", ["file:///etc/kms/jwks.json", "file://localhost/x", "file:///a%20b"])
def test_a_file_may_hold_the_keys(url: str) -> None:
    assert TrustedIssuer("https://issuer.example/", url).jwks_uri == url


@each_row(
    "url",
    [
        pytest.param("file://host/x", id="another host's"),
        pytest.param("file:x", id="a relative path"),
        pytest.param("file://", id="no path"),
        pytest.param("file:///x?y", id="a query"),
        pytest.param("file:///x#y", id="a fragment"),
        pytest.param("file:///x%00y", id="NUL"),
        pytest.param("file://[x", id="no URL"),
    ],
)
def test_other_file_uris_are_refused(url: str) -> None:
    with pytest.raises(ConfigurationError):
        TrustedIssuer("https://issuer.example/", url)


def test_an_issuer_is_no_file() -> None:
    with pytest.raises(ConfigurationError):
        TrustedIssuer("file:///etc/kms/jwks.json")


@each_row(
    ("issuer", "jwks_uri"),
    [
        ("https://a.example", "https://a.example/.well-known/jwks.json"),
        ("https://a.example/", "https://a.example/.well-known/jwks.json"),
        ("https://a.example/b", "https://a.example/b/.well-known/jwks.json"),
        ("https://a.example/b/", "https://a.example/b/.well-known/jwks.json"),
    ],
)
def test_the_default_key_set_uri_has_one_slash_between(issuer: str, jwks_uri: str) -> None:
    assert default_jwks_uri(issuer) == jwks_uri


@each_row(
    "policy",
    [
        pytest.param({"algorithms": frozenset({"none"})}, id="none"),
        pytest.param({"algorithms": frozenset({"HS256"})}, id="HS256"),
        pytest.param({"algorithms": frozenset({"RS256", "HS512"})}, id="HS512 among others"),
        pytest.param({"algorithms": frozenset({"rs256"})}, id="small letters"),
        pytest.param({"algorithms": frozenset({"RS1"})}, id="SHA-1"),
        pytest.param({"algorithms": frozenset({"ES256K"})}, id="secp256k1"),
        pytest.param({"algorithms": frozenset()}, id="no algorithm"),
        pytest.param({"leeway_s": -1}, id="negative leeway"),
        pytest.param({"leeway_s": 301}, id="leeway of more than 300 s"),
        pytest.param({"leeway_s": float("nan")}, id="leeway NaN"),
        pytest.param({"max_age_s": 0}, id="maximum age 0"),
        pytest.param({"max_age_s": -5}, id="negative maximum age"),
        pytest.param({"max_age_s": float("nan")}, id="maximum age NaN"),
        pytest.param({"user_claim": ""}, id="no user claim"),
        pytest.param({"user_claim": ()}, id="none of several user claims"),
        pytest.param({"user_claim": ("sub", "")}, id="an empty one of several user claims"),
        pytest.param({"audience_claim": ()}, id="no audience claim"),
        pytest.param({"token_types": frozenset()}, id="no token type"),
    ],
)
def test_a_policy_that_is_nonsense_is_refused(policy: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        TokenPolicy(**policy)


@each_row(
    "policy",
    [
        {"interval_s": 0}, {"interval_s": float("nan")}, {"cooldown_s": -1},
        {"cooldown_s": float("nan")}, {"timeout_s": 0}, {"timeout_s": 31},
        {"timeout_s": float("nan")}, {"max_stale_s": -1}, {"max_stale_s": float("nan")},
    ],
    ids=str,
)  # fmt: skip
def test_a_refresh_policy_that_is_nonsense_is_refused(policy: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        RefreshPolicy(**policy)


def test_the_same_issuer_twice_is_refused_and_a_slash_makes_another_one() -> None:
    a, b = TrustedIssuer("https://a.example"), TrustedIssuer("https://a.example/")
    assert len(TrustSettings((a, b)).by_spelling()) == 2
    with pytest.raises(ConfigurationError, match="twice"):
        TrustSettings((a, TrustedIssuer("https://a.example", "https://a.example/keys")))


@each_row(
    "make",
    [
        pytest.param(lambda: TrustSettings(()), id="no issuer"),
        pytest.param(lambda: TrustSettings((TrustedIssuer("https://a/"),), cache_size=-1), id="cache size"),
        pytest.param(lambda: TrustedIssuer("https://a/", audiences=frozenset({""})), id="empty audience"),
        pytest.param(lambda: RequiredClaim("", 1), id="required claim without a name"),
        pytest.param(lambda: RequiredClaim("a", ()), id="required claim without a value"),
    ],
)  # fmt: skip
def test_settings_that_accept_nothing_or_everything_are_refused(make: Any) -> None:
    with pytest.raises(ConfigurationError):
        make()


def test_google_has_two_spellings_and_nobody_else_has() -> None:
    assert TrustedIssuer("https://accounts.google.com").spellings == (
        "https://accounts.google.com", "accounts.google.com",
    )  # fmt: skip
    for uri in (
        "https://accounts.google.com/",
        "https://a.example",
        "https://accounts.google.com.evil.example",
    ):
        assert TrustedIssuer(uri).spellings == (uri,)
