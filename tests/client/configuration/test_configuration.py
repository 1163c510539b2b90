"""What a configuration file says, and what stands above it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_tornado.client.configuration.configuration import (
    TOKEN_VARIABLES,
    URL_VARIABLES,
    Configuration,
    override,
    parse_configuration,
)
from kms_tornado.client.configuration.keys import KEYS, OF_OTHER_PROGRAMS, holds_secret
from kms_tornado.client.connection import PEMPair, PKCS12File, ProxySettings
from kms_tornado.errors import ConfigurationError, KMSError

from ...rows import each_row

ROOT = Path(__file__).parents[3]

#: As Cosmian documents it, with every key of theirs.
CKMS = '''
print_json = false
vendor_id = "cosmian"
pkcs11_use_pin_as_access_token = false

[http_config]
server_url = "https://kms.example.com:9998"
access_token = "eyJhbGciOiJSUz.jsFgROjPY84GRMmvpYZf.yaJbDDql3A"
accept_invalid_certs = false
verified_cert = """
-----BEGIN CERTIFICATE-----
MIIBxTCCAW
-----END CERTIFICATE-----
"""
tls_client_pem_cert_path = "/home/oracle/.cosmian/oracle-client.crt"
tls_client_pem_key_path  = "~/oracle-client.key"
custom_headers = ["X-Tenant: acme", "X-Trace:a:b"]
cipher_suites = "TLS_AES_256_GCM_SHA384:TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"

[http_config.proxy_params]
url = "http://proxy:3128"
exclusion_list = ["127.0.0.1", "localhost"]
basic_auth_username = "u"
basic_auth_password = "p"

[http_config.oauth2_conf]
client_id = "99999999-abababababababababab.apps.googleusercontent.com"
client_secret = "G0ABCD-aAbBcDeFgHiJkLmNoPqRsTuVwXyZ"
authorize_url = "https://accounts.google.com/o/oauth2/v2/auth"
token_url = "https://oauth2.googleapis.com/token"
scopes = ["openid", "email"]

[gmail_api_conf]
type = "service_account"
private_key = "-----BEGIN PRIVATE KEY-----"
'''

SERVER = '[http_config]\nserver_url = "http://kms"\n'


def parse(text: str) -> Configuration:
    return parse_configuration(text, "the file")


def test_ckms_file_is_read_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    configuration = parse(CKMS)
    assert configuration.warnings == ()
    assert configuration.has_secret
    settings = configuration.connection_settings
    assert settings.server_url == "https://kms.example.com:9998"
    assert "MIIBxTCCAW" in (settings.verified_cert or "")
    assert settings.client_certificate == PEMPair(
        Path("/home/oracle/.cosmian/oracle-client.crt"), Path("/home/me/oracle-client.key")
    )
    assert settings.custom_headers == (("X-Tenant", "acme"), ("X-Trace", "a:b"))
    assert settings.cipher_suites == "TLS_AES_256_GCM_SHA384:ECDHE-RSA-AES128-GCM-SHA256"
    assert settings.proxy == ProxySettings(
        url="http://proxy:3128",
        exclusion_list=("127.0.0.1", "localhost"),
        basic_auth_username="u",
        basic_auth_password="p",
    )
    assert configuration.access_token == "eyJhbGciOiJSUz.jsFgROjPY84GRMmvpYZf.yaJbDDql3A"
    assert configuration.access_token_source == "the file"
    oauth2 = configuration.oauth2
    assert oauth2 is not None
    assert oauth2.client_secret == "G0ABCD-aAbBcDeFgHiJkLmNoPqRsTuVwXyZ"
    assert oauth2.authorize_url == "https://accounts.google.com/o/oauth2/v2/auth"
    assert oauth2.token_url == "https://oauth2.googleapis.com/token"
    assert oauth2.scopes == ("openid", "email")


def test_configuration_shows_no_secret() -> None:
    shown = repr(parse(CKMS))
    for secret in ("eyJ", "G0ABCD", "'p'", "acme", "MIIB"):
        assert secret not in shown


def test_older_file_one_table_deeper_is_read() -> None:
    configuration = parse(
        '[kms_config]\nprint_json = true\n[kms_config.http_config]\nserver_url = "http://kms"\n'
        '[findex_config.http_config]\nserver_url = "http://findex"\n'
    )
    assert configuration.server_url == "http://kms"
    assert configuration.print_json
    assert configuration.warnings == ()


# --- one key at a time --------------------------------------------------------------------------


@each_row(
    ("text", "name", "value"),
    [
        pytest.param("", "server_url", "http://kms", id="server"),
        pytest.param("accept_invalid_certs = true", "accept_invalid_certs", True, id="any"),
        pytest.param('ca_file = "/ca.pem"', "ca_file", Path("/ca.pem"), id="authority"),
        pytest.param('access_token = "a.b.c"', "access_token", "a.b.c", id="token"),
        pytest.param('access_token = ""', "access_token", None, id="an empty text is none"),
        pytest.param("custom_headers = []", "custom_headers", (), id="no headers"),
        pytest.param(
            'tls_client_pkcs12_path = "/a.p12"\ntls_client_pkcs12_password = "secret"',
            "client_certificate",
            PKCS12File(Path("/a.p12"), "secret"),
            id="PKCS#12",
        ),
        pytest.param(
            'tls_client_pkcs12_path = "/a.p12"',
            "client_certificate",
            PKCS12File(Path("/a.p12")),
            id="PKCS#12 without a password",
        ),
        pytest.param('[http_config.oauth2_conf]\nclient_id = ""', "oauth2", None, id="no login"),
        pytest.param("[http_config.proxy_params]", "proxy", None, id="no proxy"),
    ],
)
def test_key_of_http_config_is_read(text: str, name: str, value: object) -> None:
    configuration = parse(SERVER + text)
    assert getattr(configuration, name) == value
    assert configuration.warnings == ()


def test_login_needs_no_more_than_an_issuer_and_a_client() -> None:
    configuration = parse(
        SERVER + '[http_config.oauth2_conf]\nissuer = "https://issuer/"\nclient_id = "kmsctl"\n'
        'token = "id"\nredirect_port = 0\n'
    )
    assert configuration.oauth2 is not None
    assert configuration.oauth2.redirect_port == 0
    assert configuration.token_account == "http://kms https://issuer/ kmsctl"
    assert not configuration.has_secret


def test_no_tokens_are_kept_where_no_login_is_configured() -> None:
    assert parse(SERVER).token_account is None
    assert parse(SERVER + '[http_config.oauth2_conf]\nissuer = "i"').token_account is None


# --- warnings -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        pytest.param(
            'vault_token = "s"\ncosmian_conf = 1\n' + SERVER + 'database_secret = "s"',
            "the file: keys that kmsctl does not know: vault_token, cosmian_conf, "
            "http_config.database_secret",
            id="unknown keys in one line",
        ),
        pytest.param(
            SERVER + 'acess_token = "s"',
            "the file: keys that kmsctl does not know: http_config.acess_token "
            "(did you mean access_token?)",
            id="misspelt key",
        ),
        pytest.param(
            SERVER + "[http_config.oauth2]\nclient_id = 1",
            "the file: keys that kmsctl does not know: http_config.oauth2",
            id="unknown table",
        ),
        pytest.param(
            SERVER + '"a\\u001b[31m" = 1',
            "the file: keys that kmsctl does not know: 'http_config.a\\x1b[31m'",
            id="key that drives a terminal",
        ),
        pytest.param(
            SERVER + "\n".join(f"x{number} = 1" for number in range(5000)),
            "the file: keys that kmsctl does not know: "
            + ", ".join(f"http_config.x{number}" for number in range(10))
            + " and 4990 more",
            id="thousands",
        ),
        pytest.param(
            SERVER + 'ssl_client_pem_cert_path = "/c"\nssl_client_pem_key_path = "/k"',
            "the file: ssl_client_… is now called tls_client_…: ssl_client_pem_cert_path, "
            "ssl_client_pem_key_path",
            id="old names",
        ),
        pytest.param(
            'vendor_id = "acme"\n' + SERVER,
            'the file: vendor_id is ignored: kmsctl keeps tags under "cosmian"',
            id="another vendor",
        ),
    ],
)
def test_what_is_not_used_is_warned_about_in_one_line(text: str, warning: str) -> None:
    configuration = parse(text)
    assert configuration.server_url == "http://kms"
    assert configuration.warnings == (warning,)


def test_new_name_wins_over_the_old_one() -> None:
    configuration = parse(
        SERVER + 'ssl_client_pkcs12_path = "/old"\ntls_client_pkcs12_path = "/new"\n'
    )
    assert configuration.client_certificate == PKCS12File(Path("/new"))
    assert len(configuration.warnings) == 1


# --- refusals -----------------------------------------------------------------------------------


@each_row(
    ("text", "error"),
    [
        pytest.param(
            "[http_config]\nserver_url = 1",
            "the file: http_config.server_url must be a string, not an integer",
            id="number for text",
        ),
        pytest.param(
            '[http_config]\naccept_invalid_certs = "false"',
            "the file: http_config.accept_invalid_certs must be a boolean, not a string",
            id="text for boolean",
        ),
        pytest.param(
            '[http_config]\ncustom_headers = "a: b"',
            "the file: http_config.custom_headers must be a list of strings, not a string",
            id="text for list",
        ),
        pytest.param(
            "[http_config]\ncustom_headers = [1]",
            "the file: http_config.custom_headers must be a list of strings, not another list",
            id="list of numbers",
        ),
        pytest.param(
            "[http_config]\nserver_url = 2020-01-01",
            "the file: http_config.server_url must be a string, not a date or time",
            id="date",
        ),
        pytest.param(
            "[http_config.oauth2_conf]\nredirect_port = true",
            "the file: http_config.oauth2_conf.redirect_port must be an integer, not a boolean",
            id="boolean for number",
        ),
        pytest.param(
            'http_config = "http://kms"',
            "the file: http_config must be a table, not a string",
            id="no table",
        ),
        pytest.param(
            "[http_config]\nproxy_params = []",
            "the file: http_config.proxy_params must be a table, not a list",
            id="no table within",
        ),
        pytest.param(
            "[http_config]\nssl_client_pkcs12_path = 1",
            "the file: http_config.ssl_client_pkcs12_path must be a string, not an integer",
            id="old name as it is written",
        ),
        pytest.param(
            '[http_config]\ntls_client_pem_cert_path = "/c"',
            "the file: http_config.tls_client_pem_key_path is missing beside the certificate",
            id="certificate without key",
        ),
        pytest.param(
            '[http_config]\ntls_client_pem_key_path = "/k"',
            "the file: http_config.tls_client_pem_cert_path is missing beside the key",
            id="key without certificate",
        ),
        pytest.param(
            '[http_config]\ntls_client_pem_key_path = "/k"\ntls_client_pkcs12_path = "/p"',
            "the file: http_config.tls_client_pkcs12_path and tls_client_pem_… stand side by side: "
            "remove one",
            id="two certificates",
        ),
        pytest.param(
            '[http_config]\ncustom_headers = ["A: b", "secret"]',
            'the file: http_config.custom_headers has no colon in entry 2: write "Name: value"',
            id="no header",
        ),
        pytest.param(
            '[http_config.proxy_params]\nbasic_auth_username = "secret"',
            "the file: http_config.proxy_params.url is missing",
            id="proxy without URL",
        ),
        pytest.param(
            '[http_config.proxy_params]\nurl = "socks://secret@proxy"',
            "the file: http_config.proxy_params: the proxy's URL is not a URL of http or https: "
            "write https://host:port",
            id="no proxy",
        ),
        pytest.param(
            '[http_config]\naccess_token = "secret', "the file is not TOML at its end: is a quote missing?",
            id="open quote",
        ),
        pytest.param(
            "secret.é = 1", "the file is not TOML at line 1, column 8: is a quote missing?", id="no TOML"
        ),
        pytest.param(
            "a = " + "[" * 5000,
            "the file is not TOML: nested too deeply, or a number too long",
            id="deep",
        ),
        pytest.param(
            "a." * 500_000 + "b = 1",
            "the file is not TOML: nested too deeply, or a number too long",
            id="key of half a million parts",
        ),
        pytest.param(
            "[" + "a." * 500_000 + "b]",
            "the file is not TOML: nested too deeply, or a number too long",
            id="table of half a million parts",
        ),
        pytest.param(
            "a = " + "1" * 5000,
            "the file is not TOML: nested too deeply, or a number too long",
            id="long number",
        ),
    ],
)  # fmt: skip
def test_nonsense_is_refused_with_the_key_and_the_file(text: str, error: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        parse(text)
    assert str(refusal.value) == error
    assert "secret" not in error


def test_line_of_dots_in_a_comment_is_no_mistake() -> None:
    assert parse("# " + ". " * 500 + "\n" + SERVER).server_url == "http://kms"


def test_path_of_nobody_s_home_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="ca_file begins with ~, and the home directory"):
        parse(SERVER + 'ca_file = "~nobody-of-this-name/ca.pem"')


# --- secrets ------------------------------------------------------------------------------------


@each_row(
    ("document", "is_secret"),
    [
        pytest.param({"http_config": {"server_url": "http://kms"}}, False, id="a server"),
        pytest.param({"http_config": {"access_token": "x"}}, True, id="a token"),
        pytest.param({"http_config": {"access_token": ""}}, False, id="an empty token"),
        pytest.param({"http_config": {"tls_client_pkcs12_password": "x"}}, True, id="password"),
        pytest.param({"http_config": {"ssl_client_pkcs12_password": "x"}}, True, id="old name"),
        pytest.param({"http_config": {"tls_client_pem_key_path": "x"}}, False, id="path of a key"),
        pytest.param({"proxy_params": {"basic_auth_password": "x"}}, True, id="proxy's password"),
        pytest.param({"proxy_params": {"custom_auth_header": "x"}}, True, id="proxy's header"),
        pytest.param({"proxy_params": {"url": "http://u:p@proxy"}}, True, id="password in a URL"),
        pytest.param({"proxy_params": {"url": "http://proxy:80"}}, False, id="port in a URL"),
        pytest.param({"oauth2_conf": {"client_secret": "x"}}, True, id="client's secret"),
        pytest.param({"oauth2_conf": {"token_url": "https://x"}}, False, id="URL of tokens"),
        pytest.param({"oauth2_conf": {"token": "id"}}, False, id="which token"),
        pytest.param({"gmail_api_conf": {"private_key": "x"}}, True, id="another program's"),
        pytest.param({"gmail_api_conf": {"private_key_id": "x"}}, False, id="name of a key"),
        pytest.param({"a": [{"b": [{"Password": "x"}]}]}, True, id="within lists"),
        pytest.param({"custom_headers": ["X-Tenant: acme"]}, False, id="a header"),
        pytest.param({"custom_headers": ["X-API-Key: x"]}, True, id="a header that authenticates"),
        pytest.param({"vault_token": "x"}, True, id="unknown token"),
        pytest.param({"pkcs11_use_pin_as_access_token": True}, False, id="boolean"),
    ],
)
def test_file_holds_secrets(document: dict[str, Any], is_secret: bool) -> None:
    assert holds_secret(document) == is_secret


# --- above the file -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "flag", "url"),
    [
        pytest.param({}, None, "http://file", id="file"),
        pytest.param({"KMS_URL": "http://kms"}, None, "http://kms", id="KMS_URL"),
        pytest.param(
            {"KMS_URL": "http://kms", "KMSCTL_SERVER_URL": "http://kmsctl"},
            None,
            "http://kmsctl",
            id="KMSCTL_SERVER_URL",
        ),
        pytest.param({"KMSCTL_SERVER_URL": "http://kmsctl"}, "http://flag", "http://flag", id="flag"),
        pytest.param(
            {"KMSCTL_SERVER_URL": "", "KMS_URL": " "}, None, "http://file", id="empty variables"
        ),
    ],
)  # fmt: skip
def test_server_is_taken_from_the_strongest_place(
    environ: dict[str, str], flag: str | None, url: str
) -> None:
    configuration = Configuration(server_url="http://file")
    assert override(configuration, environ, server_url=flag).server_url == url


@pytest.mark.parametrize(
    ("environ", "token", "source"),
    [
        pytest.param({}, "of the file", "the file", id="file"),
        pytest.param({"KMS_TOKEN": "t"}, "t", "KMS_TOKEN", id="KMS_TOKEN"),
        pytest.param(
            {"KMS_TOKEN": "t", "KMSCTL_ACCESS_TOKEN": "u\n"},
            "u",
            "KMSCTL_ACCESS_TOKEN",
            id="KMSCTL_ACCESS_TOKEN",
        ),
        pytest.param({"KMSCTL_ACCESS_TOKEN": ""}, "of the file", "the file", id="empty variable"),
    ],
)
def test_token_is_taken_from_the_strongest_place(
    environ: dict[str, str], token: str, source: str
) -> None:
    configuration = Configuration(access_token="of the file", access_token_source="the file")
    configuration = override(configuration, environ)
    assert configuration.access_token == token
    assert configuration.access_token_source == source


def test_user_without_a_server_is_told_two_ways_out() -> None:
    with pytest.raises(ConfigurationError, match=r"kmsctl configure.*kms-tornado --dev"):
        _ = Configuration().connection_settings


# --- whatever stands in the file ----------------------------------------------------------------

SECRET = "s3cr3t"
NAMES = st.sampled_from(
    ["http_config", "server_url", "access_token", "custom_headers", "proxy_params", "url",
     "oauth2_conf", "client_secret", "scopes", "kms_config", "print_json", "tls_client_pem_key_path",
     "tls_client_pkcs12_password", "basic_auth_password", "custom_auth_header", "verified_cert"]
)  # fmt: skip
PIECES = st.sampled_from(
    [SECRET, f'"{SECRET}"', "=", "[", "]", "[[", "]]", "{", "}", "\n", ",", "#", "'''", '"""', "\\",
     ".", "-", "1", "true", "\x00", "é", "http://", "~"]
)  # fmt: skip


