"""Configuration: what a file, the environment and the command line say about the server and the user.

Pure: the text of the file and the environment are arguments, nothing is opened. Values are checked for
their types here; whether a URL is one is known to `connection` and `login_settings`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...errors import ConfigurationError
from ..connection import ConnectionSettings, PEMPair, PKCS12File, ProxySettings
from ..errors import InvalidSettings
from ..login.tokens import token_account
from .keys import KEYS, OLD_ROOT, holds_secret
from .toml_values import TOMLValues, parse_toml

#: The vendor that this package keeps tags under, as cKMS does unless it is told otherwise.
_VENDOR = "cosmian"

#: The names that cKMS takes for cipher suites of TLS 1.2 are IANA's; OpenSSL has its own.
_CIPHER_SUITES = {
    f"TLS_ECDHE_{signature}_WITH_{iana}": f"ECDHE-{signature}-{openssl}"
    for signature in ("ECDSA", "RSA")
    for iana, openssl in (
        ("AES_256_GCM_SHA384", "AES256-GCM-SHA384"),
        ("AES_128_GCM_SHA256", "AES128-GCM-SHA256"),
        ("CHACHA20_POLY1305_SHA256", "CHACHA20-POLY1305"),
    )
}

#: The variables that override the file, the strongest first: our own, and those that --dev exports.
URL_VARIABLES = ("KMSCTL_SERVER_URL", "KMS_URL")
TOKEN_VARIABLES = ("KMSCTL_ACCESS_TOKEN", "KMS_TOKEN")


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth2Configuration:
    """The table ``[http_config.oauth2_conf]``: where `kmsctl login` gets tokens. None means not given."""

    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    authorize_url: str | None = None
    token_url: str | None = None
    scopes: tuple[str, ...] = ()
    issuer: str | None = None
    device_authorization_url: str | None = None
    token: str | None = None
    audience: str | None = None
    resource: str | None = None
    redirect_port: int | None = None
    dpop: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The configured values; None and empty values mean not given.

    access_token_source: the variable or the file that contains the access token.
    warnings: sentences for the user, each on one line.
    """

    server_url: str | None = None
    access_token: str | None = field(default=None, repr=False)
    access_token_source: str | None = None
    accept_invalid_certs: bool = False
    verified_cert: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    client_certificate: PEMPair | PKCS12File | None = None
    custom_headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    cipher_suites: str | None = None
    proxy: ProxySettings | None = None
    oauth2: OAuth2Configuration | None = None
    print_json: bool = False
    has_secret: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def required_server_url(self) -> str:
        """Raises ConfigurationError where no server is configured."""
        if self.server_url is None:
            raise ConfigurationError(
                "no server is configured: run kmsctl configure, or paste the export lines that "
                "kms-tornado --dev prints"
            )
        return self.server_url

    @property
    def connection_settings(self) -> ConnectionSettings:
        """Raises ConfigurationError where no server is configured, InvalidSettings for nonsense."""
        return ConnectionSettings(
            server_url=self.required_server_url,
            accept_invalid_certs=self.accept_invalid_certs,
            verified_cert=self.verified_cert,
            ca_file=self.ca_file,
            client_certificate=self.client_certificate,
            proxy=self.proxy,
            custom_headers=self.custom_headers,
            cipher_suites=self.cipher_suites,
        )

    @property
    def is_token_of_environment(self) -> bool:
        """Whether the access token takes precedence over the tokens of a login."""
        return self.access_token_source in TOKEN_VARIABLES

    @property
    def token_account(self) -> str | None:
        """The account under which the tokens of a login are kept; None where no login is configured."""
        if self.oauth2 is None or self.oauth2.client_id is None:
            return None
        return token_account(
            self.required_server_url,
            issuer=self.oauth2.issuer or self.oauth2.token_url,
            client_id=self.oauth2.client_id,
        )


def parse_configuration(text: str, source: str) -> Configuration:
    """The configuration that a file holds. source: the file's name, for messages.

    Raises ConfigurationError, whose text quotes names of keys, but no value.
    """
    document = parse_toml(text, source)
    root = document
    if "http_config" not in document and isinstance(document.get(OLD_ROOT), dict):
        root = document[OLD_ROOT]
        document = {name: value for name, value in document.items() if name != OLD_ROOT}
        document.update(root)
    values = TOMLValues(source)
    for table in KEYS:
        values.read_table(table, document)
    return replace(
        _build(values), has_secret=holds_secret(document), warnings=values.describe_warnings()
    )


