"""What --print-config prints, and how a fault that is found later names its option."""

from __future__ import annotations

import re

import pytest

from kms_tornado.errors import ConfigurationError
from kms_tornado.options import OPTIONS, format_effective, format_fault, parse

from .helpers import ISSUER, TRUSTING


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


def test_effective_configuration_ends_with_the_warnings_of_the_start(toml):
    environ = {"KMS_PROT": "80", "KMS_URL": "http://127.0.0.1:9998", "KMS_TOKEN": "x"}
    parsed = parse([*TRUSTING, "--hostname=0.0.0.0"], environ)
    lines = format_effective(parsed).splitlines()
    assert lines[len(OPTIONS) :] == [f"# warning: {warning}" for warning in parsed.warnings]
    assert lines[len(OPTIONS)] == (
        "# warning: KMS_PROT (environment): unknown variable, not read; did you mean KMS_PORT?"
    )
    again = parse(["-c", toml("[kms]\n" + format_effective(parsed))], {})
    assert again.settings == parsed.settings


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


def test_effective_configuration_hides_what_queries_of_key_set_uris_hold(tmp_path):
    file = tmp_path / "kms.toml"
    keys = "/k?api_key=s3cret"
    file.write_text(
        "[kms]\njwt-user-namespace = 'shared'\njwt-issuer-uri = 'https://a.example'\n"
        f"jwks-uri = 'https://a.example{keys}'\n"
        f"jwt-auth-provider = ['https://b.example,https://b.example{keys},aud']\n"
        f"[[kms.issuer]]\nuri = 'https://c.example'\njwks-uri = 'https://c.example{keys}'\n"
    )
    parsed = parse(["-c", str(file)], {})
    text = format_effective(parsed)
    assert 'jwks-uri = "https://a.example/k?api_key=***"  # file' in text
    assert '"https://b.example,https://b.example/k?api_key=***,aud"' in text
    assert 'jwks-uri = "https://c.example/k?api_key=***"' in text
    assert "s3cret" not in text
    assert parsed.settings.trust.issuers[0].jwks_uri == "https://a.example/k?api_key=s3cret"


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
            "--jwks-ca-file (not set): x: no such file",
            id="field of another name, which nobody set",
        ),
        pytest.param(
            ConfigurationError("the database is older", "accept_rollback"),
            "--accept-rollback (not set): the database is older",
            id="switch that nobody set",
        ),
        pytest.param(
            ConfigurationError("is no directory", "data_dir"),
            "--data-dir (default): is no directory",
            id="value by default",
        ),
        pytest.param(
            ConfigurationError("the port: is odd"), "the port: is odd", id="about no setting"
        ),
    ],
)
def test_fault_that_is_found_after_parsing_is_named_with_its_source(error, line):
    argv = [*TRUSTING, "--database-url", "oracle://h/d"]
    assert format_fault(error, parse(argv, {"KMS_MASTER_KEY": "x"})) == line
