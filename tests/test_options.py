"""Flags, environment and file become Settings; every mistake is named with its place."""

import ast
import dataclasses
import json
import os
import re
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kms_tornado
from kms_tornado.auth.issuer import (
    ALGORITHMS,
    RefreshPolicy,
    RequiredClaim,
    TokenPolicy,
    TrustedIssuer,
    TrustSettings,
)
from kms_tornado.errors import ConfigurationError
from kms_tornado.options import (
    OPTIONS,
    Switch,
    format_effective,
    format_fault,
    mask_url,
    parse,
)
from kms_tornado.settings import ServiceSettings, Settings

ISSUER = "https://issuer.example.com/"
TRUSTING = ("--jwt-issuer-uri", ISSUER)
PACKAGE = Path(kms_tornado.__file__).parent
SAMPLE = PACKAGE.parent / "conf" / "kms.toml"


@pytest.fixture
def toml(tmp_path):
    """Writes a configuration file and gives its path."""

    def write(text):
        path = tmp_path / "kms.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return write


def refusal(argv, environ=None):
    """The one line that a bad configuration ends in."""
    with pytest.raises(ConfigurationError) as caught:
        parse(argv, environ or {})
    line = str(caught.value)
    assert line.isprintable()  # a line break is not
    return line


def effective(parsed, name):
    [one] = [e for e in parsed.effective if e.name == name]
    return one.value, one.source


# --- where a value comes from -------------------------------------------------------------------


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


@pytest.mark.parametrize(
    "text", ["true", "True", "TRUE", "1", pytest.param(" true ", id="spaces around")]
)
def test_switch_is_on_in_the_environment(text):
    assert parse([], {"KMS_DEV": text}).settings.dev


@pytest.mark.parametrize("text", ["true", "1"])
def test_switch_is_on_in_the_file(toml, text):
    assert parse(["-c", toml(f"[kms]\ndev = {text}")], {}).settings.dev


def test_every_option_can_be_set_in_the_environment(tmp_path):
    pem = tmp_path / "x.pem"
    pem.write_text("")
    environ = {
        "KMS_JWT_ISSUER_URI": ISSUER,
        "KMS_JWKS_URI": "file:///keys.json",
        "KMS_JWT_AUDIENCE": "a,b",
        "KMS_JWT_AUTH_PROVIDER": "https://b.example, https://b.example/k, x,y ; https://c.example",
        "KMS_JWT_USER_NAMESPACE": "issuer",
        "KMS_JWT_USER_CLAIM": "email",
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
        "KMS_INSECURE_NO_AUTH": "false",
        "KMS_DEFAULT_USERNAME": "root",
        "KMS_HOSTNAME": "[::1]",
        "KMS_PORT": "0",
        "KMS_TLS_CERT_FILE": str(pem),
        "KMS_TLS_KEY_FILE": str(pem),
        "KMS_WORKERS": "0",
        "KMS_CLIENTS_CA_CERT_FILE": str(pem),
        "KMS_MAX_BODY_SIZE": "1",
        "KMS_SHUTDOWN_TIMEOUT": "2.5",
        "KMS_LOG_LEVEL": "DEBUG",
        "KMS_LOG_FORMAT": "json",
        "KMS_METRICS": "1",
        "KMS_DATA_DIR": "/d",
        "KMS_DATABASE_URL": "postgresql://h/d",
        "KMS_MASTER_KEY_FILE": "/m",
        "KMS_PRIVILEGED_USERS": "alice,bob",
        "KMS_CRYPTO_POLICY": "permissive",
        "KMS_KMIP_INTEROP": "true",
        "KMS_DEV": "0",
    }
    assert set(environ) == {o.variable for o in OPTIONS} - {"KMS_CONFIG", "KMS_MASTER_KEY"}
    got = parse([], environ).settings
    assert got.trust.issuers == (
        TrustedIssuer(ISSUER, "file:///keys.json", frozenset({"a", "b"})),
        TrustedIssuer("https://b.example", "https://b.example/k", frozenset({"x", "y"})),
        TrustedIssuer("https://c.example"),
    )
    assert (got.workers, got.clients_ca_cert_file, got.service.kmip_interop) == (0, pem, True)
    policy, refresh = got.trust.policy, got.trust.refresh
    assert (policy.namespace_by_issuer, policy.user_claim) == (True, "email")
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
    assert (got.max_body_size, got.shutdown_timeout_s) == (1, 2.5)
    assert (got.log_level, got.log_format) == ("debug", "json")
    assert (got.service.data_dir, got.service.database_url) == (Path("/d"), "postgresql://h/d")
    assert got.service.master_key_file == Path("/m")
    assert got.service.privileged_users == {"alice", "bob"}
    assert got.service.crypto_policy == "permissive"


