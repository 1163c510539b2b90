"""The KMIP 2.1 enumerations that the code names, with the specification's numbers (§11, §12).

`enumerations.json` has all of them, and `tables` knows every name and spelling; a test compares the two.
Numbers from 0x80000000 on are extensions: those that Cosmian's clients may send.
"""

from __future__ import annotations

from .cryptography import (
    BlockCipherMode,
    CryptographicAlgorithm,
    DerivationMethod,
    DigitalSignatureAlgorithm,
    DRBGAlgorithm,
    HashingAlgorithm,
    MaskGenerator,
    PaddingMethod,
    RNGAlgorithm,
    ValidityIndicator,
)
from .keys import (
    EncodingOption,
    KeyCompressionType,
    KeyFormatType,
    KeyWrapType,
    RecommendedCurve,
    WrappingMethod,
)
from .messages import (
    BatchErrorContinuationOption,
    InteropFunction,
    Operation,
    ResultReason,
    ResultStatus,
)
from .objects import (
    AdjustmentType,
    CertificateType,
    CryptographicUsageMask,
    LinkType,
    NameType,
    ObjectGroupMember,
    ObjectType,
    OpaqueDataType,
    RevocationReasonCode,
    SecretDataType,
    State,
    UsageLimitsUnit,
)
from .query import (
    ClientRegistrationMethod,
    DestroyAction,
    QueryFunction,
    RNGMode,
    ShreddingAlgorithm,
    UnwrapMode,
)

__all__ = [
    "AdjustmentType",
    "BatchErrorContinuationOption",
    "BlockCipherMode",
    "CertificateType",
    "ClientRegistrationMethod",
    "CryptographicAlgorithm",
    "CryptographicUsageMask",
    "DRBGAlgorithm",
    "DerivationMethod",
    "DestroyAction",
    "DigitalSignatureAlgorithm",
    "EncodingOption",
    "HashingAlgorithm",
    "InteropFunction",
    "KeyCompressionType",
    "KeyFormatType",
    "KeyWrapType",
    "LinkType",
    "MaskGenerator",
    "NameType",
    "ObjectGroupMember",
    "ObjectType",
    "OpaqueDataType",
    "Operation",
    "PaddingMethod",
    "QueryFunction",
    "RNGAlgorithm",
    "RNGMode",
    "RecommendedCurve",
    "ResultReason",
    "ResultStatus",
    "RevocationReasonCode",
    "SecretDataType",
    "ShreddingAlgorithm",
    "State",
    "UnwrapMode",
    "UsageLimitsUnit",
    "ValidityIndicator",
    "WrappingMethod",
]
