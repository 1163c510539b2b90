"""The attributes of a managed object (KMIP 2.1 §4) as one value, and the tags among them.

An attribute that is not declared here is refused by name, so that nothing that a client sets is lost
silently. Tags are a vendor attribute (docs/dialects.md, "Identifiers, tags and links"), which
`parse_user_tags` and `with_user_tags` read and write.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

from .. import strict_json
from ..errors import InvalidAttributeValue, InvalidField
from .enums import (
    CertificateType,
    CryptographicAlgorithm,
    KeyFormatType,
    ObjectGroupMember,
    ObjectType,
    State,
)
from .schema import DateTime, EnumerationNumber, Interval, Sparse, Tag
from .structures import (
    AlternativeName,
    ApplicationSpecificInformation,
    CryptographicDomainParameters,
    CryptographicParameters,
    Digest,
    KeyValueLocation,
    Link,
    Name,
    RandomNumberGenerator,
    RevocationReason,
    RotateName,
    UsageLimits,
    VendorAttribute,
    X509CertificateIdentifier,
    X509CertificateIssuer,
    X509CertificateSubject,
)

#: The vendor attribute that holds the tags; the published clients know no other name.
TAG_VENDOR = "cosmian"
TAG_NAME = "tag"


@dataclass(frozen=True, kw_only=True)
class Attributes(Sparse):
    """The attributes of a managed object. Dates are seconds since the Unix epoch. None and () mean that one is not set.

    An instance holds the attributes that are set; the others are defaults of the class (see `_init_set_fields`). Fields
    are declared in the order in which Cosmian's server writes them: by tag, vendor attributes last.
    """

    # Not an attribute: the store keeps the text here that it stores for these attributes.
    __slots__ = ("_stored_text",)

    activation_date: DateTime | None = None
    alternative_names: Annotated[tuple[AlternativeName, ...], Tag("AlternativeName")] = ()
    always_sensitive: bool | None = None
    application_specific_information: tuple[ApplicationSpecificInformation, ...] = ()
    archive_date: DateTime | None = None
    certificate_issuer_cn: tuple[str, ...] = ()
    certificate_issuer_o: tuple[str, ...] = ()
    certificate_issuer_ou: tuple[str, ...] = ()
    certificate_issuer_email: tuple[str, ...] = ()
    certificate_issuer_c: tuple[str, ...] = ()
    certificate_issuer_st: tuple[str, ...] = ()
    certificate_issuer_l: tuple[str, ...] = ()
    certificate_issuer_uid: tuple[str, ...] = ()
    certificate_issuer_serial_number: tuple[str, ...] = ()
    certificate_issuer_title: tuple[str, ...] = ()
    certificate_issuer_dc: tuple[str, ...] = ()
    certificate_issuer_dn_qualifier: tuple[str, ...] = ()
    certificate_length: int | None = None
    certificate_subject_cn: tuple[str, ...] = ()
    certificate_subject_o: tuple[str, ...] = ()
    certificate_subject_ou: tuple[str, ...] = ()
    certificate_subject_email: tuple[str, ...] = ()
    certificate_subject_c: tuple[str, ...] = ()
    certificate_subject_st: tuple[str, ...] = ()
    certificate_subject_l: tuple[str, ...] = ()
    certificate_subject_uid: tuple[str, ...] = ()
    certificate_subject_serial_number: tuple[str, ...] = ()
    certificate_subject_title: tuple[str, ...] = ()
    certificate_subject_dc: tuple[str, ...] = ()
    certificate_subject_dn_qualifier: tuple[str, ...] = ()
    certificate_type: CertificateType | None = None
    comment: str | None = None
    compromise_date: DateTime | None = None
    compromise_occurrence_date: DateTime | None = None
    contact_information: str | None = None
    cryptographic_algorithm: CryptographicAlgorithm | None = None
    cryptographic_domain_parameters: CryptographicDomainParameters | None = None
    cryptographic_length: int | None = None
    cryptographic_parameters: CryptographicParameters | None = None
    cryptographic_usage_mask: int | None = None
    deactivation_date: DateTime | None = None
    description: str | None = None
    destroy_date: DateTime | None = None
    digests: Annotated[tuple[Digest, ...], Tag("Digest")] = ()
    digital_signature_algorithms: Annotated[
        tuple[EnumerationNumber, ...], Tag("DigitalSignatureAlgorithm")
    ] = ()
    extractable: bool | None = None
    fresh: bool | None = None
    initial_date: DateTime | None = None
    key_format_type: KeyFormatType | None = None
    key_value_location: tuple[KeyValueLocation, ...] = ()
    key_value_present: bool | None = None
    last_change_date: DateTime | None = None
    lease_time: Interval | None = None
    links: Annotated[tuple[Link, ...], Tag("Link")] = ()
    names: Annotated[tuple[Name, ...], Tag("Name")] = ()
    never_extractable: bool | None = None
    nist_key_types: Annotated[tuple[EnumerationNumber, ...], Tag("NISTKeyType")] = ()
    object_groups: Annotated[tuple[str, ...], Tag("ObjectGroup")] = ()
    object_group_member: ObjectGroupMember | None = None
    object_type: ObjectType | None = None
    opaque_data_type: EnumerationNumber | None = None
    original_creation_date: DateTime | None = None
    pkcs_12_friendly_name: str | None = None
    process_start_date: DateTime | None = None
    protect_stop_date: DateTime | None = None
    protection_level: EnumerationNumber | None = None
    protection_period: Interval | None = None
    protection_storage_mask: int | None = None
    quantum_safe: bool | None = None
    random_number_generator: RandomNumberGenerator | None = None
    revocation_reason: RevocationReason | None = None
    rotate_automatic: bool | None = None
    rotate_date: DateTime | None = None
    rotate_generation: int | None = None
    rotate_interval: Interval | None = None
    rotate_latest: bool | None = None
    rotate_name: RotateName | None = None
    rotate_offset: Interval | None = None
    sensitive: bool | None = None
    short_unique_identifier: bytes | None = None
    state: State | None = None
    unique_identifier: str | None = None
    usage_limits: UsageLimits | None = None
    x_509_certificate_identifier: X509CertificateIdentifier | None = None
    x_509_certificate_issuer: X509CertificateIssuer | None = None
    x_509_certificate_subject: X509CertificateSubject | None = None
    vendor_attributes: Annotated[tuple[VendorAttribute, ...], Tag("Attribute")] = ()

    def set_fields(self) -> dict[str, Any]:
        """{field name: value} of the attributes that are set."""
        return {
            name: value for name, value in vars(self).items() if value is not None and value != ()
        }

    def replace(self, **changes: Any) -> Attributes:
        """A copy with these changes. `dataclasses.replace` would go through all ninety fields."""
        copy = object.__new__(Attributes)
        vars(copy).update(vars(self))
        _init_set_fields(copy, **changes)
        return copy

    def __repr__(self) -> str:
        """Only the attributes that are set; otherwise a log line would fill three screens."""
        shown = (f"{name}={value!r}" for name, value in self.set_fields().items())
        return f"Attributes({', '.join(shown)})"


_NAMES = frozenset(field.name for field in dataclasses.fields(Attributes))


def _init_set_fields(self: Attributes, **values: Any) -> None:
    """Replaces the dataclass's `__init__`, which sets all ninety fields and takes a tenth of the time of a Get."""
    if not values.keys() <= _NAMES:
        raise TypeError(f"Attributes has no {', '.join(values.keys() - _NAMES)}")
    vars(self).update(values)