def test_defaults_of_the_table_are_the_defaults_of_the_values():
    trust = TrustSettings(issuers=(TrustedIssuer(ISSUER),))
    assert parse(TRUSTING, {}).settings == Settings(trust=trust)


def test_every_option_fills_a_field_and_every_field_has_its_option():
    classes = (Settings, ServiceSettings, TokenPolicy, RefreshPolicy, TrustedIssuer)
    fields = [field.name for cls in classes for field in dataclasses.fields(cls)]
    assert len(set(fields)) == len(fields), "a row names its field without the class"
    made_of_others = {"uri", "policy", "refresh", "service"}
    options = {option.field for option in OPTIONS if option.name != "config"}
    assert options == set(fields) - made_of_others


def test_master_key_comes_from_the_environment_alone(toml):
    parsed = parse(TRUSTING, {"KMS_MASTER_KEY": "c2VjcmV0\n"})
    assert parsed.settings.service.master_key.value == "c2VjcmV0"
    assert "--master-key (flag): unknown option" in refusal([*TRUSTING, "--master-key", "c2Vj"])
    path = toml('[kms]\nmaster-key = "c2Vj"')
    line = refusal([*TRUSTING, "-c", path])
    assert line == f"master-key (file {path}): cannot be set in the file"


def test_dev_keeps_its_data_in_a_temporary_directory_unless_told_otherwise():
    assert parse(["--dev"], {}).settings.service.data_dir is None
    assert parse(["--dev", "--data-dir", "./kms-data"], {}).settings.service.data_dir == Path(
        "kms-data"
    )
    assert parse(TRUSTING, {}).settings.service.data_dir == Path("kms-data")


# --- single values ------------------------------------------------------------------------------


@pytest.mark.parametrize(
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
            " https://b.example , http://localhost:1/k ",
            TrustedIssuer("https://b.example", "http://localhost:1/k"),
            id="key set URI",
        ),
    ],
)
def test_auth_provider_is_split_at_commas(text, issuer):
    parsed = parse(["--jwt-auth-provider", text], {})
    assert parsed.settings.trust.issuers == (issuer,)


def test_one_more_issuer_is_written_once_more(toml):
    several = ["https://b.example,,x", "https://c.example"]
    file = f"[kms]\njwt-auth-provider = {several}\njwt-user-namespace = 'shared'"
    flags = [f"--jwt-auth-provider={text}" for text in several]
    by_file = parse(["-c", toml(file)], {}).settings
    assert by_file == parse([*flags, "--jwt-user-namespace", "shared"], {}).settings
    assert len(by_file.trust.issuers) == 2
    assert not by_file.trust.policy.namespace_by_issuer


# --- refusals -----------------------------------------------------------------------------------

