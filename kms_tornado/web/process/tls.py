"""TLS of the HTTP port: its context, and what else is read from the configured files."""

from __future__ import annotations

import ssl
from collections.abc import Sequence

from ...crypto.tls.certificate_end import read_end
from ...crypto.tls.host_names import read_host_names
from ...settings.server import Settings
from ...transport.tls import make_server_context, require_client_certificates


def make_context(settings: Settings) -> ssl.SSLContext | None:
    """A context for TLS 1.2 or later with the configured pair; None where no pair is configured.

    Raises ConfigurationError, which names the setting and the file.
    """
    if settings.tls_cert_file is None:
        return None
    assert settings.tls_key_file is not None
    context = make_server_context(settings.tls_cert_file, settings.tls_key_file)
    if settings.clients_ca_cert_file is not None:
        require_client_certificates(context, settings.clients_ca_cert_file, "clients_ca_cert_file")
    return context


def read_certificate_names(settings: Settings) -> frozenset[str]:
    """The hosts for which the server's certificate is valid; empty without one."""
    if settings.tls_cert_file is None:
        return frozenset()
    try:
        return read_host_names(settings.tls_cert_file.read_bytes())
    except OSError:  # taken away since it was loaded
        return frozenset()


def read_certificate_end(settings: Settings) -> float | None:
    """When the server's certificate expires, in seconds since the Unix epoch; None without one."""
    if settings.tls_cert_file is None:
        return None
    try:
        return read_end(settings.tls_cert_file.read_bytes())
    except OSError:  # taken away since it was loaded
        return None


def list_files(settings: Settings) -> Sequence[str]:
    """What SIGHUP reads again, in words: the purpose and the name of each configured file."""
    refresh = None if settings.trust is None else settings.trust.refresh
    files = {
        "certificate": settings.tls_cert_file,
        "key": settings.tls_key_file,
        "CAs of clients": settings.clients_ca_cert_file,
        "CAs of KMIP clients": settings.kmip.kmip_clients_ca_cert_file,
        "revoked certificates of KMIP clients": settings.kmip.kmip_clients_crl_file,
        "CAs of issuers": None if refresh is None else refresh.ca_file,
    }
    return [f"{purpose} {file}" for purpose, file in files.items() if file is not None]
