"""A suite by the fields of its parameters, and short names of what they take."""

from __future__ import annotations

from kms_tornado.crypto.encryption.suites import Suite, choose_suite
from kms_tornado.kmip.enums import BlockCipherMode, CryptographicAlgorithm, PaddingMethod
from kms_tornado.kmip.structures import CryptographicParameters

AES = CryptographicAlgorithm.AES
CHACHA20 = CryptographicAlgorithm.CHACHA20
CHACHA20_POLY1305 = CryptographicAlgorithm.CHACHA20_POLY1305

THREE_DES = CryptographicAlgorithm.THREE_DES
CBC, ECB, CTR = BlockCipherMode.CBC, BlockCipherMode.ECB, BlockCipherMode.CTR
PKCS5 = PaddingMethod.PKCS5


def suite(algorithm, iv=None, *, mode=None, padding=None, tag_length=None, counter=None) -> Suite:
    parameters = CryptographicParameters(
        block_cipher_mode=mode,
        padding_method=padding,
        tag_length=tag_length,
        initial_counter_value=counter,
    )
    return choose_suite(algorithm, parameters, iv)