SECONDS = "needs a number of seconds, not"


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("port", "65536", "out of range: 0 to 65535"),
        ("port", "-1", "out of range: 0 to 65535"),
        ("port", "9" * 5000, "out of range: 0 to 65535"),
        ("port", "80.0", "'80.0' is no integer (0 to 65535)"),
        ("port", "1_0", "'1_0' is no integer (0 to 65535)"),
        ("port", "٣", "'٣' is no integer (0 to 65535)"),
        ("port", "tcp://10.0.0.1:80", "'tcp://10.0.0.1:80' is no integer (0 to 65535)"),
        ("jwt-leeway", "301", "out of range: 0 to 300 seconds"),
        ("jwt-leeway", "-1", "out of range: 0 to 300 seconds"),
        ("jwt-leeway", "nan", "'nan' is no number of seconds (0 to 300 seconds)"),
        ("jwt-leeway", "inf", "'inf' is no number of seconds (0 to 300 seconds)"),
        ("jwt-leeway", "1e999", "out of range: 0 to 300 seconds"),
        ("jwt-leeway", "1m", "'1m' is no number of seconds (0 to 300 seconds)"),
        ("jwt-max-age", "0", "out of range: more than 0 and at most 1000000000 seconds"),
        ("jwt-cache-size", "-1", "out of range: 0 to 10000000"),
        ("jwks-timeout", "0", "out of range: more than 0 and at most 30 seconds"),
        ("jwks-timeout", "30.1", "out of range: more than 0 and at most 30 seconds"),
        ("jwks-refresh-interval", "0", "out of range: 1 to 1000000000 seconds"),
        ("jwks-cooldown", "-0.1", "out of range: 0 to 1000000000 seconds"),
        ("jwks-max-stale", "-1", "out of range: 0 to 1000000000 seconds"),
        ("max-body-size", "0", "out of range: 1 to 1099511627776"),
        ("shutdown-timeout", "-1", "out of range: 0 to 86400 seconds"),
        ("log-level", "loud", "'loud' is none of debug, info, warning, error, critical"),
        ("log-format", "xml", "'xml' is none of text, json"),
        ("jwt-user-namespace", "none", "'none' is none of shared, issuer"),
        ("jwt-issuer-uri", "issuer.example.com", "an https:// URL is needed"),
        ("jwt-issuer-uri", "http://a.example", "http is for loopback hosts only, use https"),
        ("jwt-issuer-uri", "https://[", "no valid URL"),
        ("jwt-issuer-uri", " ", "the value is empty"),
        ("jwks-uri", "ftp://a.example/k", "an https:// URL is needed"),
        ("jwks-uri", "http://10.0.0.1/k", "http is for loopback hosts only, use https"),
        ("jwks-uri", "file://[", "no valid URL"),
        ("jwks-uri", "file://host/k", "file:/// and an absolute path is needed"),
        ("jwt-algorithms", "none", "algorithm 'none' cannot be allowed; known are RS256 "),
        ("jwt-algorithms", "HS256", "algorithm 'HS256' cannot be allowed; known are RS256 "),
        ("jwt-algorithms", "rs256", "algorithm 'rs256' cannot be allowed; known are RS256 "),
        ("jwt-required-claim", "scope", "needs NAME=VALUE"),
        ("jwt-required-claim", "=x", "required claim: a name is needed, as NAME=VALUE"),
        ("jwt-required-claim", "n=1e999", "the number is too large; put it in quotes"),
        ("jwt-auth-provider", ",https://a.example/k", "the issuer is missing"),
        ("jwt-auth-provider", "http://a.example", "issuer URI: http is for loopback hosts only"),
        ("jwt-auth-provider", "https://a.example,aud", "key set URI: an https:// URL is needed"),
        ("jwt-auth-provider", "https://a.example,file://[", "key set URI: no valid URL"),
        ("hostname", "http://localhost", "'http://localhost' is no host name or address"),
        ("hostname", "a b", "'a b' is no host name or address"),
        ("default-username", "*", "'*' is no user name"),
        ("privileged-users", "*", "'*' is no user name"),
        ("default-username", "x" * 256, "a user name has at most 255 characters"),
        ("jwt-user-claim", "a\x1b", "the value holds control characters or is no UTF-8"),
        ("data-dir", "\udcff", "the value holds control characters or is no UTF-8"),
        ("tls-cert-file", "/nowhere/x", "cannot read /nowhere/x: No such file or directory"),
        ("tls-key-file", "/", "cannot read /: no readable file"),
        ("jwks-ca-file", "/nowhere/x", "cannot read /nowhere/x: No such file or directory"),
    ],
)
def test_nonsense_is_refused_by_name_in_flag_and_environment(name, text, fault):
    variable = "KMS_" + name.upper().replace("-", "_")
    assert refusal([f"--{name}={text}"]).startswith(f"--{name} (flag): {fault}")
    by_environment = refusal([], {variable: text})
    assert by_environment.startswith(f"--{name} (environment {variable}): {fault}")


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('port = "80"', "--port (file FILE): needs an integer, not a string"),
        ("port = 80.0", "--port (file FILE): needs an integer, not a float"),
        ("port = true", "--port (file FILE): needs an integer, not a boolean"),
        ("port = 70000", "--port (file FILE): out of range: 0 to 65535"),
        (f"port = 0x{'f' * 9000}", "--port (file FILE): out of range: 0 to 65535"),
        ('jwt-leeway = "60"', f"--jwt-leeway (file FILE): {SECONDS} a string"),
        ("jwt-leeway = true", f"--jwt-leeway (file FILE): {SECONDS} a boolean"),
        ("jwt-leeway = nan", "--jwt-leeway (file FILE): out of range: 0 to 300 seconds"),
        ("jwt-leeway = inf", "--jwt-leeway (file FILE): out of range: 0 to 300 seconds"),
        ("hostname = 1", "--hostname (file FILE): needs a string, not an integer"),
        ("hostname = true", "--hostname (file FILE): needs a string, not a boolean"),
        ("hostname = []", "--hostname (file FILE): needs a string, not a list"),
        ("hostname = 1979-05-27", "--hostname (file FILE): needs a string, not a date or time"),
        ('hostname = ""', "--hostname (file FILE): the value is empty"),
        ('hostname = "a\\nb"', "--hostname (file FILE): the value holds control characters"),
        ('dev = "true"', "--dev (file FILE): needs true or false, not a string"),
        ("dev = 2", "--dev (file FILE): needs true or false, not an integer"),
        ("dev = 1.0", "--dev (file FILE): needs true or false, not a float"),
        ('jwt-audience = "a"', "--jwt-audience (file FILE): needs a list of strings, not a string"),
        ("jwt-audience = [1]", "--jwt-audience (file FILE): needs a string, not an integer"),
        ('jwt-audience = [""]', "--jwt-audience (file FILE): the value is empty"),
        ("jwt-algorithms = []", "--jwt-algorithms (file FILE): at least one is needed"),
        ("jwt-token-types = []", "--jwt-token-types (file FILE): at least one is needed"),
        ("jwt_leeway = 1", "jwt_leeway (file FILE): unknown key; did you mean jwt-leeway?"),
        ("colour = 1", "colour (file FILE): unknown key"),
        ("print-config = true", "print-config (file FILE): unknown key"),
        ('"a\\nb" = 1', "'a\\nb' (file FILE): unknown key"),
        ('config = "x"', "config (file FILE): cannot be set in the file"),
        ("[kms.jwt]\nleeway = 1", "jwt (file FILE): unknown key"),
        ("[server]\nport = 1", "server.port (file FILE): stands outside the table [kms]"),
        ("[server]", "server (file FILE): stands outside the table [kms]"),
    ],
)
def test_nonsense_in_the_file_is_refused_by_name(toml, line, fault):
    path = toml(f"[kms]\n{line}\n")
    assert refusal([*TRUSTING, "-c", path]).startswith(fault.replace("FILE", path))