def override(
    configuration: Configuration, environ: Mapping[str, str], *, server_url: str | None = None
) -> Configuration:
    """The configuration, with what the environment and the flag --url say. Empty variables count as not set."""
    url = server_url or _first_set(environ, URL_VARIABLES)[1] or configuration.server_url
    variable, token = _first_set(environ, TOKEN_VARIABLES)
    if token is None:
        return replace(configuration, server_url=url)
    return replace(configuration, server_url=url, access_token=token, access_token_source=variable)


def _first_set(
    environ: Mapping[str, str], variables: tuple[str, ...]
) -> tuple[str | None, str | None]:
    """The first of the variables that is not empty, and its value."""
    for variable in variables:
        value = environ.get(variable, "").strip()
        if value:
            return variable, value
    return None, None


def _build(values: TOMLValues) -> Configuration:
    table = "http_config"
    vendor = values.get("", "vendor_id")
    if vendor not in {None, _VENDOR}:
        values.note(f'vendor_id is ignored: kmsctl keeps tags under "{_VENDOR}"')
    token = values.get(table, "access_token")
    return Configuration(
        server_url=values.get(table, "server_url"),
        access_token=token,
        access_token_source=None if token is None else values.source,
        accept_invalid_certs=bool(values.get(table, "accept_invalid_certs")),
        verified_cert=values.get(table, "verified_cert"),
        ca_file=values.path(table, "ca_file"),
        client_certificate=_client_certificate(values),
        custom_headers=tuple(_headers(values)),
        cipher_suites=_cipher_suites(values.get(table, "cipher_suites")),
        proxy=_proxy(values),
        oauth2=_oauth2(values),
        print_json=bool(values.get("", "print_json")),
    )


def _client_certificate(values: TOMLValues) -> PEMPair | PKCS12File | None:
    """The client certificate: a pair of files, or one file."""
    table = "http_config"
    certificate = values.path(table, "tls_client_pem_cert_path")
    key = values.path(table, "tls_client_pem_key_path")
    bundle = values.path(table, "tls_client_pkcs12_path")
    if bundle is not None and (certificate is not None or key is not None):
        raise values.error(
            table, "tls_client_pkcs12_path", "and tls_client_pem_… stand side by side: remove one"
        )
    if bundle is not None:
        return PKCS12File(bundle, values.get(table, "tls_client_pkcs12_password"))
    if certificate is None and key is None:
        return None
    if certificate is None:
        raise values.error(table, "tls_client_pem_cert_path", "is missing beside the key")
    if key is None:
        raise values.error(table, "tls_client_pem_key_path", "is missing beside the certificate")
    return PEMPair(certificate, key)


def _headers(values: TOMLValues) -> list[tuple[str, str]]:
    headers = []
    for number, header in enumerate(values.get("http_config", "custom_headers") or [], 1):
        name, colon, value = header.partition(":")
        if not colon:
            raise values.error(
                "http_config",
                "custom_headers",
                f'has no colon in entry {number}: write "Name: value"',
            )
        headers.append((name.strip(), value.strip()))
    return headers


def _cipher_suites(names: str | None) -> str | None:
    if names is None:
        return None
    return ":".join(_CIPHER_SUITES.get(name, name) for name in names.split(":"))


def _proxy(values: TOMLValues) -> ProxySettings | None:
    table = "http_config.proxy_params"
    url = values.get(table, "url")
    if url is None:
        if any(values.get(table, name) for name in KEYS[table]):
            raise values.error(table, "url", "is missing")
        return None
    try:
        return ProxySettings(
            url=url,
            exclusion_list=tuple(values.get(table, "exclusion_list") or ()),
            basic_auth_username=values.get(table, "basic_auth_username"),
            basic_auth_password=values.get(table, "basic_auth_password"),
            custom_auth_header=values.get(table, "custom_auth_header"),
        )
    except InvalidSettings as exc:
        raise ConfigurationError(f"{values.source}: {table}: {exc}") from None


def _oauth2(values: TOMLValues) -> OAuth2Configuration | None:
    table = "http_config.oauth2_conf"
    members = {name: values.get(table, name) for name in KEYS[table]}
    fields = {name: value for name, value in members.items() if value not in (None, [])}
    if not fields:
        return None
    fields["scopes"] = tuple(fields.get("scopes", ()))
    return OAuth2Configuration(**fields)
