"""What the operations of KMIP offer."""

from __future__ import annotations

from ...settings.service import CRYPTO_POLICIES
from ..kinds import Switch, make_choice
from ..option import Option

KEY_SERVICE: tuple[Option, ...] = (
    Option(
        "crypto-policy",
        make_choice(CRYPTO_POLICIES),
        "conservative: no unauthenticated modes, no RSA PKCS#1 v1.5 decryption, no SHA-1 "
        "signatures; permissive allows them, for old data and old clients",
        "conservative",
    ),
    Option(
        "kmip-interop",
        Switch(),
        "offer the operations Interop and Log too, which conformance runs begin and end with",
        False,
    ),
)
