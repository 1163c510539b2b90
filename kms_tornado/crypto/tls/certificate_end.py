"""When a TLS certificate ends, for metrics."""

from __future__ import annotations

from cryptography import x509


def read_end(pem: bytes) -> float | None:
    """Seconds since the epoch at which the first certificate ends; None where none can be read."""
    try:
        return x509.load_pem_x509_certificates(pem)[0].not_valid_after_utc.timestamp()
    except ValueError:
        return None
