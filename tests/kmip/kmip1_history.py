"""KMIP 1.0 to 1.4 as rows of the table in `kms_tornado.kmip.versions`, to try the gate with.

They have what differs between these versions in attributes, fields, operations and result reasons, by
the chapters of the five specifications. They are not the product's: it does not speak KMIP 1 yet.
"""

from __future__ import annotations

from kms_tornado.kmip.enums import LinkType, ObjectType, Operation, QueryFunction, ResultReason
from kms_tornado.kmip.ttlv import ItemType
from kms_tornado.kmip.versions import HISTORY, Changes, ProtocolVersion, Vocabulary

R = ResultReason


def row(
    *,
    attributes: str = "",
    fields: dict[str, str] | None = None,
    operations: tuple[Operation, ...] = (),
    reasons: dict[ResultReason, ResultReason] | None = None,
    **more: frozenset,
) -> Changes:
    """fields: {tags of structures: tags of their fields}; all are taken early."""
    pairs = frozenset(
        (structure, field)
        for structures, names in (fields or {}).items()
        for structure in structures.split()
        for field in names.split()
    )
    values = {
        *(("Operation", int(operation)) for operation in operations),
        *(("ResultReason", int(reason)) for reason in reasons or {}),
        *more.pop("values", ()),
    }
    return Changes(
        added=Vocabulary(frozenset(attributes.split()), fields=pairs, values=values, **more),
        taken_early=Vocabulary(fields=pairs),
        stand_ins={
            ("ResultReason", int(reason)): int(older) for reason, older in (reasons or {}).items()
        },
    )


_CRYPTOGRAPHIC = "Encrypt Decrypt Sign SignatureVerify MAC MACVerify Hash"
_RDN = "CN O OU Email C ST L UID SerialNumber Title DC DNQualifier"