Attributes.__init__ = _init_set_fields  # type: ignore[method-assign]


#: Values of attributes above which it takes over a millisecond to go through them all.
MANY_VALUES = 50


def count_values(attributes: Attributes) -> int:
    """The number of values of those attributes that may have any number of them.

    The time for work on them grows with it.
    """
    return sum([len(value) for value in vars(attributes).values() if type(value) is tuple])


# --- tags ---------------------------------------------------------------------------------------


def parse_user_tags(attributes: Attributes) -> frozenset[str]:
    """The client's tags; the empty set where there are none.

    Raises InvalidField where the tag attribute is given twice, InvalidAttributeValue where it is not a
    JSON array of strings, or where a tag is empty or starts with the underscore of the server's own tags.
    """
    tags = parse_search_tags(attributes)
    for tag in tags:
        if not tag or tag.startswith("_"):
            raise InvalidAttributeValue("a tag may not be empty nor start with an underscore")
    return tags


def parse_search_tags(attributes: Attributes) -> frozenset[str]:
    """The tags of a Locate, which may search for the server's own too. Raises as `parse_user_tags` does."""
    tag_attributes = [
        attribute for attribute in attributes.vendor_attributes if is_tag_attribute(attribute)
    ]
    if not tag_attributes:
        return frozenset()
    if len(tag_attributes) > 1:
        raise InvalidField("the tag attribute is given twice")
    return _parse_tags(tag_attributes[0].octets)


def with_user_tags(attributes: Attributes, tags: Iterable[str]) -> Attributes:
    """A copy with exactly these tags, and without a tag attribute where there are none."""
    attributes = without_tags(attributes)
    sorted_tags = sorted(tags)
    if not sorted_tags:
        return attributes
    text = json.dumps(sorted_tags, ensure_ascii=False, separators=(",", ":"))
    added = VendorAttribute.of_bytes(TAG_VENDOR, TAG_NAME, text.encode())
    return attributes.replace(vendor_attributes=(*attributes.vendor_attributes, added))


def without_tags(attributes: Attributes) -> Attributes:
    """The attributes without the tag attribute; the same object where they have none."""
    others = tuple(
        attribute for attribute in attributes.vendor_attributes if not is_tag_attribute(attribute)
    )
    if len(others) == len(attributes.vendor_attributes):
        return attributes
    return attributes.replace(vendor_attributes=others)


def is_tag_attribute(attribute: VendorAttribute) -> bool:
    return attribute.attribute_name == TAG_NAME and attribute.vendor_identification == TAG_VENDOR


def _parse_tags(octets: bytes | None) -> frozenset[str]:
    refusal = InvalidAttributeValue("tags must be a JSON array of strings")
    if octets is None:
        raise refusal
    try:
        tags = strict_json.loads(octets, max_depth=1)
    except ValueError:
        raise refusal from None
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise refusal
    if any("\0" in tag for tag in tags):  # PostgreSQL cannot store it as text
        raise InvalidAttributeValue("a tag may not contain the null character")
    return frozenset(tags)
