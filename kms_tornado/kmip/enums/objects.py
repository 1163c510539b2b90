"""Enumerations of managed objects and their attributes (KMIP 2.1 §11)."""

from __future__ import annotations

from enum import IntEnum, IntFlag


class ObjectType(IntEnum):
    CERTIFICATE = 1
    SYMMETRIC_KEY = 2
    PUBLIC_KEY = 3
    PRIVATE_KEY = 4
    SPLIT_KEY = 5
    TEMPLATE = 6  # of KMIP 1; there is none here, but clients ask
    SECRET_DATA = 7
    OPAQUE_OBJECT = 8
    PGP_KEY = 9
    CERTIFICATE_REQUEST = 10


class State(IntEnum):
    PRE_ACTIVE = 1
    ACTIVE = 2
    DEACTIVATED = 3
    COMPROMISED = 4
    DESTROYED = 5
    DESTROYED_COMPROMISED = 6


class CryptographicUsageMask(IntFlag):
    SIGN = 0x1
    VERIFY = 0x2
    ENCRYPT = 0x4
    DECRYPT = 0x8
    WRAP_KEY = 0x10
    UNWRAP_KEY = 0x20
    EXPORT = 0x40
    MAC_GENERATE = 0x80
    MAC_VERIFY = 0x100
    DERIVE_KEY = 0x200
    CONTENT_COMMITMENT = 0x400
    KEY_AGREEMENT = 0x800
    CERTIFICATE_SIGN = 0x1000
    CRL_SIGN = 0x2000
    AUTHENTICATE = 0x100000
    UNRESTRICTED = 0x200000
    FPE_ENCRYPT = 0x400000
    FPE_DECRYPT = 0x800000


class SecretDataType(IntEnum):
    PASSWORD = 1
    SEED = 2


class OpaqueDataType(IntEnum):
    """KMIP defines no value but lets vendors do so (§11.35); the clients send Cosmian's."""

    UNKNOWN = 0x80000001


class CertificateType(IntEnum):
    X509 = 1
    PGP = 2


class NameType(IntEnum):
    UNINTERPRETED_TEXT_STRING = 1
    URI = 2


class LinkType(IntEnum):
    CERTIFICATE_LINK = 0x101
    PUBLIC_KEY_LINK = 0x102
    PRIVATE_KEY_LINK = 0x103
    DERIVATION_BASE_OBJECT_LINK = 0x104
    DERIVED_KEY_LINK = 0x105
    REPLACEMENT_OBJECT_LINK = 0x106
    REPLACED_OBJECT_LINK = 0x107
    PARENT_LINK = 0x108
    CHILD_LINK = 0x109
    PREVIOUS_LINK = 0x10A
    NEXT_LINK = 0x10B
    PKCS12_CERTIFICATE_LINK = 0x10C
    PKCS12_PASSWORD_LINK = 0x10D
    WRAPPING_KEY_LINK = 0x10E


class ObjectGroupMember(IntEnum):
    GROUP_MEMBER_FRESH = 1
    GROUP_MEMBER_DEFAULT = 2


class UsageLimitsUnit(IntEnum):
    BYTE = 1
    OBJECT = 2


class RevocationReasonCode(IntEnum):
    UNSPECIFIED = 1
    KEY_COMPROMISE = 2
    CA_COMPROMISE = 3
    AFFILIATION_CHANGED = 4
    SUPERSEDED = 5
    CESSATION_OF_OPERATION = 6
    PRIVILEGE_WITHDRAWN = 7


class AdjustmentType(IntEnum):
    INCREMENT = 1
    DECREMENT = 2
    NEGATE = 3