def test_key_above_the_table_is_refused(toml):
    path = toml("port = 1\n[kms]\n")
    line = refusal([*TRUSTING, "-c", path])
    assert line == f"port (file {path}): stands outside the table [kms]"


def test_key_named_kms_is_no_table(toml):
    path = toml("kms = 1")
    assert refusal(["-c", path]) == f"kms (file {path}): needs a table [kms], not an integer"


def test_file_is_checked_where_a_flag_overrides_it_too(toml):
    path = toml("[kms]\nport = 70000")
    line = refusal([*TRUSTING, "-c", path, "--port", "1"])
    assert line == f"--port (file {path}): out of range: 0 to 65535"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        pytest.param(b"[kms", "no valid TOML: ", id="not TOML"),
        pytest.param(b"[kms]\nport = 1\nport = 2", "no valid TOML: ", id="key twice"),
        pytest.param(b"[kms]\nx = '\xff'", "no UTF-8", id="not UTF-8"),
        pytest.param(b"x = " + b"[" * 9000, "no valid TOML: ", id="nested too deeply"),
        pytest.param(b"x = " + b"9" * 9000, "no valid TOML: ", id="too many digits"),
        pytest.param(b"#" * (1024 * 1024 + 1), "larger than 1 MiB", id="too large"),
    ],
)
def test_file_that_is_no_configuration_is_refused(toml, content, fault):
    path = toml(content)
    assert refusal(["--config", path]).startswith(f"--config (flag): cannot read {path}: {fault}")


