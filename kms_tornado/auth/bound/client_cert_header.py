"""The header field ``Client-Cert`` (RFC 9440 §2.2), by which a proxy that ends TLS tells the client's certificate."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

CLIENT_CERT_HEADER = "Client-Cert"

#: Characters. Certificates of clients take some 2,000, and headers of nginx 8 KiB together.
_MOST = 16 * 1024


def read_client_cert(values: Sequence[str]) -> bytes | None:
    """The client's certificate in DER; None where there is none, or what is there is not exactly one.

    values: of the header fields, in the order received. Whether a proxy wrote them, which the client cannot pass by, is
    for the caller to know: anybody can send one. What it says is no more than bytes: the proxy verified the
    certificate, if anybody did.
    """
    if len(values) != 1:  # the client's own may stand beside the proxy's
        return None
    text = values[0].strip(" ")
    if len(text) > _MOST or len(text) < 2 or text[0] != ":" or text[-1] != ":":
        return None
    try:
        return base64.b64decode(text[1:-1].encode("ascii"), validate=True) or None
    except (binascii.Error, UnicodeEncodeError):
        return None
