"""Flags, environment and file become Settings; every fault is named with its place."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kms_tornado.auth.issuers.issuer import TrustedIssuer
from kms_tornado.auth.tokens.token_policy import RequiredClaim
from kms_tornado.errors import ConfigurationError
from kms_tornado.options import OPTIONS, format_effective, parse
from kms_tornado.settings.kmip import KMIPSettings

from .helpers import ISSUER, TRUSTING, effective, refusal


@pytest.mark.parametrize(
    ("flag", "variable", "key", "port", "source"),
    [
        pytest.param("1", "2", "3", 1, "flag", id="flag before all"),
        pytest.param("1", None, "3", 1, "flag", id="flag before file"),
        pytest.param(None, "2", "3", 2, "environment", id="environment before file"),
        pytest.param(None, "", "3", 3, "file", id="empty variable is not set"),
        pytest.param(None, None, "3", 3, "file", id="file before default"),
        pytest.param(None, "", None, 9998, "default", id="default"),
        pytest.param("1", "nonsense", None, 1, "flag", id="overridden variable is not looked at"),
    ],
)
def test_flag_goes_before_environment_before_file_before_default(
    toml, flag, variable, key, port, source
):
    argv = [*TRUSTING, "-c", toml("[kms]\n" + (f"port = {key}" if key else ""))]
    argv += ["--port", flag] if flag else []
    parsed = parse(argv, {} if variable is None else {"KMS_PORT": variable})
    assert parsed.settings.port == port
    assert effective(parsed, "port") == (str(port), source)


def test_repeatable_option_is_taken_whole_from_one_source(toml):
    path = toml('[kms]\njwt-audience = ["file1", "file2"]')
    environ = {"KMS_JWT_AUDIENCE": "env1, env2,"}

    def audiences(argv, environ):
        return parse([*TRUSTING, "-c", path, *argv], environ).settings.trust.issuers[0].audiences

    assert audiences(["--jwt-audience", "a", "--jwt-audience=b,c"], environ) == {"a", "b,c"}
    assert audiences([], environ) == {"env1", "env2"}
    assert audiences([], {}) == {"file1", "file2"}


def test_switch_in_environment_turns_off_what_the_file_turns_on(toml):
    path = toml("[kms]\ndev = true")
    assert parse(["-c", path], {}).settings.dev
    assert not parse([*TRUSTING, "-c", path], {"KMS_DEV": "false"}).settings.dev


def test_configuration_file_can_be_named_in_the_environment(toml):
    environ = {"KMS_CONFIG": toml(f'[kms]\njwt-issuer-uri = "{ISSUER}"')}
    parsed = parse([], environ)
    assert parsed.settings.trust.issuers == (TrustedIssuer(ISSUER),)
    assert effective(parsed, "jwt-issuer-uri") == (f'"{ISSUER}"', "file")


def test_every_option_can_be_set_in_the_environment(tmp_path):
    pem = tmp_path / "x.pem"
    pem.write_text("")
    environ = {
        "KMS_JWT_ISSUER_URI": ISSUER,
        "KMS_JWKS_URI": "file:///keys.json",
        "KMS_JWT_AUDIENCE": "a,b",
        "KMS_JWT_AUTH_PROVIDER": "https://b.example, https://b.example/k, x,y ; https://c.example/{tenantid}/,https://c.example/keys",
        "KMS_JWT_USER_NAMESPACE": "shared",
        "KMS_JWT_AUDIENCE_CLAIM": "aud,client_id",
        "KMS_JWT_USER_CLAIM": "email, sub",
        "KMS_JWT_GROUP_CLAIM": "groups",
        "KMS_JWT_ALLOW_UNVERIFIED_EMAIL": "1",
        "KMS_JWT_ALGORITHMS": "ES256,EdDSA",
        "KMS_JWT_LEEWAY": "0",
        "KMS_JWT_MAX_AGE": "3600",
        "KMS_JWT_REQUIRED_CLAIM": "scope=kms,level=5",
        "KMS_JWT_TOKEN_TYPES": "at+jwt,absent",
        "KMS_JWT_CACHE_SIZE": "0",
        "KMS_JWKS_REFRESH_INTERVAL": "60",
        "KMS_JWKS_COOLDOWN": "0.5",
        "KMS_JWKS_TIMEOUT": "30",
        "KMS_JWKS_MAX_STALE": "0",
        "KMS_JWKS_CA_FILE": str(pem),
        "KMS_JWKS_TOKEN_FILE": str(pem),
        "KMS_JWKS_ALLOW_HTTP": "Keycloak, [::1]",
        "KMS_JWT_TENANTS": "t1, t2",
        "KMS_JWT_DENY_FILE": str(pem),
        "KMS_JWT_BOUND_TOKENS": "required",
        "KMS_JWT_DPOP_NONCE": "true",
        "KMS_INSECURE_NO_AUTH": "false",
        "KMS_DEFAULT_USERNAME": "root",
        "KMS_HOSTNAME": "[::1]",
        "KMS_PORT": "0",
        "KMS_TLS_CERT_FILE": str(pem),
        "KMS_TLS_KEY_FILE": str(pem),
        "KMS_WORKERS": "0",
        "KMS_CLIENTS_CA_CERT_FILE": str(pem),
        "KMS_PUBLIC_URL": "HTTPS://KMS.example.com:8443/Kms/",
        "KMS_TRUSTED_PROXIES": "10.0.0.0/8, ::1",
        "KMS_MAX_CONNECTIONS": "100",
        "KMS_SEND_TIMEOUT": "0.5",
        "KMS_MAX_BODY_SIZE": "1",
        "KMS_USER_RATE": "100",
        "KMS_USER_CONCURRENCY": "0",
        "KMS_SHUTDOWN_TIMEOUT": "2.5",
        "KMS_LOG_LEVEL": "DEBUG",
        "KMS_LOG_FORMAT": "json",
        "KMS_METRICS": "1",
        "KMS_METRICS_LISTEN": "[::1]:9100",
        "KMS_UI": "1",
        "KMS_UI_CLIENT_ID": "kms-page",
        "KMS_KMIP_PORT": "5696",
        "KMS_KMIP_HOSTNAME": "[::1]",
        "KMS_KMIP_CLIENTS_CA_CERT_FILE": str(pem),
        "KMS_KMIP_CLIENTS_CRL_FILE": str(pem),
        "KMS_KMIP_CLIENT_CERTIFICATE": "Optional",
        "KMS_KMIP_USER_FROM": "san-uri",
        "KMS_KMIP_USER_NAMESPACE": "shared",
        "KMS_KMIP_CRYPTO_POLICY": "permissive",
        "KMS_DATA_DIR": "/d",
        "KMS_DATABASE_URL": "postgresql://h/d",
        "KMS_MASTER_KEY_FILE": "/m",
        "KMS_AUDIT_LOG": "/l",
        "KMS_AUDIT_KEY_FILE": "/a",
        "KMS_AUDIT_READS": "false",
        "KMS_ACCEPT_ROLLBACK": "1",
        "KMS_AUDITORS": "carol",
        "KMS_SCRUB_INTERVAL": "0",
        "KMS_PRIVILEGED_USERS": "alice,bob",
        "KMS_CRYPTO_POLICY": "permissive",
        "KMS_KMIP_INTEROP": "true",
        "KMS_DEV": "0",
    }
    assert set(environ) == {o.variable for o in OPTIONS} - {"KMS_CONFIG", "KMS_MASTER_KEY"}
    got = parse([], environ).settings
    hosts = frozenset({"keycloak", "::1"})
    assert got.trust.issuers == (
        TrustedIssuer(
            ISSUER,
            "file:///keys.json",
            frozenset({"a", "b"}),
            jwks_token_file=str(pem),
            jwks_allow_http=hosts,
        ),
        TrustedIssuer(
            "https://b.example",
            "https://b.example/k",
            frozenset({"x", "y"}),
            jwks_allow_http=hosts,
        ),
        TrustedIssuer(
            "https://c.example/{tenantid}/",
            "https://c.example/keys",
            jwks_allow_http=hosts,
            tenants=frozenset({"t1", "t2"}),
        ),
    )
    assert (got.workers, got.clients_ca_cert_file, got.service.kmip_interop) == (0, pem, True)
    policy, refresh = got.trust.policy, got.trust.refresh
    assert (policy.namespace_by_issuer, policy.user_claim) == (False, ("email", "sub"))
    assert policy.audience_claim == ("aud", "client_id")
    assert (policy.group_claim, policy.deny_file) == ("groups", str(pem))
    assert (policy.bound_tokens, policy.needs_dpop_nonce) == ("required", True)
    assert policy.allow_unverified_email
    assert policy.algorithms == {"ES256", "EdDSA"}
    assert (policy.leeway_s, policy.max_age_s) == (0, 3600)
    assert policy.required_claims == (RequiredClaim("scope", "kms"), RequiredClaim("level", 5))
    assert policy.token_types == {"at+jwt", None}
    assert got.trust.cache_size == 0
    assert (refresh.interval_s, refresh.cooldown_s, refresh.timeout_s) == (60, 0.5, 30)
    assert (refresh.max_stale_s, refresh.ca_file) == (0, str(pem))
    assert (got.default_username, got.hostname, got.port) == ("root", "::1", 0)
    assert (got.tls_cert_file, got.tls_key_file) == (pem, pem)
    assert got.public_url == "https://kms.example.com:8443/Kms"
    assert got.metrics_listen == ("::1", 9100)
    assert got.kmip == KMIPSettings(
        kmip_port=5696,
        kmip_hostname="::1",
        kmip_clients_ca_cert_file=pem,
        kmip_clients_crl_file=pem,
        kmip_client_certificate="optional",
        kmip_user_from="san-uri",
        kmip_user_namespace="shared",
        kmip_crypto_policy="permissive",
    )
    assert list(map(str, got.trusted_proxies)) == ["10.0.0.0/8", "::1/128"]
    assert (got.max_connections, got.send_timeout_s) == (100, 0.5)
    assert (got.max_body_size, got.shutdown_timeout_s) == (1, 2.5)
    assert (got.user_rate, got.user_concurrency) == (100, 0)
    assert (got.log_level, got.log_format) == ("debug", "json")
    assert (got.service.data_dir, got.service.database_url) == (Path("/d"), "postgresql://h/d")
    assert got.service.master_key_file == (Path("/m"),)
    assert (got.service.audit_log, got.service.audit_key_file) == (Path("/l"), Path("/a"))
    assert (got.service.audit_reads, got.service.accept_rollback) == (False, True)
    assert got.service.scrub_interval_s == 0
    assert got.service.privileged_users == {"alice", "bob"}
    assert got.service.auditors == {"carol"}
    assert got.service.crypto_policy == "permissive"


def test_master_key_comes_from_the_environment_alone(toml):
    parsed = parse(TRUSTING, {"KMS_MASTER_KEY": "c2VjcmV0\n"})
    assert parsed.settings.service.master_key.value == "c2VjcmV0"
    assert "--master-key (flag): unknown option" in refusal([*TRUSTING, "--master-key", "c2Vj"])
    path = toml('[kms]\nmaster-key = "c2Vj"')
    line = refusal([*TRUSTING, "-c", path])
    assert line == f"master-key (file {path}): cannot be set in the file, only by KMS_MASTER_KEY"


def test_all_mistakes_are_reported_at_once(toml):
    path = toml("[kms]\ncolour = 1\njwks-timeout = 31\n")
    line = refusal(
        ["-c", path, "--port", "x", "--size", "--log-level", "loud", "--jwt-algorithms", "HS256"],
        {"KMS_JWT_LEEWAY": "301", "KMS_TLS_KEY_FILE": __file__},
    )
    for part in (
        "--size (flag): unknown option",
        f"colour (file {path}): unknown key",
        f"--jwks-timeout (file {path}): out of range",
        "--port (flag): 'x' is not an integer",
        "--log-level (flag): 'loud'",
        "--jwt-algorithms (flag): algorithm 'HS256'",
        "--jwt-leeway (environment KMS_JWT_LEEWAY): out of range",
        "--tls-key-file (environment KMS_TLS_KEY_FILE): needs --tls-cert-file too",
        "--jwt-issuer-uri (not set): no issuer to trust",
    ):
        assert part in line


@pytest.mark.parametrize(
    "argv",
    [
        pytest.param(["--jwt-issuer-uri", "http://a.example"], id="faulty issuer"),
        pytest.param(["--jwt-isuer-uri", ISSUER], id="misspelt issuer"),
        pytest.param(["--config", "/nowhere"], id="no file"),
        pytest.param([*TRUSTING, "--tls-key-file=x", "--tls-cert-file", __file__], id="no key"),
    ],
)
def test_mere_consequences_of_a_mistake_are_not_reported(argv):
    assert refusal(argv).count("): ") == 1


@pytest.mark.parametrize(
    ("argv", "environ"),
    [
        pytest.param(["--master-key", "hunter2"], {}, id="unknown flag"),
        pytest.param(["--database_url=postgresql://u:hunter2@h/d"], {}, id="misspelt flag"),
        pytest.param(["postgresql://u:hunter2@h/d"], {}, id="stray word"),
        pytest.param(["--database-url", "postgresql://u:hunter2@h/d\n"], {}, id="faulty URL"),
        pytest.param([], {"KMS_MASTER_KEY": "hunter2\x01"}, id="faulty master key"),
        pytest.param(["--jwt-issuer-uri", "https://u:hunter2@a.example"], {}, id="issuer"),
    ],
)
def test_refusal_does_not_show_secrets(argv, environ):
    assert "hunter2" not in refusal(argv, environ)


def test_environment_of_the_process_is_not_read(monkeypatch):
    monkeypatch.setenv("KMS_PORT", "nonsense")
    monkeypatch.setenv("KMS_DEV", "true")
    assert parse(TRUSTING, {}).settings.port == 9998


words = st.text(max_size=40) | st.sampled_from(
    ["true", "0", "1", "300", "-1", "nan", "1e400", ISSUER, "https://b.example,file://[", "a=1e999"]
)


variables = st.sampled_from([o.variable for o in OPTIONS if o.name != "config"]) | st.text(
    max_size=10
).map("KMS_".__add__)


scalars = words | st.integers() | st.floats() | st.booleans() | st.just(2**20000)


def only_refuses(argv, environ):
    try:
        parsed = parse(argv, environ)
    except ConfigurationError as error:
        assert str(error).isprintable()  # noqa: PT017 - it may as well not be raised
    else:
        format_effective(parsed).encode()
        assert all(warning.isprintable() for warning in parsed.warnings)


@settings(deadline=None)
@given(st.dictionaries(variables, words, max_size=6), st.booleans())
def test_no_environment_raises_anything_else(environ, trusting):
    only_refuses(TRUSTING if trusting else [], environ)


@settings(deadline=None)
@given(content=st.binary(max_size=60) | st.text(max_size=60).map("[kms]\n{}".format))
def test_no_file_raises_anything_else(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(
        content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
    )
    only_refuses([*TRUSTING, "-c", str(path)], {})


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([o.name for o in OPTIONS]) | st.text(max_size=10),
        scalars | st.lists(scalars, max_size=3) | st.dictionaries(words, scalars, max_size=2),
        max_size=6,
    )
)
def test_no_toml_values_raise_anything_else(tmp_path_factory, table):
    path = tmp_path_factory.getbasetemp() / "table.toml"
    lines = [f"{json.dumps(key)} = {format_toml(value)}\n" for key, value in table.items()]
    path.write_text("[kms]\n" + "".join(lines), encoding="utf-8")
    only_refuses([*TRUSTING, "-c", str(path)], {})


def format_toml(value):
    if isinstance(value, list):
        return f"[{', '.join(map(format_toml, value))}]"
    if isinstance(value, dict):
        pairs = [f"{json.dumps(key)} = {format_toml(inner)}" for key, inner in value.items()]
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, str | bool):
        return json.dumps(value, ensure_ascii=False)
    # hex: the only way to write an integer that Python would not print
    return hex(value) if isinstance(value, int) and value > 2**64 else repr(value)


@settings(deadline=None)
@given(
    st.lists(
        words
        | st.sampled_from([o.flag for o in OPTIONS if o.is_flag and o.name != "config"])
        | st.sampled_from(["--", "-", "-x", "--print-config", "--dev=1", "=", "--="]),
        max_size=6,
    ).filter(lambda argv: not any(re.match(r"-h|--(help|version)", word) for word in argv))
)
def test_no_command_line_raises_anything_else(argv):
    only_refuses(argv, {"PATH": os.defpath})


# --- credentials of the service manager ---------------------------------------------------------


@pytest.fixture
def credentials(tmp_path):
    """The variables of a unit with LoadCredential=kms-master-key:…"""
    (tmp_path / "kms-master-key").write_text("a key\n")
    return {"CREDENTIALS_DIRECTORY": str(tmp_path)}


def test_master_key_is_taken_from_the_credentials_where_nothing_names_one(tmp_path, credentials):
    parsed = parse(TRUSTING, credentials)
    assert parsed.settings.service.master_key_file == (tmp_path / "kms-master-key",)
    assert effective(parsed, "master-key-file") == (f'["{tmp_path}/kms-master-key"]', "credential")
    (tmp_path / "kms-master-key").unlink()
    assert parse(TRUSTING, credentials).settings.service.master_key_file == ()
    assert parse(TRUSTING, {"CREDENTIALS_DIRECTORY": ""}).settings.service.master_key_file == ()


def test_option_that_names_the_master_key_comes_before_the_credentials(toml, credentials):
    flags = ["--master-key-file", "/a", "--master-key-file", "/b"]
    file = ["-c", toml('[kms]\nmaster-key-file = ["/a", "/b"]\n')]
    for argv, more in ((flags, {}), (file, {}), ([], {"KMS_MASTER_KEY_FILE": "/a, /b"})):
        parsed = parse([*TRUSTING, *argv], {**credentials, **more})
        assert parsed.settings.service.master_key_file == (Path("/a"), Path("/b"))
    parsed = parse(TRUSTING, {**credentials, "KMS_MASTER_KEY": "c2VjcmV0"})
    assert parsed.settings.service.master_key_file == ()


def test_single_master_key_file_may_be_a_string_in_the_file_as_before(toml):
    parsed = parse([*TRUSTING, "-c", toml('[kms]\nmaster-key-file = "/a"\n')], {})
    assert parsed.settings.service.master_key_file == (Path("/a"),)
    line = refusal([*TRUSTING, "-c", toml("[kms]\nmaster-key-file = 1\n")])
    assert "needs a list of strings, not an integer" in line
