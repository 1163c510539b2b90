"""The small structures that attributes, objects and payloads share (KMIP 2.1 §4, §7)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from ..errors import InvalidField
from .enums import (
    BlockCipherMode,
    CryptographicAlgorithm,
    DigitalSignatureAlgorithm,
    DRBGAlgorithm,
    HashingAlgorithm,
    KeyFormatType,
    LinkType,
    MaskGenerator,
    NameType,
    PaddingMethod,
    RecommendedCurve,
    RevocationReasonCode,
    RNGAlgorithm,
    UsageLimitsUnit,
)
from .schema import Custom, EnumerationNumber, LongInteger, Sparse, Tag
from .tables import TAG_NUMBERS, is_vendor_tag
from .ttlv import ItemType, Node, children_of


@dataclass(frozen=True)
class CryptographicParameters(Sparse):
    """How a key is to be used (KMIP 2.1 §4.16). Lengths are in bytes; None means not specified."""

    block_cipher_mode: BlockCipherMode | None = None
    padding_method: PaddingMethod | None = None
    hashing_algorithm: HashingAlgorithm | None = None
    key_role_type: EnumerationNumber | None = None
    digital_signature_algorithm: DigitalSignatureAlgorithm | None = None
    cryptographic_algorithm: CryptographicAlgorithm | None = None
    random_iv: bool | None = None
    iv_length: int | None = None
    tag_length: int | None = None
    fixed_field_length: int | None = None
    invocation_field_length: int | None = None
    counter_length: int | None = None
    initial_counter_value: int | None = None
    salt_length: int | None = None
    mask_generator: MaskGenerator | None = None
    mask_generator_hashing_algorithm: HashingAlgorithm | None = None
    p_source: bytes | None = None
    trailer_field: int | None = None


@dataclass(frozen=True, slots=True)
class CryptographicDomainParameters:
    """qlength: bits of the order of the base point; for DSA and DH, bits of q."""

    qlength: int | None = None
    recommended_curve: RecommendedCurve | None = None


@dataclass(frozen=True, slots=True)
class Name:
    name_value: str
    name_type: NameType = NameType.UNINTERPRETED_TEXT_STRING


@dataclass(frozen=True, slots=True)
class Link:
    link_type: LinkType
    linked_object_identifier: str


def _read_value(node: Node) -> Node:
    """Read a value. A tag without a number is refused: some exist in JSON, and no binary answer could contain them."""
    unchecked = [node]
    while unchecked:
        item = unchecked.pop()
        if item.tag not in TAG_NUMBERS and not is_vendor_tag(item.tag):
            raise InvalidField(f"{item.tag} cannot stand in {node.tag}")
        unchecked += children_of(item)
    return node


def _write_value(tag: str, node: Node) -> Node:
    return Node(tag, node.type, node.value)


@dataclass(frozen=True, slots=True)
class VendorAttribute:
    """An attribute that KMIP does not define (§4.58); its value keeps its TTLV type."""

    vendor_identification: str
    attribute_name: str
    attribute_value: Annotated[Node, Custom(_read_value, _write_value)]

    @classmethod
    def of_bytes(cls, vendor: str, name: str, value: bytes) -> VendorAttribute:
        return cls(vendor, name, Node("AttributeValue", ItemType.BYTE_STRING, value))

    @property
    def key(self) -> tuple[str, str]:
        """(vendor, name): each such pair is an attribute of its own."""
        return self.vendor_identification, self.attribute_name

    @property
    def octets(self) -> bytes | None:
        """The value of a TextString (in UTF-8) or a ByteString, which clients interchange; otherwise None."""
        value = self.attribute_value.value
        if isinstance(value, str):
            return value.encode()
        return value if isinstance(value, bytes) else None


@dataclass(frozen=True, slots=True)
class RevocationReason:
    """Why an object was revoked. Cosmian's clients send either a text or a number; the other field is then None."""

    revocation_reason_code: RevocationReasonCode | None = None
    revocation_message: str | None = None


@dataclass(frozen=True, slots=True)
class UsageLimits:
    """KMIP 2.1 §4.64. usage_limits_count: how much of the total is left; None means all of it."""

    usage_limits_total: LongInteger
    usage_limits_count: LongInteger | None = None
    usage_limits_unit: UsageLimitsUnit | None = None


@dataclass(frozen=True, slots=True)
class ApplicationSpecificInformation:
    application_namespace: str
    application_data: str | None = None


@dataclass(frozen=True, slots=True)
class AlternativeName:
    alternative_name_value: str
    alternative_name_type: EnumerationNumber


@dataclass(frozen=True, slots=True)
class RotateName:
    rotate_name_value: str
    rotate_name_type: EnumerationNumber


@dataclass(frozen=True, slots=True)
class Digest:
    hashing_algorithm: HashingAlgorithm
    digest_value: bytes | None = None
    key_format_type: KeyFormatType | None = None


@dataclass(frozen=True, slots=True)
class KeyValueLocation:
    key_value_location_value: str
    key_value_location_type: EnumerationNumber


@dataclass(frozen=True, slots=True)
class RandomNumberGenerator:
    """RNG Parameters (§7.17), under the tag of the attribute, or under RNGParameters in Query."""

    rng_algorithm: RNGAlgorithm
    cryptographic_algorithm: CryptographicAlgorithm | None = None
    cryptographic_length: int | None = None
    hashing_algorithm: HashingAlgorithm | None = None
    drbg_algorithm: DRBGAlgorithm | None = None
    recommended_curve: RecommendedCurve | None = None
    fips186_variation: EnumerationNumber | None = None
    prediction_resistance: bool | None = None


@dataclass(frozen=True, slots=True)
class ProtectionStorageMasks:
    """masks: each is one permitted combination (§7.33)."""

    masks: Annotated[tuple[int, ...], Tag("ProtectionStorageMask")] = ()


@dataclass(frozen=True, slots=True)
class DerivationParameters:
    """How a key is derived (KMIP 2.1 §7). iteration_count: of PBKDF2."""

    cryptographic_parameters: CryptographicParameters | None = None
    initialization_vector: bytes | None = None
    derivation_data: bytes | None = field(default=None, repr=False)
    salt: bytes | None = field(default=None, repr=False)
    iteration_count: int | None = None


@dataclass(frozen=True, slots=True)
class X509CertificateIdentifier:
    issuer_distinguished_name: bytes
    certificate_serial_number: bytes


@dataclass(frozen=True, slots=True)
class X509CertificateIssuer:
    issuer_distinguished_name: bytes
    issuer_alternative_names: Annotated[tuple[bytes, ...], Tag("IssuerAlternativeName")] = ()


@dataclass(frozen=True, slots=True)
class X509CertificateSubject:
    subject_distinguished_name: bytes
    subject_alternative_names: Annotated[tuple[bytes, ...], Tag("SubjectAlternativeName")] = ()
