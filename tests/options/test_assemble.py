"""Options that go together become Settings; those that contradict each other are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from kms_tornado.options import parse

from ..rows import each_row
from .helpers import ISSUER, TRUSTING, refusal


def test_dev_keeps_its_data_in_a_temporary_directory_unless_told_otherwise():
    assert parse(["--dev"], {}).settings.service.data_dir is None
    assert parse(["--dev", "--data-dir", "./kms-data"], {}).settings.service.data_dir == Path(
        "kms-data"
    )
    assert parse(TRUSTING, {}).settings.service.data_dir == Path("kms-data")


def test_one_more_issuer_is_written_once_more(toml):
    several = ["https://b.example,,x", "https://c.example"]
    file = f"[kms]\njwt-auth-provider = {several}\njwt-user-namespace = 'shared'"
    flags = [f"--jwt-auth-provider={text}" for text in several]
    by_file = parse(["-c", toml(file)], {}).settings
    assert by_file == parse([*flags, "--jwt-user-namespace", "shared"], {}).settings
    assert len(by_file.trust.issuers) == 2
    assert not by_file.trust.policy.namespace_by_issuer


@each_row(
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
            ["--dev", "--jwt-algorithms=RS256"],
            {},
            "--jwt-algorithms (flag): the issuer of --dev signs with ES256",
            id="dev, tokens of another algorithm",
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
            [*TRUSTING, "--jwt-user-namespace=issuer", "--kmip-user-namespace=shared"],
            {},
            "--kmip-user-namespace (flag): shared does not go together with --jwt-user-namespace issuer",
            id="certificates that name any issuer's users",
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
            "--jwt-audience (environment KMS_JWT_AUDIENCE): contains no value",
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
            "--workers (flag): with --dev there is only one worker",
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
    ("options", "fault"),
    [
        pytest.param(
            ["--metrics-listen=localhost:9998"],
            "--metrics-listen (flag): is where everything else is served",
            id="metrics and HTTP",
        ),
        pytest.param(
            ["--hostname=0.0.0.0", "--kmip-port=9998", "--kmip-hostname=127.0.0.1"],
            "--kmip-port (flag): is where HTTP is served",
            id="KMIP and HTTP",
        ),
        pytest.param(
            ["--metrics-listen=127.0.0.1:5696", "--kmip-port=5696"],
            "--metrics-listen (flag): is where KMIP over TLS is served",
            id="metrics and KMIP",
        ),
    ],
)
def test_what_cannot_listen_whoever_waits_is_bad_configuration(options, fault):
    argv = [
        f"--{name}={__file__}"
        for name in ("tls-cert-file", "tls-key-file", "kmip-clients-ca-cert-file")
    ]
    assert refusal([*TRUSTING, *argv, *options]) == fault
