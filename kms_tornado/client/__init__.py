"""A client of the server in Python (docs/python-client.md): `KMSClient` waits, `AsyncKMSClient` is awaited.

It imports nothing of the server, and its own parts when they are asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..errors import (
        AttributeInstanceNotFound,
        AttributeNotFound,
        AttributeReadOnly,
        AttributeSingleValued,
        AuthenticationNotSuccessful,
        BadCryptographicParameters,
        BadPassword,
        CryptographicFailure,
        EncodingOptionRefused,
        FeatureNotSupported,
        GeneralFailure,
        IncompatibleCryptographicUsageMask,
        InvalidAttribute,
        InvalidAttributeValue,
        InvalidCorrelationValue,
        InvalidDataType,
        InvalidField,
        InvalidMessage,
        InvalidObjectType,
        ItemNotFound,
        KeyCompressionTypeNotSupported,
        KeyFormatTypeNotSupported,
        KeyWrapTypeNotSupported,
        KMIPError,
        KMSError,
        MissingData,
        MissingInitializationVector,
        MultiValuedAttribute,
        NonUniqueName,
        NotExtractable,
        NumericRange,
        ObjectAlreadyExists,
        ObjectArchived,
        ObjectDestroyed,
        OperationNotSupported,
        PermissionDenied,
        PrivateProtectionStorageUnavailable,
        ProtectionStorageUnavailable,
        PublicProtectionStorageUnavailable,
        ResponseTooLarge,
        SensitiveObject,
        ServerLimitExceeded,
        UnknownMessageExtension,
        UnsupportedCryptographicParameters,
        UnsupportedProtocolVersion,
        UsageLimitExceeded,
        WrongKeyLifecycleState,
    )
    from .asynchronous import AsyncKMSClient
    from .blocking import KMSClient
    from .calls.access import Grant, ObtainedObject, OwnedObject
    from .calls.audit import AuditRecords
    from .calls.cryptography import Ciphertext
    from .calls.keys import KeyPair
    from .connection import (
        ConnectionSettings,
        DPoPToken,
        PEMPair,
        PKCS12File,
        ProxySettings,
        TokenSource,
    )
    from .errors import (
        AccessDenied,
        AuthenticationFailed,
        ClientError,
        ClientWarning,
        ConnectionFailed,
        InvalidSettings,
        RequestTooLarge,
        ServerUnavailable,
        TokenExpired,
        TooManyRequests,
        UnexpectedAnswer,
    )
    from .proof_key import ProofKey

#: The module of each name; those of `..errors`, one a result reason, are the others.
_HOMES = {
    "AsyncKMSClient": ".asynchronous",
    "KMSClient": ".blocking",
    **dict.fromkeys(("Grant", "ObtainedObject", "OwnedObject"), ".calls.access"),
    "AuditRecords": ".calls.audit",
    "Ciphertext": ".calls.cryptography",
    "KeyPair": ".calls.keys",
    **dict.fromkeys(
        (
            "ConnectionSettings",
            "DPoPToken",
            "PEMPair",
            "PKCS12File",
            "ProxySettings",
            "TokenSource",
        ),
        ".connection",
    ),
    "ProofKey": ".proof_key",
    **dict.fromkeys(
        (
            "AccessDenied",
            "AuthenticationFailed",
            "ClientError",
            "ClientWarning",
            "ConnectionFailed",
            "InvalidSettings",
            "RequestTooLarge",
            "ServerUnavailable",
            "TokenExpired",
            "TooManyRequests",
            "UnexpectedAnswer",
        ),
        ".errors",
    ),
}

__all__ = [
    "AccessDenied",
    "AsyncKMSClient",
    "AttributeInstanceNotFound",
    "AttributeNotFound",
    "AttributeReadOnly",
    "AttributeSingleValued",
    "AuditRecords",
    "AuthenticationFailed",
    "AuthenticationNotSuccessful",
    "BadCryptographicParameters",
    "BadPassword",
    "Ciphertext",
    "ClientError",
    "ClientWarning",
    "ConnectionFailed",
    "ConnectionSettings",
    "CryptographicFailure",
    "DPoPToken",
    "EncodingOptionRefused",
    "FeatureNotSupported",
    "GeneralFailure",
    "Grant",
    "IncompatibleCryptographicUsageMask",
    "InvalidAttribute",
    "InvalidAttributeValue",
    "InvalidCorrelationValue",
    "InvalidDataType",
    "InvalidField",
    "InvalidMessage",
    "InvalidObjectType",
    "InvalidSettings",
    "ItemNotFound",
    "KMIPError",
    "KMSClient",
    "KMSError",
    "KeyCompressionTypeNotSupported",
    "KeyFormatTypeNotSupported",
    "KeyPair",
    "KeyWrapTypeNotSupported",
    "MissingData",
    "MissingInitializationVector",
    "MultiValuedAttribute",
    "NonUniqueName",
    "NotExtractable",
    "NumericRange",
    "ObjectAlreadyExists",
    "ObjectArchived",
    "ObjectDestroyed",
    "ObtainedObject",
    "OperationNotSupported",
    "OwnedObject",
    "PEMPair",
    "PKCS12File",
    "PermissionDenied",
    "PrivateProtectionStorageUnavailable",
    "ProofKey",
    "ProtectionStorageUnavailable",
    "ProxySettings",
    "PublicProtectionStorageUnavailable",
    "RequestTooLarge",
    "ResponseTooLarge",
    "SensitiveObject",
    "ServerLimitExceeded",
    "ServerUnavailable",
    "TokenExpired",
    "TokenSource",
    "TooManyRequests",
    "UnexpectedAnswer",
    "UnknownMessageExtension",
    "UnsupportedCryptographicParameters",
    "UnsupportedProtocolVersion",
    "UsageLimitExceeded",
    "WrongKeyLifecycleState",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "..errors"), __name__), name)


def __dir__() -> list[str]:
    return __all__
