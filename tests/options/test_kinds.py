"""Switches, numbers, seconds and texts: what each kind of value takes and refuses."""

from __future__ import annotations

import pytest

from kms_tornado.options import parse

from ..rows import each_row
from .helpers import refusal


@pytest.mark.parametrize(
    "text", ["true", "True", "TRUE", "1", pytest.param(" true ", id="spaces around")]
)
def test_switch_is_on_in_the_environment(text):
    assert parse([], {"KMS_DEV": text}).settings.dev


@pytest.mark.parametrize("text", ["true", "1"])
def test_switch_is_on_in_the_file(toml, text):
    assert parse(["-c", toml(f"[kms]\ndev = {text}")], {}).settings.dev


@each_row(
    ("name", "text", "fault"),
    [
        ("port", "65536", "out of range: 0 to 65535, not 65536"),
        ("port", "-1", "out of range: 0 to 65535, not -1"),
        ("port", "9" * 5000, "out of range: 0 to 65535"),
        ("port", "80.0", "'80.0' is not an integer (0 to 65535)"),
        ("port", "1_0", "'1_0' is not an integer (0 to 65535)"),
        ("port", "٣", "'٣' is not an integer (0 to 65535)"),
        ("port", "tcp://10.0.0.1:80", "'tcp://10.0.0.1:80' is not an integer (0 to 65535)"),
        ("jwt-leeway", "301", "out of range: 0 to 300 seconds"),
        ("jwt-leeway", "-1", "out of range: 0 to 300 seconds"),
        ("jwt-leeway", "nan", "'nan' is not a number of seconds (0 to 300 seconds)"),
        ("jwt-leeway", "inf", "'inf' is not a number of seconds (0 to 300 seconds)"),
        ("jwt-leeway", "1e999", "out of range: 0 to 300 seconds"),
        ("jwt-leeway", "1m", "'1m' is not a number of seconds (0 to 300 seconds)"),
        ("jwt-max-age", "0", "out of range: more than 0 and at most 1000000000 seconds"),
        ("jwt-cache-size", "-1", "out of range: 0 to 10000000"),
        ("jwks-timeout", "0", "out of range: more than 0 and at most 30 seconds"),
        ("jwks-timeout", "30.1", "out of range: more than 0 and at most 30 seconds"),
        ("jwks-refresh-interval", "0", "out of range: 1 to 1000000000 seconds"),
        ("jwks-cooldown", "-0.1", "out of range: 0 to 1000000000 seconds, not -0.1"),
        ("jwks-max-stale", "-1", "out of range: 0 to 1000000000 seconds"),
        ("user-rate", "-1", "out of range: 0 to 1000000"),
        ("user-concurrency", "1000001", "out of range: 0 to 1000000"),
        ("max-body-size", "0", "out of range: 1 to 1099511627776"),
        ("max-connections", "0", "out of range: 1 to 1000000"),
        ("send-timeout", "0", "out of range: more than 0 and at most 86400 seconds"),
        ("shutdown-timeout", "-1", "out of range: 0 to 86400 seconds"),
        ("log-level", "loud", "'loud' is none of debug, info, warning, error, critical"),
        ("log-format", "xml", "'xml' is none of text, json"),
        ("jwt-user-namespace", "none", "'none' is none of shared, issuer"),
        ("jwt-issuer-uri", "issuer.example.com", "an https:// URL is needed"),
        ("jwt-issuer-uri", "http://a.example", "http is for loopback hosts only, use https"),
        ("jwt-issuer-uri", "https://[", "not a valid URL"),
        ("jwt-issuer-uri", " ", "the value is empty"),
        ("jwks-uri", "ftp://a.example/k", "an https:// URL is needed"),
        ("jwks-uri", "http://10.0.0.1/k", "http is for loopback hosts only, use https"),
        ("jwks-uri", "file://[", "not a valid URL"),
        ("jwks-uri", "file://host/k", "file:/// and an absolute path is needed"),
        ("jwt-algorithms", "none", "algorithm 'none' cannot be allowed; known are RS256 "),
        ("jwt-algorithms", "HS256", "algorithm 'HS256' cannot be allowed; known are RS256 "),
        ("jwt-algorithms", "rs256", "algorithm 'rs256' cannot be allowed; known are RS256 "),
        ("jwt-required-claim", "scope", "needs NAME=VALUE"),
        ("jwt-required-claim", "=x", "required claim: a name is needed, as NAME=VALUE"),
        ("jwt-required-claim", "n=a|", "there is nothing beside a |"),
        ("jwt-required-claim", "n=|a", "there is nothing beside a |"),
        ("jwt-required-claim", "/n~=a", "required claim: in a JSON pointer, ~ is written ~0"),
        ("jwt-group-claim", "/n~", "in a JSON pointer, ~ is written ~0"),
        ("jwt-required-claim", "n=1e999", "the number is too large; put it in quotes"),
        ("jwt-auth-provider", ",https://a.example/k", "the issuer is missing"),
        ("jwt-auth-provider", "http://a.example", "issuer URI: http is for loopback hosts only"),
        (
            "jwt-auth-provider",
            "https://a.example/{tenantid}/v2.0",
            "issuer URI: {tenantid} needs the IDs of the tenants",
        ),
        (
            "jwt-issuer-uri",
            "https://a.example/{tenantid}/v2.0",
            "{tenantid} needs the IDs of the tenants",
        ),
        ("jwt-auth-provider", "https://a.example,aud", "key set URI: an https:// URL is needed"),
        ("jwt-auth-provider", "https://a.example,file://[", "key set URI: not a valid URL"),
        ("hostname", "http://localhost", "'http://localhost' is not a host name or an address"),
        ("hostname", "a b", "'a b' is not a host name or an address"),
        ("hostname", "a..b", "'a..b' is not a host name or an address"),
        ("hostname", "é" * 63, "'éé"),
        ("kmip-hostname", "x" * 64, "'xxxx"),
        ("metrics-listen", ".a:9100", "'.a' is not a host name or an address"),
        ("jwks-allow-http", "a..b", "'a..b' is not a host name or an address"),
        ("jwt-issuer-uri", "https://a..b/", "the URL's host is no name and no address"),
        ("jwt-issuer-uri", "https://a,https://b", "the URL's host is no name and no address"),
        ("jwt-issuer-uri", "https://*.example/", "the URL's host is no name and no address"),
        ("jwt-issuer-uri", "a:b c", "what has a colon has to be a URI"),
        ("jwks-uri", "https://a/<realm>/certs", "braces and angle brackets do not occur in URLs"),
        ("jwks-uri", "https://" + "x" * 64, "the URL's host is no name and no address"),
        ("default-username", "*", "'*' stands for every user, and is nobody's name"),
        ("privileged-users", "*", "'*' stands for every user, and is nobody's name"),
        ("privileged-users", "https://a.example#*", "'https://a.example#*' stands for every user"),
        ("default-username", "a\u200b", "'a\\u200b' has characters that show nothing"),
        ("privileged-users", "e\u0301", "'e\u0301' is not in Unicode's normal form NFC"),
        (
            "default-username",
            "x" * 256,
            "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…' has more than 255",
        ),
        ("jwt-user-claim", "a\x1b", "the value contains control characters or is not UTF-8"),
        ("data-dir", "\udcff", "the value contains control characters or is not UTF-8"),
        ("tls-cert-file", "/nowhere/x", "cannot read /nowhere/x: No such file or directory"),
        ("tls-key-file", "/", "cannot read /: not a readable file"),
        ("jwks-ca-file", "/nowhere/x", "cannot read /nowhere/x: No such file or directory"),
    ],
)
def test_nonsense_is_refused_by_name_in_flag_and_environment(name, text, fault):
    variable = "KMS_" + name.upper().replace("-", "_")
    assert refusal([f"--{name}={text}"]).startswith(f"--{name} (flag): {fault}")
    by_environment = refusal([], {variable: text})
    assert by_environment.startswith(f"--{name} (environment {variable}): {fault}")


@pytest.mark.parametrize(
    "name",
    [
        "default-username",
        "privileged-users",
        "jwt-audience",
        "jwt-audience-claim",
        "jwt-user-claim",
        "jwt-group-claim",
        "jwt-token-types",
        "jwt-tenants",
    ],
)
def test_flag_that_names_something_keeps_the_spaces_around_the_name(name):
    """Spaces around a variable are no part of it; a shell passes on those that somebody quoted."""
    fault = f"--{name} (flag): ' a' begins or ends with a space"
    assert refusal([f"--{name}= a"]).startswith(fault)


@pytest.mark.parametrize("path", ["~/kms", "~kms/x", "$HOME/kms"])
@pytest.mark.parametrize("name", ["data-dir", "master-key-file", "audit-log", "audit-key-file"])
def test_path_that_a_shell_would_expand_is_not_made_as_it_stands(name, path):
    line = refusal([f"--{name}={path}"])
    assert line.startswith(
        f"--{name} (flag): {path!r} begins with a {path[0]}, which nothing expands here"
    )
