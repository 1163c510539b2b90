"""Enumerations of algorithms and how they are used (KMIP 2.1 §11)."""

from __future__ import annotations

from enum import IntEnum


class CryptographicAlgorithm(IntEnum):
    DES = 1
    THREE_DES = 2
    AES = 3
    RSA = 4
    DSA = 5
    ECDSA = 6
    HMAC_SHA1 = 7
    HMAC_SHA224 = 8
    HMAC_SHA256 = 9
    HMAC_SHA384 = 10
    HMAC_SHA512 = 11
    HMAC_MD5 = 12
    DH = 13
    ECDH = 14
    ECMQV = 15
    BLOWFISH = 16
    CAMELLIA = 17
    CAST5 = 18
    IDEA = 19
    MARS = 20
    RC2 = 21
    RC4 = 22
    RC5 = 23
    SKIPJACK = 24
    TWOFISH = 25
    EC = 26
    ONE_TIME_PAD = 27
    CHACHA20 = 28
    POLY1305 = 29
    CHACHA20_POLY1305 = 30
    SHA3_224 = 31
    SHA3_256 = 32
    SHA3_384 = 33
    SHA3_512 = 34
    HMAC_SHA3_224 = 35
    HMAC_SHA3_256 = 36
    HMAC_SHA3_384 = 37
    HMAC_SHA3_512 = 38
    SHAKE_128 = 39
    SHAKE_256 = 40
    ARIA = 41
    SEED = 42
    SM2 = 43
    SM3 = 44
    SM4 = 45
    GOST_R_34_10_2012 = 46
    GOST_R_34_11_2012 = 47
    GOST_R_34_13_2015 = 48
    GOST_28147_89 = 49
    XMSS = 50
    SPHINCS_256 = 51
    MCELIECE = 52
    MCELIECE_6960119 = 53
    MCELIECE_8192128 = 54
    ED25519 = 55
    ED448 = 56
    COVER_CRYPT = 0x88800004  # Cosmian's own; known so that it can be refused by name


class BlockCipherMode(IntEnum):
    CBC = 1
    ECB = 2
    PCBC = 3
    CFB = 4
    OFB = 5
    CTR = 6
    CMAC = 7
    CCM = 8
    GCM = 9
    CBC_MAC = 10
    XTS = 11
    AES_KEY_WRAP_PADDING = 12
    NIST_KEY_WRAP = 13
    X9_102_AESKW = 14
    X9_102_TDKW = 15
    X9_102_AKW1 = 16
    X9_102_AKW2 = 17
    AEAD = 18
    COSMIAN_NIST_KEY_WRAP = 0x80000001  # RFC 5649, under the name of RFC 3394
    GCM_SIV = 0x80000002


class PaddingMethod(IntEnum):
    NONE = 1
    OAEP = 2
    PKCS5 = 3
    SSL3 = 4
    ZEROS = 5
    ANSI_X9_23 = 6
    ISO_10126 = 7
    PKCS1_V1_5 = 8
    X9_31 = 9
    PSS = 10


class HashingAlgorithm(IntEnum):
    MD2 = 1
    MD4 = 2
    MD5 = 3
    SHA_1 = 4
    SHA_224 = 5
    SHA_256 = 6
    SHA_384 = 7
    SHA_512 = 8
    RIPEMD_160 = 9
    TIGER = 10
    WHIRLPOOL = 11
    SHA_512_224 = 12
    SHA_512_256 = 13
    SHA3_224 = 14
    SHA3_256 = 15
    SHA3_384 = 16
    SHA3_512 = 17


class MaskGenerator(IntEnum):
    MGF1 = 1


class DigitalSignatureAlgorithm(IntEnum):
    MD2_WITH_RSA_ENCRYPTION = 1
    MD5_WITH_RSA_ENCRYPTION = 2
    SHA1_WITH_RSA_ENCRYPTION = 3
    SHA224_WITH_RSA_ENCRYPTION = 4
    SHA256_WITH_RSA_ENCRYPTION = 5
    SHA384_WITH_RSA_ENCRYPTION = 6
    SHA512_WITH_RSA_ENCRYPTION = 7
    RSASSA_PSS = 8
    DSA_WITH_SHA1 = 9
    DSA_WITH_SHA224 = 10
    DSA_WITH_SHA256 = 11
    ECDSA_WITH_SHA1 = 12
    ECDSA_WITH_SHA224 = 13
    ECDSA_WITH_SHA256 = 14
    ECDSA_WITH_SHA384 = 15
    ECDSA_WITH_SHA512 = 16
    SHA3_256_WITH_RSA_ENCRYPTION = 17
    SHA3_384_WITH_RSA_ENCRYPTION = 18
    SHA3_512_WITH_RSA_ENCRYPTION = 19


class DerivationMethod(IntEnum):
    PBKDF2 = 1
    HASH = 2
    HMAC = 3
    ENCRYPT = 4
    NIST800_108_C = 5
    NIST800_108_F = 6
    NIST800_108_DPI = 7
    ASYMMETRIC_KEY = 8
    AWS_SIGNATURE_VERSION_4 = 9
    HKDF = 10


class RNGAlgorithm(IntEnum):
    UNSPECIFIED = 1
    FIPS_186_2 = 2
    DRBG = 3
    NRBG = 4
    ANSI_X9_31 = 5
    ANSI_X9_62 = 6


class DRBGAlgorithm(IntEnum):
    UNSPECIFIED = 1
    DUAL_EC = 2
    HASH = 3
    HMAC = 4
    CTR = 5


class ValidityIndicator(IntEnum):
    VALID = 1
    INVALID = 2
    UNKNOWN = 3
