"""How a secret might be spelled where it must not be."""

from __future__ import annotations

import base64


def spellings(secret: bytes) -> list[bytes]:
    """The ways in which bytes might leak: raw, hexadecimal, base64 at any offset."""
    all_spellings = [secret, secret.hex().encode(), secret.hex().upper().encode()]
    for offset in range(3):
        middle = base64.b64encode(b"\0" * offset + secret)[4 if offset else 0 : -4]
        all_spellings += [middle, middle.translate(bytes.maketrans(b"+/", b"-_"))]
    return all_spellings
