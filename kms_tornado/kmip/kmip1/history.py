"""What KMIP 1.0 to 1.4 lack of KMIP 2.0, version by version, as rows of `versions.HISTORY`.

They follow the chapters of the five specifications. Attributes and fields are named as in KMIP 2, because the gate
stands between the translation and the declarations. Anything that KMIP 1 has and KMIP 2 dropped is not declared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..enums import KeyFormatType, LinkType, ObjectType, Operation, QueryFunction, ResultReason
from ..ttlv import ItemType
from ..vocabulary import Changes, ProtocolVersion, Vocabulary

_R = ResultReason


def _row(
    *,
    attributes: str = "",
    fields: Mapping[str, str] | None = None,
    late_fields: Mapping[str, str] | None = None,
    operations: Iterable[int] = (),
    values: Mapping[str, Iterable[int]] | None = None,
    taken_early: Mapping[str, Iterable[int]] | None = None,
    reasons: Mapping[ResultReason, ResultReason] | None = None,
    reasons_by_operation: Mapping[tuple[str, ResultReason], ResultReason] | None = None,
    formats: Mapping[KeyFormatType, int] | None = None,
    **more: Any,
) -> Changes:
    """A row of the history.

    fields: {tags of structures: tags of their fields}; all of them are accepted early, because clients send them.
    late_fields: the same, but not accepted early: the answer of an older version would lack what they ask for.
    values, taken_early: {name of the enumeration: numbers}.
    reasons, formats: {new value: its replacement in answers of older versions}.
    reasons_by_operation: {(tag of the operation, new reason): its replacement there}, where it is another one.
    """
    pairs, late_pairs = _field_pairs(fields or {}), _field_pairs(late_fields or {})
    early = _pairs(taken_early or {})
    new_values = {
        *(("Operation", int(operation)) for operation in operations),
        *(("ResultReason", int(reason)) for reason in reasons or {}),
        *(("KeyFormatType", int(new)) for new in formats or {}),
        *_pairs(values or {}),
        *early,
    }
    return Changes(
        added=Vocabulary(
            frozenset(attributes.split()),
            fields=pairs | late_pairs,
            values=frozenset(new_values),
            **more,
        ),
        taken_early=Vocabulary(fields=pairs, values=early),
        stand_ins={
            **{("ResultReason", int(new)): int(older) for new, older in (reasons or {}).items()},
            **{
                (operation, int(new)): int(older)
                for (operation, new), older in (reasons_by_operation or {}).items()
            },
            **{("KeyFormatType", int(new)): older for new, older in (formats or {}).items()},
        },
    )


def _field_pairs(fields: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset(
        (structure, field)
        for structures, names in fields.items()
        for structure in structures.split()
        for field in names.split()
    )


def _pairs(values: Mapping[str, Iterable[int]]) -> frozenset[tuple[str, int]]:
    return frozenset((name, number) for name, numbers in values.items() for number in numbers)


_CRYPTOGRAPHIC = "Encrypt Decrypt Sign SignatureVerify MAC MACVerify Hash"
_RDN = "CN O OU Email C ST L UID SerialNumber Title DC DNQualifier"

KMIP1: Mapping[ProtocolVersion, Changes] = {
    ProtocolVersion(1, 0): Changes(),
    ProtocolVersion(1, 1): _row(
        attributes=(
            "CertificateLength X_509CertificateIdentifier X_509CertificateSubject "
            "X_509CertificateIssuer DigitalSignatureAlgorithm Fresh"
        ),
        fields={
            "KeyWrappingData KeyWrappingSpecification": "EncodingOption",
            "QueryResponse": "ExtensionInformation",
            "Digest": "KeyFormatType",
            "Locate": "ObjectGroupMember",
        },
        operations=(Operation.RE_KEY_KEY_PAIR, Operation.DISCOVER_VERSIONS),
        taken_early={"QueryFunction": (5, 6), "CredentialType": (2,)},
        reasons={_R.ENCODING_OPTION_ERROR: _R.INVALID_FIELD},
    ),
    ProtocolVersion(1, 2): _row(
        attributes="AlternativeName KeyValuePresent KeyValueLocation OriginalCreationDate",
        fields={
            "RequestHeader": "AttestationCapableIndicator AttestationType",
            "ResponseHeader": "Nonce AttestationType",
            "QueryResponse": "AttestationType",
            "CryptographicParameters": (
                "DigitalSignatureAlgorithm CryptographicAlgorithm RandomIV IVLength TagLength "
                "FixedFieldLength InvocationFieldLength CounterLength InitialCounterValue"
            ),
        },
        operations=range(Operation.ENCRYPT, Operation.IMPORT),
        values={
            "ObjectType": (ObjectType.PGP_KEY,),
            "LinkType": range(LinkType.PARENT_LINK, LinkType.PKCS12_CERTIFICATE_LINK),
            "CryptographicAlgorithm": range(0x1A, 0x1B),
            "HashingAlgorithm": range(0x0C, 0x0E),
            "RecommendedCurve": range(0x10, 0x45),
        },
        taken_early={"QueryFunction": (7,), "CredentialType": (3,)},
        reasons={
            _R.KEY_VALUE_NOT_PRESENT: _R.GENERAL_FAILURE,
            _R.ATTESTATION_REQUIRED: _R.GENERAL_FAILURE,
            _R.ATTESTATION_FAILED: _R.GENERAL_FAILURE,
        },
    ),
    ProtocolVersion(1, 3): _row(
        attributes="RandomNumberGenerator",
        late_fields={_CRYPTOGRAPHIC: "CorrelationValue InitIndicator FinalIndicator"},
        fields={
            " ".join(f"{name}Response" for name in _CRYPTOGRAPHIC.split()): "CorrelationValue",
            "Locate": "OffsetItems",
            "LocateResponse": "LocatedItems",
            "QueryResponse": (
                "RNGParameters ProfileInformation ValidationInformation CapabilityInformation "
                "ClientRegistrationMethod"
            ),
        },
        values={
            "CryptographicAlgorithm": (0x1B,),
            "DerivationMethod": (8,),
        },
        formats={
            # Before 1.3 there is one for each algorithm (`key_values`); this one is that for ECDSA.
            KeyFormatType.TRANSPARENT_EC_PRIVATE_KEY: 0x0E,
            KeyFormatType.TRANSPARENT_EC_PUBLIC_KEY: 0x0F,
        },
        taken_early={"QueryFunction": range(8, 13)},
    ),
    ProtocolVersion(1, 4): _row(
        attributes=(
            "Description Comment Sensitive AlwaysSensitive Extractable NeverExtractable "
            "PKCS_12FriendlyName"
        ),
        fields={
            "Get": "KeyWrapType",
            "Encrypt Decrypt": "AuthenticatedEncryptionAdditionalData",
            "Decrypt EncryptResponse": "AuthenticatedEncryptionTag",
            "Sign SignatureVerify": "DigestedData",
            "CryptographicParameters": (
                "SaltLength MaskGenerator MaskGeneratorHashingAlgorithm PSource TrailerField"
            ),
            "CapabilityInformation": "BatchUndoCapability BatchContinueCapability",
            "RequestHeader": "ClientCorrelationValue ServerCorrelationValue",
            "ResponseHeader": "ClientCorrelationValue ServerCorrelationValue",
        },
        operations=(Operation.IMPORT, Operation.EXPORT),
        values={
            "LinkType": (LinkType.PKCS12_CERTIFICATE_LINK, LinkType.PKCS12_PASSWORD_LINK),
            "HashingAlgorithm": range(0x0E, 0x12),
            "CryptographicAlgorithm": range(0x1C, 0x29),
            "BlockCipherMode": (0x12,),
            "DigitalSignatureAlgorithm": range(0x11, 0x14),
            "KeyFormatType": (0x16,),
            "KeyRoleType": range(0x16, 0x19),
        },
        reasons={
            _R.SENSITIVE: _R.PERMISSION_DENIED,
            _R.NOT_EXTRACTABLE: _R.PERMISSION_DENIED,
            _R.OBJECT_ALREADY_EXISTS: _R.INVALID_FIELD,
        },
    ),
}

#: Result reasons of KMIP 2.0 → what comes nearest in KMIP 1; all that are not named here are General Failure.
_REASONS_OF_2_0 = {
    _R.OBJECT_NOT_FOUND: _R.ITEM_NOT_FOUND,
    _R.OBJECT_DESTROYED: _R.ITEM_NOT_FOUND,
    _R.WRAPPING_OBJECT_NOT_FOUND: _R.ITEM_NOT_FOUND,
    _R.WRAPPING_OBJECT_DESTROYED: _R.ITEM_NOT_FOUND,
    _R.ATTRIBUTE_NOT_FOUND: _R.ITEM_NOT_FOUND,
    _R.ATTRIBUTE_INSTANCE_NOT_FOUND: _R.ITEM_NOT_FOUND,
    _R.NON_UNIQUE_NAME_ATTRIBUTE: _R.INVALID_FIELD,
    _R.INVALID_ATTRIBUTE: _R.INVALID_FIELD,
    _R.INVALID_ATTRIBUTE_VALUE: _R.INVALID_FIELD,
    _R.INVALID_DATA_TYPE: _R.INVALID_FIELD,
    _R.INVALID_OBJECT_TYPE: _R.INVALID_FIELD,
    _R.INVALID_CORRELATION_VALUE: _R.INVALID_FIELD,
    _R.ILLEGAL_OBJECT_TYPE: _R.INVALID_FIELD,
    _R.NUMERIC_RANGE: _R.INVALID_FIELD,
    _R.UNKNOWN_ENUMERATION: _R.INVALID_FIELD,
    _R.UNKNOWN_TAG: _R.INVALID_FIELD,
    _R.UNSUPPORTED_ATTRIBUTE: _R.INVALID_FIELD,
    _R.UNSUPPORTED_CRYPTOGRAPHIC_PARAMETERS: _R.INVALID_FIELD,
    _R.MULTI_VALUED_ATTRIBUTE: _R.INVALID_FIELD,
    _R.ATTRIBUTE_SINGLE_VALUED: _R.ILLEGAL_OPERATION,  # "the specified attribute already exists" (1.4 §11.15)
    _R.ATTRIBUTE_READ_ONLY: _R.PERMISSION_DENIED,
    _R.READ_ONLY_ATTRIBUTE: _R.PERMISSION_DENIED,
    _R.USAGE_LIMIT_EXCEEDED: _R.PERMISSION_DENIED,
    _R.WRONG_KEY_LIFECYCLE_STATE: _R.PERMISSION_DENIED,
    _R.INCOMPATIBLE_CRYPTOGRAPHIC_USAGE_MASK: _R.PERMISSION_DENIED,
    _R.NOT_AUTHORISED: _R.PERMISSION_DENIED,
    _R.BAD_CRYPTOGRAPHIC_PARAMETERS: _R.CRYPTOGRAPHIC_FAILURE,
    _R.BAD_PASSWORD: _R.CRYPTOGRAPHIC_FAILURE,
    _R.MISSING_INITIALIZATION_VECTOR: _R.CRYPTOGRAPHIC_FAILURE,
    _R.KEY_WRAP_TYPE_NOT_SUPPORTED: _R.FEATURE_NOT_SUPPORTED,
    _R.UNKNOWN_MESSAGE_EXTENSION: _R.FEATURE_NOT_SUPPORTED,
    _R.CODEC_ERROR: _R.INVALID_MESSAGE,
    _R.UNSUPPORTED_PROTOCOL_VERSION: _R.INVALID_MESSAGE,
}

#: Where the table of an operation has another reason (1.4 §11.12, §11.15, §11.16, §11.19, §11.20).
_REASONS_BY_OPERATION = {
    ("Get", _R.INVALID_OBJECT_TYPE): _R.ILLEGAL_OPERATION,
    ("Export", _R.INVALID_OBJECT_TYPE): _R.ILLEGAL_OPERATION,
    ("AddAttribute", _R.NON_UNIQUE_NAME_ATTRIBUTE): _R.ILLEGAL_OPERATION,
    ("ModifyAttribute", _R.NON_UNIQUE_NAME_ATTRIBUTE): _R.ILLEGAL_OPERATION,
    ("ModifyAttribute", _R.ATTRIBUTE_NOT_FOUND): _R.INVALID_FIELD,
    ("GetUsageAllocation", _R.ATTRIBUTE_NOT_FOUND): _R.ILLEGAL_OPERATION,
    ("GetUsageAllocation", _R.INCOMPATIBLE_CRYPTOGRAPHIC_USAGE_MASK): _R.ILLEGAL_OPERATION,
    ("Activate", _R.OBJECT_DESTROYED): _R.PERMISSION_DENIED,
}

CHANGES_IN_2_0: Changes = _row(
    attributes=(
        "ShortUniqueIdentifier KeyFormatType ProtectionLevel ProtectionPeriod "
        "ProtectionStorageMask QuantumSafe NISTKeyType OpaqueDataType ObjectGroupMember "
        + " ".join(
            f"Certificate{side}{name}" for side in ("Issuer", "Subject") for name in _RDN.split()
        )
    ),
    fields={
        "BatchItem": "Ephemeral",
        "Create Register ReKey": "ProtectionStorageMasks",
        "CreateKeyPair ReKeyKeyPair": (
            "CommonProtectionStorageMasks PrivateProtectionStorageMasks "
            "PublicProtectionStorageMasks"
        ),
        "QueryResponse": "DefaultsInformation ProtectionStorageMask",
        "ServerInformation": (
            "ServerName ServerSerialNumber ServerVersion ServerLoad ProductName BuildLevel BuildDate "
            "ClusterInfo"
        ),
        "CapabilityInformation": "QuantumSafeCapability",
    },
    operations=range(Operation.LOG, Operation.SET_DEFAULTS),
    values={
        "ObjectType": (ObjectType.CERTIFICATE_REQUEST,),
        "LinkType": (LinkType.WRAPPING_KEY_LINK,),
        "QueryFunction": (
            QueryFunction.QUERY_DEFAULTS_INFORMATION,
            QueryFunction.QUERY_STORAGE_PROTECTION_MASKS,
        ),
        "CryptographicAlgorithm": range(0x29, 0x39),
        "KeyFormatType": (0x17,),
        "RecommendedCurve": (0x45, 0x46),
        "DerivationMethod": (9, 10),
        "CredentialType": range(4, 7),
        # The profiles of KMIP 1 have other numbers.
        "ProfileName": range(0x104, 0x12D),
        # An identifier is a text; what stands for the ID placeholder came with 2.0.
        "UniqueIdentifier": range(1, 18),
    },
    bits=frozenset(
        {
            *(("CryptographicUsageMask", 1 << number) for number in range(20, 24)),
            ("StorageStatusMask", 4),  # of destroyed objects
        }
    ),
    item_types=frozenset({ItemType.DATE_TIME_EXTENDED}),
    reasons={
        **{reason: _R.GENERAL_FAILURE for reason in _R if 0x19 <= reason < 0x4A},
        **_REASONS_OF_2_0,
    },
    reasons_by_operation=_REASONS_BY_OPERATION,
)
