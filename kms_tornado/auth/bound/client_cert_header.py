"""The header field ``Client-Cert`` (RFC 9440 §2.2), in which a proxy that ends TLS tells the client's certificate."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

CLIENT_CERT_HEADER = "Client-Cert"

#: The longest header, in characters. Clients' certificates take some 2,000; nginx allows 8 KiB for all headers.
_MOST = 16 * 1024


def read_client_cert(values: Sequence[str]) -> bytes | None:
    """The client's certificate in DER; None without the field, with more than one of it, or with a malformed value.

    values: the values of the header fields, in the order received.

    Anybody can send this field. The caller has to know that it was written by a proxy which the client cannot bypass.
    The certificate is not verified here: if anybody verified it, the proxy did.
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
