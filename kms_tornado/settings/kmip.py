"""The settings of KMIP over TLS, which are part of `server.Settings`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import ConfigurationError

CLIENT_CERTIFICATE = ("required", "optional")
#: As `auth.certificates.CertificatePolicy` has them; that module loads what --help needs not.
USER_FIELDS = ("cn", "san-email", "san-uri")
USER_NAMESPACES = ("certificate", "shared")

#: The port that IANA has registered for KMIP.
DEFAULT_PORT = 5696


@dataclass(frozen=True, slots=True, kw_only=True)
class KMIPSettings:
    """kmip_port: None listens nowhere, but with --dev on DEFAULT_PORT, or on a free port where that is taken.

    kmip_hostname: None is the host of HTTP.
    kmip_clients_ca_cert_file: the CAs that may issue client certificates. kmip_clients_crl_file: their lists of
    revoked ones; None: nobody asks.
    kmip_client_certificate: one of CLIENT_CERTIFICATE. kmip_user_from: one of USER_FIELDS.
    kmip_user_namespace: one of USER_NAMESPACES.
    kmip_crypto_policy: one of `service.CRYPTO_POLICIES`; None is that of HTTP.
    """

    kmip_port: int | None = None
    kmip_hostname: str | None = None
    kmip_clients_ca_cert_file: Path | None = None
    kmip_clients_crl_file: Path | None = None
    kmip_client_certificate: str = "required"
    kmip_user_from: str = "cn"
    kmip_user_namespace: str = "certificate"
    kmip_crypto_policy: str | None = None


def find_kmip_faults(
    settings: KMIPSettings, *, has_pair: bool, is_dev: bool
) -> Iterator[ConfigurationError]:
    """has_pair: whether there is a certificate of the server."""
    choices = (
        ("kmip_client_certificate", CLIENT_CERTIFICATE),
        ("kmip_user_from", USER_FIELDS),
        ("kmip_user_namespace", USER_NAMESPACES),
    )
    for field, words in choices:
        if getattr(settings, field) not in words:
            yield ConfigurationError(f"one of {' '.join(words)}", field)
    if settings.kmip_port is not None and not 0 <= settings.kmip_port <= 65535:
        yield ConfigurationError("0 to 65535", "kmip_port")
    if settings.kmip_hostname == "":
        yield ConfigurationError("a host is needed", "kmip_hostname")
    authorities = settings.kmip_clients_ca_cert_file
    if settings.kmip_clients_crl_file is not None and authorities is None:
        yield ConfigurationError(
            "needs --kmip-clients-ca-cert-file too",
            "kmip_clients_crl_file",
            "kmip_clients_ca_cert_file",
        )
    if authorities is not None and not has_pair:
        yield ConfigurationError(
            "needs --tls-cert-file too", "kmip_clients_ca_cert_file", "tls_cert_file"
        )
    if settings.kmip_port is None or is_dev:
        return
    if not has_pair:
        yield ConfigurationError("needs --tls-cert-file too", "kmip_port", "tls_cert_file")
    if authorities is None:
        yield ConfigurationError(
            "needs --kmip-clients-ca-cert-file too", "kmip_port", "kmip_clients_ca_cert_file"
        )
