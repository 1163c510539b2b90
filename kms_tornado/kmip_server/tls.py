"""TLS of the KMIP port: the server's pair, the CAs of clients, and the certificate revocation lists of these."""

from __future__ import annotations

import logging
import re
import ssl
import time
from datetime import UTC, datetime
from pathlib import Path

from ..crypto.tls.revocation_lists import read_next_updates
from ..errors import ConfigurationError
from ..settings.kmip import KMIPSettings
from ..transport.tls import make_server_context, require_client_certificates

log = logging.getLogger("kms_tornado.server")


def make_context(cert: Path, key: Path, settings: KMIPSettings) -> ssl.SSLContext:
    """A context with the server's pair that demands client certificates from the configured CAs.

    Clients may resume sessions. OpenSSL keeps the verified certificate in a session, and a context that replaces this
    one resumes none of its sessions. Raises ConfigurationError, which names the setting and the file.
    """
    authorities = settings.kmip_clients_ca_cert_file
    assert authorities is not None
    context = make_server_context(cert, key)
    require_client_certificates(context, authorities, "kmip_clients_ca_cert_file")
    # Session tickets of TLS 1.3. A client with a connection for each message uses one and gets the next; OpenSSL
    # would make two, each of which takes as long as the message.
    context.num_tickets = 1
    if settings.kmip_client_certificate == "optional":
        context.verify_mode = ssl.CERT_OPTIONAL
    if settings.kmip_clients_crl_file is not None:
        _check_revocation(context, settings.kmip_clients_crl_file)
    return context


def find_list_ends(settings: KMIPSettings) -> list[float]:
    """When each of the lists ends, in seconds since the epoch."""
    lists = settings.kmip_clients_crl_file
    try:
        return [] if lists is None else read_next_updates(lists.read_bytes())
    except (OSError, ValueError):  # replaced since it was loaded
        return []


def _check_revocation(context: ssl.SSLContext, lists: Path) -> None:
    """Refuse certificates that are revoked, or that were issued by a revoked CA.

    A certificate is also refused if the list of any CA above it, including the root, is missing or has expired.
    """
    try:
        pem = lists.read_bytes()
    except OSError as exc:
        raise ConfigurationError(f"{lists}: {exc.strerror}", "kmip_clients_crl_file") from None
    if re.search(rb"-----BEGIN [A-Z0-9 ]*CERTIFICATE-----", pem):
        # OpenSSL would trust it as a CA.
        text = f"{lists}: holds a certificate: it may hold nothing but lists (X509 CRL)"
        raise ConfigurationError(text, "kmip_clients_crl_file")
    try:
        ends = read_next_updates(pem)
        if ends:
            context.load_verify_locations(lists)
    except (ValueError, OSError) as exc:
        text = f"{lists}: holds a list that cannot be read: {exc}"
        raise ConfigurationError(text, "kmip_clients_crl_file") from None
    if not ends:
        text = f"{lists}: holds no list in PEM; openssl crl -inform DER -in FILE makes it of one in DER"
        raise ConfigurationError(text, "kmip_clients_crl_file")
    if min(ends) <= time.time():
        ended = datetime.fromtimestamp(min(ends), UTC).isoformat(" ", "seconds")
        log.error(
            "%s: a list ended on %s: no client of its CA gets in until there is a new one",
            lists,
            ended,
        )
    context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_CHAIN
