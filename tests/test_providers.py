"""Each provider of conf/*.toml: its file is loaded, its documents and tokens are reproduced on loopback.

Hosts are exchanged for the loopback issuer's, paths stay: what is tested is the shape of URLs,
documents, headers and claims as each provider has them.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from kms_tornado import BearerAuth, Principal, TrustedIssuer, TrustSettings, errors, options

from .auth.checking import check_token
from .issuer import Issuer, response
from .keys import certificate, jwk, rsa_key

CONF = Path(__file__).parent.parent / "conf"


@pytest.fixture(scope="module")
def host() -> Iterator[Issuer]:
    with Issuer() as issuer:
        yield issuer


def configured(name: str, host: Issuer) -> TrustSettings:
    """The settings of conf/<name>.toml, on loopback."""
    trust = options.parse(["-c", str(CONF / f"{name}.toml")], {}).settings.trust
    (issuer,) = trust.issuers

    def local(uri: str | None) -> str | None:
        if uri is None or uri == "https://accounts.google.com":  # Google's name is part of the rule
            return uri
        return host.origin + urlsplit(uri).path

    issuer = dataclasses.replace(
        issuer,
        uri=local(issuer.uri),
        jwks_uri=local(issuer.jwks_uri),
        jwks_allow_http=frozenset({"127.0.0.1"}),
    )
    return dataclasses.replace(trust, issuers=(issuer,))


def with_jwks_uri(trust: TrustSettings, jwks_uri: str | None) -> TrustSettings:
    (issuer,) = trust.issuers
    return dataclasses.replace(trust, issuers=(dataclasses.replace(issuer, jwks_uri=jwks_uri),))


def check(trust: TrustSettings, token: str) -> Principal:
    async def run() -> Principal:
        async with BearerAuth(trust) as auth:
            return await check_token(auth.authenticator, token)

    return asyncio.run(run())


def serve(host: Issuer, documents: dict[str, Any]) -> None:
    host.answers = {path: response(document) for path, document in documents.items()}


PROVIDERS = sorted(path.stem for path in CONF.glob("*.toml") if path.stem != "kms")


@pytest.mark.parametrize("name", PROVIDERS)
def test_configuration_of_the_provider_is_loaded_without_a_warning(name: str) -> None:
    parsed = options.parse(["-c", str(CONF / f"{name}.toml")], {})
    assert parsed.warnings == ()
    assert all(issuer.audiences for issuer in parsed.settings.trust.issuers)


# --- Auth0 --------------------------------------------------------------------------------------


def auth0_token(host: Issuer, **changes: Any) -> str:
    return host.token(
        **{
            "iss": host.origin + "/",
            "sub": "auth0|66f0c0ffee",
            "aud": ["https://kms.example.com", f"{host.origin}/userinfo"],
            "azp": "client",
            "scope": "openid profile",
            "gty": "password",
            **changes,
        }
    )


def test_auth0_issuer_ends_in_a_slash_and_its_key_url_has_one(host: Issuer) -> None:
    der = certificate(rsa_key(2048)).decode()
    keys = [jwk("RS256", "k1", x5t="thumb", x5c=["".join(der.splitlines()[1:-1])])]
    serve(host, {"/.well-known/jwks.json": {"keys": keys}})
    assert check(configured("auth0", host), auth0_token(host)).name == "auth0|66f0c0ffee"


def test_auth0_token_without_the_slash_is_of_another_issuer(host: Issuer) -> None:
    serve(host, {"/.well-known/jwks.json": {"keys": host.keys}})
    with pytest.raises(errors.UnknownIssuer) as refusal:
        check(configured("auth0", host), auth0_token(host, iss=host.origin))
    assert "slash" in refusal.value.detail


# --- Google -------------------------------------------------------------------------------------


def google_token(host: Issuer, **changes: Any) -> str:
    return host.token(
        **{
            "iss": "https://accounts.google.com",
            "sub": "110169484474386276334",
            "aud": "1234567890-abc.apps.googleusercontent.com",
            "azp": "1234567890-abc.apps.googleusercontent.com",
            "at_hash": "HK6E_P6Dh8Y93mRNtsDB1Q",
            "email": "alice@example.com",
            "email_verified": True,
            "nonce": "0394852",
            **changes,
        }
    )


@pytest.mark.parametrize("iss", ["https://accounts.google.com", "accounts.google.com"])
def test_google_id_token_is_accepted_in_both_spellings(host: Issuer, iss: str) -> None:
    serve(host, {"/oauth2/v3/certs": {"keys": [jwk("RS256", "k1"), jwk("RS256", "k0", "other")]}})
    principal = check(configured("google", host), google_token(host, iss=iss))
    assert (principal.name, principal.issuer) == (
        "alice@example.com",
        "https://accounts.google.com",
    )


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"iss": "https://accounts.google.com/"}, errors.UnknownIssuer, id="slash"),
        pytest.param({"iss": "http://accounts.google.com"}, errors.UnknownIssuer, id="http"),
        pytest.param({"email_verified": False}, errors.UnverifiedEmail, id="unverified"),
        pytest.param({"email_verified": "yes"}, errors.UnverifiedEmail, id="a text"),
        pytest.param({"aud": "another.apps.example"}, errors.WrongAudience, id="another's token"),
    ],
)
def test_google_id_token_is_refused(
    host: Issuer, changes: dict[str, Any], error: type[Exception]
) -> None:
    serve(host, {"/oauth2/v3/certs": {"keys": host.keys}})
    with pytest.raises(error):
        check(configured("google", host), google_token(host, **changes))


def test_only_google_may_leave_the_scheme_out() -> None:
    assert TrustedIssuer("https://issuer.example").spellings == ("https://issuer.example",)


# --- Firebase -----------------------------------------------------------------------------------

FIREBASE_KEYS = "/robot/v1/metadata/x509/securetoken@system.gserviceaccount.com"


def firebase_token(host: Issuer, **changes: Any) -> str:
    return host.token(
        **{
            "iss": host.origin + "/PROJECT-ID",
            "aud": "PROJECT-ID",
            "sub": "uid-of-firebase",
            "user_id": "uid-of-firebase",
            "firebase": {"identities": {"email": ["a@b.c"]}, "sign_in_provider": "password"},
            **changes,
        }
    )


def test_firebase_keys_are_a_map_of_certificates(host: Issuer) -> None:
    document = {
        "k0": certificate(rsa_key(2048, "other")).decode(),
        "k1": certificate(rsa_key(2048)).decode(),
    }
    serve(host, {FIREBASE_KEYS: document})
    assert check(configured("firebase", host), firebase_token(host)).name == "uid-of-firebase"


def test_firebase_key_is_good_after_its_certificate_expired(host: Issuer) -> None:
    serve(host, {FIREBASE_KEYS: {"k1": certificate(rsa_key(2048), expired=True).decode()}})
    assert check(configured("firebase", host), firebase_token(host)).name == "uid-of-firebase"


def test_firebase_token_of_another_project_is_refused(host: Issuer) -> None:
    serve(host, {FIREBASE_KEYS: {"k1": certificate(rsa_key(2048)).decode()}})
    with pytest.raises(errors.UnknownIssuer):
        check(configured("firebase", host), firebase_token(host, iss=host.origin + "/OTHER"))


# --- Okta ---------------------------------------------------------------------------------------


def okta_token(host: Issuer, **changes: Any) -> str:
    return host.token(
        **{
            "iss": host.origin + "/oauth2/default",
            "aud": "api://default",
            "sub": "alice@example.com",
            "scp": ["openid", "kms:use"],
            "ver": 1,
            "cid": "0oa1",
            **changes,
        }
    )


def okta_discovery(host: Issuer, issuer: str) -> dict[str, str]:
    return {"issuer": issuer, "jwks_uri": host.origin + "/oauth2/default/v1/keys"}


@pytest.mark.parametrize(
    ("jwks_path", "discovery_path"),
    [
        pytest.param("/oauth2/default/v1/keys", None, id="key url configured"),
        pytest.param(
            None, "/oauth2/default/.well-known/openid-configuration", id="below the issuer"
        ),
        pytest.param("", "/oauth2/default/.well-known/openid-configuration", id="bare host"),
        pytest.param("/", "/oauth2/default/.well-known/openid-configuration", id="bare host, /"),
    ],
)
def test_okta_keys_are_found(
    host: Issuer, jwks_path: str | None, discovery_path: str | None
) -> None:
    documents: dict[str, Any] = {"/oauth2/default/v1/keys": {"keys": host.keys}}
    if discovery_path is not None:
        documents[discovery_path] = okta_discovery(host, host.origin + "/oauth2/default")
        # The bare host speaks for the org server, another issuer.
        documents["/.well-known/openid-configuration"] = okta_discovery(host, host.origin)
    serve(host, documents)
    jwks_uri = None if jwks_path is None else host.origin + jwks_path
    trust = with_jwks_uri(configured("okta", host), jwks_uri)
    assert check(trust, okta_token(host)).name == "alice@example.com"


def test_okta_scope_in_scp_can_be_required(host: Issuer) -> None:
    serve(host, {"/oauth2/default/v1/keys": {"keys": host.keys}})
    trust = configured("okta", host)
    trust = dataclasses.replace(
        trust,
        policy=options.parse(
            ["-c", str(CONF / "okta.toml"), "--jwt-required-claim", "scp=kms:use"], {}
        ).settings.trust.policy,
    )
    assert check(trust, okta_token(host)).name == "alice@example.com"
    with pytest.raises(errors.InsufficientScope):
        check(trust, okta_token(host, scp=["openid"]))


# --- Keycloak -----------------------------------------------------------------------------------


def test_keycloak_set_has_an_encryption_key_and_the_audience_is_a_list(host: Issuer) -> None:
    keys = [
        {**jwk("RS256", "enc", "other"), "use": "enc", "alg": "RSA-OAEP"},
        jwk("RS256", "k1"),
        {"kty": "AKP", "kid": "pq", "alg": "ML-DSA-65", "pub": "AAAA"},
    ]
    serve(host, {"/realms/REALM/protocol/openid-connect/certs": {"keys": keys}})
    token = host.token(
        iss=host.origin + "/realms/REALM",
        aud=["kms", "account"],
        sub="f3b1",
        typ="Bearer",
        preferred_username="alice",
        realm_access={"roles": ["user"]},
    )
    assert check(configured("keycloak", host), token).name == "alice"


def test_keycloak_is_discovered_below_its_realm(host: Issuer) -> None:
    serve(
        host,
        {
            "/realms/REALM/.well-known/openid-configuration": {
                "issuer": host.origin + "/realms/REALM",
                "jwks_uri": host.origin + "/keys",
            },
            "/keys": {"keys": host.keys},
        },
    )
    trust = with_jwks_uri(configured("keycloak", host), None)
    token = host.token(iss=host.origin + "/realms/REALM", aud="kms", preferred_username="alice")
    assert check(trust, token).name == "alice"


# --- Entra ID -----------------------------------------------------------------------------------


def entra_token(host: Issuer, **changes: Any) -> str:
    return host.token(
        header={"x5t": "thumb"},
        **{
            "iss": host.origin + "/TENANT-ID/v2.0",
            "aud": "00000000-0000-0000-0000-000000000000",
            "sub": "pairwise",
            "oid": "11111111-2222",
            "tid": "TENANT-ID",
            "ver": "2.0",
            **changes,
        },
    )


@pytest.mark.parametrize("tenant", ["TENANT-ID", "{tenantid}"])
def test_entra_keys_have_no_alg_and_the_user_is_oid(host: Issuer, tenant: str) -> None:
    """The keys name their issuer; those for all tenants have a place for the tenant's ID in it."""
    keys = [jwk("RS256", "k1", x5t="thumb", issuer=f"{host.origin}/{tenant}/v2.0")]
    del keys[0]["alg"]
    serve(host, {"/TENANT-ID/discovery/v2.0/keys": {"keys": keys}})
    assert check(configured("entra", host), entra_token(host)).name == "11111111-2222"


@pytest.mark.parametrize(
    "issuer", ["/OTHER-TENANT/v2.0", "/TENANT-ID/v2.0/", "/TENANT-ID/", "/{tenantid}/", ""]
)
def test_entra_key_of_another_issuer_verifies_no_token_of_this_one(
    host: Issuer, issuer: str
) -> None:
    keys = [jwk("RS256", "k1", x5t="thumb", issuer=host.origin + issuer)]
    serve(host, {"/TENANT-ID/discovery/v2.0/keys": {"keys": keys}})
    with pytest.raises(errors.BadSignature):
        check(configured("entra", host), entra_token(host))


def test_entra_token_of_version_1_is_of_another_issuer(host: Issuer) -> None:
    serve(host, {"/TENANT-ID/discovery/v2.0/keys": {"keys": host.keys}})
    with pytest.raises(errors.UnknownIssuer):
        check(configured("entra", host), entra_token(host, iss=host.origin + "/TENANT-ID/"))
