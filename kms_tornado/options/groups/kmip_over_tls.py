"""KMIP's own transport."""

from __future__ import annotations

from ...settings.kmip import CLIENT_CERTIFICATE, USER_FIELDS, USER_NAMESPACES
from ...settings.service import CRYPTO_POLICIES
from ..converters import (
    parse_host,
    parse_readable_file,
)
from ..kinds import Integer, Text, make_choice
from ..option import Option

KMIP_OVER_TLS: tuple[Option, ...] = (
    Option(
        "kmip-port",
        Integer(0, 65535, "PORT"),
        "listen for KMIP over TLS, for which 5696 is registered; 0 picks a free port; needs "
        "--tls-cert-file and --kmip-clients-ca-cert-file (default: off; with --dev 5696, or a "
        "free port where that is taken)",
    ),
    Option(
        "kmip-hostname",
        Text("HOST", parse_host),
        "host or address to listen on for KMIP (default: as --hostname)",
        unset="as --hostname",
    ),
    Option(
        "kmip-clients-ca-cert-file",
        Text("PEM", parse_readable_file),
        "CAs whose certificates name the users of KMIP over TLS; read again on SIGHUP",
    ),
    Option(
        "kmip-clients-crl-file",
        Text("PEM", parse_readable_file),
        "lists of those of their certificates that are revoked, one for each CA; read again on SIGHUP "
        "(default: no certificate counts as revoked)",
    ),
    Option(
        "kmip-client-certificate",
        make_choice(CLIENT_CERTIFICATE),
        "required: no handshake without one; optional: a message without one needs a token as the "
        "password of its Credential",
        "required",
    ),
    Option(
        "kmip-user-from",
        make_choice(USER_FIELDS),
        "the field of the certificate that names the user",
        "cn",
    ),
    Option(
        "kmip-user-namespace",
        make_choice(USER_NAMESPACES),
        "certificate: the user is named cert:<name>; shared: <name>, the same person as in a token",
        "certificate",
    ),
    Option(
        "kmip-crypto-policy",
        make_choice(CRYPTO_POLICIES),
        "as --crypto-policy, for KMIP over TLS alone, whose clients often need AES-CBC (default: as "
        "--crypto-policy)",
        unset="as --crypto-policy",
    ),
)