def test_file_that_cannot_be_read_is_refused(tmp_path):
    missing = tmp_path / "x.toml"
    assert refusal(["-c", str(missing)]) == (
        f"--config (flag): cannot read {missing}: No such file or directory"
    )
    assert refusal([], {"KMS_CONFIG": str(tmp_path)}) == (
        f"--config (environment KMS_CONFIG): cannot read {tmp_path}: Is a directory"
    )


@pytest.mark.parametrize(
    ("argv", "environ", "fault"),
    [
        pytest.param([], {}, "--jwt-issuer-uri (not set): no issuer to trust", id="no issuer"),
        pytest.param(
            [*TRUSTING, "--insecure-no-auth"],
            {},
            "--insecure-no-auth (flag): not together with a token issuer",
            id="no authentication beside an issuer",
        ),
        pytest.param(
            ["--jwt-auth-provider", ISSUER],
            {"KMS_INSECURE_NO_AUTH": "1"},
            "--insecure-no-auth (environment KMS_INSECURE_NO_AUTH): not together with a token",
            id="no authentication beside a provider",
        ),
        pytest.param(
            ["--dev", *TRUSTING], {}, "--dev (flag): brings its own token issuer", id="dev, issuer"
        ),
        pytest.param(
            ["--dev", "--insecure-no-auth"],
            {},
            "--insecure-no-auth (flag): not together with --dev",
            id="dev without authentication",
        ),
        pytest.param(
            ["--dev", "--hostname", "0.0.0.0"],
            {},
            "--hostname (flag): with --dev only a loopback host is allowed",
            id="dev for everyone",
        ),
        pytest.param(
            ["--insecure-no-auth"],
            {"KMS_HOSTNAME": "kms.example.com"},
            "--hostname (environment KMS_HOSTNAME): with --insecure-no-auth only a loopback host",
            id="open to all",
        ),
        pytest.param(
            ["--dev", "--jwks-uri", "https://a.example/k"],
            {},
            "--jwks-uri (flag): needs --jwt-issuer-uri",
            id="keys of nobody",
        ),
        pytest.param(
            ["--jwt-auth-provider", ISSUER],
            {"KMS_JWT_AUDIENCE": "a"},
            "--jwt-audience (environment KMS_JWT_AUDIENCE): belongs to --jwt-issuer-uri",
            id="audience of nobody",
        ),
        pytest.param(
            [*TRUSTING, "--jwt-auth-provider", "https://b.example"],
            {},
            "--jwt-user-namespace (not set): must be shared or issuer",
            id="whose user names",
        ),
        pytest.param(
            [*TRUSTING, "--jwt-auth-provider", ISSUER],
            {},
            f"--jwt-auth-provider (flag): the issuer {ISSUER} is configured twice",
            id="same issuer twice",
        ),
        pytest.param(
            [],
            {"KMS_JWT_AUTH_PROVIDER": f"{ISSUER};{ISSUER},,a"},
            f"--jwt-auth-provider (environment KMS_JWT_AUTH_PROVIDER): the issuer {ISSUER} is",
            id="same provider twice",
        ),
        pytest.param(
            [*TRUSTING, *TRUSTING],
            {},
            "--jwt-issuer-uri (flag): given more than once",
            id="same flag twice",
        ),
        pytest.param(
            ["-c", "a", "-cb"], {}, "--config (flag): given more than once", id="two files"
        ),
        pytest.param(
            [*TRUSTING, "--tls-cert-file", __file__],
            {},
            "--tls-cert-file (flag): needs --tls-key-file too",
            id="certificate without key",
        ),
        pytest.param(
            TRUSTING,
            {"KMS_TLS_KEY_FILE": __file__},
            "--tls-key-file (environment KMS_TLS_KEY_FILE): needs --tls-cert-file too",
            id="key without certificate",
        ),
        pytest.param(
            [*TRUSTING, "--master-key-file", "x"],
            {"KMS_MASTER_KEY": "c2VjcmV0"},
            "--master-key-file (flag): not together with KMS_MASTER_KEY",
            id="two master keys",
        ),
        pytest.param(
            [*TRUSTING],
            {"KMS_JWT_AUDIENCE": " , "},
            "--jwt-audience (environment KMS_JWT_AUDIENCE): holds no value",
            id="separators alone are not an empty variable",
        ),
        pytest.param(
            TRUSTING, {"KMS_DEV": "yes"}, "--dev (environment KMS_DEV): 'yes' is none of", id="yes"
        ),
        pytest.param(["--dev=true"], {}, "--dev (flag): takes no value", id="switch with a value"),
        pytest.param(["--dev", "true"], {}, "'true' (flag): belongs to no option", id="word after"),
        pytest.param(["--port"], {}, "--port (flag): needs a value", id="no value"),
        pytest.param(["-c"], {}, "--config (flag): needs a value", id="no file"),
        pytest.param(["--port", "--dev"], {}, "--port (flag): needs a value", id="flag as value"),
        pytest.param(
            ["--jwt-issuer", ISSUER],
            {},
            "--jwt-issuer (flag): unknown option; did you mean --jwt-issuer-uri?",
            id="abbreviation",
        ),
        pytest.param(["--dev", "x y"], {}, "'x y' (flag): belongs to no option", id="stray word"),
        pytest.param(
            ["--dev", "--workers=2"],
            {},
            "--workers (flag): with --dev there is one",
            id="workers of dev",
        ),
        pytest.param(
            [*TRUSTING, "--clients-ca-cert-file", __file__],
            {},
            "--clients-ca-cert-file (flag): needs --tls-cert-file too",
            id="client certificates without TLS",
        ),
    ],
)
def test_options_that_do_not_go_together_are_refused(argv, environ, fault):
    line = refusal(argv, environ)
    assert line.startswith(fault)
    assert line.count("): ") == 1


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
        "--port (flag): 'x' is no integer",
        "--log-level (flag): 'loud'",
        "--jwt-algorithms (flag): algorithm 'HS256'",
        "--jwt-leeway (environment KMS_JWT_LEEWAY): out of range",
        "--tls-key-file (environment KMS_TLS_KEY_FILE): needs --tls-cert-file too",
        "--jwt-issuer-uri (not set): no issuer to trust",
    ):
        assert part in line


