"""The server's TLS context from the configured files, with plain messages for faults in them."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from pathlib import Path

from ...crypto.certificate_end import read_end
from ...crypto.host_names import read_host_names
from ...errors import ConfigurationError
from ...settings import Settings


def make_context(settings: Settings) -> ssl.SSLContext | None:
    """A context for TLS 1.2 or later with the configured pair; None where no pair is configured.

    Raises ConfigurationError, which names the setting and the file.
    """
    if settings.tls_cert_file is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # A client that closes its sending side without TLS's own message still reads its answer. What it sent
    # is whole or not by HTTP's own measure.
    context.options |= getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)  # since OpenSSL 3
    _load_pair(context, settings)
    if settings.clients_ca_cert_file is not None:
        _require_client_certificates(context, settings.clients_ca_cert_file)
    return context


def read_certificate_names(settings: Settings) -> frozenset[str]:
    """The hosts that the server's certificate is for; empty without one."""
    if settings.tls_cert_file is None:
        return frozenset()
    try:
        return read_host_names(settings.tls_cert_file.read_bytes())
    except OSError:  # taken away since it was loaded
        return frozenset()


def read_certificate_end(settings: Settings) -> float | None:
    """When the server's certificate ends, in seconds since the epoch; None without one."""
    if settings.tls_cert_file is None:
        return None
    try:
        return read_end(settings.tls_cert_file.read_bytes())
    except OSError:  # taken away since it was loaded
        return None


def list_files(settings: Settings) -> Sequence[str]:
    """What SIGHUP reads again, in words: the purpose and the name of each file that is configured."""
    refresh = None if settings.trust is None else settings.trust.refresh
    files = {
        "certificate": settings.tls_cert_file,
        "key": settings.tls_key_file,
        "CAs of clients": settings.clients_ca_cert_file,
        "CAs of issuers": None if refresh is None else refresh.ca_file,
    }
    return [f"{purpose} {file}" for purpose, file in files.items() if file is not None]


def _load_pair(context: ssl.SSLContext, settings: Settings) -> None:
    cert, key = settings.tls_cert_file, settings.tls_key_file
    assert cert is not None
    assert key is not None
    try:
        # The empty password makes an encrypted key fail; without it OpenSSL would prompt on the terminal.
        context.load_cert_chain(cert, key, password=lambda: b"")
    except (OSError, ValueError) as exc:  # Python raises ValueError itself for some arguments
        raise _diagnose_pair(cert, key, exc) from None


def _require_client_certificates(context: ssl.SSLContext, authorities: Path) -> None:
    """Refuse the handshake of a client without a certificate from these authorities."""
    try:
        context.load_verify_locations(authorities)
    except OSError as exc:  # ssl.SSLError is an OSError
        why = exc.strerror if exc.filename else "holds no PEM certificate"
        raise ConfigurationError(f"{authorities}: {why}", "clients_ca_cert_file") from None
    context.verify_mode = ssl.CERT_REQUIRED


def _diagnose_pair(cert: Path, key: Path, error: Exception) -> ConfigurationError:
    """An error that names the fault; OpenSSL says "[SSL] PEM lib (_ssl.c:3900)" for every one."""
    if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
        return ConfigurationError(
            f"{key}: is not the key of the certificate in {cert}", "tls_key_file"
        )
    try:
        cert_text, key_text = cert.read_bytes(), key.read_bytes()
    except OSError as exc:
        field = "tls_key_file" if exc.filename == str(key) else "tls_cert_file"
        return ConfigurationError(f"{exc.filename}: {exc.strerror}", field)
    if b"-----BEGIN CERTIFICATE-----" not in cert_text:
        return ConfigurationError(f"{cert}: holds no PEM certificate", "tls_cert_file")
    if b"ENCRYPTED" in key_text:
        text = f"{key}: is encrypted; it is needed without a passphrase"
        return ConfigurationError(text, "tls_key_file")
    if b"PRIVATE KEY-----" not in key_text:
        return ConfigurationError(f"{key}: holds no PEM private key", "tls_key_file")
    text = f"{cert}, or the key {key}: cannot be used: {error}"
    return ConfigurationError(text, "tls_cert_file")