KMIP1 = {
    ProtocolVersion(1, 0): Changes(),
    ProtocolVersion(1, 1): row(
        attributes=(
            "CertificateLength X_509CertificateIdentifier X_509CertificateSubject "
            "X_509CertificateIssuer DigitalSignatureAlgorithm Fresh"
        ),
        fields={
            "KeyWrappingData KeyWrappingSpecification": "EncodingOption",
            "QueryResponse": "ExtensionInformation",
        },
        operations=(Operation.RE_KEY_KEY_PAIR, Operation.DISCOVER_VERSIONS),
        reasons={R.ENCODING_OPTION_ERROR: R.GENERAL_FAILURE},
    ),
    ProtocolVersion(1, 2): row(
        attributes="AlternativeName KeyValuePresent KeyValueLocation OriginalCreationDate",
        fields={
            "RequestHeader": "AttestationCapableIndicator AttestationType",
            "ResponseHeader": "Nonce AttestationType",
            "CryptographicParameters": (
                "DigitalSignatureAlgorithm CryptographicAlgorithm RandomIV IVLength TagLength "
                "FixedFieldLength InvocationFieldLength CounterLength InitialCounterValue"
            ),
        },
        operations=tuple(Operation(number) for number in range(31, 42)),
        values=frozenset({("ObjectType", int(ObjectType.PGP_KEY))}),
        reasons={
            R.KEY_VALUE_NOT_PRESENT: R.GENERAL_FAILURE,
            R.ATTESTATION_REQUIRED: R.GENERAL_FAILURE,
            R.ATTESTATION_FAILED: R.GENERAL_FAILURE,
        },
    ),
    ProtocolVersion(1, 3): row(
        attributes="RandomNumberGenerator",
        fields={
            _CRYPTOGRAPHIC: "CorrelationValue InitIndicator FinalIndicator",
            " ".join(f"{name}Response" for name in _CRYPTOGRAPHIC.split()): "CorrelationValue",
            "Locate": "OffsetItems",
            "LocateResponse": "LocatedItems",
            "QueryResponse": (
                "RNGParameters ProfileInformation ValidationInformation CapabilityInformation "
                "ClientRegistrationMethod"
            ),
        },
        values=frozenset(("QueryFunction", number) for number in range(8, 13)),
    ),
    ProtocolVersion(1, 4): row(
        attributes=(
            "Description Comment Sensitive AlwaysSensitive Extractable NeverExtractable "
            "PKCS_12FriendlyName"
        ),
        fields={
            "Get Export Import": "KeyWrapType",
            "Encrypt Decrypt": "AuthenticatedEncryptionAdditionalData",
            "Decrypt EncryptResponse": "AuthenticatedEncryptionTag",
            "Sign SignatureVerify": "DigestedData",
            "CryptographicParameters": (
                "SaltLength MaskGenerator MaskGeneratorHashingAlgorithm PSource TrailerField"
            ),
            "RequestHeader": "ClientCorrelationValue ServerCorrelationValue",
            "ResponseHeader": "ClientCorrelationValue ServerCorrelationValue",
        },
        operations=(Operation.IMPORT, Operation.EXPORT),
        values=frozenset(
            {
                ("LinkType", int(LinkType.PKCS12_CERTIFICATE_LINK)),
                ("LinkType", int(LinkType.PKCS12_PASSWORD_LINK)),
                *(("HashingAlgorithm", number) for number in range(14, 18)),
            }
        ),
        reasons={
            R.SENSITIVE: R.PERMISSION_DENIED,
            R.NOT_EXTRACTABLE: R.PERMISSION_DENIED,
            R.OBJECT_ALREADY_EXISTS: R.INVALID_FIELD,
        },
    ),
    ProtocolVersion(2, 0): row(
        attributes=(
            "ShortUniqueIdentifier KeyFormatType ProtectionLevel ProtectionPeriod "
            "ProtectionStorageMask QuantumSafe NISTKeyType OpaqueDataType ObjectGroupMember "
            + " ".join(
                f"Certificate{side}{name}"
                for side in ("Issuer", "Subject")
                for name in _RDN.split()
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
            "CapabilityInformation": "QuantumSafeCapability",
        },
        operations=tuple(Operation(number) for number in range(44, 54)),
        values=frozenset(
            {
                ("ObjectType", int(ObjectType.CERTIFICATE_REQUEST)),
                ("LinkType", int(LinkType.WRAPPING_KEY_LINK)),
                ("QueryFunction", int(QueryFunction.QUERY_DEFAULTS_INFORMATION)),
                ("QueryFunction", int(QueryFunction.QUERY_STORAGE_PROTECTION_MASKS)),
                # An identifier is a text; what stands for the ID placeholder came with 2.0.
                *(("UniqueIdentifier", number) for number in range(1, 18)),
            }
        ),
        bits=frozenset(("CryptographicUsageMask", 1 << number) for number in range(20, 24)),
        item_types=frozenset({ItemType.DATE_TIME_EXTENDED}),
        reasons={
            **{reason: R.GENERAL_FAILURE for reason in R if 0x19 <= reason < 0x4A},
            R.OBJECT_NOT_FOUND: R.ITEM_NOT_FOUND,
            R.OBJECT_DESTROYED: R.ITEM_NOT_FOUND,
            R.NON_UNIQUE_NAME_ATTRIBUTE: R.INVALID_FIELD,
            R.INVALID_ATTRIBUTE: R.INVALID_FIELD,
            R.INVALID_ATTRIBUTE_VALUE: R.INVALID_FIELD,
            R.UNSUPPORTED_ATTRIBUTE: R.INVALID_FIELD,
            R.UNSUPPORTED_CRYPTOGRAPHIC_PARAMETERS: R.INVALID_FIELD,
            R.WRONG_KEY_LIFECYCLE_STATE: R.PERMISSION_DENIED,
            R.INCOMPATIBLE_CRYPTOGRAPHIC_USAGE_MASK: R.PERMISSION_DENIED,
            R.NOT_AUTHORISED: R.PERMISSION_DENIED,
            R.BAD_CRYPTOGRAPHIC_PARAMETERS: R.CRYPTOGRAPHIC_FAILURE,
            R.MISSING_INITIALIZATION_VECTOR: R.CRYPTOGRAPHIC_FAILURE,
            R.UNSUPPORTED_PROTOCOL_VERSION: R.INVALID_MESSAGE,
        },
    ),
}

#: As the product's would be, if it spoke all seven.
ALL_VERSIONS = {**KMIP1, ProtocolVersion(2, 1): HISTORY[ProtocolVersion(2, 1)]}