def test_all_contradictions_are_reported_at_once():
    b = "https://b.example"
    line = refusal(
        [f"--jwt-auth-provider={uri}" for uri in (ISSUER, b, b)]
        + ["--jwks-uri=file:///k", "--jwt-audience=a", "--dev", "--hostname=0.0.0.0"]
    )
    for part in (
        "--jwks-uri (flag): needs",
        "--jwt-audience (flag): belongs",
        "--jwt-user-namespace (not set): must",
        f"--jwt-auth-provider (flag): the issuer {b} is configured twice",
        "--hostname (flag): with --dev",
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


# --- what is printed ----------------------------------------------------------------------------


def test_help_names_every_flag_with_its_variable_and_default(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as caught:
        parse(["--help"], {"KMS_PORT": "nonsense"})
    assert caught.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for option in OPTIONS:
        if option.is_flag:
            assert f" {option.flag} " in text
            assert f"[env var: {option.variable}]" in text
        if option.default is not None and not isinstance(option.kind, Switch):
            default = " ".join(option.default) if option.repeatable else option.default
            assert f"(default: {default})" in text
    assert "KMS_MASTER_KEY" in text
    assert "config file values which override defaults" in text


def test_version_names_the_program(capsys):
    with pytest.raises(SystemExit) as caught:
        parse(["--version"], {})
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"kms-tornado {kms_tornado.__version__}\n"


def test_print_config_is_noticed():
    assert parse([*TRUSTING, "--print-config"], {}).print_config
    assert not parse(TRUSTING, {}).print_config


def test_effective_configuration_has_every_option_in_order_with_its_source(toml):
    path = toml("[kms]\nlog-level = 'debug'\njwt-audience = ['a', \"b'\\\"\"]")
    parsed = parse([*TRUSTING, "--jwt-leeway=0.50", "-c", path], {"KMS_PORT": "080"})
    lines = format_effective(parsed).splitlines()
    labels = [o.name if o.is_flag else o.variable for o in OPTIONS]
    form = re.compile(r"(?:# )?([\w-]+) = (.+)  # (flag|environment|file|default)")
    assert [form.fullmatch(line)[1] for line in lines] == labels
    assert f'# config = "{path}"  # flag' in lines
    assert f'jwt-issuer-uri = "{ISSUER}"  # flag' in lines
    assert "jwt-leeway = 0.5  # flag" in lines
    assert "port = 80  # environment" in lines
    assert 'log-level = "debug"  # file' in lines
    assert 'jwt-audience = ["a", "b\'\\""]  # file' in lines
    assert 'hostname = "127.0.0.1"  # default' in lines
    assert "# jwt-max-age = none  # default" in lines
    assert f'# jwks-uri = "{ISSUER}.well-known/jwks.json"  # default' in lines


def test_effective_configuration_is_a_configuration_file(toml):
    argv = [
        *TRUSTING,
        '--jwt-auth-provider=https://b.example,,"a"',
        "--jwt-required-claim=n=5",
        '--jwt-required-claim=n="5\\""',
        "--jwt-user-namespace=issuer",
        "--jwt-token-types=absent",
        "--jwt-max-age=1e-7",
        "--privileged-users=jürgen#\\",
        "--data-dir=/var/lib/k m s",
    ]
    first = parse(argv, {"KMS_MAX_BODY_SIZE": "5"})
    again = parse(["-c", toml("[kms]\n" + format_effective(first))], {})
    assert again.settings == first.settings


def test_effective_configuration_of_dev_has_no_data_directory():
    line = "# data-dir = a temporary directory  # default"
    assert line in format_effective(parse(["--dev"], {})).splitlines()
    assert line not in format_effective(parse(TRUSTING, {}))


def test_effective_configuration_hides_secrets():
    argv = [*TRUSTING, "--database-url", "postgresql://kms:hunter2@db/kms"]
    parsed = parse(argv, {"KMS_MASTER_KEY": "c2VjcmV0"})
    text = format_effective(parsed)
    assert 'database-url = "postgresql://kms:***@db/kms"  # flag' in text
    assert '# KMS_MASTER_KEY = "***"  # environment' in text
    assert not {"hunter2", "c2VjcmV0"} & set(re.findall(r"\w+", text + repr(parsed)))
    assert parsed.settings.service.database_url == "postgresql://kms:hunter2@db/kms"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        pytest.param(
            ConfigurationError("is not a database URL", "database_url"),
            "--database-url (flag): is not a database URL",
            id="flag",
        ),
        pytest.param(
            ConfigurationError("is not base64", "master_key"),
            "KMS_MASTER_KEY (environment): is not base64",
            id="what is no flag",
        ),
        pytest.param(
            ConfigurationError("x: no such file", "ca_file"),
            "--jwks-ca-file (default): x: no such file",
            id="field of another name",
        ),
        pytest.param(
            ConfigurationError("the port: is odd"), "the port: is odd", id="about no setting"
        ),
    ],
)
def test_fault_that_is_found_after_parsing_is_named_with_its_source(error, line):
    argv = [*TRUSTING, "--database-url", "oracle://h/d"]
    assert format_fault(error, parse(argv, {"KMS_MASTER_KEY": "x"})) == line


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("sqlite:///kms.db", "sqlite:///kms.db"),
        ("postgresql://h/d", "postgresql://h/d"),
        ("postgresql://u@h/d", "postgresql://u@h/d"),
        ("postgresql://u:x@h/d", "postgresql://u:***@h/d"),
        ("postgresql://:x@h/d", "postgresql://:***@h/d"),
        ("postgresql://u:x/y@z:w@h/d", "postgresql://u:***@h/d"),
        ("postgresql://h/d?user=u&password=x#y", "postgresql://h/d?user=u&password=***#y"),
        ("postgresql://h/d?sslPassword=x", "postgresql://h/d?sslPassword=***"),
    ],
)
def test_passwords_in_urls_are_masked(url, masked):
    assert mask_url(url) == masked