@given(st.lists(NAMES | PIECES, max_size=40).map(" ".join))
def test_hostile_text_is_a_configuration_or_one_line_without_the_secret(text: str) -> None:
    check_outcome(text)


VALUES = st.sampled_from([f'"{SECRET}"', f'["{SECRET}"]', "1", "true", "{}", "[]", '""', "1.5"])


@given(
    st.dictionaries(NAMES, VALUES), st.dictionaries(NAMES, VALUES), st.dictionaries(NAMES, VALUES)
)
def test_values_of_any_type_are_a_configuration_or_one_line_without_the_secret(
    outer: dict[str, str], http: dict[str, str], inner: dict[str, str]
) -> None:
    def table(members: dict[str, str]) -> str:
        return "".join(f"{name} = {value}\n" for name, value in members.items())

    outer.pop("http_config", None)
    http.pop("proxy_params", None)
    check_outcome(
        f"{table(outer)}[http_config]\n{table(http)}[http_config.proxy_params]\n{table(inner)}"
    )


def check_outcome(text: str) -> None:
    try:
        configuration = parse(text)
        shown = [repr(configuration), *configuration.warnings]
        _ = configuration.connection_settings
    except KMSError as exc:
        shown = [str(exc)]
    for line in shown:
        assert "\n" not in line
        assert SECRET not in line.replace(f"http_config.{SECRET}", "")


# --- the page -----------------------------------------------------------------------------------


def test_page_has_every_key_with_its_type() -> None:
    page = (ROOT / "docs/kmsctl-configuration.md").read_text()
    tables = {}
    for section in re.split(r"^### ", page.partition("## Keys")[2], flags=re.MULTILINE)[1:]:
        title, _, text = section.partition("\n")
        rows = re.findall(r"^\| `(\w+)` \| ([\w ]+) \|", text, re.MULTILINE)
        tables["" if title == "The file itself" else title.strip("`[]")] = dict(rows)
    assert tables == {
        table: {name: key.type for name, key in keys.items()} for table, keys in KEYS.items()
    }


def test_page_names_what_is_passed_over_and_every_variable() -> None:
    page = (ROOT / "docs/kmsctl-configuration.md").read_text()
    for name in (*OF_OTHER_PROGRAMS, *URL_VARIABLES, *TOKEN_VARIABLES, "KMSCTL_CONF", "CKMS_CONF"):
        assert f"`{name}`" in page
