"""Each provider of conf/*.toml: its file is loaded, its documents and tokens are reproduced on loopback.

Hosts are exchanged for the loopback issuer's, paths stay: what is tested is the shape of URLs,
documents, headers and claims as each provider has them.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from kms_tornado import BearerAuth, Principal, TrustedIssuer, TrustSettings, errors, options

from .auth.checking import check_token
from .issuer import Issuer, response
from .keys import certificate, jwk, rsa_key
from .rows import each_row

CONF = Path(__file__).parent.parent / "conf"


@pytest.fixture(scope="module")
def host() -> Iterator[Issuer]:
    with Issuer() as issuer:
        yield issuer


#: Where a pod finds the token of its service account, and the CA of the API server.
IN_POD = "/var/run/secrets/kubernetes.io/serviceaccount"


@pytest.fixture(scope="module")
def pod(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("serviceaccount")
    (directory / "token").write_text("token.of.this.server")
    (directory / "ca.crt").write_bytes(certificate(rsa_key(2048)))
    return directory


def parse(name: str, pod: Path | None = None, *argv: str) -> options.ParsedOptions:
    """conf/<name>.toml, with the files of a pod in another place."""
    path = CONF / f"{name}.toml"
    if pod is not None:
        path = pod / path.name
        path.write_text((CONF / path.name).read_text().replace(IN_POD, str(pod)))
    return options.parse(["-c", str(path), *argv], {})


def configured(
    name: str, host: Issuer, pod: Path | None = None, argv: Sequence[str] = ()
) -> TrustSettings:
    """The settings of conf/<name>.toml, on loopback."""
    trust = parse(name, pod, *argv).settings.trust
    assert trust is not None
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
def test_configuration_of_the_provider_is_loaded_without_a_warning(name: str, pod: Path) -> None:
    parsed = parse(name, pod)
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


# --- Amazon Cognito -----------------------------------------------------------------------------

POOL = "/eu-central-1_POOLID"


def cognito_token(host: Issuer, **changes: Any) -> str:
    return host.token(
        header={"typ": None},
        **{
            "iss": host.origin + POOL,
            "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
            "client_id": "APP-CLIENT-ID",
            "token_use": "access",
            "scope": "openid kms/use",
            "cognito:groups": ["billing"],
            "username": "alice",
            "origin_jti": "o-1",
            "jti": "j-1",
            "version": 2,
            **changes,
        },
    )


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({}, None, id="a person's access token"),
        pytest.param({"sub": "APP-CLIENT-ID", "username": None, "cognito:groups": None}, None, id="a machine's"),
        pytest.param({"aud": "APP-CLIENT-ID"}, None, id="with resource binding"),
        pytest.param({"aud": "https://other"}, errors.WrongAudience, id="bound to another resource"),
        pytest.param({"client_id": "OTHER"}, errors.WrongAudience, id="another client's"),
        pytest.param({"client_id": None}, errors.MissingClaim, id="no client"),
        pytest.param(
            {"token_use": "id", "aud": "APP-CLIENT-ID", "client_id": None}, errors.InsufficientScope, id="an ID token"
        ),
    ],
)  # fmt: skip
def test_cognito_access_token_has_its_client_for_an_audience(
    host: Issuer, changes: dict[str, Any], error: type[Exception] | None
) -> None:
    serve(host, {POOL + "/.well-known/jwks.json": {"keys": host.keys}})
    trust, token = configured("cognito", host), cognito_token(host, **changes)
    if error is not None:
        with pytest.raises(error):
            check(trust, token)
        return
    principal = check(trust, token)
    assert principal.name == principal.subject
    assert principal.groups == ({"group:billing"} if "username" not in changes else set())


# --- Kubernetes ---------------------------------------------------------------------------------


def kubernetes_token(host: Issuer, **changes: Any) -> str:
    namespace = changes.pop("namespace", "billing")
    return host.token(
        header={"typ": None},
        **{
            "iss": host.origin,
            "aud": ["kms"],
            "sub": f"system:serviceaccount:{namespace}:worker",
            "jti": "9f3c1a52",
            "kubernetes.io": {
                "namespace": namespace,
                "node": {"name": "node-1", "uid": "n"},
                "pod": {"name": "worker-0", "uid": "p"},
                "serviceaccount": {"name": "worker", "uid": "s"},
            },
            **changes,
        },
    )


def test_kubernetes_keys_are_fetched_with_the_token_of_the_servers_own_account(
    host: Issuer, pod: Path
) -> None:
    serve(host, {"/openid/v1/jwks": {"keys": [jwk("RS256", "k1")]}})
    host.headers.clear()
    trust = configured("kubernetes", host, pod)
    principal = check(trust, kubernetes_token(host))
    assert principal.name == "system:serviceaccount:billing:worker"
    assert [sent["authorization"] for sent in host.headers] == ["Bearer token.of.this.server"]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"namespace": "shipping"}, None, id="the other namespace"),
        pytest.param({"namespace": "default"}, errors.InsufficientScope, id="another namespace"),
        pytest.param({"kubernetes.io": None}, errors.InsufficientScope, id="no namespace"),
        pytest.param({"kubernetes.io": {"namespace": ["billing"]}}, None, id="a list of one"),
        pytest.param({"aud": ["https://kubernetes.default.svc"]}, errors.WrongAudience, id="for the API server"),
        pytest.param({"iss": "kubernetes/serviceaccount", "aud": None}, errors.UnknownIssuer, id="a secret's old token"),
    ],
)  # fmt: skip
def test_kubernetes_token_is_let_in_by_its_namespace(
    host: Issuer, pod: Path, changes: dict[str, Any], error: type[Exception] | None
) -> None:
    serve(host, {"/openid/v1/jwks": {"keys": [jwk("RS256", "k1")]}})
    trust, token = configured("kubernetes", host, pod), kubernetes_token(host, **changes)
    if error is None:
        assert check(trust, token).name.startswith("system:serviceaccount:")
    else:
        with pytest.raises(error):
            check(trust, token)


# --- GitHub Actions -----------------------------------------------------------------------------


def github_token(host: Issuer, **changes: Any) -> str:
    return host.token(
        header={"x5t": "thumb"},
        **{
            "iss": host.origin,
            "aud": "https://kms.example.com",
            "sub": "repo:octo-org/octo-repo:ref:refs/heads/main",
            "ref": "refs/heads/main",
            "ref_type": "branch",
            "ref_protected": "true",
            "sha": "example-sha",
            "repository": "octo-org/octo-repo",
            "repository_id": "74",
            "repository_owner": "octo-org",
            "repository_owner_id": "65",
            "repository_visibility": "private",
            "actor": "octocat",
            "actor_id": "12",
            "event_name": "push",
            "workflow": "deploy",
            "job_workflow_ref": "octo-org/octo-repo/.github/workflows/deploy.yml@refs/heads/main",
            "runner_environment": "github-hosted",
            "run_id": "1",
            "head_ref": "",
            "base_ref": "",
            **changes,
        },
    )


HOLES_OF_GITHUB = [
    pytest.param({"repository_id": "75", "repository": "octo-org/new"}, id="another repository of the organisation"),
    pytest.param({"repository_owner_id": "66"}, id="a name that somebody else has now"),
    pytest.param({"repository_id": 74}, id="a number that is no text"),
    pytest.param({"event_name": "pull_request_target"}, id="a fork's pull request, on the default branch"),
    pytest.param({"event_name": "workflow_run"}, id="a workflow behind a fork's pull request"),
    pytest.param({"event_name": "issue_comment"}, id="a stranger's comment"),
    pytest.param({"event_name": "pull_request", "ref": "refs/pull/7/merge"}, id="a pull request"),
    pytest.param({"ref": "refs/heads/mine"}, id="another branch"),
    pytest.param({"ref": "refs/tags/main", "ref_type": "tag"}, id="a tag with the branch's name"),
    pytest.param({"ref": "main"}, id="no whole ref"),
    pytest.param({"runner_environment": "self-hosted"}, id="somebody's own runner"),
]  # fmt: skip


def serve_github(host: Issuer) -> TrustSettings:
    serve(host, {"/.well-known/jwks": {"keys": host.keys}})
    return configured("github-actions", host)


@pytest.mark.parametrize("event", ["push", "workflow_dispatch", "schedule"])
def test_github_workflow_of_the_branch_is_let_in(host: Issuer, event: str) -> None:
    trust = serve_github(host)
    name = check(trust, github_token(host, event_name=event)).name
    assert name == "repo:octo-org/octo-repo:ref:refs/heads/main"


@each_row("changes", HOLES_OF_GITHUB)
def test_github_file_closes_the_hole(host: Issuer, changes: dict[str, Any]) -> None:
    trust = serve_github(host)
    with pytest.raises(errors.InsufficientScope):
        check(trust, github_token(host, **changes))


# --- GitLab CI ----------------------------------------------------------------------------------


def gitlab_token(host: Issuer, **changes: Any) -> str:
    return host.token(
        **{
            "iss": host.origin,
            "aud": "https://kms.example.com",
            "sub": "project_path:group/project:ref_type:branch:ref:main",
            "namespace_id": "72",
            "namespace_path": "group",
            "project_id": "4711",
            "project_path": "group/project",
            "user_id": "1",
            "user_login": "alice",
            "user_email": "alice@example.com",
            "pipeline_id": "5",
            "pipeline_source": "push",
            "job_id": "6",
            "ref": "main",
            "ref_type": "branch",
            "ref_path": "refs/heads/main",
            "ref_protected": "true",
            "runner_id": 1,
            "runner_environment": "gitlab-hosted",
            "sha": "714a629c",
            "jti": "j",
            **changes,
        }
    )


HOLES_OF_GITLAB = [
    pytest.param({"project_id": "4712"}, id="another project"),
    pytest.param({"project_id": 4711}, id="a number that is no text"),
    pytest.param({"pipeline_source": "merge_request_event", "ref_protected": "false"}, id="a fork's merge request"),
    pytest.param({"pipeline_source": "merge_request_event"}, id="a merge request to the branch"),
    pytest.param({"pipeline_source": "external_pull_request_event"}, id="a pull request elsewhere"),
    pytest.param({"ref": "mine"}, id="another branch"),
    pytest.param({"ref_type": "tag", "ref_path": "refs/tags/main"}, id="a tag with the branch's name"),
    pytest.param({"ref_protected": "false"}, id="a branch that is not protected"),
    pytest.param({"ref_protected": True}, id="a boolean, which GitLab does not write"),
]  # fmt: skip


def serve_gitlab(host: Issuer) -> TrustSettings:
    serve(host, {"/oauth/discovery/keys": {"keys": host.keys}})
    return configured("gitlab-ci", host)


@pytest.mark.parametrize("source", ["push", "web", "schedule"])
def test_gitlab_job_of_the_branch_is_let_in(host: Issuer, source: str) -> None:
    name = check(serve_gitlab(host), gitlab_token(host, pipeline_source=source)).name
    assert name == "project_path:group/project:ref_type:branch:ref:main"


@each_row("changes", HOLES_OF_GITLAB)
def test_gitlab_file_closes_the_hole(host: Issuer, changes: dict[str, Any]) -> None:
    trust = serve_gitlab(host)
    with pytest.raises(errors.InsufficientScope):
        check(trust, gitlab_token(host, **changes))


@pytest.mark.parametrize(
    ("name", "holes"), [("github-actions", HOLES_OF_GITHUB), ("gitlab-ci", HOLES_OF_GITLAB)]
)
def test_each_rule_of_the_file_closes_a_hole(name: str, holes: list[Any]) -> None:
    """No line of it is there for nothing."""
    trust = parse(name).settings.trust
    assert trust is not None
    ruled = {rule.name for rule in trust.policy.required_claims}
    assert ruled == {claim for hole in holes for claim in hole.values[0]} & ruled


# --- SPIFFE -------------------------------------------------------------------------------------

WORKLOAD = "spiffe://example.org/ns/billing/sa/worker"


def spiffe_token(host: Issuer, iss: str, typ: str | None = "JWT", **changes: Any) -> str:
    return host.token(
        header={"typ": typ}, **{"iss": iss, "sub": WORKLOAD, "aud": ["kms"], **changes}
    )


@pytest.mark.parametrize("typ", ["JWT", "JOSE", None])
def test_spiffe_workload_has_its_id_for_a_name(host: Issuer, typ: str | None) -> None:
    serve(host, {"/keys": {"keys": [jwk("RS256", "k1", use="sig")]}})
    assert check(configured("spiffe", host), spiffe_token(host, host.origin, typ)).name == WORKLOAD


def test_spiffe_bundle_verifies_by_its_keys_for_tokens_alone(host: Issuer) -> None:
    bundle = {
        "keys": [
            {**jwk("RS256", "x", "other"), "use": "x509-svid"},
            {**jwk("RS256", "k1"), "use": "jwt-svid"},
        ],
        "spiffe_sequence": 12,
        "spiffe_refresh_hint": 600,
    }
    serve(host, {"/": bundle})
    trust = configured("spiffe", host)
    (issuer,) = trust.issuers
    named = dataclasses.replace(issuer, uri="spiffe://example.org", jwks_uri=host.origin)
    trust = dataclasses.replace(trust, issuers=(named,))
    assert check(trust, spiffe_token(host, "spiffe://example.org")).name == WORKLOAD
    by_another = host.token(
        header={"kid": "x"}, iss="spiffe://example.org", sub=WORKLOAD, aud=["kms"]
    )
    with pytest.raises(errors.UnknownKey):
        check(trust, by_another)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"iss": None}, errors.UnknownIssuer, id="a server without jwt_issuer"),
        pytest.param({"aud": ["other"]}, errors.WrongAudience, id="for another workload"),
        pytest.param({"sub": None}, errors.MissingClaim, id="no SPIFFE ID"),
    ],
)
def test_spiffe_token_is_refused(
    host: Issuer, changes: dict[str, Any], error: type[Exception]
) -> None:
    serve(host, {"/keys": {"keys": host.keys}})
    with pytest.raises(error):
        check(configured("spiffe", host), spiffe_token(host, **{"iss": host.origin, **changes}))


# --- Cloudflare Access --------------------------------------------------------------------------

AUD_TAG = "32eafc7626e974616deaf0dc3ce63d7bcbed58a2731e84d06bc3cdf1b53c4228"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, "7335d417-61da-459d-899c-0a01c76a2f94", id="a person"),
        pytest.param({"sub": "", "email": None, "common_name": "abc.access"}, "abc.access", id="a service token"),
        pytest.param({"sub": "", "email": None}, errors.InvalidClaim, id="neither"),
        pytest.param({"type": "org"}, errors.InsufficientScope, id="the team's own session"),
        pytest.param({"aud": ["0" * 64]}, errors.WrongAudience, id="another application"),
    ],
)  # fmt: skip
def test_cloudflare_names_people_by_sub_and_services_by_common_name(
    host: Issuer, changes: dict[str, Any], expected: Any
) -> None:
    document = {"keys": host.keys, "public_cert": {"kid": "k1", "cert": "x"}, "public_certs": []}
    serve(host, {"/cdn-cgi/access/certs": document})
    claims = {
        "iss": host.origin,
        "aud": [AUD_TAG],
        "email": "alice@example.com",
        "type": "app",
        "identity_nonce": "6ei69kawdKzMIAPF",
        "sub": "7335d417-61da-459d-899c-0a01c76a2f94",
        "country": "US",
    }
    trust, token = configured("cloudflare-access", host), host.token(**{**claims, **changes})
    if isinstance(expected, str):
        assert check(trust, token).name == expected
    else:
        with pytest.raises(expected):
            check(trust, token)


# --- Zitadel ------------------------------------------------------------------------------------

ROLES = "urn:zitadel:iam:org:project:344374183645413380:roles"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({}, None, id="a role"),
        pytest.param({ROLES: {"other": {}, "kms.admin": {"1": "x"}}}, None, id="another role that will do"),
        pytest.param({ROLES: {"reader": {"1": "kms.user"}}}, errors.InsufficientScope, id="an organisation of that name"),
        pytest.param({ROLES: None}, errors.InsufficientScope, id="no roles"),
        pytest.param(
            {ROLES: None, "urn:zitadel:iam:org:project:1:roles": {"kms.user": {}}}, errors.InsufficientScope,
            id="a role in another project",
        ),
        pytest.param({"aud": ["1"]}, errors.WrongAudience, id="for another project"),
    ],
)  # fmt: skip
def test_zitadel_role_is_a_members_name(
    host: Issuer, changes: dict[str, Any], error: type[Exception] | None
) -> None:
    serve(host, {"/oauth/v2/keys": {"keys": host.keys}})
    claims = {
        "iss": host.origin,
        "sub": "345377791925026818",
        "aud": ["CLIENT-ID", "344374183645413380"],
        "client_id": "CLIENT-ID",
        "jti": "j",
        ROLES: {"kms.user": {"344373908297744388": "org.zitadel.cloud"}},
    }
    trust, token = configured("zitadel", host), host.token(**{**claims, **changes})
    if error is None:
        assert check(trust, token).name == "345377791925026818"
    else:
        with pytest.raises(error):
            check(trust, token)
