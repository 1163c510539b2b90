"""The hosts that a TLS certificate is for (RFC 6125): its DNS names and addresses."""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm


def read_host_names(pem: bytes) -> frozenset[str]:
    """The hosts of the first certificate, in lower case, ``*.example.com`` as it is; empty where none can be read."""
    try:
        certificate = x509.load_pem_x509_certificates(pem)[0]
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, UnsupportedAlgorithm, x509.ExtensionNotFound, x509.DuplicateExtension):
        return frozenset()
    hosts = names.get_values_for_type(x509.DNSName)
    addresses = map(str, names.get_values_for_type(x509.IPAddress))
    return frozenset([*map(str.lower, hosts), *addresses])


def is_named(host: str, names: frozenset[str]) -> bool:
    """Whether the host, in lower case, is among the names. A ``*`` stands for its whole first label."""
    label, _, rest = host.partition(".")
    return host in names or (label != "" and f"*.{rest}" in names)
