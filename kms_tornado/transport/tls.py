"""A server's TLS context from the configured files, with plain messages for faults in them."""

from __future__ import annotations

import ssl
from pathlib import Path

from ..errors import ConfigurationError


def make_server_context(cert: Path, key: Path) -> ssl.SSLContext:
    """A context for TLS 1.2 or later with this pair, which demands no client certificate.

    Raises ConfigurationError about tls_cert_file or tls_key_file, which names the file.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # A client that closes its sending side without TLS's own message still reads its answer. What it sent
    # is whole or not by the protocol's own measure.
    context.options |= getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)  # since OpenSSL 3
    _load_pair(context, cert, key)
    return context


def require_client_certificates(context: ssl.SSLContext, authorities: Path, field: str) -> None:
    """Refuse the handshake of a client without a certificate from one of these authorities.

    OpenSSL refuses a certificate that has an extended key usage without clientAuth (RFC 5280 §4.2.1.12).
    field: the setting that an error is about. Raises ConfigurationError.
    """
    try:
        context.load_verify_locations(authorities)
    except OSError as exc:  # ssl.SSLError is an OSError
        why = exc.strerror if exc.filename else "holds no PEM certificate"
        raise ConfigurationError(f"{authorities}: {why}", field) from None
    context.verify_mode = ssl.CERT_REQUIRED


def _load_pair(context: ssl.SSLContext, cert: Path, key: Path) -> None:
    try:
        # The empty password makes an encrypted key fail; without it OpenSSL would prompt on the terminal.
        context.load_cert_chain(cert, key, password=lambda: b"")
    except (OSError, ValueError) as exc:  # Python raises ValueError itself for some arguments
        raise _diagnose_pair(cert, key, exc) from None


def _diagnose_pair(cert: Path, key: Path, error: Exception) -> ConfigurationError:
    """An error that names the fault. OpenSSL says "[SSL] PEM lib (_ssl.c:3900)" for all of them."""
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
