"""The algorithms of ckms's files, under ckms's names for them."""

from __future__ import annotations

from enum import StrEnum


class DataAlgorithm(StrEnum):
    """The algorithm that encrypts the data. ckms's CBC and XTS are left out, because they do not authenticate it."""

    AES_GCM = "aes-gcm"
    CHACHA20_POLY1305 = "chacha20-poly1305"


class KeyAlgorithm(StrEnum):
    """The algorithm that wraps the data key. Key wraps work if the server offers them in Encrypt."""

    AES_GCM = "aes-gcm"
    CHACHA20_POLY1305 = "chacha20-poly1305"
    RFC3394 = "rfc3394"
    RFC5649 = "rfc5649"

    @property
    def has_nonce_and_tag(self) -> bool:
        return self in {KeyAlgorithm.AES_GCM, KeyAlgorithm.CHACHA20_POLY1305}
