"""Which issuers the options name together, and how they contradict each other."""

from __future__ import annotations

import pytest

from kms_tornado.options import parse

from .helpers import ISSUER, TRUSTING, refusal


def test_an_issuer_with_a_key_set_uri_may_be_a_name():
    argv = ["--jwt-issuer-uri", "urn:example:issuer", "--jwks-uri", "https://keys.example/k"]
    (issuer,) = parse(argv, {}).settings.trust.issuers
    assert (issuer.uri, issuer.jwks_uri) == ("urn:example:issuer", "https://keys.example/k")
    assert refusal(argv[:2]) == "--jwt-issuer-uri (flag): an https:// URL is needed"


def test_keys_over_http_are_for_hosts_that_are_allowed():
    argv = [*TRUSTING, "--jwks-uri", "http://keycloak:8080/certs"]
    assert refusal(argv) == "--jwks-uri (flag): http is for loopback hosts only, use https"
    argv += ["--jwks-allow-http", "keycloak"]
    (issuer,) = parse(argv, {}).settings.trust.issuers
    assert issuer.jwks_allow_http == {"keycloak"}


@pytest.mark.parametrize("host", ["http://keycloak", "keycloak:8080", "a b", "*"])
def test_a_host_is_allowed_by_its_name_alone(host):
    assert refusal([*TRUSTING, "--jwks-allow-http", host]).startswith("--jwks-allow-http (flag): ")


def test_keys_of_another_hosts_issuer_are_not_on_loopback_unless_that_is_allowed():
    argv = [*TRUSTING, "--jwks-uri", "http://127.0.0.1:8080/k"]
    assert refusal(argv).startswith("--jwks-uri (flag): http is for issuers on loopback hosts")
    assert parse([*argv, "--jwks-allow-http=127.0.0.1"], {}).settings.trust.issuers
    here = ["--jwt-issuer-uri=http://localhost:9000", "--jwks-uri=http://127.0.0.1:8080/k"]
    assert parse(here, {}).settings.trust.issuers


@pytest.mark.parametrize(
    ("argv", "fault"),
    [
        pytest.param(
            ["--jwt-issuer-uri", "https://a/{tenantid}/", "--jwks-uri", "https://a/k"],
            "--jwt-issuer-uri (flag): {tenantid} needs the IDs of the tenants",
            id="no tenants",
        ),
        pytest.param(
            ["--jwt-issuer-uri", "https://a/{tenantid}/", "--jwt-tenants=t"],
            "--jwt-issuer-uri (flag): with {tenantid}, the key set URI is needed",
            id="no key set URI",
        ),
        pytest.param(
            ["--jwt-issuer-uri=https://a/{tenantid}/", "--jwks-uri=https://a/k", "--jwt-tenants=/"],
            "--jwt-tenants (flag): letters, digits, dots",
            id="no tenant's ID",
        ),
        pytest.param(
            ["--jwt-auth-provider", ISSUER, "--jwks-token-file", __file__],
            "--jwks-token-file (flag): needs --jwt-issuer-uri",
            id="a token for nobody",
        ),
    ],
)
def test_contradictions_are_told(argv, fault):
    assert refusal(argv).startswith(fault)


def test_a_token_for_one_issuers_keys_goes_to_no_other_issuer(toml, tmp_path):
    (tmp_path / "token").write_text("t")
    top = f'[kms]\njwt-user-namespace = "shared"\njwks-token-file = "{tmp_path}/token"\n'
    a, b = (
        '[[kms.issuer]]\nuri = "https://a.example/"\n',
        '[[kms.issuer]]\nuri = "https://b.example/"\n',
    )
    assert refusal(["-c", toml(top + a + b)]).startswith("--jwks-token-file (file ")
    (tmp_path / "own").write_text("o")
    own = f'jwks-token-file = "{tmp_path}/own"\n'
    first, second = parse(["-c", toml(top + a + b + own)], {}).settings.trust.issuers
    assert first.jwks_token_file == str(tmp_path / "token")
    assert second.jwks_token_file == str(tmp_path / "own")
    argv = ["-c", toml(top + a), "--jwt-auth-provider", "https://c.example"]
    assert parse(argv, {}).settings.trust.issuers[1].jwks_token_file is None


@pytest.mark.parametrize("spelling", ["[FD00::1]", "fd00:0::1", "fd00:0:0:0:0:0:0:1"])
def test_an_address_is_allowed_however_it_is_written(spelling):
    argv = ["--jwt-issuer-uri", "http://[fd00::1]:8080/", "--jwks-allow-http", spelling]
    assert parse(argv, {}).settings.trust.issuers[0].jwks_allow_http == {"fd00::1"}
