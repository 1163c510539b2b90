"""Certificate revocation lists (RFC 5280 §5): until when they are good. OpenSSL checks what they revoke."""

from __future__ import annotations

import re

from cryptography import x509

_LIST = re.compile(rb"-----BEGIN X509 CRL-----.*?-----END X509 CRL-----", re.DOTALL)


def read_next_updates(pem: bytes) -> list[float]:
    """When each list ends (its nextUpdate), in seconds since the epoch; infinite for one that says nothing.

    Raises ValueError for a list that cannot be read.
    """
    ends = [x509.load_pem_x509_crl(block).next_update_utc for block in _LIST.findall(pem)]
    return [float("inf") if end is None else end.timestamp() for end in ends]