@pytest.mark.parametrize(
    ("argv", "environ", "warnings"),
    [
        pytest.param([*TRUSTING, "--jwt-audience=a"], {}, [], id="none"),
        pytest.param(
            ["--insecure-no-auth", "--jwt-leeway=1"],
            {},
            ["--jwt-leeway (flag): has no effect with --insecure-no-auth"],
            id="no authentication",
        ),
        pytest.param(
            ["--dev", "--default-username=root"],
            {},
            ["--default-username (flag): has no effect without --insecure-no-auth"],
            id="user name without effect",
        ),
        pytest.param(
            [*TRUSTING, "--jwt-audience=a", "--hostname=0.0.0.0"],
            {},
            ["--hostname (flag): bearer tokens pass in clear text unless a proxy adds TLS"],
            id="clear text",
        ),
        pytest.param(
            ["--dev", "--jwks-refresh-interval=1"],
            {},
            ["--jwks-refresh-interval (flag): shorter than --jwks-cooldown, which holds"],
            id="refresh interval below the cooldown",
        ),
        pytest.param(
            ["--dev"],
            {"KMS_JWT_ISUER_URI": "x", "KMS_COLOUR": "x", "KMS_EMPTY": "", "KMSCTL_CONF": "x"},
            [
                "KMS_COLOUR (environment): unknown variable, not read",
                "KMS_JWT_ISUER_URI (environment): unknown variable, not read; "
                "did you mean KMS_JWT_ISSUER_URI?",
            ],
            id="unknown variables",
        ),
        pytest.param(
            ["--dev"],
            {"KMS_SERVICE_HOST": "10.0.0.1", "KMS_PORT_9998_TCP_ADDR": "10.0.0.1"},
            [],
            id="variables that Kubernetes sets",
        ),
    ],
)
def test_what_may_be_meant_is_a_warning(argv, environ, warnings):
    assert list(parse(argv, environ).warnings) == warnings


