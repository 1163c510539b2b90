"""The KMIP attributes that the server derives from an X.509 certificate."""

from __future__ import annotations

from typing import Any

from ...crypto.keys.certificates import CertificateFacts, Entity, read_certificate
from ...kmip.attributes import Attributes
from ...kmip.enums import CertificateType, KeyFormatType
from ...kmip.structures import (
    X509CertificateIdentifier,
    X509CertificateIssuer,
    X509CertificateSubject,
)
from ..common.new_object import make_digest


def describe_certificate(octets: bytes) -> Attributes:
    """The attributes of a certificate in DER (KMIP 2.1 §4.6 to §4.9, §4.21, §4.65 to §4.67).

    Raises InvalidField for octets that are not such a certificate.
    """
    facts = read_certificate(octets)
    signature = facts.signature_algorithm
    attributes = Attributes(
        certificate_type=CertificateType.X509,
        certificate_length=len(octets),
        cryptographic_algorithm=facts.algorithm,
        cryptographic_length=facts.length,
        digital_signature_algorithms=() if signature is None else (signature,),
        digests=(make_digest(octets, KeyFormatType.X509),),
        key_format_type=KeyFormatType.X509,
        x_509_certificate_identifier=X509CertificateIdentifier(
            facts.issuer.distinguished_name, facts.serial_number
        ),
        x_509_certificate_issuer=X509CertificateIssuer(
            facts.issuer.distinguished_name, facts.issuer.alternative_names
        ),
        x_509_certificate_subject=X509CertificateSubject(
            facts.subject.distinguished_name, facts.subject.alternative_names
        ),
    )
    return attributes.replace(**_describe_names(facts))


def _describe_names(facts: CertificateFacts) -> dict[str, Any]:
    """{"certificate_subject_cn": ("example.com",), …}"""

    def describe(entity: Entity, prefix: str) -> dict[str, Any]:
        return {f"{prefix}_{suffix}": values for suffix, values in entity.parts.items()}

    return {
        **describe(facts.subject, "certificate_subject"),
        **describe(facts.issuer, "certificate_issuer"),
    }
