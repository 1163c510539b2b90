"""The algorithms of ckms's files, by the names that ckms has for them."""

from __future__ import annotations

from enum import StrEnum


class DataAlgorithm(StrEnum):
    """What encrypts the data. ckms's CBC and XTS are left out: nothing authenticates them."""

    AES_GCM = "aes-gcm"
    CHACHA20_POLY1305 = "chacha20-poly1305"


class KeyAlgorithm(StrEnum):
    """What wraps the data key. The key wraps are those that the server offers in Encrypt, if any."""

    AES_GCM = "aes-gcm"
    CHACHA20_POLY1305 = "chacha20-poly1305"
    RFC3394 = "rfc3394"
    RFC5649 = "rfc5649"

    @property
    def has_nonce_and_tag(self) -> bool:
        return self in {KeyAlgorithm.AES_GCM, KeyAlgorithm.CHACHA20_POLY1305}