# --- the sample file ----------------------------------------------------------------------------

SAMPLE_LINE = re.compile(r"#([a-z-]+) = (.+)")


def sample_values():
    """{key: value} of the lines that are options."""
    found = [SAMPLE_LINE.fullmatch(line) for line in SAMPLE.read_text().splitlines()]
    pairs = [(match[1], tomllib.loads(f"x = {match[2]}")["x"]) for match in found if match]
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def test_sample_file_has_every_option_in_order():
    assert list(sample_values()) == [o.name for o in OPTIONS if o.in_file]


def test_sample_file_shows_the_defaults():
    for option in OPTIONS:
        if option.default is not None:
            default = list(option.default) if option.repeatable else option.default
            assert sample_values()[option.name] == default


def test_sample_file_explains_every_option():
    lines = SAMPLE.read_text().splitlines()
    for above, line in pairwise(lines):
        if SAMPLE_LINE.fullmatch(line):
            assert above.startswith("# ")


def test_sample_file_as_it_is_sets_nothing():
    assert parse([*TRUSTING, "-c", str(SAMPLE)], {}).settings == parse(TRUSTING, {}).settings


def test_sample_file_loads_with_every_line_in_use(toml, tmp_path):
    text = re.sub(r"(?m)^#([a-z-]+ = )", r"\1", SAMPLE.read_text())
    for name in re.findall(r'"(/etc/kms/[\w.-]+)"', text):
        (tmp_path / Path(name).name).write_text("")
    text = text.replace("/etc/kms/", f"{tmp_path}/")
    parsed = parse(["-c", toml(text)], {})
    assert {e.source for e in parsed.effective if e.is_set} == {"file"}
    assert len(parsed.settings.trust.issuers) == 2


# --- walls --------------------------------------------------------------------------------------


def test_only_options_imports_configargparse():
    importers = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in getattr(node, "names", [])] + [getattr(node, "module", "")]
            if isinstance(node, ast.Import | ast.ImportFrom) and "configargparse" in names:
                importers.add(path.relative_to(PACKAGE).as_posix())
    assert importers == {"options/flags.py"}


def test_environment_of_the_process_is_not_read(monkeypatch):
    monkeypatch.setenv("KMS_PORT", "nonsense")
    monkeypatch.setenv("KMS_DEV", "true")
    assert parse(TRUSTING, {}).settings.port == 9998


def test_every_algorithm_is_allowed_by_default():
    assert parse(TRUSTING, {}).settings.trust.policy.algorithms == set(ALGORITHMS)


# --- whatever comes -----------------------------------------------------------------------------

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
